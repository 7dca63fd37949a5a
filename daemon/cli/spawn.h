/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_SPAWN_H
#define VFIOWATCH_CLI_SPAWN_H

/*
 * --spawn: a private vfiowatchd for the lifetime of this command, with a socket and pins of its own. It is
 * run as vfiowatchd --foreground --socket DIR/bus --pin-directory /sys/fs/bpf/NAME --no-system-bus and tells
 * by sd_notify() when it is ready. It is sent SIGTERM at the end, also if this process is killed.
 */

#include <systemd/sd-event.h>

#include "cli/cli.h"

struct spawn;

/* Returns when the daemon is ready. *signal is looked at after every turn of the loop: not 0 ends the
 * waiting. */
enum exit_code spawn_start(struct spawn **ret, sd_event *event, const int *signal, struct failure *failure);

/* Stops the daemon and removes what it may have left. Returns NULL. */
struct spawn *spawn_stop(struct spawn *spawn);

/* How the daemon ended, if it did, and what it said last. False: it did not. */
bool spawn_ended(struct spawn *spawn, char *out, size_t size);

const char *spawn_socket(const struct spawn *spawn);

/* The path of the daemon's program: beside our own, else as found in PATH. The caller frees; NULL: out of
 * memory. */
char *daemon_program(void);

#endif
