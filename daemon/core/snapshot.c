/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot_internal.h"

#include <errno.h>
#include <fnmatch.h>
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

static bool device_matches(const struct row_filter *filter, const struct device *device)
{
	char with_domain[sizeof("0000:") + EVENT_NAME_LEN];

	if (!filter->device[0])
		return true;
	if (!device)
		return false;
	if (fnmatch(filter->device, device->name, FNM_NOESCAPE) == 0)
		return true;
	snprintf(with_domain, sizeof(with_domain), "0000:%.*s", EVENT_NAME_LEN, filter->device);
	return fnmatch(with_domain, device->name, FNM_NOESCAPE) == 0;
}

static bool type_matches(const struct row_filter *filter, enum memtype type)
{
	return filter->type == MEMTYPE_UNKNOWN || filter->type == type ||
	       (filter->type == MEMTYPE_UC && (type == MEMTYPE_UC_MINUS || type == MEMTYPE_DEVICE));
}

static bool process_matches(const struct row_filter *filter, const struct process *process)
{
	return !filter->pid || (process && process->key.tgid == filter->pid);
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

static struct json_object *device_row(const struct device *device, const struct snapshot_clock *clock)
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
	row_null(&row, "conflicts");
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

static struct json_object *cookie_row(const struct ledger *ledger, const struct cookie *cookie,
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
	put_cookie_flags(&row, cookie);
	row_count(&row, "ranges", cookie->ranges, cookie->ranges);
	row_address(&row, "phys_start", cookie->phys_start, cookie->phys_start);
	row_process(&row, cookie->issuer);
	row_time(&row, "issuer_start", cookie->issuer ? cookie->issuer->key.start_ns : 0, offset_ns);
	row_count(&row, "issued", cookie->issued, cookie->issued);
	row_time(&row, "since", cookie->issued_ns, offset_ns);
	row_time(&row, "until", cookie->live ? 0 : cookie->closed_ns, offset_ns);
	row_bool(&row, "live", cookie->live, true);
	return row_take(&row);
}

static void put_range(struct row *row, const struct mapping *mapping)
{
	bool known = mapping->start != mapping->end;
	bool phys_known = known && mapping->phys_known;

	row_address(row, "start", mapping->start, known);
	row_address(row, "end", mapping->end, known);
	row_address(row, "offset", mapping->offset, known && mapping->offset_known);
	row_address(row, "phys_start", mapping->phys_start, phys_known);
	row_address(row, "phys_end", mapping->phys_start + (mapping->end - mapping->start), phys_known);
}

const struct cookie *mapping_cookie(const struct ledger *ledger, const struct mapping *mapping)
{
	if (mapping->source != SOURCE_VFIO || !mapping->offset_known)
		return NULL;
	return ledger_cookie_at(ledger, mapping->file, mapping->offset);
}

static struct json_object *mapping_row(const struct ledger *ledger, const struct mapping *mapping,
				       const struct snapshot_clock *clock)
{
	const struct cookie *cookie = mapping_cookie(ledger, mapping);
	const struct process *owner = mapping->owner;
	enum memtype requested = ledger_requested(ledger, mapping);
	struct row row = row_new();

	row_count(&row, "id", mapping->id, true);
	row_count(&row, "cookie", cookie ? cookie->id : 0, cookie);
	put_device_name(&row, mapping->file ? mapping->file->device : NULL);
	row_count(&row, "file", mapping->file ? mapping->file->id : 0, mapping->file);
	row_count(&row, "region", mapping->region, mapping->region != EVENT_REGION_UNKNOWN);
	row_text(&row, "source", mapping_source_name(mapping->source), SIZE_MAX);
	row_process(&row, owner);
	row_count(&row, "uid", owner ? owner->uid : 0, owner);
	row_text(&row, "unit", owner ? owner->unit : NULL, sizeof(owner->unit));
	row_text(&row, "machine", owner ? owner->machine : NULL, sizeof(owner->machine));
	put_range(&row, mapping);
	row_text(&row, "requested", memtype_name(requested), SIZE_MAX);
	row_text(&row, "requested_arch", memtype_arch_name(ledger_arch(ledger), requested), SIZE_MAX);
	row_null(&row, "effective");
	row_null(&row, "populated");
	row_null(&row, "guest_wc");
	row_text(&row, "origin", mapping->from_scan ? "scan" : "event", SIZE_MAX);
	row_bool(&row, "settled", mapping->settled, true);
	row_time(&row, "since", mapping->mapped_ns, clock->realtime_offset_ns);
	row_time(&row, "until", mapping->live ? 0 : mapping->closed_ns, clock->realtime_offset_ns);
	row_bool(&row, "live", mapping->live, true);
	return row_take(&row);
}

/* A device that sysfs does not have and that nobody has open is there no longer, as far as one can tell. */
static bool device_wanted(const struct ledger *ledger, const struct row_filter *filter,
			  const struct device *device)
{
	bool live = device->facts_known ? device->facts.present : device->references;

	return (filter->all || live || device->files || device->cookies || device->mappings) &&
	       device_matches(filter, device) &&
	       (!filter->pid || ledger_device_has_process(ledger, device, filter->pid));
}

static bool cookie_wanted(const struct ledger *ledger, const struct row_filter *filter,
			  const struct cookie *cookie)
{
	return (filter->all || cookie_is_for_mmap(cookie)) && device_matches(filter, cookie->file->device) &&
	       process_matches(filter, cookie->issuer) &&
	       type_matches(filter, ledger_promised(ledger, cookie));
}

static bool mapping_wanted(const struct ledger *ledger, const struct row_filter *filter,
			   const struct mapping *mapping)
{
	return device_matches(filter, mapping->file ? mapping->file->device : NULL) &&
	       process_matches(filter, mapping->owner) &&
	       type_matches(filter, ledger_requested(ledger, mapping));
}

/* @row passes to @rows. NULL: it could not be made. */
static int rows_put(struct json_object *rows, struct json_object *row)
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

int snapshot_devices(const struct ledger *ledger, const struct row_filter *filter,
		     const struct snapshot_clock *clock, uint64_t after, size_t max, struct json_object *rows)
{
	APPEND_ROWS(device, devices, ledger_list_devices(ledger, after, chunk, size),
		    device_wanted(ledger, filter, entry), device_row(entry, clock));
}

int snapshot_cookies(const struct ledger *ledger, const struct row_filter *filter,
		     const struct snapshot_clock *clock, uint64_t after, size_t max, struct json_object *rows)
{
	APPEND_ROWS(cookie, cookies, ledger_list_cookies(ledger, filter->all, after, chunk, size),
		    cookie_wanted(ledger, filter, entry), cookie_row(ledger, entry, clock));
}

int snapshot_mappings(const struct ledger *ledger, const struct row_filter *filter,
		      const struct snapshot_clock *clock, uint64_t after, size_t max,
		      struct json_object *rows)
{
	APPEND_ROWS(mapping, mappings, ledger_list_mappings(ledger, filter->all, after, chunk, size),
		    mapping_wanted(ledger, filter, entry), mapping_row(ledger, entry, clock));
}
