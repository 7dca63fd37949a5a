/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a type is not the one asked for, and what is told of it: sentences and rows. */
#include "findings.h"

#define HOSTILE "\x1b[2J\xff\n\"ev"

static char *text_of(const struct finding *finding, enum memtype_arch arch)
{
	static char text[2048];

	return finding_explain(finding, arch, text, sizeof(text));
}

/* resource2_wc of PID 812 over the first 16 pages, mapped at 500; VFIO opens at @opened_ns, maps 64 pages at
 * 2000. */
static void promote(struct model *model, uint64_t opened_ns)
{
	tell_device(model, "vfio-pci");
	tell(model, sysfs_map(5, 0, 16, PROT_WC, 500));
	tell(model, at(populate(5, 0, 0, 16, MEMTYPE_WC), 501));
	tell_open(model, 1, opened_ns);
	tell(model, at(revoke_iomem_event(0, 4096), opened_ns + 1));
	tell(model, vfio_map(10, 0, 64, 2000));
	tell(model, at(populate(10, 0, 0, 64, MEMTYPE_WC), 2001));
}

static void expect_earlier(const struct finding *finding, uint64_t mapping, uint64_t tgid, bool before_open)
{
	assert_int_equal(finding->cause, CAUSE_EARLIER_MAPPING);
	assert_int_equal(finding->cause_party.mapping, mapping);
	assert_int_equal(finding->cause_party.process.tgid, tgid);
	assert_int_equal(finding->cause_before_open, before_open);
}

static void test_earlier_mapping_before_open(void **state)
{
	struct model *model = *state;
	const struct finding *finding;

	promote(model, 1000);
	assert_int_equal(n_active(model), 1); /* the revoked one shares nothing */
	finding = only(model, FINDING_PROMOTION);
	expect_earlier(finding, 5, 812, true);
	assert_int_equal(finding->cause_phys_start, BAR_2);
	assert_int_equal(finding->cause_phys_end, BAR_2 + 16 * PAGE);
	assert_tells(text_of(finding, MEMTYPE_ARCH_X86_64),
		     "PID 900 (qemu) asked for uncached (UC-) through VFIO, but for 256 KiB of 0000:00:01.0 "
		     "BAR 2 at "
		     "0x383800000000 the CPU uses write-combining (WC)");
	assert_tells(text_of(finding, MEMTYPE_ARCH_X86_64),
		     "PID 812 (dpdk) had sysfs resource2_wc (64 KiB at 0x383800000000) mapped as "
		     "write-combining (WC) "
		     "before VFIO opened the device");
}

/* The newest of those before the open; one after it does not count while there is one. */
static void test_earlier_mapping_is_the_newest_before_open(void **state)
{
	struct model *model = *state;

	tell(model, by(sysfs_map(6, 32, 4, PROT_WC, 600), 813));
	tell(model, by(sysfs_map(7, 32, 4, PROT_WC, 1500), 814));
	promote(model, 1000);
	expect_earlier(only(model, FINDING_PROMOTION), 6, 813, true);
}

static void test_earlier_mapping_after_open(void **state)
{
	struct model *model = *state;

	promote(model, 400);
	expect_earlier(only(model, FINDING_PROMOTION), 5, 812, false);
	assert_tells(text_of(only(model, FINDING_PROMOTION), MEMTYPE_ARCH_X86_64), "before this mapping");
}

static void test_earlier_mapping_found_by_scan(void **state)
{
	struct model *model = *state;
	struct event event = sysfs_map(5, 0, 16, PROT_WC, 0);

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 64, 2000));
	tell(model, at(populate(10, 0, 0, 64, MEMTYPE_WC), 2001));
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_UNKNOWN);
	assert_tells(text_of(only(model, FINDING_PROMOTION), MEMTYPE_ARCH_X86_64), "The cause is not known");
	event.header.type = EVENT_MAPPING;
	event.header.origin = EVENT_ORIGIN_SCAN;
	event.mapping.flags |= EVENT_MAPPING_FROM_SCAN;
	tell(model, at(event, 3000));
	expect_earlier(only(model, FINDING_PROMOTION), 5, 812, true);
}

/* Another BAR, another type, a later one, and one gone before VFIO came: none of them explains anything. */
static void test_what_is_no_earlier_mapping(void **state)
{
	struct model *model = *state;
	struct event other_bar = sysfs_map(6, 0, 4, PROT_WC, 600);

	other_bar.mapping.region = 4;
	other_bar.mapping.phys_start = BAR_2 + 64 * MIB;
	tell_device(model, "vfio-pci");
	tell(model, other_bar);
	tell(model, sysfs_map(7, 0, 4, PROT_UC, 600));
	tell(model, sysfs_map(8, 0, 4, PROT_WC, 600));
	tell(model, unmap(8, 700));
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 64, 2000));
	tell(model, at(populate(10, 0, 0, 64, MEMTYPE_WC), 2001));
	tell(model, sysfs_map(9, 0, 4, PROT_WC, 2500));
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_UNKNOWN);
}

/* It is gone, also from the ledger; a new mapping of the open device is explained by it all the same. */
static void test_cause_survives_process_and_is_reused(void **state)
{
	const struct finding *list[4];
	struct model *model = *state;

	promote(model, 1000);
	tell(model, unmap(5, 3000));
	for (uint64_t id = 100; id < 100 + 2 * 4096; id++) {
		tell(model, sysfs_map(id, 2000, 1, PROT_WC, 3000));
		tell(model, unmap(id, 3001));
	}
	assert_null(ledger_mapping(model->ledger, 5));
	expect_earlier(only(model, FINDING_PROMOTION), 5, 812, true);
	tell(model, vfio_map(20000, 0, 64, 2500));
	tell(model, at(populate(20000, 0, 0, 64, MEMTYPE_WC), 2501));
	assert_int_equal(findings_list(model->findings, false, 0, list, 4), 2);
	expect_earlier(list[1], 5, 812, true);
	assert_string_equal(list[1]->cause_party.comm, "dpdk");
	/* Until the last file is closed. */
	tell(model, unmap(10, 4000));
	tell(model, unmap(20000, 4000));
	tell(model, at(file_event(EVENT_RELEASE, 1), 4001));
	assert_int_equal(n_active(model), 0);
}

static void test_nothing_is_remembered_when_closed(void **state)
{
	struct model *model = *state;
	struct event event;

	promote(model, 1000);
	tell(model, unmap(5, 3000));
	tell(model, unmap(10, 3001));
	tell(model, at(file_event(EVENT_RELEASE, 1), 3002));
	tell_open(model, 2, 5000);
	event = vfio_map(11, 0, 64, 6000);
	event.mapping.file_id = 2;
	tell(model, event);
	tell(model, at(populate(11, 0, 0, 64, MEMTYPE_WC), 6001));
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_UNKNOWN);
}

static void test_device_open_explains_demotion(void **state)
{
	struct model *model = *state;
	const struct finding *finding;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, at(by(reservation_event(0, 16, MEMTYPE_WC, MEMTYPE_UC_MINUS), 812), 1900));
	tell(model, sysfs_map(10, 0, 16, PROT_WC, 2000));
	tell(model, at(populate(10, 0, 0, 16, MEMTYPE_UC_MINUS), 2001));
	finding = only(model, FINDING_DEMOTION);
	assert_int_equal(finding->cause, CAUSE_DEVICE_OPEN);
	assert_int_equal(finding->cause_party.process.tgid, 900);
	assert_string_equal(finding->cause_party.comm, "qemu");
	assert_tells(
		text_of(finding, MEMTYPE_ARCH_X86_64),
		"VFIO has the device open, by PID 900 (qemu), and has reserved the BAR as uncached (UC-)");
	assert_tells(text_of(finding, MEMTYPE_ARCH_X86_64), "slower");
	assert_int_equal(finding->reservation.given, MEMTYPE_UC_MINUS);
	assert_int_equal(finding->reservation.requested, MEMTYPE_WC);
	assert_tells(
		text_of(finding, MEMTYPE_ARCH_X86_64),
		"The kernel reserved 0x383800000000 to 0x383800010000 as uncached (UC-), though asked for "
		"write-combining (WC), on behalf of");
}

/* Opened after the mapping: not the cause. */
static void test_device_open_later(void **state)
{
	struct model *model = *state;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 3000);
	tell(model, sysfs_map(10, 0, 16, PROT_WC, 2000));
	tell(model, at(populate(10, 0, 0, 16, MEMTYPE_UC_MINUS), 3001));
	assert_int_equal(only(model, FINDING_DEMOTION)->cause, CAUSE_UNKNOWN);
}

/* The driver is told of after the finding; a mapping through it is no explanation, one through sysfs would
 * be. */
static void test_driver_decides(void **state)
{
	struct model *model = *state;
	struct event event = vfio_map(9, 0, 64, 1500);

	tell_open(model, 1, 1000);
	event.mapping.page_prot = PROT_WC;
	tell(model, event);
	tell(model, vfio_map(10, 64, 64, 2000));
	tell(model, at(populate(10, 0, 64, 64, MEMTYPE_WC), 2001));
	expect_earlier(only(model, FINDING_PROMOTION), 9, 900, false);
	tell_device(model, "nvgrace-gpu-vfio-pci");
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_DRIVER);
	tell(model, vfio_map(11, 128, 64, 2100));
	tell(model, at(populate(11, 0, 128, 64, MEMTYPE_WC), 2101));
	tell(model, unmap(10, 2200));
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_DRIVER);
	assert_tells(text_of(only(model, FINDING_PROMOTION), MEMTYPE_ARCH_X86_64),
		     "a driver other than vfio-pci");
}

static void test_driver_told_later(void **state)
{
	struct model *model = *state;

	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 64, 2000));
	tell(model, at(populate(10, 0, 0, 64, MEMTYPE_WC), 2001));
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_UNKNOWN);
	tell_device(model, "mlx5_vfio_pci");
	assert_int_equal(only(model, FINDING_PROMOTION)->cause, CAUSE_DRIVER);
}

static void test_no_pat_on_arm64(void **state)
{
	struct event event = sysfs_map(5, 0, 16, 2 << 2, 500);
	struct model model;

	(void)state;
	assert_int_equal(model_init(&model, MEMTYPE_ARCH_ARM64), 0);
	tell_device(&model, "vfio-pci");
	tell(&model, event);
	tell_open(&model, 1, 1000);
	event = vfio_map(10, 0, 16, 2000);
	event.mapping.page_prot = 3 << 2;
	tell(&model, event);
	tell(&model, at(populate(10, 0, 0, 16, MEMTYPE_WC), 2001));
	assert_int_equal(only(&model, FINDING_PROMOTION)->cause, CAUSE_UNKNOWN);
	assert_tells(text_of(only(&model, FINDING_PROMOTION), MEMTYPE_ARCH_ARM64),
		     "asked for uncached (Device-nGnRnE)");
	assert_tells(text_of(only(&model, FINDING_PROMOTION), MEMTYPE_ARCH_ARM64),
		     "write-combining (Normal-NC)");
	model_done(&model);
}

static void make_hostile_alias(struct model *model)
{
	struct event event = sysfs_map(11, 0, 16, PROT_WC, 3000);

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, called(event, HOSTILE));
	tell(model, at(populate(11, 0, 0, 16, MEMTYPE_WC), 3001));
}

static void expect_safe(const char *text)
{
	for (; *text; text++)
		assert_true((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f);
}

static void test_alias_text_is_safe(void **state)
{
	struct model *model = *state;
	const struct finding *finding;
	char whole[2048], part[2048];

	make_hostile_alias(model);
	finding = only(model, FINDING_ALIAS);
	finding_explain(finding, MEMTYPE_ARCH_X86_64, whole, sizeof(whole));
	expect_safe(whole);
	assert_tells(whole,
		     "PID 900 (qemu) and PID 812 (\\x1b[2J\\xff\\x0a\"ev) map the same bytes (64 KiB of");
	assert_tells(whole,
		     "uncached (UC-) through VFIO, and write-combining (WC) through sysfs resource2_wc.");
	assert_tells(whole, "Intel does not support");
	assert_tells(text_of(finding, MEMTYPE_ARCH_ARM64), "mismatched attributes");
	/* Cut anywhere it is the beginning of the same. */
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		finding_explain(finding, MEMTYPE_ARCH_X86_64, part, size);
		assert_true(strlen(part) < size);
		assert_int_equal(strncmp(whole, part, strlen(part)), 0);
	}
	assert_string_equal(whole, part);
}

static void test_text_is_cut_at_a_character(void **state)
{
	struct model *model = *state;
	struct event event = sysfs_map(11, 0, 16, PROT_WC, 3000);
	char part[128];

	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, called(event, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
	tell(model, at(populate(11, 0, 0, 16, MEMTYPE_WC), 3001));
	for (size_t size = 1; size < sizeof(part); size++) {
		char escaped[4 * sizeof(part)];

		finding_explain(only(model, FINDING_ALIAS), MEMTYPE_ARCH_X86_64, part, size);
		assert_string_equal(text_escape(part, strlen(part), escaped, sizeof(escaped)), part);
	}
}

static const char *text_at(struct json_object *object, const char *key)
{
	return json_object_get_string(get(object, key));
}

static struct json_object *rows_of(const struct model *model, const struct row_filter *filter)
{
	const struct snapshot_clock clock = {.realtime_offset_ns = 1700000000000000000};
	struct json_object *rows = json_object_new_array();

	assert_int_equal(
		snapshot_conflicts(model->findings, model->ledger, NULL, filter, &clock, 0, 100, rows), 0);
	return rows;
}

static void test_row_of_alias(void **state)
{
	struct model *model = *state;
	const struct row_filter none = {};
	struct json_object *rows, *row, *party;

	make_hostile_alias(model);
	rows = rows_of(model, &none);
	assert_int_equal(json_object_array_length(rows), 1);
	row = json_object_array_get_idx(rows, 0);
	assert_int_equal(json_object_get_int64(get(row, "id")), 1);
	assert_string_equal(text_at(row, "kind"), "alias");
	assert_string_equal(text_at(row, "severity"), "high");
	assert_string_equal(text_at(row, "device"), "0000:00:01.0");
	assert_int_equal(json_object_get_int(get(row, "region")), 2);
	assert_string_equal(text_at(row, "phys_start"), "0x383800000000");
	assert_string_equal(text_at(row, "phys_end"), "0x383800010000");
	assert_int_equal(json_object_get_int(get(row, "bytes")), 16 * PAGE);
	assert_string_equal(text_at(row, "types"), "[ \"uc-\", \"wc\" ]");
	assert_string_equal(text_at(row, "mappings"), "[ 10, 11 ]");
	assert_string_equal(text_at(row, "pids"), "[ 900, 812 ]");
	assert_string_equal(text_at(row, "ranges"),
			    "[ { \"phys_start\": \"0x383800000000\", \"phys_end\": \"0x383800010000\" } ]");
	assert_true(json_object_get_boolean(get(row, "active")));
	assert_non_null(get(row, "since"));
	assert_null(get(row, "until"));
	assert_null(get(row, "cause"));
	assert_null(get(row, "cause_pid"));
	assert_null(get(row, "rule"));
	assert_null(get(row, "verdict"));
	party = json_object_array_get_idx(get(row, "parties"), 1);
	assert_int_equal(json_object_get_int(get(party, "mapping")), 11);
	assert_string_equal(text_at(party, "comm"), "\\x1b[2J\\xff\\x0a\"ev");
	assert_string_equal(text_at(party, "source"), "sysfs");
	assert_string_equal(text_at(party, "requested"), "wc");
	assert_string_equal(text_at(party, "type"), "wc");
	/* Escaped once: the sentence in the row is the one of finding_explain(). */
	assert_string_equal(text_at(row, "text"), text_of(only(model, FINDING_ALIAS), MEMTYPE_ARCH_X86_64));
	json_object_put(rows);
}

static void test_row_of_promotion(void **state)
{
	struct model *model = *state;
	const struct row_filter none = {};
	struct json_object *rows, *row;

	promote(model, 1000);
	rows = rows_of(model, &none);
	row = json_object_array_get_idx(rows, 0);
	assert_string_equal(text_at(row, "kind"), "promotion");
	assert_string_equal(text_at(row, "types"), "[ \"uc-\", \"wc\" ]");
	assert_string_equal(text_at(row, "mappings"), "[ 10 ]");
	assert_string_equal(text_at(row, "cause"), "earlier-mapping");
	assert_int_equal(json_object_get_int(get(row, "cause_pid")), 812);
	assert_string_equal(text_at(row, "cause_comm"), "dpdk");
	json_object_put(rows);
}

static void test_filters(void **state)
{
	static const struct {
		struct row_filter filter;
		size_t n;
	} cases[] = {
		{{.device = "0000:00:01.0"}, 1},
		{{.device = "00:01.*"}, 1},
		{{.device = "0000:00:02.0"}, 0},
		{{.pid = 812}, 1},
		{{.pid = 900}, 1},
		{{.pid = 901}, 0},
		{{.type = MEMTYPE_WC}, 1},
		{{.type = MEMTYPE_UC}, 1},
		{{.type = MEMTYPE_WB}, 0},
		{{.all = true}, 1},
	};
	struct model *model = *state;
	struct json_object *rows;

	make_hostile_alias(model);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rows = rows_of(model, &cases[i].filter);
		assert_int_equal(json_object_array_length(rows), cases[i].n);
		json_object_put(rows);
	}
	tell(model, unmap(11, 4000));
	for (int all = 0; all < 2; all++) {
		rows = rows_of(model, &(struct row_filter){.all = all});
		assert_int_equal(json_object_array_length(rows), all);
		if (all)
			assert_false(
				json_object_get_boolean(get(json_object_array_get_idx(rows, 0), "active")));
		json_object_put(rows);
	}
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup_model, teardown_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_earlier_mapping_before_open),
		WITH_MODEL(test_earlier_mapping_is_the_newest_before_open),
		WITH_MODEL(test_earlier_mapping_after_open),
		WITH_MODEL(test_earlier_mapping_found_by_scan),
		WITH_MODEL(test_what_is_no_earlier_mapping),
		WITH_MODEL(test_cause_survives_process_and_is_reused),
		WITH_MODEL(test_nothing_is_remembered_when_closed),
		WITH_MODEL(test_device_open_explains_demotion),
		WITH_MODEL(test_device_open_later),
		WITH_MODEL(test_driver_decides),
		WITH_MODEL(test_driver_told_later),
		cmocka_unit_test(test_no_pat_on_arm64),
		WITH_MODEL(test_alias_text_is_safe),
		WITH_MODEL(test_text_is_cut_at_a_character),
		WITH_MODEL(test_row_of_alias),
		WITH_MODEL(test_row_of_promotion),
		WITH_MODEL(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
