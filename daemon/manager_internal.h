/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MANAGER_INTERNAL_H
#define VFIOWATCH_MANAGER_INTERNAL_H

/* What manager.c (objects and loop), manager_truth.c (events and readings) and manager_bus.c (answers) share.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/history.h"
#include "core/model.h"
#include "manager.h"
#include "sink/bus.h"
#include "sink/journal.h"
#include "source/probes.h"
#include "source/ring.h"

struct manager {
	struct manager_options options;
	sd_event *loop;
	sd_event_source *retry; /* modules are on their way, or a reading has to be made again */
	struct probes *probes;
	struct ring *ring;
	sd_event_source *walk; /* the next periodic walk of page tables */
	struct model model;
	struct history *history;
	struct journal *journal;
	struct bus *bus;
	uint64_t started_ns;        /* CLOCK_BOOTTIME */
	int64_t realtime_offset_ns; /* as last told to clients */
	uint64_t readings;
	bool modules_changed;    /* a module event came: look at the modules */
	bool mappings_changed;   /* VMAs were copied: their ranges must be read */
	bool unsettled;          /* the last reading met ranges that were still changing */
	bool started;            /* the first reading is over: what later ones find was missed, not old */
	bool audit_due;          /* the last audit failed, or none was made since recording began */
	uint64_t skipped_in_all; /* also by programs that were let go since */
	struct probes_skips skipped; /* at the last audit */
	uint64_t untracked_cookies;  /* of the recorder, as last doubted */
	uint64_t suspect;    /* recorder.suspect at the last audit */
	uint64_t audited_ns; /* CLOCK_BOOTTIME of the last audit */
	uint64_t audits;
	unsigned int readings_due; /* readings of everything still to be made after a loss */
	char reported[STATUS_REASONS_MAX][STATUS_REASON_LEN]; /* degraded reasons already in the journal */
	size_t n_reported;
};

uint64_t manager_now_ns(void);

/* manager_truth.c */
void manager_on_event(void *userdata, const struct event *event);
void manager_on_drained(void *userdata);

/* Attaches or lets go as the modules are now, and reads the truth when recording begins or ends. */
void manager_update_probes(struct manager *manager);

/* For the timer of manager->walk. */
int manager_on_walk(sd_event_source *source, uint64_t usec, void *userdata);

/* Makes what @what (enum bus_refresh) names equal to the kernel's truth. Returns 0 or a negative errno. */
int manager_refresh(void *userdata, unsigned int what);

/* manager_bus.c */
void manager_fill_status(void *userdata, struct status *ret);
void manager_fill_backend(struct manager *manager, struct bus_backend *ret);

/* Puts reasons of being degraded that are new into the journal. */
void manager_report_degraded(struct manager *manager);

#endif
