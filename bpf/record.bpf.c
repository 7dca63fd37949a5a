// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Recording: what VFIO issues and maps, and how long it lives. Attached by trampolines to functions of the vfio modules
 * and to the two places where the kernel copies and frees VMAs. The tables hold the truth; the events are hints of it.
 */

#include "facts.bpf.h"

#include <linux/vfio.h>
#include <bpf/bpf_tracing.h>

#define MAX_ERRNO 4095

static __always_inline void event_file_open(struct recorder *r, const struct file_entry *entry)
{
	struct event_header *header = event_reserve(r, EVENT_OPEN, sizeof(struct event_file));

	if (!header)
		return;
	current_identity(&header->who);
	*(struct event_file *)(header + 1) = entry->event;
	event_submit(r, header);
}

/* The entry of a file that userspace is using now; if it is new it was open before recording began. */
static __always_inline struct file_entry *file_in_use(struct recorder *r, struct file *file)
{
	struct file_entry *entry;
	bool is_new;

	entry = file_entry_get(r, file, EVENT_FILE_FROM_SCAN, &is_new);
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

/* VFIO_GROUP_GET_DEVICE_FD; another thread may have closed the descriptor already, then there is nothing to see. */
SEC("fexit/vfio_group_fops_unl_ioctl")
int BPF_PROG(vfio_group_ioctl, struct file *group, unsigned int cmd, unsigned long arg, long ret)
{
	struct recorder *r = recorder_get();
	struct file_entry *entry;
	struct file *file;
	bool is_new;

	if (cmd != VFIO_GROUP_GET_DEVICE_FD || ret < 0 || !r)
		return 0;
	file = current_file(ret);
	if (!file || !is_vfio_device_file(file))
		return 0;
	entry = file_entry_get(r, file, 0, &is_new);
	if (entry && is_new)
		event_file_open(r, entry);
	return 0;
}

SEC("fexit/vfio_device_fops_cdev_open")
int BPF_PROG(vfio_cdev_open, struct inode *inode, struct file *file, int ret)
{
	struct recorder *r = recorder_get();
	struct file_entry *entry;
	bool is_new;

	if (ret || !r)
		return 0;
	entry = file_entry_get(r, file, EVENT_FILE_IS_CDEV, &is_new);
	if (entry && is_new)
		event_file_open(r, entry);
	return 0;
}

/* A DMABUF is a file of its own and outlives the device file it came from. */
static long forget_cookie(struct bpf_map *map, struct cookie_key *key, struct cookie_entry *entry, __u64 *file_id)
{
	if (entry->event.file_id == *file_id && entry->event.dialect != DIALECT_DMA_BUF)
		bpf_map_delete_elem(map, key);
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
static __always_inline void cookie_issued(struct recorder *r, struct cookie_key *key, struct cookie_entry *fresh)
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
 * The copy that userspace got is read back: another thread of the process can change it in between and so lie about
 * its own cookie, but not about anybody else's.
 */
static __always_inline void region_info_issued(struct recorder *r, struct file *file, const void *arg)
{
	struct vfio_region_info info = {};
	struct cookie_entry fresh;
	struct cookie_key key = {};
	struct file_entry *entry;

	entry = file_in_use(r, file);
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
	entry = file_in_use(r, file);
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

SEC("fexit/vfio_device_fops_unl_ioctl")
int BPF_PROG(vfio_device_ioctl, struct file *file, unsigned int cmd, unsigned long arg, long ret)
{
	struct recorder *r;

	if (ret < 0 || (cmd != VFIO_DEVICE_GET_REGION_INFO && cmd != VFIO_DEVICE_FEATURE))
		return 0;
	r = recorder_get();
	if (!r)
		return 0;
	if (cmd == VFIO_DEVICE_GET_REGION_INFO)
		region_info_issued(r, file, (const void *)arg);
	else if (bpf_core_type_exists(struct vfio_pci_dma_buf))
		dma_buf_issued(r, file, (const void *)arg, ret);
	return 0;
}

SEC("fentry/vfio_pci_dma_buf_release")
int BPF_PROG(dma_buf_release, struct dma_buf *dmabuf)
{
	struct cookie_key key = { .file = (__u64)dmabuf, .dialect = DIALECT_DMA_BUF };
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
	struct vma_entry entry = { .request_pgoff = vma->vm_pgoff };
	__u64 key = (__u64)vma;

	bpf_map_update_elem(&vmas, &key, &entry, BPF_ANY);
	return 0;
}

SEC("fexit/vfio_device_fops_mmap")
int BPF_PROG(vfio_mmap_exit, struct file *file, struct vm_area_struct *vma, int ret)
{
	struct recorder *r = recorder_get();
	struct event_header *header;
	struct event_mapping *body;
	struct vma_entry *entry;
	struct file_entry *open_file;
	__u64 key = (__u64)vma;

	if (ret || !r) {
		bpf_map_delete_elem(&vmas, &key);
		return 0;
	}
	entry = bpf_map_lookup_elem(&vmas, &key);
	if (!entry) {
		__sync_fetch_and_add(&r->untracked_mappings, 1);
		return 0;
	}
	open_file = file_in_use(r, file);
	if (open_file)
		entry->file_id = open_file->event.file_id;
	entry->flags = EVENT_MAPPING_OFFSET_KNOWN;
	vma_layout(entry, open_file, vma->vm_ops, vma->vm_pgoff, entry->request_pgoff);
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
SEC("fexit/vm_area_dup")
int BPF_PROG(vma_copied, struct vm_area_struct *orig, struct vm_area_struct *copy)
{
	struct vma_entry *known, entry;
	struct event_header *header;
	struct event_mapping *body;
	struct recorder *r;
	__u64 key = (__u64)orig, from_id;

	if (!copy || !(orig->vm_flags & VM_PFNMAP))
		return 0;
	known = bpf_map_lookup_elem(&vmas, &key);
	if (!known || !known->mapping_id)
		return 0;
	r = recorder_get();
	if (!r)
		return 0;

	entry = *known;
	from_id = entry.mapping_id;
	entry.mapping_id = recorder_new_identity(r);
	entry.mapped_ns = bpf_ktime_get_boot_ns();
	entry.flags &= ~EVENT_MAPPING_FROM_SCAN;
	key = (__u64)copy;
	if (bpf_map_update_elem(&vmas, &key, &entry, BPF_ANY)) {
		__sync_fetch_and_add(&r->untracked_mappings, 1);
		return 0;
	}
	header = event_reserve(r, EVENT_COPY, sizeof(struct event_mapping));
	if (!header)
		return 0;
	current_identity(&header->who);
	body = (struct event_mapping *)(header + 1);
	mapping_describe(body, &entry, orig->vm_start, orig->vm_end, orig->vm_pgoff);
	body->from_id = from_id;
	body->page_prot = orig->vm_page_prot.pgprot;
	body->vm_flags = orig->vm_flags;
	event_submit(r, header);
	return 0;
}

/* Runs for every VMA of the host: one test of a flag for those that are not ours. */
static __always_inline int vma_freed(struct vm_area_struct *vma)
{
	struct event_header *header;
	struct vma_entry *entry;
	struct recorder *r;
	__u64 key = (__u64)vma, mapping_id;

	if (!(vma->vm_flags & VM_PFNMAP))
		return 0;
	entry = bpf_map_lookup_elem(&vmas, &key);
	if (!entry)
		return 0;
	mapping_id = entry->mapping_id;
	bpf_map_delete_elem(&vmas, &key);
	r = recorder_get();
	if (!mapping_id || !r)
		return 0;

	header = event_reserve(r, EVENT_UNMAP, sizeof(struct event_mapping));
	if (!header)
		return 0;
	((struct event_mapping *)(header + 1))->mapping_id = mapping_id;
	event_submit(r, header);
	return 0;
}

SEC("fentry/vm_area_free")
int BPF_PROG(vma_free, struct vm_area_struct *vma)
{
	return vma_freed(vma);
}

/* Linux 6.4 to 6.14 free VMAs of an exiting process by this function alone. */
SEC("fentry/__vm_area_free")
int BPF_PROG(vma_free_now, struct vm_area_struct *vma)
{
	return vma_freed(vma);
}

char LICENSE[] SEC("license") = "GPL";
