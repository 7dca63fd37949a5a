// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct ring {
	struct ring_buffer *buffer;
	struct recorder *recorder;
	struct ring_handler handler;
	sd_event_source *readable;
	sd_event_source *poll;
	const unsigned long *consumer_position; /* the ring's first two pages, kernel/bpf/ringbuf.c */
	const unsigned long *producer_position;
	size_t page_size;
	unsigned long batch_end; /* position up to which records are taken now */
	int batch;               /* records taken */
	uint64_t malformed;
};

static void take_event(struct ring *ring, const void *data, size_t size)
{
	struct recorder *recorder = ring->recorder;
	struct event event;

	memset(&event, 0, sizeof(event));
	memcpy(&event, data, size < sizeof(event) ? size : sizeof(event));
	if (size < sizeof(event.header) || size > sizeof(event) || event.header.size != size ||
	    event.header.version != EVENT_VERSION || event.header.type >= EVENT_KERNEL_TYPES) {
		ring->malformed++;
		return;
	}
	/* A record of pages may end after its last run (bpf/pages.bpf.h). */
	if (event.header.type == EVENT_POPULATE && size < event_size(EVENT_POPULATE))
		event.header.size = event_size(EVENT_POPULATE);
	/* A daemon that was killed between the two lines below left this record in the ring although it
	 * handled it. */
	if (event.header.sequence == recorder->last_sequence)
		return;
	ring->handler.event(ring->handler.userdata, &event);
	recorder->delivered[event.header.type]++;
	recorder->last_sequence = event.header.sequence;
}

/* A record has a header of 8 bytes and is padded to a multiple of 8 (kernel/bpf/ringbuf.c). */
static int take_record(void *context, void *data, size_t size)
{
	struct ring *ring = context;
	unsigned long end =
		__atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE) + 8 + (size + 7) / 8 * 8;

	ring->batch++;
	take_event(ring, data, size);
	return end < ring->batch_end ? 0 : -ECANCELED;
}

/* Only what is there now: programs that never pause would keep us here for ever. */
int ring_consume(struct ring *ring)
{
	int r = 0;

	ring->batch = 0;
	ring->batch_end = __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE) < ring->batch_end)
		r = ring_buffer__consume(ring->buffer);
	if (r < 0 && r != -ECANCELED)
		return r;
	ring->handler.drained(ring->handler.userdata);
	return ring->batch;
}

static int start_polling(struct ring *ring)
{
	int r = sd_event_source_set_enabled(ring->readable, SD_EVENT_OFF);

	if (r >= 0)
		r = sd_event_source_set_time_relative(ring->poll, RING_POLL_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(ring->poll, SD_EVENT_ONESHOT);
	return r;
}

/* False if a record was reserved in the meantime: its producer may not have seen that we sleep. */
static bool fall_asleep(struct ring *ring)
{
	__atomic_store_n(&ring->recorder->waiting, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE) ==
	    __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE))
		return true;
	__atomic_store_n(&ring->recorder->waiting, 0, __ATOMIC_SEQ_CST);
	return false;
}

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct ring *ring = userdata;
	int n;

	(void)source;
	(void)usec;
	n = ring_consume(ring);
	if (n < 0)
		return n;
	if (n > 0 || !fall_asleep(ring))
		return start_polling(ring);
	return sd_event_source_set_enabled(ring->readable, SD_EVENT_ON);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct ring *ring = userdata;
	int n;

	(void)source;
	(void)fd;
	(void)events;
	__atomic_store_n(&ring->recorder->waiting, 0, __ATOMIC_SEQ_CST);
	n = ring_consume(ring);
	return n < 0 ? n : start_polling(ring);
}

static int map_positions(struct ring *ring, int map_fd)
{
	void *consumer, *producer;

	ring->page_size = sysconf(_SC_PAGESIZE);
	consumer = mmap(NULL, ring->page_size, PROT_READ, MAP_SHARED, map_fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	ring->consumer_position = consumer;
	producer = mmap(NULL, ring->page_size, PROT_READ, MAP_SHARED, map_fd, ring->page_size);
	if (producer == MAP_FAILED)
		return -errno;
	ring->producer_position = producer;
	return 0;
}

static int add_sources(struct ring *ring, sd_event *loop)
{
	int r;

	r = sd_event_add_io(loop, &ring->readable, ring_buffer__epoll_fd(ring->buffer), EPOLLIN, on_readable,
			    ring);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(ring->readable, SD_EVENT_OFF);
	if (r < 0)
		return r;
	/* The first poll takes what is there already and falls asleep. */
	r = sd_event_add_time_relative(loop, &ring->poll, CLOCK_MONOTONIC, 0, 0, on_poll, ring);
	if (r < 0)
		return r;
	sd_event_source_set_exit_on_failure(ring->readable, true);
	sd_event_source_set_exit_on_failure(ring->poll, true);
	return 0;
}

int ring_new(struct ring **ret, sd_event *loop, int map_fd, struct recorder *recorder,
	     const struct ring_handler *handler)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int r;

	if (!ring)
		return -ENOMEM;
	ring->recorder = recorder;
	ring->handler = *handler;
	ring->buffer = ring_buffer__new(map_fd, take_record, ring, NULL);
	r = ring->buffer ? map_positions(ring, map_fd) : -errno;
	if (r == 0)
		r = add_sources(ring, loop);
	if (r < 0) {
		ring_free(ring);
		return r;
	}
	*ret = ring;
	return 0;
}

struct ring *ring_free(struct ring *ring)
{
	if (!ring)
		return NULL;
	sd_event_source_disable_unref(ring->readable);
	sd_event_source_disable_unref(ring->poll);
	if (ring->consumer_position)
		munmap((void *)ring->consumer_position, ring->page_size);
	if (ring->producer_position)
		munmap((void *)ring->producer_position, ring->page_size);
	ring_buffer__free(ring->buffer);
	free(ring);
	return NULL;
}

uint64_t ring_malformed(const struct ring *ring)
{
	return ring->malformed;
}

uint64_t ring_used(const struct ring *ring)
{
	return __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE);
}
