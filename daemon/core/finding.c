/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/finding_internal.h"

#include <stdio.h>

/*
 * Here a conflict is decided. Each live mapping is tracked with its segments; the segments of all are in one
 * index for each memory type, so that the ones which share bytes with a changed mapping and conflict with it
 * are found without looking at any other.
 *
 * Full: a conflict over the limit is refused. Its mapping is then starved, and looked at again once there is
 * room; of each refused pair at least one side is.
 */

#define ACTIVE_DEFAULT  ((size_t)65536)
#define HISTORY_DEFAULT ((size_t)4096)

int findings_new(struct findings **ret, const struct finding_limits *limits)
{
	struct findings *findings = calloc(1, sizeof(*findings));

	if (!findings)
		return -ENOMEM;
	findings->limits.active = limits && limits->active ? limits->active : ACTIVE_DEFAULT;
	findings->limits.history = limits && limits->history ? limits->history : HISTORY_DEFAULT;
	*ret = findings;
	return 0;
}

/* HASH_CLEAR frees the table and leaves its elements, whose hh.next still links them. */
static void tracked_clear(struct findings *findings)
{
	struct tracked *tracked = findings->tracked;

	HASH_CLEAR(hh, findings->tracked);
	while (tracked) {
		struct tracked *next = tracked->hh.next;

		free(tracked->segments);
		free(tracked);
		tracked = next;
	}
}

struct findings *findings_free(struct findings *findings)
{
	if (!findings)
		return NULL;
	tracked_clear(findings);
	findings_clear(findings);
	causes_clear(findings);
	for (int type = 0; type < MEMTYPE_TYPES; type++)
		index_clear(&findings->index[type]);
	free(findings->candidates);
	free(findings->notes);
	free(findings->ranges);
	free(findings);
	return NULL;
}

struct party party_of(const struct ledger *ledger, const struct mapping *mapping)
{
	const struct process *owner = mapping->owner;
	struct party party = {
		.mapping = mapping->id,
		.source = mapping->source,
		.requested = ledger_requested(ledger, mapping),
		.type = ledger_requested(ledger, mapping),
	};

	if (owner) {
		party.process = owner->key;
		party.uid = owner->uid;
		memcpy(party.comm, owner->comm, sizeof(party.comm));
	}
	return party;
}

static struct tracked *tracked_find(const struct findings *findings, uint64_t id)
{
	struct tracked *tracked = NULL;

	HASH_FIND(hh, findings->tracked, &id, sizeof(id), tracked);
	return tracked;
}

static int tracked_get(struct findings *findings, uint64_t id, struct tracked **ret)
{
	struct tracked *tracked = tracked_find(findings, id);

	if (!tracked) {
		tracked = calloc(1, sizeof(*tracked));
		if (!tracked)
			return -ENOMEM;
		tracked->id = id;
		tracked->region = EVENT_REGION_UNKNOWN;
		HASH_ADD(hh, findings->tracked, id, sizeof(tracked->id), tracked);
		if (!tracked->hh.tbl) {
			free(tracked);
			return -ENOMEM;
		}
	}
	*ret = tracked;
	return 0;
}

static void take_out(struct findings *findings, struct tracked *tracked)
{
	for (size_t i = 0; i < tracked->n_segments; i++)
		index_remove(&findings->index[tracked->segments[i].type], tracked->segments[i].start,
			     tracked);
	tracked->indexed = false;
}

/* On failure none of it is in the index. */
static int put_in(struct findings *findings, struct tracked *tracked)
{
	for (size_t i = 0; i < tracked->n_segments; i++) {
		if (index_insert(&findings->index[tracked->segments[i].type], &tracked->segments[i],
				 tracked) == 0)
			continue;
		take_out(findings, tracked);
		return -ENOMEM;
	}
	tracked->indexed = true;
	return 0;
}

static int note_candidate(void *userdata, struct tracked *owner)
{
	struct findings *findings = userdata;

	if (owner->stamp == findings->stamp)
		return 0;
	owner->stamp = findings->stamp;
	if (grow((void **)&findings->candidates, &findings->candidates_capacity, findings->n_candidates,
		 sizeof(*findings->candidates)) < 0)
		return -ENOMEM;
	findings->candidates[findings->n_candidates++] = owner;
	return 0;
}

/* All others that share a byte with @tracked there of a type that conflicts, once each, in no order. */
static int find_candidates(struct findings *findings, struct tracked *tracked)
{
	findings->n_candidates = 0;
	tracked->stamp = ++findings->stamp;
	for (size_t i = 0; i < tracked->n_segments; i++) {
		const struct segment *segment = &tracked->segments[i];

		for (int type = 0; type < MEMTYPE_TYPES; type++) {
			int r;

			if (!memtype_conflict(segment->type, type))
				continue;
			r = index_overlaps(&findings->index[type], segment->start, segment->end,
					   note_candidate, findings);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Pairs of @tracked that were refused, as of the last evaluation. Looks only if there are any at all. */
static int refused_pairs(struct findings *findings, struct tracked *tracked, uint64_t *ret)
{
	int r;

	*ret = 0;
	if (!findings->counts.refused)
		return 0;
	r = find_candidates(findings, tracked);
	if (r == 0)
		*ret = findings->n_candidates - tracked->n_aliases;
	return r;
}

static void set_starved(struct findings *findings, struct tracked *tracked, bool starved)
{
	if (starved == tracked->is_starved)
		return;
	tracked->is_starved = starved;
	if (starved)
		DL_APPEND2(findings->starved, tracked, starved_previous, starved_next);
	else
		DL_DELETE2(findings->starved, tracked, starved_previous, starved_next);
}

static void set_refused(struct findings *findings, struct tracked *tracked, enum finding_kind kind,
			bool refused)
{
	if (kind != FINDING_ALIAS && refused != tracked->refused[kind])
		findings->counts.refused += refused ? 1 : -1;
	tracked->refused[kind] = refused;
	set_starved(findings, tracked,
		    tracked->refused[FINDING_ALIAS] || tracked->refused[FINDING_PROMOTION] ||
			    tracked->refused[FINDING_DEMOTION]);
}

static int compare_tracked(const void *a, const void *b)
{
	const struct tracked *left = *(struct tracked *const *)a, *right = *(struct tracked *const *)b;

	return (left->id > right->id) - (left->id < right->id);
}

static struct finding_draft draft_pair(struct tracked *a, struct tracked *b)
{
	bool ordered = a->id < b->id;

	return (struct finding_draft){
		.kind = FINDING_ALIAS,
		.sides = {ordered ? a : b, ordered ? b : a},
	};
}

/* Closes the aliases of @tracked with anything that is not among the candidates. */
static void close_vanished(struct update *update, struct tracked *tracked)
{
	struct findings *findings = update->findings;
	struct link *link, *next;

	for (size_t i = 0; i < findings->n_candidates; i++) {
		struct finding_draft draft = draft_pair(tracked, findings->candidates[i]);
		struct opened *opened = opened_find(findings, &draft);

		if (opened)
			opened->stamp = findings->stamp;
	}
	for (link = tracked->aliases; link; link = next) {
		next = link->next;
		if (link->opened->stamp != findings->stamp)
			finding_close(update, link->opened);
	}
}

/* Makes the aliases of @tracked those that its segments have. @before: pairs that were refused so far. */
static int update_aliases(struct update *update, struct tracked *tracked, uint64_t before)
{
	struct findings *findings = update->findings;
	bool refused = false;
	int r;

	r = find_candidates(findings, tracked);
	if (r < 0)
		return r;
	close_vanished(update, tracked);
	if (findings->n_candidates > 1)
		qsort(findings->candidates, findings->n_candidates, sizeof(*findings->candidates),
		      compare_tracked);
	for (size_t i = 0; i < findings->n_candidates; i++) {
		struct finding_draft draft = draft_pair(tracked, findings->candidates[i]);

		if (findings->n_active >= findings->limits.active && !opened_find(findings, &draft)) {
			refused = true;
			continue;
		}
		r = collect_shared(findings, draft.sides[0], draft.sides[1], draft.types);
		if (r == 0)
			r = finding_put(update, &draft, &refused);
		if (r < 0)
			return r;
	}
	findings->counts.refused -= before;
	findings->counts.refused += findings->n_candidates - tracked->n_aliases;
	set_refused(findings, tracked, FINDING_ALIAS, refused);
	return 0;
}

/* From findings->notes. */
static int update_deviation(struct update *update, struct tracked *tracked, enum finding_kind kind)
{
	struct findings *findings = update->findings;
	struct finding_draft draft = {
		.kind = kind,
		.sides = {tracked, tracked},
	};
	bool refused = false;
	int r;

	r = collect_deviation(findings, tracked->party.requested, kind, &draft.types[0]);
	if (r < 0)
		return r;
	if (findings->n_ranges) {
		r = finding_put(update, &draft, &refused);
		if (r < 0)
			return r;
	} else if (tracked->deviations[kind]) {
		finding_close(update, tracked->deviations[kind]);
	}
	set_refused(findings, tracked, kind, refused);
	return 0;
}

static bool same_party(const struct party *a, const struct party *b)
{
	return a->process.tgid == b->process.tgid && a->process.start_ns == b->process.start_ns &&
	       a->uid == b->uid && a->source == b->source && a->requested == b->requested &&
	       strcmp(a->comm, b->comm) == 0;
}

/* Takes over who and where; true if something is different. */
static bool describe(struct update *update, struct tracked *tracked, const struct mapping *mapping)
{
	const char *device = mapping->device ? mapping->device->name : "";
	struct party party = party_of(update->ledger, mapping);

	if (tracked->region == mapping->region && strcmp(tracked->device, device) == 0 &&
	    same_party(&tracked->party, &party))
		return false;
	tracked->party = party;
	tracked->region = mapping->region;
	snprintf(tracked->device, sizeof(tracked->device), "%s", device);
	return true;
}

/* Gives @tracked the segments of findings->notes. *changed: they are others than before. */
static int update_segments(struct findings *findings, struct tracked *tracked, bool *changed)
{
	struct segment *segments;
	size_t n;
	int r;

	r = make_segments(findings, &segments, &n);
	if (r < 0)
		return r;
	*changed = !tracked->indexed || n != tracked->n_segments;
	for (size_t i = 0; i < n && !*changed; i++)
		*changed = segments[i].start != tracked->segments[i].start ||
			   segments[i].end != tracked->segments[i].end ||
			   segments[i].type != tracked->segments[i].type;
	if (!*changed) {
		free(segments);
		return 0;
	}
	if (tracked->indexed)
		take_out(findings, tracked);
	free(tracked->segments);
	tracked->segments = segments;
	tracked->n_segments = n;
	return put_in(findings, tracked);
}

static int evaluate_live(struct update *update, struct tracked *tracked, const struct mapping *mapping)
{
	struct findings *findings = update->findings;
	uint64_t before;
	bool moved, described;
	int r;

	r = refused_pairs(findings, tracked, &before);
	if (r == 0)
		r = collect_pieces(update, mapping);
	if (r < 0)
		return r;
	described = describe(update, tracked, mapping);
	r = update_segments(findings, tracked, &moved);
	if (r == 0)
		r = claim_update(update, tracked, mapping);
	/* First what closes, so that there is room for what opens. */
	if (r == 0 && (moved || described || tracked->unfinished || tracked->refused[FINDING_ALIAS]))
		r = update_aliases(update, tracked, before);
	for (enum finding_kind kind = FINDING_PROMOTION; r == 0 && kind < FINDING_KINDS; kind++)
		r = update_deviation(update, tracked, kind);
	tracked->unfinished = r < 0;
	tracked->pages_known = r == 0 && mapping->pages_known;
	tracked->start = mapping->start;
	tracked->end = mapping->end;
	return r;
}

/* The mapping is gone: with it all findings that it is part of. */
static int forget(struct update *update, struct tracked *tracked, uint64_t closed_ns)
{
	struct findings *findings = update->findings;
	uint64_t before = 0;
	int r;

	r = refused_pairs(findings, tracked, &before);
	findings->counts.refused -= before;
	while (tracked->aliases)
		finding_close(update, tracked->aliases->opened);
	for (enum finding_kind kind = 0; kind < FINDING_KINDS; kind++) {
		if (tracked->deviations[kind])
			finding_close(update, tracked->deviations[kind]);
		set_refused(findings, tracked, kind, false);
	}
	if (tracked->indexed)
		take_out(findings, tracked);
	claim_close(findings, tracked, closed_ns);
	HASH_DEL(findings->tracked, tracked);
	free(tracked->segments);
	free(tracked);
	return r;
}

/*
 * What it was seen to be holds until more is known: while its range is in the making, and while all its pages
 * are to be read again (events were lost, or it grew). A walk is due then.
 */
static bool must_wait(const struct tracked *tracked, const struct mapping *mapping)
{
	if (!mapping->settled)
		return true;
	return tracked && tracked->pages_known && !mapping->pages_known && !mapping->runs_cut &&
	       mapping->start <= tracked->start && mapping->end >= tracked->end;
}

static int evaluate(struct update *update, const struct mapping *mapping)
{
	struct tracked *tracked = tracked_find(update->findings, mapping->id);
	int r;

	if (!mapping->live)
		return tracked ? forget(update, tracked, mapping->closed_ns)
			       : claim_note_closed(update, mapping);
	if (must_wait(tracked, mapping))
		return 0;
	r = tracked_get(update->findings, mapping->id, &tracked);
	return r < 0 ? r : evaluate_live(update, tracked, mapping);
}

/* Counts the refused anew: an update that failed halfway left the number wrong. */
static int count_refused(struct findings *findings)
{
	uint64_t pairs = 0, others = 0;

	for (struct tracked *tracked = findings->tracked; tracked; tracked = tracked->hh.next) {
		int r = find_candidates(findings, tracked);

		if (r < 0)
			return r;
		pairs += findings->n_candidates - tracked->n_aliases;
		others += tracked->refused[FINDING_PROMOTION] + tracked->refused[FINDING_DEMOTION];
	}
	findings->counts.refused = pairs / 2 + others;
	return 0;
}

/* Looks at everything. */
static int rescan(struct update *update)
{
	struct findings *findings = update->findings;
	struct tracked *tracked, *next;
	int r;

	for (tracked = findings->tracked; tracked; tracked = next) {
		const struct mapping *mapping = ledger_mapping(update->ledger, tracked->id);

		next = tracked->hh.next;
		if (mapping && mapping->live)
			continue;
		r = forget(update, tracked, mapping ? mapping->closed_ns : update->now_ns);
		if (r < 0)
			return r;
	}
	for (const struct mapping *mapping = NULL; (mapping = ledger_next_live(update->ledger, mapping));) {
		r = evaluate(update, mapping);
		if (r < 0)
			return r;
	}
	return count_refused(findings);
}

/* Gives room that there is to what was refused. Each starved mapping is looked at once. */
static int feed_starved(struct update *update)
{
	struct findings *findings = update->findings;
	struct tracked *last = findings->starved ? findings->starved->starved_previous : NULL;
	bool done = !last;

	while (!done && findings->n_active < findings->limits.active) {
		struct tracked *tracked = findings->starved;
		const struct mapping *mapping = ledger_mapping(update->ledger, tracked->id);
		int r;

		done = tracked == last;
		set_starved(findings, tracked, false);
		set_starved(findings, tracked, true);
		r = mapping ? evaluate(update, mapping) : forget(update, tracked, update->now_ns);
		if (r < 0)
			return r;
	}
	return 0;
}

int findings_update(struct findings *findings, struct ledger *ledger, uint64_t now_ns, finding_notify notify,
		    void *userdata)
{
	struct update update = {findings, ledger, now_ns, notify, userdata};
	const struct mapping *mapping;
	int r = 0;

	if (findings->rescan)
		r = rescan(&update);
	findings->rescan = r < 0;
	while (r == 0 && (mapping = ledger_next_touched(ledger)))
		r = evaluate(&update, mapping);
	if (r == 0)
		r = feed_starved(&update);
	if (r < 0) {
		findings->rescan = true;
		return r;
	}
	causes_update(&update);
	return 0;
}
