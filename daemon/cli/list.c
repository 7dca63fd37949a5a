/* SPDX-License-Identifier: GPL-2.0-or-later */

/* devices, cookies, mappings */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli/output.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "cli/value.h"
#include "cli/when.h"

/* How a value becomes a cell. */
enum cell {
	CELL_TEXT,
	CELL_SIZE, /* bytes, shown in units */
	CELL_TIME,
	CELL_BARS,  /* array of bars: "0:16K 2:16M" */
	CELL_MODEL, /* vendor and product: "1af4:1110" */
};

struct field {
	struct column column;
	const char *key;
	enum cell cell;
	bool only_all; /* tells only whether it is live: of use with --all */
};

static const struct field device_fields[] = {
	{{.title = "DEVICE"}, "device", CELL_TEXT, false},
	{{.title = "ID", .drop = 4}, "vendor", CELL_MODEL, false},
	{{.title = "CLASS", .drop = 6}, "class", CELL_TEXT, false},
	{{.title = "DRIVER", .shrink = true, .drop = 2}, "driver", CELL_TEXT, false},
	{{.title = "GROUP", .right = true, .drop = 3}, "iommu_group", CELL_TEXT, false},
	{{.title = "OPEN", .right = true}, "open_files", CELL_TEXT, false},
	{{.title = "MAPPINGS", .right = true}, "mappings", CELL_TEXT, false},
	{{.title = "BARS", .shrink = true, .drop = 1}, "bars", CELL_BARS, false},
	{{.title = "NAME", .shrink = true, .drop = 5}, "name", CELL_TEXT, false},
};

static const struct field cookie_fields[] = {
	{{.title = "ID", .right = true, .drop = 4}, "id", CELL_TEXT, false},
	{{.title = "DEVICE"}, "device", CELL_TEXT, false},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, false},
	{{.title = "DIALECT", .drop = 2}, "dialect", CELL_TEXT, false},
	{{.title = "OFFSET", .right = true}, "offset", CELL_TEXT, false},
	{{.title = "SIZE", .right = true}, "size", CELL_SIZE, false},
	{{.title = "TYPE"}, "type", CELL_TEXT, false},
	{{.title = "ISSUED", .right = true, .drop = 3}, "issued", CELL_TEXT, false},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, false},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, false},
	{{.title = "LIVE"}, "live", CELL_TEXT, true},
};

static const struct field mapping_fields[] = {
	{{.title = "ID", .right = true, .drop = 6}, "id", CELL_TEXT, false},
	{{.title = "DEVICE"}, "device", CELL_TEXT, false},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, false},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, false},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, false},
	{{.title = "START", .right = true}, "start", CELL_TEXT, false},
	{{.title = "END", .right = true}, "end", CELL_TEXT, false},
	{{.title = "OFFSET", .right = true, .drop = 3}, "offset", CELL_TEXT, false},
	{{.title = "PHYSICAL", .right = true, .drop = 2}, "phys_start", CELL_TEXT, false},
	{{.title = "REQUESTED"}, "requested", CELL_TEXT, false},
	{{.title = "EFFECTIVE", .drop = 1}, "effective", CELL_TEXT, false},
	{{.title = "SOURCE", .drop = 5}, "source", CELL_TEXT, false},
	{{.title = "ORIGIN", .drop = 7}, "origin", CELL_TEXT, false},
	{{.title = "SINCE", .drop = 8}, "since", CELL_TIME, false},
	{{.title = "UNIT", .shrink = true, .drop = 9}, "unit", CELL_TEXT, false},
	{{.title = "MACHINE", .shrink = true, .drop = 10}, "machine", CELL_TEXT, false},
	{{.title = "LIVE"}, "live", CELL_TEXT, true},
};

struct list_view {
	enum row_list list;
	const char *noun;
	const struct field *fields;
	size_t n_fields;
};

#define LIST_VIEW(list, noun, fields)                                                                        \
	{                                                                                                    \
		list, noun, fields, sizeof(fields) / sizeof(fields[0])                                       \
	}

static const struct list_view views[] = {
	[ROWS_DEVICES] = LIST_VIEW(ROWS_DEVICES, "device", device_fields),
	[ROWS_COOKIES] = LIST_VIEW(ROWS_COOKIES, "cookie", cookie_fields),
	[ROWS_MAPPINGS] = LIST_VIEW(ROWS_MAPPINGS, "mapping", mapping_fields),
};

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

static char *model_text(struct json_object *row)
{
	const char *vendor = value_text(row_value(row, "vendor")),
		   *product = value_text(row_value(row, "product"));
	char *text;

	if (!vendor || !product)
		return NULL;
	vendor += strncmp(vendor, "0x", 2) ? 0 : 2;
	product += strncmp(product, "0x", 2) ? 0 : 2;
	return asprintf(&text, "%s:%s", vendor, product) < 0 ? NULL : text;
}

/* The text of one cell; NULL: unknown (or out of memory: it is shown as unknown). The caller frees. */
static char *cell_text(struct json_object *row, const struct field *field)
{
	struct json_object *value = row_value(row, field->key);
	char size_out[SIZE_TEXT_MAX], when_out[WHEN_TEXT_MAX];
	uint64_t number;
	int64_t when;

	switch (field->cell) {
	case CELL_SIZE:
		return row_number(row, field->key, &number) ? strdup(size_text(number, size_out)) : NULL;
	case CELL_TIME:
		if (!row_string(row, field->key) || !when_parse_row(row_string(row, field->key), &when))
			return copy_or_null(value_text(value));
		when_text(when, when_out);
		*strchrnul(when_out, '.') = '\0'; /* seconds do for people */
		return strdup(when_out);
	case CELL_BARS:
		return bars_text(value);
	case CELL_MODEL:
		return model_text(row);
	default:
		return copy_or_null(value_text(value));
	}
}

static int add_row(struct table *table, const struct list_view *view, bool all, struct json_object *row)
{
	char *cells[TABLE_COLUMNS_MAX] = {};
	size_t n = 0;
	int r;

	for (size_t i = 0; i < view->n_fields; i++)
		if (all || !view->fields[i].only_all)
			cells[n++] = cell_text(row, &view->fields[i]);
	r = table_add(table, (const char *const *)cells);
	while (n)
		free(cells[--n]);
	return r;
}

static enum exit_code show_table(const struct list_view *view, struct json_object *rows,
				 const struct options *options, struct failure *failure)
{
	struct column columns[TABLE_COLUMNS_MAX];
	enum exit_code code = EXIT_OK;
	struct table *table;
	size_t n = 0;

	for (size_t i = 0; i < view->n_fields; i++)
		if (options->filter.all || !view->fields[i].only_all)
			columns[n++] = view->fields[i].column;
	table = table_new(columns, n);
	if (!table)
		return fail_memory(failure);
	for (size_t i = 0; i < json_object_array_length(rows) && code == EXIT_OK; i++)
		if (add_row(table, view, options->filter.all, json_object_array_get_idx(rows, i)) < 0)
			code = fail_memory(failure);
	if (code == EXIT_OK)
		code = output_table(table, view->noun, options, failure);
	table_free(table);
	return code;
}

static enum exit_code show_list(enum row_list list, const struct options *options, struct failure *failure)
{
	struct json_object *rows;
	enum exit_code code = rows_get(list, options, &rows, failure);

	if (code != EXIT_OK)
		return code;
	if (options->json) {
		output_json(rows, options->json);
		code = output_finish(failure);
	} else {
		code = show_table(&views[list], rows, options, failure);
	}
	json_object_put(rows);
	return code;
}

enum exit_code verb_devices(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_DEVICES, options, failure);
}

enum exit_code verb_cookies(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_COOKIES, options, failure);
}

enum exit_code verb_mappings(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_MAPPINGS, options, failure);
}
