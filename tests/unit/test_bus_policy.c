/* SPDX-License-Identifier: GPL-2.0-or-later */

/* GetPolicy() and Reload() of the bus, verdicts in its lists, decisions in its events. */

#include "bus_client.h"
#include "policies.h"

#include "capture.h"

/* Exit code of a call without arguments; *ret only if EXIT_OK. */
static enum exit_code ask(const char *member, struct json_object **ret, struct failure *failure)
{
	struct client *client = open_client();
	enum exit_code code;

	*ret = NULL;
	*failure = (struct failure){};
	code = client_get_object(client, member, ret, failure);
	client_close(client);
	return code;
}

static void expect_policy(const char *member, const char *mode)
{
	struct json_object *object;
	struct failure failure;

	assert_int_equal(ask(member, &object, &failure), EXIT_OK);
	assert_string_equal(row_string(object, "mode"), mode);
	assert_string_equal(row_string(object, "on_unknown"), "allow");
	assert_string_equal(row_string(object, "digest"), TEST_DIGEST);
	assert_int_equal(json_object_array_length(row_value(object, "rules")), 3);
	assert_true(json_object_array_length(row_value(object, "text")) > 3);
	json_object_put(object);
}

static void test_no_policy_yet(void **state)
{
	struct json_object *object;
	struct failure failure;

	(void)state;
	assert_int_equal(ask("GetPolicy", &object, &failure), EXIT_OK);
	assert_null(row_value(object, "mode"));
	assert_null(row_value(object, "text"));
	json_object_put(object);
}

/* What is refused leaves the policy in force as it is. */
static void test_reload(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *object;
	struct failure failure;

	expect_policy("Reload", "enforce");
	expect_policy("GetPolicy", "enforce");
	server_order(&fixture->server, SERVER_RELOAD, RELOAD_REFUSED);
	assert_int_equal(ask("Reload", &object, &failure), EXIT_FAILED);
	assert_string_equal(failure.text, RELOAD_ERROR);
	expect_policy("GetPolicy", "enforce");
	server_order(&fixture->server, SERVER_RELOAD, RELOAD_FAILS);
	assert_int_equal(ask("Reload", &object, &failure), EXIT_FAILED);
	assert_non_null(strstr(failure.text, "Input/output error"));
	expect_policy("GetPolicy", "enforce");
	server_order(&fixture->server, SERVER_RELOAD, RELOAD_AUDIT);
	expect_policy("Reload", "audit");
}

/* The name of the error is part of the interface. */
static void test_error_name(void **state)
{
	struct bus_fixture *fixture = *state;
	sd_bus_message *call = NULL, *answer = NULL;
	struct client *client = open_client();
	sd_bus_error error = SD_BUS_ERROR_NULL;
	struct failure failure = {};

	server_order(&fixture->server, SERVER_RELOAD, RELOAD_REFUSED);
	assert_int_equal(client_method(client, &call, "Reload", &failure), EXIT_OK);
	assert_true(sd_bus_call(client->bus, call, 0, &error, &answer) < 0);
	assert_string_equal(error.name, "org.vfiowatch1.Error.PolicyRejected");
	assert_string_equal(error.message, RELOAD_ERROR);
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	client_close(client);
}

static void test_verdicts(void **state)
{
	struct bus_fixture *fixture = *state;
	struct json_object *rows, *row;

	server_order(&fixture->server, SERVER_MAP, 1);
	server_order(&fixture->server, SERVER_MAP_SYSFS, 16);
	rows = get_rows(ROWS_MAPPINGS, &(struct row_filter){});
	row = json_object_array_get_idx(rows, 1);
	assert_true(json_object_object_get_ex(row, "verdict", NULL));
	assert_null(row_value(row, "verdict"));
	json_object_put(rows);

	expect_policy("Reload", "enforce");
	rows = get_rows(ROWS_MAPPINGS, &(struct row_filter){});
	assert_string_equal(row_string(json_object_array_get_idx(rows, 0), "verdict"), "allow");
	row = json_object_array_get_idx(rows, 1);
	assert_string_equal(row_string(row, "verdict"), "deny");
	assert_string_equal(row_string(row, "rule"), "no-mix");
	json_object_put(rows);
	rows = get_rows(ROWS_CONFLICTS, &(struct row_filter){});
	assert_int_equal(json_object_array_length(rows), 1);
	assert_string_equal(row_string(json_object_array_get_idx(rows, 0), "rule"), "no-mix");
	json_object_put(rows);

	server_order(&fixture->server, SERVER_RELOAD, RELOAD_AUDIT);
	expect_policy("Reload", "audit");
	rows = get_rows(ROWS_MAPPINGS, &(struct row_filter){});
	assert_string_equal(row_string(json_object_array_get_idx(rows, 1), "verdict"), "would-deny");
	json_object_put(rows);
}

/* Decisions are events like all others, as rows and as capture frames. */
static void test_requests(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	sd_bus_message *answer = NULL;
	struct failure failure = {};
	size_t frames = 0, length;
	uint64_t next, skipped;
	const uint8_t *data;
	size_t size;

	server_order(&fixture->server, SERVER_REQUEST, 3);
	assert_int_equal(CALL(client, &answer, &failure, "ReadRecords", "tub", (uint64_t)0, 0, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_true(sd_bus_message_read_array(answer, 'y', (const void **)&data, &size) >= 0);
	for (size_t at = 0; (length = capture_frame_size(data + at, size - at)); at += length) {
		struct event_header header;

		memcpy(&header, data + at + 8, sizeof(header));
		frames += header.type == EVENT_REQUEST && header.size == event_size(EVENT_REQUEST);
	}
	assert_int_equal(frames, 6);
	sd_bus_message_unref(answer);

	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", (uint64_t)0, 0, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_true(count_strings(answer) >= 6);
	sd_bus_message_unref(answer);
	client_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_no_policy_yet), BUS_TEST(test_reload),   BUS_TEST(test_error_name),
		BUS_TEST(test_verdicts),      BUS_TEST(test_requests),
	};

	return cmocka_run_group_tests_name("bus_policy", tests, NULL, NULL);
}
