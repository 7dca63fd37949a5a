/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_JUDGE_BPF_H
#define VFIOWATCH_JUDGE_BPF_H

/* The verdict on a request, in the order of core/policy.h, and the event that tells of it. */

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
	__uint(pinning, LIBBPF_PIN_BY_NAME);
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

/* -- aliases
 * --------------------------------------------------------------------------------------------------- */

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

/* -- promotions
 * ------------------------------------------------------------------------------------------------ */

/* Set by the loader; 0: this kernel has no such symbol. */
const volatile __u64 strict_iomem_checks_address = 0;

/* Whether what a driver has claimed may be mapped through sysfs all the same (iomem=relaxed); negative:
 * unknown. */
static __always_inline int iomem_is_shared(void)
{
	__u32 strict = 0;

	if (!strict_iomem_checks_address ||
	    bpf_probe_read_kernel(&strict, sizeof(strict), (void *)strict_iomem_checks_address))
		return -1;
	return !strict;
}

/* A global function, which the verifier follows once and not at each call. */
int bar_find_sysfs(struct request *q, __u32 types)
{
	struct bar *bar;
	__u64 key;
	int found;

	if (!q)
		return 0;
	key = q->place.bar;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar)
		return 0;
	bpf_spin_lock(&bar->lock);
	found = extent_find_sysfs(&bar->table, &q->ask, types);
	bpf_spin_unlock(&bar->lock);
	return found;
}

struct foresight {
	struct request *q;
	__u32 types;
};

static long foresee(__u32 i, struct foresight *f)
{
	struct request *q = f->q;
	struct bar *bar;

	if (!bar_find_sysfs(q, f->types))
		return 1;
	if (extent_truth(&q->ask.other, &q->truth) != TRUTH_GONE) {
		q->turned = q->ask.other.type;
		return 1;
	}
	bar = bpf_map_lookup_elem(&bars, &q->place.bar);
	if (!bar)
		return 1;
	bpf_spin_lock(&bar->lock);
	extent_drop(&bar->table, q->ask.at, &q->ask.other);
	bpf_spin_unlock(&bar->lock);
	return 0;
}

/* WC, WT, WP and WB, of which mappings through sysfs have the first. */
#define CACHEABLE_OR_COMBINING (1U << MEMTYPE_WC | 1U << MEMTYPE_WT | 1U << MEMTYPE_WP | 1U << MEMTYPE_WB)

/*
 * With which type the kernel will reserve the whole BAR in this call, 0: none that is known. Linux 6 does
 * that at the first mmap, in vfio_pci_core_mmap(), and takes the type of what is mapped through sysfs, if
 * that is left there.
 */
static __noinline int foreseen_turn(struct request *q)
{
	struct pci_dev *pdev = (struct pci_dev *)q->place.pdev;
	struct foresight f = {.q = q, .types = CACHEABLE_OR_COMBINING};
	struct vfio_pci_core_device *vdev = NULL;
	void *barmap = NULL;
	__u32 region = q->place.region;

	q->turned = 0;
	if (q->place.source != SOURCE_VFIO || region >= EVENT_BARS || iomem_is_shared() <= 0 ||
	    !bpf_core_field_exists(vdev->barmap))
		return 0;
	vdev = BPF_CORE_READ(pdev, dev.driver_data);
	if (bpf_probe_read_kernel(&barmap, sizeof(barmap),
				  (void *)vdev + bpf_core_field_offset(vdev->barmap) +
					  region * sizeof(barmap)) ||
	    barmap)
		return 0;
	bpf_loop(EXTENTS_MAX, foresee, &f, 0);
	return q->turned;
}

/* The kernel has reserved the whole BAR with a stronger type, or will: that is what this mapping would get.
 */
static __noinline int judge_promotion(struct judgement *j)
{
	struct request *q = j->q;
	struct turn *turn = bpf_map_lookup_elem(&turns, &q->place.bar);
	struct policy_sets sets;
	__u32 turned = 0, type = q->place.type;
	__u64 of_types = ~0ULL;
	int denied;

	if (!q->place.bar || type >= MEMTYPE_TYPES)
		return 0;
	if (turn && turn->pages >= q->place.bar_pages)
		turned = turn->type;
	if (!turned)
		turned = foreseen_turn(q);
	if (!turned || turned >= MEMTYPE_TYPES)
		return 0;
	sets = policy_and(about(q, j->bank, POLICY_PROMOTION), q->mine);
	if (type == MEMTYPE_UNKNOWN)
		sets = unknown_of(sets);
	else if (memtype_strength(turned) <= memtype_strength(type))
		return 0;
	else
		of_types = j->bank->pairs[policy_index(type, MEMTYPE_TYPES)]
					 [policy_index(turned, MEMTYPE_TYPES)];
	sets.yes &= of_types;
	sets.maybe &= of_types;
	denied = take(q, j->bank, &sets, POLICY_PROMOTION,
		      type == MEMTYPE_UNKNOWN ? POLICY_UNKNOWN_TYPE : POLICY_UNKNOWN_PARTY);
	if (q->verdict.kind == POLICY_PROMOTION)
		q->verdict.given = turned;
	return denied;
}

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
	sets = unknown_of(about(j->q, j->bank, POLICY_ALIAS));
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
	/* Meanwhile the bank may have become that of another policy. */
	if (*(volatile __u64 *)&e->generation - q->generation < 2)
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
