/* SPDX-License-Identifier: GPL-2.0-or-later */

/* devices, cookies, mappings, conflicts, lint */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/value.h"
#include "cli/view.h"

static const struct field device_fields[] = {
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "ID", .drop = 4}, "vendor", CELL_MODEL, FIELD_ALWAYS},
	{{.title = "CLASS", .drop = 6}, "class", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DRIVER", .shrink = true, .drop = 2}, "driver", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "GROUP", .right = true, .drop = 3}, "iommu_group", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OPEN", .right = true}, "open_files", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "MAPPINGS", .right = true}, "mappings", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "CONFLICTS", .right = true}, "conflicts", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "BARS", .shrink = true, .drop = 1}, "bars", CELL_BARS, FIELD_ALWAYS},
	{{.title = "NAME", .shrink = true, .drop = 5}, "name", CELL_TEXT, FIELD_ALWAYS},
};

static const struct field cookie_fields[] = {
	{{.title = "ID", .right = true, .drop = 4}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DIALECT", .drop = 2}, "dialect", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SIZE", .right = true}, "size", CELL_SIZE, FIELD_ALWAYS},
	{{.title = "TYPE"}, "type", CELL_PROMISED, FIELD_ALWAYS},
	{{.title = "ISSUED", .right = true, .drop = 3}, "issued", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "LIVE"}, "live", CELL_TEXT, FIELD_ALL},
};

static const struct field mapping_fields[] = {
	{{.title = "ID", .right = true, .drop = 6}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "START", .right = true}, "start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "END", .right = true, .drop = 1}, "end", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true, .drop = 3}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .right = true, .drop = 2}, "phys_start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REQUESTED"}, "requested", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "EFFECTIVE"}, "effective", CELL_EFFECTIVE, FIELD_ALWAYS},
	{{.title = "SOURCE", .drop = 5}, "source", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "ORIGIN", .drop = 7}, "origin", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SINCE", .drop = 8}, "since", CELL_TIME, FIELD_ALWAYS},
	{{.title = "UNIT", .shrink = true, .drop = 9}, "unit", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "MACHINE", .shrink = true, .drop = 10}, "machine", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "VERDICT", .shrink = true}, "verdict", CELL_VERDICT, FIELD_TOLD},
	{{.title = "LIVE"}, "live", CELL_TEXT, FIELD_ALL},
};

static const struct field conflict_fields[] = {
	{{.title = "ID", .right = true}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "KIND"}, "kind", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "SEVERITY"}, "severity", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true, .drop = 1}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .right = true, .drop = 2}, "phys_start", CELL_PHYSICAL, FIELD_ALWAYS},
	{{.title = "TYPES"}, "types", CELL_TYPES, FIELD_ALWAYS},
	{{.title = "PIDS"}, "pids", CELL_NUMBERS, FIELD_ALWAYS},
	{{.title = "VERDICT", .shrink = true}, "verdict", CELL_VERDICT, FIELD_TOLD},
	{{.title = "SINCE", .drop = 4}, "since", CELL_TIME, FIELD_ALWAYS},
	{{.title = "UNTIL", .drop = 3}, "until", CELL_TIME, FIELD_ALL},
	{{.title = "ACTIVE"}, "active", CELL_TEXT, FIELD_ALL},
};

static const struct field lint_fields[] = {
	{{.title = "KIND"}, "kind", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE"}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "OFFSET", .right = true}, "offset", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COUNT", .right = true}, "count", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PROGRAM", .shrink = true, .drop = 1}, "exe", CELL_TEXT, FIELD_ALWAYS},
};

static const struct view views[] = {
	[ROWS_DEVICES] = VIEW("device", device_fields, NULL, NULL),
	[ROWS_COOKIES] = VIEW("cookie", cookie_fields, NULL, NULL),
	[ROWS_MAPPINGS] = VIEW("mapping", mapping_fields, NULL, NULL),
	[ROWS_CONFLICTS] = VIEW("conflict", conflict_fields, "text", "    why: "),
	[ROWS_LINT] = VIEW("lint finding", lint_fields, "text", "    advice: "),
};

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
		return show_table(&views[list], rows, options, failure);
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
