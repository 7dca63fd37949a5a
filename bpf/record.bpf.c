// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Recording: what VFIO issues and maps, and how long it lives. Attached by trampolines to functions of the
 * vfio modules and to the two places where the kernel copies and frees VMAs. The tables hold the truth; the
 * events are hints of it.
 *
 * The kernel skips such a program when it is already running on the CPU, also when that run was merely
 * preempted (__bpf_prog_enter_recur() in kernel/bpf/trampoline.c). On a preemptible kernel that happens, and
 * bpf_preempt_disable() does not help: its end is where the preemption then takes place. So no program may
 * count on another one having run, and what was skipped is found by the daemon from the kernel's count of it,
 * and put right by an audit (audit.bpf.c).
 */

#include "facts.bpf.h"

#include <linux/vfio.h>
#include <bpf/bpf_tracing.h>

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

static __always_inline struct file *current_file(long fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = NULL;

	if (fd < 0 || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slot = BPF_CORE_READ(table, fd) + fd;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
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

/* Counts the cookie as issued once more, making its entry if it is new, and tells of it. */
static __always_inline void cookie_issued(struct recorder *r, struct cookie_key *key,
					  struct cookie_entry *fresh)
{
	struct event_header *header;
	struct cookie_entry *entry;
	struct event_cookie *body;

	entry = bpf_map_lookup_elem(&cookies, key);
	if (!entry) {
		fresh->event.cookie_id = recorder_new_identity(r);
		fresh->event.issued_ns = bpf_ktime_get_boot_ns();
		current_identity(&fresh->issuer);
		bpf_map_update_elem(&cookies, key, fresh, BPF_NOEXIST);
		entry = bpf_map_lookup_elem(&cookies, key);
		if (!entry) {
			__sync_fetch_and_add(&r->untracked_cookies, 1);
			return;
		}
	}
	entry->event.size = fresh->event.size;
	entry->event.flags = fresh->event.flags;

	header = event_reserve(r, EVENT_COOKIE, sizeof(struct event_cookie));
	if (!header) {
		__sync_fetch_and_add(&entry->event.issued, 1);
		return;
	}
	current_identity(&header->who);
	body = (struct event_cookie *)(header + 1);
	*body = entry->event;
	body->issued = __sync_fetch_and_add(&entry->event.issued, 1) + 1;
	event_submit(r, header);
}

/*
 * The copy that userspace got is read back: another thread of the process can change it in between and so lie
 * about its own cookie, but not about anybody else's.
 */
static __always_inline void region_info_issued(struct recorder *r, struct file *file, const void *arg)
{
	struct vfio_region_info info = {};
	struct cookie_entry fresh;
	struct cookie_key key = {};
	struct file_entry *entry;

	entry = file_known(r, file, EVENT_FILE_FROM_SCAN);
	if (!entry || bpf_probe_read_user(&info, sizeof(info), arg)) {
		__sync_fetch_and_add(&r->untracked_cookies, 1);
		return;
	}
	key.file = (__u64)file;
	key.offset = info.offset;
	key.region = info.index;
	key.dialect = DIALECT_REGION_INFO;

	__builtin_memset(&fresh, 0, sizeof(fresh));
	fresh.event.file_id = entry->event.file_id;
	fresh.event.offset = info.offset;
	fresh.event.size = info.size;
	fresh.event.region = info.index;
	fresh.event.flags = info.flags;
	fresh.event.dialect = DIALECT_REGION_INFO;
	fresh.event.ranges = 1;
	cookie_issued(r, &key, &fresh);
}

/* VFIO_DEVICE_FEATURE_DMA_BUF, which the headers of older kernels lack; include/uapi/linux/vfio.h. */
#define FEATURE_DMA_BUF 11

struct feature_dma_buf {
	__u32 argsz;
	__u32 flags;
	__u32 region_index;
};

/* The region index is what userspace asked for; size and ranges come from the kernel's own object. */
static __always_inline void dma_buf_issued(struct recorder *r, struct file *file, const void *arg, long fd)
{
	struct feature_dma_buf feature = {};
	struct vfio_pci_dma_buf *priv;
	struct cookie_entry fresh;
	struct cookie_key key = {};
	struct file_entry *entry;
	struct dma_buf *dmabuf;
	struct file *exported;

	if (bpf_probe_read_user(&feature, sizeof(feature), arg))
		return;
	if ((feature.flags & VFIO_DEVICE_FEATURE_MASK) != FEATURE_DMA_BUF ||
	    !(feature.flags & VFIO_DEVICE_FEATURE_GET) || (feature.flags & VFIO_DEVICE_FEATURE_PROBE))
		return;
	exported = current_file(fd);
	dmabuf = BPF_CORE_READ(exported, private_data);
	if (!dmabuf || !vfio_pci_dmabuf_ops_address ||
	    (__u64)BPF_CORE_READ(dmabuf, ops) != vfio_pci_dmabuf_ops_address)
		return;
	entry = file_known(r, file, EVENT_FILE_FROM_SCAN);
	if (!entry) {
		__sync_fetch_and_add(&r->untracked_cookies, 1);
		return;
	}
	key.file = (__u64)dmabuf;
	key.dialect = DIALECT_DMA_BUF;

	priv = BPF_CORE_READ(dmabuf, priv);
	__builtin_memset(&fresh, 0, sizeof(fresh));
	fresh.event.file_id = entry->event.file_id;
	fresh.event.size = BPF_CORE_READ(priv, size);
	fresh.event.ranges = BPF_CORE_READ(priv, nr_ranges);
	fresh.event.phys_start = BPF_CORE_READ(priv, phys_vec, paddr);
	fresh.event.region = feature.region_index;
	fresh.event.dialect = DIALECT_DMA_BUF;
	cookie_issued(r, &key, &fresh);
}

static __always_inline void device_ioctl(struct file *file, unsigned int cmd, unsigned long arg, long ret)
{
	struct recorder *r = recorder_get();

	if (!r)
		return;
	if (cmd == VFIO_DEVICE_GET_REGION_INFO)
		region_info_issued(r, file, (const void *)arg);
	else if (bpf_core_type_exists(struct vfio_pci_dma_buf))
		dma_buf_issued(r, file, (const void *)arg, ret);
}

SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(vfio_device_ioctl, struct file *file, unsigned int cmd, unsigned long arg, long ret)
{
	if (ret < 0 || (cmd != VFIO_DEVICE_GET_REGION_INFO && cmd != VFIO_DEVICE_FEATURE))
		return 0;
	device_ioctl(file, cmd, arg, ret);
	return 0;
}

SEC("fentry/vfio_pci_dma_buf_release")
int BPF_PROG(dma_buf_release, struct dma_buf *dmabuf)
{
	struct cookie_key key = {.file = (__u64)dmabuf, .dialect = DIALECT_DMA_BUF};
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct cookie_entry *entry;
	struct event_cookie body = {};

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

/*
 * The entry that vfio_mmap_enter() made. If the kernel skipped that there is none, or one whose end was
 * skipped as well; then there is a new one and *request stays NULL.
 */
static __always_inline struct vma_entry *begun_entry(__u64 key, const __u64 **request)
{
	struct vma_entry *entry = bpf_map_lookup_elem(&vmas, &key), fresh = {};

	if (entry && !entry->mapping_id) {
		*request = &entry->request_pgoff;
		return entry;
	}
	bpf_map_update_elem(&vmas, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&vmas, &key);
}

SEC("fexit/vfio_device_fops_mmap")
int BPF_PROG(vfio_mmap_exit, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct event_mapping *body;
	struct vma_entry *entry;
	struct file_entry *open_file;
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
	open_file = file_known(r, file, EVENT_FILE_FROM_SCAN);
	if (open_file)
		entry->file_id = open_file->event.file_id;
	entry->flags = 0;
	vma_layout(entry, open_file, vma->vm_ops, vma->vm_pgoff, request);
	header = event_reserve(r, EVENT_MAP, sizeof(struct event_mapping));
	entry->mapped_ns = header ? header->time_ns : bpf_ktime_get_boot_ns();
	entry->mapping_id = recorder_new_identity(r);
	if (!header)
		return 0;
	current_identity(&header->who);
	body = (struct event_mapping *)(header + 1);
	mapping_describe(body, entry, vma->vm_start, vma->vm_end, vma->vm_pgoff);
	body->page_prot = vma->vm_page_prot.pgprot;
	body->vm_flags = vma->vm_flags;
	event_submit(r, header);
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
	if (!known || !known->mapping_id || !is_vfio_device_file(orig->vm_file))
		return;
	r = recorder_get();
	if (!r)
		return;

	entry = *known;
	from_id = entry.mapping_id;
	entry.mapping_id = recorder_new_identity(r);
	entry.mapped_ns = bpf_ktime_get_boot_ns();
	entry.flags &= ~EVENT_MAPPING_FROM_SCAN;
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
