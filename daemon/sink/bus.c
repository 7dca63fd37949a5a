/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The life of the bus. */

#include <errno.h>
#include <stdlib.h>

#include "sink/bus_internal.h"

int bus_new(struct bus **ret, sd_event *event, const struct bus_parameters *parameters,
	    const struct bus_backend *backend)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus)
		return -ENOMEM;
	bus->event = sd_event_ref(event);
	bus->backend = *backend;
	bus->server.fd = bus->server.lock_fd = -EBADF;
	bus->system.wanted = parameters->system_bus;
	bus->readers = parameters->readers;

	if ((r = gate_start(bus)) < 0 || (r = wait_start(bus)) < 0 ||
	    (r = peer_server_open(bus, parameters->socket ? parameters->socket : BUS_SOCKET)) < 0 ||
	    (r = system_bus_start(bus)) < 0) {
		bus_free(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

struct bus *bus_free(struct bus *bus)
{
	if (!bus)
		return NULL;
	wait_stop(bus);
	peer_server_close(bus);
	system_bus_stop(bus);
	gate_stop(bus);
	sd_event_unref(bus->event);
	free(bus);
	return NULL;
}

void bus_stats(const struct bus *bus, struct bus_stats *ret)
{
	*ret = (struct bus_stats){
		.peers = bus->server.n_peers,
		.peers_refused = bus->server.refused,
		.peers_ended = bus->server.ended,
		.held = bus->gate.n_held,
		.held_refused = bus->gate.refused,
		.denied = bus->gate.denied,
		.waits = bus->waiting.n_waits,
		.waits_refused = bus->waiting.refused,
		.calls = bus->calls,
		.rejoined = bus->system.rejoined,
		.system = bus->system.state,
	};
}
