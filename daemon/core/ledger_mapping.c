/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

/* Smallest page of the architectures we run on. */
#define PAGE_UNIT 4096

static struct mapping *mapping_find(const struct ledger *ledger, uint64_t id)
{
	struct mapping *mapping = NULL;

	HASH_FIND(hh, ledger->mappings, &id, sizeof(id), mapping);
	return mapping;
}

const struct mapping *ledger_mapping(const struct ledger *ledger, uint64_t id)
{
	return mapping_find(ledger, id);
}

static bool range_is_good(uint64_t start, uint64_t size)
{
	uint64_t end;

	return start % PAGE_UNIT == 0 && !__builtin_add_overflow(start, size, &end);
}

/* Whether the range an event tells, and all that goes with it, can be that of a VMA. */
static bool extent_is_good(const struct event_mapping *told)
{
	uint64_t size = told->end - told->start;

	return told->start < told->end && told->start % PAGE_UNIT == 0 && told->end % PAGE_UNIT == 0 &&
	       (!(told->flags & EVENT_MAPPING_OFFSET_KNOWN) || range_is_good(told->offset, size)) &&
	       (!(told->flags & EVENT_MAPPING_PHYS_KNOWN) || range_is_good(told->phys_start, size));
}

static bool file_agrees(const struct mapping *mapping, const struct event_mapping *told)
{
	return !mapping->file || !told->file_id || mapping->file->id == told->file_id;
}

static void live_enter(struct ledger *ledger, struct mapping *mapping)
{
	mapping->live = true;
	ledger->counts.mappings++;
	if (!mapping->file)
		return;
	mapping->file->mappings++;
	if (mapping->file->device)
		mapping->file->device->mappings++;
}

static void live_leave(struct ledger *ledger, struct mapping *mapping)
{
	mapping->live = false;
	ledger->counts.mappings--;
	if (!mapping->file)
		return;
	mapping->file->mappings--;
	if (mapping->file->device)
		mapping->file->device->mappings--;
}

static void history_enter(struct ledger *ledger, struct mapping *mapping, uint64_t time_ns, bool gone)
{
	mapping->gone = gone;
	mapping->closed_ns = time_ns;
	DL_APPEND2(ledger->closed_mappings, mapping, previous, next);
	ledger->n_closed_mappings++;
}

static void history_leave(struct ledger *ledger, struct mapping *mapping)
{
	DL_DELETE2(ledger->closed_mappings, mapping, previous, next);
	ledger->n_closed_mappings--;
}

/* Drops a closed mapping from history. */
void mapping_forget(struct ledger *ledger, struct mapping *mapping)
{
	history_leave(ledger, mapping);
	if (ledger->next_mapping == mapping)
		ledger->next_mapping = mapping->hh.next;
	HASH_DEL(ledger->mappings, mapping);
	process_release(ledger, mapping->owner);
	file_release(ledger, mapping->file);
	free(mapping);
}

/* The reference to @file passes to the mapping, which has none so far. */
static void mapping_set_file(struct mapping *mapping, struct device_file *file)
{
	mapping->file = file;
	if (!mapping->live)
		return;
	file->mappings++;
	if (file->device)
		file->device->mappings++;
}

/* Makes an entry without a range: live, or closed if its end was told before. */
static int mapping_new(struct ledger *ledger, const struct event *event, uint64_t file_id,
		       struct mapping **ret)
{
	const struct event_mapping *told = &event->mapping;
	const struct tombstone *ended = tombstone_find(ledger->ended_mappings, told->mapping_id);
	struct mapping *mapping;
	int r;

	if (!ended && ledger->counts.mappings >= ledger->entries_max)
		return -ENOSPC;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	mapping->id = told->mapping_id;
	r = process_acquire(ledger, &event->header.who, event->header.time_ns, &mapping->owner);
	if (r < 0)
		goto fail;
	HASH_ADD(hh, ledger->mappings, id, sizeof(mapping->id), mapping);
	if (!mapping->hh.tbl) {
		r = -ENOMEM;
		goto fail_process;
	}
	if (file_id) {
		r = file_acquire(ledger, file_id, &mapping->file);
		if (r < 0)
			goto fail_table;
	}
	mapping->mapped_ns = told->mapped_ns;
	mapping->from_scan = told->flags & EVENT_MAPPING_FROM_SCAN;
	mapping->seen = ledger->readings[READING_MAPPINGS].number;
	if (ended) {
		history_enter(ledger, mapping, ended->time_ns, true);
		tombstone_drop(&ledger->ended_mappings, told->mapping_id);
	} else {
		live_enter(ledger, mapping);
	}
	*ret = mapping;
	return 0;
fail_table:
	HASH_DEL(ledger->mappings, mapping);
fail_process:
	process_release(ledger, mapping->owner);
fail:
	free(mapping);
	return r;
}

/* What of a mapping an event can change apart from owner and file. */
struct extent {
	uint64_t start, end, offset, phys_start, page_prot, vm_flags;
	uint32_t region, source;
	uint64_t offset_known, phys_known,
		settled; /* as wide as the rest: no padding, compared by memcmp() */
};

static struct extent extent_of(const struct mapping *mapping)
{
	return (struct extent){
		.start = mapping->start,
		.end = mapping->end,
		.offset = mapping->offset,
		.phys_start = mapping->phys_start,
		.page_prot = mapping->page_prot,
		.vm_flags = mapping->vm_flags,
		.region = mapping->region,
		.source = mapping->source,
		.offset_known = mapping->offset_known,
		.phys_known = mapping->phys_known,
		.settled = mapping->settled,
	};
}

static bool extent_set(struct mapping *mapping, const struct extent *extent)
{
	struct extent old = extent_of(mapping);

	mapping->start = extent->start;
	mapping->end = extent->end;
	mapping->offset = extent->offset_known ? extent->offset : 0;
	mapping->phys_start = extent->phys_known ? extent->phys_start : 0;
	mapping->page_prot = extent->page_prot;
	mapping->vm_flags = extent->vm_flags;
	mapping->region = extent->region;
	mapping->source = extent->source;
	mapping->offset_known = extent->offset_known;
	mapping->phys_known = extent->phys_known;
	mapping->settled = extent->settled;
	return memcmp(&old, extent, sizeof(old)) != 0;
}

static struct extent extent_told(const struct event_mapping *told)
{
	bool offset_known = told->flags & EVENT_MAPPING_OFFSET_KNOWN,
	     phys_known = told->flags & EVENT_MAPPING_PHYS_KNOWN;

	return (struct extent){
		.start = told->start,
		.end = told->end,
		.offset = offset_known ? told->offset : 0,
		.phys_start = phys_known ? told->phys_start : 0,
		.page_prot = told->page_prot,
		.vm_flags = told->vm_flags,
		.region = told->region,
		.source = told->source,
		.offset_known = offset_known,
		.phys_known = phys_known,
		.settled = !(told->flags & EVENT_MAPPING_UNSETTLED),
	};
}

static bool shift(uint64_t value, uint64_t from, uint64_t to, uint64_t *ret)
{
	return to >= from ? !__builtin_add_overflow(value, to - from, ret)
			  : !__builtin_sub_overflow(value, from - to, ret);
}

/*
 * Fills what @extent lacks from what is known of the same VMA, or of the one it was copied from. File offset
 * and physical address of one address never change while a VMA lives, however it is cut; a copy may have been
 * moved.
 */
static void extent_complete(struct extent *extent, const struct mapping *known)
{
	uint64_t size = extent->end - extent->start;

	if (known->start != known->end && (known->settled || known->start == extent->start)) {
		if (!extent->offset_known && known->offset_known)
			extent->offset_known =
				shift(known->offset, known->start, extent->start, &extent->offset) &&
				range_is_good(extent->offset, size);
		if (!extent->phys_known && known->phys_known)
			extent->phys_known =
				shift(known->phys_start, known->start, extent->start, &extent->phys_start) &&
				range_is_good(extent->phys_start, size);
	}
	if (!extent->offset_known)
		extent->offset = 0;
	if (!extent->phys_known)
		extent->phys_start = 0;
	if (extent->region == EVENT_REGION_UNKNOWN)
		extent->region = known->region;
	if (!extent->page_prot)
		extent->page_prot = known->page_prot;
	if (!extent->vm_flags)
		extent->vm_flags = known->vm_flags;
}

static void change_tells(struct change *change, const struct mapping *mapping)
{
	change->mapping = mapping;
	change->file = mapping->file;
	change->device = mapping->file ? mapping->file->device : NULL;
}

/* Takes owner and file from @event where @mapping has none; with @newer another owner replaces the old one.
 */
static int mapping_take_owner(struct ledger *ledger, struct mapping *mapping, const struct event *event,
			      bool newer, bool *changed)
{
	const struct event_process_id *who = &event->header.who;
	uint64_t file_id = event->mapping.file_id;
	struct process *owner = NULL;
	struct device_file *file = NULL;
	int r;

	if (!mapping->owner || (newer && (mapping->owner->key.tgid != who->tgid ||
					  mapping->owner->key.start_ns != who->start_ns))) {
		r = process_acquire(ledger, who, event->header.time_ns, &owner);
		if (r < 0)
			return r;
	}
	if (!mapping->file && file_id) {
		r = file_acquire(ledger, file_id, &file);
		if (r < 0) {
			process_release(ledger, owner);
			return r;
		}
		mapping_set_file(mapping, file);
	}
	if (owner) {
		process_release(ledger, mapping->owner);
		mapping->owner = owner;
	}
	*changed = owner || file;
	return 0;
}

/* An EVENT_MAP or EVENT_COPY of a mapping that is known already: it completes, and overrides nothing that is
 * newer. */
static int mapping_complete(struct ledger *ledger, struct mapping *mapping, const struct event *event,
			    struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct extent extent = extent_told(told);
	bool changed;
	int r;

	r = mapping_take_owner(ledger, mapping, event, false, &changed);
	if (r < 0)
		return r;
	if (mapping->start != mapping->end &&
	    (extent.start != mapping->start || extent.end != mapping->end)) {
		extent = extent_of(mapping);
	} else {
		extent.settled = mapping->settled || (event->header.type == EVENT_MAP && extent.settled);
		extent_complete(&extent, mapping);
	}
	if (!extent.page_prot)
		extent.page_prot = told->page_prot;
	if (extent_set(mapping, &extent))
		changed = true;
	if (!mapping->mapped_ns && told->mapped_ns) {
		mapping->mapped_ns = told->mapped_ns;
		changed = true;
	}
	if (changed)
		change->kind = CHANGE_MAPPING;
	change_tells(change, mapping);
	return 0;
}

static int mapping_create(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct extent extent = extent_told(&event->mapping);
	struct mapping *mapping;
	int r;

	r = mapping_new(ledger, event, event->mapping.file_id, &mapping);
	if (r < 0)
		return r;
	extent_set(mapping, &extent);
	change->kind = CHANGE_MAPPED;
	change_tells(change, mapping);
	return 0;
}

int apply_map(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);

	if (!told->mapping_id || told->source >= SOURCE_TYPES || !extent_is_good(told))
		return -EBADMSG;
	if (!mapping)
		return mapping_create(ledger, event, change);
	if (!file_agrees(mapping, told))
		return -EBADMSG;
	mapping->seen = ledger->readings[READING_MAPPINGS].number;
	return mapping_complete(ledger, mapping, event, change);
}

static struct extent extent_copied(const struct event_mapping *told, const struct mapping *original)
{
	struct extent extent = extent_told(told);

	if (original && told->start == told->end) {
		extent = extent_of(original);
	} else if (original) {
		if (!extent.phys_known)
			extent.region = original->region;
		extent.source = original->source;
		extent_complete(&extent, original);
	}
	extent.settled = false;
	return extent;
}

int apply_copy(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);
	const struct mapping *original = mapping_find(ledger, told->from_id);
	uint64_t file_id = told->file_id;
	struct extent extent;
	int r;

	if (!told->mapping_id || !told->from_id || told->from_id == told->mapping_id ||
	    told->source >= SOURCE_TYPES || (told->start != told->end && !extent_is_good(told)))
		return -EBADMSG;
	if (mapping) {
		if (!file_agrees(mapping, told))
			return -EBADMSG;
		mapping->from_id = told->from_id;
		mapping->seen = ledger->readings[READING_MAPPINGS].number;
		return mapping_complete(ledger, mapping, event, change);
	}
	extent = extent_copied(told, original);
	if (!file_id && original && original->file)
		file_id = original->file->id;
	r = mapping_new(ledger, event, file_id, &mapping);
	if (r < 0)
		return r;
	extent_set(mapping, &extent);
	mapping->from_id = told->from_id;
	if (!mapping->owner && original && original->owner) {
		mapping->owner = original->owner;
		mapping->owner->references++;
	}
	change->kind = CHANGE_COPIED;
	change_tells(change, mapping);
	return 0;
}

/* EVENT_MAPPING: the truth of a moment. Only for an id whose end the kernel told it is an old truth. */
int apply_mapping(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);
	struct extent extent = extent_told(told);
	bool changed;
	int r;

	if (!told->mapping_id || told->source >= SOURCE_TYPES || !extent_is_good(told) ||
	    (mapping && !file_agrees(mapping, told)))
		return -EBADMSG;
	if (!mapping) {
		if (tombstone_find(ledger->ended_mappings, told->mapping_id))
			return 0;
		return mapping_create(ledger, event, change);
	}
	change_tells(change, mapping);
	if (mapping->gone)
		return 0;
	if (!mapping->live && ledger->counts.mappings >= ledger->entries_max)
		return -ENOSPC;
	r = mapping_take_owner(ledger, mapping, event, true, &changed);
	if (r < 0)
		return r;
	extent_complete(&extent, mapping);
	if (extent_set(mapping, &extent) || changed)
		change->kind = CHANGE_MAPPING;
	if (!mapping->mapped_ns)
		mapping->mapped_ns = told->mapped_ns;
	if (!mapping->live) {
		history_leave(ledger, mapping);
		mapping->closed_ns = 0;
		live_enter(ledger, mapping);
		change->kind = CHANGE_MAPPED;
	}
	mapping->seen = ledger->readings[READING_MAPPINGS].number;
	change_tells(change, mapping);
	return 0;
}

int apply_unmap(struct ledger *ledger, const struct event *event, struct change *change)
{
	uint64_t id = event->mapping.mapping_id;
	struct mapping *mapping = mapping_find(ledger, id);

	if (!id)
		return -EBADMSG;
	if (!mapping)
		return origin_is_kernel(event) ? tombstone_add(ledger, &ledger->ended_mappings, event, id)
					       : 0;
	change_tells(change, mapping);
	if (mapping->live) {
		live_leave(ledger, mapping);
		history_enter(ledger, mapping, event->header.time_ns, origin_is_kernel(event));
		change->kind = CHANGE_UNMAPPED;
	} else if (origin_is_kernel(event)) {
		mapping->gone = true;
	}
	return 0;
}
