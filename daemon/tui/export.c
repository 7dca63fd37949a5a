/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a screen shows, all rows of it, as text or as JSON. */

#include <errno.h>
#include <string.h>

#include "cli/table.h"
#include "tui/ui.h"

static int export_table(struct list *list, FILE *out)
{
	const struct view *view = list->sheet->view;
	struct column columns[TABLE_COLUMNS_MAX];
	const struct table_style style = {.header = true};
	struct table *table;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < view->n_fields; i++)
		if (list_shows(list, i))
			columns[n++] = view->fields[i].column;
	table = table_new(columns, n);
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < list->n_lines && r == 0; i++) {
		const char *cells[TABLE_COLUMNS_MAX] = {};
		size_t m = 0;

		if (!list->lines[i].row)
			continue;
		for (size_t j = 0; j < view->n_fields; j++)
			if (list_shows(list, j))
				cells[m++] = list->lines[i].row->cells[j].text;
		r = table_add(table, cells);
	}
	if (r == 0)
		table_print(table, &style, out);
	table_free(table);
	return r;
}

/* Keys are the column titles, in small letters. */
static struct json_object *row_object_of(struct list *list, const struct sheet_row *row)
{
	const struct view *view = list->sheet->view;
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; object && i < view->n_fields; i++) {
		const struct sheet_cell *cell = &row->cells[i];
		struct json_object *value = cell->text ? json_object_new_string(cell->text) : NULL;
		char key[32];
		size_t length = 0;

		if (!list_shows(list, i)) {
			json_object_put(value);
			continue;
		}
		for (const char *c = view->fields[i].column.title; *c && length < sizeof(key) - 1; c++)
			key[length++] = *c == ' '                ? '_'
					: *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a')
								 : *c;
		key[length] = '\0';
		if ((cell->text && !value) || json_object_object_add(object, key, value) < 0) {
			json_object_put(value);
			json_object_put(object);
			return NULL;
		}
	}
	return object;
}

static int put_array(struct json_object *array, struct json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static int export_rows(struct list *list, FILE *out)
{
	struct json_object *array = json_object_new_array();
	int r = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < list->n_lines && r == 0; i++)
		if (list->lines[i].row)
			r = put_array(array, row_object_of(list, list->lines[i].row));
	if (r == 0)
		fprintf(out, "%s\n",
			json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY |
								      JSON_C_TO_STRING_SPACED |
								      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(array);
	return r;
}

/* Rows of the JSON contract, as `vfiowatch conflicts` and `status` have them. */
static int export_contract(struct json_object *value, FILE *out)
{
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

int ui_export(struct ui *ui, bool json, FILE *out)
{
	struct list *list = ui_list(ui);
	int r = ui_refresh(ui);

	if (r < 0)
		return r;
	if (list)
		return json ? export_rows(list, out) : export_table(list, out);
	if (json && ui->world->status)
		return export_contract(ui->world->status, out);
	for (size_t i = 0; i < ui->health.n; i++)
		fprintf(out, "%s\n", ui->health.paragraphs[i].text);
	return 0;
}
