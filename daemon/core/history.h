/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_HISTORY_H
#define VFIOWATCH_CORE_HISTORY_H

/* The last events, for clients that follow them. Bounded: when full the oldest is overwritten, and a reader
 * that is behind is told how many it missed. */

#include <stddef.h>
#include <stdint.h>

#include "vfiowatch/event.h"

struct history;

/* @capacity: number of events kept, not 0. Returns 0, -EINVAL or -ENOMEM. */
int history_new(struct history **ret, size_t capacity);
struct history *history_free(struct history *history);

/* Keeps a copy of the header.size bytes of @event (of its header at least, of a struct event at most). */
void history_add(struct history *history, const struct event *event);

/* The cursor of the next event to come; cursors start at 1 and rise by one per event. */
uint64_t history_end(const struct history *history);

/*
 * The event at *cursor, which is advanced past it; a cursor before the oldest kept event skips to that, and
 * *skipped is increased by the number overwritten in between. NULL: nothing there yet.
 */
const struct event *history_next(const struct history *history, uint64_t *cursor, uint64_t *skipped);

#endif
