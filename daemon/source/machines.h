/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_MACHINES_H
#define VFIOWATCH_SOURCE_MACHINES_H

/* Tells when systemd-machined registers a machine or drops one. */

#include <systemd/sd-event.h>

/* Where systemd-machined keeps what it knows, for sd_pid_get_machine_name(3). */
#define MACHINES_DIRECTORY "/run/systemd/machines"

struct machines;

typedef void (*machines_changed)(void *userdata);

/*
 * Calls @changed at most five times a second, however many machines come and go in @directory, and always
 * after the last change. Returns 0 or a negative errno; *ret is NULL where there is no such directory, as
 * without systemd, which is no error. The caller owns *ret.
 */
int machines_new(struct machines **ret, sd_event *loop, const char *directory, machines_changed changed,
		 void *userdata);
struct machines *machines_free(struct machines *machines);

#endif
