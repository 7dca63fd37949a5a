/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "cli/judged.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "cli/when.h"
#include "core/request.h"
#include "core/rows.h"

static void set_process(struct process_key *key, char comm[EVENT_COMM_LEN + 1], const struct process *process)
{
	if (!process)
		return;
	*key = process->key;
	memcpy(comm, process->comm, EVENT_COMM_LEN + 1);
}

static void set_who(struct process_key *key, char comm[EVENT_COMM_LEN + 1],
		    const struct event_process_id *who)
{
	*key = (struct process_key){.start_ns = who->start_ns, .tgid = who->tgid};
	memcpy(comm, who->comm, EVENT_COMM_LEN);
}

struct judged judge_request(const struct policy *policy, const struct ledger *ledger,
			    const struct event *event)
{
	const struct event_request *request = &event->request;
	const struct event_party *party = &request->party;
	struct judged judged = {
		.event = "request",
		.what = request_what_name(request->what),
		.time_ns = event->header.time_ns,
		.sequence = event->header.sequence,
		.region = request->region,
		.source = party->source,
		.types = {party->type, request->has_peer ? request->peer.type : request->given},
		.offset = request->offset,
		.offset_known = true,
		.size = request->size,
		.phys_known = party->flags & PARTY_RANGE_KNOWN,
		.phys_start = party->phys_start,
		.phys_end = party->phys_end,
		.verdict = policy_judge_request(policy, ledger, request),
		.recorded_verdict = request_verdict_name(request),
	};

	request_device(ledger, request, judged.device);
	set_who(&judged.process, judged.comm, &event->header.who);
	if (request->has_peer)
		set_who(&judged.peer, judged.peer_comm, &request->peer.who);
	memcpy(judged.recorded_rule, request->rule, sizeof(request->rule));
	return judged;
}

struct judged judge_mapping(const struct policy *policy, const struct ledger *ledger,
			    const struct mapping *mapping)
{
	const struct policy_verdict verdict = policy_judge_mapping(policy, ledger, mapping);
	const struct mapping *peer = verdict.peer ? ledger_mapping(ledger, verdict.peer) : NULL;
	struct judged judged = {
		.event = "mapping",
		.what = request_what_name(REQUEST_MMAP),
		.time_ns = mapping->mapped_ns,
		.region = mapping->region,
		.source = mapping->source,
		.types = {ledger_requested(ledger, mapping), peer ? ledger_requested(ledger, peer) : 0},
		.offset = mapping->offset,
		.offset_known = mapping->offset_known,
		.size = mapping->end - mapping->start,
		.phys_known = mapping->phys_known,
		.phys_start = mapping->phys_start,
		.phys_end = mapping->phys_start + (mapping->end - mapping->start),
		.mapping = mapping->id,
		.verdict = verdict,
	};

	if (mapping->device)
		memcpy(judged.device, mapping->device->name, sizeof(judged.device));
	set_process(&judged.process, judged.comm, mapping->owner);
	if (peer)
		set_process(&judged.peer, judged.peer_comm, peer->owner);
	return judged;
}

/* Of an alias the newer mapping is the one that is judged. */
struct judged judge_finding(const struct policy *policy, const struct ledger *ledger,
			    const struct finding *finding)
{
	const struct party *party = &finding->parties[finding->n_parties > 1];
	const struct party *peer = finding->n_parties > 1 ? &finding->parties[0] : NULL;
	struct judged judged = {
		.event = "conflict",
		.what = finding_kind_name(finding->kind),
		.time_ns = finding->since_ns,
		.region = finding->region,
		.process = party->process,
		.source = party->source,
		.types = {peer ? party->type : party->requested, peer ? peer->type : party->type},
		.size = finding->bytes,
		.phys_known = finding->n_ranges,
		.phys_start = finding->ranges[0].start,
		.phys_end = finding->phys_end,
		.mapping = party->mapping,
		.conflict = finding->id,
		.verdict = policy_judge_finding(policy, ledger, finding),
	};

	memcpy(judged.device, finding->device, sizeof(judged.device));
	memcpy(judged.comm, party->comm, sizeof(judged.comm));
	if (peer) {
		judged.peer = peer->process;
		memcpy(judged.peer_comm, peer->comm, sizeof(judged.peer_comm));
	}
	return judged;
}

const char *judged_verdict(const struct judged *judged)
{
	return policy_verdict_name(judged->verdict, POLICY_ENFORCE);
}

static void put_process(struct row *row, const char *pid, const char *comm, const struct process_key *key,
			const char *name)
{
	row_count(row, pid, key->tgid, key->tgid);
	row_text(row, comm, name, EVENT_COMM_LEN);
}

static void put_types(struct row *row, const struct judged *judged)
{
	struct json_object *types = row_array(row, "types");

	for (int i = 0; i < 2; i++)
		if (memtype_name(judged->types[i]))
			row_append_text(row, types, memtype_name(judged->types[i]), SIZE_MAX);
}

static void put_subject(struct row *row, const struct judged *judged)
{
	row_text(row, "event", judged->event, SIZE_MAX);
	row_text(row, "what", judged->what, SIZE_MAX);
	put_process(row, "pid", "comm", &judged->process, judged->comm);
	row_text(row, "device", judged->device, sizeof(judged->device));
	row_count(row, "region", judged->region, judged->region != EVENT_REGION_UNKNOWN);
	row_text(row, "source", mapping_source_name(judged->source), SIZE_MAX);
	row_text(row, "requested", memtype_name(judged->types[0]), SIZE_MAX);
	put_types(row, judged);
	row_address(row, "offset", judged->offset, judged->offset_known);
	row_count(row, "size", judged->size, true);
	row_address(row, "phys_start", judged->phys_start, judged->phys_known);
	row_address(row, "phys_end", judged->phys_end, judged->phys_known);
	row_count(row, "mapping", judged->mapping, judged->mapping);
	row_count(row, "conflict", judged->conflict, judged->conflict);
	put_process(row, "peer_pid", "peer_comm", &judged->peer, judged->peer_comm);
}

struct json_object *judged_row(const struct judged *judged, const struct policy *policy,
			       const struct snapshot_clock *clock)
{
	struct row row = row_new();

	row_time(&row, "time", judged->time_ns, clock->realtime_offset_ns);
	row_count(&row, "sequence", judged->sequence, judged->sequence);
	put_subject(&row, judged);
	row_text(&row, "kind", policy_kind_name(judged->verdict.kind), SIZE_MAX);
	row_text(&row, "rule", policy_rule_name(policy, judged->verdict.rule), SIZE_MAX);
	row_text(&row, "verdict", judged_verdict(judged), SIZE_MAX);
	row_bool(&row, "unknown", judged->verdict.unknown, true);
	row_text(&row, "recorded_verdict", judged->recorded_verdict, SIZE_MAX);
	row_text(&row, "recorded_rule", judged->recorded_rule, sizeof(judged->recorded_rule));
	return row_take(&row);
}

const struct column judged_columns[] = {
	{.title = "TIME", .drop = 1},
	{.title = "PID", .right = true},
	{.title = "COMMAND", .shrink = true},
	{.title = "DEVICE"},
	{.title = "BAR", .right = true},
	{.title = "WHAT"},
	{.title = "TYPES"},
	{.title = "PEER", .right = true, .drop = 2},
	{.title = "RULE", .shrink = true},
	{.title = "VERDICT"},
};
const size_t judged_n_columns = sizeof(judged_columns) / sizeof(judged_columns[0]);

/* Seconds do for people. */
static const char *time_cell(struct json_object *row, char out[WHEN_TEXT_MAX])
{
	int64_t when;

	if (!row_string(row, "time") || !when_parse_row(row_string(row, "time"), &when))
		return NULL;
	when_text(when, out);
	*strchrnul(out, '.') = '\0';
	return out;
}

int judged_add(struct table *table, struct json_object *row)
{
	char time[WHEN_TEXT_MAX], *types = join_values(row_value(row, "types"), '/');
	const char *rule = row_string(row, "rule");
	const char *const cells[] = {
		time_cell(row, time),
		value_text(row_value(row, "pid")),
		row_string(row, "comm"),
		row_string(row, "device"),
		value_text(row_value(row, "region")),
		row_string(row, "what"),
		types,
		value_text(row_value(row, "peer_pid")),
		rule || !row_true(row, "unknown") ? rule : "OnUnknown",
		row_string(row, "verdict"),
	};
	int r = table_add(table, cells);

	free(types);
	return r;
}
