/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Tables and the text in them. */

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "cli/table.h"
#include "cli/text.h"
#include "cli/value.h"

static const struct column columns[] = {
	{.title = "NAME", .shrink = true},
	{.title = "SIZE", .right = true},
	{.title = "UNIT", .shrink = true, .drop = 2},
	{.title = "ID", .right = true, .drop = 1},
};

static char *print(const struct table *table, struct table_style style, size_t *left_out)
{
	char *text = NULL;
	size_t size, n;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	n = table_print(table, &style, out);
	if (left_out)
		*left_out = n;
	assert_int_equal(fclose(out), 0);
	return text;
}

static struct table *make_table(void)
{
	struct table *table = table_new(columns, 4);

	assert_non_null(table);
	assert_int_equal(table_add(table, (const char *[]){"qemu-system-x86", "16M", "machine-a.scope", "7"}),
			 0);
	assert_int_equal(table_add(table, (const char *[]){"a", "512", NULL, ""}), 0);
	assert_int_equal(table_rows(table), 2);
	return table;
}

static void test_alignment(void **state)
{
	struct table *table = make_table();
	char *text = print(table, (struct table_style){.header = true}, NULL);

	(void)state;
	assert_string_equal(text, "NAME            SIZE UNIT            ID\n"
				  "qemu-system-x86  16M machine-a.scope  7\n"
				  "a                512 -                -\n");
	free(text);
	text = print(table, (struct table_style){}, NULL);
	assert_string_equal(text, "qemu-system-x86 16M machine-a.scope 7\n"
				  "a               512 -               -\n");
	free(text);
	table_free(table);
}

static void test_width(void **state)
{
	struct table *table = make_table();
	size_t left_out;
	char *text;

	(void)state;
	text = print(table, (struct table_style){.header = true, .width = 39}, &left_out);
	assert_int_equal(left_out, 0);
	assert_non_null(strstr(text, "qemu-system-x86"));
	free(text);
	text = print(table, (struct table_style){.header = true, .width = 30}, &left_out);
	assert_int_equal(left_out, 0);
	assert_string_equal(text, "NAME       SIZE UNIT        ID\n"
				  "qemu-syst\xe2\x80\xa6  16M machine-a.\xe2\x80\xa6  7\n"
				  "a           512 -            -\n");
	free(text);
	/* The column to drop first goes, then the other. */
	text = print(table, (struct table_style){.header = true, .width = 18}, &left_out);
	assert_int_equal(left_out, 1);
	assert_string_equal(text, "NAME       SIZE ID\n"
				  "qemu-syst\xe2\x80\xa6  16M  7\n"
				  "a           512  -\n");
	free(text);
	text = print(table, (struct table_style){.header = true, .width = 11}, &left_out);
	assert_int_equal(left_out, 2);
	assert_string_equal(text, "NAME   SIZE\n"
				  "qemu-\xe2\x80\xa6  16M\n"
				  "a       512\n");
	free(text);
	/* Too narrow for what may not be cut: nothing is lost, the terminal wraps. */
	text = print(table, (struct table_style){.width = 1}, &left_out);
	assert_non_null(strstr(text, "16M"));
	free(text);
	table_free(table);
}

/* No line is ever wider than asked for, whatever is in it, as long as the columns that stay may be cut. */
static void test_width_of_wide_characters(void **state)
{
	static const struct column two[] = {{.title = "A", .shrink = true}, {.title = "B", .shrink = true}};
	struct table *table = table_new(two, 2);

	(void)state;
	assert_int_equal(
		table_add(table,
			  (const char *[]){"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac",
					   "e\xcc\x81t\xc3\xa9 du monde"}),
		0);
	assert_int_equal(table_add(table, (const char *[]){"plain ascii text", "x"}), 0);
	for (size_t width = 13; width < 40; width++) {
		char *text = print(table, (struct table_style){.width = width}, NULL);

		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_in_range(text_width(line), 1, width);
		free(text);
	}
	table_free(table);
}

static void test_hostile_cells(void **state)
{
	static const struct column one[] = {{.title = "NAME"}};
	struct table *table = table_new(one, 1);
	char *text;

	(void)state;
	assert_int_equal(table_add(table, (const char *[]){"a\033[31m\n\x7f\xff\xc2\x9b\\x1b"}), 0);
	text = print(table, (struct table_style){}, NULL);
	assert_string_equal(text, "a\\x1b[31m\\x0a\\x7f\\xff\\xc2\\x9b\\x1b\n");
	free(text);
	table_free(table);
}

static void test_notes(void **state)
{
	struct table *table = make_table();
	char *text;

	(void)state;
	assert_int_equal(table_note(table, "    why: ", "It was made\033 so by somebody."), 0);
	assert_int_equal(table_add(table, (const char *[]){"b", "1", NULL, "8"}), 0);
	assert_int_equal(table_note(table, "    why: ", NULL), 0);
	text = print(table, (struct table_style){.notes = true}, NULL);
	assert_string_equal(text, "qemu-system-x86 16M machine-a.scope 7\n"
				  "a               512 -               -\n"
				  "    why: It was made\\x1b so by somebody.\n"
				  "b                 1 -               8\n");
	free(text);
	text = print(table, (struct table_style){.notes = true, .width = 24}, NULL);
	assert_non_null(strstr(text, "\n    why: It was made\\x1b\n         so by somebody.\n"));
	free(text);
	text = print(table, (struct table_style){}, NULL);
	assert_null(strstr(text, "why"));
	free(text);
	table_free(table);
}

static char *wrap(const char *label, const char *text, size_t width)
{
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);

	assert_non_null(out);
	assert_int_equal(text_wrap(label, text, width, out), 0);
	assert_int_equal(fclose(out), 0);
	return lines;
}

static void test_wrapping(void **state)
{
	static const struct {
		const char *label, *text;
		size_t width;
		const char *lines;
	} cases[] = {
		{"", "one two three", 0, "one two three\n"},
		{"", "one two three", 13, "one two three\n"},
		{"", "one two three", 12, "one two\nthree\n"},
		{"", "one two three", 1, "one\ntwo\nthree\n"},
		{"- ", "one two three", 7, "- one\n  two\n  three\n"},
		{"- ", "  one   two  ", 0, "- one two\n"},
		{"- ", "", 10, "- \n"},
		{"", "a\nb\033[1m", 10, "a\\x0ab\\x1b[1m\n"},
		{"", "\xe6\x97\xa5\xe6\x9c\xac \xe8\xaa\x9e", 6, "\xe6\x97\xa5\xe6\x9c\xac\n\xe8\xaa\x9e\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *lines = wrap(cases[i].label, cases[i].text, cases[i].width);

		assert_string_equal(lines, cases[i].lines);
		free(lines);
	}
}

static void test_colour(void **state)
{
	struct table *table = make_table();
	char *text = print(table, (struct table_style){.header = true, .colour = true}, NULL);

	(void)state;
	assert_memory_equal(text, "\033[4mNAME", 8);
	free(text);
	table_free(table);
}

static void test_many_rows(void **state)
{
	static const struct column one[] = {{.title = "N", .right = true}};
	struct table *table = table_new(one, 1);
	char text[16];

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(table_add(table, (const char *[]){text}), 0);
	}
	assert_int_equal(table_rows(table), 10000);
	table_free(table);
}

static void test_text_without_utf8(void **state)
{
	char *safe;

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	safe = text_safe("\xc3\xa9t\xc3\xa9");
	assert_string_equal(safe, "\\xc3\\xa9t\\xc3\\xa9");
	assert_string_equal(text_ellipsis(), "~");
	free(safe);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	safe = text_safe("\xc3\xa9t\xc3\xa9");
	assert_string_equal(safe, "\xc3\xa9t\xc3\xa9");
	free(safe);
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0"},        {1, "1"},           {1023, "1023"},      {1024, "1K"},
		{1536, "1.5K"},  {4096, "4K"},       {12288, "12K"},      {16777216, "16M"},
		{1048575, "1M"}, {1073741824, "1G"}, {UINT64_MAX, "16E"}, {1ULL << 63, "8E"},
		{1100, "1.1K"},
	};
	char out[SIZE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(size_text(sizes[i].bytes, out), sizes[i].text);
}

static void test_durations(void **state)
{
	char out[DURATION_TEXT_MAX];

	(void)state;
	assert_string_equal(duration_text(0, out), "0s");
	assert_string_equal(duration_text(59, out), "59s");
	assert_string_equal(duration_text(60, out), "1min");
	assert_string_equal(duration_text(754, out), "12min 34s");
	assert_string_equal(duration_text(7200, out), "2h");
	assert_string_equal(duration_text(90061, out), "1d 1h");
	assert_true(strlen(duration_text(UINT64_MAX, out)) < DURATION_TEXT_MAX);
}

static void test_json_is_made_safe(void **state)
{
	struct json_object *object = json_tokener_parse(
		"{\"a\\u001bb\": [\"x\\u009by\", {\"k\": \"\\u202e\"}], \"n\": null, \"i\": 5}");
	struct json_object *safe = json_safe(object), *list;

	(void)state;
	list = row_value(safe, "a\\x1bb");
	assert_int_equal(json_object_array_length(list), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(list, 0)), "x\\xc2\\x9by");
	assert_string_equal(row_string(json_object_array_get_idx(list, 1), "k"), "\\xe2\\x80\\xae");
	assert_true(json_object_object_get_ex(safe, "n", NULL));
	assert_string_equal(value_text(row_value(safe, "i")), "5");
	json_object_put(safe);
}

static void test_odd_values(void **state)
{
	struct json_object *row = json_tokener_parse(
		"{\"text\": 5, \"number\": \"5\", \"list\": [], \"yes\": true, \"none\": null}");
	uint64_t number;

	(void)state;
	assert_null(row_string(row, "text"));
	assert_null(row_string(row, "absent"));
	assert_false(row_number(row, "number", &number));
	assert_false(row_number(row, "none", &number));
	assert_false(row_number(NULL, "none", &number));
	assert_null(value_text(row_value(row, "list")));
	assert_null(value_text(row_value(row, "none")));
	assert_string_equal(value_text(row_value(row, "yes")), "yes");
	assert_true(row_true(row, "yes"));
	assert_false(row_true(row, "text"));
	assert_false(row_true(row, "absent"));
	assert_null(join_values(row_value(row, "list"), ','));
	assert_null(join_values(row_value(row, "text"), ','));
	json_object_put(row);
}

static void test_joined_values(void **state)
{
	struct json_object *array = json_tokener_parse("[\"uc-\", null, 5, [1]]");
	char *text = join_values(array, '/');

	(void)state;
	assert_string_equal(text, "uc-/-/5/-");
	free(text);
	json_object_put(array);
}

static void test_types_by_name(void **state)
{
	(void)state;
	for (enum memtype type = MEMTYPE_UNKNOWN + 1; type < MEMTYPE_TYPES; type++)
		assert_int_equal(type_by_name(memtype_name(type)), type);
	assert_int_equal(type_by_name("mixed"), MEMTYPE_UNKNOWN);
	assert_int_equal(type_by_name(""), MEMTYPE_UNKNOWN);
	assert_int_equal(type_by_name(NULL), MEMTYPE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_width_of_wide_characters),
		cmocka_unit_test(test_hostile_cells),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_text_without_utf8),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_json_is_made_safe),
		cmocka_unit_test(test_odd_values),
		cmocka_unit_test(test_joined_values),
		cmocka_unit_test(test_types_by_name),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
