/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "core/rows.h"
#include "core/status.h"

#define NS_PER_SECOND 1000000000ULL

const char *event_type_name(unsigned int type)
{
	switch (type) {
	case EVENT_OPEN:
		return "open";
	case EVENT_RELEASE:
		return "release";
	case EVENT_COOKIE:
		return "cookie";
	case EVENT_COOKIE_RELEASE:
		return "cookie-release";
	case EVENT_MAP:
		return "map";
	case EVENT_COPY:
		return "copy";
	case EVENT_UNMAP:
		return "unmap";
	case EVENT_MODULE:
		return "module";
	case EVENT_POPULATE:
		return "populate";
	case EVENT_REVOKE:
		return "revoke";
	case EVENT_RESERVATION:
		return "reservation";
	case EVENT_REQUEST:
		return "request";
	case EVENT_FILE:
	case EVENT_COOKIE_LIVE:
	case EVENT_MAPPING:
	case EVENT_HOLDER:
	case EVENT_DEVICE:
	case EVENT_PROCESS:
	case EVENT_IDENTITY:
	case EVENT_PAGES:
		return "state";
	case EVENT_LOST:
		return "lost";
	default:
		return NULL;
	}
}

const char *point_state_name(enum point_state state)
{
	switch (state) {
	case POINT_ATTACHED:
		return "attached";
	case POINT_WAITING:
		return "waiting";
	case POINT_MISSING:
		return "missing";
	case POINT_UNNEEDED:
		return "unneeded";
	}
	return NULL;
}

const char *recording_state_name(enum recording_state state)
{
	switch (state) {
	case RECORDING_ON:
		return "on";
	case RECORDING_WAITING:
		return "waiting";
	case RECORDING_FAILED:
		return "failed";
	}
	return NULL;
}

static size_t points_of(const struct status *status)
{
	return status->n_points < STATUS_POINTS_MAX ? status->n_points : STATUS_POINTS_MAX;
}

/* Names of the attach points in @state. */
static void put_point_names(struct row *row, const char *key, const struct status *status,
			    enum point_state state)
{
	struct json_object *names = row_array(row, key);

	for (size_t i = 0; i < points_of(status); i++)
		if (status->points[i].state == state)
			row_append_text(row, names, status->points[i].name, sizeof(status->points[i].name));
}

static bool is_measured(const struct status *status, const struct attach_point *point)
{
	return status->bpf_stats == BPF_STATS_ON && point->state == POINT_ATTACHED;
}

/* What the programs cost those whose calls they watch. */
static void put_run_time(struct row *row, const struct status *status)
{
	uint64_t run_time_ns = 0, runs = 0;

	for (size_t i = 0; i < points_of(status); i++)
		if (is_measured(status, &status->points[i])) {
			run_time_ns += status->points[i].run_time_ns;
			runs += status->points[i].runs;
		}
	row_bool(row, "bpf_stats", status->bpf_stats == BPF_STATS_ON, status->bpf_stats != BPF_STATS_UNKNOWN);
	row_count(row, "bpf_run_time_ns", run_time_ns, status->bpf_stats == BPF_STATS_ON);
	row_count(row, "bpf_runs", runs, status->bpf_stats == BPF_STATS_ON);
}

static void put_points(struct row *row, const struct status *status)
{
	struct json_object *points = row_array(row, "points");

	for (size_t i = 0; i < points_of(status); i++) {
		const struct attach_point *point = &status->points[i];
		struct row entry = row_append_object(row, points);

		row_text(&entry, "name", point->name, sizeof(point->name));
		row_text(&entry, "module", point->module, sizeof(point->module));
		row_text(&entry, "state", point_state_name(point->state), SIZE_MAX);
		row_text(&entry, "purpose", point->purpose, sizeof(point->purpose));
		row_text(&entry, "reason", point->reason, sizeof(point->reason));
		row_count(&entry, "run_time_ns", point->run_time_ns, is_measured(status, point));
		row_count(&entry, "runs", point->runs, is_measured(status, point));
		row_end(row, &entry);
	}
}

static void put_degraded(struct row *row, const struct status *status)
{
	struct json_object *reasons = row_array(row, "degraded");

	for (size_t i = 0; i < status->n_degraded && i < STATUS_REASONS_MAX; i++)
		row_append_text(row, reasons, status->degraded[i], sizeof(status->degraded[i]));
}

/* Without BPF maps nothing is known of events: null, not 0. */
static void put_recorder(struct row *row, const struct status *status)
{
	const struct recorder *recorder = status->recorder_known ? &status->recorder : NULL;
	uint64_t delivered = 0, lost = 0;
	struct json_object *types;
	struct row untracked;

	for (unsigned int type = 1; recorder && type < EVENT_KERNEL_TYPES; type++) {
		delivered += recorder->delivered[type];
		lost += recorder->lost[type];
	}
	row_count(row, "events", delivered, recorder);
	row_count(row, "lost", lost, recorder);
	if (!recorder) {
		row_null(row, "kernel_types");
		row_null(row, "untracked");
		return;
	}
	types = row_array(row, "kernel_types");
	for (unsigned int type = 1; type < EVENT_KERNEL_TYPES; type++) {
		struct row entry = row_append_object(row, types);

		row_text(&entry, "type", event_type_name(type), SIZE_MAX);
		row_count(&entry, "generated", recorder->generated[type], true);
		row_count(&entry, "delivered", recorder->delivered[type], true);
		row_count(&entry, "lost", recorder->lost[type], true);
		row_end(row, &entry);
	}
	untracked = row_object(row, "untracked");
	row_count(&untracked, "mappings", recorder->untracked_mappings, true);
	row_count(&untracked, "files", recorder->untracked_files, true);
	row_count(&untracked, "cookies", recorder->untracked_cookies, true);
	row_end(row, &untracked);
}

static void put_counts(struct row *row, const struct ledger_counts *counts)
{
	row_count(row, "devices", counts->devices, true);
	row_count(row, "open_files", counts->files, true);
	row_count(row, "cookies", counts->cookies, true);
	row_count(row, "mappings", counts->mappings, true);
	row_count(row, "refused", counts->refused, true);
}

static void put_conflicts(struct row *row, const struct finding_counts *findings)
{
	uint64_t conflicts = 0;
	struct row kinds;

	for (unsigned int kind = 0; findings && kind < FINDING_KINDS; kind++)
		conflicts += findings->active[kind];
	row_count(row, "conflicts", conflicts, findings);
	if (!findings) {
		row_null(row, "conflict_kinds");
		row_null(row, "conflicts_refused");
		return;
	}
	kinds = row_object(row, "conflict_kinds");
	for (unsigned int kind = 0; kind < FINDING_KINDS; kind++)
		row_count(&kinds, finding_kind_name(kind), findings->active[kind], true);
	row_end(row, &kinds);
	row_count(row, "conflicts_refused", findings->refused, true);
}

const char *enforcing_state_name(enum enforcing_state state)
{
	switch (state) {
	case ENFORCING_LSM:
		return "lsm";
	case ENFORCING_FMOD_RET:
		return "fmod_ret";
	default:
		return NULL;
	}
}

/* While nothing is decided in the kernel its counters do not exist. */
static void put_enforcer(struct row *row, const struct status *status)
{
	const struct enforcer_counters *counters = &status->enforcer;
	struct row entry, unknown;

	if (status->enforcing == ENFORCING_OFF) {
		row_null(row, "enforcer");
		return;
	}
	entry = row_object(row, "enforcer");
	row_count(&entry, "decided", counters->decided, true);
	row_count(&entry, "denied", counters->denied, true);
	unknown = row_object(&entry, "unknown");
	for (unsigned int reason = POLICY_KNOWN + 1; reason < POLICY_UNKNOWN_REASONS; reason++)
		row_count(&unknown, policy_unknown_name(reason), counters->unknown[reason], true);
	row_end(&entry, &unknown);
	row_count(&entry, "undecided", counters->undecided, true);
	row_count(&entry, "unplaced", counters->unplaced, true);
	row_count(&entry, "untracked", counters->untracked, true);
	row_count(&entry, "unplaced_now", counters->unplaced_now, true);
	row_count(&entry, "untracked_now", counters->untracked_now, true);
	row_end(row, &entry);
}

static void put_policy(struct row *row, const struct status *status)
{
	bool known = status->policy_known;

	row_count(row, "denied", status->denied, known);
	row_count(row, "would_denied", status->would_denied, known);
	row_count(row, "killed", status->killed, known);
	row_count(row, "policy_rules", status->policy_rules, known);
	row_text(row, "enforcing", enforcing_state_name(status->enforcing), SIZE_MAX);
	row_text(row, "enforcing_reason", status->enforcing_reason, sizeof(status->enforcing_reason));
	put_enforcer(row, status);
}

struct json_object *status_to_json(const struct status *status, const struct ledger_counts *counts,
				   const struct finding_counts *findings)
{
	struct row row = row_new();

	row_text(&row, "mode", status->policy_known ? policy_mode_name(status->mode) : NULL, SIZE_MAX);
	row_text(&row, "policy_digest", status->policy_known ? status->policy_digest : NULL,
		 sizeof(status->policy_digest));
	put_degraded(&row, status);
	put_point_names(&row, "attached", status, POINT_ATTACHED);
	put_point_names(&row, "missing", status, POINT_MISSING);
	put_recorder(&row, status);
	put_counts(&row, counts);
	put_conflicts(&row, findings);
	put_policy(&row, status);
	row_text(&row, "recording", recording_state_name(status->recording), SIZE_MAX);
	row_text(&row, "recording_reason", status->recording_reason, sizeof(status->recording_reason));
	row_bool(&row, "adopted", status->adopted, true);
	row_count(&row, "readings", status->readings, true);
	row_count(&row, "skipped", status->skipped, true);
	row_count(&row, "audits", status->audits, true);
	row_count(&row, "ring_size", status->ring_size, status->recorder_known);
	row_count(&row, "ring_used", status->ring_used, status->recorder_known);
	row_count(&row, "cpu_usec", status->cpu_usec, status->cpu_usec);
	row_count(&row, "memory", status->memory, status->memory);
	put_run_time(&row, status);
	row_count(&row, "journal_suppressed", status->journal_suppressed, true);
	row_count(&row, "journal_unwritten", status->journal_unwritten, true);
	row_count(&row, "clients", status->clients, true);
	row_count(&row, "uptime", (status->now_ns - status->started_ns) / NS_PER_SECOND,
		  status->started_ns && status->now_ns >= status->started_ns);
	put_points(&row, status);
	row_text(&row, "version", status->version, sizeof(status->version));
	return row_take(&row);
}
