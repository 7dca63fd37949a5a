/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_SHEET_H
#define VFIOWATCH_TUI_SHEET_H

/* Rows of text by identity: a table before it is filtered, sorted and drawn. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/view.h"
#include "core/ledger.h" /* uthash as the project uses it */

struct sheet_cell {
	char *text; /* safe; NULL: unknown */
	uint64_t number;
	bool numeric; /* number is what it sorts by */
	uint16_t width;
};

struct sheet_row {
	uint64_t id;
	bool faint; /* no longer live */
	UT_hash_handle hh;
	struct sheet_cell cells[];
};

struct sheet {
	const struct view *view;
	struct sheet_row *rows; /* by id, in the order they came */
	uint64_t generation;    /* rises with each change */
};

#define SHEET_ROWS_MAX (1U << 20)

void sheet_clear(struct sheet *sheet);

/* A cell of sheet_put(): @text NULL: unknown; is made safe. Numbers in @text are recognized. */
struct sheet_value {
	const char *text;
	uint64_t number;
	bool numeric;
};

/* Adds or replaces. Returns 0; -ENOMEM; -ENOSPC: there are SHEET_ROWS_MAX. */
int sheet_put(struct sheet *sheet, uint64_t id, bool faint, const struct sheet_value *values);
/* The same from a row of the JSON contract. */
int sheet_put_row(struct sheet *sheet, uint64_t id, struct json_object *row);
void sheet_remove(struct sheet *sheet, uint64_t id);
size_t sheet_rows(const struct sheet *sheet);

/* Rows compared by @column, and by id where that is equal; unknown ones come last. */
int sheet_compare(const struct sheet_row *a, const struct sheet_row *b, size_t column, bool descending);

/* The column with this title or JSON key, in any case; -1: none. */
int sheet_column(const struct view *view, const char *name, size_t length);

#endif
