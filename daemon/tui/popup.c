/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What covers the panel: help, the choice of a column to sort by, an explanation; and the footer. */

#include <stdio.h>
#include <string.h>

#include "tui/ui.h"

static const char *const help[][2] = {
	{"1 .. 7, Tab, Shift-Tab", "screens"},
	{"Up Down k j", "line"},
	{"PgUp PgDn Ctrl-B Ctrl-F", "page; half of it: Ctrl-U Ctrl-D"},
	{"Home End g G", "first, last line"},
	{"Left Right h l", "columns; in a tree shut and open; on a device pan"},
	{"Enter", "device; explanation of what is selected"},
	{"Esc", "back; ends a search or filter"},
	{"/ n N", "search, next, previous (F3)"},
	{"f", "filter, such as type=wc device=0000:3b comm!=qemu (F4, \\)"},
	{"s S", "sort by a column, other direction (F6)"},
	{"t", "tree by device, by process, none (F5)"},
	{"a", "also what is no longer live"},
	{"Space z", "freeze; replay: play and pause"},
	{"e E", "export this screen as text, as JSON"},
	{"device: + - 0", "zoom in, out, whole BAR"},
	{"device: H L", "pan by half a window"},
	{"device: b B, d D, c", "BAR, device, cookies or mappings"},
	{"replay: . ,", "step forward, back"},
	{"replay: < >", "slower, faster"},
	{"replay: [ ] :", "back, forward by a tenth; go to #EVENT, 50%, +1.5s, 13:59:20"},
	{"mouse", "tabs, rows, column titles, the strip; wheel; double click is Enter"},
	{"Ctrl-L, Ctrl-Z", "redraw, suspend"},
	{"? F1", "this"},
	{"q F10 Ctrl-C", "quit"},
	{"U W T P B ? *", "bytes of a BAR: uc, wc, wt, wp, wb, unknown, several; small: not populated"},
	{"! ~ 2..9", "types conflict; not the type asked for; mappings that overlap"},
};

void ui_help(struct ui *ui)
{
	pages_clear(&ui->detail);
	ui->detail.top = 0;
	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		pages_add(&ui->detail, STYLE_PLAIN, 4, "%-25s %s", help[i][0], help[i][1]);
	ui->popup = POPUP_HELP;
}

static void draw_choice(struct ui *ui, const struct area *area)
{
	struct list *list = ui_list(ui);
	int top = ui->choice >= area->rows ? ui->choice - area->rows + 1 : 0;

	for (int i = 0; list && i < area->rows && i + top < (int)list->sheet->view->n_fields; i++) {
		bool chosen = i + top == ui->choice;

		area_field(area, i, 1, area->columns - 2, ALIGN_LEFT,
			   (struct pen){STYLE_PLAIN, chosen ? GLYPH_REVERSE : 0},
			   list->sheet->view->fields[i + top].column.title);
	}
}

void draw_popup(struct ui *ui, const struct area *area)
{
	static const char *const titles[] = {
		[POPUP_HELP] = "Keys", [POPUP_SORT] = "Sort by", [POPUP_DETAIL] = "Explanation"};
	struct area inner = area_rows(area, 1, area->rows - 1);
	int at;

	for (int row = 0; row < area->rows; row++)
		area_fill(area, row, 0, area->columns, (struct pen){}, " ");
	area_fill(area, 0, 0, area->columns, (struct pen){STYLE_FAINT, 0},
		  grid_symbol(area->grid, SYMBOL_LINE));
	at = area_put(area, 0, 2, area->columns, (struct pen){STYLE_TITLE, 0}, " ");
	at += area_put(area, 0, 2 + at, area->columns, (struct pen){STYLE_TITLE, 0}, titles[ui->popup]);
	area_put(area, 0, 2 + at, area->columns, (struct pen){STYLE_TITLE, 0}, " ");
	if (ui->popup == POPUP_SORT)
		draw_choice(ui, &inner);
	else if (ui->popup == POPUP_DETAIL && ui->explaining)
		area_put(&inner, 0, 0, inner.columns, (struct pen){STYLE_FAINT, 0}, "The daemon is asked.");
	else
		pages_draw(&ui->detail, &inner);
}

static void draw_prompt(struct ui *ui, const struct area *area)
{
	static const char *const labels[] = {[PROMPT_SEARCH] = "/",
					     [PROMPT_FILTER] = "Filter: ",
					     [PROMPT_SEEK] = "Go to: ",
					     [PROMPT_EXPORT] = "Write text to: ",
					     [PROMPT_EXPORT_JSON] = "Write JSON to: "};
	char before[PROMPT_MAX];
	int at = area_put(area, 0, 0, area->columns, (struct pen){STYLE_TITLE, 0}, labels[ui->prompt]);
	int mark, room = area->columns - at - 1, over;
	const char *text = ui->text;

	memcpy(before, ui->text, ui->cursor);
	before[ui->cursor] = '\0';
	/* The part around the cursor, where the text is longer than the line. */
	over = grid_text_width(area->grid, before) - room;
	while (over > 0 && *text) {
		over--;
		text++;
		while (((unsigned char)*text & 0xc0) == 0x80)
			text++;
	}
	if (text > ui->text + ui->cursor)
		text = ui->text + ui->cursor;
	mark = at + grid_text_width(area->grid, before + (text - ui->text));
	area_put(area, 0, at, area->columns - at, (struct pen){}, text);
	if (mark < area->columns)
		area_flag(&(struct area){area->grid, area->row, area->column + mark, 1, 1}, 0, GLYPH_REVERSE);
}

struct hint {
	const char *key, *what;
};

static int draw_hint(const struct area *area, int at, const struct hint *hint)
{
	int width = grid_text_width(area->grid, hint->key) + grid_text_width(area->grid, hint->what) + 1;

	if (at + width > area->columns)
		return at;
	at += area_put(area, 0, at, area->columns - at, (struct pen){STYLE_KEY, 0}, hint->key);
	at += 1 + area_put(area, 0, at + 1, area->columns - at - 1, (struct pen){STYLE_PLAIN, 0}, hint->what);
	return at + 2;
}

static void draw_hints(struct ui *ui, const struct area *area)
{
	static const struct hint general[] = {{"?", "Help"}, {"q", "Quit"}};
	static const struct hint replay[] = {
		{"Space", "Play"}, {".,", "Step"}, {"<>", "Speed"}, {":", "Go to"}};
	static const struct hint strip[] = {
		{"+-", "Zoom"}, {"hl", "Pan"}, {"b", "BAR"}, {"d", "Device"}, {"c", "Cookies"}};
	static const struct hint list[] = {{"Enter", "Open"}, {"/", "Search"}, {"f", "Filter"}, {"s", "Sort"},
					   {"t", "Tree"},     {"a", "All"},    {"e", "Export"}};
	static const struct hint live[] = {{"Space", "Freeze"}};
	int at = 0;

	for (size_t i = 0; i < 2; i++)
		at = draw_hint(area, at, &general[i]);
	for (size_t i = 0; ui->screen == SCREEN_DEVICE && i < 5; i++)
		at = draw_hint(area, at, &strip[i]);
	for (size_t i = 0; ui->player && i < 4; i++)
		at = draw_hint(area, at, &replay[i]);
	for (size_t i = 0; ui->screen != SCREEN_HEALTH && i < 7; i++)
		at = draw_hint(area, at, &list[i]);
	if (!ui->player)
		draw_hint(area, at, &live[0]);
}

void draw_footer(struct ui *ui, const struct area *area)
{
	if (ui->prompt)
		draw_prompt(ui, area);
	else if (ui->message[0])
		area_put(area, 0, 0, area->columns, (struct pen){ui->message_bad ? STYLE_BAD : STYLE_GOOD, 0},
			 ui->message);
	else
		draw_hints(ui, area);
}
