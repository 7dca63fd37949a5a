/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a screen shows, all rows of it, as text or as JSON. */

#include <errno.h>
#include <string.h>

#include "cli/status.h"
#include "cli/table.h"
#include "cli/value.h"
#include "core/snapshot_finding.h"
#include "lists.h"
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

#define JSON_FLAGS (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

/* The row of the contract for one that is listed; NULL in *ret: nothing is known of it any more. Returns 0 or
 * -ENOMEM. */
typedef int (*row_maker)(struct ui *ui, const struct sheet_row *row, struct json_object **ret);

static int mapping_object(struct ui *ui, const struct sheet_row *row, struct json_object **ret)
{
	const struct model *model = &ui->world->ledger.model;
	const struct mapping *mapping = ui->world->has_ledger ? ledger_mapping(model->ledger, row->id) : NULL;

	if (mapping)
		*ret = snapshot_mapping_row(model->ledger, model->policy, mapping, &ui->world->ledger.clock);
	return mapping && !*ret ? -ENOMEM : 0;
}

static int cookie_object(struct ui *ui, const struct sheet_row *row, struct json_object **ret)
{
	const struct ledger *ledger = ui->world->ledger.model.ledger;
	const struct cookie *cookie = ledger_cookie(ledger, row->id);

	if (cookie)
		*ret = snapshot_cookie_row(ledger, cookie, &ui->world->ledger.clock);
	return cookie && !*ret ? -ENOMEM : 0;
}

static int finding_object(struct ui *ui, const struct sheet_row *row, struct json_object **ret)
{
	*ret = json_object_get(finding_row(ui, row->id));
	return 0;
}

static row_maker maker_of(const struct ui *ui)
{
	switch (ui->screen) {
	case SCREEN_DEVICE:
		return ui->device.cookies ? cookie_object : mapping_object;
	case SCREEN_MAPPINGS:
		return mapping_object;
	case SCREEN_COOKIES:
		return cookie_object;
	case SCREEN_FINDINGS:
		return finding_object;
	default:
		return NULL;
	}
}

static int put_array(struct json_object *array, struct json_object *value)
{
	if (value && json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

/* A row that is in several groups of a tree is written once. */
static bool is_again(const struct list *list, size_t line)
{
	for (size_t i = 0; list->tree && list->processes && i < line; i++)
		if (list->lines[i].row == list->lines[line].row)
			return true;
	return false;
}

static int collect_rows(struct ui *ui, struct list *list, row_maker maker, struct json_object *array)
{
	int r = 0;

	for (size_t i = 0; i < list->n_lines && r == 0; i++) {
		struct json_object *object = NULL;

		if (!list->lines[i].row || is_again(list, i))
			continue;
		r = maker(ui, list->lines[i].row, &object);
		if (object)
			r = put_array(array, object);
	}
	return r;
}

/* How many findings there are only the daemon knows. */
static int put_findings(const struct ui *ui, struct json_object *device)
{
	struct json_object *number = NULL;
	uint64_t count;

	if (world_findings_on(ui->world, row_string(device, "device"), &count) &&
	    !(number = json_object_new_uint64(count)))
		return -ENOMEM;
	if (json_object_object_add(device, "conflicts", number) == 0)
		return 0;
	json_object_put(number);
	return -ENOMEM;
}

/* Each device that is shown, once, also where it is shown with each of its processes. */
static int collect_devices(struct ui *ui, struct list *list, struct json_object *array)
{
	const struct row_filter filter = {.all = true};
	const struct world *world = ui->world;
	struct json_object *devices = json_object_new_array();
	int r = devices ? list_rows(&world->ledger.model, ROWS_DEVICES, &filter, &world->ledger.clock, 0,
				    WORLD_EVENTS, devices)
			: -ENOMEM;

	for (size_t i = 0; i < list->n_lines && r == 0; i++) {
		const char *name = list->lines[i].row ? list->lines[i].row->cells[0].text : NULL;

		for (size_t j = 0; name && r == 0 && j < json_object_array_length(devices); j++) {
			struct json_object *device = json_object_array_get_idx(devices, j);
			const char *there = row_string(device, "device");

			if (!there || strcmp(there, name) != 0)
				continue;
			r = put_findings(ui, device);
			if (r == 0)
				r = put_array(array, json_object_get(device));
			json_object_array_put_idx(devices, j, NULL);
			break;
		}
	}
	json_object_put(devices);
	return r;
}

/* As `vfiowatch events --json` has them: one object a line. */
static int export_events(struct ui *ui, const struct list *list, FILE *out)
{
	for (size_t i = 0; i < list->n_lines; i++) {
		const char *text =
			list->lines[i].row ? world_event_json(ui->world, list->lines[i].row->id) : NULL;

		if (text)
			fprintf(out, "%s\n", text);
	}
	return 0;
}

static int export_rows(struct ui *ui, struct list *list, FILE *out)
{
	struct json_object *array;
	row_maker maker = maker_of(ui);
	int r;

	if (ui->screen == SCREEN_EVENTS)
		return export_events(ui, list, out);
	if (!ui->world->has_ledger)
		return -ENODATA;
	array = json_object_new_array();
	r = !array  ? -ENOMEM
	    : maker ? collect_rows(ui, list, maker, array)
		    : collect_devices(ui, list, array);
	if (r == 0)
		fprintf(out, "%s\n", json_object_to_json_string_ext(array, JSON_FLAGS));
	json_object_put(array);
	return r;
}

/* As `vfiowatch status --json` has it. */
static int export_status(struct ui *ui, FILE *out)
{
	struct json_object *status = ui->player && ui->world->has_ledger ? capture_status(&ui->world->ledger)
									 : json_object_get(ui->world->status);

	if (!status)
		return ui->player ? -ENOMEM : -ENODATA;
	fprintf(out, "%s\n", json_object_to_json_string_ext(status, JSON_FLAGS));
	json_object_put(status);
	return 0;
}

int ui_export(struct ui *ui, bool json, FILE *out)
{
	struct list *list = ui_list(ui);
	int r = ui_refresh(ui);

	if (r < 0)
		return r;
	if (list)
		return json ? export_rows(ui, list, out) : export_table(list, out);
	if (json)
		return export_status(ui, out);
	for (size_t i = 0; i < ui->health.n; i++)
		fprintf(out, "%s\n", ui->health.paragraphs[i].text);
	return 0;
}
