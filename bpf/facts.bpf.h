/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_FACTS_BPF_H
#define VFIOWATCH_FACTS_BPF_H

/* What can be read from kernel structures about processes, device files and VMAs. Shared by recording and
 * scanning. */

#include "kernel_types.bpf.h"
#include "ring.bpf.h"

#include <bpf/bpf_core_read.h>

/* Addresses of kernel symbols, set by the loader; 0: this kernel has no such symbol. */
const volatile __u64 vfio_device_fops_mmap_address = 0;
const volatile __u64 vfio_pci_mmap_ops_address = 0;
const volatile __u64 vfio_pci_dmabuf_ops_address = 0;
const volatile __u64 vfio_pci_core_mmap_address = 0;
const volatile __u64 dma_buf_fops_address = 0;
const volatile __u64 kernfs_file_fops_address = 0;
const volatile __u64 pci_mmap_resource_uc_address = 0;
const volatile __u64 pci_mmap_resource_wc_address = 0;
const volatile __u64 pci_phys_vm_ops_address = 0;
const volatile __u64 mmap_mem_ops_address = 0;

/* log2 of the page size, set by the loader: arm64 has several. */
const volatile __u32 page_shift = 12;

/* The layout of vfio-pci's cookies, VFIO_PCI_OFFSET_SHIFT of include/linux/vfio_pci_core.h, in pages. */
#define COOKIE_REGION_SHIFT (40 - page_shift)
#define COOKIE_PAGE_MASK    ((1ULL << COOKIE_REGION_SHIFT) - 1)

/* Identity of the process that @task belongs to. */
static __always_inline void process_identity(struct task_struct *task, struct event_process_id *id)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	id->start_ns = BPF_CORE_READ(leader, start_boottime);
	id->tgid = BPF_CORE_READ(leader, tgid);
	id->uid = BPF_CORE_READ(leader, cred, uid.val);
	id->cgroup_id = BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
	bpf_core_read(&id->comm, sizeof(id->comm), &leader->comm);
}

/* The same of the current process, by direct loads: this is on the path of every mmap and ioctl of a VFIO
 * device. */
static __always_inline void current_identity(struct event_process_id *id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *leader = task->group_leader;

	id->start_ns = leader->start_boottime;
	id->tgid = leader->tgid;
	id->uid = leader->cred->uid.val;
	id->cgroup_id = leader->cgroups->dfl_cgrp->kn->id;
	bpf_core_read(&id->comm, sizeof(id->comm), &leader->comm);
}

static __always_inline bool is_vfio_device_file(struct file *file)
{
	return vfio_device_fops_mmap_address &&
	       (__u64)BPF_CORE_READ(file, f_op, mmap) == vfio_device_fops_mmap_address;
}

static __always_inline struct vfio_device *vfio_file_device(struct file *file)
{
	void *data = BPF_CORE_READ(file, private_data);

	if (bpf_core_type_exists(struct vfio_device_file))
		return BPF_CORE_READ((struct vfio_device_file *)data, device);
	return data;
}

static __always_inline __u64 pci_domain(struct pci_bus *bus)
{
	struct pci_sysdata *sysdata;

	if (bpf_core_field_exists(struct pci_bus, domain_nr))
		return (__u32)BPF_CORE_READ(bus, domain_nr);
	sysdata = BPF_CORE_READ(bus, sysdata);
	return (__u32)BPF_CORE_READ(sysdata, domain);
}

static __always_inline struct bar_range bar_range(struct pci_dev *pdev, __u32 index)
{
	struct resource *resource = (void *)pdev + bpf_core_field_offset(struct pci_dev, resource) +
				    index * bpf_core_type_size(struct resource);
	__u64 start = BPF_CORE_READ(resource, start), end = BPF_CORE_READ(resource, end);
	struct bar_range range = {};

	if (start == 0 || end < start)
		return range;
	range.first = start >> page_shift;
	range.pages = (end >> page_shift) - range.first + 1;
	return range;
}

static __always_inline struct pci_dev *pci_dev_of(struct device *dev)
{
	return (struct pci_dev *)((void *)dev - bpf_core_field_offset(struct pci_dev, dev));
}

static __always_inline __u64 pci_address(struct pci_dev *pdev)
{
	struct pci_bus *bus = BPF_CORE_READ(pdev, bus);

	return EVENT_PCI_ADDRESS(pci_domain(bus), BPF_CORE_READ(bus, number),
				 (__u8)BPF_CORE_READ(pdev, devfn));
}

static __always_inline void device_facts(struct vfio_device *device, struct file_entry *entry)
{
	struct device *dev = BPF_CORE_READ(device, dev);
	struct pci_dev *pdev;
	char bus_name[4] = {};

	if (vfio_pci_core_mmap_address &&
	    (__u64)BPF_CORE_READ(device, ops, mmap) != vfio_pci_core_mmap_address)
		entry->event.flags |= EVENT_FILE_VARIANT;

	bpf_probe_read_kernel_str(entry->event.device, sizeof(entry->event.device),
				  BPF_CORE_READ(dev, kobj.name));
	bpf_probe_read_kernel_str(bus_name, sizeof(bus_name), BPF_CORE_READ(dev, bus, name));
	if (bus_name[0] != 'p' || bus_name[1] != 'c' || bus_name[2] != 'i')
		return;

	pdev = pci_dev_of(dev);
	for (__u32 i = 0; i < EVENT_BARS; i++)
		entry->bars[i] = bar_range(pdev, i);
	entry->event.flags |= EVENT_DEVICE_IS_PCI;
	entry->event.pci_address = pci_address(pdev);
}

/*
 * The entry of a VFIO device file; made if there is none, which is the case when it is opened and when it was
 * open before recording began (@flags says which). NULL: no room, and counted. *is_new says if it was made.
 */
static __always_inline struct file_entry *file_entry_get(struct recorder *r, struct file *file, __u32 flags,
							 bool *is_new)
{
	struct file_entry *entry, fresh;
	__u64 key = (__u64)file;

	*is_new = false;
	entry = bpf_map_lookup_elem(&files, &key);
	if (entry)
		return entry;

	__builtin_memset(&fresh, 0, sizeof(fresh));
	fresh.event.file_id = recorder_new_identity(r);
	fresh.event.flags = flags;
	if (!(flags & EVENT_FILE_FROM_SCAN)) {
		fresh.event.opened_ns = bpf_ktime_get_boot_ns();
		current_identity(&fresh.opener);
	}
	device_facts(vfio_file_device(file), &fresh);
	if (bpf_map_update_elem(&files, &key, &fresh, BPF_NOEXIST) == 0)
		*is_new = true;
	entry = bpf_map_lookup_elem(&files, &key);
	if (!entry)
		__sync_fetch_and_add(&r->untracked_files, 1);
	return entry;
}

/* For bpf_for_each_map_elem() over cookies, when a file goes. A DMABUF is a file of its own and outlives the
 * device file it came from. */
static __attribute__((unused)) long forget_cookie(struct bpf_map *map, struct cookie_key *key,
						  struct cookie_entry *entry, __u64 *file_id)
{
	if (entry->event.file_id == *file_id && entry->event.dialect != DIALECT_DMA_BUF)
		bpf_map_delete_elem(map, key);
	return 0;
}

static __always_inline void layout_of_page_frame(struct vma_entry *entry, const struct file_entry *file,
						 __u64 pgoff)
{
	const struct bar_range *bar;

	for (__u32 i = 0; i < EVENT_BARS; i++) {
		bar = &file->bars[i];
		if (pgoff < bar->first || pgoff - bar->first >= bar->pages)
			continue;
		entry->region = i;
		entry->phys_delta = 0;
		entry->flags |= EVENT_MAPPING_PHYS_KNOWN;
		if (!(entry->flags & EVENT_MAPPING_OFFSET_KNOWN))
			entry->offset_delta = ((__u64)i << COOKIE_REGION_SHIFT) - bar->first;
		entry->flags |= EVENT_MAPPING_OFFSET_KNOWN;
		return;
	}
}

static __always_inline void layout_of_cookie(struct vma_entry *entry, const struct file_entry *file,
					     __u64 pgoff)
{
	__u64 region = pgoff >> COOKIE_REGION_SHIFT, page = pgoff & COOKIE_PAGE_MASK;
	const struct bar_range *bar;

	if (region >= EVENT_BARS)
		return;
	bar = &file->bars[region];
	if (page >= bar->pages)
		return;
	entry->region = region;
	entry->phys_delta = bar->first + page - pgoff;
	entry->flags |= EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_OFFSET_KNOWN;
}

/*
 * Where the bytes of a VMA come from, by the rules of vfio-pci's own VMA operations; for drivers with others
 * that stays unknown. @pgoff is vm_pgoff now; @request is what userspace gave to mmap, NULL if that was not
 * seen.
 */
static __always_inline void vma_layout(struct vma_entry *entry, const struct file_entry *file,
				       const void *vm_ops, __u64 pgoff, const __u64 *request)
{
	entry->region = EVENT_REGION_UNKNOWN;
	if (request) {
		entry->offset_delta = *request - pgoff;
		entry->flags |= EVENT_MAPPING_OFFSET_KNOWN;
	}
	if (!file || !vfio_pci_mmap_ops_address || (__u64)vm_ops != vfio_pci_mmap_ops_address)
		return;
	if (bpf_core_type_exists(struct vfio_pci_mmap_vma))
		layout_of_page_frame(entry, file, pgoff);
	else
		layout_of_cookie(entry, file, pgoff);
}

/* Fills @mapping from the entry and what the VMA says now. */
static __always_inline void mapping_describe(struct event_mapping *mapping, const struct vma_entry *entry,
					     __u64 start, __u64 end, __u64 pgoff)
{
	mapping->mapping_id = entry->mapping_id;
	mapping->file_id = entry->file_id;
	mapping->cookie_id = entry->cookie_id;
	mapping->pci_address = entry->pci_address;
	mapping->start = start;
	mapping->end = end;
	mapping->mapped_ns = entry->mapped_ns;
	mapping->region = entry->region;
	mapping->flags = entry->flags;
	mapping->source = entry->source;
	if (entry->flags & EVENT_MAPPING_OFFSET_KNOWN)
		mapping->offset = (pgoff + entry->offset_delta) << page_shift;
	if (entry->flags & EVENT_MAPPING_PHYS_KNOWN)
		mapping->phys_start = (pgoff + entry->phys_delta) << page_shift;
}

#endif
