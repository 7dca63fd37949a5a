/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The methods of the bus, over its socket, called by the client code of the command line. */

#include "bus_client.h"

#include <errno.h>

#include "capture.h"
#include "core/explain.h"

static void test_status_and_probe(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	struct failure failure = {};
	struct json_object *object = NULL;
	uint64_t number;

	assert_int_equal(client_get_object(client, "GetStatus", &object, &failure), EXIT_OK);
	assert_true(row_number(object, "uptime", &number));
	assert_int_equal(number, 2);
	assert_int_equal(json_object_array_length(row_value(object, "degraded")), 1);
	json_object_put(object);
	/* It counts the devices. */
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).last_refresh,
			 BUS_REFRESH_EVENTS | BUS_REFRESH_DEVICES);
	assert_int_equal(client_get_object(client, "Probe", &object, &failure), EXIT_OK);
	assert_int_equal(json_object_array_length(row_value(object, "checks")), 1);
	json_object_put(object);
	client_close(client);
}

static void test_pages(void **state)
{
	struct bus_fixture *fixture = *state;
	const uint64_t n = 2 * BUS_ROWS_MAX + 7;
	struct json_object *rows;
	uint64_t before, id;

	before = server_order(&fixture->server, SERVER_MAP, n).refreshes;
	rows = get_rows(ROWS_MAPPINGS, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), n);
	for (uint64_t i = 0; i < n; i++) {
		assert_true(row_number(json_object_array_get_idx(rows, i), "id", &id));
		assert_int_equal(id, i + 1);
	}
	json_object_put(rows);
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).refreshes - before, 3);
}

static void test_full_last_page(void **state)
{
	struct bus_fixture *fixture = *state;

	server_order(&fixture->server, SERVER_MAP, BUS_ROWS_MAX);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), BUS_ROWS_MAX);
}

static void test_lists_and_filters(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *rows;

	server_order(&fixture->server, SERVER_MAP, 100);
	server_order(&fixture->server, SERVER_UNMAP, 100);
	assert_int_equal(count_rows(ROWS_DEVICES, (struct row_filter){}), 1);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), 99);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.all = true}), 100);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.pid = 11}), 50);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.pid = 12}), 0);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.type = MEMTYPE_WC}), 9);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.device = "00:01.*"}), 99);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){.device = "0000:00:02.0"}), 0);

	rows = get_rows(ROWS_COOKIES, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), 1);
	assert_string_equal(row_string(json_object_array_get_idx(rows, 0), "offset"), "0x20000000000");
	json_object_put(rows);
}

static void test_what_is_refreshed(void **state)
{
	struct bus_fixture *fixture = *state;

	count_rows(ROWS_MAPPINGS, (struct row_filter){});
	assert_true(server_order(&fixture->server, SERVER_TELL, 0).last_refresh & BUS_REFRESH_MAPPINGS);
	count_rows(ROWS_DEVICES, (struct row_filter){});
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).last_refresh, BUS_REFRESH_ALL);
	/* What depends on effective types has the page tables walked. */
	for (enum row_list list = ROWS_MAPPINGS; list <= ROWS_CONFLICTS; list++) {
		count_rows(list, (struct row_filter){});
		assert_true(server_order(&fixture->server, SERVER_TELL, 0).last_refresh & BUS_REFRESH_PAGES);
	}
	count_rows(ROWS_LINT, (struct row_filter){});
	assert_false(server_order(&fixture->server, SERVER_TELL, 0).last_refresh & BUS_REFRESH_PAGES);
	assert_true(BUS_REFRESH_ALL & BUS_REFRESH_PAGES);
}

static void test_conflicts(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *rows, *row;

	/* Mapping 1 asks for UC- and is populated write-combining. */
	server_order(&fixture->server, SERVER_MAP, 3);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){}), 0);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	rows = get_rows(ROWS_CONFLICTS, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), 1);
	row = json_object_array_get_idx(rows, 0);
	assert_string_equal(row_string(row, "kind"), "promotion");
	assert_string_equal(row_string(row, "severity"), "high");
	assert_string_equal(row_string(row, "device"), "0000:00:01.0");
	assert_true(row_true(row, "active"));
	json_object_put(rows);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){.pid = 11}), 1);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){.pid = 10}), 0);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){.type = MEMTYPE_WC}), 1);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){.type = MEMTYPE_WB}), 0);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){.device = "00:02.0"}), 0);

	server_order(&fixture->server, SERVER_UNMAP, 1);
	assert_int_equal(count_rows(ROWS_CONFLICTS, (struct row_filter){}), 0);
	rows = get_rows(ROWS_CONFLICTS, &(struct row_filter){.all = true});
	assert_int_equal(json_object_array_length(rows), 1);
	assert_false(row_true(json_object_array_get_idx(rows, 0), "active"));
	json_object_put(rows);
}

/* Mappings 4 and 4100 are of one page, as are 10 and 4106; one of each two asks for WC. */
static void test_aliases(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *rows, *object;
	struct client *client;
	struct failure failure = {};
	uint64_t number;

	server_order(&fixture->server, SERVER_MAP, 4106);
	rows = get_rows(ROWS_CONFLICTS, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(row_string(json_object_array_get_idx(rows, i), "kind"), "alias");
	json_object_put(rows);

	client = open_client();
	assert_int_equal(client_get_object(client, "GetStatus", &object, &failure), EXIT_OK);
	assert_true(row_number(object, "conflicts", &number));
	assert_int_equal(number, 2);
	json_object_put(object);
	client_close(client);

	rows = get_rows(ROWS_DEVICES, &(struct row_filter){});
	assert_true(row_number(json_object_array_get_idx(rows, 0), "conflicts", &number));
	assert_int_equal(number, 2);
	json_object_put(rows);
}

static void test_lint(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *rows, *row;
	uint64_t count;

	server_order(&fixture->server, SERVER_MAP, 2);
	assert_int_equal(count_rows(ROWS_LINT, (struct row_filter){}), 0);
	server_order(&fixture->server, SERVER_MAP_UNISSUED, 1);
	server_order(&fixture->server, SERVER_MAP_UNISSUED, 1);
	rows = get_rows(ROWS_LINT, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), 1);
	row = json_object_array_get_idx(rows, 0);
	assert_string_equal(row_string(row, "kind"), "unissued-offset");
	assert_string_equal(row_string(row, "offset"), "0x1000");
	assert_true(row_number(row, "count", &count));
	assert_int_equal(count, 2);
	assert_non_null(row_string(row, "text"));
	json_object_put(rows);
	assert_int_equal(count_rows(ROWS_LINT, (struct row_filter){.pid = 99}), 0);
}

static struct json_object *get_explanation(struct client *client, const char *first, const char *second)
{
	struct failure failure = {};
	sd_bus_message *call = NULL;
	struct json_object *object = NULL;
	char *words[] = {(char *)first, (char *)second, NULL};

	assert_int_equal(client_method(client, &call, "Explain", &failure), EXIT_OK);
	assert_true(sd_bus_message_append_strv(call, words) >= 0);
	assert_int_equal(client_call_object(client, call, CLIENT_USEC, &object, &failure), EXIT_OK);
	sd_bus_message_unref(call);
	assert_true(json_object_array_length(row_value(object, "text")) > 0);
	return object;
}

static void test_explain(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	struct json_object *answer;

	server_order(&fixture->server, SERVER_MAP, 3);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	/* Mapping 1 is page 1 of BAR 2, at the second page of its own address range. */
	answer = get_explanation(client, "00:01.0:2+0x1000", NULL);
	assert_string_equal(row_string(answer, "phys"), "0x383800001000");
	assert_int_equal(json_object_array_length(row_value(answer, "mappings")), 1);
	assert_int_equal(json_object_array_length(row_value(answer, "conflicts")), 1);
	json_object_put(answer);
	answer = get_explanation(client, "11", "0x7f0000002000");
	assert_int_equal(json_object_array_length(row_value(answer, "mappings")), 1);
	assert_string_equal(row_string(answer, "device"), "0000:00:01.0");
	json_object_put(answer);
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).last_refresh, BUS_REFRESH_ALL);
	/* That nothing is known is an answer. */
	answer = get_explanation(client, "12", "0x7f0000002000");
	assert_int_equal(json_object_array_length(row_value(answer, "mappings")), 0);
	json_object_put(answer);
	client_close(client);
}

/* The error is the text of explain_parse(), whatever the words are. */
static void test_explain_nonsense(void **state)
{
	static const struct {
		char *words[5];
		size_t n;
	} nonsense[] = {
		{{NULL}, 0},
		{{"", NULL}, 1},
		{{"nonsense", NULL}, 1},
		{{"12", NULL}, 1},
		{{"12", "address", NULL}, 2},
		{{"00:01.0:9", NULL}, 1},
		{{"00:01.0:2+", NULL}, 1},
		{{"1", "2", "3", NULL}, 3},
		{{"1", "2", "3", "4", NULL}, 3}, /* words after the third are not even looked at */
	};
	struct client *client = open_client();

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct explain_subject subject;
		const char *wrong = explain_parse(nonsense[i].words, nonsense[i].n, &subject);
		struct failure failure = {};
		struct json_object *object = NULL;
		sd_bus_message *call = NULL;

		assert_non_null(wrong);
		assert_int_equal(client_method(client, &call, "Explain", &failure), EXIT_OK);
		assert_true(sd_bus_message_append_strv(call, (char **)nonsense[i].words) >= 0);
		assert_int_equal(client_call_object(client, call, CLIENT_USEC, &object, &failure),
				 EXIT_FAILED);
		assert_string_equal(failure.text, wrong);
		assert_null(object);
		sd_bus_message_unref(call);
	}
	client_close(client);
}

static void test_failed_refresh_is_no_answer(void **state)
{
	struct bus_fixture *fixture = *state;
	struct options options = {};
	struct failure failure = {};
	struct json_object *rows = NULL;

	server_order(&fixture->server, SERVER_FAIL_REFRESH, EIO);
	assert_int_equal(rows_get(ROWS_MAPPINGS, &options, &rows, &failure), EXIT_FAILED);
	assert_non_null(strstr(failure.text, strerror(EIO)));
	assert_null(rows);
}

/* Every refusal is an error that names what is wrong, and the connection lives on. */
static void test_bad_arguments(void **state)
{
	struct client *client = open_client();
	struct failure failure = {};
	sd_bus_message *answer = NULL;
	char long_name[EVENT_NAME_LEN + 2];

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
#define REFUSED(what, member, ...)                                                                           \
	do {                                                                                                 \
		assert_int_equal(CALL(client, &answer, &failure, member, __VA_ARGS__), EXIT_FAILED);         \
		if (!strstr(failure.text, what))                                                             \
			fail_msg("%s: \"%s\" does not say \"%s\"", member, failure.text, what);              \
	} while (0)
	REFUSED("colour", "ListMappings", "a{sv}tu", 1, "colour", "s", "red", 0ULL, 0);
	REFUSED("'pid' has type", "ListMappings", "a{sv}tu", 1, "pid", "s", "12", 0ULL, 0);
	REFUSED("'pid' cannot be 0", "ListCookies", "a{sv}tu", 1, "pid", "u", 0, 0ULL, 0);
	REFUSED("'pid' is given twice", "ListDevices", "a{sv}tu", 2, "pid", "u", 1, "pid", "u", 2, 0ULL, 0);
	REFUSED("'type' is none of", "ListMappings", "a{sv}tu", 1, "type", "s", "pink", 0ULL, 0);
	REFUSED("'type' needs 1 to", "ListMappings", "a{sv}tu", 1, "type", "s", long_name, 0ULL, 0);
	REFUSED("'device' needs 1 to", "ListMappings", "a{sv}tu", 1, "device", "s", long_name, 0ULL, 0);
	REFUSED("'device' needs 1 to", "ListMappings", "a{sv}tu", 1, "device", "s", "", 0ULL, 0);
	REFUSED("'all' has type", "ListMappings", "a{sv}tu", 1, "all", "u", 1, 0ULL, 0);
	REFUSED("4096 rows", "ListMappings", "a{sv}tu", 0, 0ULL, BUS_ROWS_MAX + 1);
	REFUSED("'pid' has type", "ListConflicts", "a{sv}tu", 1, "pid", "s", "12", 0ULL, 0);
	REFUSED("4096 rows", "ListLint", "a{sv}tu", 0, 0ULL, BUS_ROWS_MAX + 1);
	REFUSED("expecting", "Explain", "s", "x");
	REFUSED("4096 rows", "ReadEvents", "tub", 0ULL, UINT32_MAX, 0);
	REFUSED("not reached yet", "ReadEvents", "tub", 1000000ULL, 0, 0);
	REFUSED("not reached yet", "ReadRecords", "tub", UINT64_MAX - 1, 0, 1);
	REFUSED("expecting", "ListMappings", "s", "x");
	REFUSED("Unknown method", "Format", "s", "x");
#undef REFUSED
	assert_int_equal(CALL(client, &answer, &failure, "ListMappings", "a{sv}tu", 0, 0ULL, 0), EXIT_OK);
	sd_bus_message_unref(answer);
	client_close(client);
}

static void test_events_from_a_cursor(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	struct failure failure = {};
	sd_bus_message *answer = NULL;
	uint64_t next, skipped, end;

	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", 0ULL, 0, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(skipped, 0);
	assert_int_equal(count_strings(answer), 3); /* device, open, cookie */
	sd_bus_message_unref(answer);

	server_order(&fixture->server, SERVER_MAP, 10);
	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", next, 4, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(count_strings(answer), 4);
	sd_bus_message_unref(answer);

	/* The history is overwritten once around: what this cursor misses is counted exactly. */
	end = server_order(&fixture->server, SERVER_MAP, BUS_HISTORY + 100).history_end;
	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", next, 1, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(skipped, 106);
	assert_int_equal(next, end - BUS_HISTORY + 1);
	sd_bus_message_unref(answer);

	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", BUS_CURSOR_NOW, 0, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(next, end);
	assert_int_equal(count_strings(answer), 0);
	sd_bus_message_unref(answer);
	client_close(client);
}

static void test_state_rebuilds_the_ledger(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	struct failure failure = {};
	sd_bus_message *call = NULL, *answer = NULL;
	struct capture_reader reader;
	struct ledger *ledger = NULL;
	struct event event;
	uint64_t cursor, next;
	const void *data;
	size_t size;
	FILE *file;

	cursor = server_order(&fixture->server, SERVER_MAP, 50).history_end;
	server_order(&fixture->server, SERVER_UNMAP, 1);
	assert_int_equal(client_method(client, &call, "ReadState", &failure), EXIT_OK);
	assert_int_equal(client_call(client, call, CLIENT_USEC, &answer, &failure), EXIT_OK);
	sd_bus_message_unref(call);
	assert_true(sd_bus_message_read(answer, "t", &next) >= 0);
	assert_int_equal(next, cursor + 1);
	assert_true(sd_bus_message_read_array(answer, 'y', &data, &size) >= 0);

	file = fmemopen((void *)data, size, "r");
	assert_non_null(file);
	assert_int_equal(capture_open(&reader, file), CAPTURE_EVENT);
	assert_int_equal(reader.header.realtime_offset_ns, 1700000000000000000);
	assert_int_equal(ledger_new(&ledger, reader.header.arch, NULL), 0);
	while (capture_next(&reader, &event) == CAPTURE_EVENT)
		apply(ledger, event);
	assert_int_equal(reader.offset, size); /* there is no end frame in it */
	assert_int_equal(counts_of(ledger).mappings, 49);
	assert_int_equal(counts_of(ledger).cookies, 1);
	assert_int_equal(counts_of(ledger).files, 1);
	assert_int_equal(counts_of(ledger).refused, 0);
	ledger_free(ledger);
	fclose(file);
	sd_bus_message_unref(answer);
	client_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_status_and_probe),
		BUS_TEST(test_pages),
		BUS_TEST(test_full_last_page),
		BUS_TEST(test_lists_and_filters),
		BUS_TEST(test_what_is_refreshed),
		BUS_TEST(test_conflicts),
		BUS_TEST(test_aliases),
		BUS_TEST(test_lint),
		BUS_TEST(test_explain),
		BUS_TEST(test_explain_nonsense),
		BUS_TEST(test_failed_refresh_is_no_answer),
		BUS_TEST(test_bad_arguments),
		BUS_TEST(test_events_from_a_cursor),
		BUS_TEST(test_state_rebuilds_the_ledger),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
