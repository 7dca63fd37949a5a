/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/explain_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

char *explain_subject_text(const struct explain_subject *subject, char *out, size_t size)
{
	if (subject->kind == EXPLAIN_ADDRESS)
		snprintf(out, size, "%" PRIu32 " 0x%" PRIx64, subject->pid, subject->address);
	else if (subject->region == EVENT_REGION_UNKNOWN)
		snprintf(out, size, "%s", subject->device);
	else if (!subject->offset_given)
		snprintf(out, size, "%s:%" PRIu32, subject->device, subject->region);
	else
		snprintf(out, size, "%s:%" PRIu32 "+0x%" PRIx64, subject->device, subject->region,
			 subject->offset);
	return out;
}

/* @value passes to @array of @row. NULL: it could not be made. */
static void append(struct row *row, struct json_object *array, struct json_object *value)
{
	if (!row->failed && value && json_object_array_add(array, value) == 0)
		return;
	json_object_put(value);
	row->failed = true;
}

static void put_byte(struct row *row, const struct explained *explained)
{
	row_text(row, "device", explained->name, sizeof(explained->name));
	row_count(row, "region", explained->region, explained->region != EVENT_REGION_UNKNOWN);
	row_address(row, "offset", explained->offset, explained->offset_known);
	row_address(row, "phys", explained->phys, explained->phys_known);
}

static void put_piece(struct row *row, const struct piece *piece)
{
	struct row entry;

	if (piece->start == piece->end) {
		row_null(row, "piece");
		return;
	}
	entry = row_object(row, "piece");
	row_address(&entry, "start", piece->start, true);
	row_address(&entry, "end", piece->end, true);
	row_address(&entry, "phys_start", piece->phys_start, true);
	row_text(&entry, "type", memtype_name(piece->type), SIZE_MAX);
	row_bool(&entry, "populated", piece->populated, true);
	row_end(row, &entry);
}

static void put_mappings(struct row *row, const struct explained *explained,
			 const struct snapshot_clock *clock)
{
	struct json_object *array = row_array(row, "mappings");
	char path[SENTENCE_MAX];

	for (size_t i = 0; i < explained->n_mappings; i++) {
		const struct explained_mapping *entry = &explained->mappings[i];
		struct json_object *object =
			snapshot_mapping_row(explained->ledger, explained->policy, entry->mapping, clock);
		struct row inner = {.object = object, .failed = !object};

		put_piece(&inner, &entry->piece);
		row_sentence(&inner, "path", explain_path(explained, entry, path, sizeof(path)));
		append(row, array, object);
		row_end(row, &inner);
	}
	row_count(row, "mappings_omitted", explained->mappings_omitted, true);
}

static void put_cookies(struct row *row, const struct explained *explained,
			const struct snapshot_clock *clock)
{
	struct json_object *array = row_array(row, "cookies");

	for (size_t i = 0; i < explained->n_cookies; i++)
		append(row, array, snapshot_cookie_row(explained->ledger, explained->cookies[i], clock));
	row_count(row, "cookies_omitted", explained->cookies_omitted, true);
}

static void put_findings(struct row *row, const struct explained *explained,
			 const struct snapshot_clock *clock)
{
	struct json_object *array = row_array(row, "conflicts");

	for (size_t i = 0; i < explained->n_found; i++)
		append(row, array,
		       snapshot_conflict(explained->found[i], explained->ledger, explained->policy, clock));
	row_count(row, "conflicts_omitted", explained->found_omitted, true);
}

static void put_lints(struct row *row, const struct explained *explained, const struct snapshot_clock *clock)
{
	struct json_object *array = row_array(row, "lint");

	for (size_t i = 0; i < explained->n_rules; i++)
		append(row, array, snapshot_lint_row(explained->rules[i], explained->arch, clock));
	row_count(row, "lint_omitted", explained->rules_omitted, true);
}

static void put_reservations(struct row *row, const struct explained *explained,
			     const struct snapshot_clock *clock)
{
	struct json_object *array = row_array(row, "reservations");

	for (size_t i = 0; i < explained->n_reservations; i++) {
		const struct reservation *reservation = explained->reservations[i];
		struct row entry = row_append_object(row, array);

		row_address(&entry, "phys_start", reservation->phys_start, true);
		row_address(&entry, "phys_end", reservation->phys_end, true);
		row_text(&entry, "requested", memtype_name(reservation->requested), SIZE_MAX);
		row_text(&entry, "given", memtype_name(reservation->given), SIZE_MAX);
		row_process(&entry, reservation->process);
		row_time(&entry, "time", reservation->time_ns, clock->realtime_offset_ns);
		row_end(row, &entry);
	}
}

struct json_object *explain(const struct model *model, const struct snapshot_clock *clock,
			    const struct explain_subject *subject)
{
	struct explained *explained = calloc(1, sizeof(*explained));
	char text[EVENT_NAME_LEN + 64];
	struct row row;

	if (!explained)
		return NULL;
	explained->subject = subject;
	explained->ledger = model->ledger;
	explained->findings = model->findings;
	explained->lints = model->lints;
	explained->policy = model->policy;
	explained->arch = ledger_arch(model->ledger);
	explain_gather(explained);
	row = row_new();
	row_text(&row, "subject", explain_subject_text(subject, text, sizeof(text)), SIZE_MAX);
	put_byte(&row, explained);
	put_mappings(&row, explained, clock);
	put_cookies(&row, explained, clock);
	put_findings(&row, explained, clock);
	put_lints(&row, explained, clock);
	put_reservations(&row, explained, clock);
	explain_text(explained, &row, row_array(&row, "text"));
	free(explained);
	return row_take(&row);
}
