/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "tui/grid.h"

/* Foregrounds of each style: of 8 colours, 16, and 256. -1: the default. Bold tells where colours are few. */
static const struct {
	int8_t few, more;
	int16_t many;
	bool bold, faint, reverse, underline;
} looks[STYLES] = {
	[STYLE_PLAIN] = {-1, -1, -1},
	[STYLE_FAINT] = {-1, 8, 244, .faint = true},
	[STYLE_TITLE] = {-1, -1, -1, .bold = true},
	[STYLE_HEADER] = {-1, -1, -1, .bold = true, .underline = true},
	[STYLE_KEY] = {-1, -1, -1, .reverse = true},
	[STYLE_BAD] = {1, 9, 203, .bold = true},
	[STYLE_WARN] = {3, 11, 214, .bold = true},
	[STYLE_GOOD] = {2, 10, 114},
	[STYLE_UC] = {4, 12, 75},
	[STYLE_WC] = {5, 13, 177},
	[STYLE_CACHED] = {6, 14, 80},
	[STYLE_UNKNOWN] = {3, 11, 186},
};

struct look style_look(enum style style, uint8_t flags, enum colours colours)
{
	struct look look = {
		.foreground = -1,
		.background = -1,
		.bold = looks[style].bold || flags & GLYPH_BOLD,
		.faint = looks[style].faint,
		.reverse = looks[style].reverse != !!(flags & GLYPH_REVERSE),
		.underline = looks[style].underline || flags & GLYPH_UNDERLINE,
	};

	if (colours == COLOURS_8)
		look.foreground = looks[style].few;
	else if (colours == COLOURS_16)
		look.foreground = looks[style].more;
	else if (colours == COLOURS_256)
		look.foreground = looks[style].many;
	/* A grey that the terminal has is fainter than what some make of the attribute. */
	if (look.foreground >= 0)
		look.faint = false;
	return look;
}

static bool same_look(const struct look *a, const struct look *b)
{
	return a->foreground == b->foreground && a->background == b->background && a->bold == b->bold &&
	       a->faint == b->faint && a->reverse == b->reverse && a->underline == b->underline;
}

static void put_look(const struct look *look, FILE *out)
{
	fputs("\033[0", out);
	if (look->bold)
		fputs(";1", out);
	if (look->faint)
		fputs(";2", out);
	if (look->underline)
		fputs(";4", out);
	if (look->reverse)
		fputs(";7", out);
	if (look->foreground >= 16)
		fprintf(out, ";38;5;%d", look->foreground);
	else if (look->foreground >= 8)
		fprintf(out, ";%d", 90 + look->foreground - 8);
	else if (look->foreground >= 0)
		fprintf(out, ";%d", 30 + look->foreground);
	fputc('m', out);
}

/* The column behind the last that shows anything. */
static int line_end(const struct grid *grid, int row, enum colours colours)
{
	int end = grid->columns;

	while (end > 0) {
		const struct glyph *glyph = grid_at(grid, row, end - 1);
		struct look look = style_look(glyph->style, glyph->flags, colours);

		if (glyph->width == 0 || strcmp(glyph->text, " ") != 0 ||
		    (colours && (look.reverse || look.underline)))
			break;
		end--;
	}
	return end;
}

void grid_print(const struct grid *grid, enum colours colours, FILE *out)
{
	static const struct look plain = {.foreground = -1, .background = -1};

	for (int row = 0; row < grid->rows; row++) {
		int end = line_end(grid, row, colours);
		struct look now = plain;

		for (int column = 0; column < end; column++) {
			const struct glyph *glyph = grid_at(grid, row, column);
			struct look look = style_look(glyph->style, glyph->flags, colours);

			if (colours && !same_look(&look, &now)) {
				put_look(&look, out);
				now = look;
			}
			fputs(glyph->text, out);
		}
		fputs(!same_look(&now, &plain) ? "\033[0m\n" : "\n", out);
	}
}
