/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_VERDICT_BPF_H
#define VFIOWATCH_VERDICT_BPF_H

/* A request while it is decided, and what the rules that may match come to. */

#include "party.bpf.h"
#include "request.bpf.h"
#include "validate.bpf.h"

struct verdict {
	__s32 rule; /* index, -1: none */
	__u16 kind; /* enum policy_kind */
	__u16 denied;
	__u16 unknown; /* enum policy_unknown */
	__u16 logged;
	__u16 has_peer;
	__u16 given;
};

/*
 * A request while it is decided. Not on the stack, of which there is little, and not per CPU, as a program
 * may be preempted by another run of itself. Keyed by the address of the task_struct; gone when the request
 * is decided.
 */
struct request {
	__u64 generation;
	struct asked asked;
	struct place place;
	struct policy_sets device;
	struct policy_sets mine;
	struct extent_ask ask;
	struct extent refreshed;
	struct extent peer;
	struct truth truth;
	struct verdict verdict;
	__u32 what;     /* enum event_request_what */
	__u32 reserved; /* 1: there is a pending extent */
	__u32 settled;  /* 1: the extents have been compared */
	__u32 turned;   /* enum memtype that the BAR will have */
	char text[POLICY_TEXT_LEN];
};

/* When full, a request is unknown; as many tasks would have to be preempted in the middle of a decision. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct request);
} requests SEC(".maps");

static const struct request new_request;

struct judgement {
	struct request *q;
	const struct policy_bank *bank;
	__u64 node; /* cgroup of the requester, address of its kernfs_node */
};

/*
 * Takes in what @sets say; @reason is why something in them is not known. Returns 1 if that is a denial,
 * which ends it. What OnUnknown allowed is told before what a rule logs, and that before what a rule allows.
 */
int take(struct request *q, const struct policy_bank *bank, const struct policy_sets *known, __u32 kind,
	 __u32 reason)
{
	struct policy_sets sets;
	struct verdict *v;
	__u64 first;
	int denies;

	if (!q || !bank || !known)
		return 1;
	v = &q->verdict;
	sets = *known;
	first = sets.yes & -sets.yes;
	denies = policy_denies(bank, sets);
	if (policy_unsure(bank, sets)) {
		denies = bank->on_unknown == POLICY_DENY;
		if (!denies && v->unknown)
			return 0;
		v->rule = -1;
		v->unknown = reason;
	} else if (denies) {
		v->rule = policy_first(sets.yes);
		v->unknown = POLICY_KNOWN;
	} else if (first & bank->log) {
		if (v->unknown || v->logged)
			return 0;
		v->rule = policy_first(sets.yes);
		v->logged = 1;
	} else {
		if (first && kind == POLICY_REQUEST)
			v->rule = policy_first(sets.yes);
		return 0;
	}
	v->kind = kind;
	v->denied = denies;
	v->has_peer = 0;
	return denies;
}

/* Nothing is known of the other party: all rules that are about this kind may match. */
static __always_inline struct policy_sets unknown_of(struct policy_sets sets)
{
	sets.maybe |= sets.yes;
	sets.yes = 0;
	return sets;
}

static __always_inline struct policy_sets about(const struct request *q, const struct policy_bank *bank,
						__u32 kind)
{
	return policy_and(policy_about(bank, kind, q->place.region), q->device);
}

#endif
