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
 * Nobody changes the range of @vma. Who does has locked the VMA in the current write section of its mm, which
 * tells more than the lock of the mm where the kernel has it. Once it is in no tree it stays as it is.
 */
static __always_inline bool range_settled(struct vm_area_struct *vma)
{
	struct mm_struct *mm = BPF_CORE_READ(vma, vm_mm);

	if (!bpf_core_field_exists(struct vm_area_struct, vm_lock_seq) ||
	    !bpf_core_field_exists(mm->mm_lock_seq.sequence))
		return mm_settled(mm, 0);
	if (bpf_core_field_exists(struct vm_area_struct, vm_refcnt) &&
	    !BPF_CORE_READ(vma, vm_refcnt.refs.counter))
		return vma_is_going(vma);
	return BPF_CORE_READ(vma, vm_lock_seq) != BPF_CORE_READ(mm, mm_lock_seq.sequence);
}

/*
 * What the VMA of @extent holds. Words of it are changed one by one while the mmap lock is held for writing.
 * As long as it was not moved, start and offset change together, which tells a range that was read in
 * between; of one that mremap moved, or moves, only the locks tell.
 */
static __noinline enum extent_truth range_truth(const struct extent *extent, struct truth *truth)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)extent->vma;
	__u64 mask = (1ULL << page_shift) - 1, first;
	struct vma_range range, again;

	read_range(&range, vma);
	if (range.start >= range.end || range.end >> 63 || ((range.start | range.end) & mask))
		return TRUTH_GONE;
	if ((__s64)((range.start >> page_shift) - range.pgoff) != extent->delta) {
		if (!range_settled(vma))
			return TRUTH_SAME;
		read_range(&range, vma);
		read_range(&again, vma);
		if (!range_settled(vma) || again.start != range.start || again.end != range.end ||
		    again.pgoff != range.pgoff)
			return TRUTH_SAME;
		if (range.start >= range.end || range.end >> 63 || ((range.start | range.end) & mask))
			return TRUTH_GONE;
	}
	truth->delta = (range.start >> page_shift) - range.pgoff;
	first = range.pgoff + extent->page_delta;
	truth->first = first;
	truth->end = first + ((range.end - range.start) >> page_shift);
	if (first >> 32 || truth->first < extent->first || truth->end > extent->end)
		return TRUTH_SAME;
	return truth->first == extent->first && truth->end == extent->end ? TRUTH_SAME : TRUTH_SMALLER;
}

/* VFIO took the pages of the DMABUF that the VMA of @extent maps, and no fault brings them back. */
static __noinline int is_of_revoked_dma_buf(const struct extent *extent)
{
	struct file *file = (struct file *)extent->file;
	struct cookie_key key = {.dialect = DIALECT_DMA_BUF};
	struct cookie_entry *cookie;

	key.file = (__u64)BPF_CORE_READ(file, private_data);
	cookie = bpf_map_lookup_elem(&cookies, &key);
	return cookie && cookie->event.attributes & COOKIE_REVOKED;
}

static __noinline enum extent_truth extent_truth(const struct extent *extent, struct truth *truth)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)extent->vma;
	__u64 key = extent->vma;

	enum call_state call = call_state(extent);

	/* One that succeeded is mapped: that it is bound was not seen, or will be in a moment. */
	if (extent->state == EXTENT_PENDING)
		return call == CALL_ON || call == CALL_SUCCEEDED ? TRUTH_SAME : TRUTH_GONE;
	if (!bpf_map_lookup_elem(&holds, &key) || (__u64)BPF_CORE_READ(vma, vm_file) != extent->file)
		return TRUTH_GONE;
	if (extent->source == SOURCE_DMABUF && is_of_revoked_dma_buf(extent))
		return TRUTH_GONE;
	/*
	 * In no tree, and not in the making: munmap has taken it out and is done with its pages, it was
	 * freed, or its memory is becoming another VMA.
	 */
	if (bpf_core_field_exists(struct vm_area_struct, vm_refcnt) &&
	    !BPF_CORE_READ(vma, vm_refcnt.refs.counter)) {
		if (call == CALL_ON)
			return TRUTH_SAME;
		if (!vma_is_going(vma))
			return TRUTH_GONE;
	}
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
