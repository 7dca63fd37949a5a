/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_RING_BPF_H
#define VFIOWATCH_RING_BPF_H

/*
 * The only place that writes to the ring. Every event is numbered and counted as generated; if there is no
 * room it is counted as lost. The consumer is woken only when it said that it sleeps: while it is busy it
 * polls by itself.
 */

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

static __always_inline struct recorder *recorder_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&recorder, &zero);
}

static __always_inline __u64 recorder_new_identity(struct recorder *r)
{
	return __sync_fetch_and_add(&r->identity, 1) + 1;
}

/*
 * Reserves a zeroed record for an event with a body of @body_size bytes (a compile-time constant) and fills
 * the header but for who. NULL: the ring is full, and the loss is counted.
 */
static __always_inline struct event_header *event_reserve(struct recorder *r, __u16 type, __u32 body_size)
{
	__u64 sequence = __sync_fetch_and_add(&r->sequence, 1) + 1;
	__u32 size = sizeof(struct event_header) + body_size;
	struct event_header *header;

	__sync_fetch_and_add(&r->generated[type], 1);
	header = bpf_ringbuf_reserve(&ring, size, 0);
	if (!header) {
		__sync_fetch_and_add(&r->lost[type], 1);
		return NULL;
	}
	__builtin_memset(header, 0, size);
	header->version = EVENT_VERSION;
	header->type = type;
	header->size = size;
	header->sequence = sequence;
	header->time_ns = bpf_ktime_get_boot_ns();
	return header;
}

/*
 * The exchange is a full barrier between our reservation and the flag: a consumer that goes to sleep sets the
 * flag first and then looks for reservations, so one of the two sees the other.
 */
static __always_inline void event_submit(struct recorder *r, struct event_header *header)
{
	__u64 waiting = __sync_lock_test_and_set(&r->waiting, 0);

	bpf_ringbuf_submit(header, waiting ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
