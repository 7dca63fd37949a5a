/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the ledger, the findings and lint have in metrics. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics_internal.h"
#include "core/snapshot_internal.h"

/* How a mapping stands with the CPU: an effective_kind, or above them a memory type. */
#define EFFECTIVES (EFFECTIVE_REVOKED + 1 + MEMTYPE_TYPES)

struct sum {
	uint64_t mappings, bytes;
};

struct unit_key {
	char unit[sizeof(((struct process *)NULL)->unit)];
	char machine[sizeof(((struct process *)NULL)->machine)];
};

struct unit {
	struct unit_key key; /* zero after the texts */
	uint64_t mappings, bytes, findings;
	UT_hash_handle hh;
};

/* All sums of one look at the model. */
struct sums {
	struct sum mappings[SOURCE_TYPES][MEMTYPE_TYPES][EFFECTIVES];
	uint64_t populated[SOURCE_TYPES][MEMTYPE_TYPES];
	uint64_t cookies[DIALECT_TYPES][MEMTYPE_TYPES + 1]; /* the last one: revoked */
	uint64_t findings[FINDING_KINDS][SEVERITIES];
	uint64_t lint[LINT_KINDS];
	struct unit *units;
	uint64_t mappings_left_out; /* of units beyond METRICS_NAMES_MAX */
	const struct device *devices[METRICS_NAMES_MAX];
	size_t n_devices;
	uint64_t devices_left_out;
};

static unsigned int effective_of(const struct mapping *mapping)
{
	struct effective effective;

	mapping_effective(mapping, &effective);
	if (effective.kind != EFFECTIVE_ONE)
		return effective.kind;
	return effective.type == MEMTYPE_UNKNOWN ? EFFECTIVE_UNKNOWN : EFFECTIVE_REVOKED + 1 + effective.type;
}

static const char *effective_label(unsigned int effective)
{
	switch (effective) {
	case EFFECTIVE_UNPOPULATED:
		return "unpopulated";
	case EFFECTIVE_MIXED:
		return "mixed";
	case EFFECTIVE_REVOKED:
		return "revoked";
	default:
		return effective > EFFECTIVE_REVOKED
			       ? or_unknown(memtype_name(effective - EFFECTIVE_REVOKED - 1))
			       : or_unknown(NULL);
	}
}

static struct unit_key key_of(const struct process *process)
{
	struct unit_key key = {};

	strcpy(key.unit, or_unknown(process ? process->unit : NULL));
	if (process)
		strcpy(key.machine, process->machine);
	return key;
}

static struct unit *find_unit(struct sums *sums, const struct unit_key *key)
{
	struct unit *unit = NULL;

	HASH_FIND(hh, sums->units, key, sizeof(*key), unit);
	return unit;
}

/* *ret is NULL if it is beyond the limit. 0 or -ENOMEM. */
static int get_unit(struct sums *sums, const struct unit_key *key, struct unit **ret)
{
	struct unit *unit = *ret = find_unit(sums, key);

	if (unit || HASH_COUNT(sums->units) >= METRICS_NAMES_MAX)
		return 0;
	unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	unit->key = *key;
	HASH_ADD(hh, sums->units, key, sizeof(unit->key), unit);
	if (!unit->hh.tbl) {
		free(unit);
		return -ENOMEM;
	}
	*ret = unit;
	return 0;
}

static int sum_mapping(struct sums *sums, const struct ledger *ledger, const struct mapping *mapping)
{
	uint64_t bytes = mapping->end - mapping->start;
	struct unit_key key = key_of(mapping->owner);
	struct sum *sum =
		&sums->mappings[mapping->source][ledger_requested(ledger, mapping)][effective_of(mapping)];
	struct unit *unit;
	int r = get_unit(sums, &key, &unit);

	sum->mappings++;
	sum->bytes += bytes;
	for (size_t i = 0; i < mapping->n_runs; i++)
		sums->populated[mapping->source][mapping->runs[i].type] +=
			mapping->runs[i].end - mapping->runs[i].start;
	if (unit) {
		unit->mappings++;
		unit->bytes += bytes;
	} else {
		sums->mappings_left_out++;
	}
	return r;
}

static int sum_mappings(struct sums *sums, const struct ledger *ledger)
{
	const struct mapping *mapping = NULL;
	int r = 0;

	while (r == 0 && (mapping = ledger_next_live(ledger, mapping)))
		if (mapping_is_listed(mapping))
			r = sum_mapping(sums, ledger, mapping);
	return r;
}

static void sum_cookies(struct sums *sums, const struct ledger *ledger)
{
	const struct cookie *cookie = NULL;

	while ((cookie = ledger_next_live_cookie(ledger, cookie)))
		if (cookie_is_for_mmap(cookie))
			sums->cookies[cookie->dialect][cookie->attributes & COOKIE_REVOKED
							       ? MEMTYPE_TYPES
							       : ledger_promised(ledger, cookie)]++;
}

/* A finding counts once for a unit, also if both its parties are of it. */
static void sum_finding(struct sums *sums, const struct ledger *ledger, const struct finding *finding)
{
	struct unit *before = NULL;

	sums->findings[finding->kind][finding->severity]++;
	for (unsigned int i = 0; i < finding->n_parties; i++) {
		struct unit_key key = key_of(ledger_process(ledger, &finding->parties[i].process));
		struct unit *unit = find_unit(sums, &key);

		if (unit && unit != before)
			unit->findings++;
		before = unit;
	}
}

static void sum_findings(struct sums *sums, const struct model *model)
{
	const struct finding *chunk[256];
	const size_t size = sizeof(chunk) / sizeof(chunk[0]);
	uint64_t after = 0;
	size_t n;

	do {
		n = findings_list(model->findings, false, after, chunk, size);
		for (size_t i = 0; i < n; i++) {
			sum_finding(sums, model->ledger, chunk[i]);
			after = chunk[i]->id;
		}
	} while (n == size);
}

static void sum_lint(struct sums *sums, const struct lints *lints)
{
	const struct lint *chunk[256];
	const size_t size = sizeof(chunk) / sizeof(chunk[0]);
	uint64_t after = 0;
	size_t n;

	do {
		n = lints_list(lints, after, chunk, size);
		for (size_t i = 0; i < n; i++) {
			sums->lint[chunk[i]->kind] += chunk[i]->count;
			after = chunk[i]->id;
		}
	} while (n == size);
}

static void sum_devices(struct sums *sums, const struct ledger *ledger)
{
	const struct device *chunk[256];
	const size_t size = sizeof(chunk) / sizeof(chunk[0]);
	uint64_t after = 0;
	size_t n;

	do {
		n = ledger_list_devices(ledger, after, chunk, size);
		for (size_t i = 0; i < n; i++) {
			after = chunk[i]->id;
			if (!device_is_listed(chunk[i]))
				continue;
			if (sums->n_devices < METRICS_NAMES_MAX)
				sums->devices[sums->n_devices++] = chunk[i];
			else
				sums->devices_left_out++;
		}
	} while (n == size);
}

static void put_entries(struct metrics *m, const struct ledger *ledger)
{
	struct ledger_counts counts;

	ledger_counts(ledger, &counts);
	metrics_put(m, METRIC_ENTRIES, counts.devices, "kind", "device", NULL);
	metrics_put(m, METRIC_ENTRIES, counts.files, "kind", "open-file", NULL);
	metrics_put(m, METRIC_ENTRIES, counts.cookies, "kind", "cookie", NULL);
	metrics_put(m, METRIC_ENTRIES, counts.mappings, "kind", "mapping", NULL);
}

/* METRIC_MAPPINGS or METRIC_MAPPED: combinations that there are. */
static void put_mappings(struct metrics *m, enum metric metric, const struct sums *sums)
{
	for (unsigned int source = 0; source < SOURCE_TYPES; source++)
		for (unsigned int requested = 0; requested < MEMTYPE_TYPES; requested++)
			for (unsigned int effective = 0; effective < EFFECTIVES; effective++) {
				const struct sum *sum = &sums->mappings[source][requested][effective];

				if (sum->mappings)
					metrics_put(m, metric,
						    metric == METRIC_MAPPINGS ? sum->mappings : sum->bytes,
						    "source", mapping_source_name(source), "requested",
						    or_unknown(memtype_name(requested)), "effective",
						    effective_label(effective), NULL);
			}
}

static void put_populated(struct metrics *m, const struct sums *sums)
{
	for (unsigned int source = 0; source < SOURCE_TYPES; source++)
		for (unsigned int type = 0; type < MEMTYPE_TYPES; type++)
			if (sums->populated[source][type])
				metrics_put(m, METRIC_POPULATED, sums->populated[source][type], "source",
					    mapping_source_name(source), "type",
					    or_unknown(memtype_name(type)), NULL);
}

static void put_cookies(struct metrics *m, const struct sums *sums)
{
	for (unsigned int dialect = 0; dialect < DIALECT_TYPES; dialect++)
		for (unsigned int type = 0; type <= MEMTYPE_TYPES; type++)
			if (sums->cookies[dialect][type])
				metrics_put(m, METRIC_COOKIES, sums->cookies[dialect][type], "dialect",
					    cookie_dialect_name(dialect), "type",
					    type == MEMTYPE_TYPES ? "revoked"
								  : or_unknown(memtype_name(type)),
					    NULL);
}

static void put_findings(struct metrics *m, enum metric metric,
			 const uint64_t findings[FINDING_KINDS][SEVERITIES])
{
	for (unsigned int kind = 0; kind < FINDING_KINDS; kind++)
		for (unsigned int severity = 0; severity < SEVERITIES; severity++)
			metrics_put(m, metric, findings[kind][severity], "kind", finding_kind_name(kind),
				    "severity", finding_severity_name(severity), NULL);
}

static void put_devices(struct metrics *m, enum metric metric, const struct sums *sums,
			const struct findings *findings)
{
	for (size_t i = 0; i < sums->n_devices; i++) {
		const struct device *device = sums->devices[i];
		uint64_t value = metric == METRIC_DEVICE_FILES     ? device->files
				 : metric == METRIC_DEVICE_COOKIES ? device->cookies
				 : metric == METRIC_DEVICE_MAPPINGS
					 ? device->mappings
					 : findings_of_device(findings, device->name);

		metrics_put(m, metric, value, "device", device->name, NULL);
	}
}

static int by_name(const struct unit *a, const struct unit *b)
{
	int order = strcmp(a->key.unit, b->key.unit);

	return order ? order : strcmp(a->key.machine, b->key.machine);
}

static void put_units(struct metrics *m, enum metric metric, const struct sums *sums)
{
	for (const struct unit *unit = sums->units; unit; unit = unit->hh.next)
		metrics_put(m, metric,
			    metric == METRIC_UNIT_MAPPINGS ? unit->mappings
			    : metric == METRIC_UNIT_MAPPED ? unit->bytes
							   : unit->findings,
			    "unit", unit->key.unit, "machine",
			    unit->key.machine[0] ? unit->key.machine : NULL, NULL);
}

static void put_sums(struct metrics *m, const struct model *model, struct sums *sums)
{
	struct finding_counts counts;

	finding_counts(model->findings, &counts);
	HASH_SORT(sums->units, by_name);
	put_entries(m, model->ledger);
	put_mappings(m, METRIC_MAPPINGS, sums);
	put_mappings(m, METRIC_MAPPED, sums);
	put_populated(m, sums);
	put_cookies(m, sums);
	put_findings(m, METRIC_FINDINGS, sums->findings);
	put_findings(m, METRIC_FINDINGS_OPENED, counts.opened_as);
	metrics_put(m, METRIC_FINDINGS_REFUSED, counts.refused, NULL);
	for (unsigned int kind = 0; kind < LINT_KINDS; kind++)
		metrics_put(m, METRIC_LINT, sums->lint[kind], "kind", lint_kind_name(kind), NULL);
	for (enum metric metric = METRIC_DEVICE_FILES; metric <= METRIC_DEVICE_FINDINGS; metric++)
		put_devices(m, metric, sums, model->findings);
	for (enum metric metric = METRIC_UNIT_MAPPINGS; metric <= METRIC_UNIT_FINDINGS; metric++)
		put_units(m, metric, sums);
	metrics_put(m, METRIC_LEFT_OUT, sums->devices_left_out, "kind", "device", NULL);
	metrics_put(m, METRIC_LEFT_OUT, sums->mappings_left_out, "kind", "unit-mapping", NULL);
}

static void free_sums(struct sums *sums)
{
	struct unit *unit = sums->units;

	HASH_CLEAR(hh, sums->units);
	while (unit) {
		struct unit *next = unit->hh.next;

		free(unit);
		unit = next;
	}
	free(sums);
}

int metrics_put_model(struct metrics *metrics, const struct model *model)
{
	struct sums *sums = calloc(1, sizeof(*sums));
	int r;

	if (!sums)
		return -ENOMEM;
	r = sum_mappings(sums, model->ledger);
	if (r == 0) {
		sum_cookies(sums, model->ledger);
		sum_findings(sums, model);
		sum_lint(sums, model->lints);
		sum_devices(sums, model->ledger);
		put_sums(metrics, model, sums);
	}
	free_sums(sums);
	return r;
}
