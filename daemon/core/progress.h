/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_PROGRESS_H
#define VFIOWATCH_CORE_PROGRESS_H

/* Whether the ring is really consumed, seen from its two positions from time to time. */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t consumed; /* at the check before */
	bool waited;       /* records waited then */
};

/*
 * Takes note of the ring's positions in bytes, of its consumer and of its producers. Returns false if records
 * waited at the check before and none of them was taken since. All zero: there was no check yet.
 */
bool progress_check(struct progress *progress, uint64_t consumed, uint64_t produced);

#endif
