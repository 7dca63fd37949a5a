/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cleanup.h"
#include "cli/spawn.h"
#include "tui/live_internal.h"
#include "vfiowatch/bus.h"

/* Between two calls of the same kind without any sign of a change. */
#define STATUS_USEC     (2000 * MSEC)
#define FINDINGS_USEC   (10000 * MSEC)
#define RETRY_LAST_USEC (2000 * MSEC)

/* Until what is said of a private daemon that ended is drawn. */
#define OBITUARY_USEC (250 * MSEC)

/* What takes longer is told: a daemon that is busy, stopped, or behind a connection that hangs. */
#define SILENCE_USEC (10000 * MSEC)
#define SUSPECT_USEC (1000 * MSEC)

/* Events that are asked for of what was before. */
#define HISTORY_MAX 1024

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

void live_lose(struct live *live, const char *why)
{
	if (!live->why[0])
		snprintf(live->why, sizeof(live->why), "%.*s", (int)sizeof(live->why) - 1, why);
}

void live_soon(struct live *live, enum call_kind kind, uint64_t usec)
{
	struct call *call = &live->calls[kind];
	uint64_t due = call->last_usec + usec;

	if (due < live->now_usec)
		due = live->now_usec;
	if (due < call->due_usec)
		call->due_usec = due;
}

/* Also if the daemon is another one meanwhile. */
bool live_is_held(const struct live *live, enum call_kind kind)
{
	if (!live->frozen)
		return false;
	return kind == CALL_RECORDS || kind == CALL_CONFLICTS || kind == CALL_LINT ||
	       (live->world->has_ledger &&
		(kind == CALL_STATE || kind == CALL_HISTORY || kind == CALL_POLICY));
}

/* The handler of one kind of call. */
#define HANDLER(name, kind)                                                                                  \
	static int name(sd_bus_message *answer, void *userdata, sd_bus_error *error)                         \
	{                                                                                                    \
		(void)error;                                                                                 \
		return live_answered(userdata, kind, answer);                                                \
	}

HANDLER(on_state, CALL_STATE)
HANDLER(on_history, CALL_HISTORY)
HANDLER(on_records, CALL_RECORDS)
HANDLER(on_status, CALL_STATUS)
HANDLER(on_policy, CALL_POLICY)
HANDLER(on_conflicts, CALL_CONFLICTS)
HANDLER(on_lint, CALL_LINT)
HANDLER(on_explanation, CALL_EXPLAIN)

static const struct {
	const char *member;
	sd_bus_message_handler_t handler;
} members[CALLS] = {
	[CALL_STATE] = {"ReadState", on_state},       [CALL_HISTORY] = {"ReadEvents", on_history},
	[CALL_RECORDS] = {"ReadRecords", on_records}, [CALL_STATUS] = {"GetStatus", on_status},
	[CALL_POLICY] = {"GetPolicy", on_policy},     [CALL_CONFLICTS] = {"ListConflicts", on_conflicts},
	[CALL_LINT] = {"ListLint", on_lint},          [CALL_EXPLAIN] = {"Explain", on_explanation},
};

static int append_arguments(struct live *live, enum call_kind kind, sd_bus_message *message)
{
	uint64_t from;
	int r;

	switch (kind) {
	case CALL_HISTORY:
		from = live->cursor > HISTORY_MAX ? live->cursor - HISTORY_MAX : 1;
		return sd_bus_message_append(message, "tub", from, (uint32_t)(live->cursor - from), false);
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
				  CLIENT_USEC);

	if (r < 0)
		live_lose(live, "the connection ended");
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
		live_lose(live, failure.text);
		return;
	}
	if (append_arguments(live, kind, message) < 0)
		live_lose(live, "out of memory");
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

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void note_loss(struct live *live)
{
	bool asked = live->calls[CALL_EXPLAIN].slot;

	end_calls(live);
	live->client->bus = sd_bus_close_unref(live->client->bus);
	live->connected = live->has_state = live->has_policy = false;
	live->news = true;
	world_lost(live->world, clock_ns(CLOCK_REALTIME), live->why);
	live->why[0] = '\0';
	live->retry_at_usec = live->now_usec + live->retry_usec;
	live->retry_usec = 2 * live->retry_usec > RETRY_LAST_USEC ? RETRY_LAST_USEC : 2 * live->retry_usec;
	if (asked)
		live->explained(live->userdata, NULL, "the daemon is gone");
}

/* A private daemon that ended is started anew; that takes seconds, so it is told before. */
static bool replace_private(struct live *live)
{
	struct world *world = live->world;

	if (!live->client->spawn)
		return true;
	if (live->obituary) {
		live->obituary = false;
		live->client->spawn = spawn_stop(live->client->spawn);
		return true;
	}
	if (!spawn_ended(live->client->spawn, world->link_text, sizeof(world->link_text)))
		snprintf(world->link_text, sizeof(world->link_text), "the private daemon does not answer");
	snprintf(world->alarm, sizeof(world->alarm), "%.160s: starting another", world->link_text);
	live->obituary = live->news = true;
	live->retry_at_usec = live->now_usec + OBITUARY_USEC;
	return false;
}

static void reconnect(struct live *live)
{
	struct failure failure = {};

	if (!replace_private(live))
		return;
	if (client_connect(live->client, live->options, &failure) != EXIT_OK) {
		live_lose(live, failure.text);
		note_loss(live);
		return;
	}
	live->connected = true;
	live->suspect = false;
	live->now_usec =
		(uint64_t)clock_ns(CLOCK_MONOTONIC) / 1000; /* a private daemon takes its time to start */
	live->calls[CALL_STATE].due_usec = live->calls[CALL_STATUS].due_usec = 0;
}

/* Returns when to look again. */
static uint64_t watch_silence(struct live *live)
{
	const struct call *call = &live->calls[CALL_STATUS];

	if (!call->slot)
		return UINT64_MAX;
	if (live->now_usec < call->last_usec + SILENCE_USEC)
		return call->last_usec + SILENCE_USEC;
	/* It may be us who did not listen, while suspended: what came meanwhile is read first. */
	if (!live->suspect) {
		live->suspect = true;
		return live->now_usec + SUSPECT_USEC;
	}
	if (live->world->link == LINK_LIVE) {
		world_silent(live->world,
			     clock_ns(CLOCK_REALTIME) - (int64_t)(live->now_usec - call->last_usec) * 1000);
		live->news = true;
	}
	return UINT64_MAX;
}

uint64_t live_tick(struct live *live, uint64_t now_usec)
{
	uint64_t due = UINT64_MAX, silent;

	live->now_usec = now_usec;
	if (live->why[0])
		note_loss(live);
	if (!live->connected && now_usec >= live->retry_at_usec)
		reconnect(live);
	if (!live->connected)
		return live->retry_at_usec;
	for (enum call_kind kind = 0; kind < CALLS && !live->why[0]; kind++) {
		struct call *call = &live->calls[kind];

		if (call->slot || (kind == CALL_RECORDS && !(live->has_state && live->has_history)) ||
		    live_is_held(live, kind))
			continue;
		if (call->due_usec <= now_usec)
			make_call(live, kind);
		else if (call->due_usec < due)
			due = call->due_usec;
	}
	silent = watch_silence(live);
	if (silent < due)
		due = silent;
	return live->why[0] ? now_usec : due;
}

void live_freeze(struct live *live, bool frozen)
{
	live->thawed = live->thawed || (live->frozen && !frozen);
	live->frozen = frozen;
}

void live_all_findings(struct live *live, bool all)
{
	if (live->all == all)
		return;
	live->all = all;
	live_soon(live, CALL_CONFLICTS, 0);
}

bool live_news(struct live *live)
{
	bool news = live->news;

	live->news = false;
	return news;
}

bool live_complete(const struct live *live)
{
	return live->has_state && live->has_status && live->has_findings && live->has_policy &&
	       !live->calls[CALL_POLICY].slot && live->calls[CALL_POLICY].due_usec == UINT64_MAX;
}
