/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes -> capture reader -> ledger -> rows, all serialised. The first byte chooses: even, the rest is a
 * capture as it is; odd, it is cut into events that get a right frame, version, size and sometimes small ids,
 * so that the fuzzer gets behind the checksums. Between the events readings of the truth are begun and ended.
 * The ledger's own counts must agree.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "core/history.h"
#include "core/ledger.h"
#include "core/snapshot.h"
#include "fuzz.h"

#define LISTED 256

static void list_rows(const struct ledger *ledger, bool all)
{
	const struct row_filter filter = {.all = all};
	const struct snapshot_clock clock = {.realtime_offset_ns = 1700000000000000000};
	struct json_object *rows = json_object_new_array();

	REQUIRE(snapshot_devices(ledger, NULL, &filter, &clock, 0, 1000, rows) == 0);
	REQUIRE(snapshot_cookies(ledger, &filter, &clock, 0, 1000, rows) == 0);
	REQUIRE(snapshot_mappings(ledger, NULL, &filter, &clock, 0, 1000, rows) == 0);
	serialise(rows);
}

/* Runs lie in order within the mapping, and pieces within what is left of it. */
static void check_pages(const struct ledger *ledger, const struct mapping *mapping)
{
	uint64_t at = mapping->start, cursor = 0, end = 0;
	struct effective effective;
	struct piece piece;

	for (size_t i = 0; i < mapping->n_runs; i++) {
		REQUIRE(mapping->runs[i].start >= at && mapping->runs[i].start < mapping->runs[i].end);
		at = mapping->runs[i].end;
	}
	REQUIRE(at <= mapping->end);
	REQUIRE(mapping->told_start <= mapping->told_end && mapping->told_end <= mapping->end);
	REQUIRE(mapping->pages_known ==
		(mapping->start < mapping->end && mapping->told_start == mapping->start &&
		 mapping->told_end == mapping->end));
	REQUIRE(!mapping->pages_known || !mapping->runs_cut);
	REQUIRE(mapping->pages_known || mapping->runs_cut || mapping->start == mapping->end ||
		ledger_pages_due(ledger));
	mapping_effective(mapping, &effective);
	while (mapping_next_piece(ledger, mapping, &cursor, &piece)) {
		REQUIRE(piece.start >= end && piece.start >= mapping->start && piece.start < piece.end);
		REQUIRE(piece.end <= mapping->end && piece.type != MEMTYPE_UNKNOWN);
		end = piece.end;
	}
}

/* Counts, lists and the counts kept in devices and files are all about the same entries. */
static void check_counts(const struct ledger *ledger)
{
	const struct device *devices[LISTED];
	const struct device_file *files[LISTED];
	const struct cookie *cookies[LISTED];
	const struct mapping *mappings[LISTED];
	size_t n_devices = ledger_list_devices(ledger, 0, devices, LISTED);
	size_t n_files = ledger_list_files(ledger, false, 0, files, LISTED);
	size_t n_cookies = ledger_list_cookies(ledger, false, 0, cookies, LISTED);
	size_t n_mappings = ledger_list_mappings(ledger, false, 0, mappings, LISTED);
	size_t in_devices = 0, with_device = 0;
	struct ledger_counts counts;

	ledger_counts(ledger, &counts);
	REQUIRE(counts.devices == n_devices && counts.files == n_files);
	REQUIRE(counts.cookies == n_cookies && counts.mappings == n_mappings);
	for (size_t i = 0; i < n_mappings; i++) {
		REQUIRE(i == 0 || mappings[i - 1]->id < mappings[i]->id);
		REQUIRE(mappings[i]->live && !mappings[i]->gone);
		REQUIRE(!mappings[i]->file ||
			ledger_file(ledger, mappings[i]->file->id) == mappings[i]->file);
		REQUIRE(!mappings[i]->file || !mappings[i]->file->device ||
			mappings[i]->device == mappings[i]->file->device);
		with_device += mappings[i]->device != NULL;
		check_pages(ledger, mappings[i]);
	}
	for (size_t i = 0; i < n_devices; i++) {
		const struct mapping *mapping = devices[i]->mapping_list;
		size_t listed = 0;

		for (; mapping; mapping = mapping->device_next, listed++)
			REQUIRE(mapping->live && mapping->device == devices[i]);
		REQUIRE(devices[i]->mappings == listed);
		in_devices += listed;
	}
	REQUIRE(in_devices == with_device);
	in_devices = with_device = 0;
	for (size_t i = 0; i < n_cookies; i++) {
		REQUIRE(cookies[i]->file->live || cookies[i]->dialect == DIALECT_DMA_BUF);
		with_device += cookies[i]->file->device != NULL;
	}
	for (size_t i = 0; i < n_devices; i++)
		in_devices += devices[i]->cookies;
	REQUIRE(in_devices == with_device);
}

static int apply_to(void *context, const struct event *event)
{
	struct change change;
	int r = ledger_apply(context, event, &change);

	REQUIRE(change.kind != CHANGE_REFUSED);
	return r;
}

/* What the ledger tells of itself makes the same ledger. */
static void check_replay(const struct ledger *ledger)
{
	struct ledger_counts counts, copied;
	struct ledger *copy;

	REQUIRE(ledger_new(&copy, ledger_arch(ledger), NULL) == 0);
	REQUIRE(ledger_replay(ledger, 0, apply_to, copy) == 0);
	ledger_counts(ledger, &counts);
	ledger_counts(copy, &copied);
	REQUIRE(counts.files == copied.files && counts.cookies == copied.cookies &&
		counts.mappings == copied.mappings);
	for (const struct mapping *mapping = NULL; (mapping = ledger_next_live(ledger, mapping));) {
		const struct mapping *same = ledger_mapping(copy, mapping->id);

		REQUIRE(same && same->live && same->n_runs == mapping->n_runs);
	}
	check_counts(copy);
	ledger_free(copy);
}

static void read_truth(struct ledger *ledger, uint64_t dice)
{
	enum reading what = dice % 4;
	struct change change;
	struct event event;

	if (dice & 4) {
		ledger_begin_reading(ledger, what);
		return;
	}
	while (ledger_next_absent(ledger, what, dice & 8, dice, &event)) {
		REQUIRE(ledger_apply(ledger, &event, &change) == 0);
		REQUIRE(change.kind != CHANGE_REFUSED && change.kind != CHANGE_NONE);
	}
}

static void replay(FILE *file, bool with_readings)
{
	const struct ledger_limits limits = {.entries = 24, .history = 6, .runs = 12};
	const struct snapshot_clock clock = {.realtime_offset_ns = 1700000000000000000};
	struct capture_reader reader;
	enum capture_outcome outcome;
	struct history *history;
	struct ledger *ledger;
	struct event event;

	outcome = capture_open(&reader, file);
	REQUIRE(ledger_new(&ledger, reader.header.arch, &limits) == 0);
	REQUIRE(history_new(&history, 3) == 0);
	while (outcome == CAPTURE_EVENT) {
		struct change change;

		outcome = capture_next(&reader, &event);
		if (outcome != CAPTURE_EVENT)
			break;
		REQUIRE(ledger_apply(ledger, &event, &change) == 0);
		history_add(history, &event);
		serialise(snapshot_event(ledger, &clock, &event, &change));
		if (with_readings && event.header.sequence % 4 == 0)
			read_truth(ledger, event.header.sequence >> 2);
		check_counts(ledger);
		if (event.header.sequence % 8 == 0)
			while (ledger_next_touched(ledger))
				;
	}
	REQUIRE((outcome == CAPTURE_END) == !reader.reason[0]);
	list_rows(ledger, false);
	list_rows(ledger, true);
	check_replay(ledger);
	history_free(history);
	ledger_free(ledger);
}

/* Runs that follow each other within the range. */
static void tame_pages(struct event_pages *pages)
{
	uint64_t at;

	pages->mapping_id %= 32;
	pages->start &= 0xff000;
	pages->end = pages->start + (pages->end & 0xf000);
	pages->n_runs %= EVENT_RUNS_MAX + 2;
	at = pages->start;
	for (size_t i = 0; i < EVENT_RUNS_MAX; i++) {
		struct event_page_run *run = &pages->runs[i];

		run->start = at + (run->start & 0x1000);
		run->end = run->start + 0x1000 + (run->end & 0x1000);
		run->phys_start &= 0xfffff000ULL;
		run->type %= MEMTYPE_TYPES + 1;
		run->leaf %= LEAF_SIZES;
		at = run->end;
	}
	/* Else seven of eight would be refused. */
	if (pages->n_runs && pages->n_runs <= EVENT_RUNS_MAX &&
	    pages->end < pages->runs[pages->n_runs - 1].end)
		pages->end = pages->runs[pages->n_runs - 1].end;
}

/* Small numbers meet each other: two of three events get ids, processes and files out of a handful. */
static void tame(struct event *event)
{
	uint64_t dice = event->header.time_ns;

	event->header.version = EVENT_VERSION;
	event->header.origin %= 2;
	if (dice % 3 == 0)
		return;
	event->header.who.tgid %= 4;
	event->header.who.start_ns %= 2;
	switch (event->header.type) {
	case EVENT_OPEN:
	case EVENT_RELEASE:
	case EVENT_FILE:
		event->file.file_id %= 6;
		event->file.pci_address %= 3;
		break;
	case EVENT_COOKIE:
	case EVENT_COOKIE_RELEASE:
	case EVENT_COOKIE_LIVE:
		event->cookie.cookie_id %= 12;
		event->cookie.file_id %= 6;
		event->cookie.dialect %= 8;
		event->cookie.size &= 0xffffff;
		event->cookie.offset &= 0xffffff;
		event->cookie.phys_start &= 0xffffff;
		break;
	case EVENT_MAP:
	case EVENT_COPY:
	case EVENT_UNMAP:
	case EVENT_MAPPING:
		event->mapping.mapping_id %= 32;
		event->mapping.from_id %= 32;
		event->mapping.file_id %= 6;
		event->mapping.source %= 6;
		event->mapping.start &= 0xff000;
		event->mapping.end = event->mapping.start + (event->mapping.end & 0xf000);
		event->mapping.offset &= ~0xfffULL;
		event->mapping.phys_start &= 0xfffff000ULL;
		event->mapping.cookie_id %= 12;
		event->mapping.pci_address %= 3;
		break;
	case EVENT_POPULATE:
	case EVENT_PAGES:
		tame_pages(&event->pages);
		break;
	case EVENT_REVOKE:
		event->revoke.pci_address %= 3;
		event->revoke.scope %= 3;
		break;
	case EVENT_RESERVATION:
		event->reservation.requested %= MEMTYPE_TYPES + 1;
		event->reservation.given %= MEMTYPE_TYPES + 1;
		break;
	case EVENT_HOLDER:
		event->holder.file_id %= 6;
		break;
	case EVENT_DEVICE:
		event->device.pci_address %= 3;
		event->device.present %= 2;
		break;
	default:
		break;
	}
}

static const uint16_t types[] = {
	EVENT_OPEN,    EVENT_RELEASE, EVENT_COOKIE,   EVENT_COOKIE_RELEASE, EVENT_MAP,
	EVENT_COPY,    EVENT_UNMAP,   EVENT_MODULE,   EVENT_FILE,           EVENT_COOKIE_LIVE,
	EVENT_MAPPING, EVENT_HOLDER,  EVENT_DEVICE,   EVENT_PROCESS,        EVENT_LOST,
	EVENT_MAP,     EVENT_PAGES,   EVENT_POPULATE, EVENT_REVOKE,         EVENT_RESERVATION,
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

static void replay_framed(const uint8_t *data, size_t size)
{
	/* An event may take a byte of input only, and becomes a frame. */
	uint8_t *capture = malloc(sizeof(struct capture_header) + (size + 1) * CAPTURE_FRAME_MAX);
	struct capture_header header;
	uint32_t running = 0;
	size_t length = sizeof(header);
	FILE *file;

	REQUIRE(capture);
	capture_header_fill(&header, MEMTYPE_ARCH_X86_64, 4096, 0);
	memcpy(capture, &header, sizeof(header));
	while (size > 0) {
		uint16_t type = types[data[0] % N_TYPES];
		size_t take = 1 + data[0] / N_TYPES * 12, n;
		struct event event = {0};

		if (take > size)
			take = size;
		/* Input goes to the payload first, then to the header. */
		n = take < sizeof(event) - sizeof(event.header) ? take : sizeof(event) - sizeof(event.header);
		memcpy((uint8_t *)&event + sizeof(event.header), data, n);
		memcpy(&event.header.sequence, data, take < 64 ? take : 64);
		tame(&event);
		event.header.type = type;
		event.header.size = event_size(type);
		tame(&event);
		data += take;
		size -= take;
		n = capture_frame(&event, capture + length);
		REQUIRE(n > 0);
		running = capture_running_crc(running, capture + length);
		length += n;
	}
	length += capture_end_frame(running, capture + length);
	file = fmemopen(capture, length, "r");
	REQUIRE(file);
	replay(file, true);
	fclose(file);
	free(capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file;

	if (size < 2)
		return 0;
	if (data[0] & 1) {
		replay_framed(data + 1, size - 1);
		return 0;
	}
	file = fmemopen((void *)(data + 1), size - 1, "r");
	REQUIRE(file);
	replay(file, false);
	fclose(file);
	return 0;
}
