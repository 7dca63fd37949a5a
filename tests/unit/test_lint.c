/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "findings.h"

static const struct lint *only_lint(const struct model *model, enum lint_kind kind)
{
	const struct lint *list[16];

	assert_int_equal(lints_list(model->lints, 0, list, 16), 1);
	assert_int_equal(list[0]->kind, kind);
	return list[0];
}

static size_t n_lints(const struct model *model)
{
	const struct lint *list[64];

	return lints_list(model->lints, 0, list, 64);
}

static struct event in_order(struct event event, uint64_t sequence)
{
	event.header.sequence = sequence;
	return event;
}

static struct event issue(uint64_t id, uint64_t offset, uint64_t issued)
{
	struct event event = called(by(cookie_event(EVENT_COOKIE, id, 1, issued), 900), "qemu");

	event.cookie.offset = offset;
	return event;
}

static char *text_of(const struct lint *lint)
{
	static char text[2048];

	return lint_explain(lint, MEMTYPE_ARCH_X86_64, text, sizeof(text));
}

static void test_unissued_offset(void **state)
{
	struct model *model = *state;
	struct model_change change;
	struct event event;

	tell_open(model, 1, 1000);
	change = tell(model, vfio_map(10, 0, 16, 2000));
	assert_ptr_equal(change.lint, only_lint(model, LINT_UNISSUED_OFFSET));
	assert_true(change.lint_is_new);
	change = tell(model, vfio_map(11, 16, 16, 3000));
	assert_ptr_equal(change.lint, only_lint(model, LINT_UNISSUED_OFFSET));
	assert_false(change.lint_is_new);
	assert_int_equal(change.lint->count, 2);
	assert_int_equal(change.lint->first_ns, 2000);
	assert_int_equal(change.lint->last_ns, 3000);
	assert_int_equal(change.lint->offset, COOKIE_2);
	assert_int_equal(change.lint->region, 2);
	assert_int_equal(change.lint->process.tgid, 900);
	assert_string_equal(change.lint->comm, "qemu");
	assert_string_equal(change.lint->exe, "");
	assert_string_equal(change.lint->device, "0000:00:01.0");
	assert_tells(text_of(change.lint),
		     "PID 900 (qemu) mapped file offset 0x20000000000 of 0000:00:01.0 BAR 2");
	assert_tells(text_of(change.lint), "VFIO_DEVICE_GET_REGION_INFO on the same file");
	/* What it is called in the file system is looked up later. */
	event = called(by(make_event(EVENT_PROCESS), 900), "qemu");
	snprintf(event.process.exe, sizeof(event.process.exe), "/usr/bin/qemu-system-x86_64");
	tell(model, event);
	assert_string_equal(change.lint->exe, "/usr/bin/qemu-system-x86_64");
	/* Another process has a row of its own. */
	tell(model, by(vfio_map(12, 0, 16, 4000), 901));
	assert_int_equal(n_lints(model), 2);
}

static void test_issued_offset(void **state)
{
	struct model *model = *state;

	tell_open(model, 1, 1000);
	tell(model, issue(20, COOKIE_2, 1));
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, vfio_map(11, 4080, 16, 2000)); /* its last pages */
	assert_int_equal(n_lints(model), 0);
	tell(model, vfio_map(12, 4096, 1, 2000)); /* the page behind it */
	only_lint(model, LINT_UNISSUED_OFFSET);
}

/* Copies are no mmap, other sources have no cookies, scans say nothing of how a mapping was made. */
static void test_what_is_no_mmap_of_a_cookie(void **state)
{
	struct model *model = *state;
	struct event event;

	tell_open(model, 1, 1000);
	tell(model, sysfs_map(9, 0, 16, PROT_WC, 2000));
	event = vfio_map(10, 0, 16, 2000);
	event.header.type = EVENT_MAPPING;
	event.header.origin = EVENT_ORIGIN_SCAN;
	tell(model, event);
	tell(model, by(copy_event(11, 10), 900));
	assert_int_equal(n_lints(model), 0);
	tell(model, vfio_map(10, 0, 16, 2000)); /* the event after the row that told of it first */
	only_lint(model, LINT_UNISSUED_OFFSET);
}

static void test_not_told_where_an_issue_may_be_missing(void **state)
{
	struct model *model = *state;
	struct event event = file_event(EVENT_FILE, 1);

	/* open before recording */
	event.file.flags |= EVENT_FILE_FROM_SCAN;
	tell(model, event);
	tell(model, vfio_map(10, 0, 16, 2000));
	/* nothing is known of the file */
	event = vfio_map(11, 0, 16, 2000);
	event.mapping.file_id = 77;
	tell(model, event);
	/* an issue was skipped */
	tell_open(model, 2, 1000);
	ledger_cookies_uncertain(model->ledger);
	event = vfio_map(12, 0, 16, 2000);
	event.mapping.file_id = 2;
	tell(model, event);
	assert_int_equal(n_lints(model), 0);
	/* not so with one that is opened afterwards */
	tell_open(model, 3, 3000);
	event = vfio_map(13, 0, 16, 3001);
	event.mapping.file_id = 3;
	tell(model, event);
	only_lint(model, LINT_UNISSUED_OFFSET);
}

/* Event 3 is missing when the mmap is told of: it may be the issue. */
static void test_not_told_while_an_event_is_missing(void **state)
{
	struct model *model = *state;
	struct event open = at(file_event(EVENT_OPEN, 1), 1000), lost = make_event(EVENT_LOST);

	open.file.opened_ns = 1000;
	tell(model, in_order(open, 1));
	tell(model, in_order(vfio_map(10, 0, 16, 2000), 4));
	assert_int_equal(n_lints(model), 0);
	tell(model, in_order(vfio_map(11, 0, 16, 2001), 2));
	assert_int_equal(n_lints(model), 0);
	tell(model, in_order(issue(20, COOKIE_2, 1), 3)); /* of another CPU: late */
	tell(model, in_order(vfio_map(12, 4096, 16, 2002), 5));
	only_lint(model, LINT_UNISSUED_OFFSET);
	/* Lost for good: told of as a loss, after which the file tells nothing any more. */
	tell(model, in_order(vfio_map(13, 4096, 16, 2003), 7));
	lost.lost.type = EVENT_COOKIE;
	lost.lost.count = 1;
	tell(model, at(lost, 2004));
	tell(model, in_order(vfio_map(14, 4096, 16, 2005), 8));
	assert_int_equal(only_lint(model, LINT_UNISSUED_OFFSET)->count, 1);
}

static void test_unstable_cookie(void **state)
{
	struct model *model = *state;
	struct event other = issue(22, 3ULL << 40, 1);
	const struct lint *lint;

	tell_open(model, 1, 1000);
	tell(model, issue(20, COOKIE_2, 1));
	tell(model, issue(20, COOKIE_2, 2));
	assert_int_equal(n_lints(model), 0);
	other.cookie.region = 3; /* another region */
	tell(model, other);
	other = issue(23, 4ULL << 40, 1); /* other attributes */
	other.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	tell(model, other);
	other = issue(24, 0, 1); /* a DMABUF is a file of its own */
	other.cookie.dialect = DIALECT_DMA_BUF;
	tell(model, other);
	assert_int_equal(n_lints(model), 0);
	tell(model, issue(21, 9ULL << 40, 1));
	lint = only_lint(model, LINT_UNSTABLE_COOKIE);
	assert_int_equal(lint->offset, 9ULL << 40);
	assert_int_equal(lint->other_offset, COOKIE_2);
	assert_int_equal(lint->region, 2);
	tell(model, issue(21, 9ULL << 40, 2));
	assert_int_equal(lint->count, 1);
	assert_tells(text_of(lint),
		     "was given file offset 0x90000000000 for 0000:00:01.0 BAR 2, after 0x20000000000");
	assert_tells(text_of(lint), "should ask once for each file");
}

/* Asked twice for an alias of BAR 2, and given two regions. */
static void test_unstable_alias_region(void **state)
{
	struct model *model = *state;
	struct event event = issue(20, 9ULL << 40, 1);

	tell_open(model, 1, 1000);
	event.cookie.dialect = DIALECT_ALIAS_REGION;
	event.cookie.attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	event.cookie.region = 9;
	event.cookie.alias_of = 2;
	tell(model, event);
	event.cookie.cookie_id = 21;
	event.cookie.region = 10;
	event.cookie.offset = 10ULL << 40;
	tell(model, event);
	assert_int_equal(only_lint(model, LINT_UNSTABLE_COOKIE)->region, 2);
}

static void test_mutable_cookie(void **state)
{
	struct model *model = *state;
	struct event event = vfio_map(11, 0, 16, 2001);
	const struct lint *lint;

	tell_open(model, 1, 1000);
	tell(model, issue(20, COOKIE_2, 1));
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, vfio_map(12, 0, 16, 2000));
	assert_int_equal(n_lints(model), 0);
	event.mapping.page_prot = PROT_WC;
	tell(model, event);
	lint = only_lint(model, LINT_MUTABLE_COOKIE);
	assert_int_equal(lint->types, 1 << MEMTYPE_UC_MINUS | 1 << MEMTYPE_WC);
	assert_int_equal(lint->count, 1);
	assert_tells(text_of(lint), "with several memory types: uncached (UC-) and write-combining (WC).");
	assert_tells(text_of(lint), "one cookie for each memory type");
}

static void test_mutable_dmabuf(void **state)
{
	struct model *model = *state;
	struct event event = issue(20, 0, 1);

	tell_open(model, 1, 1000);
	event.cookie.dialect = DIALECT_DMA_BUF;
	tell(model, event);
	event = vfio_map(10, 0, 16, 2000);
	event.mapping.file_id = 0;
	event.mapping.cookie_id = 20;
	event.mapping.source = SOURCE_DMABUF;
	tell(model, event);
	event.mapping.mapping_id = 11;
	event.mapping.page_prot = PROT_WC;
	tell(model, event);
	only_lint(model, LINT_MUTABLE_COOKIE);
}

static void test_limit(void **state)
{
	const struct lint *list[8];
	struct model *model = *state;

	lints_free(model->lints);
	assert_int_equal(lints_new(&model->lints, 3), 0);
	tell_open(model, 1, 1000);
	for (uint32_t tgid = 1; tgid <= 5; tgid++)
		for (uint64_t n = 0; n < 2; n++)
			tell(model, by(vfio_map(10 * tgid + n, 0, 16, 2000), tgid));
	assert_int_equal(lints_list(model->lints, 0, list, 8), 3);
	assert_int_equal(list[2]->count, 2);
	assert_int_equal(lints_refused(model->lints), 4);
	assert_int_equal(lints_list(model->lints, list[0]->id, list, 8), 2);
	assert_int_equal(lints_list(model->lints, 0, list, 1), 1);
}

static void test_rows_and_text_are_safe(void **state)
{
	static const struct {
		struct row_filter filter;
		size_t n;
	} cases[] = {
		{{.pid = 900}, 1},       {{.pid = 7}, 0},           {{.device = "00:01.0"}, 1},
		{{.device = "01:*"}, 0}, {{.type = MEMTYPE_WC}, 0}, {{.all = true}, 1},
	};
	const struct snapshot_clock clock = {.realtime_offset_ns = 1700000000000000000};
	struct model *model = *state;
	struct json_object *rows, *row;

	tell_open(model, 1, 1000);
	tell(model, called(vfio_map(10, 0, 16, 2000), "a\x1b]0;\x07\nb"));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rows = json_object_new_array();
		assert_int_equal(snapshot_lint(model->lints, MEMTYPE_ARCH_X86_64, &cases[i].filter, &clock, 0,
					       10, rows),
				 0);
		assert_int_equal(json_object_array_length(rows), cases[i].n);
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			json_object_put(rows);
	}
	row = json_object_array_get_idx(rows, 0);
	assert_string_equal(json_object_get_string(get(row, "kind")), "unissued-offset");
	assert_string_equal(json_object_get_string(get(row, "comm")), "a\\x1b]0;\\x07\\x0ab");
	assert_string_equal(json_object_get_string(get(row, "offset")), "0x20000000000");
	assert_int_equal(json_object_get_int(get(row, "count")), 1);
	assert_null(get(row, "exe"));
	assert_null(get(row, "types"));
	assert_null(get(row, "other_offset"));
	assert_non_null(get(row, "first"));
	assert_non_null(get(row, "last"));
	assert_tells(json_object_get_string(get(row, "text")), "PID 900 (a\\x1b]0;\\x07\\x0ab) mapped");
	assert_tells(json_object_get_string(get(row, "text")), json_object_get_string(get(row, "detail")));
	json_object_put(rows);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(lint_kind_name(LINT_UNISSUED_OFFSET), "unissued-offset");
	assert_string_equal(lint_kind_name(LINT_UNSTABLE_COOKIE), "unstable-cookie");
	assert_string_equal(lint_kind_name(LINT_MUTABLE_COOKIE), "mutable-cookie");
	assert_null(lint_kind_name(LINT_KINDS));
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup_model, teardown_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_unissued_offset),
		WITH_MODEL(test_issued_offset),
		WITH_MODEL(test_what_is_no_mmap_of_a_cookie),
		WITH_MODEL(test_not_told_where_an_issue_may_be_missing),
		WITH_MODEL(test_not_told_while_an_event_is_missing),
		WITH_MODEL(test_unstable_cookie),
		WITH_MODEL(test_unstable_alias_region),
		WITH_MODEL(test_mutable_cookie),
		WITH_MODEL(test_mutable_dmabuf),
		WITH_MODEL(test_limit),
		WITH_MODEL(test_rows_and_text_are_safe),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
