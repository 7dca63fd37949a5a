/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What people type: filters and times. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "cli/filter.h"
#include "cli/when.h"

#define SEC 1000000000LL

static void test_device(void **state)
{
	struct row_filter filter = {};
	char name[EVENT_NAME_LEN + 2];

	(void)state;
	assert_true(filter_set_device(&filter, "0000:3b:00.*"));
	assert_string_equal(filter.device, "0000:3b:00.*");
	assert_false(filter_set_device(&filter, ""));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_false(filter_set_device(&filter, name));
	name[EVENT_NAME_LEN] = '\0';
	assert_true(filter_set_device(&filter, name));
}

static void test_pid(void **state)
{
	static const char *const bad[] = {"",
					  "0",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "0x10",
					  "1.5",
					  "4294967296",
					  "2147483648",
					  "99999999999999999999",
					  "self"};
	struct row_filter filter = {};

	(void)state;
	assert_true(filter_set_pid(&filter, "4194304"));
	assert_int_equal(filter.pid, 4194304);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(filter_set_pid(&filter, bad[i]));
	assert_int_equal(filter.pid, 4194304);
}

static void test_type(void **state)
{
	struct row_filter filter = {};

	(void)state;
	assert_true(filter_set_type(&filter, "uc-"));
	assert_int_equal(filter.type, MEMTYPE_UC_MINUS);
	assert_true(filter_set_type(&filter, "wc"));
	assert_int_equal(filter.type, MEMTYPE_WC);
	assert_false(filter_set_type(&filter, "WC"));
	assert_false(filter_set_type(&filter, ""));
	assert_false(filter_set_type(&filter, "w"));
}

static bool matches(struct row_filter filter, const char *row)
{
	struct json_object *object = json_tokener_parse(row);
	bool result = filter_matches(&filter, object);

	json_object_put(object);
	return result;
}

static void test_matches(void **state)
{
	static const char row[] =
		"{\"event\":\"map\",\"device\":\"0000:00:01.0\",\"pid\":12,\"requested\":\"uc-\"}";

	(void)state;
	assert_true(matches((struct row_filter){}, row));
	assert_true(matches((struct row_filter){.device = "00:01.0"}, row));
	assert_true(matches((struct row_filter){.device = "0000:00:*"}, row));
	assert_false(matches((struct row_filter){.device = "00:01.1"}, row));
	assert_true(matches((struct row_filter){.pid = 12}, row));
	assert_false(matches((struct row_filter){.pid = 1}, row));
	assert_true(matches((struct row_filter){.type = MEMTYPE_UC}, row));
	assert_true(matches((struct row_filter){.type = MEMTYPE_UC_MINUS}, row));
	assert_false(matches((struct row_filter){.type = MEMTYPE_DEVICE}, row));
	assert_false(matches((struct row_filter){.pid = 12, .type = MEMTYPE_WC}, row));
	/* An event may tell of more than one type. */
	assert_true(matches((struct row_filter){.type = MEMTYPE_WC},
			    "{\"requested\":\"uc-\",\"effective\":\"wc\"}"));
	assert_true(
		matches((struct row_filter){.type = MEMTYPE_WC}, "{\"requested\":\"uc-\",\"given\":\"wc\"}"));
	assert_false(matches((struct row_filter){.type = MEMTYPE_WC}, "{\"effective\":\"mixed\"}"));
	/* What is not known does not match, and odd types do no harm. */
	assert_false(matches((struct row_filter){.pid = 12}, "{\"event\":\"map\",\"pid\":null}"));
	assert_false(matches((struct row_filter){.pid = 12}, "{\"pid\":\"12\"}"));
	assert_false(matches((struct row_filter){.device = "*"}, "{\"device\":[1]}"));
	assert_false(matches((struct row_filter){.type = MEMTYPE_WC}, "{\"requested\":5}"));
	/* A loss concerns everybody. */
	assert_true(matches((struct row_filter){.pid = 12}, "{\"event\":\"lost\",\"count\":3}"));
}

static void test_when(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{"now", 1000000 * SEC},
		{"-5min", (1000000 - 300) * SEC},
		{"-5 min", (1000000 - 300) * SEC},
		{"-1h 30min", (1000000 - 5400) * SEC},
		{"-1h30m10s", (1000000 - 5410) * SEC},
		{"-1d", (1000000 - 86400) * SEC},
		{"-1week", (1000000 - 604800) * SEC},
		{"-250ms", 1000000 * SEC - 250000000},
		{"@0", 0},
		{"@1700000000", 1700000000 * SEC},
		{"@1700000000.25", 1700000000 * SEC + SEC / 4},
		{"2023-11-14T22:13:20Z", 1700000000 * SEC},
		{"2023-11-14 22:13:20z", 1700000000 * SEC},
		{"2023-11-14T22:13:20.123456789Z", 1700000000 * SEC + 123456789},
		{"2023-11-15T00:13:20+02:00", 1700000000 * SEC},
		{"2023-11-14T16:43:20-05:30", 1700000000 * SEC},
		{"2023-11-14T22:13:20", 1700000000 * SEC}, /* TZ is UTC here */
		{"2023-11-14T22:13", 1700000000 * SEC - 20 * SEC},
		{"2023-11-14", 1699920000 * SEC},
		{"2024-02-29T00:00:00Z", 1709164800 * SEC},
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (!when_parse(good[i].text, 1000000 * SEC, &ns))
			fail_msg("%s is refused", good[i].text);
		if (ns != good[i].ns)
			fail_msg("%s is %lld", good[i].text, (long long)ns);
	}
}

static void test_not_when(void **state)
{
	static const char *const bad[] = {
		"",
		"-",
		"-5",
		"-min",
		"-5fortnights",
		"5min",
		"-5min ago",
		"-99999999999999999999s",
		"-9223372036854775807w",
		"@",
		"@x",
		"@1x",
		"@99999999999999999999",
		"@9223372036854775807",
		"2023",
		"2023-11",
		"2023-13-01",
		"2023-00-01",
		"2023-02-30",
		"2023-02-29",
		"2023-11-14T",
		"2023-11-14T25:00Z",
		"2023-11-14T22:61Z",
		"2023-11-14T22:13:20.Z",
		"2023-11-14T22:13:20+2",
		"2023-11-14T22:13:20Zx",
		"1969-12-31",
		"9999-01-01",
		"yesterday",
		"\xff",
		"2023-11-14T22:13:20+25:00",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (when_parse(bad[i], 1000000 * SEC, &ns))
			fail_msg("'%s' is taken for %lld", bad[i], (long long)ns);
}

static void test_times_of_rows(void **state)
{
	char out[WHEN_TEXT_MAX];
	int64_t ns;

	(void)state;
	assert_true(when_parse_row("2023-11-14T22:13:20.123456Z", &ns));
	assert_string_equal(when_text(ns, out), "2023-11-14 22:13:20.123456");
	assert_false(when_parse_row("2023-11-14T22:13:20", &ns));
	assert_false(when_parse_row("now", &ns));
	assert_string_equal(when_text(-1, out), "1969-12-31 23:59:59.999999");
	assert_true(strlen(when_text(INT64_MAX, out)) < WHEN_TEXT_MAX);
	assert_true(strlen(when_text(INT64_MIN, out)) < WHEN_TEXT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device),        cmocka_unit_test(test_pid),
		cmocka_unit_test(test_type),          cmocka_unit_test(test_matches),
		cmocka_unit_test(test_when),          cmocka_unit_test(test_not_when),
		cmocka_unit_test(test_times_of_rows),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("cli_filter", tests, NULL, NULL);
}
