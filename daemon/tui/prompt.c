/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One line of text that is asked for. */

#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static size_t before(const struct ui *ui)
{
	size_t at = ui->cursor;

	while (at > 0 && ((unsigned char)ui->text[--at] & 0xc0) == 0x80)
		;
	return at;
}

static size_t behind(const struct ui *ui)
{
	size_t at = ui->cursor;

	if (ui->text[at])
		while (((unsigned char)ui->text[++at] & 0xc0) == 0x80)
			;
	return at;
}

static void cut(struct ui *ui, size_t from, size_t to)
{
	memmove(ui->text + from, ui->text + to, strlen(ui->text + to) + 1);
	ui->cursor = from;
}

static size_t encode(int code, char out[4])
{
	unsigned int c = (unsigned int)code;

	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* What finds no room is not taken. */
static void insert(struct ui *ui, int code)
{
	char bytes[4];
	size_t n = encode(code, bytes);

	if (strlen(ui->text) + n >= sizeof(ui->text))
		return;
	memmove(ui->text + ui->cursor + n, ui->text + ui->cursor, strlen(ui->text + ui->cursor) + 1);
	memcpy(ui->text + ui->cursor, bytes, n);
	ui->cursor += n;
}

static void seek(struct ui *ui)
{
	struct failure failure = {};
	uint64_t position;

	if (!player_find(ui->player, ui->text, &position)) {
		ui_say(ui, true, "%s is no place: #40, 50%%, +1.5s, -200ms or 13:59:20.7", ui->text);
		return;
	}
	ui->player->playing = false;
	if (player_seek(ui->player, position, &failure) != EXIT_OK)
		ui_say(ui, true, "%s", failure.text);
}

static void export_to(struct ui *ui)
{
	snprintf(ui->export_path, sizeof(ui->export_path), "%s", ui->text);
	ui->export_json = ui->prompt == PROMPT_EXPORT_JSON;
	ui->wish |= WISH_EXPORT;
}

static void finish(struct ui *ui)
{
	struct list *list = ui_list(ui);
	enum prompt_kind kind = ui->prompt;

	if (kind == PROMPT_FILTER && list) {
		/* What is wrong with it stays to be put right. */
		if (!list_set_filter(list, ui->text, ui->message, sizeof(ui->message))) {
			char error[sizeof(ui->message)];

			memcpy(error, ui->message, sizeof(error));
			ui_say(ui, true, "%s", error);
		}
	} else if (kind == PROMPT_SEARCH && list && !ui->text[0]) {
		list->search[0] = '\0';
	} else if (kind == PROMPT_SEEK && ui->player) {
		seek(ui);
	} else if (kind == PROMPT_EXPORT || kind == PROMPT_EXPORT_JSON) {
		export_to(ui);
	}
	ui->prompt = PROMPT_NONE;
}

/* A search goes along with what is typed. */
static void follow_search(struct ui *ui)
{
	struct list *list = ui_list(ui);

	if (ui->prompt != PROMPT_SEARCH || !list)
		return;
	snprintf(list->search, sizeof(list->search), "%s", ui->text);
	if (list->search[0] && list_update(list) == 0 && !list_search(list, 0))
		ui_say(ui, true, "nowhere: %s", list->search);
}

void press_prompt(struct ui *ui, const struct press *press)
{
	int code = press->code;

	if (code == PRESS_ENTER) {
		finish(ui);
		return;
	}
	if (code == PRESS_ESCAPE) {
		ui->prompt = PROMPT_NONE;
		return;
	}
	if (code == PRESS_LEFT)
		ui->cursor = before(ui);
	else if (code == PRESS_RIGHT)
		ui->cursor = behind(ui);
	else if (code == PRESS_HOME || code == PRESS_CTRL('a'))
		ui->cursor = 0;
	else if (code == PRESS_END || code == PRESS_CTRL('e'))
		ui->cursor = strlen(ui->text);
	else if (code == PRESS_BACKSPACE || code == PRESS_CTRL('h') || code == 0x7f)
		cut(ui, before(ui), ui->cursor);
	else if (code == PRESS_DELETE)
		cut(ui, ui->cursor, behind(ui));
	else if (code == PRESS_CTRL('u'))
		cut(ui, 0, ui->cursor);
	else if (code >= ' ' && code < PRESS_UP && code != 0x7f && !(code >= 0xd800 && code < 0xe000))
		insert(ui, code);
	else
		return;
	follow_search(ui);
}
