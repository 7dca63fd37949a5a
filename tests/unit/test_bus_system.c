/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The bus of the daemon on a message bus: a dbus-daemon of the test's own, with the policy that is installed.
 */

#include "message_bus.h"

#include <systemd/sd-bus.h>

#include "cli/connect.h"
#include "cli/rows.h"
#include "vfiowatch/bus.h"

static enum exit_code count_devices(size_t *ret)
{
	const struct options options = {};
	struct failure failure = {};
	struct json_object *rows = NULL;
	enum exit_code code = rows_get(ROWS_DEVICES, &options, &rows, &failure);

	*ret = code == EXIT_OK ? json_object_array_length(rows) : 0;
	json_object_put(rows);
	return code;
}

static void test_served_on_the_bus(void **state)
{
	struct message_bus *fixture = *state;
	struct server server;
	size_t n;

	broker_start(fixture);
	assert_int_equal(count_devices(&n), EXIT_NO_DAEMON);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	assert_int_equal(count_devices(&n), EXIT_OK);
	assert_int_equal(n, 1);
	server_stop(&server);
	assert_int_equal(count_devices(&n), EXIT_NO_DAEMON);
	broker_stop(fixture);
}

static int keep_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(answer);
	return 1;
}

static struct client *start_waiting(struct server *server, sd_bus_message **answer)
{
	const struct options options = {};
	struct failure failure = {};
	struct client *client = NULL;
	sd_bus_message *call = NULL;

	assert_int_equal(client_open(&client, &options, &failure), EXIT_OK);
	assert_int_equal(client_method(client, &call, "ReadEvents", &failure), EXIT_OK);
	assert_true(sd_bus_message_append(call, "tub", BUS_CURSOR_NOW, 0, 1) >= 0);
	assert_true(sd_bus_call_async(client->bus, NULL, call, keep_answer, answer, 0) >= 0);
	sd_bus_message_unref(call);
	while (server_order(server, SERVER_TELL, 0).stats.waits != 1)
		assert_true(sd_event_run(client->event, 1000) >= 0);
	return client;
}

static void test_waiting_over_the_bus(void **state)
{
	struct message_bus *fixture = *state;
	sd_bus_message *answer = NULL;
	struct client *client;
	struct server server;

	broker_start(fixture);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	client = start_waiting(&server, &answer);
	server_order(&server, SERVER_MAP, 1);
	while (!answer)
		assert_true(sd_event_run(client->event, UINT64_MAX) >= 0);
	assert_false(sd_bus_message_is_method_error(answer, NULL));
	sd_bus_message_unref(answer);
	client_close(client);

	/* The daemon's connection stays, the client's end is told by the bus. */
	client_close(start_waiting(&server, &answer));
	while (server_order(&server, SERVER_TELL, 0).stats.waits != 0)
		;
	server_stop(&server);
	broker_stop(fixture);
}

static void test_name_is_taken(void **state)
{
	struct message_bus *fixture = *state;
	struct server first, second;
	char path[128];
	size_t n;

	broker_start(fixture);
	snprintf(path, sizeof(path), "%s/second", fixture->directory);
	assert_int_equal(server_start(&first, fixture->socket, 16, true), 0);
	await_system(&first, BUS_SYSTEM_ON);
	assert_int_equal(server_start(&second, path, 16, true), 0);
	await_system(&second, BUS_SYSTEM_REFUSED);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", path, 1), 0);
	assert_int_equal(count_devices(&n), EXIT_OK);
	server_stop(&second);
	server_stop(&first);
	broker_stop(fixture);
}

static void test_without_a_bus(void **state)
{
	struct message_bus *fixture = *state;
	struct server server;
	size_t n;

	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	assert_int_equal(await_system(&server, BUS_SYSTEM_AWAY).stats.peers, 0);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(count_devices(&n), EXIT_OK);
	server_stop(&server);
}

static void test_bus_goes_away(void **state)
{
	struct message_bus *fixture = *state;
	sd_bus_message *answer = NULL;
	struct client *client;
	struct server server;
	size_t n;

	broker_start(fixture);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	client = start_waiting(&server, &answer);
	broker_stop(fixture);
	assert_int_equal(await_system(&server, BUS_SYSTEM_AWAY).stats.waits, 0);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(count_devices(&n), EXIT_OK);
	client_close(client);
	sd_bus_message_unref(answer);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_served_on_the_bus), BROKER_TEST(test_waiting_over_the_bus),
		BROKER_TEST(test_name_is_taken),     BROKER_TEST(test_without_a_bus),
		BROKER_TEST(test_bus_goes_away),
	};

	return cmocka_run_group_tests_name("bus_system", tests, NULL, NULL);
}
