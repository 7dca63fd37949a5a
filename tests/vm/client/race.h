/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIO_CLIENT_RACE_H
#define VFIO_CLIENT_RACE_H

/*
 * Processes that map and unmap overlapping pages of one BAR with conflicting types, and the proof of what
 * they saw. Every step takes a number from one counter that they share: numbers are in the order in which the
 * steps happened, whoever made them, and no clock is needed. The judge compares what was logged when all is
 * over.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_PROCESSES 64
#define RACE_SOURCES   16

enum race_type {
	RACE_UC,
	RACE_WC,
};

/* A way to map the BAR. */
struct race_source {
	int fd;
	uint64_t base; /* file offset of the first page that is raced for */
	enum race_type type;
	int whole; /* it is only unmapped as a whole */
};

/*
 * One mmap and what became of it. All numbers are from the counter, 0: it did not happen. The mapping was
 * certainly there from `mapped` to `withdrawn` (its cut pages: to `cut`), and nothing of it before `begin`
 * and after `over` (its cut pages: after `cut_over`).
 */
struct race_attempt {
	uint32_t first, end;         /* pages */
	uint32_t cut_first, cut_end; /* pages of it that were unmapped earlier; equal: none */
	uint16_t source;             /* of the sources */
	uint16_t type;               /* enum race_type */
	int32_t error;               /* errno of mmap, 0: mapped */
	uint64_t begin, mapped, cut, cut_over, withdrawn, over;
};

/* Shared by the processes; attempts of worker w are [w * per_worker, w * per_worker + done[w]). */
struct race {
	_Atomic uint64_t counter;
	uint32_t pages;   /* that are raced for */
	uint32_t longest; /* pages of one mapping */
	uint32_t processes, per_worker;
	size_t n_sources;
	struct race_source sources[RACE_SOURCES];
	uint32_t done[RACE_PROCESSES];
	int32_t failed[RACE_PROCESSES]; /* errno of another call than mmap, which ended the worker */
	struct race_attempt attempts[];
};

#define RACE_EXAMPLES 8

/* What the judge complains of. */
struct race_example {
	const struct race_attempt *a;
	const struct race_attempt *b; /* NULL: a was denied and there is no other */
};

struct race_result {
	uint64_t attempts, granted, denied, errors;
	int error;           /* one of the errors */
	uint64_t violations; /* pairs of attempts that had a page mapped with conflicting types together */
	uint64_t unfounded;  /* attempts denied while no other had, or was about to get, one of the pages with
				a  conflicting type */
	size_t n_examples;
	struct race_example examples[RACE_EXAMPLES]; /* of both */
	uint64_t together; /* pairs of attempts with common pages that were mapped together, of one type */
};

void race_work(struct race *race, uint32_t worker, uint64_t seed);
void race_judge(const struct race *race, struct race_result *ret);

#endif
