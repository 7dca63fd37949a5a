/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <string.h>

#include "cli/layout.h"
#include "cli/value.h"
#include "tui/list.h"

bool list_shows(const struct list *list, size_t column)
{
	const struct field *field = &list->sheet->view->fields[column];

	if ((int)column == list->hidden)
		return false;
	return field->show == FIELD_ALWAYS || (field->show == FIELD_ALL && list->all) ||
	       (field->show == FIELD_TOLD && list->widths[column]);
}

enum style type_style(const char *text)
{
	char name[16];
	enum memtype type;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, " /"), text);
	type = type_by_name(name);
	switch (type) {
	case MEMTYPE_UC:
	case MEMTYPE_UC_MINUS:
	case MEMTYPE_DEVICE:
		return STYLE_UC;
	case MEMTYPE_WC:
		return STYLE_WC;
	case MEMTYPE_WT:
	case MEMTYPE_WP:
	case MEMTYPE_WB:
		return STYLE_CACHED;
	default:
		return STYLE_PLAIN;
	}
}

static enum style cell_style(const struct field *field, const char *text)
{
	if (field->cell == CELL_EFFECTIVE && text[strlen(text) - 1] == '!')
		return STYLE_BAD;
	if (column_is_type(field))
		return type_style(text);
	if (field->key && strcmp(field->key, "event") == 0)
		return strcmp(text, "denied") == 0 || strcmp(text, "lost") == 0 ? STYLE_BAD : STYLE_PLAIN;
	if (field->key && strcmp(field->key, "severity") == 0)
		return strcmp(text, "low") == 0 ? STYLE_WARN : STYLE_BAD;
	if (field->key && strcmp(field->key, "conflicts") == 0)
		return strcmp(text, "0") == 0 ? STYLE_PLAIN : STYLE_BAD;
	return STYLE_PLAIN;
}

/* Where the width suffices not even for the columns that a table never leaves out: these first. */
static void leave_out(const struct view *view, struct layout *layout, int width)
{
	static const char *const least[] = {"START",    "PHYSICAL",  "SINCE", "OFFSET",
					    "DIALECT",  "REQUESTED", "TIME",  "REGION",
					    "SEVERITY", "COMMAND",   "SIZE",  "DEVICE"};

	for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
		int column = sheet_column(view, least[i], strlen(least[i]));

		if (layout_width(layout, view->n_fields) <= (size_t)width)
			return;
		if (column >= 0)
			layout->dropped[column] = true;
	}
}

static void lay_out(const struct list *list, int width, struct layout *layout)
{
	const struct view *view = list->sheet->view;
	struct column columns[TABLE_COLUMNS_MAX];

	*layout = (struct layout){};
	for (size_t i = 0; i < view->n_fields; i++) {
		size_t title = strlen(view->fields[i].column.title) + (list->sort == (int)i);

		columns[i] = view->fields[i].column;
		layout->widths[i] = list->widths[i] > title ? list->widths[i] : title;
		layout->dropped[i] = !list_shows(list, i) || i < list->first;
	}
	layout_fit(layout, columns, view->n_fields, (size_t)width);
	leave_out(view, layout, width);
}

static void draw_titles(struct list *list, const struct area *area, const struct layout *layout, int indent)
{
	const struct view *view = list->sheet->view;
	const struct pen pen = {STYLE_HEADER, 0};
	int at = indent;

	area_fill(area, 0, 0, area->columns, pen, " ");
	for (size_t i = 0; i < view->n_fields; i++) {
		const struct column *column = &view->fields[i].column;
		int width = (int)layout->widths[i];
		char title[64];

		list->begins[i] = list->ends[i] = -1;
		if (layout->dropped[i] || at >= area->columns)
			continue;
		snprintf(title, sizeof(title), "%s%s", column->title,
			 list->sort != (int)i
				 ? ""
				 : grid_symbol(area->grid, list->descending ? SYMBOL_DOWN : SYMBOL_UP));
		area_field(area, 0, at, width, column->right ? ALIGN_RIGHT : ALIGN_LEFT, pen, title);
		list->begins[i] = area->column + at;
		at += width + LAYOUT_GAP;
		list->ends[i] = area->column + at;
	}
}

static void draw_row(const struct list *list, const struct area *area, int at_row,
		     const struct list_line *line, const struct layout *layout, int indent)
{
	const struct view *view = list->sheet->view;
	int at = indent;

	if (indent) {
		const struct pen pen = {STYLE_FAINT, 0};

		area_put(area, at_row, 0, indent, pen,
			 grid_symbol(area->grid, line->last ? SYMBOL_TREE_END : SYMBOL_TREE));
	}
	for (size_t i = 0; i < view->n_fields; i++) {
		const struct field *field = &view->fields[i];
		const char *text = line->row->cells[i].text;
		struct pen pen = {STYLE_FAINT, 0};

		if (layout->dropped[i] || at >= area->columns)
			continue;
		if (text && !line->row->faint)
			pen.style = cell_style(field, text);
		area_field(area, at_row, at, (int)layout->widths[i],
			   field->column.right ? ALIGN_RIGHT : ALIGN_LEFT, pen, text ? text : "-");
		at += (int)layout->widths[i] + LAYOUT_GAP;
	}
}

static void draw_group(const struct list *list, const struct area *area, int row,
		       const struct list_line *line)
{
	const struct list_group *group = &list->groups[line->group];
	const struct pen pen = {STYLE_TITLE, 0};
	char text[320];

	snprintf(text, sizeof(text), "%s %s (%zu)",
		 grid_symbol(area->grid, group->shut ? SYMBOL_SHUT : SYMBOL_OPEN), group->title, group->n);
	area_put(area, row, 0, area->columns, pen, text);
}

static void scroll(struct list *list)
{
	size_t page = list->page > 0 ? (size_t)list->page : 1;

	if (list->cursor < list->top)
		list->top = list->cursor;
	if (list->cursor >= list->top + page)
		list->top = list->cursor - page + 1;
	if (list->top + page > list->n_lines)
		list->top = list->n_lines > page ? list->n_lines - page : 0;
}

void list_draw(struct list *list, const struct area *area)
{
	const int indent = list->tree ? 3 : 0;
	struct layout layout;

	list->page = area->rows - 1;
	list->drawn_row = area->row;
	scroll(list);
	lay_out(list, area->columns - indent, &layout);
	draw_titles(list, area, &layout, indent);
	for (int i = 0; i < list->page; i++) {
		size_t at = list->top + (size_t)i;

		if (at >= list->n_lines)
			break;
		if (list->lines[at].row)
			draw_row(list, area, 1 + i, &list->lines[at], &layout, indent);
		else
			draw_group(list, area, 1 + i, &list->lines[at]);
		if (at == list->cursor)
			area_select(area, 1 + i);
	}
}

size_t list_line_at(const struct list *list, int row)
{
	size_t at = list->top + (size_t)(row - 1);

	return row < 1 || row > list->page || at >= list->n_lines ? list->n_lines : at;
}

int list_column_at(const struct list *list, int column)
{
	for (size_t i = 0; i < list->sheet->view->n_fields; i++)
		if (list->begins[i] >= 0 && column >= list->begins[i] && column < list->ends[i])
			return (int)i;
	return -1;
}
