/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_METRICS_H
#define VFIOWATCH_CORE_METRICS_H

/*
 * Metrics as text for Prometheus: what is counted, by which labels, and how it is written. The only place for
 * all three; live (bus) and replay go through it alike.
 *
 * What is not known has no sample: never 0. No label names a process: every set of labels is bounded, by an
 * enum, by the policy or the attach points of this build, or by METRICS_NAMES_MAX. All text in labels is safe
 * (text_escape()), then quoted as the format wants it.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/model.h"
#include "core/status.h"

enum metrics_format {
	METRICS_OPENMETRICS, /* OpenMetrics 1.0: counters are named without _total, units, # EOF */
	METRICS_PROMETHEUS,  /* Prometheus text 0.0.4, as node_exporter's textfile collector and promtool
				take it: counters are named with _total, infos are gauges */
	METRICS_FORMATS,
};

/* "openmetrics", "prometheus"; NULL outside the enum. */
const char *metrics_format_name(enum metrics_format format);

/* Devices, and units with their machine, that have samples of their own: the first in the order of their ids,
 * units in that of their mappings. What is over it is in the sums, and counted in vfiowatch_left_out. */
#define METRICS_NAMES_MAX 1024

/* What the metrics are made of. Borrowed. */
struct metrics_facts {
	const struct model *model;
	const struct status *status; /* NULL: there is no daemon, as for a capture; what only it knows is left
					out */
	const uint64_t *events, *lost; /* without a status: kernel events by enum event_type,
					  EVENT_KERNEL_TYPES each; NULL: unknown */
	uint64_t denied;               /* without a status: requests that were denied .. */
	bool decided;                  /* .. if any was decided */
	uint64_t now_ns;               /* CLOCK_BOOTTIME; 0: unknown */
	int64_t realtime_offset_ns;    /* as in struct snapshot_clock */
};

/* Returns 0 with the text in *ret (malloc, the caller frees), or -ENOMEM. */
int metrics_text(const struct metrics_facts *facts, enum metrics_format format, char **ret);

/*
 * All metrics there can be, whether known or not: the name of sample @i as a query names it, with vfiowatch_,
 * _total and _info. NULL: there are no more. For tests of what is written about them.
 */
const char *metrics_sample_name(size_t i, char *out, size_t size);

#endif
