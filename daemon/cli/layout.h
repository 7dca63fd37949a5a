/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_LAYOUT_H
#define VFIOWATCH_CLI_LAYOUT_H

/* How wide each column of a table is, and which are left out, so that it fits a width. */

#include "cli/table.h"

/* Columns of the terminal between two columns of the table. */
#define LAYOUT_GAP 1

struct layout {
	size_t widths[TABLE_COLUMNS_MAX]; /* before: of the contents, title included; after: to be used */
	bool dropped[TABLE_COLUMNS_MAX];
};

size_t layout_width(const struct layout *layout, size_t n);

/* Whole columns go first until cutting text can do the rest. It may still be too wide after both. */
void layout_fit(struct layout *layout, const struct column *columns, size_t n, size_t width);

#endif
