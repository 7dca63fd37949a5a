// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * The enforcer: decides on each mmap of a BAR before there is a mapping, by the policy in memory that the
 * daemon shares (struct enforcer). The check against what is mapped and the reservation of the range are one
 * step under the lock of the BAR (extent.h). It works without the daemon, and no decision depends on the
 * ring.
 *
 * The kernel skips a program that is running already on the CPU, also when that run was merely preempted (see
 * record.bpf.c); not so of LSM programs since Linux 6.2. What it must not skip is there several times, as
 * copies that take notice of each other.
 */

#include "judge.bpf.h"
#include "cookie_request.bpf.h"
#include "holds.bpf.h"

#include <bpf/bpf_tracing.h>

#define EPERM 1

/* -- deciding
 * -------------------------------------------------------------------------------------------------- */

/* Without memory nothing can be looked at: only OnUnknown says something. */
static __always_inline int no_request(struct enforcer *e, __u64 generation)
{
	const struct policy_bank *bank = &e->banks[generation & 1];
	int denied = bank->on_unknown == POLICY_DENY && bank->deny;

	__sync_fetch_and_add(&e->decided, 1);
	__sync_fetch_and_add(&e->unknown[POLICY_UNKNOWN_FULL], 1);
	if (denied)
		__sync_fetch_and_add(&e->denied, 1);
	return denied ? -EPERM : 0;
}

/* Keeps for the copies and for the end of the mmap what was granted. */
static __always_inline void note_call(__u64 task, const struct request *q, __u32 copy)
{
	struct call call = {.check = q->asked.check, .ran = copy, .switches = current_switches()};

	if (q->reserved) {
		call.bar = q->place.bar;
		call.first = q->place.first;
		call.at = q->ask.at;
		call.flags = q->ask.fresh.flags;
		call.pending = 1;
	}
	bpf_map_update_elem(&calls, &task, &call, BPF_ANY);
}

/*
 * One copy decides, the others find that. A copy that finds itself is in another call with equal registers,
 * and so may be one that was preempted since the decision: what was running on the CPU and had copies skipped
 * may be something else now. It decides again, and that is told again. Without preemption the copy that
 * decided in the earlier call would not be skipped in this one.
 */
static __noinline int decided_already(__u32 copy)
{
	__u64 task = (__u64)bpf_get_current_task_btf();
	struct call *call = bpf_map_lookup_elem(&calls, &task);
	struct asked asked = {};

	if (!call || call->ran & copy || call->switches != current_switches())
		return 0;
	current_call(&asked);
	if (call->check != asked.check)
		return 0;
	call->ran |= copy;
	return 1;
}

static __always_inline int decide_mapping(struct file *file, __u32 copy)
{
	struct enforcer *e = enforcer_get();
	__u64 task = (__u64)bpf_get_current_task_btf(), generation;
	struct request *q;
	int r = 0;

	generation = e ? *(volatile __u64 *)&e->generation : 0;
	if (!generation || (copy && decided_already(copy)))
		return 0;
	bpf_map_update_elem(&requests, &task, &new_request, BPF_ANY);
	q = bpf_map_lookup_elem(&requests, &task);
	if (!q)
		return no_request(e, generation);
	current_call(&q->asked);
	call_arguments(&q->asked);
	/* What the kernel refuses anyway it shall refuse with its own error. */
	if (!q->asked.unknown && !q->asked.size)
		goto out;
	if (!place_of(&q->place, file, q->asked.offset, q->asked.size) ||
	    (q->place.refused && !q->asked.unknown))
		goto out;
	r = decide(e, q, JUDGE_MAPPING) ? -EPERM : 0;
	if (!r)
		note_call(task, q, copy);
out:
	bpf_map_delete_elem(&requests, &task);
	return r;
}

/* On the path of every mmap of the host. */
static __always_inline int mmap_asked(struct file *file, __u32 copy)
{
	const struct file_operations *fops;

	if (!file)
		return 0;
	fops = file->f_op;
	if (!fops)
		return 0;
	if ((__u64)fops->mmap != vfio_device_fops_mmap_address && (__u64)fops != kernfs_file_fops_address &&
	    (__u64)fops != dma_buf_fops_address)
		return 0;
	return decide_mapping(file, copy);
}

SEC("lsm/mmap_file")
int BPF_PROG(decide_mmap, struct file *file)
{
	return mmap_asked(file, ALONE);
}

/*
 * For a call to be skipped by all copies as many other tasks have to be preempted on the CPU, each in another
 * copy. Then it is judged when it is mapped: see judge_undecided().
 */
#define DECIDE_MMAP(name, copy)                                                                              \
	SEC("fmod_ret/security_mmap_file") int BPF_PROG(name, struct file *file)                             \
	{                                                                                                    \
		return mmap_asked(file, copy);                                                               \
	}

DECIDE_MMAP(decide_mmap_1, COPY_1)
DECIDE_MMAP(decide_mmap_2, COPY_2)
DECIDE_MMAP(decide_mmap_3, COPY_3)
DECIDE_MMAP(decide_mmap_4, COPY_4)
DECIDE_MMAP(decide_mmap_5, COPY_5)
DECIDE_MMAP(decide_mmap_6, COPY_6)
DECIDE_MMAP(decide_mmap_7, COPY_7)
DECIDE_MMAP(decide_mmap_8, COPY_8)

static __always_inline int cookie_asked(struct file *file, unsigned int cmd, unsigned long arg, __u32 copy)
{
	struct enforcer *e = enforcer_get();
	__u64 task = (__u64)bpf_get_current_task_btf(), generation;
	struct request *q;
	int r = 0;

	if (!file || !is_vfio_device_file(file))
		return 0;
	generation = e ? *(volatile __u64 *)&e->generation : 0;
	if (!generation || (copy && decided_already(copy)))
		return 0;
	bpf_map_update_elem(&requests, &task, &new_request, BPF_ANY);
	q = bpf_map_lookup_elem(&requests, &task);
	if (!q)
		return no_request(e, generation);
	current_call(&q->asked);
	if (wants_wc_cookie(q, file, cmd, (const void *)arg)) {
		r = decide(e, q, JUDGE_COOKIE) ? -EPERM : 0;
		if (!r && copy)
			note_call(task, q, copy);
	}
	bpf_map_delete_elem(&requests, &task);
	return r;
}

#define DECIDE_IOCTL(name, section, copy)                                                                    \
	SEC(section) int BPF_PROG(name, struct file *file, unsigned int cmd, unsigned long arg)              \
	{                                                                                                    \
		return may_want_wc_cookie(cmd) ? cookie_asked(file, cmd, arg, copy) : 0;                     \
	}

DECIDE_IOCTL(decide_ioctl, "lsm/file_ioctl", ALONE)
DECIDE_IOCTL(decide_ioctl_compat, "lsm/file_ioctl_compat", ALONE)
DECIDE_IOCTL(decide_ioctl_1, "fmod_ret/security_file_ioctl", COPY_1)
DECIDE_IOCTL(decide_ioctl_2, "fmod_ret/security_file_ioctl", COPY_2)
DECIDE_IOCTL(decide_ioctl_3, "fmod_ret/security_file_ioctl", COPY_3)
DECIDE_IOCTL(decide_ioctl_compat_1, "fmod_ret/security_file_ioctl_compat", COPY_1)
DECIDE_IOCTL(decide_ioctl_compat_2, "fmod_ret/security_file_ioctl_compat", COPY_2)
DECIDE_IOCTL(decide_ioctl_compat_3, "fmod_ret/security_file_ioctl_compat", COPY_3)

/* -- what is mapped
 * -------------------------------------------------------------------------------------------- */

#define BIND_FILE(name, section, copy)                                                                       \
	SEC(section) int BPF_PROG(name, struct file *file, struct vm_area_struct *vma, int ret)              \
	{                                                                                                    \
		return mapped(file, vma, ret, copy, NULL, 0);                                                \
	}

#define BIND_PENDING(name, section, copy)                                                                    \
	SEC(section) int BPF_PROG(name, struct file *file, struct vm_area_struct *vma, int ret)              \
	{                                                                                                    \
		return pending_mapped(vma, ret, copy);                                                       \
	}

BIND_FILE(bind_vfio, "fexit/vfio_device_fops_mmap", COPY_1)
BIND_FILE(bind_vfio_2, "fexit/vfio_device_fops_mmap", COPY_2)
BIND_PENDING(bind_vfio_3, "fexit/vfio_device_fops_mmap", COPY_3)
BIND_PENDING(bind_vfio_4, "fexit/vfio_device_fops_mmap", COPY_4)
BIND_PENDING(bind_vfio_5, "fexit/vfio_device_fops_mmap", COPY_5)
BIND_PENDING(bind_vfio_6, "fexit/vfio_device_fops_mmap", COPY_6)
BIND_PENDING(bind_vfio_7, "fexit/vfio_device_fops_mmap", COPY_7)
BIND_PENDING(bind_vfio_8, "fexit/vfio_device_fops_mmap", COPY_8)
BIND_FILE(bind_dma_buf, "fexit/dma_buf_mmap_internal", COPY_1)
BIND_FILE(bind_dma_buf_2, "fexit/dma_buf_mmap_internal", COPY_2)
BIND_PENDING(bind_dma_buf_3, "fexit/dma_buf_mmap_internal", COPY_3)
BIND_PENDING(bind_dma_buf_4, "fexit/dma_buf_mmap_internal", COPY_4)
BIND_PENDING(bind_dma_buf_5, "fexit/dma_buf_mmap_internal", COPY_5)
BIND_PENDING(bind_dma_buf_6, "fexit/dma_buf_mmap_internal", COPY_6)
BIND_PENDING(bind_dma_buf_7, "fexit/dma_buf_mmap_internal", COPY_7)
BIND_PENDING(bind_dma_buf_8, "fexit/dma_buf_mmap_internal", COPY_8)

/* enum pci_mmap_state of include/linux/pci.h */
#define PCI_MMAP_MEM 1

#define BIND_PCI(name, copy)                                                                                 \
	SEC("fexit/pci_mmap_resource_range")                                                                 \
	int BPF_PROG(name, struct pci_dev *pdev, int bar, struct vm_area_struct *vma, int state,             \
		     int write_combine, int ret)                                                             \
	{                                                                                                    \
		__u64 device = 0;                                                                            \
                                                                                                             \
		if (state != PCI_MMAP_MEM || bar < 0 || bar >= EVENT_BARS)                                   \
			return 0;                                                                            \
		/* As a plain number, see pci_mapped() of record.bpf.c. */                                   \
		bpf_get_func_arg(ctx, 0, &device);                                                           \
		return mapped(NULL, vma, ret, copy, (struct pci_dev *)device, bar);                          \
	}

#define BIND_PCI_PENDING(name, copy)                                                                         \
	SEC("fexit/pci_mmap_resource_range")                                                                 \
	int BPF_PROG(name, struct pci_dev *pdev, int bar, struct vm_area_struct *vma, int state,             \
		     int write_combine, int ret)                                                             \
	{                                                                                                    \
		return state == PCI_MMAP_MEM ? pending_mapped(vma, ret, copy) : 0;                           \
	}

BIND_PCI(bind_pci, COPY_1)
BIND_PCI(bind_pci_2, COPY_2)
BIND_PCI_PENDING(bind_pci_3, COPY_3)
BIND_PCI_PENDING(bind_pci_4, COPY_4)
BIND_PCI_PENDING(bind_pci_5, COPY_5)
BIND_PCI_PENDING(bind_pci_6, COPY_6)
BIND_PCI_PENDING(bind_pci_7, COPY_7)
BIND_PCI_PENDING(bind_pci_8, COPY_8)

/* On the path of every fork, for each VMA: hence few copies. */
#define HOLD_COPIED(name, number)                                                                            \
	SEC("fexit/vm_area_dup")                                                                             \
	int BPF_PROG(name, struct vm_area_struct *orig, struct vm_area_struct *copy)                         \
	{                                                                                                    \
		if (orig->vm_flags & VM_PFNMAP && copy)                                                      \
			hold_copy((__u64)orig, (__u64)copy, number);                                         \
		return 0;                                                                                    \
	}

HOLD_COPIED(hold_copied, COPY_1)
HOLD_COPIED(hold_copied_2, COPY_2)
HOLD_COPIED(hold_copied_3, COPY_3)

/* The second finds no hold. A VMA whose end was not seen is found out by validate.bpf.h, but not while its
 * mmap lock is held for reading. */
#define HOLD_FREED(name, section)                                                                            \
	SEC(section) int BPF_PROG(name, struct vm_area_struct *vma)                                          \
	{                                                                                                    \
		if (vma->vm_flags & VM_PFNMAP)                                                               \
			hold_end((__u64)vma);                                                                \
		return 0;                                                                                    \
	}

HOLD_FREED(hold_freed, "fentry/vm_area_free")
HOLD_FREED(hold_freed_2, "fentry/vm_area_free")
HOLD_FREED(hold_freed_3, "fentry/vm_area_free")
HOLD_FREED(hold_freed_now, "fentry/__vm_area_free")

/* -- what the kernel does to a whole BAR
 * ----------------------------------------------------------------------- */

/* enum page_cache_mode of arch/x86/include/asm/pgtable_types.h */
static __always_inline __u32 type_of_cache_mode(__u64 mode)
{
	const __u64 types = MEMTYPE_WB | MEMTYPE_WC << 4 | MEMTYPE_UC_MINUS << 8 | MEMTYPE_UC << 12 |
			    MEMTYPE_WT << 16 | MEMTYPE_WP << 20;

	return mode < 6 ? types >> (4 * mode) & 15 : MEMTYPE_UNKNOWN;
}

/*
 * memtype_reserve(start, end, requested, *given), arch/x86/mm/pat/memtype.c: a range got another type than
 * asked for, because somebody had reserved some of it. If that is a whole BAR all mappings made through its
 * driver get that. A reservation that got its own type ends it, as does the close of the device.
 */
SEC("fexit/memtype_reserve")
int bar_reserved(__u64 *ctx)
{
	__u64 start = 0, end = 0, requested = 0, pointer = 0, ret = 0, key, pages;
	struct turn *known, turn = {};
	__u32 given = 0;

	bpf_get_func_ret(ctx, &ret);
	bpf_get_func_arg(ctx, 0, &start);
	bpf_get_func_arg(ctx, 1, &end);
	bpf_get_func_arg(ctx, 2, &requested);
	bpf_get_func_arg(ctx, 3, &pointer);
	if ((__s32)ret || start >= end || bpf_probe_read_kernel(&given, sizeof(given), (void *)pointer))
		return 0;
	key = start >> page_shift;
	pages = (end - start) >> page_shift;
	known = bpf_map_lookup_elem(&turns, &key);
	if ((__u32)requested != given) {
		/* One that covers all of the BAR lasts, whatever smaller ones come after it. */
		if (known && known->pages > pages)
			return 0;
		turn.pages = pages;
		turn.type = type_of_cache_mode(given);
		bpf_map_update_elem(&turns, &key, &turn, BPF_ANY);
	} else if (known && known->pages == pages) {
		bpf_map_delete_elem(&turns, &key);
	}
	return 0;
}

/* For bpf_for_each_map_elem() over cookies: a DMABUF of the device. */
static __attribute__((unused)) long revoke_dma_buf(struct bpf_map *map, struct cookie_key *key,
						   struct cookie_entry *entry, __u64 *pdev)
{
	if (key->dialect == DIALECT_DMA_BUF && entry->pdev == *pdev)
		entry->event.attributes |= COOKIE_REVOKED;
	return 0;
}

/* The last of its files was closed: its driver has revoked what it exported, and can reserve BARs anew. */
SEC("fexit/vfio_pci_core_disable")
int BPF_PROG(bar_closed, struct vfio_pci_core_device *vdev)
{
	struct pci_dev *pdev = BPF_CORE_READ(vdev, pdev);
	__u64 closed = (__u64)pdev;

	bpf_for_each_map_elem(&cookies, revoke_dma_buf, &closed, 0);

	for (__u32 i = 0; i < EVENT_BARS; i++) {
		__u64 key = bar_range(pdev, i).first;

		if (key)
			bpf_map_delete_elem(&turns, &key);
	}
	return 0;
}

/*
 * A driver claims the range: mappings of it that come from user space lose their pages for ever, unless the
 * kernel was told not to (iomem=relaxed). Of a range that does not begin with a BAR nothing is given free.
 */
SEC("fexit/revoke_iomem")
int BPF_PROG(iomem_taken, struct resource *resource)
{
	__u64 start = BPF_CORE_READ(resource, start), end = BPF_CORE_READ(resource, end), key, pages;
	struct bar *bar;

	if (iomem_is_shared() != 0)
		return 0;
	key = start >> page_shift;
	pages = ((end + 1) >> page_shift) - key;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar || end < start || pages >> 32)
		return 0;
	bpf_spin_lock(&bar->lock);
	extent_revoke(&bar->table, 0, pages);
	bpf_spin_unlock(&bar->lock);
	return 0;
}

/* -- putting the tables right
 * ----------------------------------------------------------------------------------
 *
 * The daemon runs tidy, adopt and settle, in this order, after recording's tables were put right: at the
 * beginning and after what may have been missed.
 */

/* A mapping in `vmas` that holds no bytes yet. */
static __always_inline bool adopt_mapping(struct binding *b, __u64 address, const struct vma_entry *entry)
{
	struct vm_area_struct *vma = (struct vm_area_struct *)address;
	struct task_struct *owner = NULL;
	struct vma_range range, again;
	struct extent *fresh = &b->fresh;
	__u64 offset;

	/* In the making, or on its way out. */
	if (bpf_core_field_exists(struct vm_area_struct, vm_refcnt) &&
	    !BPF_CORE_READ(vma, vm_refcnt.refs.counter))
		return false;
	read_range(&range, vma);
	read_range(&again, vma);
	if (range.start != again.start || range.end != again.end || range.pgoff != again.pgoff ||
	    range.start >= range.end || range.end >> 63)
		return false;
	fresh->vma = address;
	fresh->file = (__u64)BPF_CORE_READ(vma, vm_file);
	fresh->delta = (range.start >> page_shift) - range.pgoff;
	fresh->type = memtype_from_prot(MEMTYPE_ARCH_BPF, BPF_CORE_READ(vma, vm_page_prot.pgprot));
	if (bpf_core_field_exists(struct mm_struct, owner))
		owner = BPF_CORE_READ(vma, vm_mm, owner);
	if (owner)
		process_identity(owner, &fresh->who);
	offset = (range.pgoff + entry->offset_delta) << page_shift;
	if (!(entry->flags & EVENT_MAPPING_OFFSET_KNOWN))
		return true;
	/* No PCI device; but of /proc/bus/pci only the call that maps tells the device. */
	if (!place_of(&b->place, (struct file *)entry->file, offset, range.end - range.start))
		return entry->source == SOURCE_OTHER;
	b->bar = b->place.bar;
	fresh->first = b->place.first;
	fresh->end = b->place.end;
	fresh->source = b->place.source;
	fresh->page_delta = (__s64)fresh->first - (__s64)range.pgoff;
	return true;
}

SEC("iter/bpf_map_elem")
int adopt(struct bpf_iter__bpf_map_elem *ctx)
{
	struct vma_entry *entry = ctx->value, *still;
	const __u64 *address = ctx->key;
	struct hold *hold;
	struct binding *b;
	__u64 key, id;

	if (!entry || !address || !entry->mapping_id || entry->source == SOURCE_DEVMEM || is_revoked(entry))
		return 0;
	key = *address;
	id = entry->mapping_id;
	hold = bpf_map_lookup_elem(&holds, &key);
	/* What was not known of it may be by now. */
	if (hold && hold->bar)
		return 0;
	b = binding_get(key);
	if (!b) {
		hold_untracked_still(NULL);
		return 0;
	}
	b->missed = 1;
	if (adopt_mapping(b, key, entry)) {
		if (b->bar)
			bind(b, ~0U);
		else if (!hold_unplaced(key, 0, ~0U))
			hold_untracked_still(NULL);
		/* What went meanwhile did not find its hold. */
		still = bpf_map_lookup_elem(&vmas, &key);
		if (!still || still->mapping_id != id)
			hold_release(key, b->bar);
	}
	bpf_map_delete_elem(&bindings, &key);
	return 0;
}

struct tidying {
	struct binding *b; /* scratch */
	__u64 bar;
};

static long tidy_slot(__u32 i, struct tidying *t)
{
	struct bar *bar = bpf_map_lookup_elem(&bars, &t->bar);
	struct extent *extent = &t->b->fresh;
	enum extent_truth truth;
	struct truth found = {};

	if (!bar || i >= EXTENTS_MAX)
		return 1;
	bpf_spin_lock(&bar->lock);
	*extent = bar->table.slots[i];
	bpf_spin_unlock(&bar->lock);
	if (extent->state == EXTENT_FREE)
		return 0;
	truth = extent_truth(extent, &found);
	if (truth == TRUTH_SAME)
		return 0;
	bpf_spin_lock(&bar->lock);
	if (truth == TRUTH_GONE)
		extent_drop(&bar->table, i, extent);
	else
		extent_shrink(&bar->table, i, extent, found.first, found.end, found.delta);
	bpf_spin_unlock(&bar->lock);
	return 0;
}

SEC("iter/bpf_map_elem")
int tidy(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *address = ctx->key;
	struct tidying t = {};
	struct bar *bar;

	if (!address || !ctx->value)
		return 0;
	t.bar = *address;
	bar = bpf_map_lookup_elem(&bars, &t.bar);
	t.b = binding_get(t.bar);
	if (!t.b || !bar)
		return 0;
	bar->table.before = bar->table.untracked;
	bar->table.missed = 0;
	bpf_loop(EXTENTS_MAX, tidy_slot, &t, 0);
	bpf_map_delete_elem(&bindings, &t.bar);
	return 0;
}

/* Holds of VMAs whose end was not seen: neither recording, whose audit has been, nor an extent knows of them.
 * Of the others those without known bytes are counted. */
SEC("iter/bpf_map_elem")
int tidy_holds(struct bpf_iter__bpf_map_elem *ctx)
{
	struct enforcer *e = enforcer_get();
	const __u64 *address = ctx->key;
	struct hold *hold = ctx->value;
	struct vma_entry *entry;
	__u64 key, bar_key;
	struct bar *bar;
	int held = 0;

	if (!address || !hold || !e)
		return 0;
	key = *address;
	bar_key = hold->bar;
	entry = bpf_map_lookup_elem(&vmas, &key);
	if (entry) {
		if (!bar_key && !is_revoked(entry))
			__sync_fetch_and_add(&e->audit_unplaced, 1);
		return 0;
	}
	bar = bpf_map_lookup_elem(&bars, &bar_key);
	if (bar) {
		bpf_spin_lock(&bar->lock);
		held = extent_is_held(&bar->table, key);
		bpf_spin_unlock(&bar->lock);
	}
	/* It may be in the making: the next audit tells. */
	if (!held && hold->orphan)
		bpf_map_delete_elem(&holds, &key);
	else
		hold->orphan = !held;
	return 0;
}

/* After adopt, which has found room for everything or not. */
SEC("iter/bpf_map_elem")
int settle(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *address = ctx->key;
	struct bar *bar;
	__u64 key;

	if (!address || !ctx->value)
		return 0;
	key = *address;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar)
		return 0;
	/* What came since tidy no walk has looked for. */
	bpf_spin_lock(&bar->lock);
	__sync_fetch_and_add(&bar->table.untracked, bar->table.missed - bar->table.before);
	bar->table.missed = 0;
	bpf_spin_unlock(&bar->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
