/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "cli/value.h"
#include "cli/view.h"
#include "cli/when.h"

static char *copy_or_null(const char *text)
{
	return text ? strdup(text) : NULL;
}

static char *bars_text(struct json_object *bars)
{
	char *text = NULL, size_out[SIZE_TEXT_MAX];
	size_t length = 0;
	FILE *out;

	if (!json_object_is_type(bars, json_type_array) || !(out = open_memstream(&text, &length)))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(bars); i++) {
		struct json_object *bar = json_object_array_get_idx(bars, i);
		uint64_t index, size;

		if (row_number(bar, "index", &index) && row_number(bar, "size", &size) && size)
			fprintf(out, "%s%" PRIu64 ":%s", ftell(out) > 0 ? " " : "", index,
				size_text(size, size_out));
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* "FIRST-SECOND" with @between; NULL: one of them is not known. */
static char *pair_text(const char *first, const char *between, const char *second)
{
	char *text;

	return first && second && asprintf(&text, "%s%s%s", first, between, second) >= 0 ? text : NULL;
}

static char *model_text(struct json_object *row)
{
	const char *vendor = value_text(row_value(row, "vendor")),
		   *product = value_text(row_value(row, "product"));

	if (!vendor || !product)
		return NULL;
	vendor += strncmp(vendor, "0x", 2) ? 0 : 2;
	product += strncmp(product, "0x", 2) ? 0 : 2;
	return pair_text(vendor, ":", product);
}

static char *time_text(struct json_object *row, const char *key)
{
	char out[WHEN_TEXT_MAX];
	int64_t when;

	if (!row_string(row, key) || !when_parse_row(row_string(row, key), &when))
		return copy_or_null(value_text(row_value(row, key)));
	when_text(when, out);
	*strchrnul(out, '.') = '\0'; /* seconds do for people */
	return strdup(out);
}

/* Of the piece at the byte that was asked for, if there is one, else of the whole mapping. */
static const char *effective_of(struct json_object *row)
{
	struct json_object *piece = row_value(row, "piece");

	if (!json_object_is_type(piece, json_type_object) || row_true(row, "revoked"))
		return row_string(row, "effective");
	return row_true(piece, "populated") ? row_string(piece, "type") : "unpopulated";
}

static bool is_other_type(struct json_object *row)
{
	const char *effective = effective_of(row);

	if (row_true(row, "revoked") || !effective)
		return false;
	return strcmp(effective, "mixed") == 0 ||
	       memtype_conflict(type_by_name(row_string(row, "requested")), type_by_name(effective));
}

static char *effective_text(struct json_object *row)
{
	if (row_true(row, "revoked"))
		return strdup("revoked");
	if (is_other_type(row))
		return pair_text(effective_of(row), " ", "!");
	return copy_or_null(effective_of(row));
}

static char *verdict_text(struct json_object *row)
{
	const char *verdict = row_string(row, "verdict"), *rule = row_string(row, "rule");
	char *text;

	if (!verdict || (!rule && strcmp(verdict, "allow") == 0))
		return NULL;
	return asprintf(&text, "%s (%s)", verdict, rule ? rule : "OnUnknown") >= 0 ? text : NULL;
}

/* machined takes no name with a colon. */
static char *machine_text(struct json_object *row)
{
	const char *machine = row_string(row, "machine"), *source = row_string(row, "machine_source");

	if (machine && source && strcmp(source, "command-line") == 0)
		return pair_text("claim", ":", machine);
	return copy_or_null(machine);
}

char *view_cell(struct json_object *row, const struct field *field)
{
	struct json_object *value = row_value(row, field->key);
	char out[SIZE_TEXT_MAX];
	uint64_t number;

	switch (field->cell) {
	case CELL_SIZE:
		return row_number(row, field->key, &number) ? strdup(size_text(number, out)) : NULL;
	case CELL_TIME:
		return time_text(row, field->key);
	case CELL_BARS:
		return bars_text(value);
	case CELL_MODEL:
		return model_text(row);
	case CELL_EFFECTIVE:
		return effective_text(row);
	case CELL_PROMISED:
		return copy_or_null(row_true(row, "revoked") ? "revoked" : value_text(value));
	case CELL_PHYSICAL:
		return pair_text(row_string(row, "phys_start"), "-", row_string(row, "phys_end"));
	case CELL_MACHINE:
		return machine_text(row);
	case CELL_VERDICT:
		return verdict_text(row);
	case CELL_TYPES:
		return join_values(value, '/');
	case CELL_NUMBERS:
		return join_values(value, ',');
	default:
		return copy_or_null(value_text(value));
	}
}

/* Which fields of @view have a column: a bit for each. */
static uint32_t shown_fields(const struct view *view, struct json_object *rows, bool all)
{
	uint32_t shown = 0;

	for (size_t i = 0; i < view->n_fields; i++) {
		const struct field *field = &view->fields[i];
		bool told = field->show == FIELD_ALWAYS || (field->show == FIELD_ALL && all);

		for (size_t j = 0; field->show == FIELD_TOLD && !told && j < json_object_array_length(rows);
		     j++) {
			char *text = view_cell(json_object_array_get_idx(rows, j), field);

			told = text;
			free(text);
		}
		shown |= (uint32_t)told << i;
	}
	return shown;
}

static int add_row(struct table *table, const struct view *view, uint32_t shown, struct json_object *row)
{
	char *cells[TABLE_COLUMNS_MAX] = {};
	size_t n = 0;
	int r;

	for (size_t i = 0; i < view->n_fields; i++)
		if (shown >> i & 1)
			cells[n++] = view_cell(row, &view->fields[i]);
	r = table_add(table, (const char *const *)cells);
	if (r == 0 && view->note_key)
		r = table_note(table, view->note_label, row_string(row, view->note_key));
	while (n)
		free(cells[--n]);
	return r;
}

/* What the marks in the table mean; NULL: there are none. */
static const char *footnote(const struct view *view, struct json_object *rows)
{
	bool shown = false;

	for (size_t i = 0; i < view->n_fields; i++)
		shown = shown || view->fields[i].cell == CELL_EFFECTIVE;
	for (size_t i = 0; shown && i < json_object_array_length(rows); i++)
		if (is_other_type(json_object_array_get_idx(rows, i)))
			return "! is not the type that was asked for: see vfiowatch conflicts.";
	return NULL;
}

enum exit_code view_add(const struct view *view, struct json_object *rows, const struct options *options,
			struct output *output, struct failure *failure)
{
	const uint32_t shown = shown_fields(view, rows, options->filter.all);
	struct column columns[TABLE_COLUMNS_MAX];
	struct table *table;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < view->n_fields; i++)
		if (shown >> i & 1)
			columns[n++] = view->fields[i].column;
	table = table_new(columns, n);
	if (!table)
		return fail_memory(failure);
	for (size_t i = 0; i < json_object_array_length(rows) && r == 0; i++)
		r = add_row(table, view, shown, json_object_array_get_idx(rows, i));
	if (r == 0)
		output_add_table(output, table, view->noun, footnote(view, rows), options);
	table_free(table);
	return r == 0 ? EXIT_OK : fail_memory(failure);
}
