// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Audits: removing table entries whose end was not seen, because the kernel skipped the program that would
 * have seen it.
 *
 * The daemon raises recorder.audit, then runs mark_*: every entry at rest becomes a candidate. Then it walks
 * all VMAs and descriptors (scan.bpf.c), which notes what was seen. A candidate that was not seen is dead,
 * since it was at rest before the walk began: drop_* removes it. An entry that cannot be a candidate three
 * audits in a row is one all the same: its VMA's memory holds something else.
 */

#include "settled.bpf.h"

#include <bpf/bpf_tracing.h>

#define DOUBTS_MAX 3

SEC("iter/bpf_map_elem")
int mark_mappings(struct bpf_iter__bpf_map_elem *ctx)
{
	struct vma_entry *entry = ctx->value;
	struct recorder *r = recorder_get();
	const __u64 *address = ctx->key;

	if (!entry || !address || !r)
		return 0;
	if (vma_settled((struct vm_area_struct *)*address, entry) || entry->doubts >= DOUBTS_MAX)
		entry->candidate = r->audit;
	else
		entry->doubts++;
	return 0;
}

SEC("iter/bpf_map_elem")
int drop_mappings(struct bpf_iter__bpf_map_elem *ctx)
{
	struct vma_entry *entry = ctx->value;
	struct recorder *r = recorder_get();
	const __u64 *address = ctx->key;
	__u64 key;

	if (!entry || !address || !r || entry->seen == r->audit)
		return 0;
	if (entry->candidate != r->audit) {
		/* In the making, or not yet sure to be dead: look again. */
		if (entry->doubts)
			__sync_fetch_and_add(&r->suspect, 1);
		return 0;
	}
	key = *address;
	bpf_map_delete_elem(&vmas, &key);
	return 0;
}

SEC("iter/bpf_map_elem")
int mark_files(struct bpf_iter__bpf_map_elem *ctx)
{
	struct file_entry *entry = ctx->value;
	struct recorder *r = recorder_get();

	if (entry && r)
		entry->candidate = r->audit;
	return 0;
}

SEC("iter/bpf_map_elem")
int drop_files(struct bpf_iter__bpf_map_elem *ctx)
{
	struct file_entry *entry = ctx->value;
	struct recorder *r = recorder_get();
	const __u64 *address = ctx->key;
	__u64 key, file_id;

	if (!entry || !address || !r || entry->candidate != r->audit || entry->seen == r->audit)
		return 0;
	key = *address;
	file_id = entry->event.file_id;
	bpf_for_each_map_elem(&cookies, forget_cookie, &file_id, 0);
	bpf_map_delete_elem(&files, &key);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
