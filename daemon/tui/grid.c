/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "core/snapshot.h"
#include "tui/grid.h"

static int clamp(int value, int least, int most)
{
	return value < least ? least : value > most ? most : value;
}

static const struct glyph blank = {.text = " ", .width = 1};

void grid_clear(struct grid *grid)
{
	for (int i = 0; i < grid->rows * grid->columns; i++)
		grid->cells[i] = blank;
}

int grid_resize(struct grid *grid, int rows, int columns)
{
	struct glyph *cells;

	rows = clamp(rows, 1, GRID_ROWS_MAX);
	columns = clamp(columns, 1, GRID_COLUMNS_MAX);
	if (grid->cells && rows == grid->rows && columns == grid->columns)
		return 0;
	cells = reallocarray(NULL, (size_t)rows * (size_t)columns, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	free(grid->cells);
	grid->cells = cells;
	grid->rows = rows;
	grid->columns = columns;
	grid_clear(grid);
	return 0;
}

void grid_done(struct grid *grid)
{
	free(grid->cells);
	*grid = (struct grid){};
}

const struct glyph *grid_at(const struct grid *grid, int row, int column)
{
	if (row < 0 || row >= grid->rows || column < 0 || column >= grid->columns)
		return NULL;
	return &grid->cells[row * grid->columns + column];
}

struct area grid_area(struct grid *grid)
{
	return (struct area){grid, 0, 0, grid->rows, grid->columns};
}

struct area area_rows(const struct area *area, int row, int rows)
{
	struct area part = *area;

	row = clamp(row, 0, area->rows);
	part.row += row;
	part.rows = clamp(rows, 0, area->rows - row);
	return part;
}

struct area area_columns(const struct area *area, int column, int columns)
{
	struct area part = *area;

	column = clamp(column, 0, area->columns);
	part.column += column;
	part.columns = clamp(columns, 0, area->columns - column);
	return part;
}

/* One character of the text, made harmless. */
struct letter {
	char text[GLYPH_TEXT];
	int width; /* columns; a letter that is spelled \xNN takes as many as it has bytes */
	size_t bytes;
	bool spelled;
};

#define SPELLED_MAX 4

static void spell(struct letter *letter, unsigned char byte)
{
	snprintf(letter->text, sizeof(letter->text), "\\x%02x", byte);
	letter->width = 4;
	letter->bytes = 1;
	letter->spelled = true;
}

static size_t next_wide(const char *text, wchar_t *wide)
{
	mbstate_t state = {};
	size_t length = mbrtowc(wide, text, strnlen(text, 8), &state);

	return length == (size_t)-1 || length == (size_t)-2 ? 0 : length;
}

static bool is_harmless(const char *text, size_t length)
{
	char safe[4 * 8 + 1];

	text_escape(text, length, safe, sizeof(safe));
	return strlen(safe) == length && memcmp(safe, text, length) == 0;
}

/* Takes combining characters into the cell of @letter, at most two. */
static void take_combining(const char *text, struct letter *letter)
{
	for (int i = 0; i < 2; i++) {
		const char *next = text + letter->bytes;
		wchar_t wide;
		size_t length = *next ? next_wide(next, &wide) : 0, used = strlen(letter->text);

		if (!length || wcwidth(wide) != 0 || !is_harmless(next, length) ||
		    used + length >= sizeof(letter->text))
			return;
		memcpy(letter->text + used, next, length);
		letter->text[used + length] = '\0';
		letter->bytes += length;
	}
}

/* @text is not empty. */
static void next_letter(const struct grid *grid, const char *text, struct letter *ret)
{
	wchar_t wide;
	size_t length;

	*ret = (struct letter){};
	if ((unsigned char)text[0] >= ' ' && (unsigned char)text[0] < 0x7f) {
		ret->text[0] = text[0];
		ret->width = 1;
		ret->bytes = 1;
		if (grid->utf8 && (unsigned char)text[1] >= 0x80)
			take_combining(text, ret);
		return;
	}
	length = grid->utf8 ? next_wide(text, &wide) : 0;
	if (!length || length >= 8 || wcwidth(wide) < 1 || wcwidth(wide) > 2 || !is_harmless(text, length)) {
		spell(ret, text[0]);
		return;
	}
	memcpy(ret->text, text, length);
	ret->width = wcwidth(wide);
	ret->bytes = length;
	take_combining(text, ret);
}

int grid_text_width(const struct grid *grid, const char *text)
{
	struct letter letter;
	int total = 0;

	while (*text && total < 2 * GRID_COLUMNS_MAX) {
		next_letter(grid, text, &letter);
		text += letter.bytes;
		total += letter.width;
	}
	return total;
}

static struct glyph *cell(const struct area *area, int row, int column)
{
	return &area->grid->cells[(area->row + row) * area->grid->columns + area->column + column];
}

/* A wide character whose other half is about to be overwritten becomes a space. */
static void break_wide(const struct area *area, int row, int column)
{
	struct glyph *here = cell(area, row, column);

	if (here->width == 0 && area->column + column > 0) {
		here[-1] = (struct glyph){
			.text = " ", .width = 1, .style = here[-1].style, .flags = here[-1].flags};
		*here = blank;
	} else if (here->width == 2 && area->column + column + 1 < area->grid->columns) {
		here[1] = blank;
		*here = blank;
	}
}

static void put_glyph(const struct area *area, int row, int column, struct pen pen, const char *text,
		      int width)
{
	struct glyph *here = cell(area, row, column);

	break_wide(area, row, column);
	if (width == 2)
		break_wide(area, row, column + 1);
	*here = (struct glyph){.width = (uint8_t)width, .style = pen.style, .flags = pen.flags};
	memccpy(here->text, text, '\0', sizeof(here->text) - 1);
	if (width == 2)
		here[1] = (struct glyph){.style = pen.style, .flags = pen.flags};
}

static int put_letter(const struct area *area, int row, int column, struct pen pen,
		      const struct letter *letter)
{
	char one[2] = "";

	if (!letter->spelled) {
		put_glyph(area, row, column, pen, letter->text, letter->width);
		return letter->width;
	}
	for (int i = 0; i < SPELLED_MAX; i++) {
		one[0] = letter->text[i];
		put_glyph(area, row, column + i, pen, one, 1);
	}
	return SPELLED_MAX;
}

int area_put(const struct area *area, int row, int column, int width, struct pen pen, const char *text)
{
	int used = 0;
	struct letter letter;

	if (row < 0 || row >= area->rows || column < 0 || column >= area->columns)
		return 0;
	width = clamp(width, 0, area->columns - column);
	while (*text && used < width) {
		bool last;

		next_letter(area->grid, text, &letter);
		last = text[letter.bytes] == '\0';
		/* The last column is for the ellipsis unless this letter ends the text. */
		if (used + letter.width > width - (last ? 0 : 1) &&
		    (last || grid_text_width(area->grid, text) > width - used)) {
			put_glyph(area, row, column + used, pen, grid_symbol(area->grid, SYMBOL_MORE), 1);
			return used + 1;
		}
		used += put_letter(area, row, column + used, pen, &letter);
		text += letter.bytes;
	}
	return used;
}

void area_field(const struct area *area, int row, int column, int width, enum pen_align align, struct pen pen,
		const char *text)
{
	int own = grid_text_width(area->grid, text);
	int left = align == ALIGN_RIGHT && own < width ? width - own : 0;
	int used;

	area_fill(area, row, column, left, pen, " ");
	used = left + area_put(area, row, column + left, width - left, pen, text);
	area_fill(area, row, column + used, width - used, pen, " ");
}

int area_printf(const struct area *area, int row, int column, struct pen pen, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return area_put(area, row, column, area->columns - column, pen, text);
}

void area_fill(const struct area *area, int row, int column, int width, struct pen pen, const char *symbol)
{
	if (row < 0 || row >= area->rows)
		return;
	for (int i = column < 0 ? 0 : column; i < column + width && i < area->columns; i++)
		put_glyph(area, row, i, pen, symbol, 1);
}

void area_select(const struct area *area, int row)
{
	if (row < 0 || row >= area->rows)
		return;
	for (int i = 0; i < area->columns; i++)
		cell(area, row, i)->style = STYLE_PLAIN;
	area_flag(area, row, GLYPH_REVERSE);
}

void area_fade(const struct area *area)
{
	for (int row = 0; row < area->rows; row++)
		for (int column = 0; column < area->columns; column++)
			if (!(cell(area, row, column)->flags & GLYPH_REVERSE) &&
			    cell(area, row, column)->style != STYLE_HEADER)
				cell(area, row, column)->style = STYLE_FAINT;
}

void area_flag(const struct area *area, int row, uint8_t flags)
{
	if (row < 0 || row >= area->rows)
		return;
	for (int i = 0; i < area->columns; i++)
		cell(area, row, i)->flags |= flags;
}

int area_wrap(const struct area *area, int row, int skip, int indent, struct pen pen, const char *text)
{
	int lines = 0, used = 0;
	char *copy = strdup(text), *rest = copy, *word;
	int gap = 0;

	if (!copy)
		return 0;
	while ((word = strsep(&rest, " "))) {
		int own = grid_text_width(area->grid, word);

		if (!own) {
			gap++;
			continue;
		}
		if (used > (lines ? indent : 0) && used + gap + own > area->columns) {
			lines++;
			used = indent;
			gap = 0;
		}
		used += gap;
		if (lines >= skip)
			area_put(area, row + lines - skip, used, area->columns - used, pen, word);
		used += own;
		gap = 1;
	}
	free(copy);
	return lines + 1;
}

const char *grid_symbol(const struct grid *grid, enum symbol symbol)
{
	static const char *const symbols[SYMBOLS][2] = {
		[SYMBOL_LINE] = {"-", "─"},       [SYMBOL_TREE] = {"|-", "├─"},
		[SYMBOL_TREE_END] = {"`-", "└─"}, [SYMBOL_OPEN] = {"-", "▾"},
		[SYMBOL_SHUT] = {"+", "▸"},       [SYMBOL_UP] = {"^", "▲"},
		[SYMBOL_DOWN] = {"v", "▼"},       [SYMBOL_MORE] = {"~", "…"},
		[SYMBOL_PLAY] = {">", "▶"},       [SYMBOL_PAUSE] = {"#", "‖"},
		[SYMBOL_LEFT_EDGE] = {"[", "▕"},  [SYMBOL_RIGHT_EDGE] = {"]", "▏"},
		[SYMBOL_NOTHING] = {".", "·"},    [SYMBOL_MARK] = {"^", "▲"},
	};

	return symbols[symbol][grid->utf8];
}
