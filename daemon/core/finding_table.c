/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding_internal.h"

/* Opening, changing, closing and listing findings. */

struct opened *opened_find(const struct findings *findings, const struct finding_draft *draft)
{
	struct finding probe = {};
	struct finding *finding = NULL;

	probe.key.mappings[0] = draft->sides[0]->id;
	probe.key.mappings[1] = draft->sides[1]->id;
	probe.key.kind = draft->kind;
	HASH_FIND(hh_key, findings->by_key, &probe.key, sizeof(probe.key), finding);
	return (struct opened *)finding;
}

static bool party_is(const struct party *a, const struct party *b)
{
	return a->mapping == b->mapping && a->process.tgid == b->process.tgid &&
	       a->process.start_ns == b->process.start_ns && a->source == b->source &&
	       a->requested == b->requested && a->type == b->type;
}

static enum finding_severity severity_of(const struct finding *finding)
{
	if (finding->kind == FINDING_DEMOTION)
		return SEVERITY_LOW;
	for (unsigned int i = 0; i < finding->n_parties; i++)
		if (memtype_strength(finding->parties[i].type) > memtype_strength(MEMTYPE_WC))
			return SEVERITY_CRITICAL;
	return SEVERITY_HIGH;
}

static bool set_parties(struct finding *finding, const struct finding_draft *draft)
{
	bool changed = false;

	for (unsigned int i = 0; i < finding->n_parties; i++) {
		struct party party = draft->sides[i]->party;

		party.type = draft->types[i];
		if (!party_is(&party, &finding->parties[i]))
			changed = true;
		finding->parties[i] = party;
	}
	finding->severity = severity_of(finding);
	return changed;
}

/* From findings->ranges, at least one. */
static bool set_ranges(struct findings *findings, struct finding *finding)
{
	uint64_t bytes = ranges_join(findings->ranges, &findings->n_ranges);
	bool cut = findings->n_ranges > FINDING_RANGES;
	unsigned int n = cut ? FINDING_RANGES : findings->n_ranges;
	bool changed = bytes != finding->bytes || cut != finding->ranges_cut || n != finding->n_ranges ||
		       findings->ranges[findings->n_ranges - 1].end != finding->phys_end ||
		       memcmp(finding->ranges, findings->ranges, n * sizeof(finding->ranges[0])) != 0;

	memset(finding->ranges, 0, sizeof(finding->ranges));
	memcpy(finding->ranges, findings->ranges, n * sizeof(finding->ranges[0]));
	finding->n_ranges = n;
	finding->ranges_cut = cut;
	finding->phys_end = findings->ranges[findings->n_ranges - 1].end;
	finding->bytes = bytes;
	return changed;
}

/* The BAR that the bytes are in, else what the mapping says. */
static void find_bar(const struct update *update, const struct finding_draft *draft, uint64_t phys,
		     const char **name, uint32_t *region)
{
	uint32_t at = EVENT_REGION_UNKNOWN;
	const struct device *device = ledger_device_at(update->ledger, phys, &at);

	*name = device ? device->name : "";
	*region = at;
	for (int i = 0; i < 2; i++) {
		if (!(*name)[0])
			*name = draft->sides[i]->device;
		if (*region == EVENT_REGION_UNKNOWN && strcmp(*name, draft->sides[i]->device) == 0)
			*region = draft->sides[i]->region;
	}
}

static void leave_place(struct findings *findings, struct opened *opened)
{
	struct place *place = opened->place;

	if (!place)
		return;
	place->active--;
	if (opened->finding.kind != FINDING_ALIAS)
		DL_DELETE2(place->deviations, opened, place_previous, place_next);
	opened->place = NULL;
	place_drop_if_empty(findings, place);
}

static void enter_place(struct opened *opened, struct place *place)
{
	opened->place = place;
	if (!place)
		return;
	place->active++;
	if (opened->finding.kind != FINDING_ALIAS)
		DL_APPEND2(place->deviations, opened, place_previous, place_next);
}

static int set_bar(struct update *update, struct opened *opened, const struct finding_draft *draft,
		   bool *changed)
{
	struct finding *finding = &opened->finding;
	struct place *place = NULL;
	const char *name;
	uint32_t region;

	find_bar(update, draft, update->findings->ranges[0].start, &name, &region);
	if (finding->region != region)
		*changed = true;
	finding->region = region;
	if (strcmp(finding->device, name) == 0)
		return 0;
	if (name[0] && place_get(update->findings, name, &place) < 0)
		return -ENOMEM;
	leave_place(update->findings, opened);
	strcpy(finding->device, name); /* both are EVENT_NAME_LEN + 1 */
	enter_place(opened, place);
	*changed = true;
	return 0;
}

static int table_add(struct findings *findings, struct opened *opened)
{
	struct finding *finding = &opened->finding;

	HASH_ADD(hh, findings->by_id, id, sizeof(finding->id), finding);
	if (!finding->hh.tbl)
		return -ENOMEM;
	HASH_ADD(hh_key, findings->by_key, key, sizeof(finding->key), finding);
	if (finding->hh_key.tbl)
		return 0;
	HASH_DEL(findings->by_id, finding);
	return -ENOMEM;
}

/* Makes an empty one, known to table and sides. */
static int opened_new(struct update *update, const struct finding_draft *draft, struct opened **ret)
{
	struct findings *findings = update->findings;
	struct opened *opened = calloc(1, sizeof(*opened));
	struct finding *finding;

	if (!opened)
		return -ENOMEM;
	finding = &opened->finding;
	finding->id = findings->named + 1;
	finding->kind = draft->kind;
	finding->n_parties = draft->kind == FINDING_ALIAS ? 2 : 1;
	finding->region = EVENT_REGION_UNKNOWN;
	finding->cause = draft->kind == FINDING_ALIAS ? CAUSE_NONE : CAUSE_UNKNOWN;
	finding->since_ns = update->now_ns;
	finding->active = true;
	finding->key.mappings[0] = draft->sides[0]->id;
	finding->key.mappings[1] = draft->sides[1]->id;
	finding->key.kind = draft->kind;
	if (table_add(findings, opened) < 0) {
		free(opened);
		return -ENOMEM;
	}
	findings->named++;
	findings->n_active++;
	findings->counts.active[draft->kind]++;
	findings->counts.opened++;
	if (draft->kind == FINDING_ALIAS) {
		for (int i = 0; i < 2; i++) {
			opened->links[i].opened = opened;
			opened->sides[i] = draft->sides[i];
			DL_APPEND2(draft->sides[i]->aliases, &opened->links[i], previous, next);
			draft->sides[i]->n_aliases++;
		}
	} else {
		opened->sides[0] = draft->sides[0];
		draft->sides[0]->deviations[draft->kind] = opened;
	}
	*ret = opened;
	return 0;
}

/* Takes it out of all but history's table. */
static void detach(struct findings *findings, struct opened *opened)
{
	struct finding *finding = &opened->finding;

	HASH_DELETE(hh_key, findings->by_key, finding);
	if (finding->kind == FINDING_ALIAS) {
		for (int i = 0; i < 2; i++) {
			DL_DELETE2(opened->sides[i]->aliases, &opened->links[i], previous, next);
			opened->sides[i]->n_aliases--;
		}
	} else {
		opened->sides[0]->deviations[finding->kind] = NULL;
	}
	leave_place(findings, opened);
	findings->n_active--;
	findings->counts.active[finding->kind]--;
}

/*
 * Opens what @draft says, or brings it up to date; the bytes are in findings->ranges, at least one. *refused:
 * the limit is reached.
 */
int finding_put(struct update *update, const struct finding_draft *draft, bool *refused)
{
	struct findings *findings = update->findings;
	struct opened *opened = opened_find(findings, draft);
	bool is_new = !opened, changed = false, other_type;

	if (is_new && findings->n_active >= findings->limits.active) {
		*refused = true;
		return 0;
	}
	if (is_new && opened_new(update, draft, &opened) < 0)
		return -ENOMEM;
	other_type = is_new || opened->finding.parties[0].type != draft->types[0];
	if (set_parties(&opened->finding, draft))
		changed = true;
	if (set_ranges(findings, &opened->finding))
		changed = true;
	if (set_bar(update, opened, draft, &changed) < 0) {
		if (is_new) {
			detach(findings, opened);
			findings->counts.opened--;
			HASH_DEL(findings->by_id, &opened->finding);
			free(opened);
		}
		return -ENOMEM;
	}
	if (is_new)
		findings->counts.opened_as[draft->kind][opened->finding.severity]++;
	if (draft->kind != FINDING_ALIAS && other_type && cause_find(update, opened))
		changed = true;
	if (update->notify && (is_new || changed))
		update->notify(update->userdata, is_new ? FINDING_OPENED : FINDING_CHANGED, &opened->finding);
	return 0;
}

static void history_trim(struct findings *findings)
{
	while (findings->n_closed > findings->limits.history) {
		struct finding *oldest = findings->closed;

		DL_DELETE2(findings->closed, oldest, previous, next);
		findings->n_closed--;
		HASH_DEL(findings->by_id, oldest);
		free(oldest);
	}
}

void finding_close(struct update *update, struct opened *opened)
{
	struct findings *findings = update->findings;
	struct finding *finding = &opened->finding;

	detach(findings, opened);
	finding->active = false;
	finding->until_ns = update->now_ns;
	DL_APPEND2(findings->closed, finding, previous, next);
	findings->n_closed++;
	if (update->notify)
		update->notify(update->userdata, FINDING_CLOSED, finding);
	history_trim(findings);
}

/* Frees all, open or closed. */
void findings_clear(struct findings *findings)
{
	struct finding *finding = findings->by_id;

	HASH_CLEAR(hh_key, findings->by_key);
	HASH_CLEAR(hh, findings->by_id);
	while (finding) {
		struct finding *next = finding->hh.next;

		free(finding);
		finding = next;
	}
	findings->closed = NULL;
}

const struct finding *finding_by_id(const struct findings *findings, uint64_t id)
{
	struct finding *finding = NULL;

	HASH_FIND(hh, findings->by_id, &id, sizeof(id), finding);
	return finding;
}

/* The table is in order of id: ids rise, and it keeps the order in which entries were added. */
size_t findings_list(const struct findings *findings, bool all, uint64_t after,
		     const struct finding **entries, size_t max)
{
	const struct finding *finding = after ? finding_by_id(findings, after) : NULL;
	size_t n = 0;

	for (finding = finding ? finding : findings->by_id; finding && n < max; finding = finding->hh.next)
		if (finding->id > after && (all || finding->active))
			entries[n++] = finding;
	return n;
}

void finding_counts(const struct findings *findings, struct finding_counts *ret)
{
	*ret = findings->counts;
}

uint64_t findings_of_device(const struct findings *findings, const char *device)
{
	const struct place *place = place_find(findings, device);

	return place ? place->active : 0;
}
