// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "config.h"
#include "manager_internal.h"
#include "sink/enforce.h"
#include "sink/notify.h"

#define WAITING "the vfio modules are not in use, nothing can be mapped: enforcement begins with recording"

static bool is_enforce(const struct policy *policy)
{
	return policy_mode(policy) == POLICY_ENFORCE;
}

/* Without memory for the words the policy is refused all the same. */
static int read_policy(const struct manager *manager, struct policy **ret, enum policy_outcome *outcome,
		       char error[POLICY_ERROR_LEN])
{
	int r = config_read_policy(ret, manager->options.policy_root, outcome, error);

	if (r < 0)
		snprintf(error, POLICY_ERROR_LEN, "cannot read the policy files: %s", strerror(-r));
	return r;
}

static int refuse_start(const struct manager *manager, int error, const char *text)
{
	fprintf(stderr, SD_ERR "vfiowatchd: %s\n", text);
	journal_policy_rejected(manager->journal, text, false);
	return error;
}

/* Whether this kernel can deny is tried before anything is attached. */
int manager_load_policy(struct manager *manager)
{
	char error[POLICY_ERROR_LEN];
	enum policy_outcome outcome;
	const char *reason;
	int r;

	r = read_policy(manager, &manager->policy, &outcome, error);
	if (r == 0 && outcome == POLICY_REFUSED)
		r = MANAGER_POLICY_REFUSED;
	if (r < 0)
		return refuse_start(manager, r, error);
	manager->model.policy = manager->policy;
	if (!is_enforce(manager->policy))
		return 0;
	r = enforcer_probe(&reason);
	if (r < 0) {
		snprintf(error, sizeof(error), "cannot enforce the policy: %s; or set Mode=audit in [Policy]",
			 reason);
		return refuse_start(manager, enforcer_shortage(r) ? r : MANAGER_POLICY_REFUSED, error);
	}
	return 0;
}

#define LISTED 64

/* Who has a device open may map it next. */
static void tell_machines_of_files(struct manager *manager)
{
	const struct device_file *files[LISTED];
	uint64_t after = 0;
	size_t n;

	do {
		n = ledger_list_files(manager->model.ledger, false, after, files, LISTED);
		for (size_t i = 0; i < n; i++) {
			if (files[i]->opener)
				manager_tell_machine(manager, files[i]->opener);
			for (const struct holder *holder = files[i]->holders; holder; holder = holder->next)
				manager_tell_machine(manager, holder->process);
			after = files[i]->id;
		}
	} while (n == LISTED);
}

/* The programs forget what they have not used for long, and a new table knows nothing. */
static void tell_machines(struct manager *manager)
{
	const struct ledger *ledger = manager->model.ledger;
	const struct process *told = NULL;
	const struct mapping *mapping = NULL;

	tell_machines_of_files(manager);
	while ((mapping = ledger_next_live(ledger, mapping))) {
		/* Mappings of one process often follow each other. */
		if (mapping->owner && mapping->owner != told)
			manager_tell_machine(manager, mapping->owner);
		told = mapping->owner;
	}
}

/* A name that fills its field may have been cut: then the programs are left without it, and rules that select
 * by it may hold. */
void manager_tell_machine(struct manager *manager, const struct process *process)
{
	if (manager->enforcer && process->facts_known && process->cgroup_id &&
	    strlen(process->machine) < EVENT_NAME_LEN)
		enforcer_set_machine(manager->enforcer, process->cgroup_id, process->machine);
}

#define WATCHDOG_LONGER 20

void manager_stretch_watchdog(bool longer)
{
	uint64_t usec;

	if (notify_watchdog(&usec))
		notify_watchdog_usec(longer ? usec * WATCHDOG_LONGER : usec);
}

/* Attaches the enforcer, with nothing in force unless it was adopted. 0 or a negative errno with *reason. */
static int attach_enforcer(struct manager *manager, const char **reason)
{
	int r;

	manager_stretch_watchdog(true);
	r = enforcer_begin(&manager->enforcer, manager->probes, reason);
	manager_stretch_watchdog(false);
	if (r == 0)
		tell_machines(manager);
	return r;
}

static void detach_enforcer(struct manager *manager)
{
	if (!manager->enforcer)
		return;
	manager->denied_before += enforcer_memory(manager->enforcer)->denied;
	manager->enforcer = enforcer_end(manager->enforcer, false);
}

static void set_reason(struct manager *manager, bool failed, const char *reason)
{
	manager->enforcing_failed = failed;
	snprintf(manager->enforcing_reason, sizeof(manager->enforcing_reason), "%s", reason);
}

/* Puts the policy that is the manager's in force. */
static void apply_policy(struct manager *manager)
{
	if (is_enforce(manager->policy) && manager->enforcer) {
		set_reason(manager, false, "");
		enforce_apply(enforcer_memory(manager->enforcer), policy_bank(manager->policy),
			      manager_now_ns());
	} else if (!is_enforce(manager->policy)) {
		set_reason(manager, false, "");
		detach_enforcer(manager);
	}
}

/* What failed is tried again after this, or if it takes long after so many times that. */
#define AGAIN_USEC  10000000ULL
#define AGAIN_SHARE 10

static void try_again(struct manager *manager, uint64_t began_ns)
{
	uint64_t usec = (manager_now_ns() - began_ns) / 1000 * AGAIN_SHARE;

	sd_event_source_set_time_relative(manager->again, usec > AGAIN_USEC ? usec : AGAIN_USEC);
	sd_event_source_set_enabled(manager->again, SD_EVENT_ONESHOT);
}

static void begin_enforcing(struct manager *manager)
{
	uint64_t began_ns = manager_now_ns();
	const char *reason;

	if (!manager->enforcer && attach_enforcer(manager, &reason) < 0) {
		set_reason(manager, true, reason);
		try_again(manager, began_ns);
		return;
	}
	apply_policy(manager);
	fprintf(stderr, SD_INFO "enforcing\n");
}

/* The truth was read, but these events are told of by their number only. */
static void tell_unread(struct manager *manager)
{
	struct event event;

	event_scanned(&event, EVENT_LOST, manager_now_ns());
	event.lost.count = probes_unread(manager->probes);
	if (!event.lost.count)
		return;
	history_add(manager->history, &event);
	journal_events_lost(manager->journal, "left unread by another version of vfiowatchd, at most as many",
			    event.lost.count);
	fprintf(stderr, SD_WARNING "another version left %" PRIu64 " events that this one cannot read\n",
		event.lost.count);
}

static void settle_probes(struct manager *manager)
{
	if (probes_settle(manager->probes) < 0)
		try_again(manager, manager_now_ns());
}

int manager_on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *manager = userdata;

	(void)source;
	(void)usec;
	settle_probes(manager);
	if (is_enforce(manager->policy) && manager->recording && !manager->enforcer)
		begin_enforcing(manager);
	manager_report_degraded(manager);
	return 0;
}

void manager_recording_began(struct manager *manager)
{
	manager->recording = true;
	manager->recording_failed = false;
	if (is_enforce(manager->policy))
		begin_enforcing(manager);
}

void manager_recording_failed(struct manager *manager)
{
	manager->recording = false;
	manager->recording_failed = true;
	if (is_enforce(manager->policy))
		set_reason(manager, true, probes_reason(manager->probes));
}

void manager_recording_ends(struct manager *manager)
{
	manager->recording = false;
	manager->recording_failed = false;
	detach_enforcer(manager);
	enforcer_discard(manager->probes);
	if (is_enforce(manager->policy))
		set_reason(manager, false, WAITING);
}

int manager_start_policy(struct manager *manager)
{
	char error[POLICY_ERROR_LEN];

	if (is_enforce(manager->policy) && manager->enforcing_failed) {
		snprintf(error, sizeof(error),
			 "cannot enforce the policy: %s; see vfiowatch doctor, or set Mode=audit "
			 "in [Policy]",
			 manager->enforcing_reason);
		return refuse_start(manager, -EOPNOTSUPP, error);
	}
	if (is_enforce(manager->policy) && !manager->enforcer)
		set_reason(manager, false, WAITING);
	if (!is_enforce(manager->policy))
		enforcer_discard(manager->probes);
	tell_unread(manager);
	settle_probes(manager);
	journal_policy_loaded(manager->journal, manager->policy);
	return 0;
}

/* A policy that cannot be enforced is no better than one that cannot be read. */
static int prepare(struct manager *manager, const struct policy *policy, const char **reason)
{
	if (!is_enforce(policy))
		return 0;
	if (manager->enforcer)
		return enforcer_taken_off(manager->enforcer, reason) ? -ENOLINK : 0;
	if (!manager->recording) {
		*reason = probes_reason(manager->probes);
		return manager->recording_failed ? -EOPNOTSUPP : enforcer_probe(reason);
	}
	return attach_enforcer(manager, reason);
}

static void take_policy(struct manager *manager, struct policy *policy)
{
	struct policy *before = manager->policy;

	manager->policy = policy;
	manager->model.policy = policy;
	apply_policy(manager);
	if (is_enforce(policy) && !manager->enforcer)
		set_reason(manager, false, WAITING);
	journal_policy_loaded(manager->journal, policy);
	fprintf(stderr, SD_INFO "policy loaded: %s, %zu rules, digest %s\n",
		policy_mode_name(policy_mode(policy)), policy_rules(policy), policy_digest(policy));
	policy_free(before);
	manager_judge_active(manager);
}

static int reload(struct manager *manager, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN])
{
	struct policy *policy = NULL;
	const char *reason;
	int r = read_policy(manager, &policy, outcome, error);

	if (r < 0 || *outcome == POLICY_REFUSED)
		return r;
	/* What was asked before is judged by the policy of then. */
	ring_consume(manager->ring);
	if (prepare(manager, policy, &reason) < 0) {
		snprintf(error, POLICY_ERROR_LEN,
			 "cannot enforce the policy: %s; or set Mode=audit in [Policy]", reason);
		*outcome = POLICY_REFUSED;
		policy_free(policy);
		return 0;
	}
	take_policy(manager, policy);
	return 0;
}

int manager_reload(void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN])
{
	struct manager *manager = userdata;
	int r;

	notify_reloading();
	r = reload(manager, outcome, error);
	if (r < 0 || *outcome == POLICY_REFUSED) {
		fprintf(stderr, SD_ERR "policy rejected, the one before stays: %s\n", error);
		journal_policy_rejected(manager->journal, error, true);
	}
	manager_report_degraded(manager);
	manager_tell_service(manager);
	notify_ready();
	return r;
}

int manager_on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	char error[POLICY_ERROR_LEN];
	enum policy_outcome outcome;

	(void)source;
	(void)info;
	manager_reload(userdata, &outcome, error);
	return 0;
}

int manager_audit_enforcer(struct manager *manager)
{
	int r;

	if (!manager->enforcer)
		return 0;
	tell_machines(manager);
	r = enforcer_audit(manager->enforcer);
	if (r < 0)
		fprintf(stderr,
			SD_WARNING
			"cannot compare the enforcer's tables with what is mapped: %s; trying again\n",
			strerror(-r));
	return r;
}

void manager_policy_status(const struct manager *manager, struct status *status)
{
	status->policy_known = true;
	status->mode = policy_mode(manager->policy);
	snprintf(status->policy_digest, sizeof(status->policy_digest), "%s", policy_digest(manager->policy));
	status->policy_rules = policy_rules(manager->policy);
	status->would_denied = manager->would_denied;
	status->killed = manager->killed;
	status->denied = manager->denied_before;
	if (manager->enforcer) {
		enforcer_status(manager->enforcer, status);
		status->denied += status->enforcer.denied;
	} else {
		snprintf(status->enforcing_reason, sizeof(status->enforcing_reason), "%s",
			 manager->enforcing_reason);
	}
	if (manager->enforcing_failed && status->n_degraded < STATUS_REASONS_MAX)
		snprintf(status->degraded[status->n_degraded++], STATUS_REASON_LEN, "not enforcing: %.160s",
			 manager->enforcing_reason);
}
