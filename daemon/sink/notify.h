/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_NOTIFY_H
#define VFIOWATCH_SINK_NOTIFY_H

/* What the service manager is told, see sd_notify(3). Without one nothing happens. */

#include <stdbool.h>
#include <stdint.h>

/* Whether there is a service manager to tell. */
bool notify_wanted(void);

void notify_ready(void);
void notify_stopping(void);

/* A reload begins; notify_ready() says that it is over, whatever came of it. */
void notify_reloading(void);

/* One line for people, as `systemctl status` shows it. */
void notify_status(const char *line);

/* The daemon does its work. */
void notify_alive(void);

/* Whether the service manager expects notify_alive(), and within which time of the one before
 * (CLOCK_MONOTONIC). */
bool notify_watchdog(uint64_t *ret_usec);

/* From now on within that time. It counts from now. */
void notify_watchdog_usec(uint64_t usec);

#endif
