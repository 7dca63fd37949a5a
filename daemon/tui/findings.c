/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Conflicts and lint in one list; below it the selected one with both parties and why. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "tui/ui.h"

/* A finding has no more; what came over the bus may say otherwise. */
#define PARTIES_MAX 8

/* Ids of lint are others than those of conflicts. */
#define LINT_BIT (1ULL << 62)

enum finding_column { COLUMN_KIND, COLUMN_SEVERITY, COLUMN_PIDS = 6, FINDING_COLUMNS = 11 };

static const struct field fields[FINDING_COLUMNS] = {
	{{.title = "KIND"}, "kind", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SEVERITY"}, "severity", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true, .drop = 2}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .drop = 5}, "phys_start", CELL_PHYSICAL, FIELD_ALWAYS},
	{{.title = "TYPES"}, "types", CELL_TYPES, FIELD_ALWAYS},
	[COLUMN_PIDS] = {{.title = "PIDS", .shrink = true}, "pids", CELL_NUMBERS, FIELD_ALWAYS},
	{{.title = "VERDICT", .shrink = true}, "verdict", CELL_VERDICT, FIELD_TOLD},
	{{.title = "SINCE", .drop = 3}, "since", CELL_TIME, FIELD_ALWAYS},
	{{.title = "UNTIL", .drop = 4}, "until", CELL_TIME, FIELD_ALL},
	{{.title = "ACTIVE"}, "active", CELL_TEXT, FIELD_ALL},
};

const struct view finding_view = VIEW("finding", fields, NULL, NULL);

static uint64_t row_id(struct json_object *row, bool lint)
{
	uint64_t id = 0;

	row_number(row, "id", &id);
	return (id & (LINT_BIT - 1)) | (lint ? LINT_BIT : 0);
}

/* A lint row has other keys for some columns. */
static int put_lint(struct list *list, struct json_object *row)
{
	struct sheet_value values[FINDING_COLUMNS] = {};
	char *texts[FINDING_COLUMNS];
	int r;

	for (size_t i = 0; i < FINDING_COLUMNS; i++) {
		struct field field = fields[i];

		if (i == COLUMN_PIDS) {
			field.key = "pid";
			field.cell = CELL_TEXT;
		} else if (field.key && strcmp(field.key, "since") == 0) {
			field.key = "first";
		}
		texts[i] = view_cell(row, &field);
		values[i].text = texts[i];
	}
	values[COLUMN_SEVERITY].text = "lint";
	r = sheet_put(list->sheet, row_id(row, true), false, values);
	for (size_t i = 0; i < FINDING_COLUMNS; i++)
		free(texts[i]);
	return r;
}

int fill_findings(struct ui *ui, struct list *list)
{
	struct json_object *rows = world_rows(ui->world, ROWS_CONFLICTS, list->all);
	struct json_object *lint = world_rows(ui->world, ROWS_LINT, list->all);
	int r = 0;

	sheet_clear(list->sheet);
	for (size_t i = 0; r == 0 && rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		r = sheet_put_row(list->sheet, row_id(row, false), row);
	}
	for (size_t i = 0; r == 0 && lint && i < json_object_array_length(lint); i++)
		r = put_lint(list, json_object_array_get_idx(lint, i));
	return r;
}

/* Rows come by rising id. */
struct json_object *finding_row(struct ui *ui, uint64_t id)
{
	bool is_lint = id & LINT_BIT;
	struct json_object *rows = is_lint ? ui->world->lint : ui->world->findings;
	size_t low = 0, high = rows ? json_object_array_length(rows) : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct json_object *row = json_object_array_get_idx(rows, middle);
		uint64_t there = row_id(row, is_lint);

		if (there == id)
			return row;
		if (there < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* "276 vmm" of a party, or of a row of lint. */
static const char *process_title(struct json_object *party, char *out, size_t size)
{
	const char *pid = value_text(row_value(party, "pid")), *comm = row_string(party, "comm");

	snprintf(out, size, "%.20s %.64s", pid ? pid : "-", comm ? comm : "");
	return out;
}

/* Of two parties of one process there is one group. */
const char *finding_process(void *userdata, const struct sheet_row *row, size_t i, char *out, size_t size)
{
	struct json_object *finding = finding_row(userdata, row->id),
			   *parties = row_value(finding, "parties");
	char other[128];

	if (!json_object_is_type(parties, json_type_array) || !json_object_array_length(parties))
		return i == 0 ? process_title(finding, out, size) : NULL;
	for (size_t j = 0; j < json_object_array_length(parties) && j < PARTIES_MAX; j++) {
		bool before = false;

		process_title(json_object_array_get_idx(parties, j), out, size);
		for (size_t k = 0; k < j && !before; k++)
			before = strcmp(out, process_title(json_object_array_get_idx(parties, k), other,
							   sizeof(other))) == 0;
		if (!before && i-- == 0)
			return out;
	}
	return NULL;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static int draw_party(const struct area *area, int row, struct json_object *party)
{
	const char *requested = or_dash(row_string(party, "requested")),
		   *type = or_dash(row_string(party, "type"));
	int at = area_printf(
		area, row, 2, (struct pen){STYLE_PLAIN, 0}, "%s %s by %s, mapping %s: asked for ",
		or_dash(value_text(row_value(party, "pid"))), or_dash(row_string(party, "comm")),
		or_dash(row_string(party, "source")), or_dash(value_text(row_value(party, "mapping"))));

	at += 2;
	at += area_put(area, row, at, area->columns - at, (struct pen){type_style(requested), 0}, requested);
	at += area_put(area, row, at, area->columns - at, (struct pen){STYLE_PLAIN, 0}, ", has ");
	area_put(area, row, at, area->columns - at, (struct pen){type_style(type), 0}, type);
	return 1;
}

/* All of it, for where the screen has no room. */
void tell_finding(struct ui *ui, struct pages *pages)
{
	const struct sheet_row *selected = list_selected(&ui->lists[SCREEN_FINDINGS]);
	struct json_object *row = selected ? finding_row(ui, selected->id) : NULL;
	struct json_object *parties = row_value(row, "parties");
	const char *kind = row_string(row, "kind"), *text = row_string(row, "text");

	if (!row)
		return;
	pages_add(pages, STYLE_TITLE, 0, "%s", or_dash(kind));
	for (size_t i = 0; json_object_is_type(parties, json_type_array) && i < PARTIES_MAX &&
			   i < json_object_array_length(parties);
	     i++) {
		struct json_object *party = json_object_array_get_idx(parties, i);

		pages_add(pages, STYLE_PLAIN, 2, "- %s %s by %s, mapping %s: asked for %s, has %s",
			  or_dash(value_text(row_value(party, "pid"))), or_dash(row_string(party, "comm")),
			  or_dash(row_string(party, "source")),
			  or_dash(value_text(row_value(party, "mapping"))),
			  or_dash(row_string(party, "requested")), or_dash(row_string(party, "type")));
	}
	if (text)
		pages_add(pages, STYLE_PLAIN, 2, "- %s", text);
	pages_add(pages, STYLE_PLAIN, 0, "%s", "");
}

static void draw_explanation(const struct area *area, struct json_object *row)
{
	struct json_object *parties = row_value(row, "parties");
	const char *text = row_string(row, "text");
	int at = 0;

	if (json_object_is_type(parties, json_type_array))
		for (size_t i = 0; i < json_object_array_length(parties) && at < area->rows; i++)
			at += draw_party(area, at, json_object_array_get_idx(parties, i));
	if (text)
		area_wrap(area, at, 0, 0, (struct pen){STYLE_PLAIN, 0}, text);
}

void draw_findings(struct ui *ui, const struct area *area)
{
	struct list *list = &ui->lists[SCREEN_FINDINGS];
	int below = area->rows * 2 / 3;
	int rows = (int)list->n_lines + 1;
	struct area top, bottom;
	struct json_object *row = NULL;

	if (rows > area->rows - below)
		rows = area->rows - below;
	if (rows < 2)
		rows = 2;
	top = area_rows(area, 0, rows);
	list_draw(list, &top);
	bottom = area_rows(area, rows, area->rows - rows);
	if (list_selected(list))
		row = finding_row(ui, list_selected(list)->id);
	if (bottom.rows > 0)
		area_fill(&bottom, 0, 0, bottom.columns, (struct pen){STYLE_FAINT, 0},
			  grid_symbol(area->grid, SYMBOL_LINE));
	bottom = area_rows(&bottom, 1, bottom.rows);
	if (row)
		draw_explanation(&bottom, row);
	else if (!list->n_lines)
		area_put(&bottom, 0, 0, bottom.columns, (struct pen){STYLE_GOOD, 0},
			 ui->world->live && !ui->world->findings ? "-" : "No finding is known.");
}
