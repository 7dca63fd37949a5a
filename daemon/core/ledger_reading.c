/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

void ledger_begin_reading(struct ledger *ledger, enum reading what)
{
	if ((size_t)what >= READING_KINDS)
		return;
	ledger->readings[what].number++;
	ledger->readings[what].open = true;
	switch (what) {
	case READING_FILES:
		ledger->next_file = ledger->files;
		break;
	case READING_COOKIES:
		ledger->next_cookie = ledger->cookies;
		break;
	case READING_MAPPINGS:
		ledger->next_mapping = ledger->mappings;
		break;
	case READING_HOLDERS:
		ledger->next_holder = ledger->holders;
		break;
	}
}

/* An entry told of last in reading @seen: absent from this one, and unless @quiet from the complete one
 * before. */
static bool is_absent(const struct reading_state *reading, uint64_t seen, bool quiet)
{
	return quiet ? seen < reading->number : seen < reading->complete;
}

static void fill_header(struct event *event, enum event_type type, uint64_t now_ns)
{
	memset(event, 0, sizeof(*event));
	event->header.version = EVENT_VERSION;
	event->header.type = type;
	event->header.size = event_size(type);
	event->header.origin = EVENT_ORIGIN_SCAN;
	event->header.time_ns = now_ns;
}

static void fill_who(struct event *event, const struct process *process)
{
	struct event_process_id *who = &event->header.who;

	if (!process)
		return;
	who->start_ns = process->key.start_ns;
	who->tgid = process->key.tgid;
	who->cgroup_id = process->cgroup_id;
	who->uid = process->uid;
	memcpy(who->comm, process->comm, sizeof(who->comm));
}

static bool next_absent_file(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_file) {
		const struct device_file *file = ledger->next_file;

		ledger->next_file = file->hh.next;
		if (!file->live || file->mappings ||
		    !is_absent(&ledger->readings[READING_FILES], file->seen, quiet))
			continue;
		fill_header(ret, EVENT_RELEASE, now_ns);
		ret->file.file_id = file->id;
		return true;
	}
	return false;
}

static bool next_absent_cookie(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_cookie) {
		const struct cookie *cookie = ledger->next_cookie;

		ledger->next_cookie = cookie->hh.next;
		if (!cookie->live || !is_absent(&ledger->readings[READING_COOKIES], cookie->seen, quiet))
			continue;
		fill_header(ret, EVENT_COOKIE_RELEASE, now_ns);
		ret->cookie.cookie_id = cookie->id;
		ret->cookie.file_id = cookie->file->id;
		return true;
	}
	return false;
}

static bool next_absent_mapping(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_mapping) {
		const struct mapping *mapping = ledger->next_mapping;

		ledger->next_mapping = mapping->hh.next;
		if (!mapping->live || !is_absent(&ledger->readings[READING_MAPPINGS], mapping->seen, quiet))
			continue;
		fill_header(ret, EVENT_UNMAP, now_ns);
		ret->mapping.mapping_id = mapping->id;
		return true;
	}
	return false;
}

static bool next_absent_holder(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_holder) {
		const struct holder *holder = ledger->next_holder;

		ledger->next_holder = holder->hh.next;
		if (!is_absent(&ledger->readings[READING_HOLDERS], holder->seen, quiet))
			continue;
		fill_header(ret, EVENT_HOLDER, now_ns);
		fill_who(ret, holder->process);
		ret->holder.file_id = holder->file->id;
		return true;
	}
	return false;
}

/* Who holds the files that were there when a quiet reading of holders began is known now. */
static void note_holders_known(struct ledger *ledger)
{
	for (struct device_file *file = ledger->files; file; file = file->hh.next)
		if (file->live && file->born < ledger->readings[READING_HOLDERS].number)
			file->holders_known = true;
}

bool ledger_next_absent(struct ledger *ledger, enum reading what, bool quiet, uint64_t now_ns,
			struct event *ret)
{
	struct reading_state *reading;
	bool found = false;

	if ((size_t)what >= READING_KINDS || !ledger->readings[what].open)
		return false;
	reading = &ledger->readings[what];
	switch (what) {
	case READING_FILES:
		found = next_absent_file(ledger, quiet, now_ns, ret);
		break;
	case READING_COOKIES:
		found = next_absent_cookie(ledger, quiet, now_ns, ret);
		break;
	case READING_MAPPINGS:
		found = next_absent_mapping(ledger, quiet, now_ns, ret);
		break;
	case READING_HOLDERS:
		found = next_absent_holder(ledger, quiet, now_ns, ret);
		break;
	}
	if (found)
		return true;
	reading->open = false;
	reading->complete = reading->number;
	if (what == READING_HOLDERS && quiet)
		note_holders_known(ledger);
	return false;
}

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
	fill_header(&event, EVENT_DEVICE, replay->now_ns);
	event.device = device->facts;
	return replay->emit(replay->context, &event);
}

/* A closed file is told of and closed again if something that lives belongs to it. */
static int replay_file(const struct replay *replay, const struct device_file *file)
{
	struct event event;
	int r;

	if (!file->live && !file->cookies && !file->mappings)
		return 0;
	fill_header(&event, EVENT_FILE, replay->now_ns);
	fill_who(&event, file->opener);
	event.file.file_id = file->id;
	event.file.opened_ns = file->opened_ns;
	event.file.flags = (file->from_scan ? EVENT_FILE_FROM_SCAN : 0) |
			   (file->is_cdev ? EVENT_FILE_IS_CDEV : 0) |
			   (file->holders_known ? EVENT_FILE_HOLDERS_KNOWN : 0);
	if (file->device) {
		event.file.flags |= file->device->is_pci ? EVENT_DEVICE_IS_PCI : 0;
		event.file.pci_address = file->device->pci_address;
		memcpy(event.file.device, file->device->name, sizeof(event.file.device));
	}
	r = replay->emit(replay->context, &event);
	if (r < 0 || file->live)
		return r;
	fill_header(&event, EVENT_RELEASE, file->closed_ns);
	event.file.file_id = file->id;
	return replay->emit(replay->context, &event);
}

static int replay_cookie(const struct replay *replay, const struct cookie *cookie)
{
	struct event event;

	if (!cookie->live)
		return 0;
	fill_header(&event, EVENT_COOKIE_LIVE, replay->now_ns);
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
	return replay->emit(replay->context, &event);
}

/* A mapping of unknown range can only be told of as what it is: a copy. */
static int replay_mapping(const struct replay *replay, const struct mapping *mapping)
{
	bool is_known = mapping->start != mapping->end;
	struct event event;

	if (!mapping->live)
		return 0;
	fill_header(&event, is_known ? EVENT_MAPPING : EVENT_COPY, replay->now_ns);
	fill_who(&event, mapping->owner);
	event.mapping.mapping_id = mapping->id;
	event.mapping.from_id = is_known ? 0 : mapping->from_id;
	event.mapping.file_id = mapping->file ? mapping->file->id : 0;
	event.mapping.start = mapping->start;
	event.mapping.end = mapping->end;
	event.mapping.offset = mapping->offset;
	event.mapping.phys_start = mapping->phys_start;
	event.mapping.page_prot = mapping->page_prot;
	event.mapping.vm_flags = mapping->vm_flags;
	event.mapping.mapped_ns = mapping->mapped_ns;
	event.mapping.region = mapping->region;
	event.mapping.source = mapping->source;
	event.mapping.flags = (mapping->phys_known ? EVENT_MAPPING_PHYS_KNOWN : 0) |
			      (mapping->offset_known ? EVENT_MAPPING_OFFSET_KNOWN : 0) |
			      (mapping->from_scan ? EVENT_MAPPING_FROM_SCAN : 0) |
			      (mapping->settled ? 0 : EVENT_MAPPING_UNSETTLED);
	return replay->emit(replay->context, &event);
}

static int replay_holders(const struct replay *replay, const struct device_file *file)
{
	const struct holder *holder;
	struct event event;
	int r;

	DL_FOREACH (file->holders, holder) {
		fill_header(&event, EVENT_HOLDER, replay->now_ns);
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
	struct event event;

	if (!process->facts_known)
		return 0;
	fill_header(&event, EVENT_PROCESS, replay->now_ns);
	fill_who(&event, process);
	memcpy(event.process.unit, process->unit, sizeof(event.process.unit));
	memcpy(event.process.machine, process->machine, sizeof(event.process.machine));
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
	REPLAY_TABLE(device_file, ledger->files, replay_holders);
	REPLAY_TABLE(process, ledger->processes, replay_process);
	return 0;
}
