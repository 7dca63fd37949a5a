/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/filter.h"
#include "cli/value.h"
#include "tui/filter.h"

bool column_is_type(const struct field *field)
{
	return field->cell == CELL_EFFECTIVE || field->cell == CELL_PROMISED || field->cell == CELL_TYPES ||
	       (field->key && strcmp(field->key, "requested") == 0);
}

static bool fail(char *error, size_t size, const char *format, const char *what, const char *more)
{
	snprintf(error, size, format, what, more);
	return false;
}

static void column_names(const struct view *view, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < view->n_fields && used < size; i++)
		used += snprintf(out + used, size - used, "%s%s", i ? " " : "", view->fields[i].column.title);
}

static bool parse_column(struct filter_term *term, const struct view *view, const char *word, size_t length,
			 char *error, size_t size)
{
	char names[256], name[32];

	if (length == 4 && strncasecmp(word, "type", 4) == 0) {
		term->kind = FILTER_TYPE;
		term->type = type_by_name(term->value);
		if (term->type == MEMTYPE_UNKNOWN && strcmp(term->value, "-") != 0)
			return fail(error, size, "%s is no memory type: %s", term->value,
				    "uc, uc-, device, wc, wt, wp, wb, or - for unknown");
		return true;
	}
	term->column = sheet_column(view, word, length);
	if (term->column < 0) {
		snprintf(name, sizeof(name), "%.*s", (int)(length < 31 ? length : 31), word);
		column_names(view, names, sizeof(names));
		return fail(error, size, "no column %s: there are %s", name, names);
	}
	term->kind = strcasecmp(view->fields[term->column].column.title, "DEVICE") == 0 ? FILTER_DEVICE
											: FILTER_COLUMN;
	return true;
}

static bool parse_term(struct filter_term *term, const struct view *view, const char *word, char *error,
		       size_t size)
{
	const char *equals = strchr(word, '=');
	size_t length;

	*term = (struct filter_term){.kind = FILTER_ANY, .column = -1};
	if (!equals || equals == word || strcmp(word, "!=") == 0) {
		snprintf(term->value, sizeof(term->value), "%s", word);
		return true;
	}
	term->negated = equals[-1] == '!';
	length = (size_t)(equals - word) - term->negated;
	snprintf(term->value, sizeof(term->value), "%s", equals + 1);
	if (!term->value[0])
		return fail(error, size, "%s: what should it be? - is for unknown%s", word, "");
	return parse_column(term, view, word, length, error, size);
}

bool filter_parse(struct filter *filter, const struct view *view, const char *text, char *error, size_t size)
{
	struct filter made = {};
	char copy[FILTER_TEXT_MAX], *rest = copy, *word;

	if (strlen(text) >= sizeof(made.text))
		return fail(error, size, "the filter is too long%s%s", "", "");
	strcpy(made.text, text);
	strcpy(copy, text);
	while ((word = strsep(&rest, " "))) {
		if (!*word)
			continue;
		if (made.n_terms == FILTER_TERMS_MAX)
			return fail(error, size, "at most %s words%s", "8", "");
		if (!parse_term(&made.terms[made.n_terms++], view, word, error, size))
			return false;
	}
	if (!made.n_terms)
		made.text[0] = '\0';
	*filter = made;
	return true;
}

/* The types of a cell: "wc !", "uc-/wc". */
static bool cell_has_type(const char *text, enum memtype wanted)
{
	char copy[64], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " /")))
		if (filter_type_matches(wanted, word))
			return true;
	return false;
}

static bool takes_type(const struct filter_term *term, const struct view *view, const struct sheet_row *row)
{
	for (size_t i = 0; i < view->n_fields; i++) {
		const char *text = row->cells[i].text;

		if (!column_is_type(&view->fields[i]))
			continue;
		if (term->type == MEMTYPE_UNKNOWN ? !text : text && cell_has_type(text, term->type))
			return true;
	}
	return false;
}

static bool is_glob(const char *text)
{
	return strpbrk(text, "*?[");
}

static bool takes_device(const char *value, const char *device)
{
	char prefix[FILTER_TEXT_MAX + 1];

	if (!device)
		return strcmp(value, "-") == 0;
	snprintf(prefix, sizeof(prefix), "%s*", value);
	return filter_device_matches(value, device) || filter_device_matches(prefix, device);
}

static bool takes_cell(const char *value, const struct sheet_cell *cell)
{
	if (!cell->text || strcmp(value, "-") == 0)
		return !cell->text && strcmp(value, "-") == 0;
	if (is_glob(value))
		return fnmatch(value, cell->text, FNM_NOESCAPE | FNM_CASEFOLD) == 0;
	/* Of a time a part is enough. */
	return cell->numeric && !strchr(cell->text, ':') ? strcasecmp(value, cell->text) == 0
							 : strcasestr(cell->text, value) != NULL;
}

bool row_contains(const struct view *view, const struct sheet_row *row, const char *text)
{
	for (size_t i = 0; i < view->n_fields; i++)
		if (row->cells[i].text && strcasestr(row->cells[i].text, text))
			return true;
	return false;
}

static bool takes_term(const struct filter_term *term, const struct view *view, const struct sheet_row *row)
{
	switch (term->kind) {
	case FILTER_TYPE:
		return takes_type(term, view, row);
	case FILTER_DEVICE:
		return takes_device(term->value, row->cells[term->column].text);
	case FILTER_COLUMN:
		return takes_cell(term->value, &row->cells[term->column]);
	default:
		return row_contains(view, row, term->value);
	}
}

bool filter_takes(const struct filter *filter, const struct view *view, const struct sheet_row *row)
{
	for (size_t i = 0; i < filter->n_terms; i++)
		if (takes_term(&filter->terms[i], view, row) == filter->terms[i].negated)
			return false;
	return true;
}
