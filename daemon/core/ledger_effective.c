/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a mapping stands with the CPU. */
#include "core/ledger_internal.h"

bool mapping_revoked(const struct mapping *mapping)
{
	if (!mapping->live)
		return false;
	if (mapping->cookie && mapping->cookie->attributes & COOKIE_REVOKED)
		return true;
	return mapping->no_fault && mapping->pages_known && !mapping->n_runs;
}

void mapping_effective(const struct mapping *mapping, struct effective *ret)
{
	*ret = (struct effective){.kind = EFFECTIVE_UNPOPULATED};
	if (mapping_revoked(mapping)) {
		ret->kind = EFFECTIVE_REVOKED;
		return;
	}
	for (size_t i = 0; i < mapping->n_runs; i++) {
		const struct page_run *run = &mapping->runs[i];

		ret->populated[run->leaf] += run->end - run->start;
		if (i > 0 && run->type != ret->type)
			ret->kind = EFFECTIVE_MIXED;
		else if (i == 0)
			ret->kind = EFFECTIVE_ONE;
		if (i == 0)
			ret->type = run->type;
	}
	if (ret->kind != EFFECTIVE_ONE)
		ret->type = MEMTYPE_UNKNOWN;
	if (!mapping->pages_known)
		ret->kind = EFFECTIVE_UNKNOWN;
}

/* The first run that ends above @address; n_runs: there is none. */
static size_t run_at(const struct mapping *mapping, uint64_t address)
{
	size_t low = 0, high = mapping->n_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mapping->runs[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The part of the gap from @start to @end that a fault would fill, as far as one knows. */
static bool gap_piece(const struct mapping *mapping, enum memtype requested, uint64_t start, uint64_t end,
		      struct piece *ret)
{
	if (mapping->no_fault || !mapping->phys_known || requested == MEMTYPE_UNKNOWN)
		return false;
	if (start < mapping->told_start)
		start = mapping->told_start;
	if (end > mapping->told_end)
		end = mapping->told_end;
	if (start >= end)
		return false;
	*ret = (struct piece){
		.start = start,
		.end = end,
		.phys_start = mapping->phys_start + (start - mapping->start),
		.type = requested,
	};
	return true;
}

/* The next piece at *cursor or above, of one run or one gap, not joined with anything. */
static bool next_part(const struct mapping *mapping, enum memtype requested, uint64_t *cursor,
		      struct piece *ret)
{
	uint64_t at = *cursor > mapping->start ? *cursor : mapping->start;
	size_t i = run_at(mapping, at);

	while (at < mapping->end) {
		const struct page_run *run = i < mapping->n_runs ? &mapping->runs[i] : NULL;
		uint64_t gap_end = run ? run->start : mapping->end, gap_start = at;

		if (at < gap_end) {
			*cursor = at = gap_end;
			if (gap_piece(mapping, requested, gap_start, gap_end, ret))
				return true;
			continue;
		}
		i++;
		*cursor = run->end;
		if (run->type != MEMTYPE_UNKNOWN) {
			*ret = (struct piece){
				.start = at,
				.end = run->end,
				.phys_start = run->phys_start + (at - run->start),
				.type = run->type,
				.populated = true,
			};
			return true;
		}
		at = run->end;
	}
	return false;
}

/* Where nobody reads page tables a mapping counts with what it asked for. */
static bool whole_piece(const struct mapping *mapping, enum memtype requested, uint64_t *cursor,
			struct piece *ret)
{
	if (*cursor >= mapping->end || !mapping->phys_known || requested == MEMTYPE_UNKNOWN)
		return false;
	*cursor = mapping->end;
	*ret = (struct piece){
		.start = mapping->start,
		.end = mapping->end,
		.phys_start = mapping->phys_start,
		.type = requested,
	};
	return true;
}

bool mapping_next_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t *cursor,
			struct piece *ret)
{
	enum memtype requested = ledger_requested(ledger, mapping);
	struct piece next;
	uint64_t ahead;

	if (!mapping->live || mapping_revoked(mapping))
		return false;
	if (!memtype_arch_walked(ledger->arch) && mapping->told_start == mapping->told_end)
		return whole_piece(mapping, requested, cursor, ret);
	if (!next_part(mapping, requested, cursor, ret))
		return false;
	ahead = *cursor;
	while (next_part(mapping, requested, &ahead, &next) && next.start == ret->end &&
	       next.phys_start == ret->phys_start + (ret->end - ret->start) && next.type == ret->type &&
	       next.populated == ret->populated)
		ret->end = next.end;
	*cursor = ret->end;
	return true;
}
