// SPDX-License-Identifier: GPL-2.0-or-later
#include "manager.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "manager_internal.h"
#include "sink/notify.h"
#include "source/machines.h"
#include "vfiowatch/bus.h"

/* Events kept for clients that follow them. When full the oldest is overwritten, and readers are told how
 * many. */
#define HISTORY_EVENTS 4096

static int complain(int error, const char *what, const char *remedy)
{
	fprintf(stderr, SD_ERR "vfiowatchd: %s: %s%s%s\n", what, strerror(-error), remedy ? ": " : "",
		remedy ? remedy : "");
	return error;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *manager = userdata;
	int r;

	(void)source;
	(void)usec;
	if (manager->unsettled)
		manager->mappings_changed = true;
	r = ring_consume(manager->ring);
	return r < 0 ? r : 0;
}

/* What is in place is left for the daemon that comes next. */
static int on_handover(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct manager *manager = userdata;

	(void)source, (void)info;
	manager->options.keep_recording = true;
	return sd_event_exit(manager->loop, 0);
}

static int make_loop(struct manager *manager)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, MANAGER_HANDOVER_SIGNAL);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = sd_event_new(&manager->loop);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, SIGHUP, manager_on_hangup, manager);
	if (r >= 0)
		r = sd_event_add_signal(manager->loop, NULL, MANAGER_HANDOVER_SIGNAL, on_handover, manager);
	if (r >= 0)
		r = sd_event_add_time_relative(manager->loop, &manager->retry, CLOCK_MONOTONIC, 0, 0,
					       on_retry, manager);
	if (r >= 0)
		r = sd_event_source_set_enabled(manager->retry, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(manager->loop, &manager->walk, CLOCK_MONOTONIC, 0, 0,
					       manager_on_walk, manager);
	if (r >= 0)
		r = sd_event_source_set_enabled(manager->walk, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(manager->loop, &manager->again, CLOCK_MONOTONIC, 0, 0,
					       manager_on_again, manager);
	if (r >= 0)
		r = sd_event_source_set_enabled(manager->again, SD_EVENT_OFF);
	return r < 0 ? r : 0;
}

static int make_core(struct manager *manager)
{
	int r = model_init(&manager->model, memtype_host_arch());

	if (r == 0)
		r = history_new(&manager->history, HISTORY_EVENTS);
	if (r == 0)
		r = journal_new(&manager->journal);
	return r;
}

/* The group that may read over the system bus, if there is one now. */
static gid_t group_of_readers(void)
{
	const struct group *group = getgrnam(BUS_GROUP);

	return group ? group->gr_gid : 0;
}

/* The socket comes first: it keeps a second daemon away from the pins of this one. */
static int make_bus(struct manager *manager)
{
	struct bus_parameters parameters = {
		.socket = manager->options.socket,
		.system_bus = manager->options.system_bus,
		.readers = group_of_readers(),
	};
	struct bus_backend backend;
	int r;

	manager_fill_backend(manager, &backend);
	r = bus_new(&manager->bus, manager->loop, &parameters, &backend);
	if (r == -EADDRINUSE)
		return complain(r, manager->options.socket, "another vfiowatchd is running");
	if (r < 0)
		return complain(r, manager->options.socket,
				"the socket's directory must be writable for root only");
	return 0;
}

static int make_source(struct manager *manager)
{
	struct ring_handler handler = {
		.event = manager_on_event,
		.drained = manager_on_drained,
		.busy = manager_feed_watchdog,
		.clients_priority = BUS_PRIORITY,
		.userdata = manager,
	};
	const char *reason;
	int r;

	r = probes_new(&manager->probes, manager->options.pin_directory, manager->options.sys, &reason);
	if (r < 0)
		return complain(r, "cannot record", reason);
	r = ring_new(&manager->ring, manager->loop, probes_ring_fd(manager->probes),
		     probes_recorder(manager->probes), &handler);
	if (r < 0)
		return complain(r, "cannot read the ring", NULL);
	r = machines_new(&manager->machines, manager->loop, MACHINES_DIRECTORY, manager_machines_changed,
			 manager);
	/* Without it machines are still looked up, only later: no reason to record and enforce nothing. */
	if (r < 0)
		complain(r, "cannot watch " MACHINES_DIRECTORY, NULL);
	return 0;
}

int manager_new(struct manager **ret, const struct manager_options *options)
{
	struct manager *manager = calloc(1, sizeof(*manager));
	int r;

	if (!manager)
		return complain(-ENOMEM, "cannot start", NULL);
	manager->options = *options;
	manager->started_ns = manager_now_ns();
	r = make_loop(manager);
	if (r == 0)
		r = make_core(manager);
	if (r < 0)
		complain(r, "cannot start", NULL);
	if (r == 0)
		r = make_bus(manager);
	if (r == 0)
		r = manager_load_policy(manager);
	if (r == 0)
		r = make_source(manager);
	if (r < 0) {
		manager_free(manager);
		return r;
	}
	*ret = manager;
	return 0;
}

/* What an earlier daemon left in the ring comes first, then the truth. */
int manager_run(struct manager *manager)
{
	int r = ring_consume(manager->ring);

	if (r < 0)
		return complain(r, "cannot read the ring", NULL);
	manager_update_probes(manager);
	r = manager_start_policy(manager);
	if (r < 0)
		return r;
	manager->started = true;
	manager_report_degraded(manager);
	r = manager_begin_service(manager);
	if (r < 0)
		return complain(r, "cannot start", NULL);
	manager_tell_service(manager);
	notify_ready();
	r = sd_event_loop(manager->loop);
	notify_stopping();
	return r < 0 ? complain(r, "the event loop ended", NULL) : 0;
}

/* A start that failed leaves what it found; what enforces a policy goes on. */
static enum probes_end what_to_leave(const struct manager *manager)
{
	if (!manager->started)
		return PROBES_RESTORE;
	return manager->options.keep_recording || manager->enforcer ? PROBES_KEEP : PROBES_REMOVE;
}

struct manager *manager_free(struct manager *manager)
{
	enum probes_end end;

	if (!manager)
		return NULL;
	end = what_to_leave(manager);
	bus_free(manager->bus);
	machines_free(manager->machines);
	ring_free(manager->ring);
	if (manager->enforcer)
		enforcer_end(manager->enforcer, end == PROBES_KEEP || enforcer_adopted(manager->enforcer));
	probes_free(manager->probes, end);
	journal_free(manager->journal);
	history_free(manager->history);
	model_done(&manager->model);
	policy_free(manager->policy);
	free(manager->waiting);
	sd_event_source_disable_unref(manager->retry);
	sd_event_source_disable_unref(manager->walk);
	sd_event_source_disable_unref(manager->again);
	sd_event_source_disable_unref(manager->watchdog);
	sd_event_source_disable_unref(manager->line);
	sd_event_unref(manager->loop);
	free(manager);
	return NULL;
}
