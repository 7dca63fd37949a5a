/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_LIST_H
#define VFIOWATCH_TUI_LIST_H

/*
 * A sheet as it is shown: filtered, sorted, as a tree, scrolled, with one line selected. What is selected is
 * an object, not a position: it stays selected while rows come, go and move.
 */

#include "tui/filter.h"
#include "tui/grid.h"
#include "tui/sheet.h"

enum list_tree { TREE_NONE = 0, TREE_DEVICE, TREE_PROCESS, TREES };

struct list_line {
	const struct sheet_row *row; /* NULL: a group */
	uint64_t id;                 /* of the row, or of the group */
	size_t group;                /* TREE_NONE: 0 */
	bool last;                   /* of its group */
};

/* Names a group that a row is in: @i counts them from 0. NULL: there is no such one. */
typedef const char *(*list_grouper)(void *userdata, const struct sheet_row *row, size_t i, char *out,
				    size_t size);

/* Groups that are shut. When there are more the oldest one opens. */
#define LIST_SHUT_MAX 256

struct list {
	struct sheet own, *sheet; /* its own, or one that is kept elsewhere */
	struct filter filter;
	char search[FILTER_TEXT_MAX];
	int sort;   /* column */
	int hidden; /* column that says nothing here; -1: none */
	bool descending;
	enum list_tree tree;
	list_grouper processes; /* of TREE_PROCESS, of rows that are of several; NULL: the columns tell */
	void *userdata;         /* for it */
	bool all;               /* also what is no longer live: columns of FIELD_ALL */
	bool hides_faint;       /* without `all` */
	bool tail;              /* the last line stays selected while lines are added */

	struct list_line *lines;
	size_t n_lines, allocated;
	struct list_group {
		char *title;
		uint64_t id;
		size_t n;
		bool shut;
	} * groups;
	size_t n_groups;
	uint64_t made_of; /* sheet.generation */
	bool stale;       /* filter, order or tree changed */
	uint64_t shut[LIST_SHUT_MAX];
	size_t n_shut;

	uint64_t selected;       /* identity; 0: none */
	uint64_t selected_group; /* .. of its group, as a row may be in several; 0: none */
	size_t cursor;           /* where it is, or was when it went */
	size_t top, first;       /* first line and first column shown */
	int page;                /* lines that fit, as of the last drawing */
	int drawn_row;           /* of the title line on the screen, as of the last drawing */
	uint16_t widths[TABLE_COLUMNS_MAX];
	/* Where columns begin and end on the screen as of the last drawing, for the mouse; -1: not there. */
	int begins[TABLE_COLUMNS_MAX], ends[TABLE_COLUMNS_MAX];
};

void list_init(struct list *list, const struct view *view, int sort);
void list_done(struct list *list);

/* Brings lines up to date with the sheet. To be called before lines are used. Returns 0 or -ENOMEM. */
int list_update(struct list *list);

/* NULL: nothing, or a group, is selected. */
const struct sheet_row *list_selected(const struct list *list);

void list_move(struct list *list, long by);
void list_go(struct list *list, size_t line);
bool list_select(struct list *list, uint64_t id);
void list_sort(struct list *list, int column); /* the same again: the other direction */
bool list_set_filter(struct list *list, const char *text, char *error, size_t size);
void list_set_tree(struct list *list, enum list_tree tree);

/* Opens or shuts the group of the selected line. False: there is none. */
bool list_shut(struct list *list, bool shut);
bool list_toggle(struct list *list);

/* Selects the next line that contains `search`, from the selected one on (@step 0) or beyond (1, -1), all
 * around. False: none does. */
bool list_search(struct list *list, int step);

/* Draws title line and lines. */
void list_draw(struct list *list, const struct area *area);

/* The line shown at row @row of the area it was drawn to; n_lines: none. */
size_t list_line_at(const struct list *list, int row);
/* The column whose title is at @column; -1: none. */
int list_column_at(const struct list *list, int column);

/* How text that names a memory type looks. */
enum style type_style(const char *text);

/* Whether a column is shown at all. */
bool list_shows(const struct list *list, size_t column);

#endif
