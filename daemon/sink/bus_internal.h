/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_BUS_INTERNAL_H
#define VFIOWATCH_SINK_BUS_INTERNAL_H

/*
 * What the files of the bus share. A call comes in over bus_peer.c or bus_system.c, goes through bus_gate.c
 * (is it to be served, and now?), which asks bus_who.c (may he?) and bus_share.c (is it his turn?), to one of
 * bus_methods.c, and is answered by bus_answer.c, for some calls after bus_wait.c held them back.
 */

#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "core/metrics.h"
#include "sink/bus.h"
#include "vfiowatch/bus.h"

/* What goes out over a connection. sd-bus tells how many messages the other end has left unread, not how
 * large. */
struct outlet {
	sd_bus *connection;
	size_t unread;    /* bytes of the answer sent last; all others that are unread are short errors */
	uint64_t changed; /* CLOCK_MONOTONIC, us: when `queued` did */
	uint64_t queued;
};

/* What somebody used of the daemon's time. */
struct share {
	uint64_t due;      /* CLOCK_MONOTONIC, us: when what he used is made up for */
	unsigned int held; /* calls in the gate */
	bool is_root;      /* is not charged for following events */
};

/* One connection on the socket. */
struct peer {
	struct bus *owner;
	struct outlet outlet;
	struct share share;
	struct peer *previous, *next;
};

/* Table sizes; when full, the entry used least recently that no held call needs is forgotten. */
#define BUS_CALLERS 256
#define BUS_USERS   128

/* Somebody on the system bus. Unique names are never given out twice, so what is known of one stays true. */
struct caller {
	char name[64]; /* "": the entry is free */
	sd_bus_slot *question;
	bool known;
	uid_t uid;
	bool reader; /* in the group that may read */
	unsigned int held;
	uint64_t used;
};

struct user {
	bool taken;
	uid_t uid;
	struct share share;
	uint64_t used;
};

struct who_table {
	struct caller callers[BUS_CALLERS];
	struct user users[BUS_USERS];
	uint64_t uses;
};

enum access {
	ACCESS_READ,
	ACCESS_CHANGE,
};

struct method {
	const char *name;
	enum access access;
	bool large;   /* the answer may be */
	bool follows; /* reads events one after the other: a reader who is held back loses some */
	sd_bus_message_handler_t run;
};

enum held_for {
	HELD_WHO,    /* the message bus is asked who calls */
	HELD_POLKIT, /* polkit is asked whether he may */
	HELD_TURN,
};

/* A call in the gate. */
struct held {
	struct bus *owner;
	sd_bus_message *call;
	const struct method *method;
	enum held_for reason;
	struct caller *caller; /* NULL: a peer */
	struct share *share;   /* NULL: HELD_WHO */
	struct outlet *outlet;
	sd_bus_slot *question;
	uint64_t expires; /* CLOCK_MONOTONIC, us; counts for HELD_TURN */
	struct held *previous, *next;
};

/* While calls are held for their turn: how often to look whether somebody has one. */
#define LOOK_USEC (10ULL * 1000)

struct gate {
	struct held *held;
	unsigned int n_held;
	uint64_t refused, denied;
	sd_event_source *turn; /* armed while calls are held for their turn, or answers for room */
};

struct peer_server {
	char *path, *lock_path;
	int fd, lock_fd; /* -EBADF: none */
	bool bound;      /* the socket at path is ours to remove */
	sd_event_source *accept;
	sd_event_source *resume; /* armed while accept is off for want of descriptors */
	struct peer *peers;
	unsigned int n_peers;
	uint64_t refused, ended;
};

struct system_bus {
	bool wanted;
	struct outlet outlet;
	bool stalled; /* it was left because it took no answers */
	uint64_t rejoined;
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
	struct outlet *outlet;
	uid_t uid; /* of the system bus */
	struct wait *previous, *next;
};

struct wait_list {
	struct wait *waits;
	unsigned int n_waits;
	uint64_t refused;
	sd_event_source *expiry;   /* armed while there are waits */
	sd_event_source *complete; /* oneshot, on after bus_events_added() */
	bool blocked;              /* there are answers that have no room yet */
};

struct bus {
	sd_event *event;
	struct bus_backend backend;
	struct peer_server server;
	struct system_bus system;
	struct wait_list waiting;
	struct gate gate;
	struct who_table who;
	gid_t readers; /* 0: none */
	uint64_t calls;
};

/* bus_methods.c: puts the interface on a connection. The vtable goes with the connection. */
int bus_export(struct bus *bus, sd_bus *connection);
const struct method *bus_method(const char *name);

/* bus_peer.c */
int peer_server_open(struct bus *bus, const char *path);
void peer_server_close(struct bus *bus);
struct peer *peer_of(struct bus *bus, sd_bus *connection);
void peer_end(struct peer *peer);

/* bus_system.c */
int system_bus_start(struct bus *bus);
void system_bus_stop(struct bus *bus);
/* Leaves the system bus, which does not take our answers, and joins it anew. */
void system_bus_rejoin(struct bus *bus);

/* bus_gate.c */
int gate_start(struct bus *bus);
void gate_stop(struct bus *bus);
int gate_call(sd_bus_message *call, void *userdata, sd_bus_error *error);
/* Has on_turn() look again soon; @usec from now. */
void gate_look(struct bus *bus, uint64_t usec);
void gate_drop_connection(struct bus *bus, sd_bus *connection);
/* It is known who calls, or that this cannot be told. */
void gate_caller_known(struct bus *bus, struct caller *caller);
/* Lets a held call go on to its turn, or answers it with @error. */
void gate_allow(struct held *held);
void gate_refuse(struct held *held, const sd_bus_error *error);

/* bus_who.c. who_find() returns NULL if the table is full of callers that are still needed. */
struct caller *who_find(struct bus *bus, const char *name);
struct share *who_share(struct bus *bus, uid_t uid);
bool who_may(const struct caller *caller, enum access access);
int who_ask(struct bus *bus, struct caller *caller);
int who_ask_polkit(struct held *held);
void who_forget(struct bus *bus);

/* bus_share.c */
uint64_t share_now(void);
struct outlet *outlet_of(struct bus *bus, sd_bus *connection);
/* Bounds what the kernel keeps for the other end, and has nobody wait for it; once the connection is started.
 */
int outlet_bound(sd_bus *connection);
/* To be called after an answer of about @size bytes was sent. */
void outlet_sent(struct bus *bus, sd_bus *connection, size_t size);
/* Whether an answer may be sent: the other end read all before and, for a large one, not too much is unread
 * in all. */
bool outlet_has_room(struct bus *bus, struct outlet *outlet, bool large);
/* Ends connections that stand in the way of others. True if an outlet is still to be looked after. */
bool outlet_look_after(struct bus *bus);
/* A filter for every message that comes in; userdata is the bus. Ends a connection with too many unread
 * messages. */
int outlet_filter(sd_bus_message *message, void *userdata, sd_bus_error *error);
bool share_has_turn(const struct share *share);
/* Charges the CPU time since share_begin(). */
uint64_t share_begin(void);
void share_charge(struct share *share, uint64_t began);
/* Runs the method and charges @share. */
int share_run(struct bus *bus, struct share *share, const struct method *method, sd_bus_message *call,
	      sd_bus_error *error);

/* bus_wait.c. wait_add() takes a reference on @call; -ENOBUFS: a limit is reached. */
int wait_start(struct bus *bus);
void wait_stop(struct bus *bus);
int wait_add(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records);
void wait_drop_connection(struct bus *bus, sd_bus *connection);
/* There may be room for blocked answers. */
void wait_retry(struct bus *bus);

/* bus_answer.c: builds and sends answers. Return values are those of sd_bus_send(). */
int answer_text(struct bus *bus, sd_bus_message *call, const char *text);
int answer_rows(struct bus *bus, sd_bus_message *call, struct json_object *rows);
int answer_history(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool records);
int answer_metrics(struct bus *bus, sd_bus_message *call, enum metrics_format format);
int answer_state(struct bus *bus, sd_bus_message *call, sd_bus_error *error);

#endif
