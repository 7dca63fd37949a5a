/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding_internal.h"

int grow(void **array, size_t *capacity, size_t n, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : 16;
	void *larger;

	if (n < *capacity)
		return 0;
	larger = reallocarray(*array, wanted, size);
	if (!larger)
		return -ENOMEM;
	*array = larger;
	*capacity = wanted;
	return 0;
}

static int ranges_add(struct findings *findings, uint64_t start, uint64_t end)
{
	if (grow((void **)&findings->ranges, &findings->ranges_capacity, findings->n_ranges,
		 sizeof(*findings->ranges)) < 0)
		return -ENOMEM;
	findings->ranges[findings->n_ranges++] = (struct phys_range){start, end};
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct phys_range *left = a, *right = b;

	return (left->start > right->start) - (left->start < right->start);
}

/* Sorts and joins ranges that touch or overlap. Returns their bytes. */
uint64_t ranges_join(struct phys_range *ranges, size_t *n)
{
	uint64_t bytes = 0;
	size_t kept = 0;

	if (*n > 1)
		qsort(ranges, *n, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < *n; i++) {
		if (kept && ranges[i].start <= ranges[kept - 1].end) {
			if (ranges[i].end > ranges[kept - 1].end)
				ranges[kept - 1].end = ranges[i].end;
		} else {
			ranges[kept++] = ranges[i];
		}
	}
	for (size_t i = 0; i < kept; i++)
		bytes += ranges[i].end - ranges[i].start;
	*n = kept;
	return bytes;
}

static int compare_notes(const void *a, const void *b)
{
	const struct piece_note *left = a, *right = b;

	if (left->type != right->type)
		return left->type < right->type ? -1 : 1;
	return (left->start > right->start) - (left->start < right->start);
}

/* Reads all pieces of @mapping into findings->notes, by type, then by physical address. */
int collect_pieces(struct update *update, const struct mapping *mapping)
{
	struct findings *findings = update->findings;
	uint64_t cursor = 0;
	struct piece piece;

	findings->n_notes = 0;
	while (mapping_next_piece(update->ledger, mapping, &cursor, &piece)) {
		struct piece_note note = {
			.start = piece.phys_start,
			.end = piece.phys_start + (piece.end - piece.start),
			.type = piece.type,
			.populated = piece.populated,
		};

		/* A piece at the end of the address space, or of no type, can overlap nothing that matters.
		 */
		if (piece.end <= piece.start || note.end <= note.start || memtype_strength(note.type) < 0)
			continue;
		if (grow((void **)&findings->notes, &findings->notes_capacity, findings->n_notes,
			 sizeof(note)) < 0)
			return -ENOMEM;
		findings->notes[findings->n_notes++] = note;
	}
	if (findings->n_notes > 1)
		qsort(findings->notes, findings->n_notes, sizeof(*findings->notes), compare_notes);
	return 0;
}

/* Segments from findings->notes. The caller owns *ret; NULL if there are none. */
int make_segments(struct findings *findings, struct segment **ret, size_t *n)
{
	struct segment *segments = NULL;
	size_t kept = 0;

	*ret = NULL;
	*n = 0;
	if (!findings->n_notes)
		return 0;
	segments = malloc(findings->n_notes * sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	for (size_t i = 0; i < findings->n_notes; i++) {
		const struct piece_note *note = &findings->notes[i];

		if (kept && segments[kept - 1].type == note->type && note->start <= segments[kept - 1].end) {
			if (note->end > segments[kept - 1].end)
				segments[kept - 1].end = note->end;
		} else {
			segments[kept++] = (struct segment){note->start, note->end, note->type};
		}
	}
	*ret = segments;
	*n = kept;
	return 0;
}

/*
 * Populated bytes in findings->notes that are stronger (promotion) or weaker (demotion) than @requested into
 * findings->ranges, not joined yet. *type is that of the lowest.
 */
int collect_deviation(struct findings *findings, enum memtype requested, enum finding_kind kind,
		      enum memtype *type)
{
	int asked = memtype_strength(requested);
	uint64_t lowest = UINT64_MAX;

	findings->n_ranges = 0;
	if (asked < 0)
		return 0;
	for (size_t i = 0; i < findings->n_notes; i++) {
		const struct piece_note *note = &findings->notes[i];
		int strength = memtype_strength(note->type);

		if (!note->populated || (kind == FINDING_PROMOTION ? strength <= asked : strength >= asked))
			continue;
		if (ranges_add(findings, note->start, note->end) < 0)
			return -ENOMEM;
		if (note->start < lowest) {
			lowest = note->start;
			*type = note->type;
		}
	}
	return 0;
}

/* The first of @segments from @from on that ends above @start. They are of one type up to @to. */
static size_t first_above(const struct segment *segments, size_t from, size_t to, uint64_t start)
{
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (segments[middle].end <= start)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* End of the segments of one type that begin at @from. */
static size_t type_end(const struct tracked *tracked, size_t from)
{
	size_t to = tracked->n_segments;
	enum memtype type = tracked->segments[from].type;

	for (size_t low = from; low < to;) {
		size_t middle = low + (to - low) / 2;

		if (tracked->segments[middle].type == type)
			low = middle + 1;
		else
			to = middle;
	}
	return to;
}

/* Bytes in both of two lists of one type each. *lowest is the lowest address so far. */
static int share(struct findings *findings, const struct segment *a, size_t n_a, const struct segment *b,
		 size_t n_b, uint64_t *lowest)
{
	for (size_t i = first_above(a, 0, n_a, b[0].start), j = first_above(b, 0, n_b, a[0].start);
	     i < n_a && j < n_b;) {
		uint64_t start = a[i].start > b[j].start ? a[i].start : b[j].start;
		uint64_t end = a[i].end < b[j].end ? a[i].end : b[j].end;

		if (start < end) {
			if (ranges_add(findings, start, end) < 0)
				return -ENOMEM;
			if (start < *lowest)
				*lowest = start;
		}
		if (a[i].end < b[j].end)
			i = first_above(a, i + 1, n_a, b[j].start);
		else
			j = first_above(b, j + 1, n_b, a[i].start);
	}
	return 0;
}

/*
 * Bytes that both mappings reach with types that conflict into findings->ranges, not joined yet; @types are
 * those at the lowest one.
 */
int collect_shared(struct findings *findings, const struct tracked *a, const struct tracked *b,
		   enum memtype types[2])
{
	uint64_t lowest = UINT64_MAX;

	findings->n_ranges = 0;
	for (size_t i = 0, i_end; i < a->n_segments; i = i_end) {
		i_end = type_end(a, i);
		for (size_t j = 0, j_end; j < b->n_segments; j = j_end) {
			uint64_t before = lowest;

			j_end = type_end(b, j);
			if (!memtype_conflict(a->segments[i].type, b->segments[j].type))
				continue;
			if (share(findings, a->segments + i, i_end - i, b->segments + j, j_end - j, &lowest) <
			    0)
				return -ENOMEM;
			if (lowest < before) {
				types[0] = a->segments[i].type;
				types[1] = b->segments[j].type;
			}
		}
	}
	return 0;
}
