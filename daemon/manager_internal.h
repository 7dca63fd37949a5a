/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MANAGER_INTERNAL_H
#define VFIOWATCH_MANAGER_INTERNAL_H

/*
 * What manager.c (objects and loop), manager_truth.c (events and readings), manager_policy.c (the policy in
 * force), manager_judge.c (verdicts), manager_bus.c (answers) and manager_service.c (the service manager)
 * share.
 */

#include <stdint.h>
#include <systemd/sd-event.h>

#include "core/history.h"
#include "core/model.h"
#include "core/policy.h"
#include "core/progress.h"
#include "manager.h"
#include "sink/bus.h"
#include "sink/journal.h"
#include "source/enforcer.h"
#include "source/probes.h"
#include "source/ring.h"

struct signalfd_siginfo;
struct machines;
struct waiting_finding;

/* As the watchdog sees it: it is fed while this is MANAGER_HEALTHY. */
enum manager_health {
	MANAGER_HEALTHY = 0,
	MANAGER_RING_STUCK, /* records wait, and none was taken from one look to the next */
	MANAGER_LINKS_GONE, /* a program that was attached is not any more */
};

struct manager {
	struct manager_options options;
	sd_event *loop;
	sd_event_source *retry;    /* modules are on their way, or a reading has to be made again */
	struct machines *machines; /* NULL: no systemd */
	struct probes *probes;
	struct ring *ring;
	sd_event_source *walk;     /* the next periodic walk of page tables */
	sd_event_source *again;    /* the next try at what failed of putting the policy in force */
	sd_event_source *watchdog; /* the next look at the daemon's health; NULL: nobody expects it */
	sd_event_source *line;     /* the next status line; NULL: there is no service manager */
	struct progress progress;  /* of the ring, at the last look */
	enum manager_health health;
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
	uint64_t checked_ns;       /* CLOCK_BOOTTIME of manager_check_processes() */
	unsigned int readings_due; /* readings of everything still to be made after a loss */
	char reported[STATUS_REASONS_MAX][STATUS_REASON_LEN]; /* degraded reasons already in the journal */
	size_t n_reported;
};

uint64_t manager_now_ns(void);

/* manager_truth.c */
void manager_on_event(void *userdata, const struct event *event);
void manager_on_drained(void *userdata);

/* Applies one event, and tells and judges what it changed. */
void manager_apply(struct manager *manager, const struct event *event);

/* Attaches or lets go as the modules are now, and reads the truth when recording begins or ends. */
void manager_update_probes(struct manager *manager);

/* For the timer of manager->walk. */
int manager_on_walk(sd_event_source *source, uint64_t usec, void *userdata);

/* Makes what @what (enum bus_refresh) names equal to the kernel's truth. Returns 0 or a negative errno. */
int manager_refresh(void *userdata, unsigned int what);

/* manager_identity.c */

/* Looks up who @process (NULL: none) is, if that is not known or may not hold any more; @event was of it. */
void manager_complete_process(struct manager *manager, const struct event *event,
			      const struct process *process);

/* Looks up anew who executed another program; once a second at most. */
void manager_check_processes(struct manager *manager);

/* A machines_changed(). */
void manager_machines_changed(void *userdata);

/* manager_policy.c */

/* Reads the policy files and tries whether they can be enforced. 0, or a negative errno after it said what is
 * wrong. */
int manager_load_policy(struct manager *manager);

/* Before and after programs are loaded: that takes long on a slow machine, and the loop stands still. Feeds
 * the watchdog. */
void manager_stretch_watchdog(bool longer);

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

/* Puts reasons of being degraded that are new into the journal; the service manager is told soon. */
void manager_report_degraded(struct manager *manager);

/* manager_service.c */

/* Makes the timers, if there is a service manager. 0 or a negative errno. */
int manager_begin_service(struct manager *manager);

/* For the ring_handler: taking all of a full ring lasts, and the loop stands still. Nothing while the daemon
 * is not healthy. */
void manager_feed_watchdog(void *userdata);

/* Tells it how the daemon fares: now, or once in the next second. */
void manager_tell_service(struct manager *manager);
void manager_tell_service_soon(struct manager *manager);

/* NULL: healthy. */
const char *manager_health_text(enum manager_health health);

#endif
