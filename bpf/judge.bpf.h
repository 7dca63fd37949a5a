/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_JUDGE_BPF_H
#define VFIOWATCH_JUDGE_BPF_H

/* The verdict on a request, in the order of core/policy.h, and the event that tells of it. */

#include "alias.bpf.h"
#include "promotion.bpf.h"

/* -- the whole
 * ------------------------------------------------------------------------------------------------- */

/* What is known of device and process, and whether it may be asked for at all. Returns 1 if that is denied.
 */
static __noinline int judge_request(struct judgement *j)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct request *q = j->q;
	struct selected by = {.node = j->node, .text = q->text};
	struct policy_sets sets;
	__u16 reason = POLICY_UNKNOWN_PARTY;

	__builtin_memset(&q->verdict, 0, sizeof(q->verdict));
	q->verdict.rule = -1;
	q->verdict.kind = POLICY_REQUEST;
	device_sets(&q->device, j->bank, q->generation, q->place.pdev, q->place.pci_address);
	by.generation = q->generation;
	by.uid = task->group_leader->cred->uid.val;
	by.source = q->place.source;
	party_sets(&q->mine, j->bank, &by);

	sets = policy_and(about(q, j->bank, POLICY_REQUEST), q->mine);
	sets = policy_and(sets, policy_of_type(j->bank, q->place.type));
	if (q->asked.unknown)
		reason = q->asked.unknown;
	else if (q->place.unknown)
		reason = q->place.unknown;
	else if (q->place.type == MEMTYPE_UNKNOWN)
		reason = POLICY_UNKNOWN_TYPE;
	else if (q->place.region == EVENT_REGION_UNKNOWN)
		reason = POLICY_UNKNOWN_RANGE;
	return take(q, j->bank, &sets, POLICY_REQUEST, reason);
}

/* What is judged. Constants, so that the verifier follows only what a program needs of it. */
enum judging {
	JUDGE_MAPPING,
	JUDGE_COOKIE,
	JUDGE_LATE, /* a mapping that is there already; what it shares bytes with is not looked for */
};

static __always_inline void judge(struct judgement *j, enum judging what)
{
	struct policy_sets sets;

	if (judge_request(j) || what == JUDGE_COOKIE)
		return;
	if (what == JUDGE_MAPPING) {
		if (!judge_promotion(j))
			judge_alias(j);
		return;
	}
	sets = of_any_mapping(j);
	take(j->q, j->bank, &sets, POLICY_ALIAS, POLICY_UNKNOWN_SKIPPED);
}

#define POLICY_CHANGES_MAX 4

static __always_inline bool judged(struct enforcer *e, struct judgement *j, enum judging what)
{
	struct request *q = j->q;

	q->generation = *(volatile __u64 *)&e->generation;
	if (!q->generation)
		return true;
	j->bank = &e->banks[q->generation & 1];
	judge(j, what);
	/* Once another policy is in force the bank may be written. */
	if (*(volatile __u64 *)&e->generation == q->generation)
		return true;
	give_back(q);
	return false;
}

/* -- the event
 * ------------------------------------------------------------------------------------------------- */

static __always_inline void describe_party(struct event_party *party, const struct event_process_id *who,
					   const struct request *q, __u32 first, __u32 end)
{
	__u64 key = who->cgroup_id;
	struct enforcer_unit *unit = bpf_map_lookup_elem(&units, &key);

	party->who = *who;
	if (q->place.bar && end) {
		party->phys_start = (q->place.bar + first) << page_shift;
		party->phys_end = (q->place.bar + end) << page_shift;
		party->flags |= PARTY_RANGE_KNOWN;
	}
	if (!unit)
		return;
	if (unit->unit_known) {
		__builtin_memcpy(party->unit, unit->unit, sizeof(party->unit));
		party->flags |= PARTY_UNIT_KNOWN;
	}
	if (unit->machine_known) {
		__builtin_memcpy(party->machine, unit->machine, sizeof(party->machine));
		party->flags |= PARTY_MACHINE_KNOWN;
	}
}

static __always_inline void describe_request(struct event_request *body, const struct request *q,
					     const struct policy_bank *bank)
{
	const struct verdict *v = &q->verdict;
	__u32 rule = v->rule;

	body->pci_address = q->place.pci_address;
	body->file_id = q->place.file_id;
	body->offset = q->asked.offset;
	body->size = q->asked.size;
	body->policy = bank->digest;
	body->region = q->place.region;
	body->flags = q->place.pdev ? EVENT_MAPPING_DEVICE_KNOWN : 0;
	body->what = q->what;
	body->kind = v->kind;
	body->denied = v->denied;
	body->unknown = v->unknown;
	body->given = v->kind == POLICY_PROMOTION ? v->given : 0;
	body->has_peer = v->has_peer;
	if (rule >= POLICY_RULES_MAX)
		return;
	__builtin_memcpy(body->rule, bank->rules[rule].name, sizeof(body->rule));
	body->action = bank->kill >> rule & 1   ? POLICY_KILL
		       : bank->deny >> rule & 1 ? POLICY_DENY
		       : bank->log >> rule & 1  ? POLICY_LOG
						: POLICY_ALLOW;
}

/* One for every request that was decided; the decision does not depend on it. */
static __noinline int tell(const struct request *q, const struct policy_bank *bank)
{
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct event_request *body;

	if (!r)
		return 0;
	header = event_reserve(r, EVENT_REQUEST, sizeof(struct event_request));
	if (!header)
		return 0;
	current_identity(&header->who);
	body = (struct event_request *)(header + 1);
	describe_request(body, q, bank);
	describe_party(&body->party, &header->who, q, q->place.first, q->place.end);
	body->party.type = q->place.type;
	body->party.source = q->place.source;
	if (q->verdict.has_peer) {
		describe_party(&body->peer, &q->peer.who, q, q->peer.first, q->peer.end);
		body->peer.type = q->peer.type;
		body->peer.source = q->peer.source;
		if (q->peer.state == EXTENT_PENDING)
			body->peer.flags |= PARTY_PENDING;
	}
	event_submit(r, header);
	return 0;
}

static __always_inline void count(struct enforcer *e, const struct verdict *v)
{
	__u64 unknown = v->unknown;

	__sync_fetch_and_add(&e->decided, 1);
	if (v->denied)
		__sync_fetch_and_add(&e->denied, 1);
	if (unknown == POLICY_KNOWN)
		return;
	/* So that the bound is tested on the index itself. */
	asm volatile("" : "+r"(unknown));
	if (unknown < POLICY_UNKNOWN_REASONS)
		__sync_fetch_and_add(&e->unknown[unknown], 1);
}

/* -- deciding
 * -------------------------------------------------------------------------------------------------- */

#define JUDGE(name, what)                                                                                    \
	static __attribute__((unused)) long name(__u32 i, struct judgement *j)                               \
	{                                                                                                    \
		struct enforcer *e = enforcer_get();                                                         \
                                                                                                             \
		return !e || judged(e, j, what);                                                             \
	}

JUDGE(judge_mapping, JUDGE_MAPPING)
JUDGE(judge_cookie, JUDGE_COOKIE)
JUDGE(judge_late, JUDGE_LATE)

/* Judges, counts and tells. Returns nonzero if it is denied. */
static __always_inline int decide(struct enforcer *e, struct request *q, enum judging what)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct judgement j = {.q = q};

	j.node = (__u64)task->group_leader->cgroups->dfl_cgrp->kn;
	j.bank = &e->banks[0];
	q->what = what == JUDGE_COOKIE ? REQUEST_COOKIE : REQUEST_MMAP;
	if (what == JUDGE_MAPPING)
		bpf_loop(POLICY_CHANGES_MAX, judge_mapping, &j, 0);
	else if (what == JUDGE_COOKIE)
		bpf_loop(POLICY_CHANGES_MAX, judge_cookie, &j, 0);
	else
		bpf_loop(POLICY_CHANGES_MAX, judge_late, &j, 0);
	if (!q->generation)
		return 0;
	if (what == JUDGE_LATE && q->verdict.denied)
		q->verdict.denied = REQUEST_KILLED;
	count(e, &q->verdict);
	tell(q, &e->banks[q->generation & 1]);
	return q->verdict.denied;
}

#endif
