/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCES_BPF_H
#define VFIOWATCH_SOURCES_BPF_H

/* The ways to a mapping of a BAR, told from the VMA alone. Shared by recording, scanning and audits. */

#include "facts.bpf.h"

/* Without a handler for faults a page that is not there will not come. */
static __always_inline void fault_facts(struct vma_entry *entry, const struct vm_operations_struct *ops)
{
	if (!ops || (!BPF_CORE_READ(ops, fault) && !BPF_CORE_READ(ops, huge_fault)))
		entry->flags |= EVENT_MAPPING_NO_FAULT;
}

/* The kernel took its pages, and no fault brings them back. */
static __always_inline bool is_revoked(const struct vma_entry *entry)
{
	return entry->empty && entry->flags & EVENT_MAPPING_NO_FAULT;
}

static __always_inline void vfio_facts(struct vma_entry *entry, const struct file_entry *open_file,
				       const struct vm_operations_struct *ops, __u64 pgoff,
				       const __u64 *request)
{
	entry->source = SOURCE_VFIO;
	if (open_file)
		entry->file_id = open_file->event.file_id;
	vma_layout(entry, open_file, ops, pgoff, request);
	fault_facts(entry, ops);
}

#define MODULE_NAME_WORDS (EVENT_MODULE_LEN / 8)

/*
 * Whether the module that exported it is a VFIO driver. While one that has just been loaded is not known yet,
 * it is that the cookie was seen to be issued.
 */
static __always_inline bool exported_by_vfio(struct dma_buf *dmabuf, const struct cookie_entry *cookie)
{
	struct module *owner = BPF_CORE_READ(dmabuf, owner);
	__u64 name[MODULE_NAME_WORDS] = {}, different;
	struct recorder *r = recorder_get();

	if (vfio_pci_dmabuf_ops_address && (__u64)BPF_CORE_READ(dmabuf, ops) == vfio_pci_dmabuf_ops_address)
		return true;
	if (!r)
		return false;
	if (!owner || r->dialects_at != r->modules)
		return cookie;
	bpf_core_read(name, sizeof(name), &owner->name);
	for (int i = 0; i < EVENT_DRIVERS_MAX; i++) {
		const __u64 *driver = (const __u64 *)r->drivers[i];

		different = 0;
#pragma unroll
		for (int k = 0; k < MODULE_NAME_WORDS; k++)
			different |= driver[k] ^ name[k];
		if (!different)
			return true;
	}
	return false;
}

/* DMABUFs that no VFIO driver exported are none of ours. Of one whose export was not seen the pages tell
 * where it is. */
static __always_inline bool dma_buf_facts(struct vma_entry *entry, struct file *file,
					  const struct vm_operations_struct *ops)
{
	struct dma_buf *dmabuf = BPF_CORE_READ(file, private_data);
	struct cookie_key key = {.file = (__u64)dmabuf, .dialect = DIALECT_DMA_BUF};
	struct cookie_entry *cookie = bpf_map_lookup_elem(&cookies, &key);

	/* An entry may be that of another DMABUF, whose end was skipped. */
	if (!exported_by_vfio(dmabuf, cookie))
		return false;
	entry->region = EVENT_REGION_UNKNOWN;
	if (cookie) {
		entry->cookie_id = cookie->event.cookie_id;
		entry->file_id = cookie->event.file_id;
		entry->region = cookie->event.region;
	}
	entry->source = SOURCE_DMABUF;
	entry->flags |= EVENT_MAPPING_OFFSET_KNOWN;
	fault_facts(entry, ops);
	return true;
}

/*
 * What pci_mmap_resource_range() maps: vm_pgoff is the page frame, all pages are there at once, and faults
 * find no handler (kernfs puts its own in front, which asks for the driver's).
 */
static __always_inline void pci_facts(struct vma_entry *entry, __u16 source, struct pci_dev *pdev, __u32 bar)
{
	struct bar_range range = bar_range(pdev, bar);

	entry->source = source;
	entry->region = bar;
	entry->pci_address = pci_address(pdev);
	entry->flags |= EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_OFFSET_KNOWN |
			EVENT_MAPPING_NO_FAULT;
	/* A file of sysfs begins with the BAR, one of /proc/bus/pci takes physical addresses. */
	if (source == SOURCE_SYSFS)
		entry->offset_delta = -range.first;
}

static __always_inline bool sysfs_facts(struct vma_entry *entry, struct file *file)
{
	struct kernfs_node *node = BPF_CORE_READ(file, f_inode, i_private), *parent;
	struct bin_attribute *attribute = BPF_CORE_READ(node, priv);
	__u64 mmap = (__u64)BPF_CORE_READ(attribute, mmap);
	struct kobject *kobj;
	struct device *dev;

	if (!mmap || (mmap != pci_mmap_resource_uc_address && mmap != pci_mmap_resource_wc_address))
		return false;
	if (bpf_core_field_exists(struct kernfs_node, __parent))
		parent = BPF_CORE_READ(node, __parent);
	else
		parent = BPF_CORE_READ(node, parent);
	kobj = BPF_CORE_READ(parent, priv);
	dev = (struct device *)((void *)kobj - bpf_core_field_offset(struct device, kobj));
	pci_facts(entry, SOURCE_SYSFS, pci_dev_of(dev), (__u64)BPF_CORE_READ(attribute, private));
	return true;
}

/* Of these the page frame is known, and whose it is the ledger knows. */
static __always_inline void page_frame_facts(struct vma_entry *entry, __u16 source)
{
	entry->source = source;
	entry->flags |= EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_OFFSET_KNOWN | EVENT_MAPPING_NO_FAULT;
}

/*
 * Fills @entry, but for its id and times, with what @vma maps; false if that is none of our sources.
 * @open_file is the entry of a VFIO device file, else NULL.
 */
static __always_inline bool vma_facts(struct vma_entry *entry, struct vm_area_struct *vma, struct file *file,
				      const struct file_entry *open_file)
{
	const struct vm_operations_struct *ops = BPF_CORE_READ(vma, vm_ops);
	__u64 fops = (__u64)BPF_CORE_READ(file, f_op);

	entry->file = (__u64)file;
	entry->region = EVENT_REGION_UNKNOWN;
	if (is_vfio_device_file(file)) {
		vfio_facts(entry, open_file, ops, BPF_CORE_READ(vma, vm_pgoff), NULL);
		return true;
	}
	if (dma_buf_fops_address && fops == dma_buf_fops_address)
		return dma_buf_facts(entry, file, ops);
	if (kernfs_file_fops_address && fops == kernfs_file_fops_address)
		return sysfs_facts(entry, file);
	if (mmap_mem_ops_address && (__u64)ops == mmap_mem_ops_address) {
		page_frame_facts(entry, SOURCE_DEVMEM);
		return true;
	}
	if (pci_phys_vm_ops_address && (__u64)ops == pci_phys_vm_ops_address) {
		page_frame_facts(entry, SOURCE_OTHER);
		return true;
	}
	return false;
}

/*
 * Whether an entry known under the address of a VMA was made for this very one, and not for one that was
 * there before, if the end of that one and the beginning of this one were both skipped.
 */
static __always_inline bool same_mapping(const struct vma_entry *known, const struct vma_entry *found)
{
	/* Of /proc/bus/pci the VMA does not tell the device. */
	bool same_region = known->region == found->region || known->source == SOURCE_OTHER;

	return known->mapping_id && known->file == found->file && known->file_id == found->file_id &&
	       known->source == found->source && same_region &&
	       ((known->flags ^ found->flags) & EVENT_MAPPING_PHYS_KNOWN) == 0 &&
	       known->phys_delta == found->phys_delta;
}

#endif
