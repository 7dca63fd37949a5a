/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROBES_H
#define VFIOWATCH_SOURCE_PROBES_H

/*
 * The BPF programs: loading, attaching, pinning and letting go.
 *
 * Recording programs hold a reference on the vfio modules, so they are attached only while a VFIO driver uses
 * those modules, and let go when the last one is unloaded. They, their maps and the ring are pinned below the
 * pin directory, which outlives the daemon: the next daemon adopts them. If they are of another build it puts
 * its own programs in their place without a gap, as long as the layout of the tables is the same (slot.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct probes;

/*
 * Opens or makes the pin directory @pin_directory (on a bpffs) and locks it, adopts what a daemon of the same
 * build left there or one of another build with the same layout of tables, sets aside what is of another
 * layout, and begins to watch for modules. @sys is where sysfs
 * is mounted. Returns 0, -EBUSY: another daemon uses the pin directory, or another negative errno; then
 * *reason (static) says for people what failed and what to do, and the pin directory is as it was found.
 */
int probes_new(struct probes **ret, const char *pin_directory, const char *sys, const char **reason);

/*
 * How many events the programs of a build with another layout of tables left unread: nobody can tell what
 * they were. Those since ours were attached were seen by ours too, so that at most that many are lost. 0:
 * everything was taken over, or nothing was there. To be asked before probes_settle().
 */
uint64_t probes_unread(const struct probes *probes);

/* The start is over, ours is in force: ends what another build left, which went on until now. 0, or a
 * negative errno: then some of it still does, which is degraded until a later call ends it. */
int probes_settle(struct probes *probes);

enum probes_end {
	PROBES_REMOVE,  /* all pins are removed: recording and enforcement end */
	PROBES_KEEP,    /* they go on */
	PROBES_RESTORE, /* the start failed: the pin directory is left as probes_new() found it */
};

/* Closes everything. Returns NULL. */
struct probes *probes_free(struct probes *probes, enum probes_end end);

enum probes_change {
	PROBES_SAME,
	PROBES_ATTACHED, /* recording began or was adopted: the truth must be read */
	PROBES_UNUSED,   /* the modules are not in use any more, nothing can be mapped: probes_let_go() is due
			  */
	PROBES_FAILED,   /* attaching failed; probes_status() says why */
};

/*
 * Attaches if the modules are in use. *settled is false while a module is on its way in or out: call again
 * soon.
 */
enum probes_change probes_update(struct probes *probes, bool *settled);

/* Lets go of the modules: recording ends and its tables go. Enforcement must have ended before. */
void probes_let_go(struct probes *probes);

/* Fills recording, recording_reason, adopted, bpf_stats and points of @status; appends to degraded. */
void probes_status(struct probes *probes, struct status *status);

/* True unless programs that record were taken off behind our back. Looks at the links themselves. */
bool probes_intact(const struct probes *probes);

/* For people, why recording is not on. Empty: it is. Valid until the next call. */
const char *probes_reason(const struct probes *probes);

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
	ITERATOR_PAGES,         /* see probes_walk() */
	ITERATOR_MARK_MAPPINGS, /* no rows: the steps of an audit, see bpf/audit.bpf.c */
	ITERATOR_MARK_FILES,
	ITERATOR_DROP_MAPPINGS,
	ITERATOR_DROP_FILES,
	ITERATORS,
};
int probes_iterator_open(struct probes *probes, enum probes_iterator which);

/*
 * What the next run of ITERATOR_PAGES looks at: the pages of all mappings, or with @everything false only of
 * those whose pages may have changed without an event. Returns how many walks the run before left unfinished:
 * run it again until that is 0.
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

/*
 * Removes the pins of @pin_directory: recording and enforcement end, also if no daemon attends to them, or
 * one that hangs. 0, or a negative errno with *reason (static).
 */
int probes_detach(const char *pin_directory, const char **reason);

#endif
