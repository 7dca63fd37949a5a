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

/* Requests that the enforcer denied. */
static uint64_t denied_requests(const struct ui *ui)
{
	struct ledger_counts counts;

	if (ui->world->live)
		return number_of(ui->world->status, "denied");
	if (!ui->world->has_ledger)
		return 0;
	ledger_counts(ui->world->ledger.model.ledger, &counts);
	return counts.requests_denied;
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
	char time[WHEN_TEXT_MAX], speed[16], position[64] = "";

	/* What is wrong needs the room more. */
	if (!narrow || (!lost_events(ui) && !conflicts(ui)))
		snprintf(position, sizeof(position), " %" PRIu64 "/%" PRIu64, player->position,
			 player->n_events);
	if (player->speed < 0)
		snprintf(speed, sizeof(speed), "1/%d", 1 << -player->speed);
	else
		snprintf(speed, sizeof(speed), "%d", 1 << player->speed);
	return area_printf(area, 0, at, (struct pen){STYLE_WARN, 0}, "%s %s%sx %.*s%s%s",
			   grid_symbol(area->grid, player->playing ? SYMBOL_PLAY : SYMBOL_PAUSE),
			   narrow ? "" : "REPLAY ", speed, narrow ? 8 : 15,
			   time_of_day(ui, player->at_ns, time), position, player->ended ? " END" : "");
}

/* The daemon is or was away: since when, and that what is shown is no longer sure. */
static int put_lost(const struct ui *ui, const struct area *area, int at)
{
	const struct pen pen = {STYLE_BAD, GLYPH_REVERSE};
	bool narrow = area->columns < 60, gone = ui->world->link == LINK_LOST;
	char text[WHEN_TEXT_MAX], *time;

	when_text(ui->world->lost_at_ns, text);
	*strchrnul(text, '.') = '\0';
	time = strchr(text, ' ');
	time = time ? time + 1 : text;
	if (ui->world->link == LINK_BACK)
		return area_printf(area, 0, at, pen, narrow ? "STALE %s" : "STALE SINCE %s", time);
	return area_printf(area, 0, at, pen, narrow ? "%s %s, STALE, %s" : "%s since %s: STALE, %s",
			   gone ? "DAEMON GONE" : "NO ANSWER", time, gone ? "retrying" : "waiting");
}

/* What must be seen first: whether this is the truth of now. */
static int put_link(const struct ui *ui, const struct area *area, int at)
{
	const struct pen warn = {STYLE_WARN, GLYPH_REVERSE};
	int lost = 0;

	if (ui->player)
		return put_replay(ui, area, at);
	if (world_is_stale(ui->world))
		lost = put_lost(ui, area, at);
	if (ui->frozen)
		return lost + area_put(area, 0, at + lost, area->columns - at - lost, warn,
				       lost ? " FROZEN" : "FROZEN");
	if (lost)
		return lost;
	return area_put(area, 0, at, area->columns - at, (struct pen){STYLE_GOOD, 0},
			ui->world->has_ledger ? "LIVE" : "CONNECTING");
}

/* What finds no room is left out: half a number misleads. */
static int put_words(const struct area *area, int at, enum style style, const char *words)
{
	if (at + grid_text_width(area->grid, words) > area->columns)
		return at;
	return at + area_put(area, 0, at, area->columns - at, (struct pen){style, 0}, words);
}

static int put_count(const struct area *area, int at, enum style style, uint64_t n, const char *what,
		     const char *plural)
{
	char words[64];

	snprintf(words, sizeof(words), "  %" PRIu64 " %s%s", n, what, n == 1 ? "" : plural);
	return put_words(area, at, style, words);
}

static void draw_header(const struct ui *ui, const struct area *area)
{
	struct json_object *status = ui->world->status, *degraded = row_value(status, "degraded");
	const char *mode = row_string(status, "mode");
	uint64_t lost = lost_events(ui), active = conflicts(ui), denied = denied_requests(ui);
	uint64_t would = number_of(status, "would_denied");
	struct ledger_counts counts = {};
	char words[64];
	int at = area_put(area, 0, 0, area->columns, (struct pen){STYLE_TITLE, 0},
			  area->columns < 60 ? "" : "vfiowatch ");

	if (ui->host[0] && area->columns >= 100)
		at += area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, "%s ", ui->host);
	at += put_link(ui, area, at);
	if (lost)
		at = put_count(area, at, STYLE_BAD, lost, "LOST", "");
	if (denied)
		at = put_count(area, at, STYLE_BAD, denied, "denied", "");
	if (would)
		at = put_count(area, at, STYLE_WARN, would, "would-deny", "");
	if (active)
		at = put_count(area, at, STYLE_BAD, active, "conflict", "s");
	if (json_object_is_type(degraded, json_type_array) && json_object_array_length(degraded))
		at = put_words(area, at, STYLE_BAD, "  DEGRADED");
	if (!ui->world->has_ledger)
		return;
	ledger_counts(ui->world->ledger.model.ledger, &counts);
	at = put_count(area, at, STYLE_PLAIN, counts.mappings, "mapping", "s");
	at = put_count(area, at, STYLE_PLAIN, counts.devices, "device", "s");
	if (mode) {
		snprintf(words, sizeof(words), "  %.16s", mode);
		put_words(area, at, STYLE_PLAIN, words);
	}
}

/* What is special about this list; where there is little room only where in it one is. */
static void list_state(struct ui *ui, int columns, char *out, size_t size)
{
	static const char *const trees[TREES] = {"", "by device ", "by process "};
	const struct list *list = ui_list(ui);
	bool wide = columns >= 60;

	out[0] = '\0';
	if (list)
		snprintf(out, size, "%s%s%s%s%s%zu/%zu", wide && world_is_stale(ui->world) ? "STALE " : "",
			 list->filter.text, list->filter.n_terms ? " " : "", wide ? trees[list->tree] : "",
			 wide && list->all ? "all " : "", list->n_lines ? list->cursor + 1 : 0,
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

	list_state(ui, area->columns, state, sizeof(state));
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
	if (world_is_stale(ui->world))
		area_fade(&panel);
	if (ui->popup)
		draw_popup(ui, &panel);
	draw_footer(ui, &footer);
}
