/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Conflicts and lint in one list; below it the selected one with both parties and why. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "tui/ui.h"

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

struct json_object *finding_row(struct ui *ui, uint64_t id)
{
	bool is_lint = id & LINT_BIT;
	struct json_object *rows = is_lint ? ui->world->lint : ui->world->findings;

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (row_id(row, is_lint) == id)
			return row;
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
