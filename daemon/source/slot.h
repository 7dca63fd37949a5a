/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_SLOT_H
#define VFIOWATCH_SOURCE_SLOT_H

/*
 * Programs that can be replaced while they are attached. What is attached to a kernel function is a stub of
 * six instructions: it passes on to the program in its slot, a pinned map of one element (a tail call).
 * Putting another program into the slot is one write: each run is one of the program before or of the new
 * one, never of both and never of none. Attaching the new program beside the old one could not do that:
 * whenever the kernel makes the trampoline of a function anew it skips the fexit programs of the calls that
 * are in the function at that moment (bpf_tramp_image_put() in kernel/bpf/trampoline.c), and both would see
 * all others.
 *
 * An empty slot, which only a removed pin makes, does nothing: what is recorded there is missed, what is
 * decided there is allowed.
 */

#include <linux/bpf.h>

/*
 * Makes a slot that is pinned at @path, with @program in it, a descriptor of a program of attach type
 * @type for a function of the kernel. Returns a descriptor of the stub, to be attached instead, or a negative
 * errno.
 */
int slot_new(const char *path, enum bpf_attach_type type, int program);

/* Puts @program, which must be for the same function, into the slot pinned at @path. 0 or a negative errno.
 */
int slot_put(const char *path, int program);

#endif
