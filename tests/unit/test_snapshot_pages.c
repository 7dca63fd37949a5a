/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows about pages, sources and attributes. */
#include "rows.h"

static const struct snapshot_clock test_clock = {.realtime_offset_ns = 1700000000000000000LL};

/* The rows of mappings, or of cookies, as text without spaces. */
static struct json_object *rows_of(const struct ledger *ledger, bool cookies, bool all)
{
	const struct row_filter filter = {.all = all};
	struct json_object *rows = json_object_new_array();

	if (cookies)
		assert_int_equal(snapshot_cookies(ledger, &filter, &test_clock, 0, 100, rows), 0);
	else
		assert_int_equal(snapshot_mappings(ledger, NULL, &filter, &test_clock, 0, 100, rows), 0);
	return rows;
}

static void expect_key(struct json_object *row, const char *key, const char *expected)
{
	struct json_object *value;

	if (!json_object_object_get_ex(row, key, &value))
		fail_msg("no key %s", key);
	assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), expected);
}

/* Key after key and the JSON text of its value, ended by NULL, in the one row there is. */
static void expect_only(const struct ledger *ledger, bool cookies, const char *const *expected)
{
	struct json_object *rows = rows_of(ledger, cookies, false);

	assert_int_equal(json_object_array_length(rows), 1);
	for (; expected[0]; expected += 2)
		expect_key(json_object_array_get_idx(rows, 0), expected[0], expected[1]);
	json_object_put(rows);
}

#define EXPECT_MAPPING(ledger, ...) expect_only(ledger, false, (const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_COOKIE(ledger, ...)  expect_only(ledger, true, (const char *const[]){__VA_ARGS__, NULL})

static void test_effective(void **state)
{
	struct ledger *ledger = *state;
	struct event pages = pages_event(EVENT_POPULATE, 5, 0x10000, 16);

	apply(ledger, mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16));
	apply(ledger, with_run(pages, 0x10000, 0, 4, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "effective", "\"wc\"", "effective_arch", "\"WC\"", "populated", "16384",
		       "populated_4k", "16384", "populated_2m", "0", "extents",
		       "[{\"start\":\"0x10000\",\"end\":\"0x14000\",\"phys_start\":\"0x383800000000\","
		       "\"type\":\"wc\",\"leaf\":\"4k\"}]",
		       "live", "true");
	pages = pages_event(EVENT_POPULATE, 5, 0x14000, 12);
	apply(ledger, with_run(pages, 0x14000, 4, 12, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "effective", "\"wc\"", "populated", "65536", "extents", "null");
	pages = pages_event(EVENT_POPULATE, 5, 0x1f000, 1);
	apply(ledger, with_run(pages, 0x1f000, 15, 1, MEMTYPE_UC_MINUS));
	EXPECT_MAPPING(ledger, "effective", "\"mixed\"", "effective_arch", "null", "populated", "65536",
		       "extents",
		       "[{\"start\":\"0x10000\",\"end\":\"0x1f000\",\"phys_start\":\"0x383800000000\","
		       "\"type\":\"wc\",\"leaf\":\"4k\"},{\"start\":\"0x1f000\",\"end\":\"0x20000\","
		       "\"phys_start\":\"0x38380000f000\",\"type\":\"uc-\",\"leaf\":\"4k\"}]");
	apply(ledger, copy_event(6, 5));
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	EXPECT_MAPPING(ledger, "effective", "null", "populated", "null", "populated_4k", "null", "extents",
		       "null");
}

static void test_leaf_sizes(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 7, 1ULL << 30, 0, 1024);
	struct event pages = pages_event(EVENT_PAGES, 5, 1ULL << 30, 1024);

	apply(ledger, map);
	pages = with_run(pages, 1ULL << 30, 0, 512, MEMTYPE_UC_MINUS);
	pages.pages.runs[0].leaf = LEAF_2M;
	pages = with_run(pages, (1ULL << 30) + 512 * PAGE, 512, 2, MEMTYPE_UC_MINUS);
	apply(ledger, pages);
	EXPECT_MAPPING(ledger, "effective", "\"uc-\"", "populated", "2105344", "populated_4k", "8192",
		       "populated_2m", "2097152", "populated_1g", "0");
}

static void test_many_extents(void **state)
{
	struct ledger *ledger = *state;
	struct json_object *rows, *extents;

	apply(ledger, mapping_event(EVENT_MAP, 5, 7, 0x100000, 0, 200));
	for (uint64_t page = 0; page < 200; page += 2)
		apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x100000 + page * PAGE, 1),
				       0x100000 + page * PAGE, page, 1, MEMTYPE_WC));
	rows = rows_of(ledger, false, false);
	expect_key(json_object_array_get_idx(rows, 0), "extents_omitted", "36");
	assert_true(json_object_object_get_ex(json_object_array_get_idx(rows, 0), "extents", &extents));
	assert_int_equal(json_object_array_length(extents), 64);
	json_object_put(rows);
}

static void test_revoked_row(void **state)
{
	struct ledger *ledger = *state;
	struct event sysfs = mapping_event(EVENT_MAP, 5, 0, 0x10000, 0, 16);

	sysfs.mapping.source = SOURCE_SYSFS;
	sysfs.mapping.flags |= EVENT_MAPPING_NO_FAULT | EVENT_MAPPING_DEVICE_KNOWN;
	sysfs.mapping.pci_address = FIRST_DEVICE;
	apply(ledger, sysfs);
	EXPECT_MAPPING(ledger, "revoked", "null", "live", "true", "effective", "null");
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x10000, 16), 0x10000, 0, 16, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "revoked", "false", "live", "true", "effective", "\"wc\"", "device",
		       "\"0000:00:01.0\"", "source", "\"sysfs\"");
	apply(ledger, revoke_iomem_event(0, 4096));
	EXPECT_MAPPING(ledger, "revoked", "true", "live", "false", "effective", "\"unpopulated\"",
		       "populated", "0", "until", "null");
}

/* Where the driver's layout is unknown the pages tell it, if they are one range. */
static void test_physical_range_from_pages(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16);

	map.mapping.flags = EVENT_MAPPING_OFFSET_KNOWN;
	apply(ledger, map);
	EXPECT_MAPPING(ledger, "phys_start", "null", "phys_end", "null");
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x12000, 2), 0x12000, 34, 2, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "phys_start", "\"0x383800020000\"", "phys_end", "\"0x383800030000\"");
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x15000, 1), 0x15000, 37, 1, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "phys_start", "\"0x383800020000\"");
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x16000, 1), 0x16000, 37, 1, MEMTYPE_WC));
	EXPECT_MAPPING(ledger, "phys_start", "null", "phys_end", "null");
}

static void test_guest_wc(void **state)
{
	struct event map = mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16);
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_ARM64, NULL), 0);
	apply(ledger, map);
	EXPECT_MAPPING(ledger, "guest_wc", "false");
	map.mapping.vm_flags |= 1ULL << 39;
	map.header.type = EVENT_MAPPING;
	apply(ledger, map);
	EXPECT_MAPPING(ledger, "guest_wc", "true");
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 5, 0x10000, 16), 0x10000, 0, 16, MEMTYPE_UC));
	EXPECT_MAPPING(ledger, "effective", "\"uc\"", "effective_arch", "\"Device-nGnRnE\"");
	ledger_free(ledger);
}

static void test_cookie_attributes(void **state)
{
	struct ledger *ledger = *state;
	struct event cookie = cookie_event(EVENT_COOKIE, 21, 7, 1);

	cookie.cookie.dialect = DIALECT_ALIAS_REGION;
	cookie.cookie.region = 9;
	cookie.cookie.alias_of = 2;
	cookie.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	apply(ledger, cookie);
	EXPECT_COOKIE(ledger, "attributes", "[\"wc\"]", "alias_of", "2", "type", "\"wc\"", "revoked",
		      "false");
	cookie.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_REVOKED;
	cookie.cookie.issued = 2;
	apply(ledger, cookie);
	EXPECT_COOKIE(ledger, "attributes", "[]", "type", "\"uc-\"", "revoked", "true");
}

/* /dev/mem of what is not known to be a BAR may be any memory: it is shown on demand only. */
static void test_memory_that_is_no_bar(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAP, 5, 0, 0x10000, 0, 16);
	struct json_object *rows;

	map.mapping.source = SOURCE_DEVMEM;
	map.mapping.region = EVENT_REGION_UNKNOWN;
	apply(ledger, map);
	rows = rows_of(ledger, false, false);
	assert_int_equal(json_object_array_length(rows), 0);
	json_object_put(rows);
	rows = rows_of(ledger, false, true);
	assert_int_equal(json_object_array_length(rows), 1);
	expect_key(json_object_array_get_idx(rows, 0), "region", "null");
	json_object_put(rows);
	apply(ledger, device_event(FIRST_DEVICE, true));
	EXPECT_MAPPING(ledger, "device", "\"0000:00:01.0\"", "region", "2", "source", "\"devmem\"");
}

static void expect_event(const struct ledger *ledger, const struct event *event, const struct change *change,
			 const char *expected)
{
	expect_row(snapshot_event(ledger, &test_clock, event, change), expected);
}

static void expect_device(const struct ledger *ledger, const struct event *event, const char *device,
			  const char *region)
{
	struct json_object *row = snapshot_event(ledger, &test_clock, event, NULL);

	expect_key(row, "device", device);
	expect_key(row, "region", region);
	json_object_put(row);
}

static void test_event_rows(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(pages_event(EVENT_POPULATE, 5, 0x10000, 16), 10);
	struct change change;

	apply(ledger, device_event(FIRST_DEVICE, true));
	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, by(mapping_event(EVENT_MAP, 5, 7, 0x10000, 1, 16), 10));
	event = with_run(event, 0x11000, 2, 2, MEMTYPE_WC);
	change = apply(ledger, event);
	expect_event(
		ledger, &event, &change,
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'populate','origin':'kernel',"
		"'state':null,'refused':false,'device':'0000:00:01.0','pid':10,'comm':'client','uid':1000,"
		"'region':2,'file':7,'cookie':null,'mapping':5,'offset':null,'size':65536,'start':'0x10000',"
		"'end':'0x20000','phys_start':'0x383800001000','phys_end':'0x383800011000',"
		"'requested':'uc-','effective':'wc','populated':8192,'source':'vfio'}");
	event = revoke_device_event(FIRST_DEVICE);
	change = apply(ledger, event);
	expect_event(
		ledger, &event, &change,
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'revoke','origin':'kernel',"
		"'state':null,'refused':false,'device':'0000:00:01.0','pid':10,'comm':'client','uid':1000,"
		"'region':null,'file':null,'cookie':null,'mapping':5,'offset':null,'size':null,'start':null,"
		"'end':null,'phys_start':null,'phys_end':null,'requested':null,'scope':'device','uncertain':"
		"false}");
	event = by(reservation_event(0, 4096, MEMTYPE_UC_MINUS, MEMTYPE_WC), 11);
	change = apply(ledger, event);
	expect_event(ledger, &event, &change,
		     "{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'reservation',"
		     "'origin':'kernel','state':null,'refused':false,'device':'0000:00:01.0','pid':11,"
		     "'comm':'client','uid':1000,'region':2,'file':null,'cookie':null,'mapping':null,"
		     "'offset':null,'size':null,'start':null,'end':null,'phys_start':'0x383800000000',"
		     "'phys_end':'0x383801000000','requested':'uc-','given':'wc'}");
	/* As read from history, without what it changed. */
	expect_device(ledger, &event, "\"0000:00:01.0\"", "2");
	event = revoke_iomem_event(4, 1);
	expect_device(ledger, &event, "\"0000:00:01.0\"", "2");
	event = revoke_iomem_event(4096, 1);
	expect_device(ledger, &event, "null", "null");
	/* Of what the ledger refused, or does not know, the row is made of the event. */
	event = pages_event(EVENT_PAGES, 99, 0x10000, 1);
	event.pages.n_runs = UINT32_MAX;
	event.pages.runs[0].leaf = 77;
	change = apply(ledger, event);
	assert_int_equal(change.kind, CHANGE_REFUSED);
	json_object_put(snapshot_event(ledger, &test_clock, &event, &change));
	event = revoke_device_event(FIRST_DEVICE + 8);
	change = apply(ledger, event);
	expect_event(
		ledger, &event, &change,
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'revoke','origin':'kernel',"
		"'state':null,'refused':false,'device':'0000:00:02.0','pid':null,'comm':null,'uid':null,"
		"'region':null,'file':null,'cookie':null,'mapping':null,'offset':null,'size':null,"
		"'start':null,'end':null,'phys_start':null,'phys_end':null,'requested':null,"
		"'scope':'device','uncertain':false}");
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_effective),
		LEDGER_TEST(test_leaf_sizes),
		LEDGER_TEST(test_many_extents),
		LEDGER_TEST(test_revoked_row),
		LEDGER_TEST(test_physical_range_from_pages),
		cmocka_unit_test(test_guest_wc),
		LEDGER_TEST(test_cookie_attributes),
		LEDGER_TEST(test_memory_that_is_no_bar),
		LEDGER_TEST(test_event_rows),
	};

	return cmocka_run_group_tests_name("rows of pages", tests, NULL, NULL);
}
