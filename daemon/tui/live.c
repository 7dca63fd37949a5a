/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "cli/spawn.h"
#include "cli/text.h"
#include "cli/value.h"
#include "tui/live.h"
#include "vfiowatch/bus.h"

#define MSEC 1000ULL

/* Between two calls of the same kind, at least; and how often at most without any sign of a change. */
#define RECORDS_USEC       (50 * MSEC)
#define STATUS_USEC        (2000 * MSEC)
#define STATUS_SOON_USEC   (250 * MSEC)
#define FINDINGS_SOON_USEC (200 * MSEC)
#define FINDINGS_USEC      (10000 * MSEC)
#define RETRY_FIRST_USEC   (200 * MSEC)
#define RETRY_LAST_USEC    (2000 * MSEC)

/* Longer than the daemon holds back a call. */
#define CALL_USEC (BUS_WAIT_USEC + 40000 * MSEC)

/* Rows of one list that are taken at most. */
#define LIST_ROWS_MAX 65536

/* One kind of call; at most one of each is under way. */
enum call_kind { CALL_STATE, CALL_RECORDS, CALL_STATUS, CALL_CONFLICTS, CALL_LINT, CALL_EXPLAIN, CALLS };

struct call {
	sd_bus_slot *slot;
	uint64_t due_usec; /* UINT64_MAX: when something asks for it */
	uint64_t last_usec;
	struct json_object *rows; /* pages of a list so far */
	uint64_t after;
};

struct live {
	struct client *client;
	const struct options *options;
	struct world *world;
	struct call calls[CALLS];
	uint64_t cursor, retry_usec, retry_at_usec, now_usec;
	bool connected, has_state, frozen, all, news;
	bool has_status, has_findings;
	char why[256]; /* the daemon is away: not empty until that was noted */
	live_explained explained;
	void *userdata;
};

struct live *live_new(struct client *client, const struct options *options, struct world *world)
{
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	*live = (struct live){.client = client, .options = options, .world = world, .connected = true};
	live->retry_usec = RETRY_FIRST_USEC;
	for (int i = 0; i < CALLS; i++)
		live->calls[i].due_usec = UINT64_MAX;
	live->calls[CALL_STATE].due_usec = live->calls[CALL_STATUS].due_usec = 0;
	return live;
}

static void end_calls(struct live *live)
{
	for (int i = 0; i < CALLS; i++) {
		struct call *call = &live->calls[i];

		call->slot = sd_bus_slot_unref(call->slot);
		json_object_put(call->rows);
		*call = (struct call){.due_usec = UINT64_MAX};
	}
}

struct live *live_free(struct live *live)
{
	if (!live)
		return NULL;
	end_calls(live);
	free(live);
	return NULL;
}

static void lose(struct live *live, const char *why)
{
	if (!live->why[0])
		snprintf(live->why, sizeof(live->why), "%.*s", (int)sizeof(live->why) - 1, why);
}

static void soon(struct live *live, enum call_kind kind, uint64_t usec)
{
	struct call *call = &live->calls[kind];
	uint64_t due = call->last_usec + usec;

	if (due < live->now_usec)
		due = live->now_usec;
	if (due < call->due_usec)
		call->due_usec = due;
}

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
			lose(live, i + 1 == sizeof(gone) / sizeof(gone[0]) ? "access denied"
									   : "the daemon is gone");
	if (sd_bus_is_open(live->client->bus) <= 0)
		lose(live, "the connection ended");
	return false;
}

/* An answer that is not understood is no reason to go on with the rest. */
static void take(struct live *live, enum world_outcome outcome)
{
	if (outcome == WORLD_BAD)
		lose(live, "the daemon's answer is not understood");
	else if (outcome == WORLD_MEMORY)
		lose(live, "out of memory");
}

static void after_records(struct live *live)
{
	if (live->world->findings_due)
		soon(live, CALL_CONFLICTS, FINDINGS_SOON_USEC);
	if (live->world->lint_due)
		soon(live, CALL_LINT, FINDINGS_SOON_USEC);
	soon(live, CALL_STATUS, STATUS_SOON_USEC);
	live->world->findings_due = live->world->lint_due = false;
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
	live->retry_usec = RETRY_FIRST_USEC;
	world_found(live->world);
	after_records(live);
	soon(live, CALL_RECORDS, 0);
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
	/* It is asked for again afterwards. */
	if (live->frozen) {
		soon(live, CALL_RECORDS, 0);
		return;
	}
	live->cursor = cursor;
	take(live, world_take_records(live->world, skipped, data, size));
	/* What was missed is in the state of now. */
	if (skipped)
		soon(live, CALL_STATE, 0);
	else
		soon(live, CALL_RECORDS, size ? RECORDS_USEC : 0);
	if (size || skipped)
		after_records(live);
}

static void take_status(struct live *live, sd_bus_message *answer)
{
	const char *text;

	if (sd_bus_message_read(answer, "s", &text) < 0)
		take(live, WORLD_BAD);
	else
		take(live, world_take_status(live->world, text));
	live->has_status = true;
}

/* One page of a list. */
static void take_page(struct live *live, enum call_kind kind, sd_bus_message *answer)
{
	struct call *call = &live->calls[kind];
	struct json_object *last = NULL;
	const char *text;
	size_t n = 0;
	int r = sd_bus_message_enter_container(answer, 'a', "s");

	if (!call->rows)
		call->rows = json_object_new_array();
	while (call->rows && r >= 0 && (r = sd_bus_message_read(answer, "s", &text)) > 0) {
		struct json_object *row = parse_row(text);

		if (!row || json_object_array_add(call->rows, row) < 0) {
			json_object_put(row);
			r = -EBADMSG;
			break;
		}
		last = row;
		n++;
	}
	if (r < 0 || !call->rows) {
		take(live, WORLD_BAD);
		return;
	}
	if (n == BUS_ROWS_MAX && row_number(last, "id", &call->after) &&
	    json_object_array_length(call->rows) < LIST_ROWS_MAX) {
		call->due_usec = live->now_usec;
		return;
	}
	call->after = 0;
	take(live,
	     world_take_rows(live->world, kind == CALL_CONFLICTS ? ROWS_CONFLICTS : ROWS_LINT, call->rows));
	call->rows = NULL;
	live->has_findings = true;
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

static int on_answer(struct live *live, enum call_kind kind, sd_bus_message *answer)
{
	struct call *call = &live->calls[kind];
	const sd_bus_error *error = sd_bus_message_get_error(answer);

	call->slot = sd_bus_slot_unref(call->slot);
	if (!check(live, answer)) {
		if (kind == CALL_EXPLAIN)
			live->explained(live->userdata, NULL, error->message ? error->message : error->name);
		else
			lose(live, error->message ? error->message : error->name);
		return 1;
	}
	switch (kind) {
	case CALL_STATE:
		take_state(live, answer);
		break;
	case CALL_RECORDS:
		take_records(live, answer);
		break;
	case CALL_STATUS:
		take_status(live, answer);
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

static int on_state(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_STATE, answer);
}

static int on_records(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_RECORDS, answer);
}

static int on_status(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_STATUS, answer);
}

static int on_conflicts(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_CONFLICTS, answer);
}

static int on_lint(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_LINT, answer);
}

static int on_explanation(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	return on_answer(userdata, CALL_EXPLAIN, answer);
}

static const struct {
	const char *member;
	sd_bus_message_handler_t handler;
} members[CALLS] = {
	[CALL_STATE] = {"ReadState", on_state},   [CALL_RECORDS] = {"ReadRecords", on_records},
	[CALL_STATUS] = {"GetStatus", on_status}, [CALL_CONFLICTS] = {"ListConflicts", on_conflicts},
	[CALL_LINT] = {"ListLint", on_lint},      [CALL_EXPLAIN] = {"Explain", on_explanation},
};

static int append_arguments(struct live *live, enum call_kind kind, sd_bus_message *message)
{
	int r;

	switch (kind) {
	case CALL_RECORDS:
		return sd_bus_message_append(message, "tub", live->cursor, BUS_ROWS_MAX, true);
	case CALL_CONFLICTS:
	case CALL_LINT:
		r = live->all ? sd_bus_message_append(message, "a{sv}", 1, "all", "b", true)
			      : sd_bus_message_append(message, "a{sv}", 0);
		return r < 0 ? r
			     : sd_bus_message_append(message, "tu", live->calls[kind].after, BUS_ROWS_MAX);
	default:
		return 0;
	}
}

static void start(struct live *live, enum call_kind kind, sd_bus_message *message)
{
	struct call *call = &live->calls[kind];
	int r = sd_bus_call_async(live->client->bus, &call->slot, message, members[kind].handler, live,
				  CALL_USEC);

	if (r < 0)
		lose(live, "the connection ended");
	call->last_usec = live->now_usec;
	call->due_usec = UINT64_MAX;
	if (kind == CALL_STATUS)
		call->due_usec = live->now_usec + STATUS_USEC;
	else if (kind == CALL_CONFLICTS || kind == CALL_LINT)
		call->due_usec = live->now_usec + FINDINGS_USEC;
}

static void make_call(struct live *live, enum call_kind kind)
{
	sd_bus_message *message _cleanup_(sd_bus_message_unrefp) = NULL;
	struct failure failure = {};

	if (client_method(live->client, &message, members[kind].member, &failure) != EXIT_OK) {
		lose(live, failure.text);
		return;
	}
	if (append_arguments(live, kind, message) < 0)
		lose(live, "out of memory");
	else
		start(live, kind, message);
}

void live_explain(struct live *live, const char *const *words, live_explained done, void *userdata)
{
	sd_bus_message *message _cleanup_(sd_bus_message_unrefp) = NULL;
	struct call *call = &live->calls[CALL_EXPLAIN];
	struct failure failure = {};

	call->slot = sd_bus_slot_unref(call->slot);
	live->explained = done;
	live->userdata = userdata;
	if (!live->connected ||
	    client_method(live->client, &message, members[CALL_EXPLAIN].member, &failure) != EXIT_OK ||
	    sd_bus_message_append_strv(message, (char **)words) < 0)
		done(userdata, NULL, "there is no daemon to ask");
	else
		start(live, CALL_EXPLAIN, message);
}

static int64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void note_loss(struct live *live)
{
	bool asked = live->calls[CALL_EXPLAIN].slot;

	end_calls(live);
	live->client->bus = sd_bus_close_unref(live->client->bus);
	live->connected = live->has_state = false;
	live->news = true;
	world_lost(live->world, wall_ns(), live->why);
	live->why[0] = '\0';
	live->retry_at_usec = live->now_usec + live->retry_usec;
	live->retry_usec = 2 * live->retry_usec > RETRY_LAST_USEC ? RETRY_LAST_USEC : 2 * live->retry_usec;
	if (asked)
		live->explained(live->userdata, NULL, "the daemon is gone");
}

static void reconnect(struct live *live)
{
	struct failure failure = {};

	/* A private daemon that ended is started anew. */
	live->client->spawn = spawn_stop(live->client->spawn);
	if (client_connect(live->client, live->options, &failure) != EXIT_OK) {
		lose(live, failure.text);
		note_loss(live);
		return;
	}
	live->connected = true;
	live->calls[CALL_STATE].due_usec = live->calls[CALL_STATUS].due_usec = 0;
}

uint64_t live_tick(struct live *live, uint64_t now_usec)
{
	uint64_t due = UINT64_MAX;

	live->now_usec = now_usec;
	if (live->why[0])
		note_loss(live);
	if (!live->connected && now_usec >= live->retry_at_usec)
		reconnect(live);
	if (!live->connected)
		return live->retry_at_usec;
	for (enum call_kind kind = 0; kind < CALLS && !live->why[0]; kind++) {
		struct call *call = &live->calls[kind];

		if (call->slot || (kind == CALL_RECORDS && !live->has_state) ||
		    (live->frozen && (kind == CALL_RECORDS || kind == CALL_CONFLICTS || kind == CALL_LINT)))
			continue;
		if (call->due_usec <= now_usec)
			make_call(live, kind);
		else if (call->due_usec < due)
			due = call->due_usec;
	}
	return live->why[0] ? now_usec : due;
}

void live_freeze(struct live *live, bool frozen)
{
	live->frozen = frozen;
}

void live_all_findings(struct live *live, bool all)
{
	if (live->all == all)
		return;
	live->all = all;
	soon(live, CALL_CONFLICTS, 0);
}

bool live_news(struct live *live)
{
	bool news = live->news;

	live->news = false;
	return news;
}

bool live_complete(const struct live *live)
{
	return live->has_state && live->has_status && live->has_findings;
}
