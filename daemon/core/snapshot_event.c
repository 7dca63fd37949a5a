/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/request.h"
#include "core/snapshot_finding.h"
#include "core/status.h"

#include <inttypes.h>
#include <stdio.h>

/* What an event is about, as far as the ledger has it. */
struct subject {
	const struct device *device;
	const struct device_file *file;
	const struct cookie *cookie;
	const struct mapping *mapping;
	const struct process *process;
	uint32_t region; /* of physical bytes that the event names; else EVENT_REGION_UNKNOWN */
};

static bool is_file_event(unsigned int type)
{
	return type == EVENT_OPEN || type == EVENT_RELEASE || type == EVENT_FILE;
}

static bool is_cookie_event(unsigned int type)
{
	return type == EVENT_COOKIE || type == EVENT_COOKIE_RELEASE || type == EVENT_COOKIE_LIVE;
}

static bool is_mapping_event(unsigned int type)
{
	return type == EVENT_MAP || type == EVENT_COPY || type == EVENT_UNMAP || type == EVENT_MAPPING;
}

static bool is_pages_event(unsigned int type)
{
	return type == EVENT_POPULATE || type == EVENT_PAGES;
}

static const struct process *find_process(const struct ledger *ledger, const struct event_process_id *who)
{
	const struct process_key key = {.start_ns = who->start_ns, .tgid = who->tgid};

	return ledger_process(ledger, &key);
}

static struct subject find_subject(const struct ledger *ledger, const struct event *event)
{
	unsigned int type = event->header.type;
	struct subject subject = {.process = find_process(ledger, &event->header.who),
				  .region = EVENT_REGION_UNKNOWN};

	if (is_file_event(type))
		subject.file = ledger_file(ledger, event->file.file_id);
	if (type == EVENT_HOLDER)
		subject.file = ledger_file(ledger, event->holder.file_id);
	if (type == EVENT_REQUEST)
		subject.file = request_file(ledger, &event->request);
	if (is_cookie_event(type)) {
		subject.cookie = ledger_cookie(ledger, event->cookie.cookie_id);
		subject.file =
			subject.cookie ? subject.cookie->file : ledger_file(ledger, event->cookie.file_id);
	}
	if (is_mapping_event(type)) {
		subject.mapping = ledger_mapping(ledger, event->mapping.mapping_id);
		subject.file = subject.mapping && subject.mapping->file
				       ? subject.mapping->file
				       : ledger_file(ledger, event->mapping.file_id);
	}
	if (is_pages_event(type)) {
		subject.mapping = ledger_mapping(ledger, event->pages.mapping_id);
		subject.file = subject.mapping ? subject.mapping->file : NULL;
	}
	if (type == EVENT_REVOKE && event->revoke.scope == REVOKE_IOMEM)
		subject.device = ledger_device_at(ledger, event->revoke.phys_start, &subject.region);
	else if (type == EVENT_RESERVATION)
		subject.device = ledger_device_at(ledger, event->reservation.phys_start, &subject.region);
	else if (subject.mapping)
		subject.device = subject.mapping->device;
	else if (subject.file)
		subject.device = subject.file->device;
	return subject;
}

static struct subject changed_subject(const struct ledger *ledger, const struct event *event,
				      const struct change *change)
{
	struct subject subject = find_subject(ledger, event);

	if (!change)
		return subject;
	if (change->device)
		subject.device = change->device;
	if (change->file)
		subject.file = change->file;
	if (change->cookie)
		subject.cookie = change->cookie;
	if (change->mapping)
		subject.mapping = change->mapping;
	return subject;
}

static bool names_revoked_device(const struct event *event)
{
	return event->header.type == EVENT_REVOKE && event->revoke.scope == REVOKE_DEVICE;
}

/* The name is in some events, and else that of the device in the ledger. */
static void put_device(struct row *row, const struct event *event, const struct subject *subject)
{
	const struct event_file *file = &event->file;
	unsigned int type = event->header.type;
	char name[EVENT_NAME_LEN + 1];

	if (subject->device) {
		row_text(row, "device", subject->device->name, sizeof(subject->device->name));
	} else if (type == EVENT_DEVICE || names_revoked_device(event)) {
		ledger_pci_name(type == EVENT_DEVICE ? event->device.pci_address : event->revoke.pci_address,
				name);
		row_text(row, "device", name, sizeof(name));
	} else if (type == EVENT_REQUEST && event->request.flags & EVENT_MAPPING_DEVICE_KNOWN) {
		ledger_pci_name(event->request.pci_address, name);
		row_text(row, "device", name, sizeof(name));
	} else if ((type == EVENT_OPEN || type == EVENT_FILE) && file->flags & EVENT_DEVICE_IS_PCI) {
		ledger_pci_name(file->pci_address, name);
		row_text(row, "device", name, sizeof(name));
	} else if (type == EVENT_OPEN || type == EVENT_FILE) {
		row_text(row, "device", file->device, sizeof(file->device));
	} else {
		row_null(row, "device");
	}
}

static void put_id(struct row *row, const char *key, uint64_t id)
{
	row_count(row, key, id, id != 0);
}

/* All but the last @but of these keys are null. */
static void put_nothing(struct row *row, size_t but)
{
	static const char *const keys[] = {
		"region", "file", "cookie",     "mapping",  "offset",    "size",
		"start",  "end",  "phys_start", "phys_end", "requested",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) - but; i++)
		row_null(row, keys[i]);
}

static void put_cookie(struct row *row, const struct event *event, const struct subject *subject)
{
	const struct event_cookie *told = &event->cookie;
	const struct cookie *cookie = subject->cookie;
	bool is_end = event->header.type == EVENT_COOKIE_RELEASE;
	bool known = !is_end || cookie;
	uint32_t region = is_end && cookie ? cookie->region : told->region;
	uint32_t dialect = is_end && cookie ? cookie->dialect : told->dialect;
	uint64_t phys_start = is_end && cookie ? cookie->phys_start : told->phys_start;
	uint64_t issued = is_end && cookie ? cookie->issued : told->issued;

	row_count(row, "region", region, known && region != EVENT_REGION_UNKNOWN);
	put_id(row, "file", told->file_id);
	put_id(row, "cookie", told->cookie_id);
	row_null(row, "mapping");
	row_address(row, "offset", is_end && cookie ? cookie->offset : told->offset, known);
	row_count(row, "size", is_end && cookie ? cookie->size : told->size, known);
	row_null(row, "start");
	row_null(row, "end");
	row_address(row, "phys_start", phys_start, known && phys_start);
	row_null(row, "phys_end");
	row_null(row, "requested");
	row_text(row, "dialect", known ? cookie_dialect_name(dialect) : NULL, SIZE_MAX);
	row_count(row, "issued", issued, known && issued);
}

/* A mapping as the event tells it; what the event lacks is taken from the ledger. */
static struct mapping told_mapping(const struct event *event, const struct mapping *mapping)
{
	const struct event_mapping *told = &event->mapping;
	struct mapping ret = {.region = EVENT_REGION_UNKNOWN, .source = SOURCE_TYPES};

	if (mapping)
		ret = *mapping;
	ret.id = told->mapping_id;
	if (event->header.type == EVENT_UNMAP)
		return ret;
	if (told->start < told->end) {
		ret.start = told->start;
		ret.end = told->end;
		if (told->flags & EVENT_MAPPING_OFFSET_KNOWN || !mapping || mapping->start != told->start) {
			ret.offset = told->offset;
			ret.offset_known = told->flags & EVENT_MAPPING_OFFSET_KNOWN;
		}
		if (told->flags & EVENT_MAPPING_PHYS_KNOWN || !mapping || mapping->start != told->start) {
			ret.phys_start = told->phys_start;
			ret.phys_known = told->flags & EVENT_MAPPING_PHYS_KNOWN;
		}
	}
	if (told->page_prot)
		ret.page_prot = told->page_prot;
	if (!mapping) {
		ret.region = told->region;
		ret.source = told->source;
	}
	return ret;
}

static void put_mapping(struct row *row, const struct ledger *ledger, const struct event *event,
			const struct subject *subject)
{
	const struct mapping mapping = told_mapping(event, subject->mapping);
	const struct cookie *cookie = ledger_mapping_cookie(ledger, &mapping);
	bool known = mapping.start < mapping.end, phys_known = known && mapping.phys_known;
	uint64_t size = mapping.end - mapping.start;

	row_count(row, "region", mapping.region, mapping.region != EVENT_REGION_UNKNOWN);
	put_id(row, "file", subject->file ? subject->file->id : event->mapping.file_id);
	put_id(row, "cookie", cookie ? cookie->id : 0);
	put_id(row, "mapping", mapping.id);
	row_address(row, "offset", mapping.offset, known && mapping.offset_known);
	row_count(row, "size", size, known);
	row_address(row, "start", mapping.start, known);
	row_address(row, "end", mapping.end, known);
	row_address(row, "phys_start", mapping.phys_start, phys_known);
	row_address(row, "phys_end", mapping.phys_start + size, phys_known);
	row_text(row, "requested", memtype_name(ledger_requested(ledger, &mapping)), SIZE_MAX);
	row_text(row, "source", mapping_source_name(mapping.source), SIZE_MAX);
	if (event->header.type == EVENT_COPY)
		put_id(row, "from", event->mapping.from_id);
}

/* The runs of an event as those of a mapping that is nothing but them. */
static struct mapping told_pages(const struct event_pages *told, struct page_run runs[EVENT_RUNS_MAX])
{
	struct mapping ret = {
		.start = told->start,
		.end = told->end,
		.runs = runs,
		.n_runs = told->n_runs < EVENT_RUNS_MAX ? told->n_runs : EVENT_RUNS_MAX,
		.pages_known = true,
		.live = true,
	};

	for (size_t i = 0; i < ret.n_runs; i++)
		runs[i] = (struct page_run){
			.start = told->runs[i].start,
			.end = told->runs[i].end,
			.phys_start = told->runs[i].phys_start,
			.type = told->runs[i].type,
			.leaf = told->runs[i].leaf < LEAF_SIZES ? told->runs[i].leaf : LEAF_4K,
		};
	return ret;
}

/* Of a refused event the numbers may be anything. */
static void put_pages(struct row *row, const struct ledger *ledger, const struct event *event,
		      const struct subject *subject)
{
	const struct mapping *mapping = subject->mapping;
	const struct cookie *cookie = mapping ? ledger_mapping_cookie(ledger, mapping) : NULL;
	struct page_run runs[EVENT_RUNS_MAX];
	const struct mapping told = told_pages(&event->pages, runs);
	bool known = told.start < told.end, phys_known;
	uint64_t phys_start, size = told.end - told.start, populated = 0;
	struct effective effective;

	mapping_effective(&told, &effective);
	for (size_t i = 0; i < LEAF_SIZES; i++)
		populated += effective.populated[i];
	phys_known = mapping_phys_start(&told, &phys_start);
	row_count(row, "region", mapping ? mapping->region : 0,
		  mapping && mapping->region != EVENT_REGION_UNKNOWN);
	put_id(row, "file", subject->file ? subject->file->id : 0);
	put_id(row, "cookie", cookie ? cookie->id : 0);
	put_id(row, "mapping", event->pages.mapping_id);
	row_null(row, "offset");
	row_count(row, "size", size, known);
	row_address(row, "start", told.start, known);
	row_address(row, "end", told.end, known);
	row_address(row, "phys_start", phys_start, phys_known);
	row_address(row, "phys_end", phys_start + size, phys_known);
	row_text(row, "requested", mapping ? memtype_name(ledger_requested(ledger, mapping)) : NULL,
		 SIZE_MAX);
	row_text(row, "effective", effective_name(&effective), SIZE_MAX);
	row_count(row, "populated", populated, known);
	row_text(row, "source", mapping ? mapping_source_name(mapping->source) : NULL, SIZE_MAX);
}

static void put_revoke(struct row *row, const struct event *event, const struct subject *subject)
{
	const struct event_revoke *revoke = &event->revoke;
	bool is_iomem = revoke->scope == REVOKE_IOMEM;

	put_nothing(row, 3);
	row_count(row, "region", subject->region, subject->region != EVENT_REGION_UNKNOWN);
	if (subject->mapping)
		put_id(row, "mapping", subject->mapping->id);
	row_address(row, "phys_start", revoke->phys_start, is_iomem);
	row_address(row, "phys_end", revoke->phys_end, is_iomem);
	row_null(row, "requested");
	row_text(row, "scope",
		 is_iomem                       ? "iomem"
		 : revoke->scope == REVOKE_VFIO ? "vfio"
						: "device",
		 SIZE_MAX);
	row_bool(row, "uncertain", revoke->uncertain, true);
}

static void put_reservation(struct row *row, const struct event *event, const struct subject *subject)
{
	const struct event_reservation *told = &event->reservation;

	put_nothing(row, 3);
	row_count(row, "region", subject->region, subject->region != EVENT_REGION_UNKNOWN);
	row_address(row, "phys_start", told->phys_start, true);
	row_address(row, "phys_end", told->phys_end, true);
	row_text(row, "requested", memtype_name(told->requested), SIZE_MAX);
	row_text(row, "given", memtype_name(told->given), SIZE_MAX);
}

static void put_peer(struct row *row, const struct event_request *told)
{
	const struct event_party *peer = &told->peer;
	bool known = told->has_peer, range = known && peer->flags & PARTY_RANGE_KNOWN;

	row_count(row, "peer_pid", peer->who.tgid, known && peer->who.tgid);
	row_text(row, "peer_comm", known ? peer->who.comm : NULL, sizeof(peer->who.comm));
	row_text(row, "peer_source", known ? mapping_source_name(peer->source) : NULL, SIZE_MAX);
	row_text(row, "peer_requested", known ? memtype_name(peer->type) : NULL, SIZE_MAX);
	row_address(row, "peer_phys_start", peer->phys_start, range);
	row_address(row, "peer_phys_end", peer->phys_end, range);
	row_bool(row, "peer_pending", peer->flags & PARTY_PENDING, known);
}

/* Of a refused event the numbers may be anything. */
static void put_request(struct row *row, const struct ledger *ledger, const struct event *event,
			const struct subject *subject)
{
	const struct event_request *told = &event->request;
	bool good = request_is_good(told), range = told->party.flags & PARTY_RANGE_KNOWN;
	char digest[17], text[SENTENCE_MAX];

	snprintf(digest, sizeof(digest), "%016" PRIx64, (uint64_t)told->policy);
	row_count(row, "region", told->region, told->region != EVENT_REGION_UNKNOWN);
	put_id(row, "file", subject->file ? subject->file->id : 0);
	put_id(row, "cookie", subject->cookie ? subject->cookie->id : 0);
	row_null(row, "mapping");
	row_address(row, "offset", told->offset, true);
	row_count(row, "size", told->size, true);
	row_null(row, "start");
	row_null(row, "end");
	row_address(row, "phys_start", told->party.phys_start, range);
	row_address(row, "phys_end", told->party.phys_end, range);
	row_text(row, "requested", memtype_name(told->party.type), SIZE_MAX);
	row_text(row, "source", mapping_source_name(told->party.source), SIZE_MAX);
	row_text(row, "what", request_what_name(told->what), SIZE_MAX);
	row_text(row, "kind", policy_kind_name(told->kind), SIZE_MAX);
	row_text(row, "verdict", good ? request_verdict_name(told) : NULL, SIZE_MAX);
	row_text(row, "rule", told->rule, sizeof(told->rule));
	row_text(row, "unknown", policy_unknown_name(told->unknown), SIZE_MAX);
	row_text(row, "given", told->given ? memtype_name(told->given) : NULL, SIZE_MAX);
	row_text(row, "policy", digest, sizeof(digest));
	row_text(row, "unit", told->party.unit, sizeof(told->party.unit));
	row_text(row, "machine", told->party.machine, sizeof(told->party.machine));
	put_peer(row, told);
	if (good)
		row_sentence(row, "text", request_explain(ledger, event, text, sizeof(text)));
}

static const char *state_name(unsigned int type)
{
	switch (type) {
	case EVENT_FILE:
		return "file";
	case EVENT_COOKIE_LIVE:
		return "cookie";
	case EVENT_MAPPING:
		return "mapping";
	case EVENT_HOLDER:
		return "holder";
	case EVENT_DEVICE:
		return "device";
	case EVENT_PROCESS:
		return "process";
	case EVENT_IDENTITY:
		return "identity";
	case EVENT_PAGES:
		return "pages";
	default:
		return NULL;
	}
}

/* Keys that only one type of event has. */
static void put_details(struct row *row, const struct event *event)
{
	switch (event->header.type) {
	case EVENT_OPEN:
	case EVENT_FILE:
		row_text(row, "via", event->file.flags & EVENT_FILE_IS_CDEV ? "cdev" : "group", SIZE_MAX);
		break;
	case EVENT_MODULE:
		row_text(row, "module", event->module.name, sizeof(event->module.name));
		row_text(row, "module_state", event->module.state == EVENT_MODULE_GONE ? "gone" : "coming",
			 SIZE_MAX);
		break;
	case EVENT_HOLDER:
		row_count(row, "fds", event->holder.fds, true);
		break;
	case EVENT_DEVICE:
		row_bool(row, "present", event->device.present, true);
		row_text(row, "driver", event->device.driver, sizeof(event->device.driver));
		break;
	case EVENT_PROCESS:
		row_text(row, "unit", event->process.unit, sizeof(event->process.unit));
		row_text(row, "machine", event->process.machine, sizeof(event->process.machine));
		row_text(row, "exe", event->process.exe, sizeof(event->process.exe));
		break;
	case EVENT_IDENTITY:
		row_text(row, "slice", event->identity.slice, sizeof(event->identity.slice));
		row_text(row, "user_unit", event->identity.user_unit, sizeof(event->identity.user_unit));
		row_text(row, "machine_source", machine_source_name(event->identity.machine_source),
			 SIZE_MAX);
		row_text(row, "machine_claimed", event->identity.claimed, sizeof(event->identity.claimed));
		row_text(row, "machine_uuid", event->identity.uuid, sizeof(event->identity.uuid));
		row_text(row, "domain", event->identity.domain, sizeof(event->identity.domain));
		break;
	case EVENT_LOST:
		row_text(row, "lost_event", event_type_name(event->lost.type), SIZE_MAX);
		row_count(row, "count", event->lost.count, true);
		break;
	default:
		break;
	}
}

/* Who did it; of an end without that, whose it was. */
static void put_who(struct row *row, const struct event *event, const struct subject *subject)
{
	const struct event_process_id *who = &event->header.who;
	const struct process *owner = subject->mapping ? subject->mapping->owner : NULL;

	if (who->tgid) {
		row_count(row, "pid", who->tgid, true);
		row_text(row, "comm", who->comm, sizeof(who->comm));
		row_count(row, "uid", who->uid, true);
	} else {
		row_process(row, owner);
		row_count(row, "uid", owner ? owner->uid : 0, owner);
	}
}

static void put_payload(struct row *row, const struct ledger *ledger, const struct event *event,
			const struct subject *subject)
{
	unsigned int type = event->header.type;

	put_device(row, event, subject);
	put_who(row, event, subject);
	if (is_cookie_event(type)) {
		put_cookie(row, event, subject);
	} else if (is_mapping_event(type)) {
		put_mapping(row, ledger, event, subject);
	} else if (is_pages_event(type)) {
		put_pages(row, ledger, event, subject);
	} else if (type == EVENT_REVOKE) {
		put_revoke(row, event, subject);
	} else if (type == EVENT_RESERVATION) {
		put_reservation(row, event, subject);
	} else if (type == EVENT_REQUEST) {
		put_request(row, ledger, event, subject);
	} else {
		put_nothing(row, 0);
		if (is_file_event(type))
			put_id(row, "file", event->file.file_id);
		if (type == EVENT_HOLDER)
			put_id(row, "file", event->holder.file_id);
	}
	put_details(row, event);
}

static const char *event_name(const struct event *event)
{
	if (event->header.type == EVENT_REQUEST && event->request.denied)
		return "denied";
	return event_type_name(event->header.type);
}

struct json_object *snapshot_event(const struct ledger *ledger, const struct snapshot_clock *clock,
				   const struct event *event, const struct change *change)
{
	const struct event_header *header = &event->header;
	bool good = header->version == EVENT_VERSION && event_size(header->type) &&
		    header->size == event_size(header->type);
	struct row row = row_new();

	row_time(&row, "time", header->time_ns, clock->realtime_offset_ns);
	row_count(&row, "sequence", header->sequence, header->sequence);
	row_text(&row, "event", good ? event_name(event) : "malformed", SIZE_MAX);
	row_text(&row, "origin", header->origin == EVENT_ORIGIN_KERNEL ? "kernel" : "scan", SIZE_MAX);
	row_text(&row, "state", good ? state_name(header->type) : NULL, SIZE_MAX);
	row_bool(&row, "refused", change && change->kind == CHANGE_REFUSED, change);
	if (good) {
		const struct subject subject = changed_subject(ledger, event, change);

		put_payload(&row, ledger, event, &subject);
	}
	return row_take(&row);
}
