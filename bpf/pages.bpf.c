// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Pages come and go: what faults put into page tables, what the kernel takes out again, and why the memory
 * type is not the one asked for. What is missed here the next reading of the page tables finds.
 */

#include "pages.bpf.h"

#include <bpf/bpf_tracing.h>

/* include/linux/mm_types.h: the handler put the entry in place itself. */
#define VM_FAULT_NOPAGE 0x100U

static __always_inline void fault_done(struct vm_fault *vmf, __u64 size)
{
	struct vm_area_struct *vma = BPF_CORE_READ(vmf, vma);
	__u64 key = (__u64)vma, address, start, end;
	struct vma_entry *entry = bpf_map_lookup_elem(&vmas, &key);
	struct recorder *r = recorder_get();

	if (!entry || !entry->mapping_id || !r)
		return;
	start = BPF_CORE_READ(vma, vm_start);
	end = BPF_CORE_READ(vma, vm_end);
	if (size) {
		address = BPF_CORE_READ(vmf, address) & ~(size - 1);
		if (address > start)
			start = address;
		if (address + size < end)
			end = address + size;
	}
	pages_tell(r, WALK_FAULT, entry, vma, start, end);
}

/* Since the kernel change "vfio/pci: Insert full vma on mmap'd MMIO fault" the whole VMA is filled at once.
 */
SEC("fexit/vfio_pci_mmap_fault")
int BPF_PROG(vfio_fault, struct vm_fault *vmf, unsigned int ret)
{
	if (ret & VM_FAULT_NOPAGE)
		fault_done(vmf, 0);
	return 0;
}

/* Since "vfio/pci: Implement huge_fault support" one leaf is. */
SEC("fexit/vfio_pci_mmap_huge_fault")
int BPF_PROG(vfio_huge_fault, struct vm_fault *vmf, unsigned int order, unsigned int ret)
{
	if (ret & VM_FAULT_NOPAGE && order < 32)
		fault_done(vmf, 1ULL << (order + page_shift));
	return 0;
}

/*
 * A driver claims the range: with CONFIG_IO_STRICT_DEVMEM, and without iomem=relaxed, mappings of it that
 * come from user space lose their pages. Whether that is so the function does not tell.
 */
SEC("fexit/revoke_iomem")
int BPF_PROG(iomem_revoked, struct resource *resource)
{
	struct recorder *r = recorder_get();
	__u64 start = BPF_CORE_READ(resource, start), end = BPF_CORE_READ(resource, end);

	if (r && end >= start && end + 1)
		revoke_event(r, REVOKE_IOMEM, true, 0, start & ~((1ULL << page_shift) - 1), end + 1);
	return 0;
}

/* Memory decoding is switched off; the lock that keeps faults away is still held. */
SEC("fexit/vfio_pci_zap_and_down_write_memory_lock")
int BPF_PROG(vfio_zapped, struct vfio_pci_core_device *vdev)
{
	struct recorder *r = recorder_get();

	if (r)
		revoke_event(r, REVOKE_DEVICE, false, pci_address(BPF_CORE_READ(vdev, pdev)), 0, 0);
	return 0;
}

/* enum page_cache_mode of arch/x86/include/asm/pgtable_types.h */
static __always_inline __u32 memtype_of_cache_mode(__u64 mode)
{
	switch (mode) {
	case 0:
		return MEMTYPE_WB;
	case 1:
		return MEMTYPE_WC;
	case 2:
		return MEMTYPE_UC_MINUS;
	case 3:
		return MEMTYPE_UC;
	case 4:
		return MEMTYPE_WT;
	case 5:
		return MEMTYPE_WP;
	default:
		return MEMTYPE_UNKNOWN;
	}
}

/*
 * memtype_reserve(start, end, requested, *given): what ioremap() and mmaps of whole ranges ask PAT for. Only
 * what can explain a finding is told of: write-combining, or another type than asked for. Arguments are taken
 * by number, as old verifiers refuse the enum pointer.
 */
SEC("fexit/memtype_reserve")
int memtype_reserved(__u64 *ctx)
{
	__u64 start = 0, end = 0, requested = 0, pointer = 0, ret = 0;
	struct event_reservation *body;
	struct event_header *header;
	struct recorder *r;
	__u32 given = 0;

	bpf_get_func_ret(ctx, &ret);
	bpf_get_func_arg(ctx, 0, &start);
	bpf_get_func_arg(ctx, 1, &end);
	bpf_get_func_arg(ctx, 2, &requested);
	bpf_get_func_arg(ctx, 3, &pointer);
	if ((__s32)ret || start >= end || bpf_probe_read_kernel(&given, sizeof(given), (void *)pointer))
		return 0;
	if ((__u32)requested == given && given != 1)
		return 0;
	r = recorder_get();
	if (!r)
		return 0;
	header = event_reserve(r, EVENT_RESERVATION, sizeof(struct event_reservation));
	if (!header)
		return 0;
	current_identity(&header->who);
	body = (struct event_reservation *)(header + 1);
	body->phys_start = start;
	body->phys_end = end;
	body->requested = memtype_of_cache_mode((__u32)requested);
	body->given = memtype_of_cache_mode(given);
	event_submit(r, header);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
