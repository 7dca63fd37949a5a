/* SPDX-License-Identifier: GPL-2.0-or-later */

/* devices, cookies, mappings, conflicts, lint */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/rows.h"
#include "cli/value.h"

static enum exit_code show_table(const struct view *view, struct json_object *rows,
				 const struct options *options, struct failure *failure)
{
	struct output output;
	enum exit_code code = output_begin(&output, failure);

	if (code != EXIT_OK)
		return code;
	code = view_add(view, rows, options, &output, failure);
	return output_end(&output, code, options, failure);
}

static enum exit_code show_rows(enum row_list list, struct json_object *rows, const struct options *options,
				struct failure *failure)
{
	if (!options->json)
		return show_table(list_view(list), rows, options, failure);
	output_json(rows, options->json);
	return output_finish(failure);
}

static enum exit_code show_list(enum row_list list, const struct options *options, struct failure *failure)
{
	struct json_object *rows;
	enum exit_code code = rows_get(list, options, &rows, failure);

	if (code != EXIT_OK)
		return code;
	code = show_rows(list, rows, options, failure);
	json_object_put(rows);
	return code;
}

/* What `conflicts --check` found. A kind or severity that this build does not know counts in the total. */
struct check {
	uint64_t active, kinds[FINDING_KINDS];
	const char *severity; /* the highest; NULL: none is known */
};

static void check_rows(struct json_object *rows, struct check *ret)
{
	enum finding_severity highest = SEVERITY_LOW;

	*ret = (struct check){};
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *kind = row_string(row, "kind"), *severity = row_string(row, "severity");

		if (!row_true(row, "active"))
			continue;
		ret->active++;
		for (enum finding_kind k = 0; kind && k < FINDING_KINDS; k++)
			ret->kinds[k] += strcmp(kind, finding_kind_name(k)) == 0;
		for (enum finding_severity s = highest; severity && s <= SEVERITY_CRITICAL; s++)
			if (strcmp(severity, finding_severity_name(s)) == 0) {
				highest = s;
				ret->severity = finding_severity_name(s);
			}
	}
}

static void print_check(const struct check *check, const struct options *options)
{
	const char *separator = ": ";

	if (!check->active) {
		printf("%sno active conflict%s\n", output_good(options), output_plain(options));
		return;
	}
	printf("%s%" PRIu64 " active conflict%s%s", output_bad(options), check->active,
	       check->active == 1 ? "" : "s", output_plain(options));
	for (enum finding_kind kind = 0; kind < FINDING_KINDS; kind++)
		if (check->kinds[kind]) {
			printf("%s%" PRIu64 " %s", separator, check->kinds[kind], finding_kind_name(kind));
			separator = ", ";
		}
	if (check->severity)
		printf("; highest severity: %s", check->severity);
	putchar('\n');
}

enum exit_code verb_conflicts(const struct options *options, struct failure *failure)
{
	struct json_object *rows;
	struct check check;
	enum exit_code code;

	if (!options->check)
		return show_list(ROWS_CONFLICTS, options, failure);
	code = rows_get(ROWS_CONFLICTS, options, &rows, failure);
	if (code != EXIT_OK)
		return code;
	check_rows(rows, &check);
	if (options->json)
		output_json(rows, options->json);
	else
		print_check(&check, options);
	json_object_put(rows);
	code = output_finish(failure);
	return code == EXIT_OK && check.active ? EXIT_CONFLICT : code;
}

enum exit_code verb_lint(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_LINT, options, failure);
}

enum exit_code verb_devices(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_DEVICES, options, failure);
}

enum exit_code verb_cookies(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_COOKIES, options, failure);
}

enum exit_code verb_mappings(const struct options *options, struct failure *failure)
{
	return show_list(ROWS_MAPPINGS, options, failure);
}
