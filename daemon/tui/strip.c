/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "tui/strip.h"

struct edge {
	uint64_t at;
	int8_t step; /* 1: begins, -1: ends */
	uint8_t type;
	bool populated, other;
};

struct edges {
	struct edge *edges;
	size_t n, allocated;
	bool cut;
};

/* Whole pages where there is one for each cell. */
#define PAGE_BYTES 4096ULL

static uint64_t cell_size(uint64_t start, uint64_t end, int n_cells)
{
	uint64_t size = (end - start) / (uint64_t)n_cells + ((end - start) % (uint64_t)n_cells != 0);

	if (size > PAGE_BYTES && size <= UINT64_MAX - PAGE_BYTES)
		size = (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	return size;
}

uint64_t strip_start(uint64_t start, uint64_t end, int n_cells, int i)
{
	uint64_t size = cell_size(start, end, n_cells), at;

	if (i >= n_cells || __builtin_mul_overflow(size, (uint64_t)i, &at) || at > end - start)
		return end;
	return start + at;
}

static int add_edge(struct edges *edges, struct edge edge)
{
	if (edges->n == edges->allocated) {
		size_t allocated = 2 * edges->allocated + 64;
		struct edge *larger = reallocarray(edges->edges, allocated, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		edges->edges = larger;
		edges->allocated = allocated;
	}
	edges->edges[edges->n++] = edge;
	return 0;
}

static int add_piece(struct edges *edges, const struct piece *piece, enum memtype requested, uint64_t start,
		     uint64_t end)
{
	uint64_t from = piece->phys_start, to = from + (piece->end - piece->start);
	struct edge edge = {
		.type = piece->type < MEMTYPE_TYPES ? piece->type : MEMTYPE_UNKNOWN,
		.populated = piece->populated,
		.other = piece->populated && memtype_conflict(requested, piece->type),
	};
	int r;

	if (to < from)
		to = UINT64_MAX;
	from = from < start ? start : from;
	to = to > end ? end : to;
	if (from >= to)
		return 0;
	if (edges->n >= 2 * STRIP_PIECES_MAX) {
		edges->cut = true;
		return 0;
	}
	edge.at = from;
	edge.step = 1;
	r = add_edge(edges, edge);
	if (r < 0)
		return r;
	edge.at = to;
	edge.step = -1;
	return add_edge(edges, edge);
}

bool strip_next_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t *at,
		      struct piece *ret)
{
	uint64_t start = *at > mapping->start ? *at : mapping->start, cursor = start;
	struct piece piece;
	bool found;

	if (!mapping->live || mapping_revoked(mapping) || start >= mapping->end)
		return false;
	found = mapping_next_piece(ledger, mapping, &cursor, &piece);
	if (mapping->phys_known && start < (found ? piece.start : mapping->end)) {
		*ret = (struct piece){
			.start = start,
			.end = found ? piece.start : mapping->end,
			.phys_start = mapping->phys_start + (start - mapping->start),
			.type = MEMTYPE_UNKNOWN,
		};
		*at = ret->end;
		return true;
	}
	*ret = found ? piece : (struct piece){};
	*at = found ? cursor : mapping->end;
	return found;
}

static int collect(struct edges *edges, const struct ledger *ledger, const struct device *device,
		   uint64_t start, uint64_t end)
{
	const struct mapping *mapping;
	int r = 0;

	DL_FOREACH2 (device->mapping_list, mapping, device_next) {
		enum memtype requested = ledger_requested(ledger, mapping);
		uint64_t at = 0;
		struct piece piece;

		while (r == 0 && !edges->cut && strip_next_piece(ledger, mapping, &at, &piece))
			r = add_piece(edges, &piece, requested, start, end);
	}
	return r;
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->step - y->step;
}

/* What covers the bytes between two edges. */
struct cover {
	unsigned int populated[MEMTYPE_TYPES], asked[MEMTYPE_TYPES];
	unsigned int depth, other;
};

static void step_cover(struct cover *cover, const struct edge *edge)
{
	unsigned int *count = edge->populated ? &cover->populated[edge->type] : &cover->asked[edge->type];

	*count += (unsigned int)edge->step;
	cover->depth += (unsigned int)edge->step;
	cover->other += (unsigned int)(edge->other ? edge->step : 0);
}

static bool cover_conflicts(const struct cover *cover)
{
	for (int a = 0; a < MEMTYPE_TYPES; a++)
		for (int b = a + 1; b < MEMTYPE_TYPES; b++)
			if ((cover->populated[a] || cover->asked[a]) &&
			    (cover->populated[b] || cover->asked[b]) && memtype_conflict(a, b))
				return true;
	return false;
}

static void paint_cell(struct strip_cell *cell, const struct cover *cover, bool conflict, uint64_t bytes)
{
	for (int type = 0; type < MEMTYPE_TYPES; type++) {
		cell->populated |= (uint16_t)(!!cover->populated[type] << type);
		cell->asked |= (uint16_t)(!!cover->asked[type] << type);
	}
	if (cover->depth > cell->depth)
		cell->depth = cover->depth;
	cell->conflict |= conflict;
	cell->other_type |= cover->other > 0;
	cell->bytes += bytes;
}

static void paint(struct strip *strip, const struct cover *cover, uint64_t start, uint64_t end, uint64_t from,
		  uint64_t to)
{
	uint64_t size = cell_size(start, end, strip->n_cells);
	bool conflict = cover_conflicts(cover);

	strip->bytes += to - from;
	for (uint64_t i = (from - start) / size; i < (uint64_t)strip->n_cells && from < to; i++) {
		uint64_t cell_end = strip_start(start, end, strip->n_cells, (int)i + 1);
		uint64_t part_end = to < cell_end ? to : cell_end;

		paint_cell(&strip->cells[i], cover, conflict, part_end - from);
		from = part_end;
	}
}

int strip_make(struct strip *strip, const struct ledger *ledger, const struct device *device, uint64_t start,
	       uint64_t end, int n_cells)
{
	struct edges edges = {};
	struct cover cover = {};
	int r;

	*strip = (struct strip){.n_cells = n_cells};
	if (n_cells <= 0 || start >= end)
		return 0;
	strip->cells = calloc((size_t)n_cells, sizeof(*strip->cells));
	if (!strip->cells)
		return -ENOMEM;
	r = collect(&edges, ledger, device, start, end);
	if (r == 0 && edges.n) {
		qsort(edges.edges, edges.n, sizeof(edges.edges[0]), compare_edges);
		for (size_t i = 0; i < edges.n; i++) {
			if (i && cover.depth && edges.edges[i].at > edges.edges[i - 1].at)
				paint(strip, &cover, start, end, edges.edges[i - 1].at, edges.edges[i].at);
			step_cover(&cover, &edges.edges[i]);
		}
	}
	strip->cut = edges.cut;
	free(edges.edges);
	return r;
}

void strip_done(struct strip *strip)
{
	free(strip->cells);
	*strip = (struct strip){};
}

static char type_letter(uint16_t types)
{
	static const char letters[MEMTYPE_TYPES] = {
		[MEMTYPE_UNKNOWN] = '?', [MEMTYPE_UC] = 'U', [MEMTYPE_UC_MINUS] = 'U', [MEMTYPE_DEVICE] = 'U',
		[MEMTYPE_WC] = 'W',      [MEMTYPE_WT] = 'T', [MEMTYPE_WP] = 'P',       [MEMTYPE_WB] = 'B',
	};
	char letter = 0;

	for (int type = 0; type < MEMTYPE_TYPES; type++) {
		if (!(types >> type & 1))
			continue;
		if (letter && letter != letters[type])
			return '*';
		letter = letters[type];
	}
	return letter;
}

char strip_letter(const struct strip_cell *cell)
{
	char letter = type_letter(cell->populated | cell->asked);

	return letter >= 'A' && letter <= 'Z' && !cell->populated ? letter - 'A' + 'a' : letter;
}

char strip_mark(const struct strip_cell *cell)
{
	if (cell->conflict)
		return '!';
	if (cell->other_type)
		return '~';
	if (cell->depth > 9)
		return '+';
	return cell->depth > 1 ? (char)('0' + cell->depth) : ' ';
}
