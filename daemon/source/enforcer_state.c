// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "enforce.skel.h"
#include "source/enforcer_internal.h"
#include "vfiowatch/policy.h"

struct enforcer *enforcer_memory(struct enforcer_programs *e)
{
	return e->memory;
}

bool enforcer_adopted(const struct enforcer_programs *e)
{
	return e->adopted;
}

/* Runs an iterator to its end. It has no rows. */
static int run(const struct bpf_link *link)
{
	_cleanup_(closefd) int fd = bpf_iter_create(bpf_link__fd(link));
	char none[64];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, none, sizeof(none));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

static void copy_counters(const struct enforcer_programs *e, struct enforcer_counters *ret)
{
	const struct enforcer *memory = e->memory;

	ret->decided = __atomic_load_n(&memory->decided, __ATOMIC_RELAXED);
	ret->denied = __atomic_load_n(&memory->denied, __ATOMIC_RELAXED);
	for (size_t i = 0; i < POLICY_UNKNOWN_REASONS; i++)
		ret->unknown[i] = __atomic_load_n(&memory->unknown[i], __ATOMIC_RELAXED);
	ret->undecided = __atomic_load_n(&memory->undecided, __ATOMIC_RELAXED);
	ret->unplaced = __atomic_load_n(&memory->unplaced, __ATOMIC_RELAXED);
	ret->untracked = __atomic_load_n(&memory->untracked, __ATOMIC_RELAXED);
	ret->audit_unplaced = __atomic_load_n(&memory->audit_unplaced, __ATOMIC_RELAXED);
	ret->audit_untracked = __atomic_load_n(&memory->audit_untracked, __ATOMIC_RELAXED);
	/* What the last audit found, and what came since: one that is gone again the next audit tells. */
	ret->unplaced_now = e->after_audit.audit_unplaced - e->before_audit.audit_unplaced + ret->unplaced -
			    e->after_audit.unplaced;
	ret->untracked_now = e->after_audit.audit_untracked - e->before_audit.audit_untracked +
			     ret->untracked - e->before_audit.untracked;
}

/*
 * What is gone makes room for what was missed; then the tables know whether they are complete. What is still
 * not in them is counted meanwhile.
 */
int enforcer_audit(struct enforcer_programs *e)
{
	struct enforcer_counters before, after;
	int r = 0;

	e->skipped = enforcer_skipped(e);
	copy_counters(e, &before);
	for (size_t i = 0; i < AUDIT_STEPS && r == 0; i++)
		r = run(e->iterators[i]);
	e->audit_failed = r < 0;
	if (r < 0)
		return r;
	copy_counters(e, &after);
	e->before_audit = before;
	e->after_audit = after;
	return 0;
}

bool enforcer_audit_due(const struct enforcer_programs *e)
{
	struct enforcer_counters now;

	copy_counters(e, &now);
	return e->audit_failed || enforcer_skipped(e) != e->skipped ||
	       now.untracked != e->after_audit.untracked || now.unplaced != e->after_audit.unplaced ||
	       now.undecided != e->after_audit.undecided ||
	       now.unknown[POLICY_UNKNOWN_FULL] != e->after_audit.unknown[POLICY_UNKNOWN_FULL];
}

/* Of copies on one function at least one ran as long as one has no skips. */
static uint64_t skips_of(const struct enforcer_programs *e, size_t first, size_t *next)
{
	uint64_t least = UINT64_MAX, skips;
	size_t i = first;

	for (; i < N_ENFORCER_TARGETS; i++) {
		if (strcmp(enforcer_targets[i].function, enforcer_targets[first].function) != 0)
			break;
		skips = attachments_skips(&e->attachments, i);
		if (e->attachments.programs[i] >= 0 && skips < least)
			least = skips;
	}
	*next = i;
	return least == UINT64_MAX ? 0 : least;
}

uint64_t enforcer_skipped(const struct enforcer_programs *e)
{
	uint64_t skipped = 0;

	for (size_t i = 0; i < N_ENFORCER_TARGETS;)
		skipped += skips_of(e, i, &i);
	return skipped;
}

int enforcer_set_machine(struct enforcer_programs *e, uint64_t cgroup_id, const char *machine)
{
	int fd = bpf_map__fd(e->object->maps.units);
	struct enforcer_unit unit = {};

	if (bpf_map_lookup_elem(fd, &cgroup_id, &unit) < 0 && errno != ENOENT)
		return -errno;
	if (unit.machine_known && strncmp(unit.machine, machine, sizeof(unit.machine)) == 0)
		return 0;
	memset(unit.machine, 0, sizeof(unit.machine));
	memcpy(unit.machine, machine, strnlen(machine, sizeof(unit.machine) - 1));
	unit.cgroup_id = cgroup_id;
	unit.machine_known = 1;
	unit.generation = 0;
	return bpf_map_update_elem(fd, &cgroup_id, &unit, BPF_ANY) < 0 ? -errno : 0;
}

static __attribute__((format(printf, 3, 4))) void add_reason(struct status *status, uint64_t count,
							     const char *format, ...)
{
	va_list arguments;

	if (!count || status->n_degraded == STATUS_REASONS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(status->degraded[status->n_degraded++], STATUS_REASON_LEN, format, arguments);
	va_end(arguments);
}

static void add_counts(struct status *status, const struct enforcer_counters *now,
		       const struct enforcer_counters *before)
{
	uint64_t undecided = now->undecided - before->undecided,
		 full = now->unknown[POLICY_UNKNOWN_FULL] - before->unknown[POLICY_UNKNOWN_FULL];

	add_reason(status, now->untracked_now,
		   "%" PRIu64
		   " mappings found no room in the enforcer's tables: OnUnknown decides on their BARs; "
		   "unmap some of the most mapped BAR (vfiowatch mappings)",
		   now->untracked_now);
	add_reason(status, now->unplaced_now,
		   "%" PRIu64
		   " mappings are compared with nothing, as their bytes are not known to the enforcer: "
		   "see vfiowatch conflicts",
		   now->unplaced_now);
	add_reason(status, undecided,
		   "%" PRIu64
		   " mappings came to be before they were judged, as the kernel skipped the enforcer's "
		   "programs: see vfiowatch conflicts",
		   undecided);
	add_reason(status, full,
		   "%" PRIu64
		   " requests were decided by OnUnknown, as the enforcer's tables were full: unmap some of "
		   "the most mapped BAR (vfiowatch mappings)",
		   full);
}

#define TAKEN_OFF "enforcement was taken off (vfiowatchd --detach): restart vfiowatchd"

bool enforcer_taken_off(const struct enforcer_programs *e, const char **reason)
{
	*reason = TAKEN_OFF;
	return attachments_taken_off(&e->attachments);
}

bool enforcer_intact(const struct enforcer_programs *e)
{
	return attachments_intact(&e->attachments);
}

void enforcer_status(const struct enforcer_programs *e, struct status *status)
{
	const char *reason;
	bool taken_off = enforcer_taken_off(e, &reason);

	copy_counters(e, &status->enforcer);
	if (taken_off)
		snprintf(status->enforcing_reason, sizeof(status->enforcing_reason), "%s", reason);
	else
		status->enforcing = e->way == ENFORCER_LSM ? ENFORCING_LSM : ENFORCING_FMOD_RET;
	attachments_describe(&e->attachments, NULL, status);
	add_counts(status, &status->enforcer, &e->before_audit);
	add_reason(status, e->audit_failed,
		   "the enforcer's tables could not be compared with what is mapped: trying again");
	add_reason(status, taken_off, "%s", reason);
}

bool enforcer_incomplete(const struct enforcer_programs *e)
{
	struct enforcer_counters now;

	copy_counters(e, &now);
	return now.untracked_now || now.unplaced_now || now.undecided != e->before_audit.undecided ||
	       now.unknown[POLICY_UNKNOWN_FULL] != e->before_audit.unknown[POLICY_UNKNOWN_FULL];
}
