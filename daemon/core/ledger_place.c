/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a mapping belongs to: the cookie whose file it maps, and the device whose bytes they are. */
#include "core/ledger_internal.h"

void mapping_touch(struct ledger *ledger, struct mapping *mapping)
{
	if (mapping->touched)
		return;
	mapping->touched = true;
	DL_APPEND2(ledger->touched, mapping, touched_previous, touched_next);
}

static void touched_leave(struct ledger *ledger, struct mapping *mapping)
{
	if (!mapping->touched)
		return;
	mapping->touched = false;
	DL_DELETE2(ledger->touched, mapping, touched_previous, touched_next);
}

struct mapping *ledger_next_touched(struct ledger *ledger)
{
	struct mapping *mapping = ledger->touched;

	if (mapping)
		touched_leave(ledger, mapping);
	return mapping;
}

/* The BAR of @device of the lowest address that has one of the bytes from @first to @last. */
const struct event_bar *device_bar_at(const struct device *device, uint64_t first, uint64_t last,
				      uint32_t *region)
{
	const struct event_bar *found = NULL;

	if (!device->facts_known || !device->facts.present)
		return NULL;
	for (uint32_t i = 0; i < EVENT_BARS; i++) {
		const struct event_bar *bar = &device->facts.bars[i];

		/* Other BARs are numbers of ports. */
		if (!bar->size || !(bar->flags & EVENT_BAR_MEM) || last < bar->phys_start ||
		    first > bar->phys_start + (bar->size - 1) ||
		    (found && found->phys_start < bar->phys_start))
			continue;
		found = bar;
		*region = i;
	}
	return found;
}

/* The device whose BAR has the first byte from @first to @last that any BAR has. */
static struct device *device_at(const struct ledger *ledger, uint64_t first, uint64_t last, uint32_t *region)
{
	const struct event_bar *found = NULL;
	struct device *ret = NULL;

	for (struct device *device = ledger->devices; device; device = device->hh.next) {
		uint32_t index;
		const struct event_bar *bar = device_bar_at(device, first, last, &index);

		if (!bar || (found && found->phys_start <= bar->phys_start))
			continue;
		found = bar;
		ret = device;
		*region = index;
	}
	return ret;
}

const struct device *ledger_device_at(const struct ledger *ledger, uint64_t phys, uint32_t *region)
{
	*region = EVENT_REGION_UNKNOWN;
	return device_at(ledger, phys, phys, region);
}

const struct cookie *ledger_mapping_cookie(const struct ledger *ledger, const struct mapping *mapping)
{
	if (mapping->cookie || mapping->source != SOURCE_VFIO || !mapping->offset_known)
		return mapping->cookie;
	return ledger_cookie_at(ledger, mapping->file, mapping->offset);
}

uint32_t cookie_region(const struct cookie *cookie)
{
	return cookie->alias_of != EVENT_REGION_UNKNOWN ? cookie->alias_of : cookie->region;
}

static uint64_t bar_start(const struct device *device, uint32_t region)
{
	if (!device || !device->facts_known || !device->facts.present || region >= EVENT_BARS)
		return 0;
	return device->facts.bars[region].phys_start;
}

bool ledger_mapping_place(const struct ledger *ledger, const struct mapping *mapping, uint64_t *phys_start,
			  uint32_t *region)
{
	const struct cookie *cookie;
	uint64_t start;

	*region = mapping->region;
	*phys_start = mapping->phys_known ? mapping->phys_start : 0;
	if (mapping->phys_known || !mapping->offset_known)
		return mapping->phys_known;
	cookie = ledger_mapping_cookie(ledger, mapping);
	if (!cookie)
		return false;
	*region = cookie_region(cookie);
	start = cookie->dialect != DIALECT_DMA_BUF ? bar_start(mapping->device, *region)
		: cookie->ranges == 1              ? cookie->phys_start
						   : 0;
	if (start)
		*phys_start = start + (mapping->offset - cookie->offset);
	return start != 0;
}

/* Where it is by its layout, else by the first of its pages that lies in a BAR. */
static struct device *device_of_bytes(const struct ledger *ledger, const struct mapping *mapping,
				      uint32_t *region)
{
	struct device *device = NULL;

	if (mapping->phys_known && mapping->start < mapping->end)
		return device_at(ledger, mapping->phys_start,
				 mapping->phys_start + (mapping->end - mapping->start - 1), region);
	for (size_t i = 0; i < mapping->n_runs && !device; i++) {
		const struct page_run *run = &mapping->runs[i];

		device = device_at(ledger, run->phys_start, run->phys_start + (run->end - run->start - 1),
				   region);
	}
	return device;
}

/* A revoke may have passed over the mapping while its device was not known. */
static void catch_up_with_revokes(struct ledger *ledger, struct mapping *mapping)
{
	if (ledger->revoked_ns < mapping->mapped_ns || !ledger->revoked_ns)
		return;
	pages_forget(ledger, mapping);
	mapping->revoked_ns = ledger->revoked_ns;
}

/* A live mapping is one of those of its device, if it has one. */
void mapping_enters_device(struct mapping *mapping)
{
	if (!mapping->device)
		return;
	mapping->device->mappings++;
	DL_APPEND2(mapping->device->mapping_list, mapping, device_previous, device_next);
}

void mapping_leaves_device(struct mapping *mapping)
{
	if (!mapping->device)
		return;
	mapping->device->mappings--;
	DL_DELETE2(mapping->device->mapping_list, mapping, device_previous, device_next);
}

/* The reference to @device passes to the mapping. */
void mapping_set_device(struct ledger *ledger, struct mapping *mapping, struct device *device)
{
	struct device *old = mapping->device;

	if (mapping->live)
		mapping_leaves_device(mapping);
	mapping->device = device;
	if (mapping->live)
		mapping_enters_device(mapping);
	if (old)
		device_release(ledger, old);
	mapping_touch(ledger, mapping);
}

static void change_device(struct ledger *ledger, struct mapping *mapping, struct device *device)
{
	bool was_unknown = !mapping->device;

	if (mapping->device == device)
		return;
	if (device)
		device->references++;
	mapping_set_device(ledger, mapping, device);
	if (was_unknown && !mapping->by_address)
		catch_up_with_revokes(ledger, mapping);
}

/* Its file says whose bytes they are, else an event, else the cookie, else where they are. */
void mapping_place(struct ledger *ledger, struct mapping *mapping)
{
	const struct cookie *cookie = mapping->cookie;
	uint32_t region = EVENT_REGION_UNKNOWN;
	struct device *device;

	if (mapping->file && mapping->file->device) {
		mapping->device_told = mapping->by_address = false;
		change_device(ledger, mapping, mapping->file->device);
		return;
	}
	if (mapping->device_told) {
		mapping->by_address = false;
		return;
	}
	if (cookie && cookie->file->device) {
		mapping->by_address = false;
		change_device(ledger, mapping, cookie->file->device);
		return;
	}
	if (mapping->file || mapping->cookie_id)
		return;
	device = device_of_bytes(ledger, mapping, &region);
	if (mapping->by_address || mapping->region == EVENT_REGION_UNKNOWN) {
		if (mapping->region != region)
			mapping_touch(ledger, mapping);
		mapping->region = region;
	}
	mapping->by_address = device;
	change_device(ledger, mapping, device);
}

void place_all(struct ledger *ledger)
{
	for (struct mapping *mapping = ledger->mappings; mapping; mapping = mapping->hh.next)
		if (mapping->live)
			mapping_place(ledger, mapping);
}

/* The device of @file has become known. */
void file_place_mappings(struct ledger *ledger, struct device_file *file)
{
	struct mapping *mapping;
	struct cookie *cookie;

	DL_FOREACH2 (file->mapping_list, mapping, file_next)
		mapping_place(ledger, mapping);
	DL_FOREACH2 (file->cookie_list, cookie, file_next)
		DL_FOREACH2 (cookie->mapping_list, mapping, cookie_next)
			mapping_place(ledger, mapping);
}

/* Undoes all of it, for a mapping that is dropped. */
void mapping_displace(struct ledger *ledger, struct mapping *mapping)
{
	touched_leave(ledger, mapping);
	if (mapping->cookie) {
		DL_DELETE2(mapping->cookie->mapping_list, mapping, cookie_previous, cookie_next);
		cookie_release(ledger, mapping->cookie);
	} else if (mapping->cookie_id) {
		struct cookie_wait *wait = NULL;

		HASH_FIND(hh, ledger->cookie_waits, &mapping->cookie_id, sizeof(mapping->cookie_id), wait);
		DL_DELETE2(wait->mapping_list, mapping, cookie_previous, cookie_next);
		cookie_wait_release(ledger, wait);
	}
	device_release(ledger, mapping->device);
	if (mapping->file)
		DL_DELETE2(mapping->file->mapping_list, mapping, file_previous, file_next);
	file_release(ledger, mapping->file);
}

/* *ret is NULL if the cookie is known. */
int cookie_wait_acquire(struct ledger *ledger, uint64_t id, struct cookie_wait **ret)
{
	struct cookie_wait *wait = NULL;

	*ret = NULL;
	if (cookie_find(ledger, id))
		return 0;
	HASH_FIND(hh, ledger->cookie_waits, &id, sizeof(id), wait);
	if (!wait) {
		wait = calloc(1, sizeof(*wait));
		if (!wait)
			return -ENOMEM;
		wait->id = id;
		HASH_ADD(hh, ledger->cookie_waits, id, sizeof(wait->id), wait);
		if (!wait->hh.tbl) {
			free(wait);
			return -ENOMEM;
		}
	}
	*ret = wait;
	return 0;
}

/* Frees it when nothing waits. */
void cookie_wait_release(struct ledger *ledger, struct cookie_wait *wait)
{
	if (!wait || wait->mapping_list)
		return;
	HASH_DEL(ledger->cookie_waits, wait);
	free(wait);
}

/* A mapping that did not begin as another one's copy was made by an mmap of the cookie. */
static void cookie_is_mapped(struct ledger *ledger, struct cookie *cookie, const struct mapping *mapping)
{
	enum memtype type = ledger_requested(ledger, mapping);

	if (!mapping->from_id && !mapping->from_scan && type != MEMTYPE_UNKNOWN)
		cookie->mapped_types |= 1U << type;
}

static void bind(struct ledger *ledger, struct mapping *mapping, struct cookie *cookie)
{
	mapping->cookie = cookie;
	cookie_reference(ledger, cookie);
	DL_APPEND2(cookie->mapping_list, mapping, cookie_previous, cookie_next);
	mapping_touch(ledger, mapping);
	mapping_place(ledger, mapping);
	if (cookie->attributes & COOKIE_REVOKED)
		pages_none(ledger, mapping);
}

/* @wait as cookie_wait_acquire() returned it; the mapping has no cookie so far. */
void mapping_join_cookie(struct ledger *ledger, struct mapping *mapping, uint64_t id,
			 struct cookie_wait *wait)
{
	mapping->cookie_id = id;
	if (wait)
		DL_APPEND2(wait->mapping_list, mapping, cookie_previous, cookie_next);
	else
		bind(ledger, mapping, cookie_find(ledger, id));
}

/* Those that waited for @cookie, which is new, get it. */
void cookie_arrived(struct ledger *ledger, struct cookie *cookie)
{
	struct cookie_wait *wait = NULL;

	HASH_FIND(hh, ledger->cookie_waits, &cookie->id, sizeof(cookie->id), wait);
	while (wait && wait->mapping_list) {
		struct mapping *mapping = wait->mapping_list;

		DL_DELETE2(wait->mapping_list, mapping, cookie_previous, cookie_next);
		bind(ledger, mapping, cookie);
		cookie_is_mapped(ledger, cookie, mapping);
	}
	cookie_wait_release(ledger, wait);
}
