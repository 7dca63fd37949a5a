/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_METRICS_INTERNAL_H
#define VFIOWATCH_CORE_METRICS_INTERNAL_H

/* What the files of the metrics share: metrics.c (the daemon, events, policy), metrics_ledger.c (what there
 * is), metrics_text.c (names and text). */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/metrics.h"

/* In the order of the text. */
enum metric {
	METRIC_BUILD,
	METRIC_COLLECTED,
	METRIC_START_TIME,
	METRIC_RECORDING,
	METRIC_DEGRADED,
	METRIC_ATTACH_POINTS,
	METRIC_BPF_RUNS,
	METRIC_BPF_RUN_TIME,
	METRIC_DAEMON_CPU,
	METRIC_DAEMON_MEMORY,
	METRIC_BUS_CLIENTS,
	METRIC_RING_SIZE,
	METRIC_RING_USED,
	METRIC_EVENTS,
	METRIC_EVENTS_LOST,
	METRIC_MISSED,
	METRIC_READINGS,
	METRIC_AUDITS,
	METRIC_JOURNAL_RECORDS,
	METRIC_POLICY,
	METRIC_POLICY_RULES,
	METRIC_REQUESTS_DENIED,
	METRIC_WOULD_DENY,
	METRIC_KILLED,
	METRIC_ENFORCER_DECIDED,
	METRIC_ENFORCER_UNKNOWN,
	METRIC_ENFORCER_UNDECIDED,
	METRIC_ENFORCER_UNPLACED,
	METRIC_ENFORCER_UNTRACKED,
	METRIC_ENFORCER_UNCOMPARED,
	METRIC_ENTRIES,
	METRIC_MAPPINGS,
	METRIC_MAPPED,
	METRIC_POPULATED,
	METRIC_COOKIES,
	METRIC_FINDINGS,
	METRIC_FINDINGS_OPENED,
	METRIC_FINDINGS_REFUSED,
	METRIC_LINT,
	METRIC_DEVICE_FILES,
	METRIC_DEVICE_COOKIES,
	METRIC_DEVICE_MAPPINGS,
	METRIC_DEVICE_FINDINGS,
	METRIC_UNIT_MAPPINGS,
	METRIC_UNIT_MAPPED,
	METRIC_UNIT_FINDINGS,
	METRIC_LEFT_OUT,
	METRICS,
};

/* Text in the making. Errors of writing stay in @out. */
struct metrics {
	FILE *out;
	enum metrics_format format;
	enum metric last; /* whose head was written last; METRICS: none */
};

/* @name, or for NULL and empty text the label's value for what is not known. No type, source, dialect or unit
 * has this name. */
static inline const char *or_unknown(const char *name)
{
	return name && *name ? name : "unknown";
}

/*
 * One sample of @metric, and before its first one what it is. Labels are pairs of name and value; NULL ends
 * them, one whose value is NULL is left out. All samples of one metric follow one another.
 */
void metrics_put(struct metrics *metrics, enum metric metric, uint64_t value, ...) __attribute__((sentinel));

/* The same of nanoseconds, as seconds. */
void metrics_put_seconds(struct metrics *metrics, enum metric metric, uint64_t ns, ...)
	__attribute__((sentinel));

void metrics_end(struct metrics *metrics);

/* metrics_ledger.c: from METRIC_ENTRIES on. 0 or -ENOMEM. */
int metrics_put_model(struct metrics *metrics, const struct model *model);

#endif
