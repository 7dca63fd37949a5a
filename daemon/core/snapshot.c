/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot_finding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vfio.h>
#include <utlist.h>

/* Entries looked at in one go: as many as are live, within these bounds. */
#define CHUNK_MIN ((size_t)256)
#define CHUNK_MAX ((size_t)65536)

/* What is over these is left out of a device row and counted in `files_omitted` and `holders_omitted`. */
#define FILES_PER_ROW   256U
#define HOLDERS_PER_ROW 256U

/* Of a mapping's populated extents; the rest is counted in `extents_omitted`. */
#define EXTENTS_PER_ROW 64U

/* Of include/linux/mm.h: any type but a cached one does no harm (vfio_pci_core_mmap()). */
#define VM_ALLOW_ANY_UNCACHED (1ULL << 39)

static bool device_matches(const struct row_filter *filter, const struct device *device)
{
	return filter_takes_device(filter, device ? device->name : NULL);
}

static bool process_matches(const struct row_filter *filter, const struct process *process)
{
	return !filter->pid || (process && process->key.tgid == filter->pid);
}

const char *effective_name(const struct effective *effective)
{
	switch (effective->kind) {
	case EFFECTIVE_UNPOPULATED:
	case EFFECTIVE_REVOKED:
		return "unpopulated";
	case EFFECTIVE_MIXED:
		return "mixed";
	case EFFECTIVE_ONE:
		return memtype_name(effective->type);
	default:
		return NULL;
	}
}

static const char *leaf_name(enum event_leaf leaf)
{
	static const char *const names[LEAF_SIZES] = {"4k", "2m", "1g"};

	return leaf < LEAF_SIZES ? names[leaf] : NULL;
}

static void put_device_name(struct row *row, const struct device *device)
{
	row_text(row, "device", device ? device->name : NULL, sizeof(device->name));
}

void row_process(struct row *row, const struct process *process)
{
	row_count(row, "pid", process ? process->key.tgid : 0, process);
	row_text(row, "comm", process ? process->comm : NULL, sizeof(process->comm));
}

void row_identity(struct row *row, const struct process *process)
{
	static const struct process nobody;
	enum machine_source source;
	const char *machine;

	if (!process)
		process = &nobody;
	machine = process_machine(process, &source);
	row_text(row, "unit", process->unit, sizeof(process->unit));
	row_text(row, "slice", process->identity.slice, sizeof(process->identity.slice));
	row_text(row, "user_unit", process->identity.user_unit, sizeof(process->identity.user_unit));
	row_text(row, "machine", machine, SIZE_MAX);
	row_text(row, "machine_source", machine_source_name(source), SIZE_MAX);
	row_text(row, "machine_uuid", process->identity.uuid, sizeof(process->identity.uuid));
	row_text(row, "domain", process->identity.domain, sizeof(process->identity.domain));
}

/* An identification as lspci -n prints it, without 0x. */
static void put_hex(struct row *row, const char *key, unsigned int value, int digits, bool known)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", digits, value);
	row_text(row, key, known ? text : NULL, sizeof(text));
}

static void put_bars(struct row *row, const struct device *device)
{
	struct json_object *bars;

	if (!device->facts_known) {
		row_null(row, "bars");
		return;
	}
	bars = row_array(row, "bars");
	for (unsigned int i = 0; i < EVENT_BARS; i++) {
		const struct event_bar *bar = &device->facts.bars[i];
		struct row entry;

		if (!bar->size)
			continue;
		entry = row_append_object(row, bars);
		row_count(&entry, "index", i, true);
		row_address(&entry, "phys_start", bar->phys_start, true);
		row_count(&entry, "size", bar->size, true);
		row_bool(&entry, "prefetchable", bar->flags & EVENT_BAR_PREFETCH, true);
		row_bool(&entry, "memory", bar->flags & EVENT_BAR_MEM, true);
		row_end(row, &entry);
	}
}

static void put_holders(struct row *row, const struct device_file *file)
{
	const struct holder *holder;
	struct json_object *holders;
	unsigned int n = 0;

	if (!file->holders_known) {
		row_null(row, "holders");
		return;
	}
	holders = row_array(row, "holders");
	DL_FOREACH (file->holders, holder) {
		struct row entry;

		if (n++ == HOLDERS_PER_ROW)
			break;
		entry = row_append_object(row, holders);
		row_process(&entry, holder->process);
		row_count(&entry, "fds", holder->fds, true);
		row_end(row, &entry);
	}
	if (file->n_holders > HOLDERS_PER_ROW)
		row_count(row, "holders_omitted", file->n_holders - HOLDERS_PER_ROW, true);
}

static void put_files(struct row *row, const struct device *device, const struct snapshot_clock *clock)
{
	struct json_object *files = row_array(row, "files");
	const struct device_file *file;
	unsigned int n = 0;

	DL_FOREACH2 (device->file_list, file, device_next) {
		struct row entry;

		if (n++ == FILES_PER_ROW)
			break;
		entry = row_append_object(row, files);
		row_count(&entry, "id", file->id, true);
		row_time(&entry, "opened", file->opened_ns, clock->realtime_offset_ns);
		row_process(&entry, file->opener);
		row_text(&entry, "via", file->is_cdev ? "cdev" : "group", SIZE_MAX);
		row_bool(&entry, "from_scan", file->from_scan, true);
		put_holders(&entry, file);
		row_end(row, &entry);
	}
	if (device->files > FILES_PER_ROW)
		row_count(row, "files_omitted", device->files - FILES_PER_ROW, true);
}

static struct json_object *device_row(const struct device *device, const struct findings *findings,
				      const struct snapshot_clock *clock)
{
	const struct event_device *facts = &device->facts;
	bool known = device->facts_known;
	struct row row = row_new();

	row_count(&row, "id", device->id, true);
	put_device_name(&row, device);
	put_hex(&row, "vendor", facts->vendor, 4, known);
	put_hex(&row, "product", facts->product, 4, known);
	put_hex(&row, "class", facts->class_code & 0xffffff, 6, known);
	row_null(&row, "name");
	row_text(&row, "driver", known ? facts->driver : NULL, sizeof(facts->driver));
	row_signed(&row, "iommu_group", facts->iommu_group, known && facts->iommu_group >= 0);
	put_bars(&row, device);
	row_bool(&row, "present", facts->present, known);
	row_count(&row, "open_files", device->files, true);
	row_count(&row, "cookies", device->cookies, true);
	row_count(&row, "mappings", device->mappings, true);
	row_count(&row, "conflicts", findings ? findings_of_device(findings, device->name) : 0, findings);
	put_files(&row, device, clock);
	return row_take(&row);
}

/* Regions have flags; a DMABUF has none. */
static void put_cookie_flags(struct row *row, const struct cookie *cookie)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{VFIO_REGION_INFO_FLAG_READ, "read"},
		{VFIO_REGION_INFO_FLAG_WRITE, "write"},
		{VFIO_REGION_INFO_FLAG_MMAP, "mmap"},
		{VFIO_REGION_INFO_FLAG_CAPS, "caps"},
	};
	struct json_object *array;

	if (cookie->dialect == DIALECT_DMA_BUF) {
		row_null(row, "flags");
		return;
	}
	array = row_array(row, "flags");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (cookie->flags & names[i].flag)
			row_append_text(row, array, names[i].name, SIZE_MAX);
}

/* Of a cookie that tells none it is not known what userspace asked for. */
static void put_attributes(struct row *row, const struct cookie *cookie)
{
	struct json_object *array;

	if (!(cookie->attributes & COOKIE_ATTRIBUTES_KNOWN)) {
		row_null(row, "attributes");
		return;
	}
	array = row_array(row, "attributes");
	if (cookie->attributes & COOKIE_WC)
		row_append_text(row, array, "wc", SIZE_MAX);
}

struct json_object *snapshot_cookie_row(const struct ledger *ledger, const struct cookie *cookie,
					const struct snapshot_clock *clock)
{
	int64_t offset_ns = clock->realtime_offset_ns;
	struct row row = row_new();

	row_count(&row, "id", cookie->id, true);
	put_device_name(&row, cookie->file->device);
	row_count(&row, "file", cookie->file->id, true);
	row_count(&row, "region", cookie->region, cookie->region != EVENT_REGION_UNKNOWN);
	row_text(&row, "dialect", cookie_dialect_name(cookie->dialect), SIZE_MAX);
	row_address(&row, "offset", cookie->offset, true);
	row_count(&row, "size", cookie->size, true);
	row_text(&row, "type", memtype_name(ledger_promised(ledger, cookie)), SIZE_MAX);
	put_attributes(&row, cookie);
	row_count(&row, "alias_of", cookie->alias_of, cookie->alias_of != EVENT_REGION_UNKNOWN);
	row_bool(&row, "revoked", cookie->attributes & COOKIE_REVOKED, true);
	put_cookie_flags(&row, cookie);
	row_count(&row, "ranges", cookie->ranges, cookie->ranges);
	row_address(&row, "phys_start", cookie->phys_start, cookie->phys_start);
	row_process(&row, cookie->issuer);
	row_identity(&row, cookie->issuer);
	row_time(&row, "issuer_start", cookie->issuer ? cookie->issuer->key.start_ns : 0, offset_ns);
	row_count(&row, "issued", cookie->issued, cookie->issued);
	row_time(&row, "since", cookie->issued_ns, offset_ns);
	row_time(&row, "until", cookie->live ? 0 : cookie->closed_ns, offset_ns);
	row_bool(&row, "live", cookie->live, true);
	return row_take(&row);
}

/* A layout that is not known shows in the pages, if one physical range explains all of them. */
bool mapping_phys_start(const struct mapping *mapping, uint64_t *ret)
{
	uint64_t before;

	*ret = mapping->phys_start;
	if (mapping->start == mapping->end || mapping->phys_known || !mapping->n_runs)
		return mapping->start != mapping->end && mapping->phys_known;
	before = mapping->runs[0].start - mapping->start;
	if (mapping->runs[0].phys_start < before)
		return false;
	*ret = mapping->runs[0].phys_start - before;
	for (size_t i = 1; i < mapping->n_runs; i++)
		if (mapping->runs[i].phys_start != *ret + (mapping->runs[i].start - mapping->start))
			return false;
	return *ret <= UINT64_MAX - (mapping->end - mapping->start);
}

static void put_range(struct row *row, const struct mapping *mapping)
{
	uint64_t phys_start;
	bool known = mapping->start != mapping->end, phys_known = mapping_phys_start(mapping, &phys_start);

	row_address(row, "start", mapping->start, known);
	row_address(row, "end", mapping->end, known);
	row_address(row, "offset", mapping->offset, known && mapping->offset_known);
	row_address(row, "phys_start", phys_start, phys_known);
	row_address(row, "phys_end", phys_start + (mapping->end - mapping->start), phys_known);
}

static void put_extents(struct row *row, const struct mapping *mapping)
{
	struct json_object *extents = row_array(row, "extents");

	for (size_t i = 0; i < mapping->n_runs && i < EXTENTS_PER_ROW; i++) {
		const struct page_run *run = &mapping->runs[i];
		struct row entry = row_append_object(row, extents);

		row_address(&entry, "start", run->start, true);
		row_address(&entry, "end", run->end, true);
		row_address(&entry, "phys_start", run->phys_start, true);
		row_text(&entry, "type", memtype_name(run->type), SIZE_MAX);
		row_text(&entry, "leaf", leaf_name(run->leaf), SIZE_MAX);
		row_end(row, &entry);
	}
	if (mapping->n_runs > EXTENTS_PER_ROW)
		row_count(row, "extents_omitted", mapping->n_runs - EXTENTS_PER_ROW, true);
}

static void put_effective(struct row *row, const struct ledger *ledger, const struct mapping *mapping)
{
	static const char *const keys[LEAF_SIZES] = {"populated_4k", "populated_2m", "populated_1g"};
	struct effective effective;
	uint64_t populated = 0;
	bool known;

	mapping_effective(mapping, &effective);
	known = effective.kind != EFFECTIVE_UNKNOWN;
	for (size_t i = 0; i < LEAF_SIZES; i++)
		populated += effective.populated[i];
	row_text(row, "effective", effective_name(&effective), SIZE_MAX);
	row_text(row, "effective_arch",
		 effective.kind == EFFECTIVE_ONE ? memtype_arch_name(ledger_arch(ledger), effective.type)
						 : NULL,
		 SIZE_MAX);
	row_count(row, "populated", populated, known);
	for (size_t i = 0; i < LEAF_SIZES; i++)
		row_count(row, keys[i], effective.populated[i], known);
	if (effective.kind == EFFECTIVE_MIXED ||
	    (effective.kind == EFFECTIVE_ONE && populated < mapping->end - mapping->start))
		put_extents(row, mapping);
	else
		row_null(row, "extents");
}

/* On arm64 KVM may give a guest write-combining through such a VMA, though the host's mapping has none. */
static void put_guest_wc(struct row *row, const struct ledger *ledger, const struct mapping *mapping)
{
	row_bool(row, "guest_wc", mapping->vm_flags & VM_ALLOW_ANY_UNCACHED,
		 ledger_arch(ledger) == MEMTYPE_ARCH_ARM64 && mapping->vm_flags);
}

static void put_verdict(struct row *row, const struct ledger *ledger, const struct policy *policy,
			const struct mapping *mapping)
{
	row_verdict(row, policy, policy_judge_mapping(policy, ledger, mapping));
}

/* The BAR of a layout that is not known shows in the pages. */
static uint32_t mapping_region(const struct ledger *ledger, const struct mapping *mapping)
{
	uint32_t region = mapping->region;

	if (region == EVENT_REGION_UNKNOWN && mapping->n_runs &&
	    ledger_device_at(ledger, mapping->runs[0].phys_start, &region) != mapping->device)
		region = EVENT_REGION_UNKNOWN;
	return region;
}

struct json_object *snapshot_mapping_row(const struct ledger *ledger, const struct policy *policy,
					 const struct mapping *mapping, const struct snapshot_clock *clock)
{
	const struct cookie *cookie = ledger_mapping_cookie(ledger, mapping);
	const struct process *owner = mapping->owner;
	enum memtype requested = ledger_requested(ledger, mapping);
	uint32_t region = mapping_region(ledger, mapping);
	bool revoked = mapping_revoked(mapping);
	struct row row = row_new();

	row_count(&row, "id", mapping->id, true);
	row_count(&row, "cookie", cookie ? cookie->id : 0, cookie);
	put_device_name(&row, mapping->device);
	row_count(&row, "file", mapping->file ? mapping->file->id : 0, mapping->file);
	row_count(&row, "region", region, region != EVENT_REGION_UNKNOWN);
	row_text(&row, "source", mapping_source_name(mapping->source), SIZE_MAX);
	row_process(&row, owner);
	row_count(&row, "uid", owner ? owner->uid : 0, owner);
	row_identity(&row, owner);
	row_text(&row, "exe", owner ? owner->exe : NULL, sizeof(owner->exe));
	put_range(&row, mapping);
	row_text(&row, "requested", memtype_name(requested), SIZE_MAX);
	row_text(&row, "requested_arch", memtype_arch_name(ledger_arch(ledger), requested), SIZE_MAX);
	put_effective(&row, ledger, mapping);
	put_guest_wc(&row, ledger, mapping);
	row_text(&row, "origin", mapping->from_scan ? "scan" : "event", SIZE_MAX);
	row_bool(&row, "settled", mapping->settled, true);
	row_time(&row, "since", mapping->mapped_ns, clock->realtime_offset_ns);
	row_time(&row, "until", mapping->live ? 0 : mapping->closed_ns, clock->realtime_offset_ns);
	row_bool(&row, "revoked", revoked, revoked || !mapping->no_fault || mapping->pages_known);
	row_bool(&row, "live", mapping->live && !revoked, true);
	put_verdict(&row, ledger, mapping->live ? policy : NULL, mapping);
	return row_take(&row);
}

/* A device that sysfs does not have and that nobody has open is there no longer, as far as one can tell. */
bool device_is_listed(const struct device *device)
{
	bool live = device->facts_known ? device->facts.present : device->references;

	return live || device->files || device->cookies || device->mappings;
}

static bool device_wanted(const struct row_filter *filter, const struct device *device)
{
	return (filter->all || device_is_listed(device)) && device_matches(filter, device) &&
	       (!filter->pid || ledger_device_has_process(device, filter->pid));
}

static bool cookie_wanted(const struct ledger *ledger, const struct row_filter *filter,
			  const struct cookie *cookie)
{
	return (filter->all || cookie_is_for_mmap(cookie)) && device_matches(filter, cookie->file->device) &&
	       process_matches(filter, cookie->issuer) &&
	       filter_takes_type(filter, ledger_promised(ledger, cookie));
}

/* What is not known to be of a device may be any memory. */
bool mapping_is_listed(const struct mapping *mapping)
{
	return mapping->device || mapping->source != SOURCE_DEVMEM;
}

static bool mapping_wanted(const struct ledger *ledger, const struct row_filter *filter,
			   const struct mapping *mapping)
{
	return (filter->all || mapping_is_listed(mapping)) && device_matches(filter, mapping->device) &&
	       process_matches(filter, mapping->owner) &&
	       filter_takes_type(filter, ledger_requested(ledger, mapping));
}

int rows_put(struct json_object *rows, struct json_object *row)
{
	if (!row)
		return -ENOMEM;
	if (json_object_array_add(rows, row) == 0)
		return 0;
	json_object_put(row);
	return -ENOMEM;
}

static size_t chunk_size(uint64_t live)
{
	if (live < CHUNK_MIN)
		return CHUNK_MIN;
	return live < CHUNK_MAX ? live : CHUNK_MAX;
}

/*
 * Walks entries of @type, of which @live of struct ledger_counts are live, in chunks: @list fills `chunk`
 * with at most `size` of those above `after`, @wanted filters `entry`, and @row makes its row. A macro
 * because the walks differ in types only.
 */
#define APPEND_ROWS(type, live, list, wanted, row)                                                           \
	do {                                                                                                 \
		const struct type **chunk;                                                                   \
		struct ledger_counts counts_;                                                                \
		size_t size, n_, left_ = max;                                                                \
		int r_ = 0;                                                                                  \
                                                                                                             \
		ledger_counts(ledger, &counts_);                                                             \
		size = chunk_size(counts_.live);                                                             \
		chunk = malloc(size * sizeof(*chunk));                                                       \
		if (!chunk)                                                                                  \
			return -ENOMEM;                                                                      \
		do {                                                                                         \
			n_ = (list);                                                                         \
			for (size_t i_ = 0; i_ < n_ && left_ > 0 && r_ == 0; i_++) {                         \
				const struct type *entry = chunk[i_];                                        \
                                                                                                             \
				after = entry->id;                                                           \
				if (!(wanted))                                                               \
					continue;                                                            \
				r_ = rows_put(rows, row);                                                    \
				left_--;                                                                     \
			}                                                                                    \
		} while (n_ == size && left_ > 0 && r_ == 0);                                                \
		free(chunk);                                                                                 \
		return r_;                                                                                   \
	} while (0)

int snapshot_devices(const struct ledger *ledger, const struct findings *findings,
		     const struct row_filter *filter, const struct snapshot_clock *clock, uint64_t after,
		     size_t max, struct json_object *rows)
{
	APPEND_ROWS(device, devices, ledger_list_devices(ledger, after, chunk, size),
		    device_wanted(filter, entry), device_row(entry, findings, clock));
}

int snapshot_cookies(const struct ledger *ledger, const struct row_filter *filter,
		     const struct snapshot_clock *clock, uint64_t after, size_t max, struct json_object *rows)
{
	APPEND_ROWS(cookie, cookies, ledger_list_cookies(ledger, filter->all, after, chunk, size),
		    cookie_wanted(ledger, filter, entry), snapshot_cookie_row(ledger, entry, clock));
}

int snapshot_mappings(const struct ledger *ledger, const struct policy *policy,
		      const struct row_filter *filter, const struct snapshot_clock *clock, uint64_t after,
		      size_t max, struct json_object *rows)
{
	APPEND_ROWS(mapping, mappings, ledger_list_mappings(ledger, filter->all, after, chunk, size),
		    mapping_wanted(ledger, filter, entry),
		    snapshot_mapping_row(ledger, policy, entry, clock));
}
