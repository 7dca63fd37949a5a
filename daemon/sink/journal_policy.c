// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of what policy did. */
#include <errno.h>
#include <string.h>

#include "core/request.h"
#include "core/snapshot.h"
#include "sink/journal_internal.h"

/* Room for the value of MESSAGE. */
#define MESSAGE_LEN (FIELD_LEN - sizeof("MESSAGE="))

struct journal_verdict journal_verdict(const struct policy *policy, struct policy_verdict verdict,
				       enum policy_mode mode)
{
	if (!policy)
		return (struct journal_verdict){};
	return (struct journal_verdict){
		.verdict = policy_verdict_name(verdict, mode),
		.rule = policy_rule_name(policy, verdict.rule),
	};
}

/* Unit and machine are those that the decision was made by. */
static void add_requester(struct record *record, const struct ledger *ledger, const struct event *event)
{
	const struct process_key key = {.start_ns = event->header.who.start_ns,
					.tgid = event->header.who.tgid};

	const struct event_party *party = &event->request.party;

	record_source(record, JOURNAL_FIELD_SOURCE, party->source);
	record_type(record, JOURNAL_FIELD_REQUESTED, party->type);
	if (party->flags & PARTY_RANGE_KNOWN)
		record_phys(record, party->phys_start, party->phys_end);
	record_text(record, JOURNAL_FIELD_COMM, event->header.who.comm, EVENT_COMM_LEN);
	record_text(record, JOURNAL_FIELD_UNIT, party->unit, sizeof(party->unit));
	record_text(record, JOURNAL_FIELD_MACHINE, party->machine, sizeof(party->machine));
	record_identity(record, ledger_process(ledger, &key), party->machine[0]);
	if (event->header.who.tgid)
		record_add(record, "OBJECT_PID=%" PRIu32, event->header.who.tgid);
}

static void add_peer(struct record *record, const struct event_request *request)
{
	const struct event_party *peer = &request->peer;

	if (!request->has_peer)
		return;
	if (peer->who.tgid)
		record_add(record, JOURNAL_FIELD_PEER_PID "=%" PRIu32, peer->who.tgid);
	record_text(record, JOURNAL_FIELD_PEER_COMM, peer->who.comm, EVENT_COMM_LEN);
	record_text(record, JOURNAL_FIELD_PEER_UNIT, peer->unit, sizeof(peer->unit));
	record_source(record, JOURNAL_FIELD_PEER_SOURCE, peer->source);
	record_type(record, JOURNAL_FIELD_PEER_REQUESTED, peer->type);
	if (!(peer->flags & PARTY_RANGE_KNOWN))
		return;
	record_add(record, JOURNAL_FIELD_PEER_PHYS_START "=0x%" PRIx64, (uint64_t)peer->phys_start);
	record_add(record, JOURNAL_FIELD_PEER_PHYS_END "=0x%" PRIx64, (uint64_t)peer->phys_end);
}

/* The two types that the verdict is about. */
static void add_types(struct record *record, const struct event_request *request)
{
	const char *type = memtype_name(request->party.type), *other = NULL;

	if (request->has_peer)
		other = memtype_name(request->peer.type);
	else if (request->kind == POLICY_PROMOTION)
		other = memtype_name(request->given);
	if (type && other)
		record_add(record, JOURNAL_FIELD_TYPES "=%s/%s", type, other);
}

static void add_request(struct record *record, const struct ledger *ledger, const struct event *event)
{
	const struct event_request *request = &event->request;
	char device[EVENT_NAME_LEN + 1];

	request_device(ledger, request, device);
	record_device(record, device, request->region);
	record_add(record, JOURNAL_FIELD_WHAT "=%s", request_what_name(request->what));
	record_add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, (uint64_t)request->offset);
	record_add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, (uint64_t)request->size);
	record_add(record, JOURNAL_FIELD_KIND "=%s", policy_kind_name(request->kind));
	record_add(record, JOURNAL_FIELD_VERDICT "=%s", request_verdict_name(request));
	record_text(record, JOURNAL_FIELD_RULE, request->rule, sizeof(request->rule));
	if (policy_unknown_name(request->unknown))
		record_add(record, JOURNAL_FIELD_UNKNOWN "=%s", policy_unknown_name(request->unknown));
	record_add(record, JOURNAL_FIELD_DIGEST "=%016" PRIx64, (uint64_t)request->policy);
	add_requester(record, ledger, event);
	add_types(record, request);
	add_peer(record, request);
	if (event->header.sequence)
		record_add(record, JOURNAL_FIELD_SEQ "=%" PRIu64, (uint64_t)event->header.sequence);
}

void journal_request(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
		     const struct event *event)
{
	const struct event_request *request = &event->request;
	char text[MESSAGE_LEN];
	struct record record;

	if (!request_is_good(request))
		return;
	if (!request->denied && request->action != POLICY_LOG && !request->unknown)
		return;
	if (!request->denied && !budget_takes(journal, &journal->requests, now_ns))
		return;
	if (request->denied)
		record_begin(&record, JOURNAL_REQUEST_DENIED, LOG_WARNING);
	else
		record_begin(&record, JOURNAL_REQUEST_LOGGED, LOG_NOTICE);
	record_add(&record, "MESSAGE=%s", request_explain(ledger, event, text, sizeof(text)));
	add_request(&record, ledger, event);
	if (!request->denied)
		record_held_back(&record, &journal->requests);
	record_send(journal, &record);
}

static const char *judged_text(struct policy_verdict verdict)
{
	return verdict.action == POLICY_LOG ? "asks to be told" : "would have denied it";
}

void journal_mapping_judged(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			    const struct mapping *mapping, uint64_t sequence, const struct policy *policy,
			    struct policy_verdict verdict)
{
	const struct journal_verdict told = journal_verdict(policy, verdict, POLICY_AUDIT);
	const struct mapping *peer = verdict.peer ? ledger_mapping(ledger, verdict.peer) : NULL;
	const struct process *owner = mapping->owner;
	char name[SAFE_TEXT_MAX], comm[SAFE_TEXT_MAX], region[24];
	struct record record;

	if (!policy || verdict.action == POLICY_ALLOW || !budget_takes(journal, &journal->requests, now_ns))
		return;
	record_begin(&record, JOURNAL_REQUEST_LOGGED, LOG_NOTICE);
	record_add(&record, "MESSAGE=%s %s: %s[%" PRIu64 "] mapped %" PRIu64 " bytes: %s%s %s",
		   record_safe(mapping->device ? mapping->device->name : NULL, "unknown device", name),
		   record_region(mapping->region, region),
		   record_safe(owner ? owner->comm : NULL, "unknown", comm), owner ? owner->key.tgid : 0,
		   mapping->end - mapping->start, told.rule ? "rule " : "OnUnknown",
		   told.rule ? told.rule : "", judged_text(verdict));
	record_add(&record, JOURNAL_FIELD_WHAT "=%s", request_what_name(REQUEST_MMAP));
	record_add(&record, JOURNAL_FIELD_KIND "=%s", policy_kind_name(verdict.kind));
	record_mapping(&record, ledger, mapping);
	record_verdict(&record, told);
	if (peer && peer->owner)
		record_add(&record, JOURNAL_FIELD_PEER_PID "=%" PRIu64, peer->owner->key.tgid);
	if (sequence)
		record_add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	record_held_back(&record, &journal->requests);
	record_send(journal, &record);
}

void journal_killed(struct journal *journal, const struct finding *finding, const struct party *party,
		    const struct ledger *ledger, struct journal_verdict verdict, int error)
{
	char text[MESSAGE_LEN], comm[SAFE_TEXT_MAX];
	struct record record;

	record_begin(&record, JOURNAL_PROCESS_KILLED, LOG_WARNING);
	finding_explain(finding, ledger_arch(ledger), text, sizeof(text));
	record_safe(party->comm, "unknown", comm);
	if (error)
		record_add(&record, "MESSAGE=%s[%" PRIu64 "] was to be ended by rule %s, but: %s. %s",
			   party->comm[0] ? comm : "unknown", party->process.tgid,
			   verdict.rule ? verdict.rule : "-", strerror(-error), text);
	else
		record_add(&record, "MESSAGE=%s[%" PRIu64 "] was ended by rule %s. %s",
			   party->comm[0] ? comm : "unknown", party->process.tgid,
			   verdict.rule ? verdict.rule : "-", text);
	record_finding(&record, ledger, finding);
	record_verdict(&record, verdict);
	record_send(journal, &record);
}

void journal_policy_loaded(struct journal *journal, const struct policy *policy)
{
	struct record record;

	record_begin(&record, JOURNAL_POLICY_LOADED, LOG_NOTICE);
	record_add(&record, "MESSAGE=Policy in force: mode %s, %zu rules, digest %s",
		   policy_mode_name(policy_mode(policy)), policy_rules(policy), policy_digest(policy));
	record_add(&record, JOURNAL_FIELD_MODE "=%s", policy_mode_name(policy_mode(policy)));
	record_add(&record, JOURNAL_FIELD_DIGEST "=%s", policy_digest(policy));
	record_send(journal, &record);
}

void journal_policy_rejected(struct journal *journal, const char *error, bool running)
{
	struct record record;

	record_begin(&record, JOURNAL_POLICY_REJECTED, LOG_ERR);
	record_add(&record, "MESSAGE=Policy refused: %s%s", error,
		   running ? " (the policy before stays in force)" : "");
	record_send(journal, &record);
}
