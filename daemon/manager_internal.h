/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MANAGER_INTERNAL_H
#define VFIOWATCH_MANAGER_INTERNAL_H

/*
 * What manager.c (objects and loop), manager_truth.c (events and readings), manager_policy.c (the policy in
 * force), manager_judge.c (verdicts) and manager_bus.c (answers) share.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/history.h"
#include "core/model.h"
#include "core/policy.h"
#include "manager.h"
#include "sink/bus.h"
#include "sink/journal.h"
#include "source/enforcer.h"
#include "source/probes.h"
#include "source/ring.h"

struct signalfd_siginfo;
struct waiting_finding;

struct manager {
	struct manager_options options;
	sd_event *loop;
	sd_event_source *retry; /* modules are on their way, or a reading has to be made again */
	struct probes *probes;
	struct ring *ring;
	sd_event_source *walk;  /* the next periodic walk of page tables */
	sd_event_source *again; /* the next try at what failed of putting the policy in force */
	struct model model;
	struct history *history;
	struct journal *journal;
	struct bus *bus;
	struct policy *policy;                    /* in force; never NULL once it was read */
	struct enforcer_programs *enforcer;       /* NULL: nothing is decided in the kernel */
	char enforcing_reason[STATUS_REASON_LEN]; /* why not, though the policy says so; empty: it is or does
						     not */
	bool enforcing_failed;                    /* .. and that is a failure */
	bool recording;                           /* what enforcement needs */
	bool recording_failed;
	uint64_t denied_before; /* by enforcers that ended since the daemon started */
	uint64_t would_denied, killed;
	struct waiting_finding *waiting; /* changes that wait for the facts of their parties */
	size_t n_waiting, waiting_allocated;
	unsigned int applying;      /* depth of events that are being applied */
	uint64_t started_ns;        /* CLOCK_BOOTTIME */
	int64_t realtime_offset_ns; /* as last told to clients */
	uint64_t readings;
	bool modules_changed;        /* a module event came: look at the modules */
	bool mappings_changed;       /* VMAs were copied: their ranges must be read */
	bool unsettled;              /* the last reading met ranges that were still changing */
	bool started;                /* the first reading is over: what later ones find was missed, not old */
	bool audit_due;              /* the last audit failed, or none was made since recording began */
	uint64_t skipped_in_all;     /* also by programs that were let go since */
	struct probes_skips skipped; /* at the last audit */
	uint64_t untracked_cookies;  /* of the recorder, as last doubted */
	uint64_t suspect;            /* recorder.suspect at the last audit */
	uint64_t audited_ns;         /* CLOCK_BOOTTIME of the last audit */
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

/* manager_policy.c */

/* Reads the policy files and tries whether they can be enforced. 0, or a negative errno after it said what is
 * wrong. */
int manager_load_policy(struct manager *manager);

/* For the timer of manager->again. */
int manager_on_again(sd_event_source *source, uint64_t usec, void *userdata);

/* Enforcement follows recording; it ends before recording does. */
void manager_recording_began(struct manager *manager);
void manager_recording_failed(struct manager *manager);
void manager_recording_ends(struct manager *manager);

/* The end of a start: what was there before ends, or a negative errno after it said why the policy is not in
 * force.
 */
int manager_start_policy(struct manager *manager);

/* As bus_backend.reload(). */
int manager_reload(void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN]);
int manager_on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata);

/* The facts of @process are known now. */
void manager_tell_machine(struct manager *manager, const struct process *process);

/* Makes the enforcer's tables equal to what is mapped, if there is one. 0 or a negative errno. */
int manager_audit_enforcer(struct manager *manager);

void manager_policy_status(const struct manager *manager, struct status *status);

/* manager_judge.c */

/* A finding_notify(): the change is told and judged by manager_judge_findings(). */
void manager_finding_changed(void *userdata, enum finding_change_kind what, const struct finding *finding);
void manager_judge_findings(struct manager *manager);

/* Judges and tells the mapping @id that @event made. */
void manager_judge_mapping(struct manager *manager, const struct event *event, uint64_t id);

/* After a new policy: ends the processes that it says of active findings. */
void manager_judge_active(struct manager *manager);

/* manager_bus.c */
void manager_fill_status(void *userdata, struct status *ret);
void manager_fill_backend(struct manager *manager, struct bus_backend *ret);

/* Puts reasons of being degraded that are new into the journal. */
void manager_report_degraded(struct manager *manager);

#endif
