/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_PAGES_BPF_H
#define VFIOWATCH_PAGES_BPF_H

/* Telling what a walk of page tables found, as kernel events. */

#include "walk.bpf.h"

/* What a fault fills is one run: such a record ends after it, so that the ring holds three times as many. */
#define PAGES_ONE_RUN (offsetof(struct event_pages, runs) + sizeof(struct event_page_run))

static __always_inline void pages_event(struct recorder *r, const struct event_pages *row, __u64 time_ns)
{
	struct event_header *header;

	if (row->n_runs <= 1) {
		header = event_reserve(r, EVENT_POPULATE, PAGES_ONE_RUN);
		if (header)
			__builtin_memcpy(header + 1, row, PAGES_ONE_RUN);
	} else {
		header = event_reserve(r, EVENT_POPULATE, sizeof(struct event_pages));
		if (header)
			*(struct event_pages *)(header + 1) = *row;
	}
	if (!header)
		return;
	header->time_ns = time_ns;
	current_identity(&header->who);
	event_submit(r, header);
}

/* Reads the pages of @vma from @start to @end and tells of them; what one walk leaves over is for the next
 * reading. */
static __always_inline void pages_tell(struct recorder *r, __u32 user, struct vma_entry *entry,
				       struct vm_area_struct *vma, __u64 start, __u64 end)
{
	/* What takes pages away while the walk goes on is newer than it. */
	__u64 time_ns = bpf_ktime_get_boot_ns();
	struct walk *w = walk_pages(user, entry->mapping_id, vma, start, end);

	if (!w) {
		entry->stale = 1;
		return;
	}
	for (__u32 i = 0; i <= WALK_ROWS && i < w->n_rows; i++)
		pages_event(r, &walk_row_at(w, i)->pages, time_ns);
	if (w->cursor < end)
		entry->stale = 1;
}

/* @uncertain: pages may have been taken, or not; the daemon reads. */
static __always_inline void revoke_event(struct recorder *r, __u32 scope, bool uncertain, __u64 address,
					 __u64 start, __u64 end)
{
	struct event_header *header = event_reserve(r, EVENT_REVOKE, sizeof(struct event_revoke));
	struct event_revoke *body;

	if (!header)
		return;
	current_identity(&header->who);
	body = (struct event_revoke *)(header + 1);
	body->scope = scope;
	body->uncertain = uncertain;
	body->pci_address = address;
	body->phys_start = start;
	body->phys_end = end;
	event_submit(r, header);
}

#endif
