/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct history {
	size_t capacity;
	uint64_t end; /* cursor of the next event; the event of cursor c is in slot c % capacity */
	struct event events[];
};

int history_new(struct history **ret, size_t capacity)
{
	struct history *history;
	size_t size;

	if (!capacity)
		return -EINVAL;
	if (__builtin_mul_overflow(capacity, sizeof(struct event), &size) ||
	    __builtin_add_overflow(size, sizeof(*history), &size))
		return -ENOMEM;
	history = calloc(1, size);
	if (!history)
		return -ENOMEM;
	history->capacity = capacity;
	history->end = 1;
	*ret = history;
	return 0;
}

struct history *history_free(struct history *history)
{
	free(history);
	return NULL;
}

void history_add(struct history *history, const struct event *event)
{
	struct event *slot = &history->events[history->end % history->capacity];
	size_t size = event->header.size;

	if (size < sizeof(event->header))
		size = sizeof(event->header);
	if (size > sizeof(*event))
		size = sizeof(*event);
	memset(slot, 0, sizeof(*slot));
	memcpy(slot, event, size);
	history->end++;
}

uint64_t history_end(const struct history *history)
{
	return history->end;
}

const struct event *history_next(const struct history *history, uint64_t *cursor, uint64_t *skipped)
{
	uint64_t oldest = history->end > history->capacity ? history->end - history->capacity : 1;

	if (*cursor < oldest) {
		/* No event has cursor 0, so none was missed there. */
		*skipped += oldest - (*cursor ? *cursor : 1);
		*cursor = oldest;
	}
	if (*cursor >= history->end)
		return NULL;
	return &history->events[(*cursor)++ % history->capacity];
}
