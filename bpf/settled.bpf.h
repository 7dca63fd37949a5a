/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SETTLED_BPF_H
#define VFIOWATCH_SETTLED_BPF_H

/* Whether a VMA and its owner are at rest, or in the middle of a system call that still changes them. */

#include "facts.bpf.h"

/* include/linux/rwsem.h: bit 0 of the count is set while a writer owns the lock. */
#define RWSEM_WRITER_LOCKED 1UL
#define RWSEM_READER_SHIFT  8

/* Where the lock cannot be read (PREEMPT_RT), a copy younger than this counts as in the making. */
#define COPY_SETTLES_NS (100ULL * 1000 * 1000)

/*
 * A fork copies VMAs before the child has its own identity: first its leader is still the parent's, then its
 * struct pid is. Until both are its own (copy_process() in kernel/fork.c) it cannot be named.
 */
static __always_inline bool owner_settled(struct task_struct *owner, struct mm_struct *mm)
{
	struct mm_struct *leader_mm = BPF_CORE_READ(owner, group_leader, mm);

	if (leader_mm && leader_mm != mm)
		return false;
	return BPF_CORE_READ(owner, thread_pid, numbers[0].nr) == BPF_CORE_READ(owner, pid);
}

static __always_inline bool mm_settled(struct mm_struct *mm, __u64 mapped_ns)
{
	if (!bpf_core_field_exists(struct rw_semaphore, count))
		return bpf_ktime_get_boot_ns() - mapped_ns > COPY_SETTLES_NS;
	return !(BPF_CORE_READ(mm, mmap_lock.count.counter) & RWSEM_WRITER_LOCKED);
}

/*
 * Whether a VMA that is in no tree may still have its pages, as vms_complete_munmap_vmas() of mm/vma.c takes
 * them after it took the VMA out. That goes on in the write section in which the VMA was locked last, or
 * after it, when munmap has turned its lock into a reader's; until that is given back no other section
 * begins. mm_lock_seq is odd in a section and counts on at both ends. Where the lock cannot be read
 * (PREEMPT_RT) it lasts until the next section.
 */
static __always_inline bool vma_is_going(struct vm_area_struct *vma)
{
	struct mm_struct *mm = BPF_CORE_READ(vma, vm_mm);
	__u32 at = BPF_CORE_READ(vma, vm_lock_seq), now = BPF_CORE_READ(mm, mm_lock_seq.sequence);
	unsigned long count;

	if (at == now)
		return true;
	if (at + 1 != now)
		return false;
	if (!bpf_core_field_exists(struct rw_semaphore, count))
		return true;
	count = BPF_CORE_READ(mm, mmap_lock.count.counter);
	return count & RWSEM_WRITER_LOCKED || count >> RWSEM_READER_SHIFT;
}

static __always_inline bool vma_settled(struct vm_area_struct *vma, const struct vma_entry *entry)
{
	struct mm_struct *mm = BPF_CORE_READ(vma, vm_mm);
	struct task_struct *owner;

	if (!mm_settled(mm, entry->mapped_ns))
		return false;
	if (!bpf_core_field_exists(struct mm_struct, owner))
		return true;
	owner = BPF_CORE_READ(mm, owner);
	return !owner || owner_settled(owner, mm);
}

#endif
