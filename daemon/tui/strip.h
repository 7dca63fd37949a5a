/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_STRIP_H
#define VFIOWATCH_TUI_STRIP_H

/* A BAR as a strip: which of its bytes are mapped with which memory type, and where mappings overlap. */

#include "core/ledger.h"

/* Pieces of mappings looked at; when there are more the rest is not in the strip, and it says so. */
#define STRIP_PIECES_MAX (1U << 18)

struct strip_cell {
	uint16_t populated; /* 1 << enum memtype of bytes that have page-table entries */
	uint16_t asked;     /* .. of bytes that would get this type when touched */
	unsigned int depth; /* mappings that share a byte, at most */
	bool conflict;      /* .. with types that conflict */
	bool other_type;    /* populated with a type that conflicts with the one asked for */
	uint64_t bytes;     /* mapped bytes, each counted once */
};

struct strip {
	struct strip_cell *cells;
	int n_cells;
	uint64_t bytes; /* mapped in the window, each counted once */
	bool cut;
};

/* mapping_next_piece() with the pieces between of which nothing is known: mapped, with MEMTYPE_UNKNOWN. *at
 * starts at 0. */
bool strip_next_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t *at,
		      struct piece *ret);

/*
 * The physical bytes [start, end) as @n_cells cells of equal size, whole pages if possible; the last ones may
 * be smaller, or beyond the end. Returns 0 or -ENOMEM. strip_done() in any case.
 */
int strip_make(struct strip *strip, const struct ledger *ledger, const struct device *device, uint64_t start,
	       uint64_t end, int n_cells);
void strip_done(struct strip *strip);

/* First byte of cell @i; of @n_cells: @end. */
uint64_t strip_start(uint64_t start, uint64_t end, int n_cells, int i);

/* One letter for a cell: U uc, uc- or device, W wc, T wt, P wp, B wb, ? unknown, * several; small: not
 * populated. 0: nothing is mapped. */
char strip_letter(const struct strip_cell *cell);

/* What is below it: ! types conflict, ~ another type than asked for, 2 to 9 and + mappings that overlap, or a
 * space. */
char strip_mark(const struct strip_cell *cell);

#endif
