/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What keys and the mouse do. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/ui.h"

void ui_open_prompt(struct ui *ui, enum prompt_kind kind, const char *text)
{
	ui->prompt = kind;
	snprintf(ui->text, sizeof(ui->text), "%s", text);
	ui->cursor = strlen(ui->text);
}

static void open_sort(struct ui *ui)
{
	if (!ui_list(ui))
		return;
	ui->choice = ui_list(ui)->sort;
	ui->popup = POPUP_SORT;
}

static void next_tree(struct ui *ui, struct list *list)
{
	list_set_tree(list, (list->tree + 1) % TREES);
	ui->seen[SCREEN_OVERVIEW].made = false; /* its rows are others in a tree */
}

/* Ends the nearest thing that can be ended. */
static void back(struct ui *ui)
{
	struct list *list = ui_list(ui);
	enum screen_id before = ui->before;

	if (list && list->filter.n_terms) {
		list_set_filter(list, "", ui->message, sizeof(ui->message));
	} else if (list && list->search[0]) {
		list->search[0] = '\0';
	} else if (ui->screen != SCREEN_OVERVIEW) {
		ui_go(ui, before != ui->screen ? before : SCREEN_OVERVIEW);
		ui->before = SCREEN_OVERVIEW;
	}
}

static void columns(struct list *list, int by)
{
	if (list->tree && list_shut(list, by < 0))
		return;
	if (by < 0)
		list->first -= list->first > 0;
	else if (list->first + 1 < list->sheet->view->n_fields)
		list->first++;
}

static void search(struct ui *ui, struct list *list, int step)
{
	if (!list->search[0])
		ui_open_prompt(ui, PROMPT_SEARCH, "");
	else if (!list_search(list, step))
		ui_say(ui, true, "nowhere: %s", list->search);
}

/* Moving within a list. */
static bool press_move(struct list *list, int code)
{
	long page = list->page > 1 ? list->page - 1 : 1;

	switch (code) {
	case PRESS_UP:
	case 'k':
	case PRESS_WHEEL_UP:
		list_move(list, code == PRESS_WHEEL_UP ? -3 : -1);
		break;
	case PRESS_DOWN:
	case 'j':
	case PRESS_WHEEL_DOWN:
		list_move(list, code == PRESS_WHEEL_DOWN ? 3 : 1);
		break;
	case PRESS_PAGE_UP:
	case PRESS_CTRL('b'):
		list_move(list, -page);
		break;
	case PRESS_PAGE_DOWN:
	case PRESS_CTRL('f'):
		list_move(list, page);
		break;
	case PRESS_CTRL('u'):
		list_move(list, -(page / 2 + 1));
		break;
	case PRESS_CTRL('d'):
		list_move(list, page / 2 + 1);
		break;
	case PRESS_HOME:
	case 'g':
		list_go(list, 0);
		break;
	case PRESS_END:
	case 'G':
		list_go(list, list->n_lines ? list->n_lines - 1 : 0);
		break;
	default:
		return false;
	}
	return true;
}

static bool press_pages(struct pages *pages, int code, int page)
{
	switch (code) {
	case PRESS_UP:
	case 'k':
	case PRESS_WHEEL_UP:
		pages->top -= code == PRESS_WHEEL_UP ? 3 : 1;
		break;
	case PRESS_DOWN:
	case 'j':
	case PRESS_WHEEL_DOWN:
		pages->top += code == PRESS_WHEEL_DOWN ? 3 : 1;
		break;
	case PRESS_PAGE_UP:
	case PRESS_CTRL('b'):
	case PRESS_CTRL('u'):
		pages->top -= page;
		break;
	case PRESS_PAGE_DOWN:
	case PRESS_CTRL('f'):
	case PRESS_CTRL('d'):
		pages->top += page;
		break;
	case PRESS_HOME:
	case 'g':
		pages->top = 0;
		break;
	case PRESS_END:
	case 'G':
		pages->top = pages->rows;
		break;
	default:
		return false;
	}
	if (pages->top > pages->rows)
		pages->top = pages->rows;
	if (pages->top < 0)
		pages->top = 0;
	return true;
}

static bool press_list(struct ui *ui, struct list *list, int code)
{
	switch (code) {
	case PRESS_LEFT:
	case 'h':
		columns(list, -1);
		break;
	case PRESS_RIGHT:
	case 'l':
		columns(list, 1);
		break;
	case PRESS_ENTER:
	case PRESS_DOUBLE_CLICK:
		ui_enter(ui);
		break;
	case '/':
	case PRESS_F1 + 2:
		ui_open_prompt(ui, PROMPT_SEARCH, "");
		break;
	case 'n':
	case 'N':
		search(ui, list, code == 'n' ? 1 : -1);
		break;
	case 'f':
	case '\\':
	case PRESS_F1 + 3:
		ui_open_prompt(ui, PROMPT_FILTER, list->filter.text);
		break;
	case 't':
	case PRESS_F1 + 4:
		next_tree(ui, list);
		break;
	case 's':
	case PRESS_F1 + 5:
		open_sort(ui);
		break;
	case 'S':
		list->descending = !list->descending;
		list->stale = true;
		break;
	case 'a':
		list->all = !list->all;
		list->stale = true;
		break;
	default:
		return press_move(list, code);
	}
	return true;
}

static void press_any(struct ui *ui, int code)
{
	switch (code) {
	case 'q':
	case PRESS_F10:
		ui->wish |= WISH_QUIT;
		break;
	case '?':
	case PRESS_F1:
		ui_help(ui);
		break;
	case PRESS_TAB:
		ui_go(ui, (ui->screen + 1) % SCREENS);
		break;
	case PRESS_BACK_TAB:
		ui_go(ui, (ui->screen + SCREENS - 1) % SCREENS);
		break;
	case PRESS_ESCAPE:
	case PRESS_BACKSPACE:
		back(ui);
		break;
	case ' ':
	case 'z':
		ui_toggle_time(ui);
		break;
	case 'e':
	case 'E':
		ui_open_prompt(ui, code == 'e' ? PROMPT_EXPORT : PROMPT_EXPORT_JSON,
			       code == 'e' ? "vfiowatch.txt" : "vfiowatch.json");
		break;
	case PRESS_CTRL('l'):
		ui->wish |= WISH_REDRAW;
		break;
	case PRESS_CTRL('z'):
		ui->wish |= WISH_SUSPEND;
		break;
	default:
		if (code >= '1' && code < '1' + SCREENS)
			ui_go(ui, (enum screen_id)(code - '1'));
		break;
	}
}

/* By @by tenths of the capture. */
static enum exit_code seek_by(struct player *player, int by, struct failure *failure)
{
	uint64_t tenth = player->n_events / 10 + 1;
	uint64_t position =
		by < 0 ? (player->position > tenth ? player->position - tenth : 0) : player->position + tenth;

	return player_seek(player, position, failure);
}

bool press_replay(struct ui *ui, const struct press *press)
{
	struct player *player = ui->player;
	struct failure failure = {};
	enum exit_code code = EXIT_OK;

	if (!player)
		return false;
	switch (press->code) {
	case '.':
	case ',':
		code = player_step(player, press->code == '.' ? 1 : -1, &failure);
		break;
	case '<':
		player->speed -= player->speed > PLAYER_SPEED_MIN;
		break;
	case '>':
		player->speed += player->speed < PLAYER_SPEED_MAX;
		break;
	case '[':
	case ']':
		code = seek_by(player, press->code == ']' ? 1 : -1, &failure);
		break;
	case ':':
		ui_open_prompt(ui, PROMPT_SEEK, "");
		break;
	default:
		return false;
	}
	if (code != EXIT_OK)
		ui_say(ui, true, "%s", failure.text);
	return true;
}

void press_mouse(struct ui *ui, const struct press *press)
{
	struct list *list = ui_list(ui);
	size_t line;
	int row;

	if (press->row == 1)
		for (int i = 0; i < SCREENS; i++)
			if (press->column >= ui->tabs_begin[i] && press->column < ui->tabs_end[i]) {
				ui_go(ui, (enum screen_id)i);
				return;
			}
	if (!list)
		return;
	row = press->row - list->drawn_row;
	if (row == 0 && list_column_at(list, press->column) >= 0) {
		list_sort(list, list_column_at(list, press->column));
		return;
	}
	line = list_line_at(list, row);
	if (line >= list->n_lines)
		return;
	list_go(list, line);
	if (press->code == PRESS_DOUBLE_CLICK)
		ui_enter(ui);
}

void press_popup(struct ui *ui, const struct press *press)
{
	struct list *list = ui_list(ui);
	int code = press->code, n = list ? (int)list->sheet->view->n_fields : 0;

	if (code == PRESS_ESCAPE || code == 'q' || code == PRESS_BACKSPACE || code == '?' ||
	    code == PRESS_F1 || (code == PRESS_ENTER && ui->popup != POPUP_SORT)) {
		ui->popup = POPUP_NONE;
		ui->explaining = false;
		return;
	}
	if (ui->popup != POPUP_SORT) {
		press_pages(&ui->detail, code, ui->body.rows > 2 ? ui->body.rows - 2 : 1);
	} else if (!list || code == PRESS_ENTER) {
		if (list)
			list_sort(list, ui->choice);
		ui->popup = POPUP_NONE;
	} else if (code == PRESS_UP || code == 'k' || code == PRESS_WHEEL_UP) {
		ui->choice = (ui->choice + n - 1) % n;
	} else if (code == PRESS_DOWN || code == 'j' || code == PRESS_WHEEL_DOWN) {
		ui->choice = (ui->choice + 1) % n;
	}
}

void ui_press(struct ui *ui, const struct press *press)
{
	struct list *list = ui_list(ui);

	ui->message[0] = '\0';
	if (ui->prompt) {
		press_prompt(ui, press);
		return;
	}
	if (ui->popup) {
		press_popup(ui, press);
		return;
	}
	if (list && list_update(list) < 0)
		return;
	if (ui->screen == SCREEN_DEVICE && press_device(ui, press))
		return;
	if (press->code == PRESS_CLICK || press->code == PRESS_DOUBLE_CLICK) {
		press_mouse(ui, press);
		return;
	}
	if (press_replay(ui, press))
		return;
	if (list ? press_list(ui, list, press->code)
		 : press_pages(&ui->health, press->code, ui->body.rows > 2 ? ui->body.rows - 1 : 1))
		return;
	press_any(ui, press->code);
}
