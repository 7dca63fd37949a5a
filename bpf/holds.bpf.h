/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_HOLDS_BPF_H
#define VFIOWATCH_HOLDS_BPF_H

/* Mappings hold extents: from the end of the driver's mmap handler until the kernel frees the VMA. */

#include "judge.bpf.h"

static __always_inline void hold_untracked(struct bar *bar)
{
	struct enforcer *e = enforcer_get();

	if (e)
		__sync_fetch_and_add(&e->untracked, 1);
	if (bar)
		__sync_fetch_and_add(&bar->table.untracked, 1);
}

/* An audit finds no room for it either: settle() has the last word on the BAR. */
static __always_inline void hold_untracked_still(struct bar *bar)
{
	struct enforcer *e = enforcer_get();

	if (e)
		__sync_fetch_and_add(&e->audit_untracked, 1);
	if (bar)
		__sync_fetch_and_add(&bar->table.missed, 1);
}

/* A global function, which the verifier follows once and not at each call. */
int bar_release(__u64 key, __u64 vma)
{
	struct bar *bar = bpf_map_lookup_elem(&bars, &key);
	int held;

	if (!bar)
		return 0;
	bpf_spin_lock(&bar->lock);
	held = extent_release(&bar->table, vma);
	bpf_spin_unlock(&bar->lock);
	return held;
}

static __always_inline void hold_release(__u64 vma, __u64 bar_key)
{
	bpf_map_delete_elem(&holds, &vma);
	bar_release(bar_key, vma);
}

/* What the copies of a program go by, as bits. A program without copies has none. */
#define COPY_1 1U
#define COPY_2 2U
#define COPY_3 4U
#define COPY_4 8U
#define COPY_5 16U
#define COPY_6 32U
#define COPY_7 64U
#define COPY_8 128U
#define ALONE  0U

/* The next call with equal registers is another one. */
static __always_inline void call_is_over(struct call *call)
{
	call->check = 0;
	call->ran = ~0U;
}

/* The request of the current task came to nothing. */
static __always_inline void hold_cancel(struct call *call)
{
	__u64 task = (__u64)bpf_get_current_task_btf();
	struct bar *bar;
	__u32 at;

	if (!call || !call->pending)
		return;
	call->pending = 0;
	at = call->at;
	bar = bpf_map_lookup_elem(&bars, &call->bar);
	if (!bar)
		return;
	bpf_spin_lock(&bar->lock);
	extent_cancel(&bar->table, at, task);
	bpf_spin_unlock(&bar->lock);
}

/* A mapping that has just come to be. */
struct binding {
	struct extent fresh;
	struct place place;
	struct asked asked;
	__u64 bar; /* key */
	__u32 keep_range, learns;
	__u32 missed;  /* 1: an audit found it: a lack of room is counted for that */
	__u32 decided; /* 1: its slot was reserved in this call */
	__u32 other;   /* 1: it is not what was asked for and compared */
	__u32 reserved;
};

/* As struct request: a place for it that is not on the stack. When full, the mapping is untracked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct binding);
} bindings SEC(".maps");

static const struct binding new_binding;

static __always_inline struct binding *binding_get(__u64 key)
{
	bpf_map_update_elem(&bindings, &key, &new_binding, BPF_ANY);
	return bpf_map_lookup_elem(&bindings, &key);
}

/* A global function, which the verifier follows once and not at each call. */
int bar_bind(struct binding *b)
{
	enum extent_bound bound;
	struct bar *bar;
	__u64 key;

	if (!b)
		return EXTENT_NO_ROOM;
	key = b->bar;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar)
		return EXTENT_NO_ROOM;
	bpf_spin_lock(&bar->lock);
	bound = extent_bind(&bar->table, &b->fresh, b->keep_range);
	b->decided = bar->table.outcome;
	if (b->learns)
		extent_learn(&bar->table, b->fresh.type);
	bpf_spin_unlock(&bar->lock);
	return bound;
}

/* Gives b->fresh its bytes; the hold comes first, as an extent without one counts as gone. False: no room. */
static __always_inline bool bind(struct binding *b, __u32 ran)
{
	struct hold hold = {.bar = b->bar, .check = b->asked.check, .ran = ran};
	struct bar *bar = bar_get(b->bar);
	__u64 key = b->fresh.vma;

	if (!bar || bpf_map_update_elem(&holds, &key, &hold, BPF_ANY)) {
		if (b->missed)
			hold_untracked_still(bar);
		else
			hold_untracked(bar);
		return false;
	}
	if (bar_bind(b) != EXTENT_NO_ROOM)
		return true;
	bpf_map_delete_elem(&holds, &key);
	if (b->missed)
		hold_untracked_still(bar);
	else
		hold_untracked(NULL);
	return false;
}

#define EEXIST 17

/*
 * A mapping whose bytes are not known holds none, but it is there: so it is counted once, and how many there
 * are is known (tidy_holds()). False: no room.
 */
static __noinline int hold_unplaced(__u64 vma, __u64 check, __u32 ran)
{
	struct hold hold = {.check = check, .ran = ran};
	struct enforcer *e = enforcer_get();
	/* Up to Linux 6.3 the upper half of what the helper returns is not set. */
	int r = bpf_map_update_elem(&holds, &vma, &hold, BPF_NOEXIST);

	if (!r && e)
		__sync_fetch_and_add(&e->unplaced, 1);
	return !r || r == -EEXIST;
}

/* -- mmap
 * ------------------------------------------------------------------------------------------------------ */

/*
 * The offset that was asked for, in pages. What recording keeps of it in `vmas` from the beginning of the
 * mmap is right also where the driver changed vm_pgoff; no exporter of a DMABUF does. False: not known.
 */
static __always_inline bool asked_offset(const struct file *file, __u64 vma, __u64 pgoff, __u64 *ret)
{
	struct vma_entry *entry = bpf_map_lookup_elem(&vmas, &vma);

	*ret = pgoff;
	if (dma_buf_fops_address && (__u64)BPF_CORE_READ(file, f_op) == dma_buf_fops_address)
		return true;
	if (!entry)
		return false;
	*ret = entry->mapping_id ? pgoff + entry->offset_delta : entry->request_pgoff;
	return !entry->mapping_id || entry->flags & EVENT_MAPPING_OFFSET_KNOWN;
}

static __always_inline void mapping_facts(struct extent *fresh, struct vm_area_struct *vma)
{
	fresh->task = (__u64)bpf_get_current_task_btf();
	fresh->vma = (__u64)vma;
	fresh->file = (__u64)vma->vm_file;
	fresh->delta = (vma->vm_start >> page_shift) - vma->vm_pgoff;
	fresh->type = memtype_from_prot(MEMTYPE_ARCH_BPF, vma->vm_page_prot.pgprot);
	current_identity(&fresh->who);
}

#define SIGKILL 9

/* Calls that began before there was a policy in force are taken to be over after that. */
#define BEGUN_BEFORE_NS 2000000000ULL

/*
 * Nobody was asked before this mapping came to be, or for something else. There is no more to deny: where the
 * policy is against it, or where that cannot be told and OnUnknown denies, its process ends. Another thread
 * of it may have used what was populated by then. Not so in the first moments of enforcement, as the call may
 * be older than that. A global function, which the verifier follows
 * once and not at each call.
 */
int judge_undecided(const struct binding *b)
{
	struct enforcer *e = enforcer_get();
	__u64 task = (__u64)bpf_get_current_task_btf();
	struct request *q;

	if (!b || !e || !e->generation || b->place.source == SOURCE_OTHER)
		return 0;
	__sync_fetch_and_add(&e->undecided, 1);
	if (bpf_ktime_get_boot_ns() - e->since_ns < BEGUN_BEFORE_NS)
		return 0;
	bpf_map_update_elem(&requests, &task, &new_request, BPF_ANY);
	q = bpf_map_lookup_elem(&requests, &task);
	if (!q)
		return 0;
	q->place = b->place;
	q->place.type = b->fresh.type;
	call_arguments(&q->asked);
	if (decide(e, q, JUDGE_LATE))
		bpf_send_signal(SIGKILL);
	bpf_map_delete_elem(&requests, &task);
	return 0;
}

/* Whether @call has something pending that was asked for with a weaker type than @type, and compared as that:
 * the attributes of a cookie may change between the question and the answer. */
static __noinline int asked_for_weaker(const struct call *call, __u32 type)
{
	__u64 bar_key = call->bar;
	struct bar *bar = bpf_map_lookup_elem(&bars, &bar_key);
	__u32 asked;

	if (!bar || !call->pending || call->flags & EXTENT_LEARNS)
		return 0;
	asked = extent_slot(&bar->table, call->at)->type;
	return memtype_conflict(asked, type) && memtype_strength(type) > memtype_strength(asked);
}

/* What was read from memory that the requester can write to, against what is mapped. */
static __noinline int is_other_than_asked(const struct call *call, const struct binding *b)
{
	__u64 bar_key = call->bar;
	struct bar *bar = bpf_map_lookup_elem(&bars, &bar_key);
	const struct extent *slot;

	if (!bar || bar_key != b->place.bar)
		return 1;
	slot = extent_slot(&bar->table, call->at);
	/* Through sysfs the type is that of the file. */
	return slot->first != b->place.first || slot->end != b->place.end ||
	       (b->place.type != MEMTYPE_UNKNOWN && slot->type != b->place.type);
}

static __always_inline void bind_placed(struct binding *b, struct call *call, __u64 pgoff, __u32 ran)
{
	__u64 key = b->fresh.vma, known = call && call->check == b->asked.check, bound = 1;
	struct hold *hold;

	if (known && call->pending && !(call->flags & EXTENT_DOUBTFUL) && !b->other) {
		b->bar = call->bar;
		b->keep_range = 1;
		b->learns = call->flags & EXTENT_LEARNS;
		b->fresh.page_delta = (__s64)call->first - (__s64)pgoff;
	} else {
		b->bar = b->place.bar;
		b->learns = b->place.learns;
		b->fresh.first = b->place.first;
		b->fresh.end = b->place.end;
		b->fresh.source = b->place.source;
		b->fresh.page_delta = (__s64)b->place.first - (__s64)pgoff;
		if (known && call->pending && !b->other)
			b->other = is_other_than_asked(call, b);
	}
	hold = bpf_map_lookup_elem(&holds, &key);
	if (hold && hold->bar != b->bar)
		hold_release(key, hold->bar);
	if (call && call->pending && call->bar != b->bar)
		hold_cancel(call);
	if (!b->bar && !hold_unplaced(key, b->asked.check, ran))
		hold_untracked(NULL);
	if (b->bar)
		bound = bind(b, ran);
	/* `calls` forgets; what was reserved tells it too. */
	if (b->other || (!known && !b->decided))
		judge_undecided(b);
	if (!bound && known) {
		/* For the copies, which find no hold. */
		call->pending = 0;
		call->flags |= CALL_NO_ROOM;
	} else if (call) {
		call->pending = 0;
		call_is_over(call);
	}
}

/* Whether the range has to be found out from the mapping: nothing is pending, or it is doubtful. */
static __always_inline bool has_to_be_placed(const struct call *call, const struct binding *b)
{
	return !call || !call->pending || call->check != b->asked.check || call->flags & EXTENT_DOUBTFUL ||
	       b->other;
}

/*
 * Copies of a program back each other up, as the kernel skips one that is running already on the CPU. Which
 * of them have seen a call is noted with what the first of them made of it: one that finds itself there is in
 * another call with equal registers. So is one that finds something pending.
 */
static __noinline int bound_already(__u64 vma, __u32 copy)
{
	struct hold *hold = bpf_map_lookup_elem(&holds, &vma);
	__u64 task = (__u64)bpf_get_current_task_btf();
	struct asked asked = {};
	struct call *call;

	if (!hold || hold->ran & copy)
		return 0;
	call = bpf_map_lookup_elem(&calls, &task);
	if (call && call->pending)
		return 0;
	current_call(&asked);
	if (hold->check != asked.check)
		return 0;
	hold->ran |= copy;
	return 1;
}

enum bind_source {
	BIND_FILE, /* b->place from the file and the offset asked for */
	BIND_PCI,  /* it is there already */
};

/* Not inline, as its stack is not needed while a mapping is judged. */
static __noinline int place_pci(struct place *place, struct pci_dev *pdev, __u32 region, __u64 pgoff,
				__u64 pages)
{
	place->pdev = (__u64)pdev;
	place->pci_address = pci_address(pdev);
	place_pages(place, region, pgoff - bar_range(pdev, region).first, pages);
	return 0;
}

static __always_inline int mapped(struct file *file, struct vm_area_struct *vma, int ret, __u32 copy,
				  struct pci_dev *pdev, __u32 region)
{
	__u64 task = (__u64)bpf_get_current_task_btf(), pgoff = vma->vm_pgoff, offset = 0, size;
	struct call *call = bpf_map_lookup_elem(&calls, &task);
	struct binding *b;
	bool ours = true;

	if (ret) {
		hold_cancel(call);
		if (call)
			call_is_over(call);
		return 0;
	}
	if (bound_already((__u64)vma, copy))
		return 0;
	b = binding_get(task);
	if (!b) {
		hold_untracked(NULL);
		return 0;
	}
	current_call(&b->asked);
	if (call && call->flags & CALL_NO_ROOM && call->check == b->asked.check) {
		bpf_map_delete_elem(&bindings, &task);
		return 0;
	}
	mapping_facts(&b->fresh, vma);
	b->fresh.regs = b->asked.regs;
	b->fresh.check = b->asked.check;
	size = vma->vm_end - vma->vm_start;
	if (call && call->pending && call->check == b->asked.check)
		b->other = asked_for_weaker(call, b->fresh.type);
	if (has_to_be_placed(call, b)) {
		b->place.region = EVENT_REGION_UNKNOWN;
		if (pdev) {
			b->place.source = (__u64)vma->vm_file->f_op == kernfs_file_fops_address
						  ? SOURCE_SYSFS
						  : SOURCE_OTHER;
			place_pci(&b->place, pdev, region, pgoff, size >> page_shift);
		} else if (asked_offset(file, (__u64)vma, pgoff, &offset)) {
			ours = place_of(&b->place, file, offset << page_shift, size);
		} else {
			ours = place_of(&b->place, file, 0, size);
			b->place.bar = 0;
			b->place.region = EVENT_REGION_UNKNOWN;
			b->place.unknown = POLICY_UNKNOWN_RANGE;
		}
	}
	if (ours)
		bind_placed(b, call, pgoff, copy);
	bpf_map_delete_elem(&bindings, &task);
	return 0;
}

/*
 * The same for the common case: what is pending, and where. Most copies are of this kind, as the kernel is
 * quick to verify it.
 */
static __always_inline int pending_mapped(struct vm_area_struct *vma, int ret, __u32 copy)
{
	__u64 task = (__u64)bpf_get_current_task_btf(), key = (__u64)vma, bar_key;
	struct call *call = bpf_map_lookup_elem(&calls, &task);
	struct extent_mapping mapping = {};
	struct hold hold = {.ran = copy};
	struct asked asked = {};
	__u32 at, learns;
	struct bar *bar;
	int bound;

	if (ret || !call || !call->pending || call->flags & EXTENT_DOUBTFUL ||
	    bpf_map_lookup_elem(&holds, &key))
		return 0;
	current_call(&asked);
	bar_key = call->bar;
	bar = bpf_map_lookup_elem(&bars, &bar_key);
	if (call->check != asked.check || !bar)
		return 0;
	mapping.vma = key;
	mapping.file = (__u64)vma->vm_file;
	mapping.delta = (vma->vm_start >> page_shift) - vma->vm_pgoff;
	mapping.page_delta = (__s64)call->first - (__s64)vma->vm_pgoff;
	mapping.type = memtype_from_prot(MEMTYPE_ARCH_BPF, vma->vm_page_prot.pgprot);
	if (asked_for_weaker(call, mapping.type))
		return 0;
	at = call->at;
	learns = call->flags & EXTENT_LEARNS;
	hold.bar = bar_key;
	hold.check = asked.check;
	if (bpf_map_update_elem(&holds, &key, &hold, BPF_NOEXIST))
		return 0;
	bpf_spin_lock(&bar->lock);
	bound = extent_bind_at(&bar->table, at, task, &mapping);
	if (bound && learns)
		extent_learn(&bar->table, mapping.type);
	bpf_spin_unlock(&bar->lock);
	if (!bound) {
		bpf_map_delete_elem(&holds, &key);
		return 0;
	}
	call->pending = 0;
	call_is_over(call);
	return 0;
}

/* -- copies and ends
 * ------------------------------------------------------------------------------------------- */

static __always_inline void hold_copy(__u64 orig, __u64 copy, __u32 ran)
{
	struct hold *known = bpf_map_lookup_elem(&holds, &orig), *old, hold = {};
	struct extent_copier by = {};
	enum extent_copied copied;
	struct asked asked = {};
	struct bar *bar;

	if (!known)
		return;
	hold.bar = known->bar;
	current_call(&asked);
	by.task = (__u64)bpf_get_current_task_btf();
	by.regs = asked.regs;
	by.check = hold.check = asked.check;
	hold.original = orig;
	hold.ran = ran;
	old = bpf_map_lookup_elem(&holds, &copy);
	/* Another copy of this program has seen to it. */
	if (old && old->original == orig && old->check == asked.check && !(old->ran & ran)) {
		old->ran |= ran;
		return;
	}
	if (old && old->bar != hold.bar)
		hold_release(copy, old->bar);
	bar = bpf_map_lookup_elem(&bars, &hold.bar);
	if (bpf_map_update_elem(&holds, &copy, &hold, BPF_ANY)) {
		hold_untracked(bar);
		return;
	}
	if (!bar)
		return;
	bpf_spin_lock(&bar->lock);
	copied = extent_copy(&bar->table, orig, copy, &by);
	bpf_spin_unlock(&bar->lock);
	if (copied == EXTENT_COPY_NO_ROOM) {
		bpf_map_delete_elem(&holds, &copy);
		hold_untracked(NULL);
	}
}

static __always_inline void hold_end(__u64 vma)
{
	struct hold *hold = bpf_map_lookup_elem(&holds, &vma);

	if (hold)
		hold_release(vma, hold->bar);
}

#endif
