// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Recording: what VFIO issues, what maps BARs, and how long it lives. Attached by trampolines to functions of
 * the vfio modules, to the other ways to map a BAR, and to the two places where the kernel copies and frees
 * VMAs. The tables hold the truth; the events are hints of it.
 *
 * The kernel skips such a program when it is already running on the CPU, also when that run was merely
 * preempted (__bpf_prog_enter_recur() in kernel/bpf/trampoline.c). On a preemptible kernel that happens, and
 * bpf_preempt_disable() does not help: its end is where the preemption then takes place. So no program may
 * count on another one having run, and what was skipped is found by the daemon from the kernel's count of it,
 * and put right by an audit (audit.bpf.c).
 */

#include "dialects.bpf.h"
#include "pages.bpf.h"
#include "sources.bpf.h"

#include <bpf/bpf_tracing.h>

/* enum pci_mmap_state of include/linux/pci.h */
#define PCI_MMAP_MEM 1

static __always_inline void event_file_open(struct recorder *r, const struct file_entry *entry)
{
	struct event_header *header = event_reserve(r, EVENT_OPEN, sizeof(struct event_file));

	if (!header)
		return;
	/* Who opened a file that is older is not known; it is not the one who uses it now. */
	if (!(entry->event.flags & EVENT_FILE_FROM_SCAN))
		current_identity(&header->who);
	*(struct event_file *)(header + 1) = entry->event;
	event_submit(r, header);
}

/* The entry of a device file; if it is new it is told of. @flags say how it came to be known. */
static __always_inline struct file_entry *file_known(struct recorder *r, struct file *file, __u32 flags)
{
	struct file_entry *entry;
	bool is_new;

	entry = file_entry_get(r, file, flags, &is_new);
	if (entry && is_new)
		event_file_open(r, entry);
	return entry;
}

/* VFIO_GROUP_GET_DEVICE_FD; another thread may have closed the descriptor already, then there is nothing to
 * see. */
SEC("fexit/vfio_group_fops_unl_ioctl")
int BPF_PROG(vfio_group_ioctl, struct file *group, unsigned int cmd, unsigned long arg, long ret)
{
	struct recorder *r;
	struct file *file;

	if (cmd != VFIO_GROUP_GET_DEVICE_FD || ret < 0)
		return 0;
	r = recorder_get();
	file = current_file(ret);
	if (r && file && is_vfio_device_file(file))
		file_known(r, file, 0);
	return 0;
}

SEC("fexit/vfio_device_fops_cdev_open")
int BPF_PROG(vfio_cdev_open, struct inode *inode, struct file *file, int ret)
{
	struct recorder *r = recorder_get();

	if (!ret && r)
		file_known(r, file, EVENT_FILE_IS_CDEV);
	return 0;
}

SEC("fentry/vfio_device_fops_release")
int BPF_PROG(vfio_file_release, struct inode *inode, struct file *file)
{
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct file_entry *entry;
	__u64 key = (__u64)file, file_id;

	if (!r)
		return 0;
	entry = bpf_map_lookup_elem(&files, &key);
	if (!entry)
		return 0;
	file_id = entry->event.file_id;
	bpf_for_each_map_elem(&cookies, forget_cookie, &file_id, 0);
	bpf_map_delete_elem(&files, &key);

	header = event_reserve(r, EVENT_RELEASE, sizeof(struct event_file));
	if (!header)
		return 0;
	((struct event_file *)(header + 1))->file_id = file_id;
	event_submit(r, header);
	return 0;
}

static __always_inline void device_ioctl(struct file *file, unsigned int cmd, const void *arg, long ret)
{
	struct recorder *r = recorder_get();
	struct file_entry *open_file;

	if (!r)
		return;
	if (cmd == SET_MMAP_ATTRS ? !speaks(r, DIALECT_MMAP_ATTRS)
				  : cmd > SET_MMAP_ATTRS && !speaks(r, DIALECT_GET_MMAP))
		return;
	open_file = file_known(r, file, EVENT_FILE_FROM_SCAN);
	if (!open_file) {
		__sync_fetch_and_add(&r->untracked_cookies, 1);
		return;
	}
	if (cmd == VFIO_DEVICE_GET_REGION_INFO)
		region_info_issued(r, file, open_file, arg);
	else if (cmd == VFIO_DEVICE_FEATURE)
		feature_used(r, file, open_file, arg, ret);
	else if (cmd == SET_MMAP_ATTRS)
		mmap_attrs_set(r, file, open_file, arg);
	else
		get_mmap_issued(r, file, open_file, arg);
}

/*
 * Reset takes the pages of mappings, and has given the lock back by now. The function that does it is no hook
 * for that: compilers inline it, and a hot reset, which concerns other devices too, does without.
 */
static __always_inline void device_was_reset(struct file *file, unsigned int cmd)
{
	struct recorder *r = recorder_get();
	struct file_entry *open_file;
	__u64 key = (__u64)file;

	open_file = bpf_map_lookup_elem(&files, &key);
	if (!r || !open_file)
		return;
	revoke_event(r, cmd == VFIO_DEVICE_RESET ? REVOKE_DEVICE : REVOKE_VFIO, true,
		     open_file->event.pci_address, 0, 0);
}

/* Numbers above those of the released kernels are looked at for the dialects that may have them. */
SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(vfio_device_ioctl, struct file *file, unsigned int cmd, unsigned long arg, long ret)
{
	if (cmd == VFIO_DEVICE_RESET || cmd == VFIO_DEVICE_PCI_HOT_RESET)
		device_was_reset(file, cmd);
	if (ret < 0 || (cmd != VFIO_DEVICE_GET_REGION_INFO && cmd != VFIO_DEVICE_FEATURE &&
			(cmd < SET_MMAP_ATTRS || cmd >> 8 != SET_MMAP_ATTRS >> 8)))
		return 0;
	device_ioctl(file, cmd, (const void *)arg, ret);
	return 0;
}

/* Of any exporter: whether it is one of ours the table says. */
SEC("fentry/dma_buf_file_release")
int BPF_PROG(dma_buf_release, struct inode *inode, struct file *file)
{
	struct cookie_key key = {.dialect = DIALECT_DMA_BUF};
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct cookie_entry *entry;
	struct event_cookie body = {};

	key.file = (__u64)file->private_data;
	entry = bpf_map_lookup_elem(&cookies, &key);
	if (!entry || !r)
		return 0;
	body.cookie_id = entry->event.cookie_id;
	body.file_id = entry->event.file_id;
	bpf_map_delete_elem(&cookies, &key);

	header = event_reserve(r, EVENT_COOKIE_RELEASE, sizeof(struct event_cookie));
	if (!header)
		return 0;
	*(struct event_cookie *)(header + 1) = body;
	event_submit(r, header);
	return 0;
}

/* The cookie is in vm_pgoff only until the driver's handler ran, so it is kept from here to the exit. */
SEC("fentry/vfio_device_fops_mmap")
int BPF_PROG(vfio_mmap_enter, struct file *file, struct vm_area_struct *vma)
{
	struct vma_entry entry = {.request_pgoff = vma->vm_pgoff};
	__u64 key = (__u64)vma;

	bpf_map_update_elem(&vmas, &key, &entry, BPF_ANY);
	return 0;
}

/* Not on the stack, of which there is little. */
static const struct vma_entry empty_entry;

/*
 * The entry that vfio_mmap_enter() made. If the kernel skipped that there is none, or one whose end was
 * skipped as well; then there is a new one and *request stays NULL.
 */
static __always_inline struct vma_entry *begun_entry(__u64 key, const __u64 **request)
{
	struct vma_entry *entry = bpf_map_lookup_elem(&vmas, &key);

	if (entry && !entry->mapping_id) {
		*request = &entry->request_pgoff;
		return entry;
	}
	bpf_map_update_elem(&vmas, &key, &empty_entry, BPF_ANY);
	return bpf_map_lookup_elem(&vmas, &key);
}

/* Tells of a new mapping whose entry is complete but for id and time. */
static __always_inline void mapping_made(struct recorder *r, struct vma_entry *entry,
					 struct vm_area_struct *vma)
{
	struct event_header *header = event_reserve(r, EVENT_MAP, sizeof(struct event_mapping));
	struct event_mapping *body;

	entry->mapped_ns = header ? header->time_ns : bpf_ktime_get_boot_ns();
	entry->mapping_id = recorder_new_identity(r);
	if (!header)
		return;
	current_identity(&header->who);
	body = (struct event_mapping *)(header + 1);
	mapping_describe(body, entry, vma->vm_start, vma->vm_end, vma->vm_pgoff);
	body->page_prot = vma->vm_page_prot.pgprot;
	body->vm_flags = vma->vm_flags;
	event_submit(r, header);
}

/* Of pages that are there from the beginning the truth is told at once. */
static __always_inline void pages_made(struct recorder *r, __u32 user, struct vma_entry *entry,
				       struct vm_area_struct *vma)
{
	if (entry->flags & EVENT_MAPPING_NO_FAULT)
		pages_tell(r, user, entry, vma, vma->vm_start, vma->vm_end);
}

/* Not inlined: its stack must not add to that of a walk. */
static __noinline struct file_entry *mapped_file(struct recorder *r, struct file *file)
{
	return file_known(r, file, EVENT_FILE_FROM_SCAN);
}

SEC("fexit/vfio_device_fops_mmap")
int BPF_PROG(vfio_mmap_exit, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct recorder *r = recorder_get();
	struct file_entry *open_file;
	struct vma_entry *entry;
	const __u64 *request = NULL;
	__u64 key = (__u64)vma;

	if (ret || !r) {
		bpf_map_delete_elem(&vmas, &key);
		return 0;
	}
	entry = begun_entry(key, &request);
	if (!entry) {
		__sync_fetch_and_add(&r->untracked_mappings, 1);
		return 0;
	}
	open_file = mapped_file(r, file);
	entry->flags = 0;
	entry->file = (__u64)vma->vm_file;
	vfio_facts(entry, open_file, vma->vm_ops, vma->vm_pgoff, request);
	/* A driver with another handler fills pages without telling. */
	entry->stale = (__u64)vma->vm_ops != vfio_pci_mmap_ops_address;
	mapping_made(r, entry, vma);
	pages_made(r, WALK_MMAP_VFIO, entry, vma);
	return 0;
}

/* The mapping of another source than a VFIO device file; @entry holds its facts. */
static __always_inline void other_mapped(struct vma_entry *entry, struct vm_area_struct *vma, __u32 user)
{
	struct recorder *r = recorder_get();
	struct vma_entry *stored;
	__u64 key = (__u64)vma;

	if (!r)
		return;
	entry->file = (__u64)vma->vm_file;
	bpf_map_update_elem(&vmas, &key, entry, BPF_ANY);
	stored = bpf_map_lookup_elem(&vmas, &key);
	if (!stored) {
		__sync_fetch_and_add(&r->untracked_mappings, 1);
		return;
	}
	mapping_made(r, stored, vma);
	pages_made(r, user, stored, vma);
}

/* resourceN, resourceN_wc and /proc/bus/pci; of I/O ports nothing is kept. */
SEC("fexit/pci_mmap_resource_range")
int BPF_PROG(pci_mapped, struct pci_dev *pdev, int bar, struct vm_area_struct *vma, int state,
	     int write_combine, int ret)
{
	__u64 fops = (__u64)BPF_CORE_READ(vma, vm_file, f_op);
	struct vma_entry entry = {};
	__u64 device = 0;

	if (ret || state != PCI_MMAP_MEM || bar < 0 || bar >= EVENT_BARS)
		return 0;
	/* As a plain number: old verifiers refuse a computed index into what they know as a struct pci_dev.
	 */
	bpf_get_func_arg(ctx, 0, &device);
	pci_facts(&entry, fops == kernfs_file_fops_address ? SOURCE_SYSFS : SOURCE_OTHER,
		  (struct pci_dev *)device, bar);
	other_mapped(&entry, vma, WALK_MMAP_PCI);
	return 0;
}

static __always_inline void devmem_mapped(struct vm_area_struct *vma)
{
	struct vma_entry entry = {.region = EVENT_REGION_UNKNOWN};

	page_frame_facts(&entry, SOURCE_DEVMEM);
	other_mapped(&entry, vma, WALK_MMAP_DEVMEM);
}

SEC("fexit/mmap_mem")
int BPF_PROG(devmem_mmap, struct file *file, struct vm_area_struct *vma, int ret)
{
	if (!ret)
		devmem_mapped(vma);
	return 0;
}

/* Where /dev/mem prepares its mappings before there is a VMA ("mmap_prepare"), the kernel fills them here. */
SEC("fexit/remap_pfn_range_complete")
int BPF_PROG(devmem_mmap_complete, struct vm_area_struct *vma)
{
	__u64 ret = 0;

	/* What comes after the VMA is not the same on all kernels that have it. */
	bpf_get_func_ret(ctx, &ret);
	if (!(__s32)ret && mmap_mem_ops_address && (__u64)vma->vm_ops == mmap_mem_ops_address)
		devmem_mapped(vma);
	return 0;
}

SEC("fexit/dma_buf_mmap_internal")
int BPF_PROG(dma_buf_mapped, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct vma_entry entry = {.stale = 1};

	if (!ret && dma_buf_facts(&entry, file, vma->vm_ops))
		other_mapped(&entry, vma, WALK_MMAP_DMABUF);
	return 0;
}

/* Fork, split and mremap copy a VMA; the copy gets its own range and address space only after this. */
static __always_inline void mapping_copied(struct vm_area_struct *orig, struct vm_area_struct *copy)
{
	struct vma_entry *known, entry;
	struct event_header *header;
	struct event_mapping *body;
	struct recorder *r;
	__u64 key = (__u64)orig, from_id;

	known = bpf_map_lookup_elem(&vmas, &key);
	/* The entry may be that of a VMA whose end was skipped. */
	if (!known || !known->mapping_id || (__u64)orig->vm_file != known->file)
		return;
	r = recorder_get();
	if (!r)
		return;

	entry = *known;
	from_id = entry.mapping_id;
	entry.mapping_id = recorder_new_identity(r);
	entry.mapped_ns = bpf_ktime_get_boot_ns();
	entry.flags &= ~EVENT_MAPPING_FROM_SCAN;
	entry.stale = 1;
	entry.walk_from = 0;
	key = (__u64)copy;
	if (bpf_map_update_elem(&vmas, &key, &entry, BPF_ANY)) {
		__sync_fetch_and_add(&r->untracked_mappings, 1);
		return;
	}
	header = event_reserve(r, EVENT_COPY, sizeof(struct event_mapping));
	if (!header)
		return;
	current_identity(&header->who);
	body = (struct event_mapping *)(header + 1);
	mapping_describe(body, &entry, orig->vm_start, orig->vm_end, orig->vm_pgoff);
	body->from_id = from_id;
	body->page_prot = orig->vm_page_prot.pgprot;
	body->vm_flags = orig->vm_flags;
	event_submit(r, header);
}

SEC("fexit/vm_area_dup")
int BPF_PROG(vma_copied, struct vm_area_struct *orig, struct vm_area_struct *copy)
{
	if (!copy || !(orig->vm_flags & VM_PFNMAP))
		return 0;
	mapping_copied(orig, copy);
	return 0;
}

static __always_inline void mapping_gone(struct vm_area_struct *vma)
{
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct vma_entry *entry;
	__u64 key = (__u64)vma, mapping_id;

	entry = bpf_map_lookup_elem(&vmas, &key);
	if (!entry)
		return;
	mapping_id = entry->mapping_id;
	bpf_map_delete_elem(&vmas, &key);
	if (!mapping_id || !r)
		return;

	header = event_reserve(r, EVENT_UNMAP, sizeof(struct event_mapping));
	if (!header)
		return;
	((struct event_mapping *)(header + 1))->mapping_id = mapping_id;
	event_submit(r, header);
}

/* Runs for every VMA of the host: one test of a flag for those that are not ours. */
SEC("fentry/vm_area_free")
int BPF_PROG(vma_free, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_PFNMAP))
		return 0;
	mapping_gone(vma);
	return 0;
}

/* Linux 6.4 to 6.14 free VMAs of an exiting process by this function alone. */
SEC("fentry/__vm_area_free")
int BPF_PROG(vma_free_now, struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_PFNMAP))
		return 0;
	mapping_gone(vma);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
