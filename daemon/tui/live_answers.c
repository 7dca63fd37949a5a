/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the daemon's answers say, and what is asked for after each. */

#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/value.h"
#include "tui/live_internal.h"
#include "vfiowatch/bus.h"

/* Between two calls of the same kind, at least. */
#define RECORDS_USEC       (50 * MSEC)
#define STATUS_SOON_USEC   (250 * MSEC)
#define FINDINGS_SOON_USEC (200 * MSEC)

/* Rows of one list that are taken at most. */
#define LIST_ROWS_MAX 65536

/* False: @answer is an error. One that means that there is no daemon is noted. */
static bool check(struct live *live, sd_bus_message *answer)
{
	static const char *const gone[] = {
		SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_DISCONNECTED,
		SD_BUS_ERROR_NO_SERVER,       SD_BUS_ERROR_NO_REPLY,          SD_BUS_ERROR_TIMEOUT,
		SD_BUS_ERROR_ACCESS_DENIED,
	};
	const sd_bus_error *error = sd_bus_message_get_error(answer);

	live->news = true;
	if (!error)
		return true;
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if (sd_bus_error_has_name(error, gone[i]))
			live_lose(live, i + 1 == sizeof(gone) / sizeof(gone[0]) ? "access denied"
										: "the daemon is gone");
	if (sd_bus_is_open(live->client->bus) <= 0)
		live_lose(live, "the connection ended");
	return false;
}

/* An answer that is not understood is no reason to go on with the rest. */
static void take(struct live *live, enum world_outcome outcome)
{
	if (outcome == WORLD_BAD)
		live_lose(live, "the daemon's answer is not understood");
	else if (outcome == WORLD_MEMORY)
		live_lose(live, "out of memory");
}

static void after_records(struct live *live)
{
	if (live->world->findings_due)
		live_soon(live, CALL_CONFLICTS, FINDINGS_SOON_USEC);
	if (live->world->lint_due)
		live_soon(live, CALL_LINT, FINDINGS_SOON_USEC);
	live_soon(live, CALL_STATUS, live->world->alarm_due ? 0 : STATUS_SOON_USEC);
	live->world->findings_due = live->world->lint_due = live->world->alarm_due = false;
}

static void take_state(struct live *live, sd_bus_message *answer)
{
	const void *data;
	size_t size;

	if (sd_bus_message_read(answer, "t", &live->cursor) < 0 ||
	    sd_bus_message_read_array(answer, 'y', &data, &size) < 0) {
		take(live, WORLD_BAD);
		return;
	}
	take(live, world_take_state(live->world, data, size));
	if (live->why[0])
		return;
	live->has_state = true;
	live->thawed = false;
	live->retry_usec = RETRY_FIRST_USEC;
	world_found(live->world);
	after_records(live);
	live->has_history = live->has_history || live->cursor <= 1; /* nothing was before */
	live_soon(live, live->has_history ? CALL_RECORDS : CALL_HISTORY, 0);
}

static void take_records(struct live *live, sd_bus_message *answer)
{
	uint64_t cursor, skipped;
	const void *data;
	size_t size;

	if (sd_bus_message_read(answer, "tt", &cursor, &skipped) < 0 ||
	    sd_bus_message_read_array(answer, 'y', &data, &size) < 0) {
		take(live, WORLD_BAD);
		return;
	}
	live->cursor = cursor;
	take(live, world_take_records(live->world, skipped, data, size));
	/* Nobody wanted to see them. */
	if (live->thawed)
		live->world->skipped -= skipped;
	live->thawed = false;
	/* What was missed is in the state of now. */
	if (skipped)
		live_soon(live, CALL_STATE, 0);
	else
		live_soon(live, CALL_RECORDS, size ? RECORDS_USEC : 0);
	if (size || skipped)
		after_records(live);
}

/* Another policy gives other verdicts, also to findings. */
static void follow_policy(struct live *live)
{
	const char *digest = row_string(live->world->status, "policy_digest");

	if (!digest)
		digest = "";
	if (live->has_policy && strcmp(digest, live->digest) == 0)
		return;
	snprintf(live->digest, sizeof(live->digest), "%s", digest);
	live->has_policy = true;
	live_soon(live, CALL_POLICY, 0);
	live_soon(live, CALL_CONFLICTS, 0);
}

static void take_status(struct live *live, sd_bus_message *answer)
{
	const char *text;

	if (sd_bus_message_read(answer, "s", &text) < 0)
		take(live, WORLD_BAD);
	else
		take(live, world_take_status(live->world, text));
	live->has_status = true;
	live->suspect = false;
	world_heard(live->world);
	if (live_is_held(live, CALL_STATE))
		world_back(live->world);
	if (!live->why[0])
		follow_policy(live);
}

/* NULL: it is asked for again with the next status. */
static void take_policy(struct live *live, sd_bus_message *answer)
{
	struct json_object *object = NULL;
	const char *text;

	if (answer && sd_bus_message_read(answer, "s", &text) >= 0)
		object = parse_row(text);
	live->has_policy = object;
	world_take_policy(live->world, object);
	json_object_put(object);
}

/* One page of a list. */
static void take_page(struct live *live, enum call_kind kind, sd_bus_message *answer)
{
	struct call *call = &live->calls[kind];
	struct failure failure = {};
	size_t before, now;

	if (!call->rows)
		call->rows = json_object_new_array();
	before = call->rows ? json_object_array_length(call->rows) : 0;
	if (!call->rows || rows_read(answer, call->rows, &failure) != EXIT_OK) {
		take(live, WORLD_BAD);
		return;
	}
	now = json_object_array_length(call->rows);
	if (now - before >= BUS_ROWS_MAX && now < LIST_ROWS_MAX &&
	    row_number(json_object_array_get_idx(call->rows, now - 1), "id", &call->after)) {
		call->due_usec = live->now_usec;
		return;
	}
	call->after = 0;
	take(live,
	     world_take_rows(live->world, kind == CALL_CONFLICTS ? ROWS_CONFLICTS : ROWS_LINT, call->rows));
	call->rows = NULL;
	live->has_findings = true;
}

/* What happened before we came, up to the state that we have. */
static void take_history(struct live *live, sd_bus_message *answer)
{
	struct json_object *rows = json_object_new_array();
	struct failure failure = {};
	uint64_t next, skipped;

	if (rows && sd_bus_message_read(answer, "tt", &next, &skipped) >= 0 &&
	    rows_read(answer, rows, &failure) == EXIT_OK)
		world_take_history(live->world, rows);
	else
		take(live, WORLD_BAD);
	json_object_put(rows);
	live->has_history = true;
	live_soon(live, CALL_RECORDS, 0);
}

static void take_explanation(struct live *live, sd_bus_message *answer)
{
	struct json_object *object = NULL;
	const char *text;

	if (sd_bus_message_read(answer, "s", &text) >= 0)
		object = parse_row(text);
	live->explained(live->userdata, object, "the daemon's answer is not understood");
	json_object_put(object);
}

int live_answered(struct live *live, enum call_kind kind, sd_bus_message *answer)
{
	struct call *call = &live->calls[kind];
	const sd_bus_error *error = sd_bus_message_get_error(answer);

	call->slot = sd_bus_slot_unref(call->slot);
	if (!check(live, answer)) {
		if (kind == CALL_EXPLAIN)
			live->explained(live->userdata, NULL, error->message ? error->message : error->name);
		else if (kind == CALL_POLICY)
			take_policy(live, NULL);
		else
			live_lose(live, error->message ? error->message : error->name);
		return 1;
	}
	/* It is asked for again afterwards. */
	if (live_is_held(live, kind)) {
		live_soon(live, kind, 0);
		return 1;
	}
	switch (kind) {
	case CALL_STATE:
		take_state(live, answer);
		break;
	case CALL_HISTORY:
		take_history(live, answer);
		break;
	case CALL_RECORDS:
		take_records(live, answer);
		break;
	case CALL_STATUS:
		take_status(live, answer);
		break;
	case CALL_POLICY:
		take_policy(live, answer);
		break;
	case CALL_EXPLAIN:
		take_explanation(live, answer);
		break;
	default:
		take_page(live, kind, answer);
		break;
	}
	return 1;
}
