/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names, types and the text: OpenMetrics 1.0 (prometheus.io/docs/specs/om) and Prometheus text 0.0.4. */

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "core/metrics_internal.h"
#include "core/rows.h"
#include "core/snapshot.h"

#define PREFIX        "vfiowatch_"
#define NS_PER_SECOND 1000000000ULL

enum metric_type {
	TYPE_GAUGE,
	TYPE_COUNTER,
	TYPE_INFO,
};

/* The name ends in the unit, and has neither _total nor _info. No name is another one with _total or _info.
 */
static const struct {
	const char *name;
	enum metric_type type;
	const char *unit, *help;
} table[METRICS] = {
	[METRIC_BUILD] = {"build", TYPE_INFO, NULL, "Version of vfiowatchd."},
	[METRIC_COLLECTED] = {"collected_timestamp_seconds", TYPE_GAUGE, "seconds",
			      "When these numbers were made, in seconds since 1970."},
	[METRIC_START_TIME] = {"start_time_seconds", TYPE_GAUGE, "seconds",
			       "When vfiowatchd started, in seconds since 1970."},
	[METRIC_RECORDING] = {"recording", TYPE_GAUGE, NULL, "1 for the state that recording is in, else 0."},
	[METRIC_DEGRADED] = {"degraded_reasons", TYPE_GAUGE, NULL,
			     "Reasons why vfiowatchd does not see or do everything; see vfiowatch status."},
	[METRIC_ATTACH_POINTS] = {"attach_points", TYPE_GAUGE, NULL,
				  "Places in the kernel where BPF programs are attached, or ought to be."},
	[METRIC_BPF_RUNS] = {"bpf_runs", TYPE_COUNTER, NULL,
			     "Runs of BPF programs, while kernel.bpf_stats_enabled was 1."},
	[METRIC_BPF_RUN_TIME] = {"bpf_run_seconds", TYPE_COUNTER, "seconds",
				 "Time that these runs took, over all CPUs."},
	[METRIC_DAEMON_CPU] = {"daemon_cpu_seconds", TYPE_COUNTER, "seconds",
			       "CPU time of vfiowatchd, user and system."},
	[METRIC_DAEMON_MEMORY] = {"daemon_resident_memory_bytes", TYPE_GAUGE, "bytes",
				  "Resident memory of vfiowatchd."},
	[METRIC_BUS_CLIENTS] = {"bus_clients", TYPE_GAUGE, NULL, "Connections on the peer-to-peer socket."},
	[METRIC_RING_SIZE] = {"ring_size_bytes", TYPE_GAUGE, "bytes", "Size of the ring of kernel events."},
	[METRIC_RING_USED] = {"ring_used_bytes", TYPE_GAUGE, "bytes",
			      "Bytes in the ring that wait to be read."},
	[METRIC_EVENTS] = {"events", TYPE_COUNTER, NULL, "Kernel events taken from the ring."},
	[METRIC_EVENTS_LOST] = {"events_lost", TYPE_COUNTER, NULL,
				"Kernel events dropped because the ring was full."},
	[METRIC_MISSED] = {"missed", TYPE_COUNTER, NULL, "What else was not seen or not kept, by cause."},
	[METRIC_READINGS] = {"readings", TYPE_COUNTER, NULL,
			     "Times the truth was read from the kernel's tables."},
	[METRIC_AUDITS] = {"audits", TYPE_COUNTER, NULL,
			   "Times the tables were compared with all VMAs and descriptors."},
	[METRIC_JOURNAL_RECORDS] = {"journal_records", TYPE_COUNTER, NULL,
				    "Audit records by what became of them."},
	[METRIC_POLICY] = {"policy", TYPE_INFO, NULL, "The policy in force and how it is enforced."},
	[METRIC_POLICY_RULES] = {"policy_rules", TYPE_GAUGE, NULL, "Rules of the policy in force."},
	[METRIC_REQUESTS_DENIED] = {"requests_denied", TYPE_COUNTER, NULL, "Requests that got EPERM."},
	[METRIC_WOULD_DENY] = {"would_deny", TYPE_COUNTER, NULL,
			       "Mappings and findings that the policy is against and that came to be."},
	[METRIC_KILLED] = {"processes_killed", TYPE_COUNTER, NULL, "Processes ended by Action=kill."},
	[METRIC_ENFORCER_DECIDED] = {"enforcer_decided", TYPE_COUNTER, NULL,
				     "Requests that got a verdict in the kernel."},
	[METRIC_ENFORCER_UNKNOWN] = {"enforcer_unknown", TYPE_COUNTER, NULL,
				     "Requests that OnUnknown decided, by what was not known."},
	[METRIC_ENFORCER_UNDECIDED] = {"enforcer_undecided", TYPE_COUNTER, NULL,
				       "Mappings that came to be before they had a verdict."},
	[METRIC_ENFORCER_UNPLACED] = {"enforcer_unplaced", TYPE_COUNTER, NULL,
				      "Mappings that came and whose bytes are not known."},
	[METRIC_ENFORCER_UNTRACKED] = {"enforcer_untracked", TYPE_COUNTER, NULL,
				       "Mappings that came and found no room in the enforcer's tables."},
	[METRIC_ENFORCER_UNCOMPARED] = {"enforcer_uncompared_mappings", TYPE_GAUGE, NULL,
					"Mappings there are that requests are not compared with."},
	[METRIC_ENTRIES] = {"entries", TYPE_GAUGE, NULL, "Live entries of the ledger."},
	[METRIC_MAPPINGS] = {"mappings", TYPE_GAUGE, NULL, "Live mappings of BARs, by memory type."},
	[METRIC_MAPPED] = {"mapped_bytes", TYPE_GAUGE, "bytes", "Size of these mappings."},
	[METRIC_POPULATED] = {"populated_bytes", TYPE_GAUGE, "bytes",
			      "Bytes of live mappings that have a page-table entry, by its memory type."},
	[METRIC_COOKIES] = {"cookies", TYPE_GAUGE, NULL, "Live cookies that can be mapped."},
	[METRIC_FINDINGS] = {"findings", TYPE_GAUGE, NULL, "Active findings."},
	[METRIC_FINDINGS_OPENED] = {"findings_opened", TYPE_COUNTER, NULL,
				    "Findings that were opened, by their severity then."},
	[METRIC_FINDINGS_REFUSED] = {"findings_refused", TYPE_GAUGE, NULL,
				     "Findings there are beyond the limit of active ones."},
	[METRIC_LINT] = {"lint", TYPE_COUNTER, NULL,
			 "Times a program relied on what the kernel never promised."},
	[METRIC_DEVICE_FILES] = {"device_open_files", TYPE_GAUGE, NULL, "Open VFIO files of a device."},
	[METRIC_DEVICE_COOKIES] = {"device_cookies", TYPE_GAUGE, NULL,
				   "Live cookies of a device, also those that cannot be mapped."},
	[METRIC_DEVICE_MAPPINGS] = {"device_mappings", TYPE_GAUGE, NULL, "Live mappings of a device."},
	[METRIC_DEVICE_FINDINGS] = {"device_findings", TYPE_GAUGE, NULL, "Active findings on a device."},
	[METRIC_UNIT_MAPPINGS] = {"unit_mappings", TYPE_GAUGE, NULL,
				  "Live mappings of the processes of a unit."},
	[METRIC_UNIT_MAPPED] = {"unit_mapped_bytes", TYPE_GAUGE, "bytes", "Size of these mappings."},
	[METRIC_UNIT_FINDINGS] = {"unit_findings", TYPE_GAUGE, NULL,
				  "Active findings that a process of the unit is a party of."},
	[METRIC_LEFT_OUT] =
		{"left_out", TYPE_GAUGE, NULL,
		 "Devices, and mappings of units, that are beyond the limit for samples of their own."},
};

const char *metrics_format_name(enum metrics_format format)
{
	static const char *const names[METRICS_FORMATS] = {"openmetrics", "prometheus"};

	return format < METRICS_FORMATS ? names[format] : NULL;
}

static const char *suffix(enum metric metric)
{
	static const char *const suffixes[] = {
		[TYPE_GAUGE] = "", [TYPE_COUNTER] = "_total", [TYPE_INFO] = "_info"};

	return suffixes[table[metric].type];
}

const char *metrics_sample_name(size_t i, char *out, size_t size)
{
	if (i >= METRICS)
		return NULL;
	snprintf(out, size, PREFIX "%s%s", table[i].name, suffix(i));
	return out;
}

/* Help texts are literals without quotes, backslashes and line ends: nothing in them needs to be escaped. */
static void put_head(struct metrics *metrics, enum metric metric)
{
	static const char *const types[] = {
		[TYPE_GAUGE] = "gauge", [TYPE_COUNTER] = "counter", [TYPE_INFO] = "info"};
	bool open = metrics->format == METRICS_OPENMETRICS;
	const char *name = table[metric].name, *end = open ? "" : suffix(metric);
	enum metric_type type = table[metric].type;

	fprintf(metrics->out, "# HELP " PREFIX "%s%s %s\n", name, end, table[metric].help);
	fprintf(metrics->out, "# TYPE " PREFIX "%s%s %s\n", name, end,
		types[!open && type == TYPE_INFO ? TYPE_GAUGE : type]);
	if (open && table[metric].unit)
		fprintf(metrics->out, "# UNIT " PREFIX "%s %s\n", name, table[metric].unit);
}

/* Safe text, as the inside of a quoted value. */
static void put_quoted(FILE *out, const char *text)
{
	char safe[4 * ROW_TEXT_MAX + 1];

	text_escape(text, strnlen(text, ROW_TEXT_MAX), safe, sizeof(safe));
	for (const char *p = safe; *p; p++) {
		if (*p == '\\' || *p == '"')
			putc('\\', out);
		putc(*p, out);
	}
}

static void put_labels(FILE *out, va_list labels)
{
	const char *name, *value, *separator = "{";

	while ((name = va_arg(labels, const char *))) {
		value = va_arg(labels, const char *);
		if (!value)
			continue;
		fprintf(out, "%s%s=\"", separator, name);
		put_quoted(out, value);
		putc('"', out);
		separator = ",";
	}
	if (*separator == ',')
		putc('}', out);
}

/* All of a sample but its value. */
static void put_name(struct metrics *metrics, enum metric metric, va_list labels)
{
	if (metric != metrics->last)
		put_head(metrics, metric);
	metrics->last = metric;
	fprintf(metrics->out, PREFIX "%s%s", table[metric].name, suffix(metric));
	put_labels(metrics->out, labels);
}

void metrics_put(struct metrics *metrics, enum metric metric, uint64_t value, ...)
{
	va_list labels;

	va_start(labels, value);
	put_name(metrics, metric, labels);
	va_end(labels);
	fprintf(metrics->out, " %" PRIu64 "\n", value);
}

void metrics_put_seconds(struct metrics *metrics, enum metric metric, uint64_t ns, ...)
{
	va_list labels;

	va_start(labels, ns);
	put_name(metrics, metric, labels);
	va_end(labels);
	fprintf(metrics->out, " %llu.%09llu\n", (unsigned long long)(ns / NS_PER_SECOND),
		(unsigned long long)(ns % NS_PER_SECOND));
}

void metrics_end(struct metrics *metrics)
{
	if (metrics->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", metrics->out);
}
