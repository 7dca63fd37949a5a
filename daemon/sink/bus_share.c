/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What clients may use of the daemon: its time, and its memory for answers that they leave unread. Without a
 * bound one client could have page tables walked without end, or have answers pile up.
 */

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include <utlist.h>

#include "sink/bus_internal.h"

/* A client may use this much CPU time at once, and over longer times 1/SHARE of a CPU. A single call makes
 * nobody wait longer than DEBT_USEC: he still gets his turn before his call expires. */
#define BURST_USEC (1000ULL * 1000)
#define SHARE      4
#define DEBT_USEC  (BUS_WAIT_USEC / 2)

/* After this time without a message taken, a connection with unread answers may be ended for the sake of
 * others. */
#define STALL_USEC (10ULL * 1000 * 1000)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec time;

	return clock_gettime(clock, &time) < 0 ? 0 : time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

uint64_t share_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

struct outlet *outlet_of(struct bus *bus, sd_bus *connection)
{
	struct peer *peer;

	if (connection == bus->system.outlet.connection)
		return &bus->system.outlet;
	peer = peer_of(bus, connection);
	return peer ? &peer->outlet : NULL;
}

/* sd-bus makes it 8 MiB, and nobody tells how much of that is unread. */
#define KERNEL_BUFFER (128 << 10)

int outlet_bound(sd_bus *connection)
{
	int size = KERNEL_BUFFER, fd = sd_bus_get_fd(connection);

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		return -errno;
	/* Else the end of the event loop would wait until all was read. */
	return sd_bus_set_close_on_exit(connection, false);
}

static uint64_t unread_messages(const struct outlet *outlet)
{
	uint64_t queued = 0;

	if (outlet->connection)
		(void)sd_bus_get_n_queued_write(outlet->connection, &queued);
	return queued;
}

void outlet_sent(struct bus *bus, sd_bus *connection, size_t size)
{
	struct outlet *outlet = outlet_of(bus, connection);

	if (!outlet)
		return;
	outlet->queued = unread_messages(outlet);
	outlet->changed = share_now();
	outlet->unread = size;
	if (outlet->queued)
		gate_look(bus, 0);
}

static size_t unread_bytes(const struct outlet *outlet)
{
	return unread_messages(outlet) ? outlet->unread : 0;
}

static size_t unread_in_all(const struct bus *bus)
{
	size_t sum = unread_bytes(&bus->system.outlet);
	const struct peer *peer;

	DL_FOREACH2 (bus->server.peers, peer, next)
		sum += unread_bytes(&peer->outlet);
	return sum;
}

bool outlet_has_room(struct bus *bus, struct outlet *outlet, bool large)
{
	return unread_messages(outlet) == 0 &&
	       (!large || unread_in_all(bus) <= BUS_UNREAD_MAX - BUS_STATE_MAX);
}

/* For how long the other end has taken nothing of what waits for it. */
static uint64_t stalled(struct outlet *outlet, uint64_t now)
{
	uint64_t queued = unread_messages(outlet);

	if (queued == 0 || queued < outlet->queued || outlet->queued == 0)
		outlet->changed = now;
	outlet->queued = queued;
	return now - outlet->changed;
}

/*
 * A message bus that takes nothing has too many of our answers that some client does not read, and all others
 * wait for theirs. A peer is ended only when there is no room for others' answers.
 */
bool outlet_look_after(struct bus *bus)
{
	bool crowded = unread_in_all(bus) > BUS_UNREAD_MAX - BUS_STATE_MAX;
	uint64_t now = share_now(), longest = 0;
	struct peer *peer, *worst = NULL;

	if (stalled(&bus->system.outlet, now) > STALL_USEC)
		system_bus_rejoin(bus);
	DL_FOREACH2 (bus->server.peers, peer, next) {
		uint64_t time = stalled(&peer->outlet, now);

		if (time > longest && unread_bytes(&peer->outlet)) {
			longest = time;
			worst = peer;
		}
	}
	if (crowded && longest > STALL_USEC) {
		bus->server.ended++;
		peer_end(worst);
	}
	return crowded || unread_messages(&bus->system.outlet) > 0;
}

int outlet_filter(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	sd_bus *connection = sd_bus_message_get_bus(message);
	struct bus *bus = userdata;
	struct outlet *outlet = outlet_of(bus, connection);
	uint64_t queued;

	(void)error;
	if (!outlet)
		return 0;
	queued = unread_messages(outlet);
	if (queued == 0)
		outlet->unread = 0;
	if (queued < BUS_QUEUED_MAX)
		return 0;
	if (outlet == &bus->system.outlet) {
		system_bus_rejoin(bus);
		return 1;
	}
	bus->server.ended++;
	peer_end(peer_of(bus, connection));
	return 1;
}

bool share_has_turn(const struct share *share)
{
	return share->due <= share_now() + BURST_USEC;
}

int share_run(struct bus *bus, struct share *share, const struct method *method, sd_bus_message *call,
	      sd_bus_error *error)
{
	uint64_t began = share_begin();
	int r = method->run(call, bus, error);

	/* A change is for administrators, and the kernel may take long for it. */
	if (method->access == ACCESS_READ && !(method->follows && share->is_root))
		share_charge(share, began);
	return r;
}

uint64_t share_begin(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void share_charge(struct share *share, uint64_t began)
{
	uint64_t now = share_now();

	if (share->due < now)
		share->due = now;
	share->due += (share_begin() - began) * SHARE;
	if (share->due > now + BURST_USEC + DEBT_USEC)
		share->due = now + BURST_USEC + DEBT_USEC;
}
