// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/machines.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>

/*
 * machine_save() of systemd-machined renames the machine's file into place and then creates the link
 * "unit:UNIT", by which sd_pid_get_machine_name() finds the machine of a process. sd_login_monitor_new(3)
 * would tell of the first only, when that link may not be there yet.
 */
#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_DELETE)

/* A change makes the daemon ask for the machine of every process that it knows. */
#define SETTLE_USEC   200000ULL
#define ACCURACY_USEC 50000ULL

struct machines {
	sd_event_source *directory;
	sd_event_source *settled; /* armed by the first change since the last call */
	machines_changed changed;
	void *userdata;
};

/* Also of IN_Q_OVERFLOW: then something changed as well. */
static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct machines *machines = userdata;
	int armed = sd_event_source_get_enabled(machines->settled, NULL);
	int r;

	(void)source;
	(void)event;
	if (armed != 0)
		return armed < 0 ? armed : 0;
	r = sd_event_source_set_time_relative(machines->settled, SETTLE_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(machines->settled, SD_EVENT_ONESHOT);
}

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct machines *machines = userdata;

	(void)source;
	(void)usec;
	machines->changed(machines->userdata);
	return 0;
}

static int begin(struct machines *machines, sd_event *loop, const char *directory)
{
	int r = sd_event_add_time_relative(loop, &machines->settled, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
					   on_settled, machines);

	if (r >= 0)
		r = sd_event_source_set_enabled(machines->settled, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_inotify(loop, &machines->directory, directory, CHANGES | IN_ONLYDIR,
					 on_change, machines);
	return r;
}

int machines_new(struct machines **ret, sd_event *loop, const char *directory, machines_changed changed,
		 void *userdata)
{
	struct machines *machines = calloc(1, sizeof(*machines));
	int r;

	*ret = NULL;
	if (!machines)
		return -ENOMEM;
	machines->changed = changed;
	machines->userdata = userdata;
	r = begin(machines, loop, directory);
	if (r < 0) {
		machines_free(machines);
		return r == -ENOENT ? 0 : r;
	}
	*ret = machines;
	return 0;
}

struct machines *machines_free(struct machines *machines)
{
	if (!machines)
		return NULL;
	sd_event_source_disable_unref(machines->directory);
	sd_event_source_disable_unref(machines->settled);
	free(machines);
	return NULL;
}
