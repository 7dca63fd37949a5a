/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/value.h"
#include "core/explain.h"
#include "tui/ui.h"

const char *const screen_names[SCREENS] = {"Overview", "Device", "Mappings", "Cookies",
					   "Findings", "Events", "Health"};

void ui_init(struct ui *ui, struct world *world, struct player *player)
{
	*ui = (struct ui){.world = world, .player = player};
	list_init(&ui->lists[SCREEN_OVERVIEW], &overview_view, 0);
	list_init(&ui->lists[SCREEN_DEVICE], list_view(ROWS_MAPPINGS), 0);
	list_init(&ui->lists[SCREEN_MAPPINGS], list_view(ROWS_MAPPINGS), 0);
	list_init(&ui->lists[SCREEN_COOKIES], list_view(ROWS_COOKIES), 0);
	list_init(&ui->lists[SCREEN_FINDINGS], &finding_view, 1);
	ui->lists[SCREEN_FINDINGS].processes = finding_process;
	ui->lists[SCREEN_FINDINGS].userdata = ui;
	list_init(&ui->lists[SCREEN_HEALTH], &event_view, 0); /* never shown */
	list_init(&ui->device_cookies, list_view(ROWS_COOKIES), 0);
	ui->lists[SCREEN_DEVICE].hidden = sheet_column(list_view(ROWS_MAPPINGS), "DEVICE", 6);
	ui->device_cookies.hidden = sheet_column(list_view(ROWS_COOKIES), "DEVICE", 6);
	/* Its rows are the world's. */
	list_init(&ui->lists[SCREEN_EVENTS], &event_view, 0);
	ui->lists[SCREEN_EVENTS].sheet = &world->events;
	ui->lists[SCREEN_EVENTS].tail = ui->lists[SCREEN_EVENTS].hides_faint = true;
}

void ui_done(struct ui *ui)
{
	for (int i = 0; i < SCREENS; i++)
		list_done(&ui->lists[i]);
	list_done(&ui->device_cookies);
	pages_clear(&ui->detail);
	pages_clear(&ui->health);
}

struct list *ui_list(struct ui *ui)
{
	if (ui->screen == SCREEN_HEALTH)
		return NULL;
	if (ui->screen == SCREEN_DEVICE && ui->device.cookies)
		return &ui->device_cookies;
	return &ui->lists[ui->screen];
}

void ui_say(struct ui *ui, bool bad, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ui->message, sizeof(ui->message), format, arguments);
	va_end(arguments);
	ui->message_bad = bad;
}

/* The device screen shows what was chosen before, else the first that is mapped, else the first there is. */
void choose_device(struct ui *ui)
{
	const struct device *devices[64], *chosen = NULL;
	size_t n;

	if (ui->device.name[0] || !ui->world->has_ledger)
		return;
	n = ledger_list_devices(ui->world->ledger.model.ledger, 0, devices, 64);
	for (size_t i = 0; i < n; i++)
		if (!chosen || (devices[i]->mappings && !chosen->mappings))
			chosen = devices[i];
	if (chosen)
		strcpy(ui->device.name, chosen->name);
}

void ui_go(struct ui *ui, enum screen_id screen)
{
	if (screen != ui->screen)
		ui->before = ui->screen;
	ui->screen = screen;
}

/* The text of a column of the selected row; NULL: none. */
static const char *selected_text(struct ui *ui, const char *title)
{
	struct list *list = ui_list(ui);
	const struct sheet_row *row = list ? list_selected(list) : NULL;
	int column = row ? sheet_column(list->sheet->view, title, strlen(title)) : -1;

	return column >= 0 ? row->cells[column].text : NULL;
}

static void open_device(struct ui *ui)
{
	const char *name = selected_text(ui, "DEVICE");
	char copy[EVENT_NAME_LEN + 1];

	if (!name || strlen(name) >= sizeof(copy))
		return;
	strcpy(copy, name);
	if (strcmp(copy, ui->device.name) != 0) {
		ui->device = (struct device_view){.cookies = ui->device.cookies};
		strcpy(ui->device.name, copy);
	}
	ui_go(ui, SCREEN_DEVICE);
}

static void ask(struct ui *ui, const char *first, const char *second)
{
	char *words[2] = {ui->explain_words[0], ui->explain_words[1]};
	struct explain_subject subject;
	struct json_object *answer;
	const char *wrong;

	snprintf(ui->explain_words[0], sizeof(ui->explain_words[0]), "%s", first);
	snprintf(ui->explain_words[1], sizeof(ui->explain_words[1]), "%s", second ? second : "");
	pages_clear(&ui->detail);
	ui->detail.top = 0;
	ui->popup = POPUP_DETAIL;
	if (ui->world->live) {
		ui->wish |= WISH_EXPLAIN;
		ui->explaining = true;
		return;
	}
	wrong = explain_parse(words, second ? 2 : 1, &subject);
	if (!wrong && !ui->world->has_ledger)
		wrong = "nothing is known of it: no ledger was read";
	answer = wrong ? NULL : explain(&ui->world->ledger.model, &ui->world->ledger.clock, &subject);
	ui_explained(ui, answer, wrong ? wrong : "out of memory");
	json_object_put(answer);
}

static void ask_mapping(struct ui *ui)
{
	const char *pid = selected_text(ui, "PID"), *start = selected_text(ui, "START");
	char first[32], second[32];

	if (!pid || !start) {
		ui_say(ui, true, "process or address is not known");
		return;
	}
	snprintf(first, sizeof(first), "%.31s", pid);
	snprintf(second, sizeof(second), "%.31s", start);
	ask(ui, first, second);
}

static void ask_region(struct ui *ui)
{
	const char *device = selected_text(ui, "DEVICE"), *region = selected_text(ui, "REGION");
	uint64_t bar = region ? strtoull(region, NULL, 10) : EVENT_BARS;
	char first[EVENT_NAME_LEN + 16];

	if (!device) {
		ui_say(ui, true, "the device is not known");
		return;
	}
	if (bar < EVENT_BARS)
		snprintf(first, sizeof(first), "%.64s:%u", device, (unsigned int)bar);
	else
		snprintf(first, sizeof(first), "%.64s", device);
	ask(ui, first, NULL);
}

void ui_enter(struct ui *ui)
{
	struct list *list = ui_list(ui);

	if (!list || list_toggle(list))
		return;
	if (ui->screen == SCREEN_OVERVIEW)
		open_device(ui);
	else if (ui->screen == SCREEN_MAPPINGS || (ui->screen == SCREEN_DEVICE && !ui->device.cookies))
		ask_mapping(ui);
	else
		ask_region(ui);
}

/* What the columns have no room for. */
static void tell_event(struct ui *ui)
{
	const struct list *list = &ui->lists[SCREEN_EVENTS];
	const struct sheet_row *row = list_selected(list);

	for (size_t i = 0; row && i < list->sheet->view->n_fields; i++)
		if (row->cells[i].text)
			pages_add(&ui->detail, STYLE_PLAIN, 10, "%-9s %s",
				  list->sheet->view->fields[i].column.title, row->cells[i].text);
	pages_add(&ui->detail, STYLE_PLAIN, 0, "%s", "");
}

void ui_explained(struct ui *ui, struct json_object *answer, const char *error)
{
	struct json_object *sentences = row_value(answer, "text");
	const char *subject = row_string(answer, "subject");

	ui->explaining = false;
	pages_clear(&ui->detail);
	if (ui->screen == SCREEN_FINDINGS)
		tell_finding(ui, &ui->detail);
	else if (ui->screen == SCREEN_EVENTS)
		tell_event(ui);
	if (!answer) {
		pages_add(&ui->detail, STYLE_BAD, 0, "%s", error ? error : "there is no answer");
		return;
	}
	pages_add(&ui->detail, STYLE_TITLE, 0, "%s", subject ? subject : "-");
	if (json_object_is_type(sentences, json_type_array))
		for (size_t i = 0; i < json_object_array_length(sentences); i++) {
			const char *text = value_text(json_object_array_get_idx(sentences, i));

			pages_add(&ui->detail, STYLE_PLAIN, 2, "- %s", text ? text : "-");
		}
}

void ui_toggle_time(struct ui *ui)
{
	if (ui->player) {
		ui->player->playing = !ui->player->playing && !ui->player->ended;
		ui->player->ticked_usec = 0;
		if (ui->player->ended)
			ui_say(ui, false, "the capture ends here: [ and : go back");
		return;
	}
	ui->frozen = !ui->frozen;
}
