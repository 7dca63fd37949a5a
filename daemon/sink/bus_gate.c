/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The gate that every call goes through. One that may not be served yet is held: until it is known who calls,
 * until polkit decided, or until it is the caller's turn. What finds no room here is refused at once; nothing
 * is dropped without an answer.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "sink/bus_internal.h"

static void held_free(struct held *held)
{
	struct gate *gate = &held->owner->gate;

	DL_DELETE2(gate->held, held, previous, next);
	gate->n_held--;
	if (held->caller)
		held->caller->held--;
	if (held->share)
		held->share->held--;
	sd_bus_slot_unref(held->question);
	sd_bus_message_unref(held->call);
	free(held);
}

/* If the answer cannot be sent the connection is at its end, and that is handled there. */
void gate_refuse(struct held *held, const sd_bus_error *error)
{
	held->owner->gate.denied +=
		sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) > 0 ||
		sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) > 0;
	(void)sd_bus_reply_method_error(held->call, error);
	held_free(held);
}

static void refuse_unknown(struct held *held)
{
	static const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(
		SD_BUS_ERROR_ACCESS_DENIED, "Nothing tells who calls: the message bus gave no answer");

	gate_refuse(held, &error);
}

void gate_allow(struct held *held)
{
	held->question = sd_bus_slot_unref(held->question);
	held->reason = HELD_TURN;
	held->expires = share_now() + BUS_WAIT_USEC;
	gate_look(held->owner, 0);
}

static int refuse_more(struct bus *bus, sd_bus_error *error)
{
	bus->gate.refused++;
	return sd_bus_error_setf(
		error, SD_BUS_ERROR_LIMITS_EXCEEDED,
		"Too many calls wait for their turn, at most %u of one client, %u of one user and %u in "
		"all: wait for their answers before asking for more",
		BUS_HELD_PER_CLIENT, BUS_HELD_PER_USER, BUS_HELD_MAX);
}

/* Who calls is known: on to polkit, or to the turn. */
static void admit(struct held *held)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	held->share = who_share(held->owner, held->caller->uid);
	/* Who he is was not known when it was held. */
	if (held->share->held++ >= BUS_HELD_PER_USER) {
		(void)refuse_more(held->owner, &error);
		gate_refuse(held, &error);
		sd_bus_error_free(&error);
		return;
	}
	if (who_may(held->caller, held->method->access)) {
		gate_allow(held);
		return;
	}
	held->reason = HELD_POLKIT;
	r = who_ask_polkit(held);
	if (r < 0)
		refuse_unknown(held);
}

void gate_caller_known(struct bus *bus, struct caller *caller)
{
	struct held *held, *next;

	DL_FOREACH_SAFE2(bus->gate.held, held, next, next)
	{
		if (held->caller != caller || held->reason != HELD_WHO)
			continue;
		if (caller->known)
			admit(held);
		else
			refuse_unknown(held);
	}
}

static bool walk(sd_bus_message *call, size_t *room)
{
	const char *contents, *text;
	char type;
	int r;

	while ((r = sd_bus_message_peek_type(call, &type, &contents)) > 0) {
		size_t size = sizeof(uint64_t);

		if (strchr("sog", type)) {
			r = sd_bus_message_read_basic(call, type, &text);
			size += r < 0 ? 0 : strlen(text);
		} else if (strchr("arev", type)) {
			r = sd_bus_message_enter_container(call, type, contents);
			if (r < 0 || !walk(call, room))
				return false;
			r = sd_bus_message_exit_container(call);
		} else {
			r = sd_bus_message_skip(call, NULL);
		}
		if (r < 0 || size > *room)
			return false;
		*room -= size;
	}
	return r == 0;
}

/* Held calls are kept in memory as they came. */
static bool is_short(sd_bus_message *call)
{
	size_t room = BUS_ARGUMENTS_MAX;
	bool fits = walk(call, &room);

	return sd_bus_message_rewind(call, true) >= 0 && fits;
}

static bool room_for(const struct bus *bus, const struct caller *caller, const struct share *share)
{
	if (bus->gate.n_held >= BUS_HELD_MAX)
		return false;
	if (!caller)
		return share->held < BUS_HELD_PER_CLIENT;
	return caller->held < BUS_HELD_PER_CLIENT && (!share || share->held < BUS_HELD_PER_USER);
}

/* Takes a reference on @call. */
static int hold(struct bus *bus, sd_bus_message *call, const struct method *method, struct outlet *outlet,
		struct caller *caller, struct share *share, struct held **ret, sd_bus_error *error)
{
	struct held *held;

	if (!room_for(bus, caller, share))
		return refuse_more(bus, error);
	if (!is_short(call)) {
		bus->gate.refused++;
		return sd_bus_error_setf(
			error, SD_BUS_ERROR_LIMITS_EXCEEDED,
			"A call that has to wait for its turn has at most %u bytes of arguments",
			BUS_ARGUMENTS_MAX);
	}
	held = malloc(sizeof(*held));
	if (!held)
		return -ENOMEM;
	*held = (struct held){
		.owner = bus,
		.call = sd_bus_message_ref(call),
		.method = method,
		.outlet = outlet,
		.caller = caller,
	};
	if (caller)
		caller->held++;
	DL_APPEND2(bus->gate.held, held, previous, next);
	bus->gate.n_held++;
	*ret = held;
	return 0;
}

/* A caller that it is not known of who he is, or that polkit has to be asked about. */
static int hold_to_ask(struct bus *bus, sd_bus_message *call, const struct method *method,
		       struct caller *caller, sd_bus_error *error)
{
	struct share *share = caller->known ? who_share(bus, caller->uid) : NULL;
	struct held *held;
	int r = hold(bus, call, method, &bus->system.outlet, caller, share, &held, error);

	if (r < 0)
		return r;
	if (caller->known) {
		admit(held);
		return 1;
	}
	held->reason = HELD_WHO;
	r = who_ask(bus, caller);
	if (r < 0)
		held_free(held);
	return r < 0 ? r : 1;
}

static int take_turn(struct bus *bus, sd_bus_message *call, const struct method *method,
		     struct outlet *outlet, struct caller *caller, struct share *share, sd_bus_error *error)
{
	struct held *held;
	int r;

	/* One after the other: who has calls waiting gets at the end of them. */
	if (share->held == 0 && share_has_turn(share) && outlet_has_room(bus, outlet, method->large))
		return share_run(bus, share, method, call, error);
	r = hold(bus, call, method, outlet, caller, share, &held, error);
	if (r < 0)
		return r;
	held->share = share;
	share->held++;
	gate_allow(held);
	return 1;
}

static int system_call(struct bus *bus, sd_bus_message *call, const struct method *method,
		       sd_bus_error *error)
{
	const char *sender = sd_bus_message_get_sender(call);
	struct caller *caller = sender ? who_find(bus, sender) : NULL;

	if (!caller)
		return refuse_more(bus, error);
	if (!caller->known || !who_may(caller, method->access))
		return hold_to_ask(bus, call, method, caller, error);
	return take_turn(bus, call, method, &bus->system.outlet, caller, who_share(bus, caller->uid), error);
}

int gate_call(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	sd_bus *connection = sd_bus_message_get_bus(call);
	const struct method *method = bus_method(sd_bus_message_get_member(call));
	struct peer *peer;

	bus->calls++;
	if (!method)
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "Nobody may call this");
	/* What nobody wants to know is not looked up. */
	if (method->access == ACCESS_READ && sd_bus_message_get_expect_reply(call) == 0)
		return 1;
	if (connection == bus->system.outlet.connection)
		return system_call(bus, call, method, error);
	peer = peer_of(bus, connection);
	if (!peer)
		return -ENOTCONN;
	return take_turn(bus, call, method, &peer->outlet, NULL, &peer->share, error);
}

/* The first in line that may be served now. */
static struct held *next_turn(struct bus *bus)
{
	struct held *held;

	DL_FOREACH2 (bus->gate.held, held, next)
		if (held->reason == HELD_TURN && share_has_turn(held->share) &&
		    outlet_has_room(bus, held->outlet, held->method->large))
			return held;
	return NULL;
}

static void serve(struct bus *bus, struct held *held)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = share_run(bus, held->share, held->method, held->call, &error);

	if (r < 0)
		(void)sd_bus_reply_method_errno(held->call, r, &error);
	sd_bus_error_free(&error);
	held_free(held);
}

static bool expire(struct bus *bus)
{
	static const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(
		SD_BUS_ERROR_LIMITS_EXCEEDED,
		"It did not get its turn in time: the daemon has much to do, or answers were not read");
	uint64_t now = share_now();
	struct held *held, *next;
	bool left = false;

	DL_FOREACH_SAFE2(bus->gate.held, held, next, next)
	{
		if (held->reason != HELD_TURN)
			continue;
		if (held->expires <= now) {
			bus->gate.refused++;
			gate_refuse(held, &error);
		} else {
			left = true;
		}
	}
	return left;
}

/* One call at a time, so that what records comes in between. */
static int on_turn(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bus *bus = userdata;
	struct held *held = next_turn(bus);
	bool left;

	(void)source, (void)usec;
	if (held)
		serve(bus, held);
	left = expire(bus);
	left |= outlet_look_after(bus);
	if (bus->waiting.blocked) {
		wait_retry(bus);
		left = true;
	}
	if (left)
		gate_look(bus, held ? 0 : LOOK_USEC);
	return 0;
}

/* Arming an existing timer cannot fail. */
void gate_look(struct bus *bus, uint64_t usec)
{
	(void)sd_event_source_set_time_relative(bus->gate.turn, usec);
	(void)sd_event_source_set_enabled(bus->gate.turn, SD_EVENT_ONESHOT);
}

void gate_drop_connection(struct bus *bus, sd_bus *connection)
{
	struct held *held, *next;

	DL_FOREACH_SAFE2(bus->gate.held, held, next, next)
	if (sd_bus_message_get_bus(held->call) == connection)
		held_free(held);
}

/* With accuracy 0 it would be 250 ms: as long would each turn take. */
int gate_start(struct bus *bus)
{
	int r = sd_event_add_time(bus->event, &bus->gate.turn, CLOCK_MONOTONIC, 0, 1, on_turn, bus);

	if (r >= 0)
		r = sd_event_source_set_priority(bus->gate.turn, BUS_PRIORITY);
	return r < 0 ? r : sd_event_source_set_enabled(bus->gate.turn, SD_EVENT_OFF);
}

void gate_stop(struct bus *bus)
{
	while (bus->gate.held)
		held_free(bus->gate.held);
	who_forget(bus);
	bus->gate.turn = sd_event_source_disable_unref(bus->gate.turn);
}
