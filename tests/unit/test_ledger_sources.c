/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mappings belong to, attributes of cookies, reservations of memory types, and facts of processes. */
#include "events.h"

#define START 0x100000ULL

static struct event other_source(struct event event, enum mapping_source source)
{
	event.mapping.file_id = 0;
	event.mapping.source = source;
	event.mapping.region = EVENT_REGION_UNKNOWN;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN;
	return event;
}

static struct event of_device(struct event event, uint64_t address)
{
	event.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN;
	event.mapping.pci_address = address;
	return event;
}

static struct event dmabuf_event(enum event_type type, uint64_t cookie_id, uint64_t file_id)
{
	struct event event = cookie_event(type, cookie_id, file_id, 1);

	event.cookie.dialect = DIALECT_DMA_BUF;
	event.cookie.offset = 0;
	event.cookie.flags = 0;
	return event;
}

static struct event dmabuf_mapping(enum event_type type, uint64_t id, uint64_t cookie_id)
{
	struct event event = other_source(mapping_event(type, id, 0, START, 0, 16), SOURCE_DMABUF);

	event.mapping.cookie_id = cookie_id;
	return event;
}

static void test_device_told(void **state)
{
	struct ledger *ledger = *state;
	struct event map = other_source(mapping_event(EVENT_MAP, 5, 0, START, 0, 16), SOURCE_SYSFS);
	const struct mapping *mapping, *copy;
	const struct device *device;

	mapping = apply(ledger, of_device(map, FIRST_DEVICE)).mapping;
	device = ledger_device_by_name(ledger, "0000:00:01.0");
	assert_non_null(device);
	assert_ptr_equal(mapping->device, device);
	assert_int_equal(device->mappings, 1);
	copy = apply(ledger, copy_event(6, 5)).mapping;
	assert_ptr_equal(copy->device, device);
	assert_int_equal(copy->source, SOURCE_SYSFS);
	assert_int_equal(device->mappings, 2);
	/* Another device for the same mapping, and one that cannot be. */
	map.header.type = EVENT_MAPPING;
	assert_int_equal(apply(ledger, of_device(map, FIRST_DEVICE + 8)).kind, CHANGE_REFUSED);
	map.mapping.mapping_id = 7;
	assert_int_equal(apply(ledger, of_device(map, 1ULL << 48)).kind, CHANGE_REFUSED);
	assert_true(ledger_device_has_process(device, 0) == false);
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	apply(ledger, mapping_event(EVENT_UNMAP, 6, 0, 0, 0, 0));
	assert_int_equal(device->mappings, 0);
	assert_ptr_equal(mapping->device, device);
}

static void test_process_of_a_device(void **state)
{
	struct ledger *ledger = *state;
	struct event map = other_source(by(mapping_event(EVENT_MAP, 5, 0, START, 0, 16), 10), SOURCE_SYSFS);
	const struct device *device = apply(ledger, of_device(map, FIRST_DEVICE)).device;

	assert_true(ledger_device_has_process(device, 10));
	assert_false(ledger_device_has_process(device, 11));
}

/* A device that only a mapping in history points to goes with it. */
static void test_device_goes_with_its_last_mapping(void **state)
{
	const struct ledger_limits limits = {.history = 1};
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	for (uint64_t id = 1; id <= 2; id++) {
		struct event map = other_source(mapping_event(EVENT_MAP, id, 0, START, 0, 16), SOURCE_SYSFS);

		apply(ledger, of_device(map, FIRST_DEVICE + 8 * id));
		apply(ledger, mapping_event(EVENT_UNMAP, id, 0, 0, 0, 0));
	}
	assert_null(ledger_device_by_name(ledger, "0000:00:02.0"));
	assert_non_null(ledger_device_by_name(ledger, "0000:00:03.0"));
	ledger_free(ledger);
}

static void test_device_by_address(void **state)
{
	struct ledger *ledger = *state;
	struct event map = other_source(mapping_event(EVENT_MAP, 5, 0, START, 2, 16), SOURCE_DEVMEM);
	struct event facts = device_event(FIRST_DEVICE, true);
	const struct mapping *mapping = apply(ledger, map).mapping;
	uint32_t region = 0;

	assert_null(mapping->device);
	assert_null(ledger_device_at(ledger, BAR_2, &region));
	assert_int_equal(region, EVENT_REGION_UNKNOWN);
	apply(ledger, facts);
	assert_string_equal(mapping->device->name, "0000:00:01.0");
	assert_int_equal(mapping->region, 2);
	assert_true(mapping->by_address);
	assert_int_equal(mapping->device->mappings, 1);
	assert_ptr_equal(ledger_device_at(ledger, BAR_2 + BAR_SIZE - 1, &region), mapping->device);
	assert_int_equal(region, 2);
	assert_null(ledger_device_at(ledger, BAR_2 + BAR_SIZE, &region));
	assert_null(ledger_device_at(ledger, BAR_2 - 1, &region));
	/* Told again it changes nothing. */
	map.header.type = EVENT_MAPPING;
	assert_int_equal(apply(ledger, map).kind, CHANGE_NONE);
	/* The BAR moves away, and another device's comes. */
	facts.device.bars[2].phys_start += BAR_SIZE;
	apply(ledger, facts);
	assert_null(mapping->device);
	assert_int_equal(mapping->region, EVENT_REGION_UNKNOWN);
	facts = device_event(FIRST_DEVICE + 8, true);
	facts.device.bars[0] = facts.device.bars[2];
	facts.device.bars[2].size = 0;
	apply(ledger, facts);
	assert_string_equal(mapping->device->name, "0000:00:02.0");
	assert_int_equal(mapping->region, 0);
	facts.device.present = 0;
	assert_int_equal(apply(ledger, facts).kind, CHANGE_DEVICE);
	assert_null(mapping->device);
	assert_null(ledger_device_by_name(ledger, "0000:00:02.0"));
}

/* Ports are no memory, whatever their numbers. */
static void test_ports_are_no_memory(void **state)
{
	struct ledger *ledger = *state;
	struct event facts = device_event(FIRST_DEVICE, true);
	uint32_t region;

	facts.device.bars[2].flags = 0x101;
	apply(ledger, facts);
	assert_null(ledger_device_at(ledger, BAR_2, &region));
}

/* The first byte that any BAR has decides, also of a mapping whose layout only the pages tell. */
static void test_device_by_pages(void **state)
{
	struct ledger *ledger = *state;
	struct event map = other_source(mapping_event(EVENT_MAP, 5, 0, START, 0, 16), SOURCE_OTHER);
	const struct mapping *mapping;

	map.mapping.flags = EVENT_MAPPING_NO_FAULT;
	apply(ledger, device_event(FIRST_DEVICE, true));
	mapping = apply(ledger, map).mapping;
	assert_null(mapping->device);
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, START, 16), START, 7, 16, MEMTYPE_WC));
	assert_string_equal(mapping->device->name, "0000:00:01.0");
	assert_int_equal(mapping->region, 2);
}

static void test_dmabuf_mapping(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping, *late;
	const struct cookie *cookie;

	apply(ledger, file_event(EVENT_OPEN, 1));
	apply(ledger, dmabuf_event(EVENT_COOKIE, 21, 1));
	cookie = ledger_cookie(ledger, 21);
	mapping = apply(ledger, dmabuf_mapping(EVENT_MAP, 5, 21)).mapping;
	assert_ptr_equal(mapping->cookie, cookie);
	assert_ptr_equal(mapping->device, ledger_file(ledger, 1)->device);
	assert_int_equal(cookie->references, 1);
	assert_int_equal(cookie->mapped_types, 1U << MEMTYPE_UC_MINUS);
	assert_int_equal(apply(ledger, dmabuf_mapping(EVENT_MAPPING, 5, 22)).kind, CHANGE_REFUSED);
	/* The mapping first, as when the truth is read; then the cookie, then whose file it came from. */
	late = apply(ledger, dmabuf_mapping(EVENT_MAPPING, 6, 23)).mapping;
	assert_null(late->cookie);
	assert_int_equal(late->cookie_id, 23);
	apply(ledger, copy_event(8, 6));
	apply(ledger, dmabuf_event(EVENT_COOKIE_LIVE, 23, 2));
	assert_ptr_equal(late->cookie, ledger_cookie(ledger, 23));
	assert_ptr_equal(ledger_mapping(ledger, 8)->cookie, late->cookie);
	assert_int_equal(late->cookie->references, 2);
	assert_null(late->device);
	apply(ledger, file_event(EVENT_FILE, 2));
	assert_ptr_equal(late->device, mapping->device);
	assert_int_equal(mapping->device->mappings, 3);
}

/* A mapping that waits for its cookie may go first. */
static void test_cookie_that_never_comes(void **state)
{
	const struct ledger_limits limits = {.history = 1};
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	for (uint64_t id = 1; id <= 4; id++) {
		apply(ledger, dmabuf_mapping(EVENT_MAPPING, id, 20 + id / 2));
		apply(ledger, mapping_event(EVENT_UNMAP, id, 0, 0, 0, 0));
	}
	apply(ledger, dmabuf_event(EVENT_COOKIE, 21, 1));
	assert_int_equal(ledger_cookie(ledger, 21)->references, 0);
	apply(ledger, dmabuf_event(EVENT_COOKIE, 22, 1));
	assert_int_equal(ledger_cookie(ledger, 22)->references, 1);
	ledger_free(ledger);
}

/* A closed cookie stays as long as a mapping that is kept is of it. */
static void test_history_keeps_a_mapped_cookie(void **state)
{
	const struct ledger_limits limits = {.history = 1};
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	apply(ledger, dmabuf_event(EVENT_COOKIE, 21, 1));
	apply(ledger, dmabuf_mapping(EVENT_MAP, 5, 21));
	for (uint64_t id = 21; id <= 24; id++) {
		apply(ledger, dmabuf_event(EVENT_COOKIE, id, 1));
		apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, id, 1, 0));
	}
	assert_null(ledger_cookie(ledger, 23));
	assert_ptr_equal(ledger_mapping(ledger, 5)->cookie, ledger_cookie(ledger, 21));
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	apply(ledger, mapping_event(EVENT_MAP, 6, 1, START, 0, 16));
	apply(ledger, mapping_event(EVENT_UNMAP, 6, 0, 0, 0, 0));
	assert_null(ledger_mapping(ledger, 5));
	apply(ledger, dmabuf_event(EVENT_COOKIE, 25, 1));
	apply(ledger, cookie_event(EVENT_COOKIE_RELEASE, 25, 1, 0));
	assert_null(ledger_cookie(ledger, 21));
	ledger_free(ledger);
}

static void test_revoked_cookie(void **state)
{
	struct ledger *ledger = *state;
	struct event revoke = dmabuf_event(EVENT_COOKIE, 21, 1);
	const struct mapping *mapping, *late;
	struct piece piece;
	uint64_t cursor = 0;

	apply(ledger, dmabuf_event(EVENT_COOKIE, 21, 1));
	mapping = apply(ledger, dmabuf_mapping(EVENT_MAP, 5, 21)).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, START, 16), START, 0, 16, MEMTYPE_WC));
	while (ledger_next_touched(ledger))
		;
	revoke.cookie.attributes = COOKIE_REVOKED;
	assert_int_equal(apply(ledger, revoke).kind, CHANGE_COOKIE_REISSUED);
	assert_ptr_equal(ledger_next_touched(ledger), mapping);
	assert_true(mapping_revoked(mapping));
	assert_int_equal(mapping->n_runs, 0);
	assert_false(mapping_next_piece(ledger, mapping, &cursor, &piece));
	late = apply(ledger, dmabuf_mapping(EVENT_MAP, 6, 21)).mapping;
	assert_true(mapping_revoked(late));
	/* For ever. */
	revoke.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN;
	revoke.cookie.issued = 2;
	apply(ledger, revoke);
	assert_true(mapping_revoked(mapping));
}

static void test_attributes(void **state)
{
	struct ledger *ledger = *state;
	struct event event = cookie_event(EVENT_COOKIE, 21, 1, 1);
	const struct cookie *cookie = apply(ledger, event).cookie;

	assert_int_equal(ledger_promised(ledger, cookie), MEMTYPE_UC_MINUS);
	event.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	event.cookie.issued = 2;
	assert_int_equal(apply(ledger, event).kind, CHANGE_COOKIE_REISSUED);
	assert_int_equal(ledger_promised(ledger, cookie), MEMTYPE_WC);
	event.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN;
	assert_int_equal(apply(ledger, event).kind, CHANGE_COOKIE_REISSUED);
	assert_int_equal(apply(ledger, event).kind, CHANGE_NONE);
	assert_int_equal(ledger_promised(ledger, cookie), MEMTYPE_UC_MINUS);
	event.cookie.cookie_id = 22;
	event.cookie.alias_of = 2;
	event.cookie.dialect = DIALECT_VARIANT;
	event.cookie.attributes = COOKIE_WC;
	cookie = apply(ledger, event).cookie;
	assert_int_equal(ledger_promised(ledger, cookie), MEMTYPE_UNKNOWN);
	assert_int_equal(cookie->alias_of, 2);
	event.cookie.cookie_id = 23;
	event.cookie.attributes = 8;
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
	event.cookie.attributes = 0;
	event.cookie.mapped_types = 1U << MEMTYPE_TYPES;
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
}

/* D1 and D5: one cookie, mapped with two types. */
static void test_mapped_types(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 1, START, 0, 16);
	const struct cookie *cookie = apply(ledger, cookie_event(EVENT_COOKIE, 21, 1, 1)).cookie;

	apply(ledger, map);
	assert_int_equal(cookie->mapped_types, 1U << MEMTYPE_UC_MINUS);
	map.mapping.mapping_id = 6;
	map.mapping.page_prot = PROT_WC;
	map.mapping.offset = 0;
	apply(ledger, map);
	assert_int_equal(cookie->mapped_types, 1U << MEMTYPE_UC_MINUS);
	map.mapping.mapping_id = 8;
	map.mapping.offset = COOKIE_2 + PAGE;
	apply(ledger, map);
	assert_int_equal(cookie->mapped_types, 1U << MEMTYPE_UC_MINUS | 1U << MEMTYPE_WC);
}

static void test_cookies_uncertain(void **state)
{
	struct ledger *ledger = *state;
	struct event lost = make_event(EVENT_LOST);

	apply(ledger, file_event(EVENT_OPEN, 1));
	assert_false(ledger_file(ledger, 1)->cookies_uncertain);
	lost.lost.type = EVENT_MAP;
	apply(ledger, lost);
	assert_false(ledger_file(ledger, 1)->cookies_uncertain);
	lost.lost.type = EVENT_COOKIE;
	apply(ledger, lost);
	assert_true(ledger_file(ledger, 1)->cookies_uncertain);
	apply(ledger, file_event(EVENT_OPEN, 2));
	assert_false(ledger_file(ledger, 2)->cookies_uncertain);
	ledger_cookies_uncertain(ledger);
	assert_true(ledger_file(ledger, 2)->cookies_uncertain);
}

static void test_reservations(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(reservation_event(0, 16, MEMTYPE_WC, MEMTYPE_WC), 10);
	const struct device *device;
	struct change change;

	assert_int_equal(apply(ledger, event).kind, CHANGE_NONE);
	apply(ledger, device_event(FIRST_DEVICE, true));
	change = apply(ledger, event);
	device = change.device;
	assert_int_equal(change.kind, CHANGE_RESERVED);
	assert_string_equal(device->name, "0000:00:01.0");
	assert_int_equal(device->n_reservations, 1);
	assert_int_equal(device->reservations[0].process->key.tgid, 10);
	assert_int_equal(device->reservations[0].process->references, 1);
	assert_ptr_equal(change.process, device->reservations[0].process);
	assert_int_equal(apply(ledger, event).kind, CHANGE_NONE);
	/* The same later is the same one; another comes before it. */
	assert_int_equal(apply(ledger, at(event, 2000)).kind, CHANGE_RESERVED);
	assert_int_equal(device->n_reservations, 1);
	assert_int_equal(device->reservations[0].time_ns, 2000);
	apply(ledger, at(by(reservation_event(0, 4096, MEMTYPE_UC_MINUS, MEMTYPE_WC), 11), 3000));
	assert_int_equal(device->reservations[0].given, MEMTYPE_WC);
	assert_int_equal(device->reservations[0].requested, MEMTYPE_UC_MINUS);
	assert_int_equal(apply(ledger, reservation_event(4096, 1, MEMTYPE_WC, MEMTYPE_WC)).kind, CHANGE_NONE);
	/* Partly in the BAR. */
	assert_int_equal(apply(ledger, at(reservation_event(4095, 2, MEMTYPE_WC, MEMTYPE_WC), 2500)).kind,
			 CHANGE_RESERVED);
	assert_int_equal(device->reservations[1].time_ns, 2500);
	assert_null(device->reservations[1].process);

	for (uint64_t i = 0; i < 2 * RESERVATIONS_KEPT; i++)
		apply(ledger, at(by(reservation_event(i, 1, MEMTYPE_WC, MEMTYPE_WC), 20 + i), 4000 + i));
	assert_int_equal(device->n_reservations, RESERVATIONS_KEPT);
	assert_int_equal(device->reservations[0].time_ns, 4000 + 2 * RESERVATIONS_KEPT - 1);
	assert_int_equal(counts_of(ledger).processes, RESERVATIONS_KEPT);
	/* Older than all that are kept. */
	assert_int_equal(apply(ledger, by(reservation_event(99, 1, MEMTYPE_WC, MEMTYPE_WC), 99)).kind,
			 CHANGE_NONE);
	assert_int_equal(counts_of(ledger).processes, RESERVATIONS_KEPT);
	apply(ledger, device_event(FIRST_DEVICE, false));
	assert_int_equal(counts_of(ledger).processes, 0);
}

static void test_malformed_reservations(void **state)
{
	struct ledger *ledger = *state;
	struct event event = reservation_event(0, 0, MEMTYPE_WC, MEMTYPE_WC);

	apply(ledger, device_event(FIRST_DEVICE, true));
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
	event = reservation_event(0, 1, MEMTYPE_TYPES, MEMTYPE_WC);
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
	event = reservation_event(0, 1, MEMTYPE_WC, MEMTYPE_TYPES);
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
}

static void test_program_of_a_process(void **state)
{
	struct ledger *ledger = *state;
	struct event facts = by(make_event(EVENT_PROCESS), 10), renamed = by(file_event(EVENT_OPEN, 2), 10);
	const struct process *process = apply(ledger, by(file_event(EVENT_OPEN, 1), 10)).process;

	strcpy(facts.process.unit, "client.service");
	memset(facts.process.exe, 'x', EVENT_PATH_LEN);
	assert_int_equal(apply(ledger, facts).kind, CHANGE_PROCESS);
	assert_int_equal(strlen(process->exe), EVENT_PATH_LEN);
	assert_int_equal(apply(ledger, facts).kind, CHANGE_NONE);
	strcpy(facts.process.exe, "/usr/bin/client");
	assert_int_equal(apply(ledger, facts).kind, CHANGE_PROCESS);
	assert_string_equal(process->exe, "/usr/bin/client");
	/* Another name may be another program; the unit is what it was. */
	set_comm(&renamed, "other");
	apply(ledger, renamed);
	assert_string_equal(process->exe, "");
	assert_string_equal(process->unit, "client.service");
	assert_false(process->facts_known);
}

static void test_next_live(void **state)
{
	struct ledger *ledger = *state;
	uint64_t seen = 0;

	for (uint64_t id = 1; id <= 5; id++)
		apply(ledger, mapping_event(EVENT_MAP, id, 7, START, 0, 16));
	apply(ledger, mapping_event(EVENT_UNMAP, 1, 0, 0, 0, 0));
	apply(ledger, mapping_event(EVENT_UNMAP, 4, 0, 0, 0, 0));
	for (const struct mapping *mapping = NULL; (mapping = ledger_next_live(ledger, mapping));)
		seen = seen * 10 + mapping->id;
	assert_int_equal(seen, 235);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_device_told),
		LEDGER_TEST(test_process_of_a_device),
		cmocka_unit_test(test_device_goes_with_its_last_mapping),
		LEDGER_TEST(test_device_by_address),
		LEDGER_TEST(test_ports_are_no_memory),
		LEDGER_TEST(test_device_by_pages),
		LEDGER_TEST(test_dmabuf_mapping),
		cmocka_unit_test(test_cookie_that_never_comes),
		cmocka_unit_test(test_history_keeps_a_mapped_cookie),
		LEDGER_TEST(test_revoked_cookie),
		LEDGER_TEST(test_attributes),
		LEDGER_TEST(test_mapped_types),
		LEDGER_TEST(test_cookies_uncertain),
		LEDGER_TEST(test_reservations),
		LEDGER_TEST(test_malformed_reservations),
		LEDGER_TEST(test_program_of_a_process),
		LEDGER_TEST(test_next_live),
	};

	return cmocka_run_group_tests_name("sources of mappings", tests, NULL, NULL);
}
