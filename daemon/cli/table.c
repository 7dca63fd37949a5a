/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/layout.h"
#include "cli/table.h"
#include "cli/text.h"

struct note {
	const char *label;
	char *text; /* NULL: none */
};

struct table {
	const struct column *columns;
	size_t n_columns, n_rows, allocated;
	char **cells;       /* n_rows * n_columns */
	struct note *notes; /* n_rows */
};

struct table *table_new(const struct column *columns, size_t n_columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->n_columns = n_columns;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
		free(table->cells[i]);
	for (size_t i = 0; i < table->n_rows; i++)
		free(table->notes[i].text);
	free(table->cells);
	free(table->notes);
	free(table);
	return NULL;
}

static int make_room(struct table *table)
{
	size_t allocated = 2 * table->allocated + 16;
	struct note *notes;
	char **cells;

	if (table->n_rows < table->allocated)
		return 0;
	cells = reallocarray(table->cells, allocated * table->n_columns, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	table->cells = cells;
	notes = reallocarray(table->notes, allocated, sizeof(*notes));
	if (!notes)
		return -ENOMEM;
	table->notes = notes;
	table->allocated = allocated;
	return 0;
}

int table_add(struct table *table, const char *const *cells)
{
	size_t first = table->n_rows * table->n_columns;

	if (make_room(table) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++) {
		char *safe = text_safe(cells[i] && *cells[i] ? cells[i] : "-");

		if (!safe) {
			while (i)
				free(table->cells[first + --i]);
			return -ENOMEM;
		}
		table->cells[first + i] = safe;
	}
	table->notes[table->n_rows++] = (struct note){};
	return 0;
}

int table_note(struct table *table, const char *label, const char *text)
{
	struct note *note = &table->notes[table->n_rows - 1];

	if (!text || !*text)
		return 0;
	note->label = label;
	note->text = strdup(text);
	return note->text ? 0 : -ENOMEM;
}

size_t table_rows(const struct table *table)
{
	return table->n_rows;
}

static void measure(const struct table *table, bool header, struct layout *layout)
{
	for (size_t column = 0; column < table->n_columns; column++) {
		size_t widest = header ? text_width(table->columns[column].title) : 0;

		for (size_t row = 0; row < table->n_rows; row++) {
			size_t width = text_width(table->cells[row * table->n_columns + column]);

			if (width > widest)
				widest = width;
		}
		layout->widths[column] = widest;
	}
}

static void put_spaces(size_t n, FILE *out)
{
	fprintf(out, "%*s", (int)n, "");
}

static void put_cell(const char *text, size_t width, const struct column *column, bool last, FILE *out)
{
	size_t own = text_width(text);

	if (own > width) {
		size_t bytes = text_prefix(text, width - 1);

		fwrite(text, 1, bytes, out);
		fputs(text_ellipsis(), out);
		/* A character of two columns may not have fitted into the last one. */
		own = text_width(text) - text_width(text + bytes) + 1;
		text = "";
	}
	if (column->right)
		put_spaces(width - own, out);
	fputs(text, out);
	if (!column->right && !last)
		put_spaces(width - own, out);
}

/* A note that finds no memory is left out and said so. */
static void put_note(const struct note *note, size_t width, FILE *out)
{
	if (text_wrap(note->label, note->text, width, out) < 0)
		fprintf(out, "%sout of memory\n", note->label);
}

size_t table_print(const struct table *table, const struct table_style *style, FILE *out)
{
	struct layout layout = {};
	size_t last = 0, left_out = 0;

	measure(table, style->header, &layout);
	if (style->width)
		layout_fit(&layout, table->columns, table->n_columns, style->width);
	for (size_t i = 0; i < table->n_columns; i++)
		if (layout.dropped[i])
			left_out++;
		else
			last = i;

	for (size_t row = style->header ? 0 : 1; row <= table->n_rows; row++) {
		bool separator = false;

		if (row == 0 && style->colour)
			fputs("\033[4m", out);
		for (size_t i = 0; i < table->n_columns; i++) {
			const char *text = row ? table->cells[(row - 1) * table->n_columns + i]
					       : table->columns[i].title;

			if (layout.dropped[i])
				continue;
			if (separator)
				put_spaces(LAYOUT_GAP, out);
			put_cell(text, layout.widths[i], &table->columns[i], i == last, out);
			separator = true;
		}
		fputs(row == 0 && style->colour ? "\033[0m\n" : "\n", out);
		if (row && style->notes && table->notes[row - 1].text)
			put_note(&table->notes[row - 1], style->width, out);
	}
	return left_out;
}
