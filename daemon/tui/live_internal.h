/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_LIVE_INTERNAL_H
#define VFIOWATCH_TUI_LIVE_INTERNAL_H

/* What live.c (the connection and when to call) and live_answers.c (what the answers say) share. */

#include <systemd/sd-bus.h>

#include "tui/live.h"

#define MSEC 1000ULL

/* The first try to connect anew, after a loss; each further one takes twice as long. */
#define RETRY_FIRST_USEC (200 * MSEC)

/* One kind of call; at most one of each is under way. */
enum call_kind {
	CALL_STATE,
	CALL_HISTORY,
	CALL_RECORDS,
	CALL_STATUS,
	CALL_POLICY,
	CALL_CONFLICTS,
	CALL_LINT,
	CALL_EXPLAIN,
	CALLS,
};

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
	bool suspect;  /* no answer for too long, as it seems */
	bool thawed;   /* no records since it was frozen */
	bool obituary; /* it was told how the private daemon ended */
	bool has_status, has_findings, has_policy, has_history;
	char digest[POLICY_DIGEST_LEN + 1]; /* of the policy last asked for */
	char why[256];                      /* the daemon is away: not empty until that was noted */
	live_explained explained;
	void *userdata;
};

/* The daemon is away, or cannot be understood: @why, for people. The next tick sees to it. */
void live_lose(struct live *live, const char *why);

/* @kind is due once @usec went by since the last call of that kind. */
void live_soon(struct live *live, enum call_kind kind, uint64_t usec);

/* What is frozen stays, so that no such call is made and no answer to one is taken. */
bool live_is_held(const struct live *live, enum call_kind kind);

/* Takes the answer to the call of @kind that was under way. Returns what a sd_bus_message_handler_t does. */
int live_answered(struct live *live, enum call_kind kind, sd_bus_message *answer);

#endif
