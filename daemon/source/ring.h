/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_RING_H
#define VFIOWATCH_SOURCE_RING_H

/*
 * The consumer of the ring. When idle it sleeps until the kernel wakes it for the first event; while events
 * come it polls on a timer, so that a storm costs one wakeup per RING_POLL_USEC and idleness costs none. A
 * ring full of events that each take long, as denials do that are written to a slow journal, is taken in
 * slices of RING_SLICE_USEC, and clients have their turn between two of them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "vfiowatch/event.h"

#define RING_POLL_USEC  10000ULL
#define RING_SLICE_USEC 20000ULL

struct ring;

struct ring_handler {
	/* One kernel event. The record is checked for size and version only. */
	void (*event)(void *userdata, const struct event *event);
	/* After a batch: everything that was in the ring when it began has been handed over. */
	void (*drained)(void *userdata);
	/* Between two slices of ring_consume(), which does not return to the loop. */
	void (*busy)(void *userdata);
	/* Of the clients' sources on the loop: otherwise all that is recorded comes first. */
	int64_t clients_priority;
	void *userdata;
};

/*
 * Consumes the ring behind @map_fd on @loop. @recorder is the shared memory of the BPF programs; its consumer
 * part is kept up to date, also for the next daemon. Returns 0 or a negative errno.
 */
int ring_new(struct ring **ret, sd_event *loop, int map_fd, struct recorder *recorder,
	     const struct ring_handler *handler);
struct ring *ring_free(struct ring *ring);

/* Hands over everything that is in the ring now and calls drained(). Returns the number of events, or a
 * negative errno. */
int ring_consume(struct ring *ring);

/* Records that wait to be read in the ring behind @map_fd, of whatever form; 0 also if it cannot be told. */
uint64_t ring_unread(int map_fd);

uint64_t ring_used(const struct ring *ring); /* bytes that wait to be read */

/* Bytes ever read and ever written, also by earlier daemons. */
uint64_t ring_consumed(const struct ring *ring);
uint64_t ring_produced(const struct ring *ring);

/* Records refused for a wrong size or version: with programs of our own build there are none. */
uint64_t ring_malformed(const struct ring *ring);

#endif
