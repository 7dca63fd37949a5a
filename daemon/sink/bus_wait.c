/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Held-back calls: answered when there are events, when their time is over, or dropped with their client. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "sink/bus_internal.h"

static void wait_remove(struct wait *wait)
{
	struct wait_list *list = &wait->owner->waiting;

	DL_DELETE2(list->waits, wait, previous, next);
	list->n_waits--;
	sd_bus_slot_unref(wait->gone);
	sd_bus_message_unref(wait->call);
	free(wait);
}

/* Answers with what there is, maybe nothing, and forgets the call. */
static void wait_answer(struct wait *wait)
{
	struct bus *bus = wait->owner;
	bool is_root = peer_of(bus, wait->outlet->connection);
	uint64_t began = share_begin();
	int r = answer_history(bus, wait->call, wait->cursor, wait->max, wait->records);

	if (!is_root)
		share_charge(who_share(bus, wait->uid), began);
	/* If that cannot be sent either, the connection is gone and its end is handled there. */
	if (r < 0)
		(void)sd_bus_reply_method_errno(wait->call, r, NULL);
	wait_remove(wait);
}

/* Its time is over, and the client did not read what it got before. */
static void wait_refuse(struct wait *wait)
{
	(void)sd_bus_reply_method_errorf(wait->call, SD_BUS_ERROR_LIMITS_EXCEEDED,
					 "Earlier answers wait to be read: read them before asking for more");
	wait_remove(wait);
}

static int arm_expiry(struct bus *bus)
{
	struct wait_list *list = &bus->waiting;
	int r;

	if (!list->waits)
		return sd_event_source_set_enabled(list->expiry, SD_EVENT_OFF);
	r = sd_event_source_set_time(list->expiry, list->waits->expires);
	return r < 0 ? r : sd_event_source_set_enabled(list->expiry, SD_EVENT_ONESHOT);
}

static int on_expiry(sd_event_source *source, uint64_t now, void *userdata)
{
	struct bus *bus = userdata;

	(void)source;
	while (bus->waiting.waits && bus->waiting.waits->expires <= now) {
		if (outlet_has_room(bus, bus->waiting.waits->outlet, true))
			wait_answer(bus->waiting.waits);
		else
			wait_refuse(bus->waiting.waits);
	}
	return arm_expiry(bus);
}

static int on_complete(sd_event_source *source, void *userdata)
{
	struct bus *bus = userdata;
	uint64_t end = history_end(bus->backend.history(bus->backend.userdata));
	struct wait *wait, *next;

	(void)source;
	bus->waiting.blocked = false;
	DL_FOREACH_SAFE2(bus->waiting.waits, wait, next, next)
	{
		if (wait->cursor >= end)
			continue;
		if (!outlet_has_room(bus, wait->outlet, true)) {
			bus->waiting.blocked = true;
			continue;
		}
		wait_answer(wait);
		/* One at a time, so that what records comes in between. */
		bus_events_added(bus);
		break;
	}
	if (bus->waiting.blocked)
		gate_look(bus, LOOK_USEC);
	return arm_expiry(bus);
}

void wait_retry(struct bus *bus)
{
	bus_events_added(bus);
}

void bus_events_added(struct bus *bus)
{
	/* Turning on an existing source cannot fail; if it did, the calls still end with their time. */
	if (bus->waiting.waits)
		(void)sd_event_source_set_enabled(bus->waiting.complete, SD_EVENT_ONESHOT);
}

/* Two calls are of one client if they came over one connection and, on a message bus, from one unique name.
 */
static bool same_client(sd_bus_message *a, sd_bus_message *b)
{
	const char *sender_a = sd_bus_message_get_sender(a), *sender_b = sd_bus_message_get_sender(b);

	if (sd_bus_message_get_bus(a) != sd_bus_message_get_bus(b))
		return false;
	return !sender_a || !sender_b ? sender_a == sender_b : strcmp(sender_a, sender_b) == 0;
}

static bool room_for(struct bus *bus, sd_bus_message *call, const struct outlet *outlet, uid_t uid)
{
	const struct wait_list *list = &bus->waiting;
	unsigned int own = 0, user = 0;
	struct wait *wait;

	DL_FOREACH2 (list->waits, wait, next) {
		own += same_client(wait->call, call);
		user += outlet == &bus->system.outlet && wait->outlet == outlet && wait->uid == uid;
	}
	return list->n_waits < BUS_WAITS_MAX && own < BUS_WAITS_PER_CLIENT && user < BUS_WAITS_PER_USER;
}

/* Who was let in is known. */
static uid_t caller_uid(struct bus *bus, sd_bus_message *call)
{
	const char *sender = sd_bus_message_get_sender(call);
	struct caller *caller = sender ? who_find(bus, sender) : NULL;

	return caller ? caller->uid : 0;
}

static int on_client_gone(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
	struct wait *wait = userdata;
	struct bus *bus = wait->owner;

	(void)signal, (void)error;
	wait_remove(wait);
	return arm_expiry(bus);
}

/* A watch that the message bus refuses is done without: the call ends with its time. */
static int on_watch_installed(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)answer, (void)userdata, (void)error;
	return 0;
}

static int watch_client(struct wait *wait)
{
	const char *sender = sd_bus_message_get_sender(wait->call);
	char match[512];
	int length;

	if (!sender || !sd_bus_message_get_destination(wait->call))
		return 0; /* the client is the connection */
	length = snprintf(match, sizeof(match),
			  "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
			  "member='NameOwnerChanged',arg0='%s',arg2=''",
			  sender);
	if (length < 0 || (size_t)length >= sizeof(match))
		return -E2BIG;
	return sd_bus_add_match_async(sd_bus_message_get_bus(wait->call), &wait->gone, match, on_client_gone,
				      on_watch_installed, wait);
}

int wait_add(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records)
{
	struct outlet *outlet = outlet_of(bus, sd_bus_message_get_bus(call));
	struct wait_list *list = &bus->waiting;
	struct wait *wait;
	uid_t uid = 0;
	uint64_t now;
	int r;

	if (!outlet)
		return -ENOTCONN;
	if (outlet == &bus->system.outlet)
		uid = caller_uid(bus, call);
	if (!room_for(bus, call, outlet, uid)) {
		list->refused++;
		return -ENOBUFS;
	}
	r = sd_event_now(bus->event, CLOCK_MONOTONIC, &now);
	if (r < 0)
		return r;
	wait = malloc(sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	*wait = (struct wait){
		.owner = bus,
		.call = sd_bus_message_ref(call),
		.cursor = cursor,
		.expires = now + BUS_WAIT_USEC,
		.max = max,
		.records = records,
		.outlet = outlet,
		.uid = uid,
	};
	DL_APPEND2(list->waits, wait, previous, next);
	list->n_waits++;

	r = watch_client(wait);
	if (r >= 0)
		r = arm_expiry(bus);
	if (r < 0)
		wait_remove(wait);
	return r;
}

void wait_drop_connection(struct bus *bus, sd_bus *connection)
{
	struct wait *wait, *next;

	DL_FOREACH_SAFE2(bus->waiting.waits, wait, next, next)
	if (sd_bus_message_get_bus(wait->call) == connection)
		wait_remove(wait);
	(void)arm_expiry(bus);
}

int wait_start(struct bus *bus)
{
	struct wait_list *list = &bus->waiting;
	int r = sd_event_add_time(bus->event, &list->expiry, CLOCK_MONOTONIC, 0, 0, on_expiry, bus);

	if (r >= 0)
		r = sd_event_source_set_enabled(list->expiry, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(list->expiry, BUS_PRIORITY);
	if (r >= 0)
		r = sd_event_add_defer(bus->event, &list->complete, on_complete, bus);
	if (r >= 0)
		r = sd_event_source_set_priority(list->complete, BUS_PRIORITY);
	if (r >= 0)
		r = sd_event_source_set_enabled(list->complete, SD_EVENT_OFF);
	return r;
}

void wait_stop(struct bus *bus)
{
	while (bus->waiting.waits)
		wait_remove(bus->waiting.waits);
	bus->waiting.expiry = sd_event_source_disable_unref(bus->waiting.expiry);
	bus->waiting.complete = sd_event_source_disable_unref(bus->waiting.complete);
}
