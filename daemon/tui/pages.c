/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tui/ui.h"

/* What is over it is left out. */
#define PARAGRAPHS_MAX 4096

void pages_clear(struct pages *pages)
{
	for (size_t i = 0; i < pages->n; i++)
		free(pages->paragraphs[i].text);
	free(pages->paragraphs);
	pages->paragraphs = NULL;
	pages->n = 0;
}

void pages_add(struct pages *pages, enum style style, int indent, const char *format, ...)
{
	struct paragraph *larger;
	va_list arguments;
	char *text;
	int length;

	va_start(arguments, format);
	length = pages->n < PARAGRAPHS_MAX ? vasprintf(&text, format, arguments) : -1;
	va_end(arguments);
	if (length < 0)
		return;
	larger = reallocarray(pages->paragraphs, pages->n + 1, sizeof(*larger));
	if (!larger) {
		free(text);
		return;
	}
	pages->paragraphs = larger;
	larger[pages->n++] = (struct paragraph){text, style, indent};
}

/* Without @draw only counts rows. */
static int lay_out(const struct pages *pages, const struct area *area, int top, bool draw)
{
	const struct area nowhere = {.grid = area->grid, .columns = area->columns};
	int rows = 0;

	for (size_t i = 0; i < pages->n; i++) {
		const struct paragraph *paragraph = &pages->paragraphs[i];
		int skip = rows < top ? top - rows : 0;

		rows += area_wrap(draw ? area : &nowhere, rows < top ? 0 : rows - top, skip,
				  paragraph->indent, (struct pen){paragraph->style, 0}, paragraph->text);
	}
	return rows;
}

void pages_draw(struct pages *pages, const struct area *area)
{
	pages->rows = lay_out(pages, area, 0, false);
	if (pages->top > pages->rows - area->rows)
		pages->top = pages->rows - area->rows;
	if (pages->top < 0)
		pages->top = 0;
	lay_out(pages, area, pages->top, true);
}
