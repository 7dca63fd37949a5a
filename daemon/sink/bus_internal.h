/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_BUS_INTERNAL_H
#define VFIOWATCH_SINK_BUS_INTERNAL_H

/* What the files of the bus share: bus.c (methods), bus_peer.c (socket), bus_system.c, bus_wait.c,
 * bus_answer.c. */

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "sink/bus.h"
#include "vfiowatch/bus.h"

/* One connection on the socket. */
struct peer {
	struct bus *owner;
	sd_bus *connection;
	struct peer *previous, *next;
};

struct peer_server {
	char *path, *lock_path;
	int fd, lock_fd; /* -EBADF: none */
	bool bound;      /* the socket at path is ours to remove */
	sd_event_source *accept;
	sd_event_source *resume; /* armed while accept is off for want of descriptors */
	struct peer *peers;
	unsigned int n_peers;
	uint64_t refused;
};

struct system_bus {
	bool wanted;
	sd_bus *connection;
	sd_event_source *retry;
	enum bus_system_state state;
};

/* One held-back ReadEvents or ReadRecords. All wait equally long, so the list is in order of expiry. */
struct wait {
	struct bus *owner;
	sd_bus_message *call;
	sd_bus_slot *gone;        /* system bus: match for the end of the caller */
	uint64_t cursor, expires; /* CLOCK_MONOTONIC, us */
	uint32_t max;
	bool records;
	struct wait *previous, *next;
};

struct wait_list {
	struct wait *waits;
	unsigned int n_waits;
	uint64_t refused;
	sd_event_source *expiry;   /* armed while there are waits */
	sd_event_source *complete; /* oneshot, on after bus_events_added() */
};

struct bus {
	sd_event *event;
	struct bus_backend backend;
	struct peer_server server;
	struct system_bus system;
	struct wait_list waiting;
	uint64_t calls;
};

/* bus.c: puts the interface on a connection. The vtable goes with the connection. */
int bus_export(struct bus *bus, sd_bus *connection);

/* bus_peer.c */
int peer_server_open(struct bus *bus, const char *path);
void peer_server_close(struct bus *bus);

/* bus_system.c */
int system_bus_start(struct bus *bus);
void system_bus_stop(struct bus *bus);

/* bus_wait.c. wait_add() takes a reference on @call; -ENOBUFS: a limit is reached. */
int wait_start(struct bus *bus);
void wait_stop(struct bus *bus);
int wait_add(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records);
void wait_drop_connection(struct bus *bus, sd_bus *connection);

/* bus_answer.c: builds and sends answers. Return values are those of sd_bus_send(). */
int answer_rows(sd_bus_message *call, struct json_object *rows);
int answer_history(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records);
int answer_state(struct bus *bus, sd_bus_message *call, sd_bus_error *error);

#endif
