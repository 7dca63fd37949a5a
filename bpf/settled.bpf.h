/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SETTLED_BPF_H
#define VFIOWATCH_SETTLED_BPF_H

/* Whether a VMA and its owner are at rest, or in the middle of a system call that still changes them. */

#include "facts.bpf.h"

/* include/linux/rwsem.h: bit 0 of the count is set while a writer owns the lock. */
#define RWSEM_WRITER_LOCKED 1UL

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
