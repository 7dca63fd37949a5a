/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_IDENTITY_H
#define VFIOWATCH_IDENTITY_H

/* Whether a process is still the one that was met: a pid alone names whoever has it now. */

#include <stdbool.h>
#include <stdint.h>

/*
 * True if process @tgid (of the daemon's pid namespace) exists and began at @start_ns (CLOCK_BOOTTIME), to
 * the clock tick that /proc tells; a zombie exists.
 */
bool process_is_still(uint32_t tgid, uint64_t start_ns);

/*
 * Puts a number into *image that is another one after an exec: of where the kernel put the program's code and
 * stack, so without randomize_va_space an exec of the same program may not tell. 0: unknown, as that is only
 * for who may trace the process. False: that process is gone.
 */
bool process_image(uint32_t tgid, uint64_t start_ns, uint64_t *image);

#endif
