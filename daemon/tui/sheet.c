/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/text.h"
#include "cli/value.h"
#include "tui/sheet.h"

static void free_row(struct sheet_row *row, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(row->cells[i].text);
	free(row);
}

void sheet_clear(struct sheet *sheet)
{
	struct sheet_row *row, *next;

	HASH_ITER (hh, sheet->rows, row, next) {
		HASH_DEL(sheet->rows, row);
		free_row(row, sheet->view->n_fields);
	}
	sheet->generation++;
}

/* Decimal, or 0x..; a size in units sorts by the number that comes with it. */
static bool read_number(const char *text, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	return !errno && (!*end || *end == '-'); /* an address range sorts by its start */
}

static int fill_cell(struct sheet_cell *cell, const struct sheet_value *value)
{
	size_t width;

	*cell = (struct sheet_cell){.number = value->number, .numeric = value->numeric};
	if (!value->text || !*value->text)
		return 0;
	cell->text = text_safe(value->text);
	if (!cell->text)
		return -ENOMEM;
	width = text_width(cell->text);
	cell->width = width > UINT16_MAX ? UINT16_MAX : width;
	if (!cell->numeric)
		cell->numeric = read_number(cell->text, &cell->number);
	return 0;
}

static int insert(struct sheet *sheet, struct sheet_row *row)
{
	struct sheet_row *old;

	HASH_FIND(hh, sheet->rows, &row->id, sizeof(row->id), old);
	if (!old && HASH_COUNT(sheet->rows) >= SHEET_ROWS_MAX)
		return -ENOSPC;
	HASH_ADD(hh, sheet->rows, id, sizeof(row->id), row);
	if (!row->hh.tbl) /* as uthash tells it */
		return -ENOMEM;
	if (old) {
		HASH_DEL(sheet->rows, old);
		free_row(old, sheet->view->n_fields);
	}
	sheet->generation++;
	return 0;
}

int sheet_put(struct sheet *sheet, uint64_t id, bool faint, const struct sheet_value *values)
{
	const size_t n = sheet->view->n_fields;
	struct sheet_row *row = calloc(1, sizeof(*row) + n * sizeof(row->cells[0]));
	int r = row ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++)
		r = fill_cell(&row->cells[i], &values[i]);
	if (r == 0) {
		row->id = id;
		row->faint = faint;
		r = insert(sheet, row);
	}
	if (r < 0 && row)
		free_row(row, n);
	return r;
}

int sheet_put_row(struct sheet *sheet, uint64_t id, struct json_object *row)
{
	const struct view *view = sheet->view;
	struct sheet_value values[TABLE_COLUMNS_MAX] = {};
	char *texts[TABLE_COLUMNS_MAX] = {};
	struct json_object *live = row_value(row, "live"), *active = row_value(row, "active");
	bool over = (live && !row_true(row, "live")) || (active && !row_true(row, "active"));
	int r;

	for (size_t i = 0; i < view->n_fields; i++) {
		const struct field *field = &view->fields[i];

		values[i].text = texts[i] = view_cell(row, field);
		values[i].numeric =
			field->cell == CELL_SIZE && row_number(row, field->key, &values[i].number);
	}
	r = sheet_put(sheet, id, over, values);
	for (size_t i = 0; i < view->n_fields; i++)
		free(texts[i]);
	return r;
}

void sheet_remove(struct sheet *sheet, uint64_t id)
{
	struct sheet_row *row;

	HASH_FIND(hh, sheet->rows, &id, sizeof(id), row);
	if (!row)
		return;
	HASH_DEL(sheet->rows, row);
	free_row(row, sheet->view->n_fields);
	sheet->generation++;
}

size_t sheet_rows(const struct sheet *sheet)
{
	return HASH_COUNT(sheet->rows);
}

int sheet_compare(const struct sheet_row *a, const struct sheet_row *b, size_t column, bool descending)
{
	const struct sheet_cell *x = &a->cells[column], *y = &b->cells[column];
	int order = 0;

	if (!x->text || !y->text)
		order = !x->text - !y->text;
	else if (x->numeric && y->numeric)
		order = (x->number > y->number) - (x->number < y->number);
	else if (x->numeric != y->numeric)
		order = y->numeric - x->numeric;
	else
		order = strcmp(x->text, y->text);
	if (descending && x->text && y->text)
		order = -order;
	return order ? order : (a->id > b->id) - (a->id < b->id);
}

int sheet_column(const struct view *view, const char *name, size_t length)
{
	for (size_t i = 0; i < view->n_fields; i++) {
		const char *title = view->fields[i].column.title, *key = view->fields[i].key;

		if ((strlen(title) == length && strncasecmp(title, name, length) == 0) ||
		    (key && strlen(key) == length && strncasecmp(key, name, length) == 0))
			return (int)i;
	}
	return -1;
}
