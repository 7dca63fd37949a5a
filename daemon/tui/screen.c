/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The whole screen: header, tabs, the panel of the present screen, footer. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/value.h"
#include "cli/when.h"
#include "tui/ui.h"

#define HEADER_ROWS 2

static uint64_t number_of(struct json_object *row, const char *key)
{
	uint64_t number = 0;

	row_number(row, key, &number);
	return number;
}

static uint64_t lost_events(const struct ui *ui)
{
	struct ledger_counts counts;
	uint64_t lost = 0;

	if (!ui->player)
		return number_of(ui->world->status, "lost") + ui->world->skipped;
	if (!ui->world->has_ledger)
		return 0;
	ledger_counts(ui->world->ledger.model.ledger, &counts);
	for (unsigned int type = 0; type < EVENT_KERNEL_TYPES; type++)
		lost += counts.lost[type];
	return lost;
}

static uint64_t conflicts(const struct ui *ui)
{
	struct finding_counts counts;
	uint64_t active = 0;

	if (ui->world->live)
		return number_of(ui->world->status, "conflicts");
	if (!ui->world->has_ledger)
		return 0;
	finding_counts(ui->world->ledger.model.findings, &counts);
	for (enum finding_kind kind = 0; kind < FINDING_KINDS; kind++)
		active += counts.active[kind];
	return active;
}

/* "13:59:20.7": of a time since boot in the clock of the capture. */
static const char *time_of_day(const struct ui *ui, uint64_t boottime_ns, char out[WHEN_TEXT_MAX])
{
	char *time;

	when_text((int64_t)boottime_ns + ui->world->ledger.clock.realtime_offset_ns, out);
	time = strchr(out, ' ');
	return time ? time + 1 : out;
}

static int put_replay(const struct ui *ui, const struct area *area, int at)
{
	const struct player *player = ui->player;
	bool narrow = area->columns < 60;
	char time[WHEN_TEXT_MAX], speed[16];

	if (player->speed < 0)
		snprintf(speed, sizeof(speed), "1/%d", 1 << -player->speed);
	else
		snprintf(speed, sizeof(speed), "%d", 1 << player->speed);
	return area_printf(
		area, 0, at, (struct pen){STYLE_WARN, 0}, "%s %s%sx %.*s %" PRIu64 "/%" PRIu64 "%s",
		grid_symbol(area->grid, player->playing ? SYMBOL_PLAY : SYMBOL_PAUSE),
		narrow ? "" : "REPLAY ", speed, narrow ? 8 : 15, time_of_day(ui, player->at_ns, time),
		player->position, player->n_events, player->ended ? " END" : "");
}

/* What must be seen first: whether this is the truth of now. */
static int put_link(const struct ui *ui, const struct area *area, int at)
{
	char text[WHEN_TEXT_MAX], *time;

	if (ui->player)
		return put_replay(ui, area, at);
	if (ui->world->link == LINK_LOST) {
		when_text(ui->world->lost_at_ns, text);
		*strchrnul(text, '.') = '\0';
		time = strchr(text, ' ');
		return area_printf(area, 0, at, (struct pen){STYLE_BAD, GLYPH_REVERSE}, "STALE since %s",
				   time ? time + 1 : text);
	}
	if (ui->frozen)
		return area_put(area, 0, at, area->columns - at, (struct pen){STYLE_WARN, GLYPH_REVERSE},
				"FROZEN");
	return area_put(area, 0, at, area->columns - at, (struct pen){STYLE_GOOD, 0},
			ui->world->has_ledger ? "LIVE" : "CONNECTING");
}

static int put_count(const struct area *area, int at, enum style style, uint64_t n, const char *what)
{
	return area_printf(area, 0, at, (struct pen){style, 0}, "  %" PRIu64 " %s%s", n, what,
			   n == 1 ? "" : "s");
}

static void draw_header(const struct ui *ui, const struct area *area)
{
	struct json_object *status = ui->world->status, *degraded = row_value(status, "degraded");
	const char *mode = row_string(status, "mode");
	uint64_t lost = lost_events(ui), active = conflicts(ui);
	struct ledger_counts counts = {};
	int at = area_put(area, 0, 0, area->columns, (struct pen){STYLE_TITLE, 0},
			  area->columns < 60 ? "" : "vfiowatch ");

	if (ui->host[0] && area->columns >= 100)
		at += area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, "%s ", ui->host);
	at += put_link(ui, area, at);
	if (lost)
		at += area_printf(area, 0, at, (struct pen){STYLE_BAD, 0}, "  %" PRIu64 " LOST", lost);
	if (active)
		at += put_count(area, at, STYLE_BAD, active, "conflict");
	if (json_object_is_type(degraded, json_type_array) && json_object_array_length(degraded))
		at += area_put(area, 0, at, area->columns - at, (struct pen){STYLE_BAD, 0}, "  DEGRADED");
	if (ui->world->link == LINK_LOST) {
		area_printf(area, 0, at, (struct pen){STYLE_BAD, 0}, "  %s", ui->world->link_text);
		return;
	}
	if (ui->world->has_ledger)
		ledger_counts(ui->world->ledger.model.ledger, &counts);
	at += put_count(area, at, STYLE_PLAIN, counts.mappings, "mapping");
	at += put_count(area, at, STYLE_PLAIN, counts.devices, "device");
	if (mode)
		area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, "  %s", mode);
}

/* What is special about this list. */
static void list_state(struct ui *ui, char *out, size_t size)
{
	static const char *const trees[TREES] = {"", "by device ", "by process "};
	const struct list *list = ui_list(ui);

	out[0] = '\0';
	if (list)
		snprintf(out, size, "%s%s%s%s%zu/%zu", list->filter.text, list->filter.n_terms ? " " : "",
			 trees[list->tree], list->all ? "all " : "", list->n_lines ? list->cursor + 1 : 0,
			 list->n_lines);
}

/* Columns of all tabs with @letters of each name, but the whole name of the present one. */
static int tabs_width(const struct ui *ui, int letters)
{
	int width = 0;

	for (int i = 0; i < SCREENS; i++) {
		int length = (int)strlen(screen_names[i]);

		width += 3 + (i != (int)ui->screen && length > letters ? letters : length);
	}
	return width;
}

/* Names are cut to their first letters where the width does not suffice for them and for the state of the
 * list.
 */
static void draw_tabs(struct ui *ui, const struct area *area)
{
	char state[FILTER_TEXT_MAX + 64];
	int at = 0, letters = 8, width;

	list_state(ui, state, sizeof(state));
	width = grid_text_width(area->grid, state);
	while (letters > 1 && tabs_width(ui, letters) + width > area->columns)
		letters--;
	for (int i = 0; i < SCREENS; i++) {
		bool present = i == (int)ui->screen;
		struct pen pen = {present ? STYLE_TITLE : STYLE_PLAIN, present ? GLYPH_REVERSE : 0};
		char text[24];

		snprintf(text, sizeof(text), "%d %.*s", i + 1, present ? 8 : letters, screen_names[i]);
		ui->tabs_begin[i] = at;
		at += area_put(area, 1, at, area->columns - at, pen, text);
		ui->tabs_end[i] = at++;
	}
	if (at > area->columns - width)
		width = area->columns - at;
	if (width > 0)
		area_put(area, 1, area->columns - width, width,
			 (struct pen){ui_list(ui) && ui_list(ui)->filter.n_terms ? STYLE_WARN : STYLE_FAINT,
				      0},
			 state);
}

static void draw_panel(struct ui *ui, const struct area *area)
{
	struct list *list = ui_list(ui);

	if (!ui->world->has_ledger && ui->screen != SCREEN_HEALTH) {
		area_put(area, 0, 0, area->columns, (struct pen){STYLE_FAINT, 0}, "Nothing is known yet.");
		return;
	}
	switch (ui->screen) {
	case SCREEN_DEVICE:
		draw_device(ui, area);
		break;
	case SCREEN_FINDINGS:
		draw_findings(ui, area);
		break;
	case SCREEN_HEALTH:
		pages_draw(&ui->health, area);
		break;
	default:
		list_draw(list, area);
		break;
	}
}

void ui_draw(struct ui *ui, struct grid *grid)
{
	struct area whole = grid_area(grid), panel, footer;

	grid_clear(grid);
	draw_header(ui, &whole);
	draw_tabs(ui, &whole);
	panel = area_rows(&whole, HEADER_ROWS, whole.rows - HEADER_ROWS - 1);
	footer = area_rows(&whole, whole.rows - 1, 1);
	ui->body = panel;
	draw_panel(ui, &panel);
	if (ui->popup)
		draw_popup(ui, &panel);
	draw_footer(ui, &footer);
}
