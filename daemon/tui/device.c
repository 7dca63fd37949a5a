/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One device: its BARs as strips of bytes, and what is mapped below. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "cli/text.h"
#include "tui/strip.h"
#include "tui/ui.h"

#define PAGE_BYTES 4096ULL

/* Narrower than this only what is needed is told; and lower than that in fewer lines. */
#define NARROW 60
#define LOW    10

static bool is_low(const struct area *area)
{
	return area->rows < LOW;
}

const struct device *device_shown(const struct ui *ui)
{
	return ui->world->has_ledger ? ledger_device_by_name(ui->world->ledger.model.ledger, ui->device.name)
				     : NULL;
}

static const struct event_bar *bar_shown(const struct ui *ui)
{
	const struct device *device = device_shown(ui);

	if (!device || !device->facts_known || ui->device.bar >= EVENT_BARS)
		return NULL;
	return device->facts.bars[ui->device.bar].size ? &device->facts.bars[ui->device.bar] : NULL;
}

uint64_t device_window(const struct ui *ui, uint64_t *size)
{
	const struct event_bar *bar = bar_shown(ui);
	const struct device_view *view = &ui->device;
	uint64_t whole;

	*size = bar ? bar->size : 0;
	if (view->start >= view->end || view->start >= *size)
		return 0;
	whole = *size - view->start;
	*size = view->end < *size ? view->end - view->start : whole;
	/* Cells are whole pages: as many of them as there is room for. */
	if (view->strip_columns > 0) {
		uint64_t cell = strip_start(0, *size, view->strip_columns, 1);

		if (__builtin_mul_overflow(cell, (uint64_t)view->strip_columns, size) || *size > whole)
			*size = whole;
	}
	return view->start;
}

/* The end of bytes of a BAR, whatever it claims to be. */
static uint64_t add(uint64_t start, uint64_t size)
{
	uint64_t end;

	return __builtin_add_overflow(start, size, &end) ? UINT64_MAX : end;
}

static enum style letter_style(char letter)
{
	switch (letter) {
	case 'U':
	case 'u':
		return STYLE_UC;
	case 'W':
	case 'w':
		return STYLE_WC;
	case '?':
	case '*':
		return STYLE_UNKNOWN;
	default:
		return STYLE_CACHED;
	}
}

static void draw_cells(const struct area *area, int row, int column, const struct strip *strip, uint64_t size)
{
	for (int i = 0; i < strip->n_cells; i++) {
		char text[2] = {strip_letter(&strip->cells[i])};
		struct pen pen = {STYLE_FAINT, 0};

		if (text[0])
			pen.style = letter_style(text[0]);
		area_put(area, row, column + i, 1, pen,
			 text[0] ? text
			 : strip_start(0, size, strip->n_cells, i) < size
				 ? grid_symbol(area->grid, SYMBOL_NOTHING)
				 : " ");
	}
}

static void draw_marks(const struct area *area, int row, int column, const struct strip *strip)
{
	for (int i = 0; i < strip->n_cells; i++) {
		char text[2] = {strip_mark(&strip->cells[i])};
		struct pen pen = {text[0] == '!' ? STYLE_BAD : STYLE_WARN, 0};

		if (text[0] != ' ')
			area_put(area, row, column + i, 1, pen, text);
	}
}

/* One line: index, size, strip. */
static void draw_small_bar(struct ui *ui, const struct area *area, int row, unsigned int index)
{
	const struct device *device = device_shown(ui);
	const struct event_bar *bar = &device->facts.bars[index];
	char size[SIZE_TEXT_MAX], label[64];
	int width = area->columns - 15;
	struct strip strip;

	snprintf(label, sizeof(label), "BAR %u %s", index, size_text(bar->size, size));
	area_field(area, row, 0, 12, ALIGN_LEFT, (struct pen){STYLE_PLAIN, 0}, label);
	if (strip_make(&strip, ui->world->ledger.model.ledger, device, bar->phys_start,
		       add(bar->phys_start, bar->size), width) == 0 &&
	    width > 0) {
		area_put(area, row, 13, 1, (struct pen){STYLE_FAINT, 0},
			 grid_symbol(area->grid, SYMBOL_LEFT_EDGE));
		draw_cells(area, row, 14, &strip, bar->size);
		area_put(area, row, 14 + width, 1, (struct pen){STYLE_FAINT, 0},
			 grid_symbol(area->grid, SYMBOL_RIGHT_EDGE));
	}
	strip_done(&strip);
}

/* Who has the bytes under the cursor. */
static void draw_cursor_text(struct ui *ui, const struct area *area, int row, uint64_t from, uint64_t to,
			     const struct strip_cell *cell)
{
	const struct ledger *ledger = ui->world->ledger.model.ledger;
	const struct device *device = device_shown(ui);
	const struct event_bar *bar = bar_shown(ui);
	const struct mapping *mapping;
	char size[SIZE_TEXT_MAX], mapped[SIZE_TEXT_MAX];
	int at = area_printf(area, row, 0, (struct pen){STYLE_PLAIN, 0}, "+0x%" PRIx64 " %s",
			     (uint64_t)(from - bar->phys_start), size_text(to - from, size));

	if (!cell->bytes) {
		area_put(area, row, at, area->columns - at, (struct pen){STYLE_FAINT, 0}, " not mapped");
		return;
	}
	if (cell->bytes < to - from)
		at += area_printf(area, row, at, (struct pen){STYLE_PLAIN, 0}, ", %s mapped",
				  size_text(cell->bytes, mapped));
	at += area_put(area, row, at, area->columns - at, (struct pen){STYLE_PLAIN, 0}, ":");
	DL_FOREACH2 (device->mapping_list, mapping, device_next) {
		const char *asked = memtype_name(ledger_requested(ledger, mapping)), *type;
		uint64_t cursor = 0;
		struct piece piece;

		while (strip_next_piece(ledger, mapping, &cursor, &piece)) {
			if (piece.phys_start >= to || add(piece.phys_start, piece.end - piece.start) <= from)
				continue;
			type = memtype_name(piece.type);
			at += area_printf(
				area, row, at, (struct pen){type_style(type ? type : "-"), 0},
				" %.16s %" PRIu64 " %s%s%s;", mapping->owner ? mapping->owner->comm : "-",
				mapping->owner ? mapping->owner->key.tgid : 0, type ? type : "-",
				piece.populated || !type ? "" : " unpopulated",
				piece.populated && asked && type && strcmp(asked, type) != 0 ? " !" : "");
			break;
		}
		if (at >= area->columns)
			break;
	}
}

/* Which BAR, and which bytes of it are shown. Where there is no room for more, with the name of the device.
 */
static void draw_bar_title(const struct ui *ui, const struct area *area, int row, const struct strip *strip)
{
	const struct pen pen = {STYLE_TITLE, 0};
	const struct event_bar *bar = bar_shown(ui);
	uint64_t size, start = device_window(ui, &size);
	char whole[SIZE_TEXT_MAX], window[SIZE_TEXT_MAX], mapped[SIZE_TEXT_MAX];
	int at = 0;

	size_text(bar->size, whole);
	size_text(size, window);
	if (is_low(area))
		at = area_printf(area, row, 0, pen, "%s ", ui->device.name);
	if (is_low(area) || area->columns < NARROW)
		area_printf(area, row, at, pen, "BAR %u +0x%" PRIx64 " %s of %s", ui->device.bar, start,
			    window, whole);
	else
		area_printf(area, row, at, pen,
			    "BAR %u %s at 0x%" PRIx64 "%s: %s mapped; +0x%" PRIx64 " %s%s", ui->device.bar,
			    whole, (uint64_t)bar->phys_start,
			    bar->flags & EVENT_BAR_PREFETCH ? ", prefetchable" : "",
			    size_text(strip->bytes, mapped), start, window,
			    strip->cut ? ", only the first mappings" : "");
}

/* Title, strip, marks, cursor, and what is under it: as many of these lines as there is room for. */
static int draw_large_bar(struct ui *ui, const struct area *area, int row, int rows)
{
	struct device_view *view = &ui->device;
	const struct event_bar *bar = bar_shown(ui);
	uint64_t size, start = device_window(ui, &size);
	int width = area->columns - 2, at = row;
	struct strip strip;
	uint64_t from = add(bar->phys_start, start), to = add(from, size), cell;
	int mark;

	if (strip_make(&strip, ui->world->ledger.model.ledger, device_shown(ui), from, to, width) < 0 ||
	    width < 1) {
		strip_done(&strip);
		return 0;
	}
	draw_bar_title(ui, area, at++, &strip);
	view->strip_row = area->row + at;
	view->strip_column = area->column + 1;
	view->strip_columns = width;
	area_put(area, at, 0, 1, (struct pen){STYLE_FAINT, 0}, grid_symbol(area->grid, SYMBOL_LEFT_EDGE));
	area_put(area, at, width + 1, 1, (struct pen){STYLE_FAINT, 0},
		 grid_symbol(area->grid, SYMBOL_RIGHT_EDGE));
	draw_cells(area, at++, 1, &strip, size);
	if (view->cursor < start || view->cursor - start >= size)
		view->cursor = start;
	cell = strip_start(0, size, width, 1);
	mark = cell ? (int)((view->cursor - start) / cell) : 0;
	if (rows > 2) {
		draw_marks(area, at, 1, &strip);
		area_flag(&(struct area){area->grid, area->row + at, area->column + 1 + mark, 1, 1}, 0,
			  GLYPH_REVERSE);
		if (strip_mark(&strip.cells[mark]) == ' ')
			area_put(area, at, 1 + mark, 1, (struct pen){STYLE_TITLE, 0},
				 grid_symbol(area->grid, SYMBOL_MARK));
		at++;
	}
	if (rows > 3)
		draw_cursor_text(ui, area, at++, strip_start(from, to, width, mark),
				 strip_start(from, to, width, mark + 1), &strip.cells[mark]);
	strip_done(&strip);
	return at - row;
}

static void draw_facts(const struct ui *ui, const struct area *area)
{
	const struct device *device = device_shown(ui);
	const struct event_device *facts = &device->facts;
	int at = area_put(area, 0, 0, area->columns, (struct pen){STYLE_TITLE, 0}, device->name);

	if (!device->facts_known) {
		area_put(area, 0, at, area->columns - at, (struct pen){STYLE_FAINT, 0},
			 " - nothing is known of it");
		return;
	}
	at += area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, " %04x:%04x %.64s", facts->vendor,
			  facts->product, facts->driver[0] ? facts->driver : "-");
	if (facts->iommu_group >= 0)
		at += area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, ", group %d",
				  facts->iommu_group);
	area_printf(area, 0, at, (struct pen){STYLE_PLAIN, 0}, ", open %u, cookies %u, mappings %u%s",
		    device->files, device->cookies, device->mappings, facts->present ? "" : ", gone");
}

static void choose_bar(struct ui *ui)
{
	const struct device *device = device_shown(ui);

	if (!device || !device->facts_known || (ui->device.bar_chosen && bar_shown(ui)))
		return;
	for (unsigned int i = 0; i < EVENT_BARS; i++)
		if (device->facts.bars[i].size &&
		    (!bar_shown(ui) || device->facts.bars[i].size > bar_shown(ui)->size))
			ui->device.bar = i;
}

static int count_bars(const struct device *device)
{
	int n = 0;

	for (unsigned int i = 0; i < EVENT_BARS; i++)
		n += device->facts_known && device->facts.bars[i].size != 0;
	return n;
}

#define LEGEND_LETTERS "U uc, uc-, device  W wc  T wt  P wp  B wb  ? unknown  * several"
#define LEGEND_MARKS   "small: unpopulated  ! conflict  ~ other type than asked for  2..9 overlap"

/* What the letters and marks mean. */
static int draw_legend(const struct area *area, int row)
{
	const struct pen pen = {STYLE_FAINT, 0};

	if (area->columns > (int)strlen(LEGEND_LETTERS "  " LEGEND_MARKS)) {
		area_put(area, row, 0, area->columns, pen, LEGEND_LETTERS "  " LEGEND_MARKS);
		return 1;
	}
	area_put(area, row, 0, area->columns, pen, LEGEND_LETTERS);
	area_put(area, row + 1, 0, area->columns, pen, LEGEND_MARKS);
	return 2;
}

/* Lines of the list that are kept free: its titles and some rows. */
#define LIST_ROWS 3

/* The strips; returns the rows used. */
static int draw_bars(struct ui *ui, const struct area *area)
{
	const struct device *device = device_shown(ui);
	int row = is_low(area) ? 0 : 1, rest = area->rows - row - LIST_ROWS;
	int others = count_bars(device) - 1;

	choose_bar(ui);
	ui->device.strip_columns = 0;
	if (!bar_shown(ui) || rest < 2) {
		draw_facts(ui, area);
		return 1;
	}
	if (row)
		draw_facts(ui, area);
	row += draw_large_bar(ui, area, row, rest < 4 ? rest : 4);
	for (unsigned int i = 0; i < EVENT_BARS && row < rest && others > 0; i++) {
		if (i == ui->device.bar || !device->facts.bars[i].size)
			continue;
		draw_small_bar(ui, area, row++, i);
	}
	if (row + 3 < rest)
		row += draw_legend(area, row);
	return row;
}

void draw_device(struct ui *ui, const struct area *area)
{
	struct list *list = ui_list(ui);
	struct area below;
	int row;

	if (!device_shown(ui)) {
		area_put(area, 0, 0, area->columns, (struct pen){STYLE_FAINT, 0},
			 ui->device.name[0] ? "This device is not known any more." : "There is no device.");
		ui->device.strip_columns = 0;
		return;
	}
	row = draw_bars(ui, area);
	below = area_rows(area, row, area->rows - row);
	list_draw(list, &below);
}

/* A window of @size bytes around the cursor, within the BAR. */
static void set_window(struct ui *ui, uint64_t size)
{
	struct device_view *view = &ui->device;
	const struct event_bar *bar = bar_shown(ui);
	uint64_t least = PAGE_BYTES * (uint64_t)(view->strip_columns > 0 ? view->strip_columns : 1);
	uint64_t start;

	if (!bar)
		return;
	if (size < least)
		size = least;
	if (size >= bar->size) {
		view->start = view->end = 0;
		return;
	}
	start = view->cursor > size / 2 ? view->cursor - size / 2 : 0;
	if (start > bar->size - size)
		start = bar->size - size;
	view->start = start / PAGE_BYTES * PAGE_BYTES;
	view->end = view->start + size;
}

/* The cursor moves by cells; at the edge the window goes with it. */
static void move_cursor(struct ui *ui, int by)
{
	struct device_view *view = &ui->device;
	const struct event_bar *bar = bar_shown(ui);
	uint64_t size, start = device_window(ui, &size), step;

	if (!bar || !view->strip_columns)
		return;
	step = strip_start(0, size, view->strip_columns, 1);
	if (by < 0)
		view->cursor = view->cursor >= step * (uint64_t)-by ? view->cursor - step * (uint64_t)-by : 0;
	else
		view->cursor = add(view->cursor, step * (uint64_t)by);
	if (view->cursor >= bar->size)
		view->cursor = bar->size - 1;
	if (view->cursor < start || view->cursor - start >= size) {
		start = view->cursor < start ? view->cursor / step * step
					     : view->cursor / step * step + step - size;
		if (start > bar->size - size)
			start = bar->size - size;
		view->start = start;
		view->end = start + size;
	}
}

static void next_bar(struct ui *ui, int by)
{
	const struct device *device = device_shown(ui);

	if (!device || !device->facts_known)
		return;
	for (int i = 1; i <= EVENT_BARS; i++) {
		unsigned int index = (ui->device.bar + (unsigned int)(EVENT_BARS + by * i)) % EVENT_BARS;

		if (device->facts.bars[index].size) {
			ui->device.bar = index;
			ui->device.bar_chosen = true;
			ui->device.start = ui->device.end = ui->device.cursor = 0;
			return;
		}
	}
}

static void next_device(struct ui *ui, int by)
{
	const struct device *devices[WORLD_EVENTS / 16];
	size_t n, at = 0;

	if (!ui->world->has_ledger)
		return;
	n = ledger_list_devices(ui->world->ledger.model.ledger, 0, devices,
				sizeof(devices) / sizeof(devices[0]));
	for (size_t i = 0; i < n; i++)
		if (strcmp(devices[i]->name, ui->device.name) == 0)
			at = (i + n + (size_t)(by + (int)n)) % n;
	if (!n)
		return;
	ui->device = (struct device_view){.cookies = ui->device.cookies,
					  .strip_columns = ui->device.strip_columns};
	strcpy(ui->device.name, devices[at]->name);
}

static void click_strip(struct ui *ui, const struct press *press)
{
	uint64_t size, start = device_window(ui, &size);
	struct device_view *view = &ui->device;

	view->cursor =
		strip_start(start, start + size, view->strip_columns, press->column - view->strip_column);
}

bool press_device(struct ui *ui, const struct press *press)
{
	struct device_view *view = &ui->device;
	uint64_t size;

	choose_bar(ui);
	device_window(ui, &size);
	switch (press->code) {
	case PRESS_LEFT:
	case 'h':
		move_cursor(ui, -1);
		return true;
	case PRESS_RIGHT:
	case 'l':
		move_cursor(ui, 1);
		return true;
	case 'H':
		move_cursor(ui, -(view->strip_columns / 2));
		return true;
	case 'L':
		move_cursor(ui, view->strip_columns / 2);
		return true;
	case '+':
	case '=':
		set_window(ui, size / 2);
		return true;
	case '-':
		set_window(ui, size > UINT64_MAX / 2 ? UINT64_MAX : size * 2);
		return true;
	case '0':
		view->start = view->end = 0;
		return true;
	case 'b':
	case 'B':
		next_bar(ui, press->code == 'b' ? 1 : -1);
		return true;
	case 'd':
	case 'D':
		next_device(ui, press->code == 'd' ? 1 : -1);
		return true;
	case 'c':
		view->cookies = !view->cookies;
		return true;
	case PRESS_CLICK:
		if (!view->strip_columns || press->row != view->strip_row ||
		    press->column < view->strip_column ||
		    press->column >= view->strip_column + view->strip_columns)
			return false;
		click_strip(ui, press);
		return true;
	default:
		return false;
	}
}
