/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages of a mapping are populated, and with what. */
#include "core/ledger_internal.h"

/* Counts the mapping as due for a walk, or not any more. A limit is not overcome by walking again. */
void pages_count(struct ledger *ledger, struct mapping *mapping)
{
	bool due = mapping->live && mapping->start < mapping->end && !mapping->pages_known &&
		   !mapping->runs_cut && memtype_arch_walked(ledger->arch);

	if (due && !mapping->pages_due)
		ledger->pages_due++;
	else if (!due && mapping->pages_due)
		ledger->pages_due--;
	mapping->pages_due = due;
}

bool ledger_pages_due(const struct ledger *ledger)
{
	return ledger->pages_due > 0;
}

static void set_told(struct ledger *ledger, struct mapping *mapping, uint64_t start, uint64_t end)
{
	mapping->told_start = start < end ? start : 0;
	mapping->told_end = start < end ? end : 0;
	mapping->pages_known =
		mapping->start < mapping->end && start <= mapping->start && end >= mapping->end;
	if (mapping->pages_known)
		mapping->runs_cut = false;
	pages_count(ledger, mapping);
}

/* Frees the runs. */
void pages_drop(struct ledger *ledger, struct mapping *mapping)
{
	ledger->runs -= mapping->n_runs;
	mapping->n_runs = 0;
	free(mapping->runs);
	mapping->runs = NULL;
}

/* It has no pages, and that is known. */
void pages_none(struct ledger *ledger, struct mapping *mapping)
{
	pages_drop(ledger, mapping);
	set_told(ledger, mapping, mapping->start, mapping->end);
}

/* Nothing is known of its pages. */
void pages_forget(struct ledger *ledger, struct mapping *mapping)
{
	pages_drop(ledger, mapping);
	mapping->runs_cut = false;
	set_told(ledger, mapping, 0, 0);
}

/* As kernel events came in a wrong order: what else is as old cannot be put together any more. */
static void forget_disordered(struct ledger *ledger, struct mapping *mapping)
{
	pages_forget(ledger, mapping);
	if (mapping->pages_ns <= mapping->populated_ns && mapping->populated_ns < UINT64_MAX)
		mapping->pages_ns = mapping->populated_ns + 1;
}

/* Events were lost: nothing is known of any mapping's pages, or with runs kept of those that are not
 * populated. */
void pages_forget_all(struct ledger *ledger, bool runs_too, uint64_t time_ns)
{
	if (ledger->pages_lost_ns < time_ns)
		ledger->pages_lost_ns = time_ns;
	for (struct mapping *mapping = ledger->mappings; mapping; mapping = mapping->hh.next) {
		if (!mapping->live)
			continue;
		if (runs_too)
			pages_drop(ledger, mapping);
		mapping->runs_cut = false;
		set_told(ledger, mapping, 0, 0);
		if (mapping->pages_ns < time_ns)
			mapping->pages_ns = time_ns;
		mapping_touch(ledger, mapping);
	}
}

static bool joins(const struct page_run *run, const struct page_run *next)
{
	return run->end == next->start && run->phys_start + (run->end - run->start) == next->phys_start &&
	       run->type == next->type && run->leaf == next->leaf;
}

/* Runs being put together, in rising order. What is over max is left out. */
struct builder {
	struct page_run *runs;
	size_t n, max;
	bool cut;
};

/* Takes the part of @run from @start to @end. */
static void build(struct builder *builder, const struct page_run *run, uint64_t start, uint64_t end)
{
	struct page_run part = *run;

	if (start < run->start)
		start = run->start;
	if (end > run->end)
		end = run->end;
	if (start >= end || builder->cut)
		return;
	part.start = start;
	part.end = end;
	part.phys_start = run->phys_start + (start - run->start);
	if (builder->n > 0 && joins(&builder->runs[builder->n - 1], &part))
		builder->runs[builder->n - 1].end = end;
	else if (builder->n < builder->max)
		builder->runs[builder->n++] = part;
	else
		builder->cut = true;
}

/* What was told from @start to @end takes the place of what was known there. */
static void build_replaced(struct builder *builder, const struct mapping *mapping, uint64_t start,
			   uint64_t end, const struct page_run *told, size_t n_told)
{
	for (size_t i = 0; i < mapping->n_runs; i++)
		build(builder, &mapping->runs[i], 0, start);
	for (size_t i = 0; i < n_told; i++)
		build(builder, &told[i], start, end);
	for (size_t i = 0; i < mapping->n_runs; i++)
		build(builder, &mapping->runs[i], end, UINT64_MAX);
}

/* What was told fills the gaps of what is known. */
static void build_filled(struct builder *builder, const struct mapping *mapping, uint64_t start, uint64_t end,
			 const struct page_run *told, size_t n_told)
{
	uint64_t at = start;

	for (size_t i = 0; i <= mapping->n_runs; i++) {
		const struct page_run *run = i < mapping->n_runs ? &mapping->runs[i] : NULL;
		uint64_t gap_end = run && run->start < end ? run->start : end;

		for (size_t j = 0; j < n_told && at < gap_end; j++)
			build(builder, &told[j], at, gap_end);
		if (!run)
			break;
		build(builder, run, 0, UINT64_MAX);
		if (at < run->end)
			at = run->end;
	}
}

/* Runs that one mapping may have: others hold the rest. Those of closed mappings are given up, oldest first.
 */
static size_t runs_allowed(struct ledger *ledger, const struct mapping *mapping, size_t wanted)
{
	size_t others = ledger->runs - mapping->n_runs, left;

	if (wanted > RUNS_PER_MAPPING)
		wanted = RUNS_PER_MAPPING;
	if (others + wanted > ledger->runs_max)
		for (struct mapping *closed = ledger->closed_mappings; closed; closed = closed->next) {
			if (!closed->n_runs)
				continue;
			others -= closed->n_runs;
			pages_forget(ledger, closed);
			if (others + wanted <= ledger->runs_max)
				break;
		}
	left = others < ledger->runs_max ? ledger->runs_max - others : 0;
	return wanted < left ? wanted : left;
}

/* Puts @builder's runs in the place of the mapping's. Returns true if they differ. */
static bool take_runs(struct ledger *ledger, struct mapping *mapping, struct builder *builder)
{
	size_t size = builder->n * sizeof(*builder->runs);
	struct page_run *smaller;

	if (builder->n == mapping->n_runs && !(size && memcmp(builder->runs, mapping->runs, size))) {
		free(builder->runs);
		return false;
	}
	pages_drop(ledger, mapping);
	if (!builder->n) {
		free(builder->runs);
		return true;
	}
	smaller = realloc(builder->runs, size);
	mapping->runs = smaller ? smaller : builder->runs;
	mapping->n_runs = builder->n;
	ledger->runs += builder->n;
	return true;
}

/*
 * One part is kept as told of. A walk begins with the first page and goes on without a gap; what does not
 * touch that is known when the walk comes to it.
 */
static void tell(struct ledger *ledger, struct mapping *mapping, uint64_t start, uint64_t end)
{
	bool apart = end < mapping->told_start || start > mapping->told_end;

	if (mapping->told_start == mapping->told_end || (apart && mapping->told_start != mapping->start)) {
		set_told(ledger, mapping, start, end);
	} else if (!apart) {
		set_told(ledger, mapping, start < mapping->told_start ? start : mapping->told_start,
			 end > mapping->told_end ? end : mapping->told_end);
	}
}

/* The runs end where the limit was reached: behind the last one nothing is known. */
static void cut(struct ledger *ledger, struct mapping *mapping)
{
	uint64_t end = mapping->n_runs ? mapping->runs[mapping->n_runs - 1].end : mapping->start;

	mapping->runs_cut = true;
	set_told(ledger, mapping, mapping->told_start, end < mapping->told_end ? end : mapping->told_end);
}

/* Keeps of what is known the part within the range that the mapping has now. */
void pages_fit(struct ledger *ledger, struct mapping *mapping, uint64_t start, uint64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < mapping->n_runs; i++) {
		struct page_run run = mapping->runs[i];

		if (run.start < start) {
			run.phys_start += start - run.start;
			run.start = start;
		}
		if (run.end > end)
			run.end = end;
		if (run.start < run.end)
			mapping->runs[n++] = run;
	}
	ledger->runs -= mapping->n_runs - n;
	mapping->n_runs = n;
	if (!n)
		pages_drop(ledger, mapping);
	set_told(ledger, mapping, mapping->told_start > start ? mapping->told_start : start,
		 mapping->told_end < end ? mapping->told_end : end);
}

static bool run_is_good(const struct event_page_run *run, uint64_t at, uint64_t end)
{
	return run->start >= at && run->start < run->end && run->end <= end && run->start % PAGE_UNIT == 0 &&
	       run->end % PAGE_UNIT == 0 && range_is_good(run->phys_start, run->end - run->start) &&
	       run->type < MEMTYPE_TYPES && run->leaf < LEAF_SIZES;
}

static bool pages_are_good(const struct event_pages *told)
{
	uint64_t at = told->start;

	if (!told->mapping_id || told->start >= told->end || told->start % PAGE_UNIT ||
	    told->end % PAGE_UNIT || told->n_runs > EVENT_RUNS_MAX)
		return false;
	for (size_t i = 0; i < told->n_runs; i++) {
		if (!run_is_good(&told->runs[i], at, told->end))
			return false;
		at = told->runs[i].end;
	}
	return true;
}

/* @fill: a newer event told of some of the pages already. */
static int mapping_take_pages(struct ledger *ledger, struct mapping *mapping, const struct event *event,
			      bool fill, bool *changed)
{
	const struct event_pages *told = &event->pages;
	uint64_t start = told->start > mapping->start ? told->start : mapping->start;
	uint64_t end = told->end < mapping->end ? told->end : mapping->end;
	uint64_t told_start = mapping->told_start, told_end = mapping->told_end;
	bool was_known = mapping->pages_known;
	struct page_run runs[EVENT_RUNS_MAX];
	struct builder builder = {0};
	size_t wanted = (fill ? 2 : 1) * mapping->n_runs + told->n_runs + 1;

	for (size_t i = 0; i < told->n_runs; i++)
		runs[i] = (struct page_run){
			.start = told->runs[i].start,
			.end = told->runs[i].end,
			.phys_start = told->runs[i].phys_start,
			.type = told->runs[i].type,
			.leaf = told->runs[i].leaf,
		};
	builder.max = runs_allowed(ledger, mapping, wanted);
	builder.runs = malloc((builder.max + 1) * sizeof(*builder.runs));
	if (!builder.runs)
		return -ENOMEM;
	if (fill)
		build_filled(&builder, mapping, start, end, runs, told->n_runs);
	else
		build_replaced(&builder, mapping, start, end, runs, told->n_runs);
	/* A walk from the beginning shows anew whether all can be kept. */
	if (mapping->runs_cut && !origin_is_kernel(event) && start == mapping->start)
		mapping->runs_cut = false;
	*changed = take_runs(ledger, mapping, &builder);
	tell(ledger, mapping, start, end);
	if (builder.cut)
		cut(ledger, mapping);
	/* What was told of counts too: with a later range it may be all there is. */
	*changed = *changed || was_known != mapping->pages_known || told_start != mapping->told_start ||
		   told_end != mapping->told_end;
	return 0;
}

static bool is_through_vfio(const struct mapping *mapping)
{
	return mapping->source == SOURCE_VFIO || mapping->source == SOURCE_DMABUF;
}

/*
 * Pages told of before their mapping: when that comes it cannot be said to have none, and what is told of
 * them later but was earlier does not make them known.
 */
static int note_early(struct ledger *ledger, const struct event *event)
{
	uint64_t id = event->pages.mapping_id, time_ns = event->header.time_ns;
	struct tombstone *early;
	int r;

	if (!origin_is_kernel(event) || tombstone_find(ledger->ended_mappings, id))
		return 0;
	r = tombstone_add(ledger, &ledger->early_pages, event, id);
	if (r < 0)
		return r;
	early = tombstone_find(ledger->early_pages, id);
	if (early && early->time_ns < time_ns)
		early->time_ns = time_ns;
	return 0;
}

/* A revoke of a device took all pages there were, one of physical bytes only some of them. */
static int populated_before_revoke(struct ledger *ledger, struct mapping *mapping, struct change *change)
{
	if (is_through_vfio(mapping) || (mapping->told_start == mapping->told_end && !mapping->n_runs))
		return 0;
	forget_disordered(ledger, mapping);
	mapping_touch(ledger, mapping);
	change->kind = CHANGE_REVOKED;
	return 0;
}

/* EVENT_POPULATE, EVENT_PAGES */
int apply_pages(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_pages *told = &event->pages;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);
	uint64_t time_ns = event->header.time_ns;
	bool is_kernel = origin_is_kernel(event), changed;
	int r;

	if (!pages_are_good(told))
		return -EBADMSG;
	if (!mapping)
		return note_early(ledger, event);
	change->mapping = mapping;
	change->file = mapping->file;
	change->device = mapping->device;
	if (!mapping->live || told->start >= mapping->end || told->end <= mapping->start ||
	    (is_kernel && time_ns < mapping->pages_ns))
		return 0;
	if (is_kernel && time_ns < mapping->revoked_ns)
		return populated_before_revoke(ledger, mapping, change);
	r = mapping_take_pages(ledger, mapping, event, is_kernel && time_ns < mapping->populated_ns,
			       &changed);
	if (r < 0)
		return r;
	if (is_kernel && mapping->populated_ns < time_ns)
		mapping->populated_ns = time_ns;
	if (!is_kernel && mapping->pages_ns < time_ns)
		mapping->pages_ns = time_ns;
	if (!changed)
		return 0;
	mapping_place(ledger, mapping);
	mapping_touch(ledger, mapping);
	change->device = mapping->device;
	change->kind = CHANGE_PAGES;
	return 0;
}

/* The bytes of @run that are not from @first to @last. */
static void build_outside(struct builder *builder, const struct page_run *run, uint64_t first, uint64_t last)
{
	uint64_t phys_last = run->phys_start + (run->end - run->start - 1);

	if (run->phys_start > last || phys_last < first) {
		build(builder, run, 0, UINT64_MAX);
		return;
	}
	if (run->phys_start < first)
		build(builder, run, 0, run->start + (first - run->phys_start));
	if (phys_last > last)
		build(builder, run, run->start + (last - run->phys_start) + 1, UINT64_MAX);
}

/* Takes the pages of the physical bytes, which are whole pages. Without memory for what is left nothing is
 * known. */
static bool revoke_bytes(struct ledger *ledger, struct mapping *mapping, uint64_t first, uint64_t last)
{
	struct builder builder = {.max = runs_allowed(ledger, mapping, 2 * mapping->n_runs)};

	if (!mapping->n_runs)
		return false;
	builder.runs = malloc((builder.max + 1) * sizeof(*builder.runs));
	if (!builder.runs) {
		pages_forget(ledger, mapping);
		return true;
	}
	for (size_t i = 0; i < mapping->n_runs; i++)
		build_outside(&builder, &mapping->runs[i], first, last);
	if (!take_runs(ledger, mapping, &builder))
		return false;
	if (builder.cut)
		cut(ledger, mapping);
	return true;
}

/* Whether @revoke speaks of @mapping. */
static bool concerns(const struct event_revoke *revoke, const struct device *device,
		     const struct mapping *mapping)
{
	if (!mapping->live)
		return false;
	switch (revoke->scope) {
	case REVOKE_VFIO:
		return is_through_vfio(mapping);
	case REVOKE_DEVICE:
		return device && mapping->device == device && is_through_vfio(mapping);
	default:
		return !is_through_vfio(mapping);
	}
}

/* Whether a revoke of these bytes may have met the mapping: one that lies elsewhere is left alone. */
static bool may_have_bytes(const struct mapping *mapping, uint64_t start, uint64_t end)
{
	bool meets = !mapping->pages_known;

	for (size_t i = 0; i < mapping->n_runs && !meets; i++) {
		const struct page_run *run = &mapping->runs[i];

		meets = run->phys_start < end && start < run->phys_start + (run->end - run->start);
	}
	return meets;
}

/* What the pages are must be read. */
static bool revoke_perhaps(struct ledger *ledger, struct mapping *mapping, const struct event_revoke *revoke)
{
	bool was_known = mapping->pages_known, had_runs = mapping->n_runs > 0;

	if (revoke->scope == REVOKE_IOMEM && !may_have_bytes(mapping, revoke->phys_start, revoke->phys_end))
		return false;
	pages_forget(ledger, mapping);
	return was_known || had_runs;
}

static bool mapping_revoke(struct ledger *ledger, struct mapping *mapping, const struct event *event)
{
	const struct event_revoke *revoke = &event->revoke;
	uint64_t time_ns = event->header.time_ns;
	bool was_known = mapping->pages_known, changed = mapping->n_runs > 0;

	if (origin_is_kernel(event) && time_ns < mapping->pages_ns)
		return false;
	if (mapping->revoked_ns < time_ns)
		mapping->revoked_ns = time_ns;
	if (revoke->uncertain)
		return revoke_perhaps(ledger, mapping, revoke);
	if (revoke->scope == REVOKE_IOMEM && time_ns >= mapping->populated_ns)
		return revoke_bytes(ledger, mapping, revoke->phys_start & ~(uint64_t)(PAGE_UNIT - 1),
				    (revoke->phys_end - 1) | (PAGE_UNIT - 1));
	if (time_ns < mapping->populated_ns)
		forget_disordered(ledger, mapping);
	else if (mapping->no_fault)
		pages_forget(ledger, mapping);
	else
		pages_drop(ledger, mapping);
	return changed || was_known != mapping->pages_known;
}

static const struct device *revoked_device(const struct ledger *ledger, const struct event_revoke *revoke)
{
	char name[EVENT_NAME_LEN + 1];
	uint32_t region;

	if (revoke->scope == REVOKE_VFIO)
		return NULL;
	if (revoke->scope == REVOKE_IOMEM)
		return ledger_device_at(ledger, revoke->phys_start, &region);
	ledger_pci_name(revoke->pci_address, name);
	return ledger_device_by_name(ledger, name);
}

static bool revoke_is_good(const struct event_revoke *revoke)
{
	if (revoke->uncertain > 1)
		return false;
	if (revoke->scope == REVOKE_VFIO)
		return revoke->uncertain;
	if (revoke->scope == REVOKE_DEVICE)
		return revoke->pci_address >> PCI_ADDRESS_BITS == 0;
	return revoke->scope == REVOKE_IOMEM && revoke->phys_start < revoke->phys_end;
}

int apply_revoke(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_revoke *revoke = &event->revoke;
	size_t n = 0;

	if (!revoke_is_good(revoke))
		return -EBADMSG;
	change->device = revoked_device(ledger, revoke);
	if (origin_is_kernel(event) && ledger->revoked_ns < event->header.time_ns)
		ledger->revoked_ns = event->header.time_ns;
	for (struct mapping *mapping = ledger->mappings; mapping; mapping = mapping->hh.next) {
		if (!concerns(revoke, change->device, mapping) || !mapping_revoke(ledger, mapping, event))
			continue;
		mapping_touch(ledger, mapping);
		change->kind = CHANGE_REVOKED;
		change->mapping = n++ ? NULL : mapping;
	}
	if (change->mapping)
		change->file = change->mapping->file;
	return 0;
}
