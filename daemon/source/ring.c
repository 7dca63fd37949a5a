// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/ring.h"

#include <bpf/bpf.h>
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
	uint64_t slice_end_usec; /* CLOCK_MONOTONIC; until then they are taken without a pause */
	int batch;               /* records taken */
	bool unfinished;         /* the next slice is of the same batch */
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

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

/* A record has a header of 8 bytes and is padded to a multiple of 8 (kernel/bpf/ringbuf.c). */
static int take_record(void *context, void *data, size_t size)
{
	struct ring *ring = context;
	unsigned long end = ring_consumed(ring) + 8 + (size + 7) / 8 * 8;

	ring->batch++;
	take_event(ring, data, size);
	return end < ring->batch_end && now_usec() < ring->slice_end_usec ? 0 : -ECANCELED;
}

/* Only what is there now: programs that never pause would keep us here for ever. */
static void begin_batch(struct ring *ring)
{
	ring->batch = 0;
	ring->batch_end = ring_produced(ring);
}

/*
 * Takes records of the batch, and tells of its end. Returns 1 if the time is over and there are more, 0 if
 * not, or a negative errno.
 */
static int take_slice(struct ring *ring)
{
	int r = 0;

	ring->slice_end_usec = now_usec() + RING_SLICE_USEC;
	if (ring_consumed(ring) < ring->batch_end)
		r = ring_buffer__consume(ring->buffer);
	if (r < 0 && r != -ECANCELED)
		return r;
	ring->unfinished = r == -ECANCELED && ring_consumed(ring) < ring->batch_end;
	if (!ring->unfinished)
		ring->handler.drained(ring->handler.userdata);
	return ring->unfinished;
}

int ring_consume(struct ring *ring)
{
	int r;

	begin_batch(ring);
	while ((r = take_slice(ring)) > 0)
		ring->handler.busy(ring->handler.userdata);
	return r < 0 ? r : ring->batch;
}

/* What is left of a batch waits for its turn among the clients. */
static int start_polling(struct ring *ring)
{
	int r = sd_event_source_set_enabled(ring->readable, SD_EVENT_OFF);

	if (r >= 0)
		r = sd_event_source_set_priority(ring->poll, ring->unfinished ? ring->handler.clients_priority
									      : SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_event_source_set_time(ring->poll, ring->unfinished ? 0 : now_usec() + RING_POLL_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(ring->poll, SD_EVENT_ONESHOT);
	return r;
}

/* False if a record was reserved in the meantime: its producer may not have seen that we sleep. */
static bool fall_asleep(struct ring *ring)
{
	__atomic_store_n(&ring->recorder->waiting, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring_used(ring) == 0)
		return true;
	__atomic_store_n(&ring->recorder->waiting, 0, __ATOMIC_SEQ_CST);
	return false;
}

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct ring *ring = userdata;
	int r;

	(void)source;
	(void)usec;
	if (!ring->unfinished)
		begin_batch(ring);
	r = take_slice(ring);
	if (r < 0)
		return r;
	if (ring->batch > 0 || !fall_asleep(ring))
		return start_polling(ring);
	return sd_event_source_set_enabled(ring->readable, SD_EVENT_ON);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct ring *ring = userdata;
	int r;

	(void)source;
	(void)fd;
	(void)events;
	__atomic_store_n(&ring->recorder->waiting, 0, __ATOMIC_SEQ_CST);
	begin_batch(ring);
	r = take_slice(ring);
	return r < 0 ? r : start_polling(ring);
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
	/* The first poll takes what is there already and falls asleep. With accuracy 0 it would be 250 ms. */
	r = sd_event_add_time_relative(loop, &ring->poll, CLOCK_MONOTONIC, 0, 1, on_poll, ring);
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

uint64_t ring_consumed(const struct ring *ring)
{
	return __atomic_load_n(ring->consumer_position, __ATOMIC_ACQUIRE);
}

uint64_t ring_produced(const struct ring *ring)
{
	return __atomic_load_n(ring->producer_position, __ATOMIC_ACQUIRE);
}

uint64_t ring_used(const struct ring *ring)
{
	return ring_produced(ring) - ring_consumed(ring);
}

/* Counts the records between the two positions. @data is the ring, which is mapped twice, so that a record
 * never ends at its end. */
static uint64_t count_records(const char *data, size_t size, unsigned long position, unsigned long end)
{
	uint64_t n = 0;
	uint32_t length;

	while (position < end) {
		length = __atomic_load_n((const uint32_t *)(data + position % size), __ATOMIC_ACQUIRE);
		n += !(length & BPF_RINGBUF_DISCARD_BIT);
		length &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		position += BPF_RINGBUF_HDR_SZ + (length + 7UL) / 8 * 8;
	}
	return n;
}

uint64_t ring_unread(int map_fd)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	char *consumer, *producer;
	uint64_t n = 0;

	if (bpf_obj_get_info_by_fd(map_fd, &info, &size) < 0 || info.type != BPF_MAP_TYPE_RINGBUF)
		return 0;
	consumer = mmap(NULL, page_size, PROT_READ, MAP_SHARED, map_fd, 0);
	producer = mmap(NULL, page_size + 2UL * info.max_entries, PROT_READ, MAP_SHARED, map_fd, page_size);
	if (consumer != MAP_FAILED && producer != MAP_FAILED)
		n = count_records(producer + page_size, info.max_entries,
				  __atomic_load_n((unsigned long *)consumer, __ATOMIC_ACQUIRE),
				  __atomic_load_n((unsigned long *)producer, __ATOMIC_ACQUIRE));
	if (consumer != MAP_FAILED)
		munmap(consumer, page_size);
	if (producer != MAP_FAILED)
		munmap(producer, page_size + 2UL * info.max_entries);
	return n;
}
