/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding_internal.h"

static bool entry_is_before(const struct index_entry *entry, uint64_t start, uint64_t id)
{
	return entry->start < start || (entry->start == start && entry->owner->id < id);
}

/* The block that (start, id) is in or would be put into. Every block has an entry: not for an empty index. */
static size_t find_block(const struct segment_index *index, uint64_t start, uint64_t id)
{
	size_t low = 0, high = index->n;

	/* The first block whose first entry is not before it; the one before that is ours. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_is_before(&index->shelves[middle].block->entries[0], start, id))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < index->n && index->shelves[low].block->entries[0].start == start &&
	    index->shelves[low].block->entries[0].owner->id == id)
		return low;
	return low ? low - 1 : 0;
}

static size_t find_entry(const struct index_block *block, uint64_t start, uint64_t id)
{
	size_t low = 0, high = block->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_is_before(&block->entries[middle], start, id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void block_measure(struct index_block *block)
{
	block->highest_end = 0;
	for (size_t i = 0; i < block->n; i++)
		if (block->entries[i].end > block->highest_end)
			block->highest_end = block->entries[i].end;
}

/* Blocks @first to @last changed; those after them only as far as the running end did. */
static void running_ends(struct segment_index *index, size_t first, size_t last)
{
	uint64_t end = first ? index->shelves[first - 1].running_end : 0;

	for (size_t i = first; i < index->n; i++) {
		if (index->shelves[i].block->highest_end > end)
			end = index->shelves[i].block->highest_end;
		if (i > last && index->shelves[i].running_end == end)
			return;
		index->shelves[i].running_end = end;
	}
}

static int shelf_add(struct segment_index *index, size_t at, struct index_block **ret)
{
	struct index_block *block;

	if (grow((void **)&index->shelves, &index->capacity, index->n, sizeof(*index->shelves)) < 0)
		return -ENOMEM;
	block = malloc(sizeof(*block));
	if (!block)
		return -ENOMEM;
	block->n = 0;
	block->highest_end = 0;
	memmove(&index->shelves[at + 1], &index->shelves[at], (index->n - at) * sizeof(*index->shelves));
	index->shelves[at] = (struct shelf){.block = block};
	index->n++;
	*ret = block;
	return 0;
}

static void shelf_remove(struct segment_index *index, size_t at)
{
	free(index->shelves[at].block);
	index->n--;
	memmove(&index->shelves[at], &index->shelves[at + 1], (index->n - at) * sizeof(*index->shelves));
}

static int block_split(struct segment_index *index, size_t at)
{
	struct index_block *block = index->shelves[at].block, *upper;

	if (shelf_add(index, at + 1, &upper) < 0)
		return -ENOMEM;
	upper->n = block->n - block->n / 2;
	block->n /= 2;
	memcpy(upper->entries, block->entries + block->n, upper->n * sizeof(*upper->entries));
	block_measure(block);
	block_measure(upper);
	running_ends(index, at, at + 1);
	return 0;
}

int index_insert(struct segment_index *index, const struct segment *segment, struct tracked *owner)
{
	struct index_block *block;
	size_t at = 0, i;

	if (index->n)
		at = find_block(index, segment->start, owner->id);
	else if (shelf_add(index, 0, &block) < 0)
		return -ENOMEM;
	if (index->shelves[at].block->n == BLOCK_ENTRIES) {
		if (block_split(index, at) < 0)
			return -ENOMEM;
		at = find_block(index, segment->start, owner->id);
	}
	block = index->shelves[at].block;
	i = find_entry(block, segment->start, owner->id);
	memmove(&block->entries[i + 1], &block->entries[i], (block->n - i) * sizeof(*block->entries));
	block->entries[i] = (struct index_entry){segment->start, segment->end, owner};
	block->n++;
	if (segment->end > block->highest_end)
		block->highest_end = segment->end;
	running_ends(index, at, at);
	return 0;
}

/* Keeps blocks from becoming many and small. */
static void block_merge(struct segment_index *index, size_t at)
{
	struct index_block *block = index->shelves[at].block, *upper;

	if (at + 1 >= index->n)
		return;
	upper = index->shelves[at + 1].block;
	if (block->n + upper->n > BLOCK_ENTRIES / 2)
		return;
	memcpy(block->entries + block->n, upper->entries, upper->n * sizeof(*upper->entries));
	block->n += upper->n;
	if (upper->highest_end > block->highest_end)
		block->highest_end = upper->highest_end;
	shelf_remove(index, at + 1);
}

void index_remove(struct segment_index *index, uint64_t start, const struct tracked *owner)
{
	struct index_block *block;
	size_t at, i;

	if (!index->n)
		return;
	at = find_block(index, start, owner->id);
	block = index->shelves[at].block;
	i = find_entry(block, start, owner->id);
	if (i == block->n || block->entries[i].owner != owner || block->entries[i].start != start)
		return;
	block->n--;
	memmove(&block->entries[i], &block->entries[i + 1], (block->n - i) * sizeof(*block->entries));
	block_measure(block);
	if (block->n)
		block_merge(index, at);
	else
		shelf_remove(index, at);
	running_ends(index, at, at);
}

void index_clear(struct segment_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		free(index->shelves[i].block);
	free(index->shelves);
	*index = (struct segment_index){};
}

static int visit_block(const struct index_block *block, uint64_t start, uint64_t end, index_visit visit,
		       void *userdata)
{
	for (size_t i = 0; i < block->n && block->entries[i].start < end; i++) {
		int r;

		if (block->entries[i].end <= start)
			continue;
		r = visit(userdata, block->entries[i].owner);
		if (r)
			return r;
	}
	return 0;
}

int index_overlaps(const struct segment_index *index, uint64_t start, uint64_t end, index_visit visit,
		   void *userdata)
{
	size_t low = 0, high = index->n;

	/* Blocks from high on begin at or after the end. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->shelves[middle].block->entries[0].start < end)
			low = middle + 1;
		else
			high = middle;
	}
	while (low-- > 0 && index->shelves[low].running_end > start) {
		int r;

		if (index->shelves[low].block->highest_end <= start)
			continue;
		r = visit_block(index->shelves[low].block, start, end, visit, userdata);
		if (r)
			return r;
	}
	return 0;
}
