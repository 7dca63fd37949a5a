/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "failing.h"
#include "findings.h"

#include "core/explain.h"

static const struct snapshot_clock utc = {.realtime_offset_ns = 1700000000000000000};

static size_t length(struct json_object *object, const char *key)
{
	return json_object_array_length(get(object, key));
}

/* What is answered to one or two words. */
static struct json_object *ask(const struct model *model, const char *first, const char *second)
{
	char *words[] = {(char *)first, (char *)second};
	struct explain_subject subject;
	struct json_object *answer;
	const char *error = explain_parse(words, second ? 2 : 1, &subject);

	if (error)
		fail_msg("%s: %s", first, error);
	answer = explain(model, &utc, &subject);
	assert_non_null(answer);
	return answer;
}

static void expect(struct json_object *answer, const char *part)
{
	struct json_object *text = get(answer, "text");

	for (size_t i = 0; i < json_object_array_length(text); i++)
		if (strstr(json_object_get_string(json_object_array_get_idx(text, i)), part))
			return;
	fail_msg("%s does not tell: %s", json_object_to_json_string(text), part);
}

/* VFIO mapping 10 of pages 0 to 15, of which 4 are populated; resource2_wc over pages 2 to 9 disagrees. */
static void build(struct model *model)
{
	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, called(by(at(cookie_event(EVENT_COOKIE, 20, 1, 1), 1500), 900), "qemu"));
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, at(populate(10, 0, 0, 4, MEMTYPE_UC_MINUS), 2001));
	tell(model, called(sysfs_map(11, 2, 8, PROT_WC, 3000), "d\x1bpdk"));
	tell(model, at(populate(11, 0, 2, 8, MEMTYPE_WC), 3001));
	tell(model, at(by(reservation_event(2, 8, MEMTYPE_WC, MEMTYPE_WC), 812), 2999));
}

static void test_address(void **state)
{
	struct model *model = *state;
	struct json_object *answer, *mapping;

	build(model);
	answer = ask(model, "900", "0x7f00a0003004");
	assert_string_equal(json_object_get_string(get(answer, "subject")), "900 0x7f00a0003004");
	assert_string_equal(json_object_get_string(get(answer, "device")), "0000:00:01.0");
	assert_int_equal(json_object_get_int(get(answer, "region")), 2);
	assert_string_equal(json_object_get_string(get(answer, "offset")), "0x3004");
	assert_string_equal(json_object_get_string(get(answer, "phys")), "0x383800003004");
	assert_int_equal(length(answer, "mappings"), 2);
	mapping = json_object_array_get_idx(get(answer, "mappings"), 0);
	assert_int_equal(json_object_get_int(get(mapping, "id")), 10);
	assert_string_equal(json_object_get_string(get(get(mapping, "piece"), "start")), "0x7f00a0000000");
	assert_string_equal(json_object_get_string(get(get(mapping, "piece"), "end")), "0x7f00a0004000");
	assert_string_equal(json_object_get_string(get(get(mapping, "piece"), "phys_start")),
			    "0x383800000000");
	assert_string_equal(json_object_get_string(get(get(mapping, "piece"), "type")), "uc-");
	assert_true(json_object_get_boolean(get(get(mapping, "piece"), "populated")));
	assert_tells(json_object_get_string(get(mapping, "path")),
		     "VFIO device file at offset 0x20000000000, cookie 20 issued by "
		     "VFIO_DEVICE_GET_REGION_INFO -> "
		     "mmap handler of vfio-pci -> page faults insert the page-table entries, with the type "
		     "that PAT has "
		     "reserved");
	mapping = json_object_array_get_idx(get(answer, "mappings"), 1);
	assert_tells(json_object_get_string(get(mapping, "path")),
		     "sysfs resource2_wc -> pci_mmap_resource_range() -> mmap inserts all page-table entries "
		     "at once");
	assert_int_equal(length(answer, "cookies"), 1);
	assert_int_equal(length(answer, "conflicts"), 1);
	assert_int_equal(length(answer, "lint"), 0);
	assert_int_equal(length(answer, "reservations"), 1);
	expect(answer,
	       "Address 0x7f00a0003004 of PID 900 (qemu) is physical address 0x383800003004, byte 0x3004 of "
	       "0000:00:01.0 BAR 2.");
	expect(answer, "2 mappings of this byte are known.");
	expect(answer, "Mapping 10: PID 900 (qemu) maps it at 0x7f00a0000000 to 0x7f00a0010000 and asked for "
		       "uncached "
		       "(UC-); the CPU uses uncached (UC-).");
	expect(answer, "PID 812 (d\\x1bpdk) maps it");
	expect(answer,
	       "Cookie 20 (16 MiB at file offset 0x20000000000) was issued by VFIO_DEVICE_GET_REGION_INFO to "
	       "PID 900 (qemu); mmap of it asks for uncached (UC-).");
	expect(answer, "PAT: 0x383800002000 to 0x38380000a000 were reserved on behalf of");
	expect(answer, "map the same bytes (32 KiB of 0000:00:01.0 BAR 2");
	json_object_put(answer);
}

/* Where the two do not meet there is no conflict, though they have one elsewhere. */
static void test_byte_without_conflict(void **state)
{
	struct model *model = *state;
	struct json_object *answer;

	build(model);
	answer = ask(model, "00:01.0:2+0xf000", NULL);
	assert_string_equal(json_object_get_string(get(answer, "subject")), "0000:00:01.0:2+0xf000");
	assert_string_equal(json_object_get_string(get(answer, "phys")), "0x38380000f000");
	assert_int_equal(length(answer, "mappings"), 1);
	assert_int_equal(length(answer, "conflicts"), 0);
	assert_int_equal(length(answer, "reservations"), 0);
	expect(answer, "Offset 0xf000 of it is physical address 0x38380000f000.");
	expect(answer, "this page is not populated, its type shows when it is touched");
	expect(answer, "No conflict is open here");
	json_object_put(answer);
	answer = ask(model, "0000:00:01.0:2+8192", NULL);
	assert_int_equal(length(answer, "mappings"), 2);
	assert_int_equal(length(answer, "conflicts"), 1);
	json_object_put(answer);
	answer = ask(model, "0000:00:01.0:2+0x100000", NULL);
	expect(answer, "No mapping of this byte is known.");
	json_object_put(answer);
}

static void test_bar_and_device(void **state)
{
	struct model *model = *state;
	struct json_object *answer;

	build(model);
	tell(model, vfio_map(30, 4096, 16, 4000)); /* behind the cookie: lint */
	answer = ask(model, "0000:00:01.0:2", NULL);
	assert_null(get(answer, "offset"));
	assert_null(get(answer, "phys"));
	assert_int_equal(length(answer, "mappings"), 3);
	assert_null(get(json_object_array_get_idx(get(answer, "mappings"), 0), "piece"));
	assert_int_equal(length(answer, "conflicts"), 1);
	assert_int_equal(length(answer, "lint"), 1);
	expect(answer, "0000:00:01.0 BAR 2 is bound to vfio-pci; VFIO device files open: 1. The BAR is 16 "
		       "MiB at physical "
		       "address 0x383800000000, prefetchable.");
	expect(answer, "3 mappings of this BAR are known.");
	expect(answer, "where it is populated the CPU uses uncached (UC-)");
	expect(answer, "no page of it is populated");
	expect(answer, "which was never issued on that file");
	json_object_put(answer);
	answer = ask(model, "0000:00:01.0:0", NULL);
	assert_int_equal(length(answer, "mappings"), 0);
	expect(answer, "The device has no such BAR.");
	json_object_put(answer);
	answer = ask(model, "0000:00:01.0", NULL);
	assert_null(get(answer, "region"));
	assert_int_equal(length(answer, "mappings"), 3);
	expect(answer, "mappings of this device are known.");
	json_object_put(answer);
}

static void test_nothing_known(void **state)
{
	struct model *model = *state;
	struct json_object *answer;

	build(model);
	answer = ask(model, "901", "0x7f00a0003004");
	assert_null(get(answer, "device"));
	assert_int_equal(length(answer, "mappings"), 0);
	expect(answer, "Address 0x7f00a0003004 of PID 901 is in no mapping of a device's BAR that is known");
	json_object_put(answer);
	answer = ask(model, "900", "0x7f00a0010000"); /* the byte behind it */
	expect(answer, "is in no mapping");
	json_object_put(answer);
	answer = ask(model, "0000:00:09.0:1+4", NULL);
	assert_string_equal(json_object_get_string(get(answer, "device")), "0000:00:09.0");
	assert_null(get(answer, "phys"));
	expect(answer, "0000:00:09.0 BAR 1 is not known: no VFIO device file of it was open");
	json_object_put(answer);
	answer = ask(model, "0000:00:01.0:2+0x1000000", NULL);
	assert_null(get(answer, "phys"));
	assert_int_equal(length(answer, "mappings"), 0);
	assert_int_equal(length(answer, "conflicts"), 0);
	expect(answer, "Offset 0x1000000 lies behind its end.");
	json_object_put(answer);
}

/* The layout is the driver's own, and nothing was touched yet; then revoked. */
static void test_unknown_layout_and_revoked(void **state)
{
	struct model *model = *state;
	struct event event = vfio_map(10, 0, 16, 2000);
	struct json_object *answer;

	tell_device(model, "nvgrace-gpu-vfio-pci");
	tell_open(model, 1, 1000);
	event.mapping.flags &= ~EVENT_MAPPING_PHYS_KNOWN;
	event.mapping.phys_start = 0;
	tell(model, event);
	answer = ask(model, "900", "0x7f00a0000000");
	assert_null(get(answer, "phys"));
	assert_int_equal(length(answer, "mappings"), 1);
	expect(answer, "which physical byte it reaches is not known");
	json_object_put(answer);
	tell(model, sysfs_map(11, 0, 16, PROT_WC, 3000));
	answer = ask(model, "812", "0x7f00b0000000");
	expect(answer, "what the CPU uses is not known, as its pages were not read yet");
	json_object_put(answer);
	tell(model, at(pages_event(EVENT_PAGES, 11, VIRTUAL(11), 16), 3001));
	answer = ask(model, "812", "0x7f00b0000000");
	assert_null(get(json_object_array_get_idx(get(answer, "mappings"), 0), "piece"));
	expect(answer, "the kernel has taken its pages away for good: touching it raises SIGBUS");
	json_object_put(answer);
}

static void test_many_are_cut_and_counted(void **state)
{
	struct model *model = *state;
	struct json_object *answer;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	for (uint64_t id = 10; id < 110; id++)
		tell(model, by(vfio_map(id, 0, 16, 2000), id));
	answer = ask(model, "109", "0x7f06d0000000");
	assert_int_equal(length(answer, "mappings"), 64);
	assert_int_equal(json_object_get_int(get(answer, "mappings_omitted")), 36);
	assert_int_equal(
		json_object_get_int(get(json_object_array_get_idx(get(answer, "mappings"), 63), "id")), 109);
	expect(answer, "100 mappings of this byte are known. Not shown: 36 of them.");
	json_object_put(answer);
}

/* Answers and rows are made whole or not at all. */
static void test_out_of_memory(void **state)
{
	struct explain_subject subject = {.kind = EXPLAIN_DEVICE, .device = "0000:00:01.0", .region = 2};
	const struct row_filter all = {.all = true};
	struct model *model = *state;
	size_t failed = 0;

	build(model);
	tell(model, vfio_map(30, 4096, 16, 4000));
	for (size_t n = 1;; n++) {
		struct json_object *rows = json_object_new_array(), *answer = NULL;
		bool all_done;
		int r;

		fail_at = n;
		r = snapshot_conflicts(model->findings, model->ledger, NULL, &all, &utc, 0, 10, rows);
		if (r == 0)
			r = snapshot_lint(model->lints, MEMTYPE_ARCH_X86_64, &all, &utc, 0, 10, rows);
		if (r == 0)
			answer = explain(model, &utc, &subject);
		all_done = fail_at;
		fail_at = 0;
		assert_true(r == 0 || r == -ENOMEM);
		if (all_done) {
			assert_int_equal(json_object_array_length(rows), 2);
			assert_int_equal(length(answer, "mappings"), 3);
		} else {
			assert_null(answer);
			failed++;
		}
		json_object_put(rows);
		json_object_put(answer);
		if (all_done)
			break;
	}
	assert_true(failed > 200);
}

static const struct {
	const char *words[3];
	size_t n;
	struct explain_subject subject;
} good[] = {
	{{"812", "0x7f12"}, 2, {EXPLAIN_ADDRESS, 812, 0x7f12, "", EVENT_REGION_UNKNOWN, 0, false}},
	{{"1", "4096"}, 2, {EXPLAIN_ADDRESS, 1, 4096, "", EVENT_REGION_UNKNOWN, 0, false}},
	{{"3b:00.0"}, 1, {EXPLAIN_DEVICE, 0, 0, "0000:3b:00.0", EVENT_REGION_UNKNOWN, 0, false}},
	{{"0000:3B:1f.7"}, 1, {EXPLAIN_DEVICE, 0, 0, "0000:3b:1f.7", EVENT_REGION_UNKNOWN, 0, false}},
	{{"10000:3b:00.0:5"}, 1, {EXPLAIN_DEVICE, 0, 0, "10000:3b:00.0", 5, 0, false}},
	{{"3b:00.0:0+010"}, 1, {EXPLAIN_DEVICE, 0, 0, "0000:3b:00.0", 0, 8, true}},
	{{"3b:00.0:2+0x10"}, 1, {EXPLAIN_DEVICE, 0, 0, "0000:3b:00.0", 2, 16, true}},
	{{"3b:00.0:2+0xffffffffffffffff"}, 1, {EXPLAIN_DEVICE, 0, 0, "0000:3b:00.0", 2, UINT64_MAX, true}},
};
static const struct {
	const char *words[3];
	size_t n;
	const char *remedy;
} bad[] = {
	{{NULL}, 0, "write PID ADDR, or BDF"},
	{{"1", "2", "3"}, 3, "write PID ADDR, or BDF"},
	{{"x", "0x10"}, 2, "PID in decimal"},
	{{"0", "0x10"}, 2, "PID in decimal"},
	{{"-1", "0x10"}, 2, "PID in decimal"},
	{{"0x10", "0x10"}, 2, "PID in decimal"},
	{{"4294967297", "0x10"}, 2, "PID in decimal"},
	{{"1", "7f12"}, 2, "with 0x"},
	{{"1", ""}, 2, "with 0x"},
	{{"1", "-4"}, 2, "with 0x"},
	{{"1", " 4"}, 2, "with 0x"},
	{{"1", "0x10000000000000000"}, 2, "with 0x"},
	{{""}, 1, "write BDF"},
	{{"812"}, 1, "write BDF"},
	{{"3b:00"}, 1, "write BDF"},
	{{"3b:00.8"}, 1, "write BDF"},
	{{"3b:20.0"}, 1, "write BDF"},
	{{"13b:00.0"}, 1, "write BDF"},
	{{"123456789:3b:00.0"}, 1, "write BDF"},
	{{"0000:0000:3b:00.0"}, 1, "write BDF"},
	{{"3b:00.0x"}, 1, "write BDF"},
	{{"3b:00.0:"}, 1, "write BDF:BAR"},
	{{"3b:00.0:6"}, 1, "write BDF:BAR"},
	{{"3b:00.0:22"}, 1, "write BDF:BAR"},
	{{"3b:00.0:2+"}, 1, "BDF:BAR+OFF"},
	{{"3b:00.0:2+x"}, 1, "BDF:BAR+OFF"},
	{{"3b:00.0:2+4k"}, 1, "BDF:BAR+OFF"},
	{{"3b:00.0:2+-4"}, 1, "BDF:BAR+OFF"},
};

static void test_parse(void **state)
{
	struct explain_subject subject;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_null(explain_parse((char *const *)good[i].words, good[i].n, &subject));
		assert_int_equal(subject.kind, good[i].subject.kind);
		assert_int_equal(subject.pid, good[i].subject.pid);
		assert_int_equal(subject.address, good[i].subject.address);
		assert_string_equal(subject.device, good[i].subject.device);
		assert_int_equal(subject.region, good[i].subject.region);
		assert_int_equal(subject.offset, good[i].subject.offset);
		assert_int_equal(subject.offset_given, good[i].subject.offset_given);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *error = explain_parse((char *const *)bad[i].words, bad[i].n, &subject);

		if (!error)
			fail_msg("\"%s\" was taken", bad[i].words[0] ? bad[i].words[0] : "");
		assert_tells(error, bad[i].remedy);
	}
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup_model, teardown_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_address),
		WITH_MODEL(test_byte_without_conflict),
		WITH_MODEL(test_bar_and_device),
		WITH_MODEL(test_nothing_known),
		WITH_MODEL(test_unknown_layout_and_revoked),
		WITH_MODEL(test_many_are_cut_and_counted),
		WITH_MODEL(test_out_of_memory),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
