/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "tui/list.h"

/* Ids of groups have this bit, those of rows never come so far. */
#define GROUP_BIT (1ULL << 63)

void list_init(struct list *list, const struct view *view, int sort)
{
	*list = (struct list){.own.view = view, .sort = sort, .hidden = -1, .stale = true};
	list->sheet = &list->own;
}

static void free_groups(struct list *list)
{
	for (size_t i = 0; i < list->n_groups; i++)
		free(list->groups[i].title);
	free(list->groups);
	list->groups = NULL;
	list->n_groups = 0;
}

void list_done(struct list *list)
{
	sheet_clear(&list->own);
	free_groups(list);
	free(list->lines);
	list->lines = NULL;
	list->n_lines = 0;
}

static uint64_t hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash | GROUP_BIT;
}

/* Which cells name the group of a row: the device; or process id and name. */
static const char *group_title(const struct list *list, const struct sheet_row *row, size_t i, char *out,
			       size_t size)
{
	const struct view *view = list->sheet->view;
	int first, second;

	if (list->tree == TREE_PROCESS && list->processes)
		return list->processes(list->userdata, row, i, out, size);
	if (i > 0)
		return NULL;
	if (list->tree == TREE_DEVICE) {
		first = sheet_column(view, "DEVICE", 6);
		snprintf(out, size, "%s",
			 first >= 0 && row->cells[first].text ? row->cells[first].text : "-");
		return out;
	}
	first = sheet_column(view, "PID", 3);
	if (first < 0)
		first = sheet_column(view, "OWNER", 5);
	second = sheet_column(view, "COMMAND", 7);
	snprintf(out, size, "%s %s", first >= 0 && row->cells[first].text ? row->cells[first].text : "-",
		 second >= 0 && row->cells[second].text ? row->cells[second].text : "");
	return out;
}

static bool is_shut(const struct list *list, uint64_t id)
{
	for (size_t i = 0; i < list->n_shut; i++)
		if (list->shut[i] == id)
			return true;
	return false;
}

static const struct list *sorting; /* qsort_r() is not everywhere the same */

static int compare_lines(const void *a, const void *b)
{
	const struct list_line *x = a, *y = b;

	return sheet_compare(x->row, y->row, (size_t)sorting->sort, sorting->descending);
}

/* Lines of one group together, groups in the order of their title. */
struct titled {
	struct list_line line;
	char *title;
};

static int compare_titled(const void *a, const void *b)
{
	const struct titled *x = a, *y = b;
	int order = strverscmp(x->title, y->title);

	return order ? order : compare_lines(&x->line, &y->line);
}

static int reserve(struct list *list, size_t n)
{
	struct list_line *lines;

	if (n <= list->allocated)
		return 0;
	lines = reallocarray(list->lines, n, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	list->lines = lines;
	list->allocated = n;
	return 0;
}

static void measure(struct list *list, const struct sheet_row *row)
{
	for (size_t i = 0; i < list->sheet->view->n_fields; i++)
		if (row->cells[i].width > list->widths[i])
			list->widths[i] = row->cells[i].width;
}

static int take_rows(struct list *list)
{
	const struct view *view = list->sheet->view;
	struct sheet_row *row, *next;

	list->n_lines = 0;
	memset(list->widths, 0, sizeof(list->widths));
	if (reserve(list, sheet_rows(list->sheet)) < 0)
		return -ENOMEM;
	HASH_ITER (hh, list->sheet->rows, row, next) {
		if ((list->hides_faint && !list->all && row->faint) ||
		    !filter_takes(&list->filter, view, row))
			continue;
		measure(list, row);
		list->lines[list->n_lines++] = (struct list_line){.row = row, .id = row->id};
	}
	sorting = list;
	if (list->n_lines)
		qsort(list->lines, list->n_lines, sizeof(list->lines[0]), compare_lines);
	return 0;
}

static int add_group(struct list *list, char *title)
{
	struct list_group *groups = reallocarray(list->groups, list->n_groups + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	list->groups = groups;
	groups[list->n_groups] = (struct list_group){.title = strdup(title), .id = hash_text(title)};
	if (!groups[list->n_groups].title)
		return -ENOMEM;
	groups[list->n_groups].shut = is_shut(list, groups[list->n_groups].id);
	list->n_groups++;
	return 0;
}

static int group_lines(struct list *list, struct titled *titled, size_t n)
{
	list->n_lines = 0;
	for (size_t i = 0; i < n; i++) {
		struct list_group *group;

		if (i == 0 || strcmp(titled[i].title, titled[i - 1].title) != 0) {
			if (add_group(list, titled[i].title) < 0 || reserve(list, list->n_lines + 1) < 0)
				return -ENOMEM;
			list->lines[list->n_lines++] = (struct list_line){
				.id = list->groups[list->n_groups - 1].id, .group = list->n_groups - 1};
		}
		group = &list->groups[list->n_groups - 1];
		group->n++;
		if (group->shut)
			continue;
		titled[i].line.group = list->n_groups - 1;
		titled[i].line.last = i + 1 == n || strcmp(titled[i].title, titled[i + 1].title) != 0;
		list->lines[list->n_lines++] = titled[i].line;
	}
	return 0;
}

/* Rows with the titles of their groups: once for each. */
struct titled_rows {
	struct titled *titled;
	size_t n, allocated;
};

static int add_titled(struct titled_rows *rows, const struct list_line *line, const char *title)
{
	if (rows->n == rows->allocated) {
		size_t size = rows->allocated ? 2 * rows->allocated : 64;
		struct titled *larger = reallocarray(rows->titled, size, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		rows->titled = larger;
		rows->allocated = size;
	}
	rows->titled[rows->n] = (struct titled){*line, strdup(title)};
	return rows->titled[rows->n].title ? (rows->n++, 0) : -ENOMEM;
}

static int make_tree(struct list *list)
{
	struct titled_rows rows = {};
	const char *title;
	char text[256];
	int r = 0;

	for (size_t i = 0; i < list->n_lines && r == 0; i++)
		for (size_t j = 0;
		     r == 0 && (title = group_title(list, list->lines[i].row, j, text, sizeof(text))); j++)
			r = add_titled(&rows, &list->lines[i], title);
	if (r == 0 && rows.n)
		qsort(rows.titled, rows.n, sizeof(rows.titled[0]), compare_titled);
	/* No more groups than rows in them. */
	if (r == 0)
		r = reserve(list, 2 * rows.n);
	if (r == 0)
		r = group_lines(list, rows.titled, rows.n);
	for (size_t i = 0; i < rows.n; i++)
		free(rows.titled[i].title);
	free(rows.titled);
	if (r < 0)
		list->n_lines = 0;
	return r;
}

static uint64_t group_of(const struct list *list, size_t line)
{
	size_t group = list->lines[line].group;

	return list->tree && group < list->n_groups ? list->groups[group].id : 0;
}

static void select_line(struct list *list, size_t line)
{
	list->cursor = line;
	list->selected = list->n_lines ? list->lines[line].id : 0;
	list->selected_group = list->n_lines ? group_of(list, line) : 0;
}

/* The selected object where it is now, in the same group if it is in several; else what stands at its place.
 */
static void find_selected(struct list *list)
{
	size_t n = list->n_lines, found = n;

	if (list->tail && n) {
		select_line(list, n - 1);
		return;
	}
	for (size_t i = 0; list->selected && i < n; i++) {
		if (list->lines[i].id != list->selected)
			continue;
		if (found == n || group_of(list, i) == list->selected_group)
			found = i;
		if (!list->tree || group_of(list, i) == list->selected_group)
			break;
	}
	if (found == n)
		found = list->cursor < n ? list->cursor : n ? n - 1 : 0;
	select_line(list, found);
}

int list_update(struct list *list)
{
	int r;

	if (!list->stale && list->made_of == list->sheet->generation)
		return 0;
	free_groups(list);
	r = take_rows(list);
	if (r == 0 && list->tree)
		r = make_tree(list);
	if (r < 0) {
		list->n_lines = 0;
		list->stale = true;
		return r;
	}
	list->stale = false;
	list->made_of = list->sheet->generation;
	find_selected(list);
	return 0;
}

const struct sheet_row *list_selected(const struct list *list)
{
	return list->cursor < list->n_lines ? list->lines[list->cursor].row : NULL;
}

void list_go(struct list *list, size_t line)
{
	size_t n = list->n_lines;

	select_line(list, line < n ? line : n ? n - 1 : 0);
	list->tail = list->tail && n && list->cursor == n - 1;
}

void list_move(struct list *list, long by)
{
	size_t cursor = list->cursor;

	if (by < 0)
		cursor = (size_t)-by > cursor ? 0 : cursor - (size_t)-by;
	else
		cursor += (size_t)by;
	list_go(list, cursor);
}

bool list_select(struct list *list, uint64_t id)
{
	for (size_t i = 0; i < list->n_lines; i++)
		if (list->lines[i].id == id) {
			list_go(list, i);
			return true;
		}
	list->selected = id; /* it may come */
	return false;
}

void list_sort(struct list *list, int column)
{
	list->descending = list->sort == column && !list->descending;
	list->sort = column;
	list->stale = true;
}

bool list_set_filter(struct list *list, const char *text, char *error, size_t size)
{
	if (!filter_parse(&list->filter, list->sheet->view, text, error, size))
		return false;
	list->stale = true;
	return true;
}

void list_set_tree(struct list *list, enum list_tree tree)
{
	list->tree = tree;
	list->stale = true;
}

static void set_shut(struct list *list, uint64_t id, bool shut)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n_shut; i++)
		if (list->shut[i] != id)
			list->shut[kept++] = list->shut[i];
	list->n_shut = kept;
	if (shut && list->n_shut == LIST_SHUT_MAX)
		memmove(list->shut, list->shut + 1, --list->n_shut * sizeof(list->shut[0]));
	if (shut)
		list->shut[list->n_shut++] = id;
	list->stale = true;
}

bool list_shut(struct list *list, bool shut)
{
	const struct list_group *group;

	if (!list->tree || list->cursor >= list->n_lines)
		return false;
	group = &list->groups[list->lines[list->cursor].group];
	list->selected = list->selected_group = group->id;
	if (group->shut != shut)
		set_shut(list, group->id, shut);
	return true;
}

bool list_toggle(struct list *list)
{
	const struct list_line *line = &list->lines[list->cursor];

	if (!list->tree || list->cursor >= list->n_lines || line->row)
		return false;
	return list_shut(list, !list->groups[line->group].shut);
}

bool list_search(struct list *list, int step)
{
	size_t n = list->n_lines;

	for (size_t i = 0; i < n; i++) {
		size_t forward = (list->cursor + i + (step != 0)) % n;
		size_t back = (list->cursor + 2 * n - i - 1) % n;
		size_t at = step < 0 ? back : forward;
		const struct list_line *line = &list->lines[at];

		if (line->row ? row_contains(list->sheet->view, line->row, list->search)
			      : strcasestr(list->groups[line->group].title, list->search) != NULL) {
			list_go(list, at);
			return true;
		}
	}
	return false;
}
