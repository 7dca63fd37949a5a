/* SPDX-License-Identifier: GPL-2.0-or-later */

/* events: one line each, as they come. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli/event_row.h"
#include "cli/filter.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/replay.h"
#include "cli/text.h"
#include "cli/value.h"
#include "cli/when.h"
#include "vfiowatch/bus.h"

static void print_line(const char *const *cells)
{
	for (size_t i = 0; i < EVENT_COLUMNS; i++) {
		const char *text = cells[i] && *cells[i] ? cells[i] : "-";
		size_t own = text_width(text),
		       pad = own < event_columns[i].width ? event_columns[i].width - own : 0;

		printf("%s%*s%s", i ? " " : "", event_columns[i].column.right ? (int)pad : 0, "", text);
		if (!event_columns[i].column.right)
			printf("%*s", (int)pad, "");
	}
	putchar('\n');
}

static void print_header(const struct options *options)
{
	const char *titles[EVENT_COLUMNS];

	if (options->json || options->no_legend)
		return;
	for (size_t i = 0; i < EVENT_COLUMNS; i++)
		titles[i] = event_columns[i].column.title;
	fputs(output_faint(options), stdout);
	print_line(titles);
	fputs(output_plain(options), stdout);
}

static void print_lost(const struct options *options, const char *time, uint64_t count, const char *what)
{
	printf("%s%s%slost %" PRIu64 " event%s%s%s%s%s\n", time ? time : "", time ? " " : "",
	       output_bad(options), count, count == 1 ? "" : "s", what ? " (" : "", what ? what : "",
	       what ? ")" : "", output_plain(options));
}

static void print_text(struct json_object *row, const struct options *options)
{
	struct event_cells cells;
	uint64_t number;
	const char *event = row_string(row, "event");

	event_cells(row, &cells);
	if (event && strcmp(event, "lost") == 0 && row_number(row, "count", &number))
		print_lost(options, cells.cells[0], number, row_string(row, "lost_event"));
	else
		print_line(cells.cells);
}

static void print_row(struct json_object *row, const struct options *options)
{
	int64_t when;

	if (event_is_fact(row) && !options->filter.all)
		return;
	/* A time that is not known may be late enough. */
	if (options->since_given && event_time_ns(row, &when) && when < options->since_ns)
		return;
	if (!filter_matches(&options->filter, row))
		return;
	if (options->json)
		output_json(row, JSON_SHORT);
	else
		print_text(row, options);
}

/* The daemon overwrote events before we read them. */
static enum exit_code print_skipped(uint64_t skipped, const struct options *options, struct failure *failure)
{
	static const char reason[] = "overwritten before they were read";
	struct json_object *row;

	if (!skipped)
		return EXIT_OK;
	if (!options->json) {
		print_lost(options, NULL, skipped, reason);
		return EXIT_OK;
	}
	row = json_object_new_object();
	if (!row || json_object_object_add(row, "event", json_object_new_string("lost")) < 0 ||
	    json_object_object_add(row, "count", json_object_new_uint64(skipped)) < 0 ||
	    json_object_object_add(row, "detail", json_object_new_string(reason)) < 0) {
		json_object_put(row);
		return fail_memory(failure);
	}
	output_json(row, JSON_SHORT);
	json_object_put(row);
	return EXIT_OK;
}

static enum exit_code print_answer(sd_bus_message *answer, const struct options *options, size_t *n_rows,
				   struct failure *failure)
{
	const char *text;
	int r = sd_bus_message_enter_container(answer, 'a', "s");

	*n_rows = 0;
	while (r >= 0 && (r = sd_bus_message_read(answer, "s", &text)) > 0) {
		struct json_object *row = parse_row(text);

		if (!row)
			return fail_answer(failure, "a row is no JSON object");
		print_row(row, options);
		json_object_put(row);
		(*n_rows)++;
	}
	return r < 0 ? fail_answer(failure, "no array of rows") : output_finish(failure);
}

/* One answer; *more: there may be events beyond it. */
static enum exit_code print_some(struct client *client, const struct options *options, bool wait,
				 uint64_t *cursor, bool *more, struct failure *failure)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	size_t n_rows = 0;
	uint64_t skipped;
	enum exit_code code = follow_read(client, "ReadEvents", wait, cursor, &skipped, &answer, failure);

	if (code == EXIT_OK)
		code = print_skipped(skipped, options, failure);
	if (code == EXIT_OK)
		code = print_answer(answer, options, &n_rows, failure);
	*more = n_rows >= BUS_ROWS_MAX;
	return code;
}

/* What there is, and with -f what comes, until a signal: then what came up to that. */
static enum exit_code follow(struct client *client, const struct options *options, struct failure *failure)
{
	uint64_t cursor = options->follow && !options->since_given ? BUS_CURSOR_NOW : 0;
	bool ending = !options->follow, wait = false, more = true;
	enum exit_code code;

	print_header(options);
	code = output_finish(failure);
	while (code == EXIT_OK && (!ending || more)) {
		/* The first answer comes at once, so that the place to begin at is fixed. */
		code = print_some(client, options, wait, &cursor, &more, failure);
		wait = !ending;
		if (code != EXIT_OK && !ending && follow_ended(client, failure)) {
			code = EXIT_OK;
			ending = true;
			more = cursor != BUS_CURSOR_NOW; /* else nothing was awaited yet */
			wait = false;
		}
	}
	if (code != EXIT_OK && options->follow && follow_ended(client, failure))
		code = output_finish(failure);
	return code;
}

static enum exit_code show_capture(const struct options *options, struct failure *failure)
{
	struct replay replay _cleanup_(replay_close) = {};
	enum exit_code code = replay_open(&replay, options->replay, failure);
	struct change change;
	struct event event;
	bool more = true;

	if (code == EXIT_OK)
		print_header(options);
	while (code == EXIT_OK && more) {
		struct json_object *row;

		code = replay_next(&replay, &more, &event, &change, failure);
		if (code != EXIT_OK || !more)
			break;
		row = snapshot_event(replay.model.ledger, &replay.clock, &event, &change);
		if (!row)
			return fail_memory(failure);
		print_row(row, options);
		json_object_put(row);
		if (ferror(stdout))
			break;
	}
	/* What went before a bad offset is shown before the error is told. */
	if (code == EXIT_OK)
		return output_finish(failure);
	(void)fflush(stdout);
	return code;
}

enum exit_code verb_events(const struct options *options, struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	enum exit_code code;

	if (options->replay)
		return show_capture(options, failure);
	code = client_open(&client, options, failure);
	if (code == EXIT_OK && options->follow)
		code = client_watch_output(client, failure);
	return code == EXIT_OK ? follow(client, options, failure) : code;
}
