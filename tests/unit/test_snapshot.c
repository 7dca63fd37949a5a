/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows: names and values of the JSON contract, null for what is unknown, filters, paging. */
#include "rows.h"

#define EPOCH 1700000000000000000LL /* 2023-11-14T22:13:20Z */

static const struct snapshot_clock test_clock = {.realtime_offset_ns = EPOCH};

typedef int (*snapshot_list)(const struct ledger *ledger, const struct row_filter *filter,
			     const struct snapshot_clock *clock, uint64_t after, size_t max,
			     struct json_object *rows);

/* Without findings. */
static int list_devices(const struct ledger *ledger, const struct row_filter *filter,
			const struct snapshot_clock *clock, uint64_t after, size_t max,
			struct json_object *rows)
{
	return snapshot_devices(ledger, NULL, filter, clock, after, max, rows);
}

/* Without a policy. */
static int list_mappings(const struct ledger *ledger, const struct row_filter *filter,
			 const struct snapshot_clock *clock, uint64_t after, size_t max,
			 struct json_object *rows)
{
	return snapshot_mappings(ledger, NULL, filter, clock, after, max, rows);
}

static struct json_object *list(snapshot_list function, const struct ledger *ledger,
				const struct row_filter *filter)
{
	struct json_object *rows = json_object_new_array();

	assert_int_equal(function(ledger, filter, &test_clock, 0, 1000, rows), 0);
	return rows;
}

static size_t count(snapshot_list function, const struct ledger *ledger, const struct row_filter *filter)
{
	struct json_object *rows = list(function, ledger, filter);
	size_t n = json_object_array_length(rows);

	json_object_put(rows);
	return n;
}

/* The one row of a list. */
static struct json_object *only(snapshot_list function, const struct ledger *ledger)
{
	const struct row_filter filter = {0};
	struct json_object *rows = list(function, ledger, &filter), *row;

	assert_int_equal(json_object_array_length(rows), 1);
	row = json_object_get(json_object_array_get_idx(rows, 0));
	json_object_put(rows);
	return row;
}

static void test_device_row(void **state)
{
	struct ledger *ledger = *state;
	struct event open = by(file_event(EVENT_OPEN, 7), 10);

	open.file.opened_ns = 1500000;
	open.file.flags |= EVENT_FILE_IS_CDEV;
	apply(ledger, device_event(FIRST_DEVICE, true));
	apply(ledger, open);
	apply(ledger, mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16));
	ledger_begin_reading(ledger, READING_HOLDERS);
	apply(ledger, holder_event(7, 10, 2));
	assert_false(ledger_next_absent(ledger, READING_HOLDERS, true, 1, &open));
	expect_row(only(list_devices, ledger),
		   "{'id':1,'device':'0000:00:01.0','vendor':'1af4','product':'1110','class':'050000','name':"
		   "null,"
		   "'driver':'vfio-pci','iommu_group':3,'bars':[{'index':2,'phys_start':'0x383800000000',"
		   "'size':16777216,'prefetchable':true,'memory':true}],'present':true,'open_files':1,'"
		   "cookies':0,"
		   "'mappings':1,'conflicts':null,'files':[{'id':7,'opened':'2023-11-14T22:13:20.001500Z','"
		   "pid':10,"
		   "'comm':'client','via':'cdev','from_scan':false,'holders':[{'pid':10,'comm':'client','fds'"
		   ":2}]}]}");
}

static void test_device_row_of_unknown_facts(void **state)
{
	struct ledger *ledger = *state;
	struct event open = file_event(EVENT_OPEN, 7);

	open.file.opened_ns = 0;
	apply(ledger, open);
	expect_row(only(list_devices, ledger),
		   "{'id':1,'device':'0000:00:01.0','vendor':null,'product':null,'class':null,'name':null,"
		   "'driver':null,'iommu_group':null,'bars':null,'present':null,'open_files':1,'cookies':0,"
		   "'mappings':0,'conflicts':null,'files':[{'id':7,'opened':null,'pid':null,'comm':null,"
		   "'via':'group','from_scan':false,'holders':null}]}");
}

static void test_cookie_row(void **state)
{
	struct ledger *ledger = *state;
	struct event cookie = by(cookie_event(EVENT_COOKIE, 21, 7, 4), 10);

	cookie.cookie.issued_ns = 2000;
	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, cookie);
	expect_row(only(snapshot_cookies, ledger),
		   "{'id':21,'device':'0000:00:01.0','file':7,'region':2,'dialect':'region-info',"
		   "'offset':'0x20000000000','size':16777216,'type':'uc-','attributes':null,'alias_of':null,"
		   "'revoked':false,'flags':['read','write','mmap'],'"
		   "ranges':1,"
		   "'phys_start':null,'pid':10,'comm':'client',"
		   "'unit':null,'slice':null,'user_unit':null,'machine':null,'machine_source':null,'machine_"
		   "uuid':null,'domain':null,"
		   "'issuer_start':'2023-11-14T22:13:20.000010Z',"
		   "'issued':4,'since':'2023-11-14T22:13:20.000002Z','until':null,'live':true}");
}

static void test_dmabuf_cookie_row(void **state)
{
	struct ledger *ledger = *state;
	struct event cookie = cookie_event(EVENT_COOKIE_LIVE, 22, 7, 0);

	cookie.cookie.dialect = DIALECT_DMA_BUF;
	cookie.cookie.offset = 0;
	cookie.cookie.ranges = 2;
	cookie.cookie.phys_start = BAR_2;
	cookie.cookie.issued_ns = 0;
	cookie.cookie.region = EVENT_REGION_UNKNOWN;
	cookie.cookie.flags |= VFIO_REGION_INFO_FLAG_CAPS | 0xffff0000;
	apply(ledger, cookie);
	expect_row(
		only(snapshot_cookies, ledger),
		"{'id':22,'device':null,'file':7,'region':null,'dialect':'dma-buf','offset':'0x0',"
		"'size':16777216,'type':null,'attributes':null,'alias_of':null,'revoked':false,'flags':null,"
		"'ranges':2,"
		"'phys_start':'0x383800000000','pid':null,'comm':null,"
		"'unit':null,'slice':null,'user_unit':null,'machine':null,'machine_source':null,'machine_"
		"uuid':null,'domain':null,"
		"'issuer_start':null,'issued':null,"
		"'since':null,'until':null,'live':true}");
}

static void test_mapping_row(void **state)
{
	struct ledger *ledger = *state;
	struct event map = by(mapping_event(EVENT_MAP, 5, 7, 0x7f0000010000, 1, 16), 10);
	struct event facts = by(make_event(EVENT_PROCESS), 10), identity = by(make_event(EVENT_IDENTITY), 10);

	identity.identity.machine_source = MACHINE_MACHINED;
	strcpy(identity.identity.slice, "machine.slice");
	strcpy(identity.identity.domain, "web 1");
	strcpy(identity.identity.claimed, "another");
	strcpy(facts.process.unit, "machine-qemu\\x2d1.scope");
	strcpy(facts.process.machine, "vm1");
	strcpy(facts.process.exe, "/usr/bin/qemu");
	map.mapping.mapped_ns = 999999999;
	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, cookie_event(EVENT_COOKIE, 21, 7, 1));
	apply(ledger, map);
	apply(ledger, identity);
	apply(ledger, facts);
	expect_row(only(list_mappings, ledger),
		   "{'id':5,'cookie':21,'device':'0000:00:01.0','file':7,'region':2,'source':'vfio','pid':10,"
		   "'comm':'client','uid':1000,'unit':'machine-qemu\\\\x5cx2d1.scope',"
		   "'slice':'machine.slice','user_unit':null,'machine':'vm1','machine_source':'machined',"
		   "'machine_uuid':null,'domain':'web 1',"
		   "'exe':'/usr/bin/qemu',"
		   "'start':'0x7f0000010000','end':'0x7f0000020000','offset':'0x20000001000',"
		   "'phys_start':'0x383800001000','phys_end':'0x383800011000','requested':'uc-',"
		   "'requested_arch':'UC-','effective':'unpopulated','effective_arch':null,'populated':0,"
		   "'populated_4k':0,'populated_2m':0,'populated_1g':0,'extents':null,'guest_wc':null,"
		   "'origin':'event','settled':true,'since':'2023-11-14T22:13:20.999999Z','until':null,"
		   "'revoked':false,'live':true,'rule':null,'verdict':null}");
}

static void test_mapping_row_of_unknown(void **state)
{
	struct ledger *ledger = *state;
	struct event copy = copy_event(6, 5);

	copy.mapping.region = EVENT_REGION_UNKNOWN;
	copy.mapping.source = SOURCE_OTHER;
	copy.mapping.flags = EVENT_MAPPING_FROM_SCAN;
	apply(ledger, copy);
	expect_row(
		only(list_mappings, ledger),
		"{'id':6,'cookie':null,'device':null,'file':null,'region':null,'source':'other','pid':null,"
		"'comm':null,'uid':null,'unit':null,'slice':null,'user_unit':null,'machine':null,'machine_"
		"source':null,'machine_uuid':null,'domain':null,'exe':null,'start':null,'end':null,"
		"'offset':null,'phys_start':null,'phys_end':null,'requested':null,'requested_arch':null,"
		"'effective':null,'effective_arch':null,'populated':null,'populated_4k':null,"
		"'populated_2m':null,'populated_1g':null,'extents':null,'guest_wc':null,'origin':'scan',"
		"'settled':false,'since':null,'until':null,'revoked':false,'live':true,'rule':null,'verdict':"
		"null}");
}

static void test_types_of_other_architectures(void **state)
{
	struct event map = mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16);
	struct json_object *row, *value;
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_ARM64, NULL), 0);
	map.mapping.page_prot = 3 << 2;
	apply(ledger, map);
	apply(ledger, cookie_event(EVENT_COOKIE, 21, 7, 1));
	row = only(list_mappings, ledger);
	assert_true(json_object_object_get_ex(row, "requested_arch", &value));
	assert_string_equal(json_object_get_string(value), "Device-nGnRnE");
	json_object_put(row);
	row = only(snapshot_cookies, ledger);
	assert_true(json_object_object_get_ex(row, "type", &value));
	assert_string_equal(json_object_get_string(value), "uc");
	json_object_put(row);
	ledger_free(ledger);
}

/* Names that no terminal, journal or parser may get as they are. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"\033[2J\033[1;1H",
		"a\nMESSAGE=x",
		"\x9b"
		"31m",
		"\xe2\x80\xae"
		"gnp.exe",
		"\xff\xfe\xfd\xfc",
		"\"},{\"id\":1,\"x\":\"",
		"\\u0000\\u001b",
		"fifteen bytes..\xe2\x82\xac",
	};
	struct ledger *ledger = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct event event = mapping_event(EVENT_MAP, 5 + i, 7, 0x10000, 0, 16);
		struct json_object *row;

		event = by(event, 10 + i);
		set_comm(&event, names[i]);
		apply(ledger, event);
		row = snapshot_event(ledger, &test_clock, &event, NULL);
		for (const char *at = json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN); *at; at++)
			assert_true((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f);
		json_object_put(row);
	}
	for (size_t after = 0; after < 14; after++) {
		const struct row_filter filter = {0};
		struct json_object *rows = json_object_new_array(), *parsed;
		const char *text;

		assert_int_equal(snapshot_mappings(ledger, NULL, &filter, &test_clock, after, 1000, rows), 0);
		text = json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN);
		for (const char *at = text; *at; at++)
			assert_true((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f);
		parsed = json_tokener_parse(text);
		assert_true(json_object_equal(parsed, rows));
		json_object_put(parsed);
		json_object_put(rows);
	}
}

static void test_filters(void **state)
{
	struct ledger *ledger = *state;
	struct event second = file_event(EVENT_OPEN, 8),
		     wc = by(mapping_event(EVENT_MAP, 6, 8, 0x10000, 0, 1), 11);
	struct event hidden = cookie_event(EVENT_COOKIE, 22, 7, 1);
	struct row_filter filter = {0};

	second.file.pci_address = EVENT_PCI_ADDRESS(0, 0x3b, 0);
	wc.mapping.page_prot = PROT_WC;
	hidden.cookie.flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	apply(ledger, by(file_event(EVENT_OPEN, 7), 10));
	apply(ledger, second);
	apply(ledger, by(cookie_event(EVENT_COOKIE, 21, 7, 1), 10));
	apply(ledger, hidden);
	apply(ledger, by(mapping_event(EVENT_MAP, 5, 7, 0x10000, 0, 16), 10));
	apply(ledger, wc);
	apply(ledger, mapping_event(EVENT_MAP, 9, 7, 0x90000, 0, 16));
	apply(ledger, mapping_event(EVENT_UNMAP, 9, 0, 0, 0, 0));

	assert_int_equal(count(list_mappings, ledger, &filter), 2);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 1);
	assert_int_equal(count(list_devices, ledger, &filter), 2);
	filter.all = true;
	assert_int_equal(count(list_mappings, ledger, &filter), 3);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 2);
	filter = (struct row_filter){.device = "3b:00.0"};
	assert_int_equal(count(list_devices, ledger, &filter), 1);
	assert_int_equal(count(list_mappings, ledger, &filter), 1);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 0);
	filter = (struct row_filter){.device = "0000:00:*"};
	assert_int_equal(count(list_devices, ledger, &filter), 1);
	filter = (struct row_filter){.device = "b:00.0"};
	assert_int_equal(count(list_devices, ledger, &filter), 0);
	filter = (struct row_filter){.pid = 11};
	assert_int_equal(count(list_mappings, ledger, &filter), 1);
	assert_int_equal(count(list_devices, ledger, &filter), 1);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 0);
	filter = (struct row_filter){.type = MEMTYPE_WC};
	assert_int_equal(count(list_mappings, ledger, &filter), 1);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 0);
	filter = (struct row_filter){.type = MEMTYPE_UC};
	assert_int_equal(count(list_mappings, ledger, &filter), 1);
	assert_int_equal(count(snapshot_cookies, ledger, &filter), 1);
}

/* A pattern made to make matching slow, and one that fills its field. */
static void test_hostile_patterns(void **state)
{
	struct ledger *ledger = *state;
	struct row_filter filter = {0};

	apply(ledger, file_event(EVENT_OPEN, 7));
	for (size_t i = 0; i + 1 < EVENT_NAME_LEN; i += 2)
		memcpy(filter.device + i, "*0", 2);
	filter.device[EVENT_NAME_LEN - 1] = 'x';
	assert_int_equal(count(list_devices, ledger, &filter), 0);
	memset(filter.device, '[', EVENT_NAME_LEN);
	assert_int_equal(count(list_devices, ledger, &filter), 0);
	memset(filter.device, '*', EVENT_NAME_LEN);
	assert_int_equal(count(list_devices, ledger, &filter), 1);
}

static void test_devices_that_are_gone(void **state)
{
	struct ledger *ledger = *state;
	struct row_filter filter = {0};

	apply(ledger, device_event(FIRST_DEVICE, true));
	assert_int_equal(count(list_devices, ledger, &filter), 1);
	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, device_event(FIRST_DEVICE, false));
	assert_int_equal(count(list_devices, ledger, &filter), 1);
	apply(ledger, file_event(EVENT_RELEASE, 7));
	assert_int_equal(count(list_devices, ledger, &filter), 0);
	filter.all = true;
	assert_int_equal(count(list_devices, ledger, &filter), 1);
}

static void test_paging(void **state)
{
	struct ledger *ledger = *state;
	const struct row_filter filter = {0};
	uint64_t after = 0, expected = 1;

	for (uint64_t id = 1; id <= 10; id++)
		apply(ledger, mapping_event(EVENT_MAP, id, 7, 0x10000, 0, 1));
	for (;;) {
		struct json_object *rows = json_object_new_array(), *id;
		size_t n;

		assert_int_equal(snapshot_mappings(ledger, NULL, &filter, &test_clock, after, 3, rows), 0);
		n = json_object_array_length(rows);
		for (size_t i = 0; i < n; i++) {
			assert_true(json_object_object_get_ex(json_object_array_get_idx(rows, i), "id", &id));
			after = json_object_get_int64(id);
			assert_int_equal(after, expected++);
		}
		json_object_put(rows);
		if (n == 0)
			break;
	}
	assert_int_equal(expected, 11);
}

static void test_limits_of_a_device_row(void **state)
{
	struct ledger *ledger = *state;
	struct json_object *row, *value;

	for (uint64_t id = 1; id <= 300; id++)
		apply(ledger, file_event(EVENT_OPEN, id));
	row = only(list_devices, ledger);
	assert_true(json_object_object_get_ex(row, "files", &value));
	assert_int_equal(json_object_array_length(value), 256);
	assert_true(json_object_object_get_ex(row, "files_omitted", &value));
	assert_int_equal(json_object_get_int64(value), 44);
	assert_true(json_object_object_get_ex(row, "open_files", &value));
	assert_int_equal(json_object_get_int64(value), 300);
	json_object_put(row);
}

static void test_event_rows(void **state)
{
	struct ledger *ledger = *state;
	struct event event = by(mapping_event(EVENT_MAP, 5, 7, 0x10000, 1, 16), 10);
	struct change change;

	event.header.sequence = 44;
	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, cookie_event(EVENT_COOKIE, 21, 7, 1));
	change = apply(ledger, event);
	expect_row(
		snapshot_event(ledger, &test_clock, &event, &change),
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':44,'event':'map','origin':'kernel',"
		"'state':null,'refused':false,'device':'0000:00:01.0','pid':10,'comm':'client','uid':1000,"
		"'region':2,'file':7,'cookie':21,'mapping':5,'offset':'0x20000001000','size':65536,"
		"'start':'0x10000','end':'0x20000','phys_start':'0x383800001000','phys_end':'0x383800011000',"
		"'requested':'uc-','source':'vfio'}");
	event = mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0);
	apply(ledger, event);
	expect_row(
		snapshot_event(ledger, &test_clock, &event, NULL),
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'unmap','origin':'kernel',"
		"'state':null,'refused':null,'device':'0000:00:01.0','pid':10,'comm':'client','uid':1000,"
		"'region':2,'file':7,'cookie':21,'mapping':5,'offset':'0x20000001000','size':65536,"
		"'start':'0x10000','end':'0x20000','phys_start':'0x383800001000','phys_end':'0x383800011000',"
		"'requested':'uc-','source':'vfio'}");
	event = make_event(EVENT_LOST);
	event.lost.type = EVENT_MAP;
	event.lost.count = 12;
	change = apply(ledger, event);
	expect_row(
		snapshot_event(ledger, &test_clock, &event, &change),
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'lost','origin':'scan',"
		"'state':null,'refused':false,'device':null,'pid':null,'comm':null,'uid':null,'region':null,"
		"'file':null,'cookie':null,'mapping':null,'offset':null,'size':null,'start':null,'end':null,"
		"'phys_start':null,'phys_end':null,'requested':null,'lost_event':'map','count':12}");
	event.header.size = 3;
	change = apply(ledger, event);
	expect_row(
		snapshot_event(ledger, &test_clock, &event, &change),
		"{'time':'2023-11-14T22:13:20.000001Z','sequence':null,'event':'malformed','origin':'scan',"
		"'state':null,'refused':true}");
}

static void test_times_at_the_edges(void **state)
{
	struct ledger *ledger = *state;
	const struct snapshot_clock clocks[] = {{INT64_MIN}, {INT64_MAX}, {-1}};
	static const uint64_t times[] = {1, UINT64_MAX, INT64_MAX};

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 3; k++) {
			struct event event = at(make_event(EVENT_MODULE), times[k]);
			struct json_object *row = snapshot_event(ledger, &clocks[i], &event, NULL), *time;

			assert_true(json_object_object_get_ex(row, "time", &time));
			assert_true(!time || strlen(json_object_get_string(time)) == 27);
			json_object_put(row);
		}
	}
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_device_row),
		LEDGER_TEST(test_device_row_of_unknown_facts),
		LEDGER_TEST(test_cookie_row),
		LEDGER_TEST(test_dmabuf_cookie_row),
		LEDGER_TEST(test_mapping_row),
		LEDGER_TEST(test_mapping_row_of_unknown),
		cmocka_unit_test(test_types_of_other_architectures),
		LEDGER_TEST(test_hostile_names),
		LEDGER_TEST(test_filters),
		LEDGER_TEST(test_hostile_patterns),
		LEDGER_TEST(test_devices_that_are_gone),
		LEDGER_TEST(test_paging),
		LEDGER_TEST(test_limits_of_a_device_row),
		LEDGER_TEST(test_event_rows),
		LEDGER_TEST(test_times_at_the_edges),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
