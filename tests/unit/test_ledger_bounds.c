/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readings of the truth, limits, history, lists, replay of the state, and failing allocations. */
#include <errno.h>

#include "events.h"
#include "failing.h"

#include "core/snapshot.h"

/* Applies the closing events of a reading and returns how many there were. */
static size_t end_reading(struct ledger *ledger, enum reading what, bool quiet)
{
	struct event event;
	size_t n = 0;

	for (; ledger_next_absent(ledger, what, quiet, 5000, &event); n++) {
		assert_int_equal(event.header.origin, EVENT_ORIGIN_SCAN);
		assert_int_equal(event.header.time_ns, 5000);
		assert_int_not_equal(apply(ledger, event).kind, CHANGE_NONE);
	}
	assert_false(ledger_next_absent(ledger, what, quiet, 5000, &event));
	return n;
}

static void test_quiet_reading_closes_what_is_absent(void **state)
{
	struct ledger *ledger = *state;

	for (uint64_t id = 1; id <= 3; id++) {
		apply(ledger, mapping_event(EVENT_MAP, 10 + id, id, id << 20, 0, 16));
		apply(ledger, cookie_event(EVENT_COOKIE, 20 + id, id, 1));
		apply(ledger, holder_event(id, 10, 1));
	}
	ledger_begin_reading(ledger, READING_MAPPINGS);
	apply(ledger, mapping_event(EVENT_MAPPING, 12, 2, 2 << 20, 0, 16));
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, true), 2);
	assert_false(ledger_mapping(ledger, 11)->live);
	assert_true(ledger_mapping(ledger, 12)->live);
	assert_false(ledger_mapping(ledger, 13)->live);

	ledger_begin_reading(ledger, READING_HOLDERS);
	assert_int_equal(end_reading(ledger, READING_HOLDERS, true), 3);
	ledger_begin_reading(ledger, READING_COOKIES);
	apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 21, 1, 1));
	assert_int_equal(end_reading(ledger, READING_COOKIES, true), 2);
	assert_true(ledger_cookie(ledger, 21)->live);
	/* File 2 is mapped, so that it cannot be closed, though no descriptor shows it. */
	ledger_begin_reading(ledger, READING_FILES);
	assert_int_equal(end_reading(ledger, READING_FILES, true), 2);
	assert_true(ledger_file(ledger, 2)->live);
	assert_false(ledger_cookie(ledger, 21)->live);
}

static void test_what_happens_during_a_reading_is_not_absent(void **state)
{
	struct ledger *ledger = *state;

	ledger_begin_reading(ledger, READING_MAPPINGS);
	ledger_begin_reading(ledger, READING_FILES);
	apply(ledger, mapping_event(EVENT_MAP, 11, 1, 1 << 20, 0, 16));
	apply(ledger, copy_event(12, 11));
	apply(ledger, file_event(EVENT_OPEN, 2));
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, true), 0);
	assert_int_equal(end_reading(ledger, READING_FILES, true), 0);
}

static void test_unquiet_readings_close_at_the_second_time(void **state)
{
	struct ledger *ledger = *state;

	apply(ledger, mapping_event(EVENT_MAP, 11, 1, 1 << 20, 0, 16));
	ledger_begin_reading(ledger, READING_MAPPINGS);
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, false), 0);
	/* One that was given up does not count. */
	ledger_begin_reading(ledger, READING_MAPPINGS);
	ledger_begin_reading(ledger, READING_MAPPINGS);
	apply(ledger, mapping_event(EVENT_MAPPING, 11, 1, 1 << 20, 0, 16));
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, false), 0);
	ledger_begin_reading(ledger, READING_MAPPINGS);
	ledger_begin_reading(ledger, READING_MAPPINGS);
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, false), 0);
	assert_true(ledger_mapping(ledger, 11)->live);
	ledger_begin_reading(ledger, READING_MAPPINGS);
	assert_int_equal(end_reading(ledger, READING_MAPPINGS, false), 1);
	assert_false(ledger_mapping(ledger, 11)->live);
}

/* Wrongly concluded ends are taken back by the next reading; those the kernel told are not. */
static void test_reading_takes_back_a_concluded_end(void **state)
{
	struct ledger *ledger = *state;

	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, cookie_event(EVENT_COOKIE, 21, 1, 1));
	apply(ledger, mapping_event(EVENT_MAP, 11, 1, 1 << 20, 0, 16));
	ledger_begin_reading(ledger, READING_MAPPINGS);
	end_reading(ledger, READING_MAPPINGS, true);
	ledger_begin_reading(ledger, READING_FILES);
	end_reading(ledger, READING_FILES, true);
	assert_int_equal(counts_of(ledger).files + counts_of(ledger).cookies + counts_of(ledger).mappings, 0);

	assert_int_equal(apply(ledger, mapping_event(EVENT_MAP, 11, 1, 1 << 20, 0, 16)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 21, 1, 1)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, file_event(EVENT_FILE, 1)).kind, CHANGE_FILE_OPENED);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 21, 1, 1)).kind, CHANGE_COOKIE_ISSUED);
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAPPING, 11, 1, 1 << 20, 0, 16)).kind,
			 CHANGE_MAPPED);
	assert_int_equal(ledger_file(ledger, 1)->device->mappings, 1);
	assert_int_equal(ledger_file(ledger, 1)->device->cookies, 1);
	assert_int_equal(ledger_file(ledger, 1)->device->files, 1);

	apply(ledger, mapping_event(EVENT_UNMAP, 11, 0, 0, 0, 0));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAPPING, 11, 1, 1 << 20, 0, 16)).kind,
			 CHANGE_NONE);
	assert_int_equal(apply(ledger, file_event(EVENT_FILE, 1)).kind, CHANGE_NONE);
	assert_int_equal(counts_of(ledger).files + counts_of(ledger).cookies + counts_of(ledger).mappings, 0);
}

static void test_holders_are_known_after_a_quiet_reading(void **state)
{
	struct ledger *ledger = *state;

	apply(ledger, file_event(EVENT_OPEN, 1));
	assert_false(ledger_file(ledger, 1)->holders_known);
	ledger_begin_reading(ledger, READING_HOLDERS);
	apply(ledger, file_event(EVENT_OPEN, 2));
	apply(ledger, holder_event(1, 10, 2));
	end_reading(ledger, READING_HOLDERS, false);
	assert_false(ledger_file(ledger, 1)->holders_known);
	ledger_begin_reading(ledger, READING_HOLDERS);
	apply(ledger, file_event(EVENT_OPEN, 3));
	apply(ledger, holder_event(1, 10, 2));
	apply(ledger, holder_event(1, 11, 1));
	end_reading(ledger, READING_HOLDERS, true);
	assert_true(ledger_file(ledger, 1)->holders_known);
	assert_true(ledger_file(ledger, 2)->holders_known);
	assert_false(ledger_file(ledger, 3)->holders_known);
	assert_int_equal(ledger_file(ledger, 1)->n_holders, 2);
	assert_int_equal(ledger_file(ledger, 1)->holders->fds, 2);
	assert_int_equal(apply(ledger, holder_event(1, 10, 2)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, holder_event(1, 10, 3)).kind, CHANGE_HOLDER);
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_int_equal(apply(ledger, holder_event(1, 10, 3)).kind, CHANGE_NONE);
	assert_int_equal(ledger_file(ledger, 1)->n_holders, 0);
}

static struct ledger *new_limited(size_t entries, size_t history)
{
	const struct ledger_limits limits = {.entries = entries, .history = history};
	struct ledger *ledger;

	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	return ledger;
}

static void test_limits(void **state)
{
	struct ledger *ledger = new_limited(3, 2);
	struct event other = file_event(EVENT_OPEN, 9);

	(void)state;
	for (uint64_t id = 1; id <= 3; id++) {
		assert_int_equal(apply(ledger, by(file_event(EVENT_OPEN, id), 9 + id)).kind,
				 CHANGE_FILE_OPENED);
		assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE, 20 + id, id, 1)).kind,
				 CHANGE_COOKIE_ISSUED);
		assert_int_equal(apply(ledger, mapping_event(EVENT_MAP, 10 + id, id, id << 20, 0, 16)).kind,
				 CHANGE_MAPPED);
		assert_int_equal(apply(ledger, holder_event(id, 10, 1)).kind, CHANGE_HOLDER);
	}
	assert_int_equal(apply(ledger, file_event(EVENT_OPEN, 4)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE, 24, 1, 1)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 24, 4, 1)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAP, 14, 1, 1 << 24, 0, 16)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, copy_event(14, 11)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, holder_event(1, 11, 1)).kind, CHANGE_REFUSED);
	assert_int_equal(apply(ledger, by(mapping_event(EVENT_MAPPING, 11, 1, 1 << 20, 0, 16), 13)).kind,
			 CHANGE_REFUSED);
	assert_int_equal(counts_of(ledger).refused, 7);
	assert_int_equal(counts_of(ledger).processes, 3);
	apply(ledger, device_event(FIRST_DEVICE + 8, true));
	apply(ledger, device_event(FIRST_DEVICE + 16, true));
	assert_int_equal(apply(ledger, device_event(FIRST_DEVICE + 24, true)).kind, CHANGE_REFUSED);
	apply(ledger, mapping_event(EVENT_UNMAP, 11, 0, 0, 0, 0));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	other.file.pci_address = FIRST_DEVICE + 32;
	assert_int_equal(apply(ledger, other).kind, CHANGE_REFUSED);
	assert_null(ledger_file(ledger, 9));
	assert_int_equal(apply(ledger, file_event(EVENT_OPEN, 9)).kind, CHANGE_FILE_OPENED);
	ledger_free(ledger);
}

static size_t list_all(const struct ledger *ledger)
{
	const struct device_file *files[64];
	const struct cookie *cookies[64];
	const struct mapping *mappings[64];

	return ledger_list_files(ledger, true, 0, files, 64) +
	       ledger_list_cookies(ledger, true, 0, cookies, 64) +
	       ledger_list_mappings(ledger, true, 0, mappings, 64);
}

static void test_history_is_bounded(void **state)
{
	struct ledger *ledger = new_limited(10, 4);

	(void)state;
	for (uint64_t id = 1; id <= 100; id++) {
		apply(ledger, by(file_event(EVENT_OPEN, id), 10));
		apply(ledger, cookie_event(EVENT_COOKIE, 1000 + id, id, 1));
		apply(ledger, by(mapping_event(EVENT_MAP, 2000 + id, id, 1 << 20, 0, 16), 10));
		apply(ledger, mapping_event(EVENT_UNMAP, 2000 + id, 0, 0, 0, 0));
		apply(ledger, file_event(EVENT_RELEASE, id));
		/* Ends of what was never known are bounded too. */
		apply(ledger, mapping_event(EVENT_UNMAP, 5000 + id, 0, 0, 0, 0));
		apply(ledger, file_event(EVENT_RELEASE, 6000 + id));
		apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 7000 + id, 1, 0));
		assert_true(list_all(ledger) <= 4 + 4 + 4 + 4);
	}
	assert_non_null(ledger_mapping(ledger, 2100));
	assert_non_null(ledger_mapping(ledger, 2097));
	assert_null(ledger_mapping(ledger, 2096));
	assert_null(ledger_cookie(ledger, 1096));
	/* The last four ends are remembered, and those before are not. */
	assert_false(apply(ledger, mapping_event(EVENT_MAP, 5100, 1, 1 << 20, 0, 16)).mapping->live);
	assert_true(apply(ledger, mapping_event(EVENT_MAP, 5096, 1, 1 << 20, 0, 16)).mapping->live);
	ledger_free(ledger);
}

/* A late mapping takes a closed file out of history: it may not be dropped before the mapping. */
static void test_history_keeps_what_is_referenced(void **state)
{
	struct ledger *ledger = new_limited(10, 1);

	(void)state;
	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	apply(ledger, mapping_event(EVENT_MAP, 5, 1, 1 << 20, 0, 16));
	for (uint64_t id = 2; id < 9; id++) {
		apply(ledger, file_event(EVENT_OPEN, id));
		apply(ledger, file_event(EVENT_RELEASE, id));
	}
	assert_null(ledger_file(ledger, 7));
	assert_ptr_equal(ledger_mapping(ledger, 5)->file, ledger_file(ledger, 1));
	assert_string_equal(ledger_file(ledger, 1)->device->name, "0000:00:01.0");
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	apply(ledger, mapping_event(EVENT_MAP, 6, 8, 1 << 20, 0, 16));
	apply(ledger, mapping_event(EVENT_UNMAP, 6, 0, 0, 0, 0));
	assert_null(ledger_mapping(ledger, 5));
	ledger_free(ledger);
}

static void test_lists_rise_and_page(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *page[7];
	uint64_t after = 0, seen = 0;
	size_t n;

	/* 1, 102, 203, .. modulo 1009: every id below 1009 once, in no order. */
	for (uint64_t i = 1; i < 1009; i++)
		apply(ledger, mapping_event(EVENT_MAP, i * 101 % 1009, 1, 1 << 20, 0, 1));
	for (uint64_t id = 2; id < 1009; id += 2)
		apply(ledger, mapping_event(EVENT_UNMAP, id, 0, 0, 0, 0));
	while ((n = ledger_list_mappings(ledger, false, after, page, 7)) > 0) {
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(page[i]->id, after + (after ? 2 : 1));
			after = page[i]->id;
			seen++;
		}
	}
	assert_int_equal(seen, 504);
	assert_int_equal(counts_of(ledger).mappings, 504);
	assert_int_equal(ledger_list_mappings(ledger, true, 0, page, 7), 7);
	assert_int_equal(page[6]->id, 7);
	assert_int_equal(ledger_list_mappings(ledger, true, 1005, page, 7), 3);
	assert_int_equal(ledger_list_mappings(ledger, true, 0, page, 0), 0);
	assert_int_equal(ledger_list_mappings(ledger, true, UINT64_MAX, page, 7), 0);
}

static int emit_to(void *context, const struct event *event)
{
	struct change change;
	int r = ledger_apply(context, event, &change);

	assert_int_not_equal(change.kind, CHANGE_REFUSED);
	return r;
}

static int emit_nothing(void *context, const struct event *event)
{
	(void)event;
	return --*(int *)context ? 0 : -ENOSPC;
}

static char *all_rows(const struct ledger *ledger)
{
	const struct row_filter filter = {0};
	const struct snapshot_clock clock = {.realtime_offset_ns = 1700000000000000000};
	struct json_object *rows = json_object_new_array();
	char *text;

	assert_int_equal(snapshot_devices(ledger, NULL, &filter, &clock, 0, 1000, rows), 0);
	assert_int_equal(snapshot_cookies(ledger, &filter, &clock, 0, 1000, rows), 0);
	assert_int_equal(snapshot_mappings(ledger, NULL, &filter, &clock, 0, 1000, rows), 0);
	text = strdup(json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PRETTY));
	json_object_put(rows);
	return text;
}

static struct event sourced(enum mapping_source source, uint64_t mapping_id)
{
	struct event event = mapping_event(EVENT_MAP, mapping_id, 0, mapping_id << 20, 0, 64);

	event.mapping.source = source;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_NO_FAULT;
	event.mapping.region = EVENT_REGION_UNKNOWN;
	return event;
}

/* Pages known, in part, in many runs, revoked; every source; attributes and reservations. */
static void build_pages(struct ledger *ledger)
{
	struct event event = sourced(SOURCE_SYSFS, 41);

	event.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN;
	event.mapping.pci_address = FIRST_DEVICE;
	apply(ledger, by(event, 12));
	apply(ledger, pages_event(EVENT_POPULATE, 41, 41 << 20, 64));
	apply(ledger, sourced(SOURCE_DEVMEM, 42));
	for (uint64_t page = 0; page < 60; page += 3)
		apply(ledger,
		      with_run(pages_event(EVENT_POPULATE, 42, (42 << 20) + page * PAGE, 3),
			       (42 << 20) + page * PAGE, page, 1, page % 2 ? MEMTYPE_WC : MEMTYPE_UC_MINUS));
	apply(ledger, with_run(pages_event(EVENT_PAGES, 42, (42 << 20) + 60 * PAGE, 4),
			       (42 << 20) + 60 * PAGE, 60, 4, MEMTYPE_WC));
	/* The beginning is known, and one run apart from it. */
	event = mapping_event(EVENT_MAPPING, 43, 1, 43 << 20, 0, 64);
	apply(ledger, event);
	apply(ledger, with_run(pages_event(EVENT_PAGES, 43, 43 << 20, 16), 43 << 20, 0, 8, MEMTYPE_WC));
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 43, (43 << 20) + 32 * PAGE, 1),
			       (43 << 20) + 32 * PAGE, 32, 1, MEMTYPE_WC));
	event = sourced(SOURCE_DMABUF, 44);
	event.mapping.flags = 0;
	event.mapping.cookie_id = 23;
	apply(ledger, event);
	event = cookie_event(EVENT_COOKIE, 24, 1, 1);
	event.cookie.dialect = DIALECT_MMAP_ATTRS;
	event.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	event.cookie.alias_of = 2;
	apply(ledger, event);
	for (uint64_t i = 0; i < 3; i++)
		apply(ledger, by(at(reservation_event(i, 1, MEMTYPE_WC, MEMTYPE_UC_MINUS), 500 + i), 12));
	ledger_cookies_uncertain(ledger);
}

/* The rest of what a ledger holds, that no row shows. */
static void expect_same_pages(const struct ledger *ledger, const struct ledger *copy)
{
	const struct device *device = ledger_device_by_name(ledger, "0000:00:01.0");
	const struct device *other = ledger_device_by_name(copy, "0000:00:01.0");

	for (const struct mapping *mapping = NULL; (mapping = ledger_next_live(ledger, mapping));) {
		const struct mapping *same = ledger_mapping(copy, mapping->id);

		assert_int_equal(same->n_runs, mapping->n_runs);
		if (mapping->n_runs)
			assert_memory_equal(same->runs, mapping->runs,
					    mapping->n_runs * sizeof(*mapping->runs));
		assert_int_equal(same->pages_known, mapping->pages_known);
		assert_int_equal(same->told_start, mapping->told_start);
		assert_int_equal(same->told_end, mapping->told_end);
		assert_int_equal(same->no_fault, mapping->no_fault);
		assert_int_equal(same->device_told, mapping->device_told);
		assert_int_equal(same->cookie_id, mapping->cookie_id);
		assert_int_equal(!same->cookie, !mapping->cookie);
	}
	assert_int_equal(other->n_reservations, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(other->reservations[i].time_ns, device->reservations[i].time_ns);
		assert_int_equal(other->reservations[i].phys_start, device->reservations[i].phys_start);
		assert_int_equal(other->reservations[i].process->key.tgid, 12);
	}
	assert_true(ledger_file(copy, 1)->cookies_uncertain);
	assert_false(ledger_file(copy, 5)->cookies_uncertain);
	assert_int_equal(ledger_cookie(copy, 22)->mapped_types, ledger_cookie(ledger, 22)->mapped_types);
	assert_int_not_equal(ledger_cookie(copy, 22)->mapped_types, 0);
	assert_false(ledger_cookie(copy, 23)->live);
	assert_ptr_equal(ledger_mapping(copy, 44)->cookie, ledger_cookie(copy, 23));
}

static void build_some(struct ledger *ledger)
{
	struct event dmabuf = cookie_event(EVENT_COOKIE, 23, 2, 1), facts = by(make_event(EVENT_PROCESS), 10);
	struct event mdev = file_event(EVENT_OPEN, 4);

	dmabuf.cookie.dialect = DIALECT_DMA_BUF;
	strcpy(facts.process.machine, "vm1");
	mdev.file.flags = EVENT_FILE_IS_CDEV | EVENT_FILE_FROM_SCAN;
	strcpy(mdev.file.device, "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001");
	apply(ledger, device_event(FIRST_DEVICE, true));
	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, file_event(EVENT_OPEN, 2));
	apply(ledger, mdev);
	apply(ledger, by(cookie_event(EVENT_COOKIE, 21, 1, 3), 10));
	apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 22, 1, 0));
	apply(ledger, by(dmabuf, 11));
	apply(ledger, by(mapping_event(EVENT_MAP, 31, 1, 1 << 20, 0, 16), 10));
	apply(ledger, by(mapping_event(EVENT_MAP, 32, 2, 2 << 20, 0, 16), 11));
	apply(ledger, mapping_event(EVENT_MAP, 33, 3, 3 << 20, 0, 16));
	apply(ledger, copy_event(34, 31));
	apply(ledger, copy_event(35, 999));
	build_pages(ledger);
	apply(ledger, facts);
	ledger_begin_reading(ledger, READING_HOLDERS);
	apply(ledger, holder_event(1, 10, 2));
	end_reading(ledger, READING_HOLDERS, true);
	apply(ledger, file_event(EVENT_OPEN, 5));
	/* Closed, and kept by a mapping and a DMABUF that are live. */
	apply(ledger, file_event(EVENT_RELEASE, 2));
}

static void test_replay_builds_the_same(void **state)
{
	struct ledger *ledger = *state, *copy = new_limited(0, 0);
	char *rows, *copied;
	int countdown = 4;

	build_some(ledger);
	/* A DMABUF that ended while it is mapped, as a reading may conclude. */
	apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 23, 2, 0));
	assert_int_equal(ledger_replay(ledger, 6000, emit_to, copy), 0);
	rows = all_rows(ledger);
	copied = all_rows(copy);
	assert_string_equal(rows, copied);
	expect_same_pages(ledger, copy);
	assert_true(ledger_file(copy, 1)->holders_known);
	assert_false(ledger_file(copy, 5)->holders_known);
	assert_int_equal(ledger_replay(ledger, 6000, emit_nothing, &countdown), -ENOSPC);
	free(rows);
	free(copied);
	ledger_free(copy);
}

/* Every event of a mixed history with every allocation failing once: the ledger stays as it was, and works
 * after. */
static void test_out_of_memory_changes_nothing(void **state)
{
	struct ledger *ledger = *state;
	struct event facts = device_event(FIRST_DEVICE + 8, true);
	size_t failed = 0;

	build_some(ledger);
	for (uint64_t round = 0; round < 300; round++) {
		struct event dmabuf = sourced(SOURCE_DMABUF, 10000 + round);

		dmabuf.mapping.cookie_id = 11000 + round;
		dmabuf.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN;
		dmabuf.mapping.pci_address = FIRST_DEVICE + 64 + 8 * round;

		const struct event events[] = {
			facts,
			by(file_event(EVENT_OPEN, 1000 + round), 2000 + round),
			by(cookie_event(EVENT_COOKIE, 2000 + round, 1000 + round, 1), 3000 + round),
			by(mapping_event(EVENT_MAP, 3000 + round, 4000 + round, 1 << 20, 0, 1), 4000 + round),
			by(copy_event(6000 + round, 3000 + round), 5000 + round),
			by(mapping_event(EVENT_MAPPING, 6000 + round, 0, 1 << 20, 0, 1), 6000 + round),
			holder_event(5000 + round, 7000 + round, 1),
			mapping_event(EVENT_UNMAP, 8000 + round, 0, 0, 0, 0),
			pages_event(EVENT_POPULATE, 9000 + round, 1 << 20, 1),
			pages_event(EVENT_POPULATE, 3000 + round, 1 << 20, 1),
			by(dmabuf, 8000 + round),
			by(reservation_event(round, 1, MEMTYPE_WC, MEMTYPE_WC), 9000 + round),
		};

		for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
			for (size_t n = 1;; n++) {
				const struct ledger_counts before = counts_of(ledger);
				struct ledger_counts after;
				struct change change;
				int r;

				fail_at = n;
				r = ledger_apply(ledger, &events[i], &change);
				if (fail_at) {
					fail_at = 0;
					assert_int_equal(r, 0);
					break;
				}
				assert_int_equal(r, -ENOMEM);
				after = counts_of(ledger);
				assert_memory_equal(&before, &after, sizeof(before));
				failed++;
			}
		}
	}
	assert_true(failed > 300 * 7);
	assert_int_equal(counts_of(ledger).refused, 0);
	assert_true(ledger_mapping(ledger, 6299)->live);
}

/* Rows are made whole or not at all. */
static void test_out_of_memory_makes_no_row(void **state)
{
	const struct row_filter filter = {.all = true};
	const struct snapshot_clock clock = {0};
	struct ledger *ledger = *state;
	struct event event = by(cookie_event(EVENT_COOKIE, 21, 1, 4), 10);
	size_t failed = 0;

	build_some(ledger);
	for (size_t n = 1;; n++) {
		struct json_object *rows = json_object_new_array(), *row;
		int r;

		fail_at = n;
		r = snapshot_devices(ledger, NULL, &filter, &clock, 0, 1000, rows);
		if (r == 0)
			r = snapshot_cookies(ledger, &filter, &clock, 0, 1000, rows);
		if (r == 0)
			r = snapshot_mappings(ledger, NULL, &filter, &clock, 0, 1000, rows);
		row = r == 0 ? snapshot_event(ledger, &clock, &event, NULL) : NULL;
		json_object_put(rows);
		json_object_put(row);
		if (fail_at) {
			fail_at = 0;
			assert_int_equal(r, 0);
			assert_non_null(row);
			break;
		}
		assert_true(r == -ENOMEM || !row);
		failed++;
	}
	assert_true(failed > 100);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_quiet_reading_closes_what_is_absent),
		LEDGER_TEST(test_what_happens_during_a_reading_is_not_absent),
		LEDGER_TEST(test_unquiet_readings_close_at_the_second_time),
		LEDGER_TEST(test_reading_takes_back_a_concluded_end),
		LEDGER_TEST(test_holders_are_known_after_a_quiet_reading),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_history_is_bounded),
		cmocka_unit_test(test_history_keeps_what_is_referenced),
		LEDGER_TEST(test_lists_rise_and_page),
		LEDGER_TEST(test_replay_builds_the_same),
		LEDGER_TEST(test_out_of_memory_changes_nothing),
		LEDGER_TEST(test_out_of_memory_makes_no_row),
	};

	return cmocka_run_group_tests_name("ledger bounds", tests, NULL, NULL);
}
