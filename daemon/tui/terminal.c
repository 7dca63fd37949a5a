/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tui/terminal.h"

/* Two clicks at one place within this are one double click. */
#define DOUBLE_CLICK_MSEC 400

/* What comes after Escape within this is the rest of a key. */
#define ESCAPE_MSEC 25

struct terminal {
	SCREEN *screen;
	struct grid shown; /* what the terminal has */
	bool all;          /* .. is not known */
	enum colours colours;
	int click_row, click_column;
	int64_t clicked_msec;
};

static enum colours init_colours(bool wanted)
{
	enum colours colours;
	short background = -1;

	if (!wanted || !has_colors() || start_color() == ERR || COLORS < 8)
		return COLOURS_NONE;
	if (use_default_colors() == ERR)
		background = COLOR_BLACK;
	colours = COLORS >= 256 ? COLOURS_256 : COLORS >= 16 ? COLOURS_16 : COLOURS_8;
	for (int style = 0; style < STYLES; style++) {
		struct look look = style_look(style, 0, colours);
		short foreground = (short)look.foreground;

		if (foreground < 0 && background >= 0)
			foreground = COLOR_WHITE;
		init_pair((short)(style + 1), foreground, background);
	}
	return colours;
}

static void set_modes(void)
{
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MSEC);
	curs_set(0);
	mouseinterval(0);
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
}

struct terminal *terminal_open(bool colour, const char **error)
{
	struct terminal *terminal = calloc(1, sizeof(*terminal));

	if (!terminal) {
		*error = "out of memory";
		return NULL;
	}
	terminal->screen = newterm(NULL, stdout, stdin);
	if (!terminal->screen) {
		*error = "the kind of this terminal is not known: set TERM, or use --batch";
		free(terminal);
		return NULL;
	}
	set_modes();
	terminal->colours = init_colours(colour);
	terminal->all = true;
	return terminal;
}

struct terminal *terminal_close(struct terminal *terminal)
{
	if (!terminal)
		return NULL;
	endwin();
	delscreen(terminal->screen);
	grid_done(&terminal->shown);
	free(terminal);
	return NULL;
}

static void make_cell(const struct terminal *terminal, const struct glyph *glyph, cchar_t *ret)
{
	struct look look = style_look(glyph->style, glyph->flags, terminal->colours);
	wchar_t wide[CCHARW_MAX + 1] = L" ";
	attr_t attributes = A_NORMAL;

	if (mbstowcs(wide, glyph->text, CCHARW_MAX) == (size_t)-1 || !wide[0])
		wcscpy(wide, L"?");
	if (look.bold)
		attributes |= A_BOLD;
	if (look.faint)
		attributes |= A_DIM;
	if (look.reverse)
		attributes |= A_REVERSE;
	if (look.underline)
		attributes |= A_UNDERLINE;
	setcchar(ret, wide, attributes, terminal->colours ? (short)(glyph->style + 1) : 0, NULL);
}

static bool same_glyph(const struct glyph *a, const struct glyph *b)
{
	return a->width == b->width && a->style == b->style && a->flags == b->flags &&
	       strcmp(a->text, b->text) == 0;
}

/* Writes one row from its first to its last difference. */
static void show_row(struct terminal *terminal, const struct grid *grid, int row)
{
	int first = 0, last = grid->columns - 1;
	cchar_t cell;

	while (!terminal->all && first <= last &&
	       same_glyph(grid_at(grid, row, first), grid_at(&terminal->shown, row, first)))
		first++;
	while (!terminal->all && last >= first &&
	       same_glyph(grid_at(grid, row, last), grid_at(&terminal->shown, row, last)))
		last--;
	if (first > last)
		return;
	/* A wide character is written from its left half on, and what becomes of an old one is ours to say.
	 */
	while (first > 0 &&
	       (!grid_at(grid, row, first)->width || !grid_at(&terminal->shown, row, first)->width))
		first--;
	if (last + 1 < grid->columns && !grid_at(&terminal->shown, row, last + 1)->width)
		last++;
	for (int column = first; column <= last; column++) {
		const struct glyph *glyph = grid_at(grid, row, column);

		if (!glyph->width)
			continue;
		make_cell(terminal, glyph, &cell);
		mvadd_wchnstr(row, column, &cell, 1);
	}
}

void terminal_show(struct terminal *terminal, const struct grid *grid)
{
	struct grid *shown = &terminal->shown;

	if (grid->rows != shown->rows || grid->columns != shown->columns) {
		terminal->all = true;
		if (grid_resize(shown, grid->rows, grid->columns) < 0)
			return;
	}
	if (terminal->all)
		clear();
	for (int row = 0; row < grid->rows && row < LINES; row++)
		show_row(terminal, grid, row);
	memcpy(shown->cells, grid->cells, (size_t)grid->rows * (size_t)grid->columns * sizeof(*grid->cells));
	terminal->all = false;
	refresh();
}

void terminal_redraw(struct terminal *terminal)
{
	terminal->all = true;
	clearok(curscr, TRUE);
}

static int64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool mouse_press(struct terminal *terminal, struct press *ret)
{
	int64_t now = now_msec();
	MEVENT event;

	if (getmouse(&event) != OK)
		return false;
	*ret = (struct press){.row = event.y, .column = event.x};
	if (event.bstate & BUTTON4_PRESSED) {
		ret->code = PRESS_WHEEL_UP;
	} else if (event.bstate & BUTTON5_PRESSED) {
		ret->code = PRESS_WHEEL_DOWN;
	} else if (event.bstate & BUTTON1_PRESSED) {
		bool again = event.y == terminal->click_row && event.x == terminal->click_column &&
			     now - terminal->clicked_msec < DOUBLE_CLICK_MSEC;

		ret->code = again ? PRESS_DOUBLE_CLICK : PRESS_CLICK;
		terminal->click_row = event.y;
		terminal->click_column = event.x;
		terminal->clicked_msec = again ? 0 : now;
	} else {
		return false;
	}
	return true;
}

static int special_code(int key)
{
	switch (key) {
	case KEY_UP:
		return PRESS_UP;
	case KEY_DOWN:
		return PRESS_DOWN;
	case KEY_LEFT:
		return PRESS_LEFT;
	case KEY_RIGHT:
		return PRESS_RIGHT;
	case KEY_PPAGE:
		return PRESS_PAGE_UP;
	case KEY_NPAGE:
		return PRESS_PAGE_DOWN;
	case KEY_HOME:
		return PRESS_HOME;
	case KEY_END:
		return PRESS_END;
	case KEY_BTAB:
		return PRESS_BACK_TAB;
	case KEY_BACKSPACE:
		return PRESS_BACKSPACE;
	case KEY_DC:
		return PRESS_DELETE;
	case KEY_ENTER:
		return PRESS_ENTER;
	default:
		return key >= KEY_F(1) && key <= KEY_F(10) ? PRESS_F1 + (key - KEY_F(1)) : -1;
	}
}

bool terminal_press(struct terminal *terminal, struct press *ret)
{
	wint_t key;
	int kind;

	/* What means nothing to us is passed over. */
	while ((kind = get_wch(&key)) != ERR) {
		*ret = (struct press){};
		if (kind == KEY_CODE_YES && key == KEY_MOUSE) {
			if (mouse_press(terminal, ret))
				return true;
			continue;
		}
		ret->code = kind == KEY_CODE_YES ? special_code((int)key) : (int)key;
		if (ret->code == '\n')
			ret->code = PRESS_ENTER;
		if (kind != KEY_CODE_YES && (ret->code == 0x7f || ret->code == PRESS_CTRL('h')))
			ret->code = PRESS_BACKSPACE;
		if (ret->code >= 0)
			return true;
	}
	return false;
}

void terminal_size(struct terminal *terminal, int *rows, int *columns)
{
	struct winsize size;

	(void)terminal;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col &&
	    (size.ws_row != LINES || size.ws_col != COLS)) {
		resizeterm(size.ws_row, size.ws_col);
		terminal_redraw(terminal);
	}
	*rows = LINES;
	*columns = COLS;
}

void terminal_suspend(struct terminal *terminal)
{
	(void)terminal;
	endwin();
}

void terminal_resume(struct terminal *terminal)
{
	terminal_redraw(terminal);
	refresh();
}
