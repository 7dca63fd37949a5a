/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_WORLD_H
#define VFIOWATCH_TUI_WORLD_H

/*
 * What the screens show: a ledger that events keep up to date, as in the daemon; and what only the daemon can
 * tell: status, findings and lint with what it saw before we came. Live and replay fill it alike. Takes
 * answers of the bus as they come and trusts none of them; knows no bus, clock or terminal.
 */

#include <json-c/json.h>

#include "cli/replay.h"
#include "lists.h"
#include "tui/sheet.h"

/* Events kept for the screen of events; when full the oldest goes. */
#define WORLD_EVENTS 4096

/* Entries that changed since a screen looked; when there are more it looks at all. */
#define WORLD_DIRTY 4096

enum world_link {
	LINK_LIVE = 0,
	LINK_SILENT, /* it has not answered for long: what is shown is as it was then */
	LINK_LOST,   /* the daemon is gone: what is shown is as it was then */
	LINK_BACK,   /* it is there again, and what is shown is still as it was before, as that is frozen */
	LINK_REPLAY,
};

struct world_changes {
	uint64_t ids[WORLD_DIRTY];
	size_t n;
	bool all;
};

/* What happened last to a device. */
struct last_event {
	char device[EVENT_NAME_LEN + 1];
	uint64_t time_ns;
	char text[64];
	UT_hash_handle hh;
};

struct world {
	struct replay ledger; /* model and clock; of a live daemon: from ReadState */
	bool has_ledger;
	bool live; /* findings and lint are those of the daemon, not of our own model */
	enum world_link link;
	char link_text[256]; /* why the daemon is away */
	int64_t lost_at_ns;  /* wall clock of that, or of the last answer; 0: it is not */
	struct json_object *status, *findings, *lint;
	struct policy *policy; /* that is in force in the daemon; NULL: unknown, or a replay */
	bool policy_unread;    /* there is one, but it is not understood: verdicts of mappings are unknown */
	uint64_t skipped;      /* events that were overwritten in the daemon before we read them */
	uint64_t last_ns;      /* CLOCK_BOOTTIME of the last event */
	bool findings_due, lint_due; /* ours changed: the daemon's have */
	bool alarm_due;              /* events were lost or a request was denied: the status changed */
	char alarm[256];             /* .. in words; empty: none since it was taken away */

	struct sheet events;
	uint64_t next_event, first_event;
	char *event_texts[WORLD_EVENTS]; /* each as JSON, at its number modulo this; NULL: no memory */
	struct last_event *last;

	/* Each rises with every change of what it names. */
	uint64_t ledger_changes, finding_changes, status_changes;
	struct world_changes mappings, cookies;
};

void world_init(struct world *world);
void world_done(struct world *world);

/* What an answer did. */
enum world_outcome {
	WORLD_OK = 0,
	WORLD_BAD,    /* it does not have the form the interface says; nothing was taken from what is bad */
	WORLD_MEMORY, /* out of memory */
};

/* Of ReadState: the ledger is replaced. */
enum world_outcome world_take_state(struct world *world, const void *data, size_t size);
/* Of ReadRecords. */
enum world_outcome world_take_records(struct world *world, uint64_t skipped, const void *data, size_t size);
/* Of GetStatus; @text is a JSON object. */
enum world_outcome world_take_status(struct world *world, const char *text);
/* Of ListConflicts or ListLint: takes @rows (a JSON array). */
enum world_outcome world_take_rows(struct world *world, enum row_list list, struct json_object *rows);

/* Of ReadEvents, rows of what happened before the state that we have: only shown. */
void world_take_history(struct world *world, struct json_object *rows);
/* Of GetPolicy; NULL: not known. Mappings are judged by it from now on. */
void world_take_policy(struct world *world, struct json_object *object);
/* Whether what the policy says of a mapping may depend on others. */
bool world_verdicts_depend(const struct world *world);

/* One event: applied, and noted. */
enum world_outcome world_apply(struct world *world, const struct event *event);

/* Of a replay: opens the capture from its beginning. */
enum exit_code world_open(struct world *world, const char *path, struct failure *failure);

/* The daemon has not answered since @since_ns, or does again. */
void world_silent(struct world *world, int64_t since_ns);
void world_heard(struct world *world);

static inline bool world_is_stale(const struct world *world)
{
	return world->link == LINK_LOST || world->link == LINK_SILENT || world->link == LINK_BACK;
}

/* The daemon went away, is back but not read anew yet, or is read anew. */
void world_lost(struct world *world, int64_t now_ns, const char *why);
void world_back(struct world *world);
void world_found(struct world *world);

/* Rows of findings and of lint as a JSON array; NULL: not known. Borrowed, until the next change. */
struct json_object *world_rows(struct world *world, enum row_list list, bool all);

/* Active conflicts on @device. False: not known. */
bool world_findings_on(const struct world *world, const char *device, uint64_t *ret);

/* Text of the event that concerned @device last, and when; NULL: none that we saw. */
const struct last_event *world_last_event(const struct world *world, const char *device);

/* Event @id of the sheet as one line of JSON; NULL: not kept. */
const char *world_event_json(const struct world *world, uint64_t id);

extern const struct view event_view;

#endif
