/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_ALIAS_BPF_H
#define VFIOWATCH_ALIAS_BPF_H

/* A request against what is mapped: the check and the reservation. */

#include "verdict.bpf.h"

/* Rules for an alias of a request for type @t with a mapping of type @x. An unknown type may be any. */
static __noinline int pair_sets(struct policy_sets *sets, const struct policy_bank *bank, __u32 t, __u32 x)
{
	sets->yes = sets->maybe = 0;
	if (t >= MEMTYPE_TYPES || x >= MEMTYPE_TYPES)
		return 0;
	if (t != MEMTYPE_UNKNOWN && x != MEMTYPE_UNKNOWN) {
		if (memtype_conflict(t, x))
			sets->yes = bank->pairs[t][x];
		return 0;
	}
	for (__u32 i = MEMTYPE_UC; i < MEMTYPE_TYPES; i++) {
		if (t != MEMTYPE_UNKNOWN && memtype_conflict(t, i))
			sets->maybe |= bank->pairs[t][i];
		else if (x != MEMTYPE_UNKNOWN && memtype_conflict(i, x))
			sets->maybe |= bank->pairs[i][x];
		else if (t == x)
			sets->maybe |= bank->kinds[POLICY_ALIAS];
	}
	return 0;
}

static __noinline int fill_pairs(struct judgement *j)
{
	struct request *q = j->q;
	struct policy_sets base = about(q, j->bank, POLICY_ALIAS), pair;

	for (__u32 x = 0; x < MEMTYPE_TYPES; x++) {
		pair_sets(&pair, j->bank, q->place.type, x);
		q->ask.pairs[x] = policy_and(base, pair);
	}
	q->ask.deny = j->bank->deny;
	q->ask.log = j->bank->log;
	q->ask.noted = 0;
	return 0;
}

/* Rules about an alias with some mapping, of which nothing is known. */
static __always_inline struct policy_sets of_any_mapping(struct judgement *j)
{
	struct policy_sets sets = {};

	fill_pairs(j);
	for (__u32 x = 0; x < MEMTYPE_TYPES; x++)
		sets.maybe |= j->q->ask.pairs[x].yes | j->q->ask.pairs[x].maybe;
	return sets;
}

static __always_inline void fill_fresh(struct request *q)
{
	struct extent *fresh = &q->ask.fresh;

	fresh->task = (__u64)bpf_get_current_task_btf();
	fresh->regs = q->asked.regs;
	fresh->check = q->asked.check;
	fresh->party = q->mine;
	fresh->generation = q->generation;
	current_identity(&fresh->who);
	fresh->first = q->place.first;
	fresh->end = q->place.end;
	fresh->type = q->place.type;
	fresh->source = q->place.source;
	fresh->flags = q->asked.flags | (q->place.learns ? EXTENT_LEARNS : 0);
}

/* Makes q->refreshed what the party of q->ask.other is now, by this policy. Nonzero if that is something new.
 */
static __always_inline int refresh_party(struct request *q, const struct policy_bank *bank)
{
	const struct extent *other = &q->ask.other;
	struct extent *now = &q->refreshed;
	struct task_struct *owner = extent_owner(other);
	struct selected by = {.generation = q->generation, .text = q->text};

	*now = *other;
	if (owner && (other->state == EXTENT_PENDING || owner_settled(owner, BPF_CORE_READ(owner, mm)))) {
		process_identity(owner, &now->who);
		by.node = (__u64)BPF_CORE_READ(owner, group_leader, cgroups, dfl_cgrp, kn);
	}
	by.uid = now->who.uid;
	by.source = now->source;
	party_sets(&now->party, bank, &by);
	now->generation = q->generation;
	return now->generation != other->generation || now->party.yes != other->party.yes ||
	       now->party.maybe != other->party.maybe || now->who.start_ns != other->who.start_ns ||
	       now->who.tgid != other->who.tgid;
}

/* What stands in the way is as it is said to be. Returns 1 if that is a denial. */
static __noinline int met(struct judgement *j)
{
	struct request *q = j->q;
	const struct extent *other = &q->ask.other;
	struct policy_sets sets =
		policy_and(q->ask.pairs[other->type & (MEMTYPE_TYPES - 1)], policy_or(q->mine, other->party));
	__u16 logged = q->verdict.logged, unknown = q->verdict.unknown;
	int unsure = policy_unsure(j->bank, sets), denied;

	denied = take(q, j->bank, &sets, POLICY_ALIAS,
		      q->place.type == MEMTYPE_UNKNOWN || other->type == MEMTYPE_UNKNOWN
			      ? POLICY_UNKNOWN_TYPE
			      : POLICY_UNKNOWN_PARTY);
	if (denied || logged != q->verdict.logged || unknown != q->verdict.unknown) {
		q->peer = *other;
		q->verdict.has_peer = 1;
	}
	q->ask.noted |= unsure ? EXTENT_NOTED_UNSURE : EXTENT_NOTED_LOG;
	return denied;
}

/* A global function, which the verifier follows once and not at each call. */
int bar_reserve(struct request *q)
{
	enum extent_outcome outcome;
	struct bar *bar;
	__u64 key;

	if (!q)
		return EXTENT_FULL;
	key = q->place.bar;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar)
		return EXTENT_FULL;
	bpf_spin_lock(&bar->lock);
	outcome = extent_reserve(&bar->table, &q->ask);
	bpf_spin_unlock(&bar->lock);
	return outcome;
}

/*
 * One attempt to reserve. What it meets is looked at without the lock: if it has changed the table is put
 * right and it is tried again.
 */
static long try_to_reserve(__u32 i, struct judgement *j)
{
	struct request *q = j->q;
	enum extent_outcome outcome;
	enum extent_truth truth;
	struct bar *bar = bar_get(q->place.bar);
	int denied;

	if (!bar) {
		q->settled = 1;
		return 1;
	}
	outcome = bar_reserve(q);
	if (outcome == EXTENT_RESERVED || outcome == EXTENT_FULL) {
		q->reserved = outcome == EXTENT_RESERVED;
		q->settled = 1;
		return 1;
	}
	truth = extent_truth(&q->ask.other, &q->truth);
	if (truth == TRUTH_GONE) {
		bpf_spin_lock(&bar->lock);
		extent_drop(&bar->table, q->ask.at, &q->ask.other);
		bpf_spin_unlock(&bar->lock);
		return 0;
	}
	if (truth == TRUTH_SMALLER) {
		bpf_spin_lock(&bar->lock);
		extent_shrink(&bar->table, q->ask.at, &q->ask.other, q->truth.first, q->truth.end,
			      q->truth.delta);
		bpf_spin_unlock(&bar->lock);
		return 0;
	}
	if (refresh_party(q, j->bank)) {
		bpf_spin_lock(&bar->lock);
		extent_refresh(&bar->table, q->ask.at, &q->ask.other, &q->refreshed);
		bpf_spin_unlock(&bar->lock);
		return 0;
	}
	denied = met(j);
	q->settled = denied != 0;
	return denied != 0;
}

/* Each attempt but a few puts one slot right. */
#define ATTEMPTS_MAX (2 * EXTENTS_MAX)

static __always_inline void give_back(struct request *q)
{
	struct bar *bar = bpf_map_lookup_elem(&bars, &q->place.bar);

	if (!bar || !q->reserved)
		return;
	bpf_spin_lock(&bar->lock);
	extent_cancel(&bar->table, q->ask.at, q->ask.fresh.task);
	bpf_spin_unlock(&bar->lock);
	q->reserved = 0;
}

/* Compares with what is mapped, and reserves. */
static __always_inline void judge_alias(struct judgement *j)
{
	struct request *q = j->q;
	struct policy_sets sets = unknown_of(about(q, j->bank, POLICY_ALIAS));
	__u16 reason = POLICY_KNOWN;
	struct bar *bar;

	if (q->asked.unknown || q->place.unknown) {
		take(q, j->bank, &sets, POLICY_ALIAS, q->asked.unknown ? q->asked.unknown : q->place.unknown);
		return;
	}
	fill_pairs(j);
	fill_fresh(q);
	q->settled = 0;
	bpf_loop(ATTEMPTS_MAX, try_to_reserve, j, 0);
	if (q->verdict.denied)
		return;
	bar = bpf_map_lookup_elem(&bars, &q->place.bar);
	if (!q->settled)
		reason = POLICY_UNKNOWN_BUSY;
	else if (!bar || !q->reserved || bar->table.untracked)
		reason = POLICY_UNKNOWN_FULL;
	if (reason && take(q, j->bank, &sets, POLICY_ALIAS, reason))
		give_back(q);
}

#endif
