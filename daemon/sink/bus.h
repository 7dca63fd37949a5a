/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_BUS_H
#define VFIOWATCH_SINK_BUS_H

/*
 * Serves the interface of vfiowatch/bus.h on a root-only peer-to-peer socket, always, and on the system bus
 * when there is one. Reads the model, the history and the status through struct bus_backend and changes
 * nothing in them.
 *
 * Everything is bounded by the limits in vfiowatch/bus.h. A client that goes away takes its connection and
 * its held-back calls with it; a client that does not read its answers gets no more of them; nothing a client
 * does ends the daemon, or makes it wait. What else the event loop has to do comes before the bus, but for
 * what is left of a full ring.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-event.h>

#include "core/history.h"
#include "core/model.h"
#include "core/policy.h"
#include "core/snapshot.h"
#include "core/status.h"

/* Of all its sources on the event loop: below that of what records. */
#define BUS_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

/* What an answer is about to be made of. */
enum bus_refresh {
	BUS_REFRESH_EVENTS = 1 << 0,  /* events that wait in the ring: history, counters */
	BUS_REFRESH_DEVICES = 1 << 1, /* those that sysfs has */
	BUS_REFRESH_HOLDERS = 1 << 2, /* the descriptors of all processes */
	BUS_REFRESH_COOKIES = 1 << 3,
	BUS_REFRESH_MAPPINGS = 1 << 4,
	BUS_REFRESH_PAGES = 1 << 5, /* the page tables of all mappings; implies MAPPINGS */
	BUS_REFRESH_ALL = (1 << 6) - 1,
};

/* How it stands with the system bus. */
enum bus_system_state {
	BUS_SYSTEM_OFF = 0, /* not asked for */
	BUS_SYSTEM_AWAY,    /* there is none, or it went away: tried again every 30 s */
	BUS_SYSTEM_REFUSED, /* the name BUS_NAME is taken, or the bus policy denies it: tried again every 30 s
			     */
	BUS_SYSTEM_JOINING, /* asked for the name */
	BUS_SYSTEM_ON,
};

/* What the bus needs; the manager fills it. All run on the thread of the event loop. */
struct bus_backend {
	void *userdata;

	/*
	 * Makes what @what (enum bus_refresh, ored) names equal to kernel truth before an answer is built.
	 * May call bus_events_added(). Returns 0, or a negative errno that is told to the client instead of
	 * an answer.
	 */
	int (*refresh)(void *userdata, unsigned int what);

	/* Borrowed until control returns to the event loop. Never NULL, nor is anything in the model. */
	const struct model *(*model)(void *userdata);
	const struct history *(*history)(void *userdata);

	void (*status)(void *userdata, struct status *ret);
	void (*clock)(void *userdata, struct snapshot_clock *ret);

	/*
	 * The answer of Probe(): a JSON object in *ret_json (malloc, the caller frees). Returns 0 or a
	 * negative errno that is told to the client. NULL: Probe() is answered with NotSupported.
	 */
	int (*probe)(void *userdata, char **ret_json);

	/*
	 * Reload(): reads the policy files again and puts what they say in force. Returns 0 with *outcome,
	 * and what is wrong in @error with POLICY_REFUSED, or a negative errno; in both cases the policy in
	 * force stays. The policy in force is that of the model. NULL: Reload() is answered with
	 * NotSupported.
	 */
	int (*reload)(void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN]);

	/*
	 * The state of the system bus changed; @error is a negative errno that explains AWAY and REFUSED, or
	 * 0. Called once per change of state, never for a repeated failure: the place to log. May be NULL.
	 */
	void (*system_bus)(void *userdata, enum bus_system_state state, int error);
};

struct bus_parameters {
	const char *socket; /* absolute path, NULL: BUS_SOCKET */
	bool system_bus;    /* false: only the socket */
	gid_t readers;      /* members may read over the system bus; 0: nobody */
};

struct bus_stats {
	uint64_t peers;         /* connections on the socket right now */
	uint64_t peers_refused; /* closed at once: BUS_PEERS_MAX were there, not root, or out of memory or
				   descriptors */
	uint64_t peers_ended;   /* of the connections: ended because answers were left unread */
	uint64_t held;          /* calls that wait for their turn right now */
	uint64_t held_refused;  /* there was no room for them, or no turn came */
	uint64_t denied;        /* on the system bus, to those who may not */
	uint64_t waits;         /* calls that wait for events right now */
	uint64_t waits_refused;
	uint64_t calls;    /* method calls that came in */
	uint64_t rejoined; /* times that the system bus was left because it took no more answers */
	enum bus_system_state system;
};

struct bus;

/*
 * Opens the socket and starts to join the system bus; serves from @event's loop. The socket has mode 0600 and
 * its directory is made with mode 0755 if missing; beside it a lock file PATH.lock lives as long as the
 * daemon. A socket left by a dead daemon is replaced. A missing system bus is no error. @event is referenced,
 * @backend copied.
 *
 * Returns 0; -EADDRINUSE: a live daemon serves this socket; -EEXIST: something that is no socket has this
 * path; -EPERM: users other than root may write to its directory; -ENAMETOOLONG: a socket path has at most
 * 107 bytes; or another negative errno. The caller owns *ret and frees it with bus_free().
 */
int bus_new(struct bus **ret, sd_event *event, const struct bus_parameters *parameters,
	    const struct bus_backend *backend);

/* Closes all connections, held-back calls included, and removes the socket and its lock. Returns NULL. */
struct bus *bus_free(struct bus *bus);

/*
 * To be called after events were added to the history: completes held-back calls. Cheap, and safe to call
 * from within refresh(): the answers are sent once, from the event loop.
 */
void bus_events_added(struct bus *bus);

void bus_stats(const struct bus *bus, struct bus_stats *ret);

#endif
