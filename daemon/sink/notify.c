// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/notify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

bool notify_wanted(void)
{
	return getenv("NOTIFY_SOCKET");
}

void notify_ready(void)
{
	sd_notify(false, "READY=1");
}

void notify_stopping(void)
{
	sd_notify(false, "STOPPING=1");
}

/* The time is what a unit of Type=notify-reload asks for. */
void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_status(const char *line)
{
	sd_notifyf(false, "STATUS=%s", line);
}

void notify_alive(void)
{
	sd_notify(false, "WATCHDOG=1");
}

bool notify_watchdog(uint64_t *ret_usec)
{
	return sd_watchdog_enabled(false, ret_usec) > 0;
}

void notify_watchdog_usec(uint64_t usec)
{
	sd_notifyf(false, "WATCHDOG_USEC=%" PRIu64 "\nWATCHDOG=1", usec);
}
