/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_EXTENT_H
#define VFIOWATCH_EXTENT_H

/*
 * Who holds which pages of one BAR with which memory type: what the enforcer compares a request with. Shared
 * by BPF, which runs these functions under the spin lock of the BAR, and their native tests.
 *
 * Each function is one pass over the slots without calls. What a loop carries is kept in the table, as the
 * verifier of Linux 6.1 follows every value that a register can have, but none that memory has.
 */

#include <linux/types.h>

#include "vfiowatch/event.h"
#include "vfiowatch/memtype.h"
#include "vfiowatch/policy.h"

/* Extents of one BAR. When all are used a request is granted or denied by OnUnknown; a mapping without a slot
 * is counted in untracked. */
#define EXTENTS_MAX 256
#define EXTENT_NONE 0xffffffffU

enum extent_state {
	EXTENT_FREE = 0,
	EXTENT_PENDING, /* granted; the mmap has not returned, or failed where nobody saw it */
	EXTENT_MAPPED,
};

enum extent_flags {
	EXTENT_DOUBTFUL = 1 << 0, /* the range was read from memory that the requester can write to */
	EXTENT_LEARNS = 1 << 1,   /* which memory type its driver chooses is not known beforehand */
};

/* Not always the same one. */
#define EXTENT_TYPE_MIXED 0xffU

struct extent {
	/* The system call that asked for it, or made the copy. */
	__u64 task;  /* address of the task_struct */
	__u64 regs;  /* address of its pt_regs */
	__u64 check; /* mix of what is in them */

	/* EXTENT_MAPPED */
	__u64 vma;        /* address of the vm_area_struct */
	__u64 file;       /* its vm_file */
	__s64 delta;      /* pages: (vm_start >> page_shift) - vm_pgoff, unless it was moved since */
	__s64 page_delta; /* page of the BAR = vm_pgoff + page_delta, as long as it lives */

	struct policy_sets party; /* rules whose process selectors and source it matches .. */
	__u64 generation;         /* .. by this policy; 0: not looked at yet */
	struct event_process_id who;
	__u32 first, end; /* pages of the BAR; end is the first one after */
	__u16 type;       /* enum memtype asked for */
	__u8 source;      /* enum mapping_source */
	__u8 state;       /* enum extent_state */
	__u32 flags;      /* enum extent_flags */
};

struct extent_table {
	__u32 n;       /* slots in use are below it */
	__u32 learned; /* enum memtype that EXTENT_LEARNS got, 0: none yet, EXTENT_TYPE_MIXED: not always the
			  same */
	__u32 untracked; /* mappings that found no slot, until an audit found a slot for all */
	__u32 missed;    /* the same of the audit that is going on */
	__u32 before;    /* untracked when that began */
	__u32 reserved;

	/* Of the pass that is going on. */
	volatile __u32 found, free, last, outcome;

	struct extent slots[EXTENTS_MAX];
};

/* The slot @at, below EXTENTS_MAX. The mask is for the verifier, and hidden from the compiler, which would
 * find it needless. */
static inline struct extent *extent_slot(struct extent_table *t, __u64 at)
{
	__asm__ volatile("" : "+r"(at));
	return &t->slots[at & (EXTENTS_MAX - 1)];
}

/* -- checking and reserving
 * ------------------------------------------------------------------------------------ */

enum extent_outcome {
	EXTENT_RESERVED = 0, /* nothing stands against it; it is pending */
	EXTENT_MET, /* other overlaps, and a rule says something about both, or may: look at it, and come back
		     */
	EXTENT_STALE, /* the same, but other's party belongs to another policy */
	EXTENT_FULL,  /* nothing stands against it, but there is no slot */
};

/* What has been met already in this request and is not to stop it again. */
enum extent_noted {
	EXTENT_NOTED_LOG = 1 << 0,
	EXTENT_NOTED_UNSURE = 1 << 1,
};

struct extent_ask {
	struct extent fresh; /* becomes the pending extent */

	/* Rules about this request and a mapping with this type; empty where the types do not conflict. */
	struct policy_sets pairs[MEMTYPE_TYPES];
	__u64 deny, log;     /* of the bank */
	__u32 noted;         /* enum extent_noted */
	__u32 at;            /* out: slot of other, or of what was reserved */
	struct extent other; /* out: EXTENT_MET, EXTENT_STALE */
};

/* All bits if @x is not 0. */
static inline __u64 extent_all_if(__u64 x)
{
	return (__u64)((__s64)(x | -x) >> 63);
}

/*
 * Whether the mapping of @other, alive, makes a difference for what @sets say: a denial, a doubt (see
 * policy_unsure()), or a record. Without branches, each of which the verifier would follow in every slot.
 */
static inline __u64 extent_matters(const struct extent_ask *ask, struct policy_sets sets)
{
	__u64 first = sets.yes & -sets.yes;
	__u64 denial = first & ask->deny, log = first & ask->log;
	__u64 doubt = extent_all_if(sets.maybe & (first - 1) & (ask->deny ^ extent_all_if(denial)));
	__u64 noted_log = extent_all_if(ask->noted & EXTENT_NOTED_LOG);
	__u64 noted_doubt = extent_all_if(ask->noted & EXTENT_NOTED_UNSURE);

	return (doubt & ~noted_doubt) | (~doubt & (denial | (log & ~noted_log)));
}

/*
 * Reserves ask->fresh unless a mapping stands in its way. What the same task left behind in an earlier call
 * is given back.
 */
static inline enum extent_outcome extent_reserve(struct extent_table *t, struct extent_ask *ask)
{
	struct extent *slot;
	__u32 at;

	t->found = t->free = EXTENT_NONE;
	t->last = 0;
	t->outcome = EXTENT_RESERVED;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		struct policy_sets sets;

		slot = &t->slots[i];
		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state == EXTENT_PENDING && slot->task == ask->fresh.task)
			slot->state = EXTENT_FREE;
		if (slot->state == EXTENT_FREE) {
			if (t->free == EXTENT_NONE)
				t->free = i;
			continue;
		}
		t->last = i + 1;
		if (slot->first >= ask->fresh.end || slot->end <= ask->fresh.first)
			continue;
		sets = ask->pairs[slot->type & (MEMTYPE_TYPES - 1)];
		if (!(sets.yes | sets.maybe))
			continue;
		if (slot->generation != ask->fresh.generation) {
			t->found = i;
			t->outcome = EXTENT_STALE;
			break;
		}
		sets = policy_and(sets, policy_or(ask->fresh.party, slot->party));
		if (extent_matters(ask, sets)) {
			t->found = i;
			t->outcome = EXTENT_MET;
			break;
		}
	}
	at = t->found;
	if (at < EXTENTS_MAX) {
		ask->at = at;
		ask->other = *extent_slot(t, at);
		return t->outcome;
	}
	t->n = t->last;
	at = t->free;
	if (at >= EXTENTS_MAX)
		at = t->n;
	if (at >= EXTENTS_MAX)
		return EXTENT_FULL;
	slot = extent_slot(t, at);
	*slot = ask->fresh;
	slot->state = EXTENT_PENDING;
	ask->at = at;
	if (t->n <= at)
		t->n = at + 1;
	return EXTENT_RESERVED;
}

/* Whether a mapping through sysfs has one of @types, as bits of enum memtype: the first is ask->other, at
 * ask->at. */
static inline int extent_find_sysfs(struct extent_table *t, struct extent_ask *ask, __u32 types)
{
	__u32 at;

	t->found = EXTENT_NONE;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		const struct extent *slot = &t->slots[i];

		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state == EXTENT_FREE || slot->source != SOURCE_SYSFS ||
		    !(types >> (slot->type & (MEMTYPE_TYPES - 1)) & 1))
			continue;
		t->found = i;
		break;
	}
	at = t->found;
	if (at >= EXTENTS_MAX)
		return 0;
	ask->at = at;
	ask->other = *extent_slot(t, at);
	return 1;
}

/* -- life
 * ------------------------------------------------------------------------------------------------------ */

enum extent_bound {
	EXTENT_BOUND = 0, /* what was pending is mapped */
	EXTENT_ADDED,     /* nothing was pending: it has a slot of its own */
	EXTENT_NO_ROOM,   /* counted as untracked */
};

/*
 * The mapping @fresh (all but the party is known of it) exists now: what its task had pending becomes that,
 * with the party of then, and with the range of then if @keep_range. Without anything pending it takes a
 * slot. What was known under the address of its VMA is gone. @t->outcome: 1 if what was pending is of this
 * very call.
 */
static inline enum extent_bound extent_bind(struct extent_table *t, const struct extent *fresh,
					    int keep_range)
{
	struct extent *slot;
	__u32 at;

	t->found = t->free = EXTENT_NONE;
	t->last = t->outcome = 0;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		slot = &t->slots[i];
		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state == EXTENT_MAPPED && slot->vma == fresh->vma)
			slot->state = EXTENT_FREE;
		if (slot->state == EXTENT_FREE) {
			if (t->free == EXTENT_NONE)
				t->free = i;
			continue;
		}
		t->last = i + 1;
		if (slot->state == EXTENT_PENDING && slot->task == fresh->task)
			t->found = i;
	}
	t->n = t->last;
	at = t->found;
	if (at < EXTENTS_MAX) {
		slot = extent_slot(t, at);
		t->outcome = slot->check == fresh->check;
		slot->vma = fresh->vma;
		slot->file = fresh->file;
		slot->delta = fresh->delta;
		slot->page_delta = fresh->page_delta;
		slot->type = fresh->type;
		if (!keep_range) {
			slot->first = fresh->first;
			slot->end = fresh->end;
		}
		slot->state = EXTENT_MAPPED;
		return EXTENT_BOUND;
	}
	at = t->free;
	if (at >= EXTENTS_MAX)
		at = t->n;
	if (at >= EXTENTS_MAX) {
		t->untracked++;
		return EXTENT_NO_ROOM;
	}
	slot = extent_slot(t, at);
	*slot = *fresh;
	slot->state = EXTENT_MAPPED;
	if (t->n <= at)
		t->n = at + 1;
	return EXTENT_ADDED;
}

/* What a mapping is known by. */
struct extent_mapping {
	__u64 vma, file;
	__s64 delta, page_delta;
	__u32 type;
};

/* As extent_bind(), where the slot is known that @task has pending, and nothing is known under the address of
 * the VMA. Returns 1 if it was there. Inline, as Linux 6.1 calls no function with a lock held. */
static inline __attribute__((always_inline)) int extent_bind_at(struct extent_table *t, __u32 at, __u64 task,
								const struct extent_mapping *mapping)
{
	struct extent *slot = extent_slot(t, at);

	if (slot->state != EXTENT_PENDING || slot->task != task)
		return 0;
	slot->vma = mapping->vma;
	slot->file = mapping->file;
	slot->delta = mapping->delta;
	slot->page_delta = mapping->page_delta;
	slot->type = mapping->type;
	slot->state = EXTENT_MAPPED;
	return 1;
}

/* The mmap of @task, which has the slot @at pending, failed or was denied after all. Returns 1 if it was
 * there. */
static inline int extent_cancel(struct extent_table *t, __u32 at, __u64 task)
{
	struct extent *slot = extent_slot(t, at);

	if (slot->state != EXTENT_PENDING || slot->task != task)
		return 0;
	slot->state = EXTENT_FREE;
	return 1;
}

/* @vma is gone. Returns 1 if it held something. */
static inline int extent_release(struct extent_table *t, __u64 vma)
{
	t->found = EXTENT_NONE;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		struct extent *slot = &t->slots[i];

		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state != EXTENT_MAPPED || slot->vma != vma)
			continue;
		slot->state = EXTENT_FREE;
		t->found = i;
	}
	return t->found != EXTENT_NONE;
}

/* Whether @vma holds something. */
static inline int extent_is_held(struct extent_table *t, __u64 vma)
{
	t->found = EXTENT_NONE;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		const struct extent *slot = &t->slots[i];

		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state == EXTENT_MAPPED && slot->vma == vma)
			t->found = i;
	}
	return t->found != EXTENT_NONE;
}

enum extent_copied {
	EXTENT_COPIED = 0,
	EXTENT_NO_ORIGINAL,
	EXTENT_COPY_NO_ROOM, /* counted as untracked */
};

/* The call that makes a copy, and whose it is. */
struct extent_copier {
	__u64 task, regs, check;
};

/*
 * The kernel copied @vma to @copy (fork, split, mremap): it holds the same bytes until it is known better. To
 * which process it belongs will be found out when it matters.
 */
static inline enum extent_copied extent_copy(struct extent_table *t, __u64 vma, __u64 copy,
					     const struct extent_copier *by)
{
	struct extent *slot;
	__u32 at, from;

	t->found = t->free = EXTENT_NONE;
	t->last = 0;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		slot = &t->slots[i];
		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state == EXTENT_MAPPED && slot->vma == copy)
			slot->state = EXTENT_FREE;
		if (slot->state == EXTENT_FREE) {
			if (t->free == EXTENT_NONE)
				t->free = i;
			continue;
		}
		t->last = i + 1;
		if (slot->state == EXTENT_MAPPED && slot->vma == vma)
			t->found = i;
	}
	t->n = t->last;
	from = t->found;
	if (from >= EXTENTS_MAX)
		return EXTENT_NO_ORIGINAL;
	at = t->free;
	if (at >= EXTENTS_MAX)
		at = t->n;
	if (at >= EXTENTS_MAX) {
		t->untracked++;
		return EXTENT_COPY_NO_ROOM;
	}
	slot = extent_slot(t, at);
	*slot = *extent_slot(t, from);
	slot->vma = copy;
	slot->task = by->task;
	slot->regs = by->regs;
	slot->check = by->check;
	slot->generation = 0;
	if (t->n <= at)
		t->n = at + 1;
	return EXTENT_COPIED;
}

/* The kernel took away all pages between @first and @end that do not come from VFIO, and they do not come
 * back. */
static inline int extent_revoke(struct extent_table *t, __u32 first, __u32 end)
{
	t->found = EXTENT_NONE;
	for (__u32 i = 0; i < EXTENTS_MAX; i++) {
		struct extent *slot = &t->slots[i];

		if (i >= *(volatile __u32 *)&t->n)
			break;
		if (slot->state != EXTENT_MAPPED || slot->source == SOURCE_VFIO ||
		    slot->source == SOURCE_DMABUF || slot->first < first || slot->end > end)
			continue;
		slot->state = EXTENT_FREE;
		t->found = i;
	}
	return t->found != EXTENT_NONE;
}

/* -- what was found out about one extent without the lock
 * ------------------------------------------------------- */

/* The slot @at if it still holds @known, else NULL. */
static inline struct extent *extent_still(struct extent_table *t, __u32 at, const struct extent *known)
{
	struct extent *slot;

	if (at >= EXTENTS_MAX)
		return (struct extent *)0;
	slot = extent_slot(t, at);
	if (slot->state != known->state || slot->task != known->task || slot->regs != known->regs ||
	    slot->check != known->check || slot->vma != known->vma || slot->first != known->first ||
	    slot->end != known->end)
		return (struct extent *)0;
	return slot;
}

/* It is gone. Returns 1 if it was still there. */
static inline int extent_drop(struct extent_table *t, __u32 at, const struct extent *known)
{
	struct extent *slot = extent_still(t, at, known);

	if (!slot)
		return 0;
	slot->state = EXTENT_FREE;
	return 1;
}

/* It has become @first to @end, by munmap or a split, and has moved to @delta. It never grows. */
static inline int extent_shrink(struct extent_table *t, __u32 at, const struct extent *known, __u32 first,
				__u32 end, __s64 delta)
{
	struct extent *slot = extent_still(t, at, known);

	if (!slot || first < slot->first || end > slot->end || first >= end)
		return 0;
	slot->first = first;
	slot->end = end;
	slot->delta = delta;
	return 1;
}

/* It belongs to @now->who, and the rules of its party are now->party by now->generation. */
static inline int extent_refresh(struct extent_table *t, __u32 at, const struct extent *known,
				 const struct extent *now)
{
	struct extent *slot = extent_still(t, at, known);

	if (!slot)
		return 0;
	slot->party = now->party;
	slot->generation = now->generation;
	slot->who = now->who;
	return 1;
}

/* Notes the type that a mapping with EXTENT_LEARNS got. */
static inline __attribute__((always_inline)) void extent_learn(struct extent_table *t, __u32 type)
{
	if (!t->learned)
		t->learned = type;
	else if (t->learned != type)
		t->learned = EXTENT_TYPE_MIXED;
}

#endif
