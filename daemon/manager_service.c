// SPDX-License-Identifier: GPL-2.0-or-later

/* What the service manager is told: how the daemon fares, and by the watchdog that it does its work. */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "manager_internal.h"
#include "sink/notify.h"

/* The watchdog is fed that many times in the time it waits. */
#define WATCHDOG_SHARE 3

/* The line for people follows what happens by this much, so that a storm is one line a second. */
#define LINE_USEC 1000000ULL

static int arm(sd_event_source *source, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(source, usec);

	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/*
 * A loop that turns is not enough. The ring is looked at before anything else consumes it here: it must be
 * the daemon's usual way that does.
 */
static enum manager_health look(struct manager *manager)
{
	if (!progress_check(&manager->progress, ring_consumed(manager->ring), ring_produced(manager->ring)))
		return MANAGER_RING_STUCK;
	if (!probes_intact(manager->probes) || (manager->enforcer && !enforcer_intact(manager->enforcer)))
		return MANAGER_LINKS_GONE;
	return MANAGER_HEALTHY;
}

const char *manager_health_text(enum manager_health health)
{
	switch (health) {
	case MANAGER_RING_STUCK:
		return "events wait in the ring and are not taken: the watchdog is not fed";
	case MANAGER_LINKS_GONE:
		return "attached programs were taken off: the watchdog is not fed";
	case MANAGER_HEALTHY:
		break;
	}
	return NULL;
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *manager = userdata;
	enum manager_health before = manager->health;
	uint64_t within;

	(void)usec;
	manager->health = look(manager);
	if (manager->health == MANAGER_HEALTHY)
		notify_alive();
	if (manager->health != before) {
		manager_report_degraded(manager);
		manager_tell_service(manager);
	}
	return notify_watchdog(&within) ? arm(source, within / WATCHDOG_SHARE) : 0;
}

void manager_feed_watchdog(void *userdata)
{
	struct manager *manager = userdata;

	if (manager->watchdog && manager->health == MANAGER_HEALTHY)
		notify_alive();
}

static int on_line(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	manager_tell_service(userdata);
	return 0;
}

/* A daemon whose timer fails ends: it would not be fed for. */
static int begin_watchdog(struct manager *manager)
{
	uint64_t within;
	int r;

	if (!notify_watchdog(&within))
		return 0;
	r = sd_event_add_time_relative(manager->loop, &manager->watchdog, CLOCK_MONOTONIC, 0, 0, on_watchdog,
				       manager);
	if (r >= 0)
		r = sd_event_source_set_exit_on_failure(manager->watchdog, true);
	return r;
}

int manager_begin_service(struct manager *manager)
{
	int r;

	if (!notify_wanted())
		return 0;
	r = sd_event_add_time_relative(manager->loop, &manager->line, CLOCK_MONOTONIC, 0, 0, on_line,
				       manager);
	if (r >= 0)
		r = sd_event_source_set_enabled(manager->line, SD_EVENT_OFF);
	if (r >= 0)
		r = begin_watchdog(manager);
	return r < 0 ? r : 0;
}

void manager_tell_service(struct manager *manager)
{
	struct finding_counts findings;
	struct ledger_counts counts;
	char line[STATUS_LINE_LEN];
	struct status *status;

	if (!manager->line || !(status = calloc(1, sizeof(*status))))
		return;
	manager_fill_status(manager, status);
	ledger_counts(manager->model.ledger, &counts);
	finding_counts(manager->model.findings, &findings);
	notify_status(status_line(status, &counts, &findings, line, sizeof(line)));
	free(status);
}

void manager_tell_service_soon(struct manager *manager)
{
	int enabled;

	if (manager->line && sd_event_source_get_enabled(manager->line, &enabled) >= 0 &&
	    enabled == SD_EVENT_OFF)
		arm(manager->line, LINE_USEC);
}
