/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

struct mapping *mapping_find(const struct ledger *ledger, uint64_t id)
{
	struct mapping *mapping = NULL;

	HASH_FIND(hh, ledger->mappings, &id, sizeof(id), mapping);
	return mapping;
}

const struct mapping *ledger_mapping(const struct ledger *ledger, uint64_t id)
{
	return mapping_find(ledger, id);
}

bool range_is_good(uint64_t start, uint64_t size)
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

static bool tells_device(const struct event_mapping *told)
{
	return told->flags & EVENT_MAPPING_DEVICE_KNOWN && !told->file_id;
}

static bool told_is_good(const struct event_mapping *told)
{
	return told->mapping_id && told->source < SOURCE_TYPES &&
	       (!tells_device(told) || told->pci_address >> PCI_ADDRESS_BITS == 0);
}

/* File, cookie and device of an id do not change. */
static bool told_agrees(const struct mapping *mapping, const struct event_mapping *told)
{
	return (!mapping->file || !told->file_id || mapping->file->id == told->file_id) &&
	       (!mapping->cookie_id || !told->cookie_id || mapping->cookie_id == told->cookie_id) &&
	       (!mapping->device_told || !tells_device(told) ||
		mapping->device->pci_address == told->pci_address);
}

static void live_enter(struct ledger *ledger, struct mapping *mapping)
{
	mapping->live = true;
	ledger->counts.mappings++;
	if (mapping->file)
		mapping->file->mappings++;
	mapping_enters_device(mapping);
	mapping_touch(ledger, mapping);
}

static void live_leave(struct ledger *ledger, struct mapping *mapping)
{
	mapping->live = false;
	ledger->counts.mappings--;
	if (mapping->file)
		mapping->file->mappings--;
	mapping_leaves_device(mapping);
	pages_count(ledger, mapping);
	mapping_touch(ledger, mapping);
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
	mapping_displace(ledger, mapping);
	pages_drop(ledger, mapping);
	free(mapping);
}

/* What a mapping gets from an event: references, to be given to it or back. */
struct parties {
	struct process *owner;
	struct device_file *file;
	struct device *device;
	struct cookie_wait *wait; /* NULL also if the cookie is known */
};

static void parties_release(struct ledger *ledger, const struct parties *parties)
{
	cookie_wait_release(ledger, parties->wait);
	device_release(ledger, parties->device);
	process_release(ledger, parties->owner);
}

/* Takes from @told what @mapping lacks, and the owner from @event if it @needs_owner. */
static int parties_acquire(struct ledger *ledger, const struct event *event, const struct event_mapping *told,
			   const struct mapping *mapping, bool needs_owner, struct parties *ret)
{
	int r = 0;

	*ret = (struct parties){0};
	if (needs_owner)
		r = process_acquire(ledger, &event->header.who, event->header.time_ns, &ret->owner);
	if (r == 0 && tells_device(told) && !mapping->device_told && !mapping->file)
		r = device_acquire_pci(ledger, told->pci_address, &ret->device);
	if (r == 0 && told->cookie_id && !mapping->cookie_id)
		r = cookie_wait_acquire(ledger, told->cookie_id, &ret->wait);
	/* Last, as a file that was made for it stays. */
	if (r == 0 && told->file_id && !mapping->file)
		r = file_acquire(ledger, told->file_id, &ret->file);
	if (r < 0)
		parties_release(ledger, ret);
	return r;
}

/* The references pass to the mapping. */
static void parties_give(struct ledger *ledger, const struct event_mapping *told, struct mapping *mapping,
			 const struct parties *parties)
{
	if (parties->owner) {
		process_release(ledger, mapping->owner);
		mapping->owner = parties->owner;
		mapping_touch(ledger, mapping);
	}
	if (parties->file) {
		mapping->file = parties->file;
		DL_APPEND2(mapping->file->mapping_list, mapping, file_previous, file_next);
		if (mapping->live)
			mapping->file->mappings++;
	}
	if (parties->device) {
		mapping->device_told = true;
		mapping->by_address = false;
		mapping_set_device(ledger, mapping, parties->device);
	}
	if (told->cookie_id && !mapping->cookie_id)
		mapping_join_cookie(ledger, mapping, told->cookie_id, parties->wait);
}

/* Makes an entry without a range: live, or closed if its end was told before. */
static int mapping_new(struct ledger *ledger, const struct event *event, const struct event_mapping *told,
		       struct mapping **ret)
{
	const struct tombstone *ended = tombstone_find(ledger->ended_mappings, told->mapping_id);
	const struct tombstone *early = tombstone_find(ledger->early_pages, told->mapping_id);
	struct mapping *mapping;
	struct parties parties;
	int r;

	if (!ended && ledger->counts.mappings >= ledger->entries_max)
		return -ENOSPC;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	mapping->id = told->mapping_id;
	mapping->from_id = told->from_id;
	mapping->region = EVENT_REGION_UNKNOWN;
	HASH_ADD(hh, ledger->mappings, id, sizeof(mapping->id), mapping);
	if (!mapping->hh.tbl) {
		free(mapping);
		return -ENOMEM;
	}
	r = parties_acquire(ledger, event, told, mapping, true, &parties);
	if (r < 0) {
		HASH_DEL(ledger->mappings, mapping);
		free(mapping);
		return r;
	}
	mapping->mapped_ns = told->mapped_ns;
	mapping->revoked_ns = ledger->revoked_ns;
	mapping->pages_ns =
		early && early->time_ns > ledger->pages_lost_ns ? early->time_ns : ledger->pages_lost_ns;
	tombstone_drop(&ledger->early_pages, mapping->id);
	mapping->from_scan = told->flags & EVENT_MAPPING_FROM_SCAN;
	mapping->seen = ledger->readings[READING_MAPPINGS].number;
	if (ended) {
		history_enter(ledger, mapping, ended->time_ns, true);
		tombstone_drop(&ledger->ended_mappings, told->mapping_id);
	} else {
		live_enter(ledger, mapping);
	}
	parties_give(ledger, told, mapping, &parties);
	*ret = mapping;
	return 0;
}

/* What of a mapping an event can change apart from owner and file. */
struct extent {
	uint64_t start, end, offset, phys_start, page_prot, vm_flags;
	uint32_t region, source;
	uint64_t offset_known, phys_known, no_fault,
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
		.no_fault = mapping->no_fault,
		.settled = mapping->settled,
	};
}

static bool extent_set(struct ledger *ledger, struct mapping *mapping, const struct extent *extent)
{
	struct extent old = extent_of(mapping);
	bool shrinks = extent->start >= old.start && extent->end <= old.end && old.start < old.end;

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
	mapping->no_fault = extent->no_fault;
	mapping->settled = extent->settled;
	if (memcmp(&old, extent, sizeof(old)) == 0)
		return false;
	if (!shrinks)
		pages_forget(ledger, mapping);
	else if (extent->start != old.start || extent->end != old.end)
		pages_fit(ledger, mapping, extent->start, extent->end);
	mapping_touch(ledger, mapping);
	mapping_place(ledger, mapping);
	return true;
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
		.no_fault = !!(told->flags & EVENT_MAPPING_NO_FAULT),
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
	change->device = mapping->device;
}

/* Takes owner, file, device and cookie from @event where @mapping has none; with @newer another owner
 * replaces the old one. */
static int mapping_take_parties(struct ledger *ledger, struct mapping *mapping, const struct event *event,
				bool newer, bool *changed)
{
	const struct event_process_id *who = &event->header.who;
	bool needs_owner = !mapping->owner || (newer && (mapping->owner->key.tgid != who->tgid ||
							 mapping->owner->key.start_ns != who->start_ns));
	bool has_cookie = mapping->cookie_id;
	struct parties parties;
	int r;

	r = parties_acquire(ledger, event, &event->mapping, mapping, needs_owner, &parties);
	if (r < 0)
		return r;
	parties_give(ledger, &event->mapping, mapping, &parties);
	mapping_place(ledger, mapping);
	*changed = parties.owner || parties.file || parties.device || (!has_cookie && mapping->cookie_id);
	return 0;
}

/* The cookie that an mmap was made of, if it is known, was mapped with one more type. */
static void note_mapped_type(struct ledger *ledger, const struct mapping *mapping)
{
	enum memtype type = ledger_requested(ledger, mapping);
	struct cookie *cookie = mapping->cookie;

	if (!cookie && mapping->source == SOURCE_VFIO && mapping->offset_known)
		cookie = cookie_find_at(mapping->file, mapping->offset);
	if (cookie && type != MEMTYPE_UNKNOWN)
		cookie->mapped_types |= 1U << type;
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

	r = mapping_take_parties(ledger, mapping, event, false, &changed);
	if (r < 0)
		return r;
	if (mapping->start != mapping->end &&
	    (extent.start != mapping->start || extent.end != mapping->end)) {
		extent = extent_of(mapping);
	} else {
		extent.settled = mapping->settled || (event->header.type == EVENT_MAP && extent.settled);
		extent.no_fault = extent.no_fault || mapping->no_fault;
		extent_complete(&extent, mapping);
	}
	if (!extent.page_prot)
		extent.page_prot = told->page_prot;
	if (extent_set(ledger, mapping, &extent))
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

/*
 * What an mmap just made has no pages, if they come by faults. That is not so if some were told of before
 * (@early), and not sure if a revoke or a loss was.
 */
static bool mapping_has_no_pages_yet(const struct ledger *ledger, const struct mapping *mapping,
				     const struct event *event, bool early)
{
	return memtype_arch_walked(ledger->arch) && event->header.type == EVENT_MAP && mapping->live &&
	       !mapping->no_fault && !early && event->header.time_ns >= ledger->revoked_ns &&
	       event->header.time_ns >= ledger->pages_lost_ns;
}

static int mapping_create(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct extent extent = extent_told(&event->mapping);
	bool early = tombstone_find(ledger->early_pages, event->mapping.mapping_id);
	struct mapping *mapping;
	int r;

	r = mapping_new(ledger, event, &event->mapping, &mapping);
	if (r < 0)
		return r;
	extent_set(ledger, mapping, &extent);
	if (mapping_has_no_pages_yet(ledger, mapping, event, early))
		pages_none(ledger, mapping);
	change->kind = CHANGE_MAPPED;
	change_tells(change, mapping);
	return 0;
}

int apply_map(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);

	int r;

	if (!told_is_good(told) || !extent_is_good(told) || (mapping && !told_agrees(mapping, told)))
		return -EBADMSG;
	if (mapping)
		mapping->seen = ledger->readings[READING_MAPPINGS].number;
	r = mapping ? mapping_complete(ledger, mapping, event, change)
		    : mapping_create(ledger, event, change);
	if (r == 0)
		note_mapped_type(ledger, change->mapping);
	return r;
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
		extent.no_fault = extent.no_fault || original->no_fault;
		extent_complete(&extent, original);
	}
	extent.settled = false;
	return extent;
}

/* What @told, the copy's, lacks of what a copy has in common with @original. */
static struct event_mapping copy_of(const struct event_mapping *told, const struct mapping *original)
{
	struct event_mapping ret = *told;

	if (!original)
		return ret;
	if (!ret.cookie_id)
		ret.cookie_id = original->cookie_id;
	if (!ret.file_id && original->file)
		ret.file_id = original->file->id;
	if (!tells_device(&ret) && original->device_told) {
		ret.flags |= EVENT_MAPPING_DEVICE_KNOWN;
		ret.pci_address = original->device->pci_address;
	}
	return ret;
}

int apply_copy(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping *mapping = mapping_find(ledger, told->mapping_id);
	const struct mapping *original = mapping_find(ledger, told->from_id);
	struct event_mapping completed;
	struct extent extent;
	int r;

	if (!told_is_good(told) || !told->from_id || told->from_id == told->mapping_id ||
	    (told->start != told->end && !extent_is_good(told)) || (mapping && !told_agrees(mapping, told)))
		return -EBADMSG;
	if (mapping) {
		mapping->from_id = told->from_id;
		mapping->seen = ledger->readings[READING_MAPPINGS].number;
		return mapping_complete(ledger, mapping, event, change);
	}
	extent = extent_copied(told, original);
	completed = copy_of(told, original);
	r = mapping_new(ledger, event, &completed, &mapping);
	if (r < 0)
		return r;
	extent_set(ledger, mapping, &extent);
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

	if (!told_is_good(told) || !extent_is_good(told) || (mapping && !told_agrees(mapping, told)))
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
	r = mapping_take_parties(ledger, mapping, event, true, &changed);
	if (r < 0)
		return r;
	extent_complete(&extent, mapping);
	if (extent_set(ledger, mapping, &extent) || changed)
		change->kind = CHANGE_MAPPING;
	if (!mapping->mapped_ns)
		mapping->mapped_ns = told->mapped_ns;
	if (!mapping->live) {
		history_leave(ledger, mapping);
		mapping->closed_ns = 0;
		live_enter(ledger, mapping);
		pages_forget(ledger, mapping);
		mapping->revoked_ns = ledger->revoked_ns;
		mapping_place(ledger, mapping);
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

const struct mapping *ledger_next_live(const struct ledger *ledger, const struct mapping *previous)
{
	const struct mapping *mapping = previous ? previous->hh.next : ledger->mappings;

	while (mapping && !mapping->live)
		mapping = mapping->hh.next;
	return mapping;
}
