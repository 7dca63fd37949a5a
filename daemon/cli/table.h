/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_TABLE_H
#define VFIOWATCH_CLI_TABLE_H

/* Tables for people: aligned columns that fit the terminal. Knows no terminal itself. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 32

struct column {
	const char *title;
	bool right;         /* right-aligned: numbers, sizes, addresses */
	bool shrink;        /* text that may be cut, at its end, where the width does not suffice */
	unsigned char drop; /* left out where the width does not suffice, the highest first; 0: never */
};

struct table;

/* @columns is borrowed; at most TABLE_COLUMNS_MAX. NULL: out of memory. */
struct table *table_new(const struct column *columns, size_t n_columns);
struct table *table_free(struct table *table);

/* Adds a row of @cells, one per column; NULL or empty: unknown, shown as "-". Text is made safe here
 * (text_safe()). Returns 0 or -ENOMEM. */
int table_add(struct table *table, const char *const *cells);

/*
 * Gives the row added last a text that is shown below it, after @label, which is borrowed, and wrapped to the
 * width. NULL or empty: none. Returns 0 or -ENOMEM.
 */
int table_note(struct table *table, const char *label, const char *text);

size_t table_rows(const struct table *table);

struct table_style {
	size_t width; /* columns of the terminal, 0: no limit, nothing is cut or left out */
	bool header;
	bool notes;  /* else a row is one line */
	bool colour; /* underlines the header */
};

/* Writes the table to @out and returns the number of columns that were left out. Errors stay in @out
 * (ferror(3)). */
size_t table_print(const struct table *table, const struct table_style *style, FILE *out);

#endif
