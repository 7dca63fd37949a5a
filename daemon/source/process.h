/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PROCESS_H
#define VFIOWATCH_SOURCE_PROCESS_H

/* Facts about processes that the kernel does not know: the systemd unit and the machine they belong to. */

#include <stdbool.h>
#include <stdint.h>

#include "vfiowatch/event.h"

/*
 * Fills @identity with an EVENT_IDENTITY for @who, and @ret with the EVENT_PROCESS that follows it. What
 * cannot be found stays empty. Returns 0, or -ESRCH if that process (not another one with the same pid) is
 * gone.
 *
 * Of a command line the first 64 KiB are read; what a longer one says is unknown. Reading it does not wait
 * for the process: the kernel leaves out pages that are not plain memory (FOLL_ANON in access_remote_vm()).
 */
int process_read(const struct event_process_id *who, uint64_t now_ns, struct event *identity,
		 struct event *ret);

/* True if systemd-machined now says another machine of process @tgid than @machine; empty: none. */
bool process_machine_changed(uint32_t tgid, const char *machine);

#endif
