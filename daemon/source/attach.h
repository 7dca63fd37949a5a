/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_ATTACH_H
#define VFIOWATCH_SOURCE_ATTACH_H

/*
 * Programs attached to a table of targets and pinned, one link each: what recording (probes_load.c) and
 * enforcement (enforcer.c) share. The links are held by their pins alone, so that removing these ends them at
 * once, also while a daemon hangs.
 */

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "source/targets.h"

/* Targets of one table. */
#define ATTACH_MAX 64

struct attachments {
	const struct target *targets;
	size_t n;
	const char *directory;     /* of the pins; borrowed */
	char *reason;              /* STATUS_REASON_LEN bytes for what failed; borrowed */
	bool wanted[ATTACH_MAX];   /* this kernel has it; of two ways to do one thing it is the one taken */
	bool left_out[ATTACH_MAX]; /* it belongs to a way not taken: not told of in the status */
	int errors[ATTACH_MAX];    /* why an optional target was not attached, 0: no error */
	int programs[ATTACH_MAX];  /* descriptors of the attached stubs, -1: not attached */
};

void attachments_init(struct attachments *a, const struct target *targets, size_t n, const char *directory,
		      char *reason);

/* Fills wanted from the kernel's BTF. 0; -ENOENT: a required target that is not left out is missing; or
 * another negative errno; then with the reason. */
int attachments_find(struct attachments *a);

/*
 * Takes over the pinned links of an earlier daemon: all that are required, or none. Returns 1, 0: they are
 * not all there, or another negative errno, with the reason.
 */
int attachments_adopt(struct attachments *a);

/*
 * Attaches and pins @program, which is loaded, as target @i, behind a stub (slot.h). A required one that
 * cannot be attached is an error, with the reason; of an optional one that is noted.
 */
int attachments_attach(struct attachments *a, const struct bpf_program *program, size_t i);

/* Lets @program, which is loaded, do from now on what the one attached as target @i did. 0, or a negative
 * errno with the reason: then that one goes on. */
int attachments_replace(struct attachments *a, const struct bpf_program *program, size_t i);

/* Removes the pins, what decides first: the programs end. */
void attachments_unpin(const struct attachments *a);

/* Closes the descriptors; what is pinned goes on. */
void attachments_close(struct attachments *a);

/* How often the kernel skipped program @i since it was loaded, 0: it is not attached. */
uint64_t attachments_skips(const struct attachments *a, size_t i);

/* True if pins of attached programs were removed behind our back. */
bool attachments_taken_off(const struct attachments *a);

/* True if what was attached still is: each pin is there and has the link of our program. A look at the links
 * themselves, for the watchdog. */
bool attachments_intact(const struct attachments *a);

/* Appends the targets to the points of @status. @waiting: for what they wait; NULL: they ought to be there.
 */
void attachments_describe(const struct attachments *a, const char *waiting, struct status *status);

/* Deletes every entry of @map, a hash table. */
void map_clear(const struct bpf_map *map);

/* Attaches an iterator, over @map unless that is NULL. 0 or a negative errno. */
int attach_iterator(struct bpf_link **ret, struct bpf_program *program, const struct bpf_map *map);

/* For libbpf_set_print(): what libbpf warns of goes to stderr, the rest nowhere. */
int print_warning(enum libbpf_print_level level, const char *format, va_list arguments);

#endif
