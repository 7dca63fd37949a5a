// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "manager_internal.h"
#include "source/report.h"

static __attribute__((format(printf, 2, 3))) void add_reason(struct status *status, const char *format, ...)
{
	va_list arguments;

	if (status->n_degraded == STATUS_REASONS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(status->degraded[status->n_degraded++], STATUS_REASON_LEN, format, arguments);
	va_end(arguments);
}

static void add_untracked(struct status *status, const char *what, uint64_t count)
{
	if (count)
		add_reason(status,
			   "%" PRIu64 " %s not tracked: the kernel table was full or memory was short", count,
			   what);
}

static void add_reasons(const struct manager *manager, struct status *status)
{
	struct finding_counts findings;
	struct ledger_counts counts;

	ledger_counts(manager->model.ledger, &counts);
	finding_counts(manager->model.findings, &findings);
	add_untracked(status, "mappings", status->recorder.untracked_mappings);
	add_untracked(status, "open files", status->recorder.untracked_files);
	add_untracked(status, "cookies", status->recorder.untracked_cookies);
	if (counts.refused)
		add_reason(status,
			   "%" PRIu64 " events refused by the ledger: malformed, or a limit was reached",
			   counts.refused);
	if (findings.refused)
		add_reason(status, "%" PRIu64 " findings not shown: the limit of active findings is reached",
			   findings.refused);
	if (lints_refused(manager->model.lints))
		add_reason(status, "%" PRIu64 " lint reports not kept: the table is full",
			   lints_refused(manager->model.lints));
	if (ring_malformed(manager->ring))
		add_reason(status, "%" PRIu64 " malformed records in the ring",
			   ring_malformed(manager->ring));
	if (manager->readings_due)
		add_reason(status, "events were lost and the truth has not been read since");
	if (journal_unwritten(manager->journal))
		add_reason(status, "%" PRIu64 " journal records not written: journald did not take them",
			   journal_unwritten(manager->journal));
	if (manager->health != MANAGER_HEALTHY)
		add_reason(status, "%s", manager_health_text(manager->health));
	manager_policy_status(manager, status);
}

/* What the daemon itself costs. */
static void add_cost(struct status *status)
{
	FILE *statm _cleanup_(closefile) = fopen("/proc/self/statm", "re");
	struct rusage usage;
	unsigned long pages;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		status->cpu_usec = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000ULL +
				   usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	if (statm && fscanf(statm, "%*u %lu", &pages) == 1)
		status->memory = pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void manager_fill_status(void *userdata, struct status *ret)
{
	struct manager *manager = userdata;
	struct bus_stats stats = {};

	memset(ret, 0, sizeof(*ret));
	probes_status(manager->probes, ret);
	add_reasons(manager, ret);
	snprintf(ret->version, sizeof(ret->version), "%s", VFIOWATCH_VERSION);
	ret->started_ns = manager->started_ns;
	ret->now_ns = manager_now_ns();
	ret->readings = manager->readings;
	ret->skipped = manager->skipped_in_all;
	ret->audits = manager->audits;
	ret->malformed = ring_malformed(manager->ring);
	ret->journal_sent = journal_sent(manager->journal);
	ret->journal_suppressed = journal_suppressed(manager->journal);
	ret->journal_unwritten = journal_unwritten(manager->journal);
	if (manager->bus)
		bus_stats(manager->bus, &stats);
	ret->clients = stats.peers;
	if (manager->ring)
		ret->ring_used = ring_used(manager->ring);
	add_cost(ret);
}

/* A reason is told again only when it went away in between; counts in it do not make it new. */
static bool same_reason(const char *a, const char *b)
{
	a += strspn(a, "0123456789");
	b += strspn(b, "0123456789");
	return strcmp(a, b) == 0;
}

static bool was_reported(const struct manager *manager, const char *reason)
{
	for (size_t i = 0; i < manager->n_reported; i++)
		if (same_reason(manager->reported[i], reason))
			return true;
	return false;
}

void manager_report_degraded(struct manager *manager)
{
	struct status *status = calloc(1, sizeof(*status));

	if (!status)
		return;
	probes_status(manager->probes, status);
	add_reasons(manager, status);
	for (size_t i = 0; i < status->n_degraded; i++) {
		if (was_reported(manager, status->degraded[i]))
			continue;
		fprintf(stderr, SD_WARNING "degraded: %s\n", status->degraded[i]);
		journal_degraded(manager->journal, status->degraded[i]);
	}
	memcpy(manager->reported, status->degraded, sizeof(manager->reported));
	manager->n_reported = status->n_degraded;
	free(status);
	manager_tell_service_soon(manager);
}

static const struct model *get_model(void *userdata)
{
	return &((struct manager *)userdata)->model;
}

static const struct history *get_history(void *userdata)
{
	return ((struct manager *)userdata)->history;
}

/* A steady offset gives the same event the same time in every answer; it follows the wall clock when that is
 * set. */
#define CLOCK_STEP_NS 100000000LL

static void get_clock(void *userdata, struct snapshot_clock *ret)
{
	struct manager *manager = userdata;
	struct timespec wall;
	int64_t offset;

	clock_gettime(CLOCK_REALTIME, &wall);
	offset = wall.tv_sec * 1000000000LL + wall.tv_nsec - (int64_t)manager_now_ns();
	if (llabs(offset - manager->realtime_offset_ns) > CLOCK_STEP_NS)
		manager->realtime_offset_ns = offset;
	ret->realtime_offset_ns = manager->realtime_offset_ns;
}

static int get_probe(void *userdata, char **ret)
{
	struct manager *manager = userdata;
	struct json_object *report = report_kernel(manager->options.sys, manager->options.pin_directory);

	if (!report)
		return -ENOMEM;
	*ret = strdup(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN));
	json_object_put(report);
	return *ret ? 0 : -ENOMEM;
}

static void system_bus_changed(void *userdata, enum bus_system_state state, int error)
{
	(void)userdata;
	if (state == BUS_SYSTEM_REFUSED)
		fprintf(stderr,
			SD_WARNING
			"not on the system bus: %s; is the D-Bus policy installed? The socket works\n",
			strerror(-error));
	else if (state == BUS_SYSTEM_ON)
		fprintf(stderr, SD_INFO "on the system bus\n");
}

void manager_fill_backend(struct manager *manager, struct bus_backend *ret)
{
	*ret = (struct bus_backend){
		.userdata = manager,
		.refresh = manager_refresh,
		.model = get_model,
		.history = get_history,
		.status = manager_fill_status,
		.clock = get_clock,
		.probe = get_probe,
		.reload = manager_reload,
		.system_bus = system_bus_changed,
	};
}
