/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_KERNEL_MODEL_H
#define VFIOWATCH_TESTS_KERNEL_MODEL_H

/*
 * A naive kernel for test_ledger_model.c: processes open, map through VFIO and sysfs, touch pages, cut, move,
 * fork, pass descriptors, rename themselves and exit at random, and pages are revoked. It tells a ledger of
 * it in events, in order, shuffled, or with some lost, and in readings of the truth.
 */

#include "events.h"

#define PROCESSES 8
#define FILES     12
#define REGIONS   3
#define VMAS      256
#define QUEUE     8
#define BAR_PAGES 64

enum delivery { IN_ORDER, SHUFFLED, LOSSY };

struct vma {
	uint64_t id, file, start, first, n, mapped_ns; /* id 0: free slot */
	size_t process;
	bool wc, sysfs;
	uint8_t types[BAR_PAGES]; /* of the populated pages, by their number in the BAR */
};

struct file {
	uint64_t id; /* 0: free slot */
	uint64_t cookies[REGIONS], issued[REGIONS];
	uint32_t fds[PROCESSES];
	size_t opener;
};

struct kernel {
	uint64_t random, now, identity;
	enum delivery delivery;
	uint32_t tgids[PROCESSES];
	unsigned int names[PROCESSES];
	struct file files[FILES];
	struct vma vmas[VMAS];
	struct event queue[QUEUE];
	size_t queued;
	bool lost; /* since the truth was read with nothing queued */
	bool lost_types[EVENT_KERNEL_TYPES];
	struct ledger *ledger;
};

/* Which run it is, and how far: for messages of CHECK(). */
extern unsigned int kernel_seed, kernel_step;

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			fail_msg("seed %u step %u %s:%d: %s", kernel_seed, kernel_step, __FILE__, __LINE__,  \
				 #condition);                                                                \
	} while (0)

/* A random number below @below. */
uint64_t kernel_roll(struct kernel *kernel, uint64_t below);

/* One random thing happens. */
void kernel_act(struct kernel *kernel);

size_t kernel_free_vmas(const struct kernel *kernel);
void kernel_deliver(struct kernel *kernel, struct event event);
void kernel_deliver_queue(struct kernel *kernel);

/* Readings. With @omit one row in so many is passed over, as it can be when the reading was not quiet. */
void kernel_read_truth(struct kernel *kernel, unsigned int omit);
void kernel_tell_mappings(struct kernel *kernel, unsigned int omit);
void kernel_tell_holders(struct kernel *kernel, const struct file *file);
void kernel_close_absent(struct kernel *kernel, enum reading what, bool quiet);

/* A walk of the page tables, of @all mappings or of those whose pages the ledger does not know. */
void kernel_walk(struct kernel *kernel, bool all, unsigned int omit);

#endif
