/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What single events and short sequences do to the ledger. Whole histories: test_ledger_model.c. */
#include "events.h"

static void test_open_and_release(void **state)
{
	struct ledger *ledger = *state;
	struct change change = apply(ledger, by(file_event(EVENT_OPEN, 1), 10));

	assert_int_equal(change.kind, CHANGE_FILE_OPENED);
	assert_string_equal(change.device->name, "0000:00:01.0");
	assert_int_equal(change.device->files, 1);
	assert_int_equal(change.file->opener->key.tgid, 10);
	assert_ptr_equal(change.process, change.file->opener);
	assert_int_equal(apply(ledger, by(file_event(EVENT_OPEN, 1), 10)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, by(file_event(EVENT_FILE, 1), 10)).kind, CHANGE_NONE);
	assert_int_equal(counts_of(ledger).files, 1);

	change = apply(ledger, at(file_event(EVENT_RELEASE, 1), 2000));
	assert_int_equal(change.kind, CHANGE_FILE_CLOSED);
	assert_false(change.file->live);
	assert_int_equal(change.file->closed_ns, 2000);
	assert_int_equal(change.device->files, 0);
	assert_int_equal(apply(ledger, file_event(EVENT_RELEASE, 1)).kind, CHANGE_NONE);
	assert_int_equal(counts_of(ledger).files, 0);
}

/* An id whose end the kernel told stays closed whatever comes late, in either order. */
static void test_closed_file_stays_closed(void **state)
{
	struct ledger *ledger = *state;

	apply(ledger, file_event(EVENT_OPEN, 1));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_int_equal(apply(ledger, file_event(EVENT_OPEN, 1)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, file_event(EVENT_FILE, 1)).kind, CHANGE_NONE);
	assert_false(ledger_file(ledger, 1)->live);

	assert_int_equal(apply(ledger, file_event(EVENT_RELEASE, 2)).kind, CHANGE_NONE);
	assert_null(ledger_file(ledger, 2));
	assert_int_equal(apply(ledger, file_event(EVENT_FILE, 2)).kind, CHANGE_NONE);
	assert_null(ledger_file(ledger, 2));
	assert_int_equal(apply(ledger, file_event(EVENT_OPEN, 2)).kind, CHANGE_FILE_OPENED);
	assert_false(ledger_file(ledger, 2)->live);
	assert_int_equal(counts_of(ledger).files, 0);
}

static void test_map_of_unknown_file(void **state)
{
	struct ledger *ledger = *state;
	struct change change = apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10));

	assert_int_equal(change.kind, CHANGE_MAPPED);
	assert_null(change.device);
	assert_int_equal(change.file->id, 1);
	apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 1));
	change = apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	assert_int_equal(change.kind, CHANGE_FILE_OPENED);
	assert_int_equal(change.device->mappings, 1);
	assert_int_equal(change.device->cookies, 1);
	assert_int_equal(change.device->files, 1);
}

static void test_release_closes_cookies_but_not_mappings_or_dmabufs(void **state)
{
	struct ledger *ledger = *state;
	struct event dmabuf = cookie_event(EVENT_COOKIE, 4, 1, 1);

	dmabuf.cookie.dialect = DIALECT_DMA_BUF;
	dmabuf.cookie.offset = 0;
	apply(ledger, file_event(EVENT_OPEN, 1));
	apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 1));
	apply(ledger, dmabuf);
	apply(ledger, mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_false(ledger_cookie(ledger, 3)->live);
	assert_true(ledger_cookie(ledger, 4)->live);
	assert_true(ledger_mapping(ledger, 5)->live);
	assert_int_equal(ledger_device_by_name(ledger, "0000:00:01.0")->mappings, 1);
	assert_int_equal(ledger_device_by_name(ledger, "0000:00:01.0")->cookies, 1);

	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 4, 1, 0)).kind,
			 CHANGE_COOKIE_CLOSED);
	assert_int_equal(apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0)).kind, CHANGE_UNMAPPED);
	assert_int_equal(counts_of(ledger).cookies, 0);
	assert_int_equal(counts_of(ledger).mappings, 0);
}

static void test_cookie_issues(void **state)
{
	struct ledger *ledger = *state;
	struct event again = cookie_event(EVENT_COOKIE, 3, 1, 3), stale = cookie_event(EVENT_COOKIE, 3, 1, 2);

	apply(ledger, file_event(EVENT_OPEN, 1));
	assert_int_equal(apply(ledger, by(cookie_event(EVENT_COOKIE, 3, 1, 1), 10)).kind,
			 CHANGE_COOKIE_ISSUED);
	assert_int_equal(apply(ledger, by(cookie_event(EVENT_COOKIE, 3, 1, 1), 10)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, by(cookie_event(EVENT_COOKIE_LIVE, 3, 1, 1), 10)).kind, CHANGE_NONE);
	again.cookie.size = 2 * BAR_SIZE;
	assert_int_equal(apply(ledger, by(again, 11)).kind, CHANGE_COOKIE_REISSUED);
	assert_int_equal(apply(ledger, stale).kind, CHANGE_NONE);
	assert_int_equal(ledger_cookie(ledger, 3)->issued, 3);
	assert_int_equal(ledger_cookie(ledger, 3)->size, 2 * BAR_SIZE);
	assert_int_equal(ledger_cookie(ledger, 3)->issuer->key.tgid, 10);
	/* The same cookie id cannot be on another file. */
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE, 3, 2, 4)).kind, CHANGE_REFUSED);
	assert_int_equal(counts_of(ledger).refused, 1);
}

static void test_cookie_found_by_scan_then_issued(void **state)
{
	struct ledger *ledger = *state;

	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 3, 1, 0)).kind, CHANGE_COOKIE_ISSUED);
	assert_int_equal(ledger_cookie(ledger, 3)->issued, 0);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 1)).kind, CHANGE_COOKIE_REISSUED);
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 3, 1, 0)).kind, CHANGE_NONE);
	assert_int_equal(ledger_cookie(ledger, 3)->issued, 1);
}

static void test_cookie_of_closed_file(void **state)
{
	struct ledger *ledger = *state;
	struct change change;

	apply(ledger, file_event(EVENT_OPEN, 1));
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_int_equal(apply(ledger, cookie_event(EVENT_COOKIE_LIVE, 2, 1, 1)).kind, CHANGE_NONE);
	assert_null(ledger_cookie(ledger, 2));
	change = apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 1));
	assert_int_equal(change.kind, CHANGE_COOKIE_ISSUED);
	assert_false(change.cookie->live);
	apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 4, 1, 0));
	change = apply(ledger, cookie_event(EVENT_COOKIE, 4, 9, 1));
	assert_int_equal(change.kind, CHANGE_COOKIE_ISSUED);
	assert_false(change.cookie->live);
	assert_int_equal(counts_of(ledger).cookies, 0);
}

static void test_cookie_at(void **state)
{
	struct ledger *ledger = *state;
	struct event second = cookie_event(EVENT_COOKIE, 4, 1, 1),
		     dmabuf = cookie_event(EVENT_COOKIE, 5, 1, 1);
	const struct device_file *file = apply(ledger, file_event(EVENT_OPEN, 1)).file;

	assert_null(ledger_cookie_at(ledger, file, COOKIE_2));
	assert_null(ledger_cookie_at(ledger, NULL, COOKIE_2));
	apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 1));
	dmabuf.cookie.dialect = DIALECT_DMA_BUF;
	dmabuf.cookie.offset = 0;
	apply(ledger, dmabuf);
	assert_null(ledger_cookie_at(ledger, file, 0));
	assert_null(ledger_cookie_at(ledger, file, COOKIE_2 - 1));
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2)->id, 3);
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2 + BAR_SIZE - 1)->id, 3);
	assert_null(ledger_cookie_at(ledger, file, COOKIE_2 + BAR_SIZE));
	second.cookie.size = PAGE;
	apply(ledger, second);
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2)->id, 4);
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2 + PAGE)->id, 3);
	apply(ledger, cookie_event(EVENT_COOKIE, 3, 1, 2));
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2)->id, 3);
	apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 3, 1, 0));
	assert_int_equal(ledger_cookie_at(ledger, file, COOKIE_2)->id, 4);
	apply(ledger, file_event(EVENT_RELEASE, 1));
	assert_non_null(ledger_cookie_at(ledger, ledger_file(ledger, 1), COOKIE_2));
}

static void test_unmap_before_map(void **state)
{
	struct ledger *ledger = *state;
	struct change change;

	assert_int_equal(apply(ledger, at(mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0), 77)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAPPING, 5, 1, 0x10000, 0, 16)).kind, CHANGE_NONE);
	change = apply(ledger, mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16));
	assert_int_equal(change.kind, CHANGE_MAPPED);
	assert_false(change.mapping->live);
	assert_int_equal(change.mapping->closed_ns, 77);
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAPPING, 5, 1, 0x10000, 0, 16)).kind, CHANGE_NONE);
	apply(ledger, mapping_event(EVENT_UNMAP, 7, 0, 0, 0, 0));
	change = apply(ledger, copy_event(7, 5));
	assert_int_equal(change.kind, CHANGE_COPIED);
	assert_false(change.mapping->live);
	assert_int_equal(counts_of(ledger).mappings, 0);
}

/* munmap of the middle of 16 pages: a copy is made for the tail, both are cut, nothing tells of the cut but a
 * reading. */
static void test_split(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *tail;
	struct change change;

	apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10));
	change = apply(ledger, by(copy_event(6, 5), 10));
	assert_int_equal(change.kind, CHANGE_COPIED);
	tail = change.mapping;
	assert_false(tail->settled);
	assert_int_equal(tail->start, 0x10000);
	assert_int_equal(tail->end, 0x20000);
	assert_int_equal(tail->file->id, 1);
	assert_int_equal(tail->page_prot, PROT_UC);
	assert_int_equal(tail->owner->key.tgid, 10);
	change = apply(ledger, by(mapping_event(EVENT_MAPPING, 5, 1, 0x10000, 0, 6), 10));
	assert_int_equal(change.kind, CHANGE_MAPPING);
	change = apply(ledger, by(mapping_event(EVENT_MAPPING, 6, 1, 0x1a000, 10, 6), 10));
	assert_int_equal(change.kind, CHANGE_MAPPING);
	assert_true(tail->settled);
	assert_int_equal(tail->start, 0x1a000);
	assert_int_equal(tail->offset, COOKIE_2 + 10 * PAGE);
	assert_int_equal(tail->phys_start, BAR_2 + 10 * PAGE);
	assert_int_equal(apply(ledger, by(mapping_event(EVENT_MAPPING, 6, 1, 0x1a000, 10, 6), 10)).kind,
			 CHANGE_NONE);
}

static void test_copy_of_unknown_mapping(void **state)
{
	struct ledger *ledger = *state;
	struct change change = apply(ledger, copy_event(6, 5));

	assert_int_equal(change.kind, CHANGE_COPIED);
	assert_true(change.mapping->live);
	assert_int_equal(change.mapping->start, change.mapping->end);
	assert_null(change.file);
	change = apply(ledger, mapping_event(EVENT_MAPPING, 6, 1, 0x10000, 0, 16));
	assert_int_equal(change.kind, CHANGE_MAPPING);
	assert_int_equal(change.file->id, 1);
	assert_int_equal(change.file->mappings, 1);
	assert_true(change.mapping->settled);
}

static void test_fork_copy_gets_the_child(void **state)
{
	struct ledger *ledger = *state;
	struct event told = by(mapping_event(EVENT_MAPPING, 6, 1, 0x10000, 0, 16), 11);

	apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10));
	assert_int_equal(apply(ledger, by(copy_event(6, 5), 10)).mapping->owner->key.tgid, 10);
	told.mapping.flags |= EVENT_MAPPING_UNSETTLED;
	assert_int_equal(apply(ledger, told).kind, CHANGE_MAPPING);
	assert_int_equal(ledger_mapping(ledger, 6)->owner->key.tgid, 11);
	assert_false(ledger_mapping(ledger, 6)->settled);
	told.mapping.flags &= ~EVENT_MAPPING_UNSETTLED;
	apply(ledger, told);
	assert_true(ledger_mapping(ledger, 6)->settled);
	assert_int_equal(ledger_mapping(ledger, 5)->owner->key.tgid, 10);
}

/* A reading that cannot tell the offset (the kernel rewrote vm_pgoff) does not lose what the mmap told. */
static void test_offset_follows_a_cut(void **state)
{
	struct ledger *ledger = *state;
	struct event told = mapping_event(EVENT_MAPPING, 5, 1, 0x14000, 0, 12);
	const struct mapping *mapping = apply(ledger, mapping_event(EVENT_MAP, 5, 1, 0x10000, 3, 16)).mapping;

	told.mapping.flags = 0;
	assert_int_equal(apply(ledger, told).kind, CHANGE_MAPPING);
	assert_int_equal(mapping->start, 0x14000);
	assert_true(mapping->offset_known && mapping->phys_known);
	assert_int_equal(mapping->offset, COOKIE_2 + 7 * PAGE);
	assert_int_equal(mapping->phys_start, BAR_2 + 7 * PAGE);

	/* An unsettled copy may have been moved (mremap): its offset is unknown then, not guessed. */
	apply(ledger, copy_event(6, 5));
	told = mapping_event(EVENT_MAPPING, 6, 1, 0x900000, 0, 12);
	told.mapping.flags = 0;
	apply(ledger, told);
	assert_false(ledger_mapping(ledger, 6)->offset_known);
	assert_false(ledger_mapping(ledger, 6)->phys_known);
}

/* A late or repeated EVENT_MAP adds what is unknown and leaves the newer range alone. */
static void test_late_map(void **state)
{
	struct ledger *ledger = *state;
	struct event told = mapping_event(EVENT_MAPPING, 5, 0, 0x10000, 0, 8);
	struct change change;

	apply(ledger, told);
	change = apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10));
	assert_int_equal(change.kind, CHANGE_MAPPING);
	assert_int_equal(change.mapping->end, 0x18000);
	assert_int_equal(change.file->id, 1);
	assert_int_equal(change.mapping->owner->key.tgid, 10);
	assert_int_equal(apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10)).kind,
			 CHANGE_NONE);
	assert_int_equal(apply(ledger, mapping_event(EVENT_MAP, 5, 2, 0x10000, 0, 16)).kind, CHANGE_REFUSED);
}

static void test_name_is_that_of_the_newest_event(void **state)
{
	struct ledger *ledger = *state;
	struct event told = by(at(mapping_event(EVENT_MAPPING, 5, 1, 0x10000, 0, 16), 3000), 10);
	const struct process *process;

	apply(ledger, by(at(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 2000), 10));
	process = ledger_mapping(ledger, 5)->owner;
	set_comm(&told, "renamed");
	assert_int_equal(apply(ledger, told).kind, CHANGE_MAPPING);
	assert_string_equal(process->comm, "renamed");
	told.header.time_ns = 2500;
	set_comm(&told, "older");
	assert_int_equal(apply(ledger, told).kind, CHANGE_NONE);
	assert_string_equal(process->comm, "renamed");

	/* The same pid started at another time is another process. */
	told = by(at(mapping_event(EVENT_UNMAP, 99, 0, 0, 0, 0), 4000), 10);
	told.header.who.start_ns++;
	set_comm(&told, "stranger");
	assert_int_equal(apply(ledger, told).kind, CHANGE_NONE);
	assert_string_equal(process->comm, "renamed");

	/* An event about something else still tells the name. */
	told = by(at(mapping_event(EVENT_UNMAP, 98, 0, 0, 0, 0), 5000), 10);
	set_comm(&told, "sixteen bytes.!!");
	assert_int_equal(apply(ledger, told).kind, CHANGE_PROCESS);
	assert_string_equal(process->comm, "sixteen bytes.!!");
}

static void test_process_facts(void **state)
{
	struct ledger *ledger = *state;
	struct event facts = by(make_event(EVENT_PROCESS), 10), moved;
	const struct process *process;

	strcpy(facts.process.unit, "machine-qemu.scope");
	assert_int_equal(apply(ledger, facts).kind, CHANGE_NONE);
	assert_int_equal(counts_of(ledger).processes, 0);
	apply(ledger, by(mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), 10));
	assert_int_equal(apply(ledger, facts).kind, CHANGE_PROCESS);
	assert_int_equal(apply(ledger, facts).kind, CHANGE_NONE);
	process = ledger_mapping(ledger, 5)->owner;
	assert_string_equal(process->unit, "machine-qemu.scope");
	assert_true(process->facts_known);
	moved = by(mapping_event(EVENT_MAPPING, 5, 1, 0x10000, 0, 16), 10);
	moved.header.who.cgroup_id = 8;
	assert_int_equal(apply(ledger, moved).kind, CHANGE_MAPPING);
	assert_string_equal(process->unit, "");
	assert_false(process->facts_known);
}

static void test_processes_are_freed_with_the_last_reference(void **state)
{
	struct ledger *ledger;
	const struct ledger_limits limits = {.history = 1};
	struct change change;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	apply(ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(ledger, holder_event(1, 11, 2));
	assert_int_equal(counts_of(ledger).processes, 2);
	change = apply(ledger, holder_event(1, 11, 0));
	assert_int_equal(change.kind, CHANGE_HOLDER);
	/* It has left the ledger, and the change may still be read. */
	assert_int_equal(change.process->key.tgid, 11);
	assert_int_equal(counts_of(ledger).processes, 1);
	apply(ledger, file_event(EVENT_RELEASE, 1));
	apply(ledger, file_event(EVENT_OPEN, 2));
	apply(ledger, file_event(EVENT_RELEASE, 2));
	assert_null(ledger_file(ledger, 1));
	assert_int_equal(counts_of(ledger).processes, 0);
	ledger_free(ledger);
}

static void test_devices(void **state)
{
	struct ledger *ledger = *state;
	struct event other = device_event(FIRST_DEVICE, true), padded;
	struct change change = apply(ledger, device_event(FIRST_DEVICE, true));

	assert_int_equal(change.kind, CHANGE_DEVICE);
	assert_string_equal(change.device->name, "0000:00:01.0");
	assert_int_equal(apply(ledger, device_event(FIRST_DEVICE, true)).kind, CHANGE_NONE);
	padded = device_event(FIRST_DEVICE, true);
	padded.device.driver[EVENT_NAME_LEN - 1] = 'x';
	assert_int_equal(apply(ledger, padded).kind, CHANGE_NONE);
	strcpy(other.device.driver, "ivshmem");
	assert_int_equal(apply(ledger, other).kind, CHANGE_DEVICE);
	apply(ledger, file_event(EVENT_OPEN, 1));
	assert_int_equal(counts_of(ledger).devices, 1);
	change = apply(ledger, device_event(FIRST_DEVICE, false));
	assert_int_equal(change.kind, CHANGE_DEVICE);
	assert_non_null(ledger_device_by_name(ledger, "0000:00:01.0"));
	assert_int_equal(apply(ledger, device_event(FIRST_DEVICE + 8, false)).kind, CHANGE_NONE);
	change = apply(ledger, device_event(EVENT_PCI_ADDRESS(0x10001, 0xe1, 0xff), true));
	assert_string_equal(change.device->name, "10001:e1:1f.7");
	change = apply(ledger, device_event(EVENT_PCI_ADDRESS(0x10001, 0xe1, 0xff), false));
	assert_int_equal(change.kind, CHANGE_DEVICE);
	assert_string_equal(change.device->name, "10001:e1:1f.7");
	assert_null(ledger_device_by_name(ledger, "10001:e1:1f.7"));
}

static void test_device_that_is_not_pci(void **state)
{
	struct ledger *ledger = *state;
	struct event open = file_event(EVENT_OPEN, 1);

	open.file.flags = 0;
	memset(open.file.device, 'u', sizeof(open.file.device));
	assert_int_equal(strlen(apply(ledger, open).device->name), EVENT_NAME_LEN);
	assert_false(ledger_file(ledger, 1)->device->is_pci);
	/* One file has one device. */
	assert_int_equal(apply(ledger, file_event(EVENT_OPEN, 1)).kind, CHANGE_REFUSED);
}

static void test_lost(void **state)
{
	struct ledger *ledger = *state;
	struct event lost = make_event(EVENT_LOST);

	lost.lost.type = EVENT_MAP;
	lost.lost.count = 5;
	assert_int_equal(apply(ledger, lost).kind, CHANGE_LOST);
	lost.lost.count = UINT64_MAX;
	assert_int_equal(apply(ledger, lost).kind, CHANGE_LOST);
	assert_true(counts_of(ledger).lost[EVENT_MAP] == UINT64_MAX);
	lost.lost.type = EVENT_NONE;
	assert_int_equal(apply(ledger, lost).kind, CHANGE_LOST);
	lost.lost.type = EVENT_KERNEL_TYPES;
	assert_int_equal(apply(ledger, lost).kind, CHANGE_REFUSED);
}

static void refuse(struct ledger *ledger, const char *what, struct event event)
{
	uint64_t refused = counts_of(ledger).refused;

	if (apply(ledger, event).kind != CHANGE_REFUSED || counts_of(ledger).refused != refused + 1)
		fail_msg("not refused: %s", what);
	if (counts_of(ledger).files || counts_of(ledger).mappings || counts_of(ledger).cookies ||
	    counts_of(ledger).processes || counts_of(ledger).devices)
		fail_msg("refused but left something behind: %s", what);
}

#define REFUSE(ledger, make, field, value)                                                                   \
	do {                                                                                                 \
		struct event event_ = by(make, 10);                                                          \
                                                                                                             \
		event_.field = (value);                                                                      \
		refuse(ledger, #make ": " #field " = " #value, event_);                                      \
	} while (0)

static void test_malformed_events(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16), copy = copy_event(6, 5);
	struct event cookie = cookie_event(EVENT_COOKIE, 3, 1, 1), open = file_event(EVENT_OPEN, 1);
	struct event device = device_event(FIRST_DEVICE, true), holder = holder_event(1, 10, 1);

	REFUSE(ledger, map, header.version, EVENT_VERSION + 1);
	REFUSE(ledger, map, header.type, EVENT_NONE);
	REFUSE(ledger, map, header.type, EVENT_KERNEL_TYPES);
	REFUSE(ledger, map, header.type, EVENT_TYPES);
	REFUSE(ledger, map, header.type, UINT16_MAX);
	REFUSE(ledger, map, header.size, 0);
	REFUSE(ledger, map, header.size, sizeof(struct event_header));
	REFUSE(ledger, map, header.size, map.header.size - 1);
	REFUSE(ledger, map, header.size, UINT16_MAX);
	REFUSE(ledger, map, header.origin, 2);
	REFUSE(ledger, map, mapping.mapping_id, 0);
	REFUSE(ledger, map, mapping.end, map.mapping.start);
	REFUSE(ledger, map, mapping.end, map.mapping.start - PAGE);
	REFUSE(ledger, map, mapping.end, map.mapping.end + 1);
	REFUSE(ledger, map, mapping.start, map.mapping.start + 1);
	REFUSE(ledger, map, mapping.offset, UINT64_MAX - PAGE + 1);
	REFUSE(ledger, map, mapping.offset, 0x800);
	REFUSE(ledger, map, mapping.phys_start, UINT64_MAX - PAGE + 1);
	REFUSE(ledger, map, mapping.phys_start, 1);
	REFUSE(ledger, map, mapping.source, SOURCE_TYPES);
	REFUSE(ledger, copy, mapping.mapping_id, 0);
	REFUSE(ledger, copy, mapping.from_id, 0);
	REFUSE(ledger, copy, mapping.from_id, copy.mapping.mapping_id);
	REFUSE(ledger, copy, mapping.end, 1);
	REFUSE(ledger, cookie, cookie.cookie_id, 0);
	REFUSE(ledger, cookie, cookie.file_id, 0);
	REFUSE(ledger, cookie, cookie.dialect, DIALECT_TYPES);
	REFUSE(ledger, cookie, cookie.offset, UINT64_MAX);
	REFUSE(ledger, cookie, cookie.phys_start, UINT64_MAX);
	REFUSE(ledger, cookie_event(EVENT_COOKIE_RELEASE, 3, 1, 0), cookie.cookie_id, 0);
	REFUSE(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0), mapping.mapping_id, 0);
	REFUSE(ledger, file_event(EVENT_RELEASE, 1), file.file_id, 0);
	REFUSE(ledger, open, file.file_id, 0);
	REFUSE(ledger, open, file.pci_address, 1ULL << 48);
	REFUSE(ledger, holder, holder.file_id, 0);
	REFUSE(ledger, holder, header.who.tgid, 0);
	REFUSE(ledger, holder, header.who.start_ns, 0);
	REFUSE(ledger, device, device.pci_address, 1ULL << 48);
	REFUSE(ledger, device, device.present, 2);
	REFUSE(ledger, device, device.bars[2].size, UINT64_MAX);
	REFUSE(ledger, make_event(EVENT_MODULE), module.state, 3);
}

static void test_bytes_at_the_edges(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16);

	/* The last page of everything. */
	map.mapping.start = UINT64_MAX - 2 * PAGE + 1;
	map.mapping.end = UINT64_MAX - PAGE + 1;
	map.mapping.offset = UINT64_MAX - 2 * PAGE + 1;
	map.mapping.phys_start = UINT64_MAX - 2 * PAGE + 1;
	map.mapping.flags |= 0xff00;
	assert_int_equal(apply(ledger, map).kind, CHANGE_MAPPED);
	/* What is not flagged as known is not looked at. */
	map = mapping_event(EVENT_MAP, 6, 1, 0x10000, 0, 16);
	map.mapping.flags = 0;
	map.mapping.offset = map.mapping.phys_start = UINT64_MAX;
	assert_int_equal(apply(ledger, map).kind, CHANGE_MAPPED);
	assert_int_equal(ledger_mapping(ledger, 6)->offset, 0);
	assert_int_equal(ledger_mapping(ledger, 6)->phys_start, 0);
}

static void test_event_may_be_no_longer_than_it_says(void **state)
{
	struct ledger *ledger = *state;
	struct event whole = mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16);
	struct event *exact = malloc(whole.header.size), *short_one = malloc(sizeof(whole.header));
	struct change change;

	memcpy(exact, &whole, whole.header.size);
	assert_int_equal(ledger_apply(ledger, exact, &change), 0);
	assert_int_equal(change.kind, CHANGE_MAPPED);
	whole.header.size = sizeof(whole.header);
	memcpy(short_one, &whole, sizeof(whole.header));
	assert_int_equal(ledger_apply(ledger, short_one, &change), 0);
	assert_int_equal(change.kind, CHANGE_REFUSED);
	free(exact);
	free(short_one);
}

static void test_requested_type(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 1, 0x10000, 0, 16);

	apply(ledger, map);
	assert_int_equal(ledger_requested(ledger, ledger_mapping(ledger, 5)), MEMTYPE_UC_MINUS);
	map.mapping.mapping_id = 6;
	map.mapping.page_prot = PROT_WC;
	apply(ledger, map);
	assert_int_equal(ledger_requested(ledger, ledger_mapping(ledger, 6)), MEMTYPE_WC);
	map.mapping.mapping_id = 7;
	map.mapping.page_prot = 0;
	apply(ledger, map);
	assert_int_equal(ledger_requested(ledger, ledger_mapping(ledger, 7)), MEMTYPE_UNKNOWN);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_open_and_release),
		LEDGER_TEST(test_closed_file_stays_closed),
		LEDGER_TEST(test_map_of_unknown_file),
		LEDGER_TEST(test_release_closes_cookies_but_not_mappings_or_dmabufs),
		LEDGER_TEST(test_cookie_issues),
		LEDGER_TEST(test_cookie_found_by_scan_then_issued),
		LEDGER_TEST(test_cookie_of_closed_file),
		LEDGER_TEST(test_cookie_at),
		LEDGER_TEST(test_unmap_before_map),
		LEDGER_TEST(test_split),
		LEDGER_TEST(test_copy_of_unknown_mapping),
		LEDGER_TEST(test_fork_copy_gets_the_child),
		LEDGER_TEST(test_offset_follows_a_cut),
		LEDGER_TEST(test_late_map),
		LEDGER_TEST(test_name_is_that_of_the_newest_event),
		LEDGER_TEST(test_process_facts),
		cmocka_unit_test(test_processes_are_freed_with_the_last_reference),
		LEDGER_TEST(test_devices),
		LEDGER_TEST(test_device_that_is_not_pci),
		LEDGER_TEST(test_lost),
		LEDGER_TEST(test_malformed_events),
		LEDGER_TEST(test_bytes_at_the_edges),
		LEDGER_TEST(test_event_may_be_no_longer_than_it_says),
		LEDGER_TEST(test_requested_type),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
