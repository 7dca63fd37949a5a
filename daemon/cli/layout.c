/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "cli/layout.h"

/* What a column that may be cut keeps at least. */
#define SHRINK_MIN 6

size_t layout_width(const struct layout *layout, size_t n)
{
	size_t total = 0, shown = 0;

	for (size_t i = 0; i < n; i++)
		if (!layout->dropped[i]) {
			total += layout->widths[i];
			shown++;
		}
	return total + (shown ? (shown - 1) * LAYOUT_GAP : 0);
}

/* Cuts the widest text column by one; false if none can give. */
static bool shrink_once(struct layout *layout, const struct column *columns, size_t n)
{
	size_t widest = n;

	for (size_t i = 0; i < n; i++) {
		if (!columns[i].shrink || layout->dropped[i] || layout->widths[i] <= SHRINK_MIN)
			continue;
		if (widest == n || layout->widths[i] > layout->widths[widest])
			widest = i;
	}
	if (widest == n)
		return false;
	layout->widths[widest]--;
	return true;
}

static bool drop_once(struct layout *layout, const struct column *columns, size_t n)
{
	size_t first = n;

	for (size_t i = 0; i < n; i++) {
		if (!columns[i].drop || layout->dropped[i])
			continue;
		if (first == n || columns[i].drop > columns[first].drop)
			first = i;
	}
	if (first == n)
		return false;
	layout->dropped[first] = true;
	return true;
}

/* How far the text columns could give in, were they all cut to the least. */
static size_t least_width(const struct layout *layout, const struct column *columns, size_t n)
{
	struct layout least = *layout;

	for (size_t i = 0; i < n; i++)
		if (columns[i].shrink && least.widths[i] > SHRINK_MIN)
			least.widths[i] = SHRINK_MIN;
	return layout_width(&least, n);
}

void layout_fit(struct layout *layout, const struct column *columns, size_t n, size_t width)
{
	while (least_width(layout, columns, n) > width && drop_once(layout, columns, n))
		;
	while (layout_width(layout, n) > width && shrink_once(layout, columns, n))
		;
}
