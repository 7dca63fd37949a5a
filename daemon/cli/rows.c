/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/replay.h"
#include "cli/rows.h"
#include "cli/value.h"
#include "vfiowatch/bus.h"

static const char *const methods[ROW_LISTS] = {
	[ROWS_DEVICES] = "ListDevices",     [ROWS_COOKIES] = "ListCookies", [ROWS_MAPPINGS] = "ListMappings",
	[ROWS_CONFLICTS] = "ListConflicts", [ROWS_LINT] = "ListLint",
};

static int append_filter(sd_bus_message *call, const struct row_filter *filter)
{
	int r = sd_bus_message_open_container(call, 'a', "{sv}");

	if (r >= 0 && filter->device[0])
		r = sd_bus_message_append(call, "{sv}", "device", "s", filter->device);
	if (r >= 0 && filter->pid)
		r = sd_bus_message_append(call, "{sv}", "pid", "u", filter->pid);
	if (r >= 0 && filter->type != MEMTYPE_UNKNOWN)
		r = sd_bus_message_append(call, "{sv}", "type", "s", memtype_name(filter->type));
	if (r >= 0 && filter->all)
		r = sd_bus_message_append(call, "{sv}", "all", "b", true);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

enum exit_code rows_read(sd_bus_message *answer, struct json_object *rows, struct failure *failure)
{
	const char *text;
	int r = sd_bus_message_enter_container(answer, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read(answer, "s", &text)) > 0) {
		struct json_object *row = parse_row(text);

		if (!row)
			return fail_answer(failure, "a row is no JSON object");
		if (json_object_array_add(rows, row) < 0) {
			json_object_put(row);
			return fail_memory(failure);
		}
	}
	return r < 0 ? fail_answer(failure, "no array of rows") : EXIT_OK;
}

static enum exit_code get_page(struct client *client, enum row_list list, const struct options *options,
			       uint64_t after, struct json_object *rows, struct failure *failure)
{
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_method(client, &call, methods[list], failure);

	if (code != EXIT_OK)
		return code;
	if (append_filter(call, &options->filter) < 0 ||
	    sd_bus_message_append(call, "tu", after, BUS_ROWS_MAX) < 0)
		return fail_memory(failure);
	code = client_call(client, call, CLIENT_USEC, &answer, failure);
	return code == EXIT_OK ? rows_read(answer, rows, failure) : code;
}

/* One page of live rows, or of those of @replay. */
static enum exit_code next_page(struct client *client, const struct replay *replay, enum row_list list,
				const struct options *options, uint64_t after, struct json_object *rows,
				struct failure *failure)
{
	if (client)
		return get_page(client, list, options, after, rows, failure);
	if (list_rows(&replay->model, list, &options->filter, &replay->clock, after, BUS_ROWS_MAX, rows) < 0)
		return fail_memory(failure);
	return EXIT_OK;
}

static enum exit_code get_all(struct client *client, const struct replay *replay, enum row_list list,
			      const struct options *options, struct json_object *rows,
			      struct failure *failure)
{
	uint64_t after = 0;

	for (;;) {
		size_t before = json_object_array_length(rows), now;
		enum exit_code code = next_page(client, replay, list, options, after, rows, failure);
		uint64_t last;

		if (code != EXIT_OK)
			return code;
		now = json_object_array_length(rows);
		if (now - before < BUS_ROWS_MAX)
			return EXIT_OK;
		if (!row_number(json_object_array_get_idx(rows, now - 1), "id", &last) || last <= after)
			return fail_answer(failure, "ids of rows do not rise");
		after = last;
	}
}

enum exit_code rows_get(enum row_list list, const struct options *options, struct json_object **ret,
			struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	struct replay replay _cleanup_(replay_close) = {};
	struct json_object *rows;
	enum exit_code code;

	if (options->replay) {
		code = replay_open(&replay, options->replay, failure);
		if (code == EXIT_OK)
			code = replay_all(&replay, failure);
	} else {
		code = client_open(&client, options, failure);
	}
	if (code != EXIT_OK)
		return code;
	rows = json_object_new_array();
	if (!rows)
		return fail_memory(failure);
	code = get_all(client, &replay, list, options, rows, failure);
	if (code == EXIT_OK)
		*ret = rows;
	else
		json_object_put(rows);
	return code;
}
