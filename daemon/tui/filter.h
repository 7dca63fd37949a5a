/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_FILTER_H
#define VFIOWATCH_TUI_FILTER_H

/*
 * What `f` asks for: words with spaces between them, all of which must hold. COLUMN=VALUE and COLUMN!=VALUE
 * look at a column; "type" at all memory types of the row, and uc also takes uc- and device; "device" takes
 * the beginning of a PCI address or a glob; another text column takes a part of the text or a glob; "-" is
 * what is unknown. A word without = is looked for in all columns.
 */

#include "tui/sheet.h"

#define FILTER_TERMS_MAX 8
#define FILTER_TEXT_MAX  128

enum filter_kind { FILTER_ANY, FILTER_COLUMN, FILTER_TYPE, FILTER_DEVICE };

struct filter_term {
	enum filter_kind kind;
	bool negated;
	int column;
	enum memtype type;
	char value[FILTER_TEXT_MAX];
};

struct filter {
	char text[FILTER_TEXT_MAX]; /* as it was given */
	struct filter_term terms[FILTER_TERMS_MAX];
	size_t n_terms;
};

/* Empty text: everything passes. On false @filter is as it was and @error says what to write instead. */
bool filter_parse(struct filter *filter, const struct view *view, const char *text, char *error, size_t size);

bool filter_takes(const struct filter *filter, const struct view *view, const struct sheet_row *row);

/* Whether @text is in any cell, in any case. */
bool row_contains(const struct view *view, const struct sheet_row *row, const char *text);

/* Whether a column holds memory types. */
bool column_is_type(const struct field *field);

#endif
