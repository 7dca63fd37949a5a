/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_GRID_H
#define VFIOWATCH_TUI_GRID_H

/*
 * A screen full of cells: what every panel draws into, what the terminal is made equal to, and what --batch
 * prints. Knows no terminal. Whatever text is put, it stays within its cells: what a terminal would act on
 * becomes \xNN, a wide character that does not fit is left out, combining characters stay in the cell of
 * their letter.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a cell means; which colours that is the terminal's side decides. */
enum style {
	STYLE_PLAIN = 0,
	STYLE_FAINT,
	STYLE_TITLE,  /* header line, and the present tab */
	STYLE_HEADER, /* column titles */
	STYLE_KEY,    /* a key in the footer */
	STYLE_BAD,
	STYLE_WARN,
	STYLE_GOOD,
	STYLE_UC, /* memory types */
	STYLE_WC,
	STYLE_CACHED,
	STYLE_UNKNOWN,
	STYLES,
};

enum glyph_flags {
	GLYPH_REVERSE = 1 << 0,
	GLYPH_BOLD = 1 << 1,
	GLYPH_UNDERLINE = 1 << 2,
};

/* One letter with at most two combining characters. */
#define GLYPH_TEXT 16

struct glyph {
	char text[GLYPH_TEXT]; /* UTF-8, or ASCII where the locale has no more; empty: right half of a wide
				  one */
	uint8_t width;         /* 1 or 2 columns; 0: right half of a wide one */
	uint8_t style, flags;
};

struct grid {
	int rows, columns;
	bool utf8;
	struct glyph *cells;
};

/* Larger terminals get a screen of this size. */
#define GRID_ROWS_MAX    512
#define GRID_COLUMNS_MAX 1024

/* Makes it this large (cut to 1..maximum) and empty. Returns 0 or -ENOMEM, with the grid as it was. */
int grid_resize(struct grid *grid, int rows, int columns);
void grid_done(struct grid *grid);
void grid_clear(struct grid *grid);

/* NULL: outside. */
const struct glyph *grid_at(const struct grid *grid, int row, int column);

/* Part of a grid: nothing is drawn outside. */
struct area {
	struct grid *grid;
	int row, column, rows, columns; /* in the grid */
};
struct area grid_area(struct grid *grid);
/* The rows from @row on, at most @rows, of @area. May be empty. */
struct area area_rows(const struct area *area, int row, int rows);
struct area area_columns(const struct area *area, int column, int columns);

enum pen_align { ALIGN_LEFT, ALIGN_RIGHT };

struct pen {
	enum style style;
	uint8_t flags;
};

/* Puts @text at @row, @column of @area, cut at @width (and at the area) with an ellipsis. Returns the columns
 * used. */
int area_put(const struct area *area, int row, int column, int width, struct pen pen, const char *text);
/* The same in a field of @width columns, all of which are written. */
void area_field(const struct area *area, int row, int column, int width, enum pen_align align, struct pen pen,
		const char *text);
int area_printf(const struct area *area, int row, int column, struct pen pen, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void area_fill(const struct area *area, int row, int column, int width, struct pen pen, const char *symbol);
/* Makes a row look selected: in one colour, reversed. */
void area_select(const struct area *area, int row);
/* Makes all of it look as what is no longer sure. */
void area_fade(const struct area *area);
/* Adds @flags to the cells of a row. */
void area_flag(const struct area *area, int row, uint8_t flags);

/*
 * A paragraph, wrapped at spaces; words that are too long are cut. Lines but the first begin at column
 * @indent. Returns the rows it takes, also those that found no room. With @skip the first so many are left
 * out.
 */
int area_wrap(const struct area *area, int row, int skip, int indent, struct pen pen, const char *text);

/* Drawing characters with their ASCII stand-ins. */
enum symbol {
	SYMBOL_LINE,
	SYMBOL_TREE,     /* "├─" */
	SYMBOL_TREE_END, /* "└─" */
	SYMBOL_OPEN,     /* of a group */
	SYMBOL_SHUT,
	SYMBOL_UP, /* sorted */
	SYMBOL_DOWN,
	SYMBOL_MORE, /* cut text */
	SYMBOL_PLAY,
	SYMBOL_PAUSE,
	SYMBOL_LEFT_EDGE, /* of a strip */
	SYMBOL_RIGHT_EDGE,
	SYMBOL_NOTHING, /* unmapped bytes */
	SYMBOL_MARK,    /* points up at a cell of the strip */
	SYMBOLS,
};
const char *grid_symbol(const struct grid *grid, enum symbol symbol);

/* Columns that area_put() needs for @text. */
int grid_text_width(const struct grid *grid, const char *text);

enum colours { COLOURS_NONE = 0, COLOURS_8, COLOURS_16, COLOURS_256 };

/* Prints the grid as lines without spaces at their ends; with colours, as escape sequences. */
void grid_print(const struct grid *grid, enum colours colours, FILE *out);

/* The look of a style. Colours are those of the terminal's palette, -1: its default. */
struct look {
	int foreground, background;
	bool bold, faint, reverse, underline;
};
struct look style_look(enum style style, uint8_t flags, enum colours colours);

#endif
