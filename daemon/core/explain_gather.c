/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/explain_internal.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 256

static bool piece_at_address(const struct ledger *ledger, const struct mapping *mapping, uint64_t address,
			     struct piece *ret)
{
	uint64_t cursor = 0;

	while (mapping_next_piece(ledger, mapping, &cursor, ret))
		if (ret->start <= address && address < ret->end)
			return true;
	return false;
}

static bool piece_at_phys(const struct ledger *ledger, const struct mapping *mapping, uint64_t phys,
			  struct piece *ret)
{
	uint64_t cursor = 0;

	while (mapping_next_piece(ledger, mapping, &cursor, ret))
		if (ret->phys_start <= phys && phys - ret->phys_start < ret->end - ret->start)
			return true;
	return false;
}

/* Whether the layout says that the mapping is over @phys, though nothing is reached there (revoked, unknown).
 */
static bool spans_phys(const struct mapping *mapping, uint64_t phys)
{
	return mapping->phys_known && mapping->phys_start <= phys &&
	       phys - mapping->phys_start < mapping->end - mapping->start;
}

static void find_address(struct explained *explained)
{
	const struct explain_subject *subject = explained->subject;
	const struct mapping *mapping = NULL;
	struct piece piece;

	while ((mapping = ledger_next_live(explained->ledger, mapping)))
		if (mapping->owner && mapping->owner->key.tgid == subject->pid &&
		    mapping->start <= subject->address && subject->address < mapping->end)
			break;
	explained->asked = mapping;
	if (!mapping)
		return;
	explained->device = mapping->device;
	explained->region = mapping->region;
	if (piece_at_address(explained->ledger, mapping, subject->address, &piece)) {
		explained->phys = piece.phys_start + (subject->address - piece.start);
		explained->phys_known = true;
	} else if (mapping->phys_known) {
		explained->phys = mapping->phys_start + (subject->address - mapping->start);
		explained->phys_known = true;
	}
}

/* The BAR that the byte is in, and where in it. */
static void find_bar(struct explained *explained)
{
	const struct device *device;
	uint32_t region;

	device = ledger_device_at(explained->ledger, explained->phys, &region);
	if (!device || region >= EVENT_BARS)
		return;
	explained->device = device;
	explained->region = region;
	explained->offset = explained->phys - device->facts.bars[region].phys_start;
	explained->offset_known = true;
}

static void find_device(struct explained *explained)
{
	const struct explain_subject *subject = explained->subject;
	const struct event_bar *bar;

	explained->device = ledger_device_by_name(explained->ledger, subject->device);
	explained->region = subject->region;
	if (!subject->offset_given)
		return;
	explained->offset = subject->offset;
	explained->offset_known = true;
	if (!explained->device || !explained->device->facts_known || subject->region >= EVENT_BARS)
		return;
	bar = &explained->device->facts.bars[subject->region];
	explained->beyond = subject->offset >= bar->size;
	explained->phys_known = !explained->beyond;
	if (explained->phys_known)
		explained->phys = bar->phys_start + subject->offset;
}

static bool is_of_bar(const struct explained *explained, const struct mapping *mapping)
{
	return explained->device && mapping->device == explained->device &&
	       (explained->region == EVENT_REGION_UNKNOWN || mapping->region == explained->region);
}

static bool concerns_mapping(const struct explained *explained, const struct mapping *mapping,
			     struct piece *piece)
{
	*piece = (struct piece){};
	if (explained->phys_known) {
		if (piece_at_phys(explained->ledger, mapping, explained->phys, piece))
			return true;
		*piece = (struct piece){};
		return mapping == explained->asked || spans_phys(mapping, explained->phys);
	}
	if (explained->subject->kind == EXPLAIN_ADDRESS)
		return mapping == explained->asked;
	return !explained->subject->offset_given && is_of_bar(explained, mapping);
}

static int compare_mappings(const void *a, const void *b)
{
	const struct explained_mapping *left = a, *right = b;

	return (left->mapping->id > right->mapping->id) - (left->mapping->id < right->mapping->id);
}

/* The one asked for is never left out. */
static void gather_mappings(struct explained *explained)
{
	const struct mapping *mapping = NULL;
	struct explained_mapping *entry;
	struct piece piece;

	while ((mapping = ledger_next_live(explained->ledger, mapping))) {
		if (!concerns_mapping(explained, mapping, &piece))
			continue;
		if (explained->n_mappings < EXPLAINED_MAX) {
			entry = &explained->mappings[explained->n_mappings++];
		} else {
			explained->mappings_omitted++;
			if (mapping != explained->asked)
				continue;
			entry = &explained->mappings[0];
		}
		*entry = (struct explained_mapping){mapping,
						    ledger_mapping_cookie(explained->ledger, mapping), piece};
	}
	qsort(explained->mappings, explained->n_mappings, sizeof(explained->mappings[0]), compare_mappings);
}

static bool is_of_region(const struct explained *explained, const struct cookie *cookie)
{
	uint32_t region = cookie->alias_of != EVENT_REGION_UNKNOWN ? cookie->alias_of : cookie->region;

	return explained->device && cookie->file->device == explained->device &&
	       (explained->region == EVENT_REGION_UNKNOWN || region == explained->region);
}

static bool is_mapped_through(const struct explained *explained, const struct cookie *cookie)
{
	for (size_t i = 0; i < explained->n_mappings; i++)
		if (explained->mappings[i].cookie == cookie)
			return true;
	return false;
}

static void gather_cookies(struct explained *explained)
{
	const struct cookie *chunk[CHUNK];
	uint64_t after = 0;
	size_t n;

	do {
		n = ledger_list_cookies(explained->ledger, false, after, chunk, CHUNK);
		for (size_t i = 0; i < n; i++) {
			after = chunk[i]->id;
			if (!is_of_region(explained, chunk[i]) && !is_mapped_through(explained, chunk[i]))
				continue;
			if (explained->n_cookies < EXPLAINED_MAX)
				explained->cookies[explained->n_cookies++] = chunk[i];
			else
				explained->cookies_omitted++;
		}
	} while (n == CHUNK);
}

/* Of a finding whose ranges are cut the rest may hold the byte. */
static bool has_byte(const struct finding *finding, uint64_t phys)
{
	for (unsigned int i = 0; i < finding->n_ranges; i++)
		if (finding->ranges[i].start <= phys && phys < finding->ranges[i].end)
			return true;
	return finding->ranges_cut && phys >= finding->ranges[FINDING_RANGES - 1].end &&
	       phys < finding->phys_end;
}

static bool concerns_finding(const struct explained *explained, const struct finding *finding)
{
	if (explained->phys_known)
		return has_byte(finding, explained->phys);
	if (explained->asked)
		return finding->parties[0].mapping == explained->asked->id ||
		       (finding->n_parties > 1 && finding->parties[1].mapping == explained->asked->id);
	return explained->name[0] && !explained->subject->offset_given &&
	       strcmp(finding->device, explained->name) == 0 &&
	       (explained->region == EVENT_REGION_UNKNOWN || finding->region == explained->region);
}

static void gather_findings(struct explained *explained)
{
	const struct finding *chunk[CHUNK];
	uint64_t after = 0;
	size_t n;

	do {
		n = findings_list(explained->findings, false, after, chunk, CHUNK);
		for (size_t i = 0; i < n; i++) {
			after = chunk[i]->id;
			if (!concerns_finding(explained, chunk[i]))
				continue;
			if (explained->n_found < EXPLAINED_MAX)
				explained->found[explained->n_found++] = chunk[i];
			else
				explained->found_omitted++;
		}
	} while (n == CHUNK);
}

static void gather_lints(struct explained *explained)
{
	const struct lint *chunk[CHUNK];
	uint64_t after = 0;
	size_t n;

	do {
		n = lints_list(explained->lints, after, chunk, CHUNK);
		for (size_t i = 0; i < n; i++) {
			after = chunk[i]->id;
			if (!explained->name[0] || strcmp(chunk[i]->device, explained->name) != 0 ||
			    (explained->region != EVENT_REGION_UNKNOWN &&
			     chunk[i]->region != EVENT_REGION_UNKNOWN &&
			     chunk[i]->region != explained->region))
				continue;
			if (explained->n_rules < EXPLAINED_MAX)
				explained->rules[explained->n_rules++] = chunk[i];
			else
				explained->rules_omitted++;
		}
	} while (n == CHUNK);
}

static bool concerns_reservation(const struct explained *explained, const struct reservation *reservation)
{
	const struct event_bar *bar;

	if (explained->phys_known)
		return reservation->phys_start <= explained->phys && explained->phys < reservation->phys_end;
	if (explained->region >= EVENT_BARS || !explained->device->facts_known)
		return true;
	bar = &explained->device->facts.bars[explained->region];
	return reservation->phys_start < bar->phys_start + bar->size &&
	       reservation->phys_end > bar->phys_start;
}

static void gather_reservations(struct explained *explained)
{
	for (unsigned int i = 0; explained->device && i < explained->device->n_reservations; i++)
		if (concerns_reservation(explained, &explained->device->reservations[i]))
			explained->reservations[explained->n_reservations++] =
				&explained->device->reservations[i];
}

void explain_gather(struct explained *explained)
{
	const struct explain_subject *subject = explained->subject;

	explained->region = EVENT_REGION_UNKNOWN;
	if (subject->kind == EXPLAIN_ADDRESS)
		find_address(explained);
	else
		find_device(explained);
	if (explained->phys_known)
		find_bar(explained);
	if (explained->device)
		memcpy(explained->name, explained->device->name, sizeof(explained->name));
	else if (subject->kind == EXPLAIN_DEVICE)
		memcpy(explained->name, subject->device, sizeof(explained->name));
	gather_mappings(explained);
	gather_cookies(explained);
	gather_findings(explained);
	gather_lints(explained);
	gather_reservations(explained);
}
