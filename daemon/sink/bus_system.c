/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The system bus: joined when there is one, and again, at leisure, after it went away. */

#include <errno.h>

#include "sink/bus_internal.h"

#define RETRY_USEC     (30ULL * 1000 * 1000)
#define RETRY_ACCURACY (10ULL * 1000 * 1000)

static void set_state(struct bus *bus, enum bus_system_state state, int error)
{
	if (bus->system.state == state)
		return;
	bus->system.state = state;
	if (bus->backend.system_bus)
		bus->backend.system_bus(bus->backend.userdata, state, error);
}

static void leave(struct bus *bus)
{
	if (!bus->system.outlet.connection)
		return;
	wait_drop_connection(bus, bus->system.outlet.connection);
	gate_drop_connection(bus, bus->system.outlet.connection);
	who_forget(bus);
	sd_bus_close_unref(bus->system.outlet.connection);
	bus->system.outlet = (struct outlet){};
}

/* Drops the connection and tries again later. Not having a system bus is an outcome, not an error. */
static int give_up(struct bus *bus, enum bus_system_state state, int error)
{
	int r;

	leave(bus);
	set_state(bus, state, error);
	r = sd_event_source_set_time_relative(bus->system.retry, RETRY_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(bus->system.retry, SD_EVENT_ONESHOT);
}

static int on_disconnected(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
	(void)signal, (void)error;
	return give_up(userdata, BUS_SYSTEM_AWAY, -ECONNRESET);
}

static int on_name(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct bus *bus = userdata;
	uint32_t result = 0;
	int r;

	(void)error;
	if (sd_bus_message_is_method_error(answer, NULL))
		return give_up(bus, BUS_SYSTEM_REFUSED, -sd_bus_message_get_errno(answer));
	r = sd_bus_message_read(answer, "u", &result);
	if (r < 0)
		return give_up(bus, BUS_SYSTEM_REFUSED, r);
	/* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER and _ALREADY_OWNER of the D-Bus specification. */
	if (result != 1 && result != 4)
		return give_up(bus, BUS_SYSTEM_REFUSED, -EEXIST);
	bus->system.stalled = false;
	set_state(bus, BUS_SYSTEM_ON, 0);
	return 0;
}

static int join(struct bus *bus, sd_bus *connection)
{
	int r;

	if ((r = outlet_bound(connection)) < 0 ||
	    (r = sd_bus_set_exit_on_disconnect(connection, false)) < 0 ||
	    (r = bus_export(bus, connection)) < 0 ||
	    (r = sd_bus_add_filter(connection, NULL, outlet_filter, bus)) < 0 ||
	    (r = sd_bus_match_signal(connection, NULL, NULL, "/org/freedesktop/DBus/Local",
				     "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, bus)) <
		    0 ||
	    (r = sd_bus_attach_event(connection, bus->event, BUS_PRIORITY)) < 0)
		return r;
	/* A bus that reads nothing from us may not notice either that an earlier connection of ours ended. */
	return sd_bus_request_name_async(connection, NULL, BUS_NAME,
					 SD_BUS_NAME_ALLOW_REPLACEMENT |
						 (bus->system.stalled ? SD_BUS_NAME_REPLACE_EXISTING : 0),
					 on_name, bus);
}

static int try_join(struct bus *bus)
{
	int r;

	leave(bus);
	r = sd_bus_open_system_with_description(&bus->system.outlet.connection, "vfiowatchd");
	if (r >= 0)
		r = join(bus, bus->system.outlet.connection);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return give_up(bus, BUS_SYSTEM_AWAY, r);
	/* After a failure the state changes with the outcome only, so that each is told once. */
	if (bus->system.state == BUS_SYSTEM_OFF)
		set_state(bus, BUS_SYSTEM_JOINING, 0);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
	struct bus *bus = userdata;
	int r = try_join(bus);

	(void)source, (void)now;
	return r == -ENOMEM ? give_up(bus, BUS_SYSTEM_AWAY, r) : 0;
}

void system_bus_rejoin(struct bus *bus)
{
	bus->system.stalled = true;
	bus->system.rejoined++;
	leave(bus);
	set_state(bus, BUS_SYSTEM_AWAY, -ETIMEDOUT);
	(void)sd_event_source_set_time_relative(bus->system.retry, 0);
	(void)sd_event_source_set_enabled(bus->system.retry, SD_EVENT_ONESHOT);
}

/* It is joined when the loop runs: what is asked for before that may time out while programs are loaded. */
int system_bus_start(struct bus *bus)
{
	int r;

	if (!bus->system.wanted)
		return 0;
	r = sd_event_add_time(bus->event, &bus->system.retry, CLOCK_MONOTONIC, 0, RETRY_ACCURACY, on_retry,
			      bus);
	return r < 0 ? r : 0;
}

void system_bus_stop(struct bus *bus)
{
	leave(bus);
	bus->system.retry = sd_event_source_disable_unref(bus->system.retry);
	bus->system.state = BUS_SYSTEM_OFF;
}
