/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_VALIDATE_BPF_H
#define VFIOWATCH_VALIDATE_BPF_H

/*
 * Whether what an extent says is still so. What happened to its VMA may not have been seen: munmap shrinks it
 * without a call that we attach to, and the kernel skips programs (see record.bpf.c). All of it is read
 * without the lock, from memory that may have been freed, and counts only if it fits together.
 */

#include "request.bpf.h"
#include "settled.bpf.h"

enum extent_truth {
	TRUTH_SAME,
	TRUTH_GONE,
	TRUTH_SMALLER,
};

struct truth {
	__u32 first, end;
	__s64 delta;
};

struct vma_range {
	__u64 start, end, pgoff;
};

static __always_inline void read_range(struct vma_range *range, struct vm_area_struct *vma)
{
	range->start = BPF_CORE_READ(vma, vm_start);
	range->end = BPF_CORE_READ(vma, vm_end);
	range->pgoff = BPF_CORE_READ(vma, vm_pgoff);
}

/*
 * What the VMA of @extent holds. Words of it are changed one by one while the mmap lock is held for writing.
 * As long as it was not moved, start and offset change together, which tells a range that was read in
 * between; of one that mremap moved, or moves, only the lock tells.
 */
static __noinline enum extent_truth range_truth(const struct extent *extent, struct truth *truth)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)extent->vma;
	__u64 mask = (1ULL << page_shift) - 1, first;
	struct vma_range range, again;
	struct mm_struct *mm;

	read_range(&range, vma);
	if (range.start >= range.end || range.end >> 63 || ((range.start | range.end) & mask))
		return TRUTH_GONE;
	truth->delta = (range.start >> page_shift) - range.pgoff;
	if (truth->delta != extent->delta) {
		mm = BPF_CORE_READ(vma, vm_mm);
		if (!mm_settled(mm, 0))
			return TRUTH_SAME;
		read_range(&again, vma);
		if (!mm_settled(mm, 0) || again.start != range.start || again.end != range.end ||
		    again.pgoff != range.pgoff)
			return TRUTH_SAME;
	}
	first = range.pgoff + extent->page_delta;
	truth->first = first;
	truth->end = first + ((range.end - range.start) >> page_shift);
	if (first >> 32 || truth->first < extent->first || truth->end > extent->end)
		return TRUTH_SAME;
	return truth->first == extent->first && truth->end == extent->end ? TRUTH_SAME : TRUTH_SMALLER;
}

static __noinline enum extent_truth extent_truth(const struct extent *extent, struct truth *truth)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)extent->vma;
	__u64 key = extent->vma;

	if (extent->state == EXTENT_PENDING)
		return in_call(extent) ? TRUTH_SAME : TRUTH_GONE;
	if (!bpf_map_lookup_elem(&holds, &key) || (__u64)BPF_CORE_READ(vma, vm_file) != extent->file)
		return TRUTH_GONE;
	/*
	 * In no tree, and not in the making: munmap has taken it out, it was freed, or its memory is becoming
	 * another VMA. The first of these still has its pages for a moment, but lets go of the lock while it
	 * takes them.
	 */
	if (bpf_core_field_exists(struct vm_area_struct, vm_refcnt) &&
	    !BPF_CORE_READ(vma, vm_refcnt.refs.counter) && !in_call(extent))
		return TRUTH_GONE;
	return range_truth(extent, truth);
}

/* The process that it belongs to now; NULL: that cannot be told. */
static __always_inline struct task_struct *extent_owner(const struct extent *extent)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)extent->vma;

	if (extent->state == EXTENT_PENDING)
		return (struct task_struct *)extent->task;
	if (!bpf_core_field_exists(struct mm_struct, owner))
		return NULL;
	return BPF_CORE_READ(vma, vm_mm, owner);
}

#endif
