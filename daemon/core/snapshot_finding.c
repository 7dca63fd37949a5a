/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot_finding.h"

#include <errno.h>
#include <stdlib.h>

/* Entries looked at in one go. */
#define CHUNK 1024

void row_sentence(struct row *row, const char *key, const char *text)
{
	struct json_object *value = row->failed ? NULL : json_object_new_string(text);

	if (value && json_object_object_add_ex(row->object, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY) == 0)
		return;
	json_object_put(value);
	row->failed = true;
}

void row_append_sentence(struct row *row, struct json_object *array, const char *text)
{
	struct json_object *value = row->failed ? NULL : json_object_new_string(text);

	if (value && json_object_array_add(array, value) == 0)
		return;
	json_object_put(value);
	row->failed = true;
}

static void append_count(struct row *row, struct json_object *array, uint64_t number)
{
	struct json_object *value = row->failed ? NULL : json_object_new_uint64(number);

	if (value && json_object_array_add(array, value) == 0)
		return;
	json_object_put(value);
	row->failed = true;
}

void row_verdict(struct row *row, const struct policy *policy, struct policy_verdict verdict)
{
	const char *name = policy ? policy_verdict_name(verdict, policy_mode(policy)) : NULL;

	row_text(row, "rule", policy ? policy_rule_name(policy, verdict.rule) : NULL, SIZE_MAX);
	row_text(row, "verdict", name, SIZE_MAX);
}

/* The two types that are at odds: of the parties, or asked for and effective. */
static void types_of(const struct finding *finding, enum memtype types[2])
{
	types[0] = finding->kind == FINDING_ALIAS ? finding->parties[0].type : finding->parties[0].requested;
	types[1] = finding->kind == FINDING_ALIAS ? finding->parties[1].type : finding->parties[0].type;
}

static void put_types(struct row *row, const struct finding *finding)
{
	struct json_object *array = row_array(row, "types");
	enum memtype types[2];

	types_of(finding, types);
	for (int i = 0; i < 2; i++)
		if (memtype_name(types[i]))
			row_append_text(row, array, memtype_name(types[i]), SIZE_MAX);
}

static void put_pids(struct row *row, const struct finding *finding)
{
	struct json_object *array = row_array(row, "pids");
	uint64_t first = finding->parties[0].process.tgid;

	if (first)
		append_count(row, array, first);
	if (finding->n_parties > 1 && finding->parties[1].process.tgid &&
	    finding->parties[1].process.tgid != first)
		append_count(row, array, finding->parties[1].process.tgid);
}

static void put_parties(struct row *row, const struct ledger *ledger, const struct finding *finding)
{
	struct json_object *mappings = row_array(row, "mappings"), *parties = row_array(row, "parties");

	for (unsigned int i = 0; i < finding->n_parties; i++) {
		const struct party *party = &finding->parties[i];
		struct row entry = row_append_object(row, parties);

		append_count(row, mappings, party->mapping);
		row_count(&entry, "mapping", party->mapping, true);
		row_count(&entry, "pid", party->process.tgid, party->process.tgid);
		row_text(&entry, "comm", party->comm, sizeof(party->comm));
		row_count(&entry, "uid", party->uid, party->process.tgid);
		row_identity(&entry, ledger_process(ledger, &party->process));
		row_text(&entry, "source", mapping_source_name(party->source), SIZE_MAX);
		row_text(&entry, "requested", memtype_name(party->requested), SIZE_MAX);
		row_text(&entry, "type", memtype_name(party->type), SIZE_MAX);
		row_end(row, &entry);
	}
}

static void put_ranges(struct row *row, const struct finding *finding)
{
	struct json_object *array;
	bool known = finding->n_ranges;

	row_address(row, "phys_start", finding->ranges[0].start, known);
	row_address(row, "phys_end", finding->phys_end, known);
	row_count(row, "bytes", finding->bytes, true);
	array = row_array(row, "ranges");
	for (unsigned int i = 0; i < finding->n_ranges; i++) {
		struct row entry = row_append_object(row, array);

		row_address(&entry, "phys_start", finding->ranges[i].start, true);
		row_address(&entry, "phys_end", finding->ranges[i].end, true);
		row_end(row, &entry);
	}
	row_bool(row, "ranges_cut", finding->ranges_cut, true);
}

static void put_cause(struct row *row, const struct finding *finding)
{
	const struct party *cause = &finding->cause_party;
	bool process = cause->process.tgid;

	row_text(row, "cause", finding_cause_name(finding->cause), SIZE_MAX);
	row_count(row, "cause_pid", cause->process.tgid, process);
	row_text(row, "cause_comm", process ? cause->comm : NULL, sizeof(cause->comm));
	row_count(row, "cause_mapping", cause->mapping, cause->mapping);
}

struct json_object *snapshot_conflict(const struct finding *finding, const struct ledger *ledger,
				      const struct policy *policy, const struct snapshot_clock *clock)
{
	char text[SENTENCE_MAX];
	struct row row = row_new();

	row_count(&row, "id", finding->id, true);
	row_text(&row, "kind", finding_kind_name(finding->kind), SIZE_MAX);
	row_text(&row, "severity", finding_severity_name(finding->severity), SIZE_MAX);
	row_text(&row, "device", finding->device, sizeof(finding->device));
	row_count(&row, "region", finding->region, finding->region != EVENT_REGION_UNKNOWN);
	put_ranges(&row, finding);
	put_types(&row, finding);
	put_pids(&row, finding);
	put_parties(&row, ledger, finding);
	put_cause(&row, finding);
	row_time(&row, "since", finding->since_ns, clock->realtime_offset_ns);
	row_time(&row, "until", finding->until_ns, clock->realtime_offset_ns);
	row_bool(&row, "active", finding->active, true);
	row_verdict(&row, policy, policy_judge_finding(policy, ledger, finding));
	row_sentence(&row, "text", finding_explain(finding, ledger_arch(ledger), text, sizeof(text)));
	return row_take(&row);
}

static void put_lint_types(struct row *row, const struct lint *lint)
{
	struct json_object *array;

	if (!lint->types) {
		row_null(row, "types");
		return;
	}
	array = row_array(row, "types");
	for (int type = 0; type < MEMTYPE_TYPES; type++)
		if (lint->types & 1U << type && memtype_name(type))
			row_append_text(row, array, memtype_name(type), SIZE_MAX);
}

struct json_object *snapshot_lint_row(const struct lint *lint, enum memtype_arch arch,
				      const struct snapshot_clock *clock)
{
	char text[SENTENCE_MAX];
	struct row row = row_new();

	row_count(&row, "id", lint->id, true);
	row_text(&row, "kind", lint_kind_name(lint->kind), SIZE_MAX);
	row_text(&row, "device", lint->device, sizeof(lint->device));
	row_count(&row, "region", lint->region, lint->region != EVENT_REGION_UNKNOWN);
	row_count(&row, "pid", lint->process.tgid, lint->process.tgid);
	row_text(&row, "comm", lint->comm, sizeof(lint->comm));
	row_text(&row, "exe", lint->exe, sizeof(lint->exe));
	row_address(&row, "offset", lint->offset, true);
	row_address(&row, "other_offset", lint->other_offset, lint->kind == LINT_UNSTABLE_COOKIE);
	put_lint_types(&row, lint);
	row_count(&row, "count", lint->count, true);
	row_time(&row, "first", lint->first_ns, clock->realtime_offset_ns);
	row_time(&row, "last", lint->last_ns, clock->realtime_offset_ns);
	row_sentence(&row, "detail", lint_detail(lint, arch, text, sizeof(text)));
	row_sentence(&row, "text", lint_explain(lint, arch, text, sizeof(text)));
	return row_take(&row);
}

static bool finding_wanted(const struct row_filter *filter, const struct finding *finding)
{
	bool pid = !filter->pid;
	enum memtype types[2];

	types_of(finding, types);
	for (unsigned int i = 0; i < finding->n_parties; i++)
		pid = pid || finding->parties[i].process.tgid == filter->pid;
	return pid && filter_takes_device(filter, finding->device) &&
	       (filter_takes_type(filter, types[0]) || filter_takes_type(filter, types[1]));
}

static bool lint_wanted(const struct row_filter *filter, const struct lint *lint)
{
	bool type = filter->type == MEMTYPE_UNKNOWN;

	for (int i = MEMTYPE_UC; i < MEMTYPE_TYPES; i++)
		type = type || (lint->types & 1U << i && filter_takes_type(filter, i));
	return type && (!filter->pid || lint->process.tgid == filter->pid) &&
	       filter_takes_device(filter, lint->device);
}

int snapshot_conflicts(const struct findings *findings, const struct ledger *ledger,
		       const struct policy *policy, const struct row_filter *filter,
		       const struct snapshot_clock *clock, uint64_t after, size_t max,
		       struct json_object *rows)
{
	const struct finding *chunk[CHUNK];
	size_t n;

	do {
		n = findings_list(findings, filter->all, after, chunk, CHUNK);
		for (size_t i = 0; i < n && max > 0; i++) {
			after = chunk[i]->id;
			if (!finding_wanted(filter, chunk[i]))
				continue;
			if (rows_put(rows, snapshot_conflict(chunk[i], ledger, policy, clock)) < 0)
				return -ENOMEM;
			max--;
		}
	} while (n == CHUNK && max > 0);
	return 0;
}

int snapshot_lint(const struct lints *lints, enum memtype_arch arch, const struct row_filter *filter,
		  const struct snapshot_clock *clock, uint64_t after, size_t max, struct json_object *rows)
{
	const struct lint *chunk[CHUNK];
	size_t n;

	do {
		n = lints_list(lints, after, chunk, CHUNK);
		for (size_t i = 0; i < n && max > 0; i++) {
			after = chunk[i]->id;
			if (!lint_wanted(filter, chunk[i]))
				continue;
			if (rows_put(rows, snapshot_lint_row(chunk[i], arch, clock)) < 0)
				return -ENOMEM;
			max--;
		}
	} while (n == CHUNK && max > 0);
	return 0;
}
