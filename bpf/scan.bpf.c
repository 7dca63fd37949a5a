// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Reading the truth. Two programs find what was there before recording began and put it into the tables; the
 * others read the tables together with the live kernel objects behind their entries. What they write is a row
 * of events.
 */

#include "settled.bpf.h"

#include <bpf/bpf_tracing.h>

static __always_inline void scan_header(struct event_header *header, __u16 type, __u32 body_size)
{
	header->version = EVENT_VERSION;
	header->type = type;
	header->size = sizeof(*header) + body_size;
	header->origin = EVENT_ORIGIN_SCAN;
	header->time_ns = bpf_ktime_get_boot_ns();
}

struct row_file {
	struct event_header header;
	struct event_file file;
};

struct row_cookie {
	struct event_header header;
	struct event_cookie cookie;
};

struct row_mapping {
	struct event_header header;
	struct event_mapping mapping;
};

struct row_holder {
	struct event_header header;
	struct event_holder holder;
};

/*
 * An entry that is known under the address of this VMA may still belong to one that was there before, if the
 * end of that one and the beginning of this one were both skipped.
 */
static __always_inline bool same_mapping(const struct vma_entry *known, const struct vma_entry *found)
{
	return known->mapping_id && known->file_id == found->file_id && known->region == found->region &&
	       ((known->flags ^ found->flags) & EVENT_MAPPING_PHYS_KNOWN) == 0 &&
	       known->phys_delta == found->phys_delta;
}

/* Every VMA of every process: those over a VFIO device file that are not known become known. */
SEC("iter/task_vma")
int find_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct vma_entry *known, entry = {};
	struct file_entry *open_file;
	struct recorder *r;
	struct file *file;
	__u64 key = (__u64)vma, pgoff;
	bool is_new;

	if (!vma || !(vma->vm_flags & VM_PFNMAP))
		return 0;
	file = vma->vm_file;
	if (!file || !is_vfio_device_file(file))
		return 0;
	r = recorder_get();
	if (!r)
		return 0;
	open_file = file_entry_get(r, file, EVENT_FILE_FROM_SCAN, &is_new);
	if (open_file) {
		entry.file_id = open_file->event.file_id;
		open_file->seen = r->audit;
	}
	pgoff = vma->vm_pgoff;
	entry.flags = EVENT_MAPPING_FROM_SCAN;
	vma_layout(&entry, open_file, vma->vm_ops, pgoff, NULL);
	entry.seen = r->audit;

	known = bpf_map_lookup_elem(&vmas, &key);
	if (known && same_mapping(known, &entry)) {
		known->seen = r->audit;
		known->doubts = 0;
		return 0;
	}
	entry.mapping_id = recorder_new_identity(r);
	if (bpf_map_update_elem(&vmas, &key, &entry, BPF_ANY))
		__sync_fetch_and_add(&r->untracked_mappings, 1);
	return 0;
}

/* Every descriptor of every process: one row for each that refers to a VFIO device file. */
SEC("iter/task_file")
int read_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct file_entry *entry;
	struct row_holder row;
	struct recorder *r;
	bool is_new;

	if (!file || !task || !is_vfio_device_file(file))
		return 0;
	r = recorder_get();
	if (!r)
		return 0;
	entry = file_entry_get(r, file, EVENT_FILE_FROM_SCAN, &is_new);
	if (!entry)
		return 0;
	entry->seen = r->audit;
	__builtin_memset(&row, 0, sizeof(row));
	scan_header(&row.header, EVENT_HOLDER, sizeof(row.holder));
	process_identity(task, &row.header.who);
	row.holder.file_id = entry->event.file_id;
	row.holder.fds = 1;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

/*
 * False if the kernel uses the memory for something else, be it another mapping of VFIO: then the end of our
 * VMA was skipped, and an audit is due.
 */
static __always_inline bool is_our_vma(struct vm_area_struct *vma, const struct vma_entry *entry,
				       const struct event_mapping *mapping, __u64 pgoff)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct vma_entry found = {};
	struct file_entry *open_file;
	__u64 key = (__u64)file;

	if (!(mapping->vm_flags & VM_PFNMAP) || !file || !is_vfio_device_file(file))
		return false;
	/* A freed VMA may have its RCU head there: kernel addresses. */
	if (mapping->start >= mapping->end || mapping->end >> 63)
		return false;
	open_file = bpf_map_lookup_elem(&files, &key);
	if (open_file)
		found.file_id = open_file->event.file_id;
	vma_layout(&found, open_file, BPF_CORE_READ(vma, vm_ops), pgoff, NULL);
	return same_mapping(entry, &found);
}

/*
 * The entry's VMA is alive as long as the entry is in the table. It may be freed and used again while we
 * read, so what was read counts only if the entry is still there afterwards.
 */
SEC("iter/bpf_map_elem")
int read_mappings(struct bpf_iter__bpf_map_elem *ctx)
{
	struct vma_entry *entry = ctx->value, *again;
	const __u64 *address = ctx->key;
	struct vm_area_struct *vma;
	struct row_mapping row;
	struct task_struct *owner;
	struct mm_struct *mm;
	struct recorder *r;
	bool settled, ours;
	__u64 key, pgoff;

	if (!address || !entry || !entry->mapping_id)
		return 0;
	key = *address;
	vma = (struct vm_area_struct *)key;
	__builtin_memset(&row, 0, sizeof(row));
	scan_header(&row.header, EVENT_MAPPING, sizeof(row.mapping));

	mm = BPF_CORE_READ(vma, vm_mm);
	settled = vma_settled(vma, entry);
	pgoff = BPF_CORE_READ(vma, vm_pgoff);
	mapping_describe(&row.mapping, entry, BPF_CORE_READ(vma, vm_start), BPF_CORE_READ(vma, vm_end),
			 pgoff);
	row.mapping.page_prot = BPF_CORE_READ(vma, vm_page_prot.pgprot);
	row.mapping.vm_flags = BPF_CORE_READ(vma, vm_flags);
	if (bpf_core_field_exists(struct mm_struct, owner)) {
		owner = BPF_CORE_READ(mm, owner);
		if (owner)
			process_identity(owner, &row.header.who);
	}
	if (!settled || !vma_settled(vma, entry))
		row.mapping.flags |= EVENT_MAPPING_UNSETTLED;
	ours = is_our_vma(vma, entry, &row.mapping, pgoff);

	again = bpf_map_lookup_elem(&vmas, &key);
	if (!again || again->mapping_id != row.mapping.mapping_id)
		return 0;
	if (!ours) {
		r = recorder_get();
		if (r)
			__sync_fetch_and_add(&r->suspect, 1);
		return 0;
	}
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

SEC("iter/bpf_map_elem")
int read_files(struct bpf_iter__bpf_map_elem *ctx)
{
	struct file_entry *entry = ctx->value;
	struct row_file row;

	if (!entry)
		return 0;
	__builtin_memset(&row, 0, sizeof(row));
	scan_header(&row.header, EVENT_FILE, sizeof(row.file));
	row.header.who = entry->opener;
	row.file = entry->event;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

SEC("iter/bpf_map_elem")
int read_cookies(struct bpf_iter__bpf_map_elem *ctx)
{
	struct cookie_entry *entry = ctx->value;
	struct row_cookie row;

	if (!entry)
		return 0;
	__builtin_memset(&row, 0, sizeof(row));
	scan_header(&row.header, EVENT_COOKIE_LIVE, sizeof(row.cookie));
	row.header.who = entry->issuer;
	row.cookie = entry->event;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
