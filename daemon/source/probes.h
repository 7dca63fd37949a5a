/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROBES_H
#define VFIOWATCH_SOURCE_PROBES_H

/*
 * The BPF programs: loading, attaching, pinning and letting go.
 *
 * Recording programs hold a reference on the vfio modules, so they are attached only while a VFIO driver uses
 * those modules, and let go when the last one is unloaded. They, their maps and the ring are pinned below the
 * pin directory, which outlives the daemon: the next daemon adopts them if they are of its own build.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct probes;

/*
 * Opens or makes the pin directory @pin_directory (on a bpffs), adopts what a daemon of the same build left
 * there, removes what another build left, and begins to watch for modules. @sys is where sysfs is mounted.
 * Returns 0 or a negative errno; then *reason (static or in *probes' lifetime: a static buffer) says for
 * people what failed and what to do.
 */
int probes_new(struct probes **ret, const char *pin_directory, const char *sys, const char **reason);

/* Closes everything. Without @keep the pins are removed too and recording ends. */
struct probes *probes_free(struct probes *probes, bool keep);

enum probes_change {
	PROBES_SAME,
	PROBES_ATTACHED, /* recording began or was adopted: the truth must be read */
	PROBES_DETACHED, /* the modules are not in use any more: nothing can be mapped */
	PROBES_FAILED,   /* attaching failed; probes_status() says why */
};

/*
 * Attaches or lets go as the modules are now. *settled is false while a module is on its way in or out: call
 * again soon.
 */
enum probes_change probes_update(struct probes *probes, bool *settled);

/* Fills recording, recording_reason, adopted and points of @status; appends to degraded. */
void probes_status(struct probes *probes, struct status *status);

/* Valid for the lifetime of @probes. The descriptors stay owned by it. */
int probes_ring_fd(const struct probes *probes);
struct recorder *probes_recorder(const struct probes *probes);

/* An iterator to read(2) rows of struct event from; the caller closes it. -ENODATA: nothing is being
 * recorded. */
enum probes_iterator {
	ITERATOR_FIND, /* no rows: makes older mappings and files known */
	ITERATOR_FILES,
	ITERATOR_COOKIES,
	ITERATOR_MAPPINGS,
	ITERATOR_HOLDERS,
	ITERATOR_PAGES, /* see probes_walk() */
	ITERATOR_MARK_MAPPINGS, /* no rows: the steps of an audit, see bpf/audit.bpf.c */
	ITERATOR_MARK_FILES,
	ITERATOR_DROP_MAPPINGS,
	ITERATOR_DROP_FILES,
	ITERATORS,
};
int probes_iterator_open(struct probes *probes, enum probes_iterator which);

/*
 * What the next run of ITERATOR_PAGES looks at: the pages of all mappings, or with @everything false only of those
 * whose pages may have changed without an event. Returns how many walks the run before left unfinished: run it again
 * until that is 0.
 */
uint64_t probes_walk(struct probes *probes, bool everything);

/*
 * How often the kernel skipped a recording program since it was loaded, because that program was already
 * running on the CPU: what it would have seen was not seen, and an audit is due.
 */
struct probes_skips {
	uint64_t all;
	uint64_t releases; /* of the program for closed files */
	uint64_t cookies;  /* of the program for issued cookies */
};
void probes_skipped(const struct probes *probes, struct probes_skips *ret);

/* Removes the pins of @pin_directory: recording ends, also one that no daemon attends to. 0 or a negative
 * errno. */
int probes_detach(const char *pin_directory);

#endif
