/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

/*
 * The least @max ids above @after, in rising order, without allocating: @entries is a heap with the greatest
 * id on top while the table is walked, and is sorted in place afterwards. In the order in which ids are given
 * out, the usual one, an entry costs one comparison once the heap is full.
 */
#define DEFINE_LIST(type)                                                                                    \
	static void sift_##type(const struct type **heap, size_t at, size_t n)                               \
	{                                                                                                    \
		const struct type *entry = heap[at];                                                         \
                                                                                                             \
		for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {                             \
			if (child + 1 < n && heap[child + 1]->id > heap[child]->id)                          \
				child++;                                                                     \
			if (heap[child]->id <= entry->id)                                                    \
				break;                                                                       \
			heap[at] = heap[child];                                                              \
			at = child;                                                                          \
		}                                                                                            \
		heap[at] = entry;                                                                            \
	}                                                                                                    \
                                                                                                             \
	static void make_heap_##type(const struct type **heap, size_t n)                                     \
	{                                                                                                    \
		for (size_t i = n / 2; i-- > 0;)                                                             \
			sift_##type(heap, i, n);                                                             \
	}                                                                                                    \
                                                                                                             \
	/* Takes @entry as number *n of the @max least so far. */                                            \
	static void offer_##type(const struct type **heap, size_t *n, size_t max, const struct type *entry)  \
	{                                                                                                    \
		if (*n < max) {                                                                              \
			heap[(*n)++] = entry;                                                                \
			if (*n == max)                                                                       \
				make_heap_##type(heap, max);                                                 \
		} else if (entry->id < heap[0]->id) {                                                        \
			heap[0] = entry;                                                                     \
			sift_##type(heap, 0, max);                                                           \
		}                                                                                            \
	}                                                                                                    \
                                                                                                             \
	static size_t sort_##type(const struct type **heap, size_t n)                                        \
	{                                                                                                    \
		make_heap_##type(heap, n);                                                                   \
		for (size_t left = n; left > 1; left--) {                                                    \
			const struct type *greatest = heap[0];                                               \
                                                                                                             \
			heap[0] = heap[left - 1];                                                            \
			heap[left - 1] = greatest;                                                           \
			sift_##type(heap, 0, left - 1);                                                      \
		}                                                                                            \
		return n;                                                                                    \
	}                                                                                                    \
                                                                                                             \
	static size_t list_##type(const struct type *table, uint64_t after, const struct type **entries,     \
				  size_t max, bool (*wanted)(const struct type *entry))                      \
	{                                                                                                    \
		size_t n = 0;                                                                                \
                                                                                                             \
		if (!max)                                                                                    \
			return 0;                                                                            \
		for (const struct type *entry = table; entry; entry = entry->hh.next)                        \
			if (entry->id > after && (!wanted || wanted(entry)))                                 \
				offer_##type(entries, &n, max, entry);                                       \
		return sort_##type(entries, n);                                                              \
	}

/* clang-format off */
DEFINE_LIST(device)
DEFINE_LIST(device_file)
DEFINE_LIST(cookie)
DEFINE_LIST(mapping)
/* clang-format on */

static bool file_is_live(const struct device_file *file)
{
	return file->live;
}

static bool cookie_is_live(const struct cookie *cookie)
{
	return cookie->live;
}

static bool mapping_is_live(const struct mapping *mapping)
{
	return mapping->live;
}

size_t ledger_list_devices(const struct ledger *ledger, uint64_t after, const struct device **entries,
			   size_t max)
{
	return list_device(ledger->devices, after, entries, max, NULL);
}

size_t ledger_list_files(const struct ledger *ledger, bool all, uint64_t after,
			 const struct device_file **entries, size_t max)
{
	return list_device_file(ledger->files, after, entries, max, all ? NULL : file_is_live);
}

size_t ledger_list_cookies(const struct ledger *ledger, bool all, uint64_t after,
			   const struct cookie **entries, size_t max)
{
	return list_cookie(ledger->cookies, after, entries, max, all ? NULL : cookie_is_live);
}

size_t ledger_list_mappings(const struct ledger *ledger, bool all, uint64_t after,
			    const struct mapping **entries, size_t max)
{
	return list_mapping(ledger->mappings, after, entries, max, all ? NULL : mapping_is_live);
}

static bool process_is(const struct process *process, uint32_t tgid)
{
	return process && process->key.tgid == tgid;
}

bool ledger_device_has_process(const struct device *device, uint32_t tgid)
{
	const struct device_file *file;
	const struct mapping *mapping;
	const struct holder *holder;

	DL_FOREACH2 (device->file_list, file, device_next) {
		if (process_is(file->opener, tgid))
			return true;
		DL_FOREACH (file->holders, holder)
			if (process_is(holder->process, tgid))
				return true;
	}
	DL_FOREACH2 (device->mapping_list, mapping, device_next)
		if (process_is(mapping->owner, tgid))
			return true;
	return false;
}
