/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_LIVE_H
#define VFIOWATCH_TUI_LIVE_H

/*
 * Keeps a world up to date from a daemon: its state once, then its records as they come; status, findings and
 * lint when they may have changed. Calls are asynchronous; a daemon that goes away is looked for again.
 */

#include "cli/connect.h"
#include "tui/world.h"

struct live;

/* @client is connected; borrowed, as @options and @world. NULL: out of memory. */
struct live *live_new(struct client *client, const struct options *options, struct world *world);
struct live *live_free(struct live *live);

/*
 * Makes the calls that are due at @now_usec (CLOCK_MONOTONIC), and connects anew if it is time for that:
 * never to be called from within the event loop. Returns when to call it again.
 */
uint64_t live_tick(struct live *live, uint64_t now_usec);

/* No more records while frozen. */
void live_freeze(struct live *live, bool frozen);
/* Also findings that are over. */
void live_all_findings(struct live *live, bool all);

/* Whether something came since the last call. */
bool live_news(struct live *live);
/* Whether all that a first screen needs is there. */
bool live_complete(const struct live *live);

/* Asks Explain; the answer comes to @done: NULL and why, or the object. */
typedef void (*live_explained)(void *userdata, struct json_object *answer, const char *error);
void live_explain(struct live *live, const char *const *words, live_explained done, void *userdata);

#endif
