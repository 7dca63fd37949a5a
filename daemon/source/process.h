/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROCESS_H
#define VFIOWATCH_SOURCE_PROCESS_H

/* Facts about processes that the kernel does not know: the systemd unit and the machine they belong to. */

#include <stdint.h>

#include "vfiowatch/event.h"

/*
 * Fills @ret with an EVENT_PROCESS for @who. What cannot be found stays empty. Returns 0, or -ESRCH if that
 * process (not another one with the same pid) is gone.
 */
int process_read(const struct event_process_id *who, uint64_t now_ns, struct event *ret);

#endif
