/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the daemon, its programs, the events and the policy have in metrics. */

#include "core/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics_internal.h"

#define NS_PER_USEC 1000ULL

/* @boottime_ns on the wall clock; nothing if that is unknown, or before 1970. */
static void put_time(struct metrics *m, enum metric metric, uint64_t boottime_ns, int64_t offset_ns)
{
	int64_t ns;

	if (boottime_ns && !__builtin_add_overflow(boottime_ns, offset_ns, &ns) && ns >= 0)
		metrics_put_seconds(m, metric, (uint64_t)ns, NULL);
}

static void put_recording(struct metrics *m, const struct status *status)
{
	for (enum recording_state state = RECORDING_ON; state <= RECORDING_FAILED; state++)
		metrics_put(m, METRIC_RECORDING, status->recording == state, "state",
			    recording_state_name(state), NULL);
}

static void put_points(struct metrics *m, const struct status *status)
{
	uint64_t states[POINT_UNNEEDED + 1] = {};

	for (size_t i = 0; i < status->n_points; i++)
		states[status->points[i].state]++;
	for (enum point_state state = POINT_ATTACHED; state <= POINT_UNNEEDED; state++)
		metrics_put(m, METRIC_ATTACH_POINTS, states[state], "state", point_state_name(state), NULL);
}

/* Points of one name are one sample: @first is the first of them. */
static void sum_runs(const struct status *status, size_t first, uint64_t *runs, uint64_t *run_ns)
{
	*runs = *run_ns = 0;
	for (size_t i = first; i < status->n_points; i++) {
		const struct attach_point *point = &status->points[i];

		if (strcmp(point->name, status->points[first].name))
			continue;
		*runs += point->runs;
		*run_ns += point->run_time_ns;
	}
}

static bool is_first_of_name(const struct status *status, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(status->points[i].name, status->points[at].name) == 0)
			return false;
	return true;
}

/* The kernel counts neither unless it was told to: then nothing is known. */
static void put_runs(struct metrics *m, const struct status *status, bool times)
{
	uint64_t runs, run_ns;

	for (size_t i = 0; i < status->n_points; i++) {
		const char *name = status->points[i].name;

		if (!is_first_of_name(status, i))
			continue;
		sum_runs(status, i, &runs, &run_ns);
		if (runs && times)
			metrics_put_seconds(m, METRIC_BPF_RUN_TIME, run_ns, "program", name, NULL);
		else if (runs)
			metrics_put(m, METRIC_BPF_RUNS, runs, "program", name, NULL);
	}
}

static void put_daemon(struct metrics *m, const struct metrics_facts *facts)
{
	const struct status *status = facts->status;

	if (status && status->version[0])
		metrics_put(m, METRIC_BUILD, 1, "version", status->version, NULL);
	put_time(m, METRIC_COLLECTED, facts->now_ns, facts->realtime_offset_ns);
	if (!status)
		return;
	put_time(m, METRIC_START_TIME, status->started_ns, facts->realtime_offset_ns);
	put_recording(m, status);
	metrics_put(m, METRIC_DEGRADED, status->n_degraded, NULL);
	put_points(m, status);
	put_runs(m, status, false);
	put_runs(m, status, true);
	if (status->cpu_usec)
		metrics_put_seconds(m, METRIC_DAEMON_CPU, status->cpu_usec * NS_PER_USEC, NULL);
	if (status->memory)
		metrics_put(m, METRIC_DAEMON_MEMORY, status->memory, NULL);
	metrics_put(m, METRIC_BUS_CLIENTS, status->clients, NULL);
	if (status->recorder_known) {
		metrics_put(m, METRIC_RING_SIZE, status->ring_size, NULL);
		metrics_put(m, METRIC_RING_USED, status->ring_used, NULL);
	}
}

/* A capture may have lost events of which not even the type is known. */
static void put_types(struct metrics *m, enum metric metric, const uint64_t *types)
{
	if (types && types[EVENT_NONE])
		metrics_put(m, metric, types[EVENT_NONE], "type", or_unknown(NULL), NULL);
	for (unsigned int type = 1; types && type < EVENT_KERNEL_TYPES; type++)
		metrics_put(m, metric, types[type], "type", event_type_name(type), NULL);
}

static void put_missed(struct metrics *m, const struct status *status, const struct ledger_counts *counts)
{
	if (status) {
		metrics_put(m, METRIC_MISSED, status->skipped, "cause", "skipped-run", NULL);
		metrics_put(m, METRIC_MISSED, status->malformed, "cause", "malformed-record", NULL);
	}
	metrics_put(m, METRIC_MISSED, counts->refused, "cause", "refused-event", NULL);
	if (!status || !status->recorder_known)
		return;
	metrics_put(m, METRIC_MISSED, status->recorder.untracked_mappings, "cause", "untracked-mapping",
		    NULL);
	metrics_put(m, METRIC_MISSED, status->recorder.untracked_files, "cause", "untracked-file", NULL);
	metrics_put(m, METRIC_MISSED, status->recorder.untracked_cookies, "cause", "untracked-cookie", NULL);
}

static void put_events(struct metrics *m, const struct metrics_facts *facts)
{
	const struct status *status = facts->status;
	uint64_t delivered[EVENT_KERNEL_TYPES], lost[EVENT_KERNEL_TYPES];
	bool recorder_known = status && status->recorder_known;
	struct ledger_counts counts;

	ledger_counts(facts->model->ledger, &counts);
	for (unsigned int type = 0; recorder_known && type < EVENT_KERNEL_TYPES; type++) {
		delivered[type] = status->recorder.delivered[type];
		lost[type] = status->recorder.lost[type];
	}
	put_types(m, METRIC_EVENTS, recorder_known ? delivered : facts->events);
	put_types(m, METRIC_EVENTS_LOST, recorder_known ? lost : facts->lost);
	put_missed(m, status, &counts);
	if (!status)
		return;
	metrics_put(m, METRIC_READINGS, status->readings, NULL);
	metrics_put(m, METRIC_AUDITS, status->audits, NULL);
	metrics_put(m, METRIC_JOURNAL_RECORDS, status->journal_sent, "outcome", "sent", NULL);
	metrics_put(m, METRIC_JOURNAL_RECORDS, status->journal_suppressed, "outcome", "held-back", NULL);
	metrics_put(m, METRIC_JOURNAL_RECORDS, status->journal_unwritten, "outcome", "unwritten", NULL);
}

/* While nothing is decided in the kernel its counters do not exist. */
static void put_enforcer(struct metrics *m, const struct status *status)
{
	const struct enforcer_counters *counters = &status->enforcer;

	if (status->enforcing == ENFORCING_OFF)
		return;
	metrics_put(m, METRIC_ENFORCER_DECIDED, counters->decided, NULL);
	for (unsigned int reason = POLICY_KNOWN + 1; reason < POLICY_UNKNOWN_REASONS; reason++)
		metrics_put(m, METRIC_ENFORCER_UNKNOWN, counters->unknown[reason], "reason",
			    policy_unknown_name(reason), NULL);
	metrics_put(m, METRIC_ENFORCER_UNDECIDED, counters->undecided, NULL);
	metrics_put(m, METRIC_ENFORCER_UNPLACED, counters->unplaced, NULL);
	metrics_put(m, METRIC_ENFORCER_UNTRACKED, counters->untracked, NULL);
	metrics_put(m, METRIC_ENFORCER_UNCOMPARED, counters->unplaced_now, "cause", "unplaced", NULL);
	metrics_put(m, METRIC_ENFORCER_UNCOMPARED, counters->untracked_now, "cause", "untracked", NULL);
}

static void put_policy(struct metrics *m, const struct metrics_facts *facts)
{
	const struct status *status = facts->status;
	const char *enforcing;

	if (!status && facts->decided)
		metrics_put(m, METRIC_REQUESTS_DENIED, facts->denied, NULL);
	if (!status || !status->policy_known)
		return;
	enforcing = enforcing_state_name(status->enforcing);
	metrics_put(m, METRIC_POLICY, 1, "mode", policy_mode_name(status->mode), "digest",
		    status->policy_digest, "enforcing", enforcing ? enforcing : "no", NULL);
	metrics_put(m, METRIC_POLICY_RULES, status->policy_rules, NULL);
	metrics_put(m, METRIC_REQUESTS_DENIED, status->denied, NULL);
	metrics_put(m, METRIC_WOULD_DENY, status->would_denied, NULL);
	metrics_put(m, METRIC_KILLED, status->killed, NULL);
	put_enforcer(m, status);
}

int metrics_text(const struct metrics_facts *facts, enum metrics_format format, char **ret)
{
	struct metrics metrics = {.format = format, .last = METRICS};
	char *text = NULL;
	size_t size = 0;
	int r;

	metrics.out = open_memstream(&text, &size);
	if (!metrics.out)
		return -ENOMEM;
	put_daemon(&metrics, facts);
	put_events(&metrics, facts);
	put_policy(&metrics, facts);
	r = metrics_put_model(&metrics, facts->model);
	metrics_end(&metrics);
	if (ferror(metrics.out))
		r = -ENOMEM;
	if (fclose(metrics.out) != 0)
		r = -ENOMEM;
	if (r < 0) {
		free(text);
		return r;
	}
	*ret = text;
	return 0;
}
