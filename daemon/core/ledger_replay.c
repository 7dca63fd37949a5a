/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The events that make this ledger again. */
#include "core/ledger_internal.h"

struct replay {
	uint64_t now_ns;
	ledger_emit emit;
	void *context;
};

static int replay_device(const struct replay *replay, const struct device *device)
{
	struct event event;

	if (!device->facts_known)
		return 0;
	event_scanned(&event, EVENT_DEVICE, replay->now_ns);
	event.device = device->facts;
	return replay->emit(replay->context, &event);
}

/* The order of time, as the newest is kept first. */
static int replay_reservations(const struct replay *replay, const struct device *device)
{
	struct event event;
	int r = 0;

	for (unsigned int i = device->n_reservations; i > 0 && r == 0; i--) {
		const struct reservation *reservation = &device->reservations[i - 1];

		event_scanned(&event, EVENT_RESERVATION, reservation->time_ns);
		fill_who(&event, reservation->process);
		event.reservation.phys_start = reservation->phys_start;
		event.reservation.phys_end = reservation->phys_end;
		event.reservation.requested = reservation->requested;
		event.reservation.given = reservation->given;
		r = replay->emit(replay->context, &event);
	}
	return r;
}

/* Live, or closed with a live mapping of it. */
static bool cookie_is_used(const struct cookie *cookie)
{
	const struct mapping *mapping;

	if (cookie->live)
		return true;
	DL_FOREACH2 (cookie->mapping_list, mapping, cookie_next)
		if (mapping->live)
			return true;
	return false;
}

static bool file_is_used(const struct device_file *file)
{
	const struct cookie *cookie;

	if (file->live || file->mappings)
		return true;
	DL_FOREACH2 (file->cookie_list, cookie, file_next)
		if (cookie_is_used(cookie))
			return true;
	return false;
}

/* A closed file is told of and closed again if something that lives belongs to it. */
static int replay_file(const struct replay *replay, const struct device_file *file)
{
	struct event event;
	int r;

	if (!file_is_used(file))
		return 0;
	event_scanned(&event, EVENT_FILE, replay->now_ns);
	fill_who(&event, file->opener);
	event.file.file_id = file->id;
	event.file.opened_ns = file->opened_ns;
	event.file.flags = (file->from_scan ? EVENT_FILE_FROM_SCAN : 0) |
			   (file->is_cdev ? EVENT_FILE_IS_CDEV : 0) |
			   (file->holders_known ? EVENT_FILE_HOLDERS_KNOWN : 0) |
			   (file->cookies_uncertain ? EVENT_FILE_COOKIES_UNCERTAIN : 0);
	if (file->device) {
		event.file.flags |= file->device->is_pci ? EVENT_DEVICE_IS_PCI : 0;
		event.file.pci_address = file->device->pci_address;
		memcpy(event.file.device, file->device->name, sizeof(event.file.device));
	}
	r = replay->emit(replay->context, &event);
	if (r < 0 || file->live)
		return r;
	event_scanned(&event, EVENT_RELEASE, file->closed_ns);
	event.file.file_id = file->id;
	return replay->emit(replay->context, &event);
}

static int replay_cookie(const struct replay *replay, const struct cookie *cookie)
{
	struct event event;
	int r;

	/* One that ended with its file ends there with it. */
	if (!cookie_is_used(cookie))
		return 0;
	event_scanned(&event, EVENT_COOKIE_LIVE, replay->now_ns);
	fill_who(&event, cookie->issuer);
	event.cookie.cookie_id = cookie->id;
	event.cookie.file_id = cookie->file->id;
	event.cookie.offset = cookie->offset;
	event.cookie.size = cookie->size;
	event.cookie.issued = cookie->issued;
	event.cookie.issued_ns = cookie->issued_ns;
	event.cookie.phys_start = cookie->phys_start;
	event.cookie.region = cookie->region;
	event.cookie.flags = cookie->flags;
	event.cookie.dialect = cookie->dialect;
	event.cookie.ranges = cookie->ranges;
	event.cookie.attributes = cookie->attributes;
	event.cookie.alias_of = cookie->alias_of;
	event.cookie.mapped_types = cookie->mapped_types;
	r = replay->emit(replay->context, &event);
	if (r < 0 || cookie->live)
		return r;
	event_scanned(&event, EVENT_COOKIE_RELEASE, cookie->closed_ns);
	event.cookie.cookie_id = cookie->id;
	event.cookie.file_id = cookie->file->id;
	return replay->emit(replay->context, &event);
}

/* A mapping of unknown range can only be told of as what it is: a copy. */
static int replay_mapping(const struct replay *replay, const struct mapping *mapping)
{
	bool is_known = mapping->start != mapping->end;
	struct event event;

	if (!mapping->live)
		return 0;
	event_scanned(&event, is_known ? EVENT_MAPPING : EVENT_COPY, replay->now_ns);
	fill_who(&event, mapping->owner);
	event.mapping.mapping_id = mapping->id;
	event.mapping.from_id = is_known ? 0 : mapping->from_id;
	event.mapping.file_id = mapping->file ? mapping->file->id : 0;
	event.mapping.cookie_id = mapping->cookie_id;
	event.mapping.pci_address = mapping->device_told ? mapping->device->pci_address : 0;
	event.mapping.start = mapping->start;
	event.mapping.end = mapping->end;
	event.mapping.offset = mapping->offset;
	event.mapping.phys_start = mapping->phys_start;
	event.mapping.page_prot = mapping->page_prot;
	event.mapping.vm_flags = mapping->vm_flags;
	event.mapping.mapped_ns = mapping->mapped_ns;
	event.mapping.region = mapping->by_address ? EVENT_REGION_UNKNOWN : mapping->region;
	event.mapping.source = mapping->source;
	event.mapping.flags = (mapping->phys_known ? EVENT_MAPPING_PHYS_KNOWN : 0) |
			      (mapping->offset_known ? EVENT_MAPPING_OFFSET_KNOWN : 0) |
			      (mapping->from_scan ? EVENT_MAPPING_FROM_SCAN : 0) |
			      (mapping->device_told ? EVENT_MAPPING_DEVICE_KNOWN : 0) |
			      (mapping->no_fault ? EVENT_MAPPING_NO_FAULT : 0) |
			      (mapping->settled ? 0 : EVENT_MAPPING_UNSETTLED);
	return replay->emit(replay->context, &event);
}

/* Tells of the pages from @start to @end, in as many events as it takes. */
static int replay_part(const struct replay *replay, const struct mapping *mapping, uint64_t start,
		       uint64_t end)
{
	size_t i = 0;
	int r = 0;

	while (start < end && r == 0) {
		struct event event;
		struct event_pages *pages = &event.pages;

		/* Not newer than what it tells of: a kernel event that is still to come may be. */
		event_scanned(&event, EVENT_PAGES, mapping->pages_ns);
		pages->mapping_id = mapping->id;
		pages->start = start;
		pages->end = end;
		for (; i < mapping->n_runs && mapping->runs[i].start < end; i++) {
			const struct page_run *run = &mapping->runs[i];

			if (run->end <= start)
				continue;
			if (pages->n_runs == EVENT_RUNS_MAX) {
				pages->end = run->start > start ? run->start : start;
				break;
			}
			pages->runs[pages->n_runs++] = (struct event_page_run){
				.start = run->start > start ? run->start : start,
				.end = run->end < end ? run->end : end,
				.phys_start = run->phys_start + (run->start > start ? 0 : start - run->start),
				.type = run->type,
				.leaf = run->leaf,
			};
		}
		start = pages->end;
		r = replay->emit(replay->context, &event);
	}
	return r;
}

/* Pages outside of what is known as a whole first, so that this is what is known as a whole at the other end.
 */
static int replay_pages(const struct replay *replay, const struct mapping *mapping)
{
	int r = 0;

	if (!mapping->live || mapping->start == mapping->end)
		return 0;
	for (size_t i = 0; i < mapping->n_runs && r == 0; i++) {
		const struct page_run *run = &mapping->runs[i];

		if (run->start < mapping->told_start || run->end > mapping->told_end)
			r = replay_part(replay, mapping, run->start, run->end);
	}
	return r < 0 ? r : replay_part(replay, mapping, mapping->told_start, mapping->told_end);
}

static int replay_holders(const struct replay *replay, const struct device_file *file)
{
	const struct holder *holder;
	struct event event;
	int r;

	DL_FOREACH (file->holders, holder) {
		event_scanned(&event, EVENT_HOLDER, replay->now_ns);
		fill_who(&event, holder->process);
		event.holder.file_id = file->id;
		event.holder.fds = holder->fds;
		r = replay->emit(replay->context, &event);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Facts of a process that only history points to are not taken at the other end, and do no harm there. */
static int replay_process(const struct replay *replay, const struct process *process)
{
	static const struct event_identity nothing;
	struct event event;
	int r;

	if (memcmp(&process->identity, &nothing, sizeof(nothing)) != 0) {
		event_scanned(&event, EVENT_IDENTITY, replay->now_ns);
		fill_who(&event, process);
		event.identity = process->identity;
		r = replay->emit(replay->context, &event);
		if (r < 0)
			return r;
	}
	if (!process->facts_known && !process->unit[0] && !process->machine[0] && !process->exe[0])
		return 0;
	event_scanned(&event, EVENT_PROCESS, replay->now_ns);
	fill_who(&event, process);
	memcpy(event.process.unit, process->unit, sizeof(event.process.unit));
	memcpy(event.process.machine, process->machine, sizeof(event.process.machine));
	memcpy(event.process.exe, process->exe, sizeof(event.process.exe));
	return replay->emit(replay->context, &event);
}

#define REPLAY_TABLE(type, table, function)                                                                  \
	do {                                                                                                 \
		for (const struct type *entry_ = (table); entry_; entry_ = entry_->hh.next) {                \
			int r_ = function(&replay, entry_);                                                  \
                                                                                                             \
			if (r_ < 0)                                                                          \
				return r_;                                                                   \
		}                                                                                            \
	} while (0)

int ledger_replay(const struct ledger *ledger, uint64_t now_ns, ledger_emit emit, void *context)
{
	const struct replay replay = {.now_ns = now_ns, .emit = emit, .context = context};

	REPLAY_TABLE(device, ledger->devices, replay_device);
	REPLAY_TABLE(device_file, ledger->files, replay_file);
	REPLAY_TABLE(cookie, ledger->cookies, replay_cookie);
	REPLAY_TABLE(mapping, ledger->mappings, replay_mapping);
	REPLAY_TABLE(mapping, ledger->mappings, replay_pages);
	REPLAY_TABLE(device, ledger->devices, replay_reservations);
	REPLAY_TABLE(device_file, ledger->files, replay_holders);
	REPLAY_TABLE(process, ledger->processes, replay_process);
	return 0;
}
