// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Reading the truth. Two programs find what was there before recording began and put it into the tables; the
 * others read the tables together with the live kernel objects behind their entries. What they write is a row
 * of events.
 */

#include "settled.bpf.h"
#include "sources.bpf.h"
#include "walk.bpf.h"

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

/* Every VMA of every process: those that map BARs and are not known become known. */
SEC("iter/task_vma")
int find_mappings(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	struct vma_entry *known, entry = {};
	struct file_entry *open_file = NULL;
	struct recorder *r;
	struct file *file;
	__u64 key = (__u64)vma;
	bool is_new;

	if (!vma || !(vma->vm_flags & VM_PFNMAP))
		return 0;
	file = vma->vm_file;
	r = recorder_get();
	if (!file || !r)
		return 0;
	if (is_vfio_device_file(file)) {
		open_file = file_entry_get(r, file, EVENT_FILE_FROM_SCAN, &is_new);
		if (open_file)
			open_file->seen = r->audit;
	}
	entry.flags = EVENT_MAPPING_FROM_SCAN;
	if (!vma_facts(&entry, vma, file, open_file))
		return 0;
	entry.seen = r->audit;
	entry.stale = 1;

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
static __noinline bool is_our_vma(struct vm_area_struct *vma, const struct vma_entry *entry, __u64 start,
				  __u64 end, __u64 vm_flags)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct file_entry *open_file;
	struct vma_entry found = {};
	__u64 key = (__u64)file;

	if (!(vm_flags & VM_PFNMAP) || !file)
		return false;
	/* A freed VMA may have its RCU head there, kernel addresses, and what came after it anything. */
	if (start >= end || end >> 63 || (start | end) % 4096)
		return false;
	open_file = bpf_map_lookup_elem(&files, &key);
	return vma_facts(&found, vma, file, open_file) && same_mapping(entry, &found);
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
	ours = is_our_vma(vma, entry, row.mapping.start, row.mapping.end, row.mapping.vm_flags);

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

/* Set by the daemon: also the pages of mappings that nothing is known to have happened to. */
__u64 walk_everything = 0;

/* Counted for the daemon: walks that were cut short, to be gone on with by reading again. */
__u64 walks_unfinished = 0;

/*
 * What the page tables say of a mapping, as rows of EVENT_PAGES. A walk is cut after WALK_STEPS tables or
 * WALK_ROWS rows, so the daemon reads until none is unfinished. If the rows do not fit into what is left of
 * the reader's buffer the kernel calls again for the same entry, so nothing may be noted before they were
 * taken.
 */
SEC("iter/bpf_map_elem")
int read_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	struct vma_entry *entry = ctx->value, *again;
	const __u64 *address = ctx->key;
	__u64 key, from, start, end, id, time_ns;
	struct vm_area_struct *vma;
	struct walk *w;
	bool settled, whole = true;
	__u64 size;

	if (!address || !entry || !entry->mapping_id)
		return 0;
	if (!walk_everything && !entry->stale && !entry->walk_from)
		return 0;
	from = entry->stale ? 0 : entry->walk_from;
	key = *address;
	vma = (struct vm_area_struct *)key;
	id = entry->mapping_id;
	settled = vma_settled(vma, entry);
	start = BPF_CORE_READ(vma, vm_start);
	end = BPF_CORE_READ(vma, vm_end);
	/* The end of ours was skipped; it is read_mappings() that has it looked for. */
	if (!is_our_vma(vma, entry, start, end, BPF_CORE_READ(vma, vm_flags)))
		return 0;
	if (from > start && from < end) {
		start = from;
		whole = false;
	}
	/* What happens while the walk goes on is newer than it. */
	time_ns = bpf_ktime_get_boot_ns();
	entry->stale = 0;
	w = walk_pages(WALK_ITERATOR, id, vma, start, end);
	if (!w || !is_our_vma(vma, entry, start, end, BPF_CORE_READ(vma, vm_flags)))
		return 0;
	again = bpf_map_lookup_elem(&vmas, &key);
	if (!again || again->mapping_id != id)
		return 0;
	for (__u32 i = 0; i <= WALK_ROWS && i < w->n_rows; i++) {
		struct event_header *header = &walk_row_at(w, i)->header;

		scan_header(header, EVENT_PAGES, sizeof(struct event_pages));
		header->time_ns = time_ns;
	}
	size = w->n_rows * sizeof(struct row_pages);
	asm volatile("" : "+r"(size));
	if (size > sizeof(w->rows))
		return 0;
	if (bpf_seq_write(ctx->meta->seq, w->rows, size)) {
		again->stale = 1;
		return 0;
	}
	again->walk_from = 0;
	again->empty = whole && settled && !w->broken && w->cursor >= end && w->n_rows == 1 &&
		       !w->rows[0].pages.n_runs;
	if (w->broken || !settled) {
		again->stale = 1;
	} else if (w->cursor < end) {
		again->walk_from = w->cursor;
		__sync_fetch_and_add(&walks_unfinished, 1);
	}
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
