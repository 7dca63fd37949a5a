/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The socket of the bus and those at its other end: waiting, crowding, garbage, a second daemon. */

#include "bus_client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int keep_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(answer);
	return 1;
}

/* Sends a waiting call and turns until the server has it. */
static sd_bus_slot *send_wait(struct client *client, const char *member, struct server *server,
			      uint64_t waits, sd_bus_message **answer)
{
	struct failure failure = {};
	sd_bus_message *call = NULL;
	sd_bus_slot *slot = NULL;

	*answer = NULL;
	assert_int_equal(client_method(client, &call, member, &failure), EXIT_OK);
	assert_true(sd_bus_message_append(call, "tub", BUS_CURSOR_NOW, 0, 1) >= 0);
	assert_true(sd_bus_call_async(client->bus, &slot, call, keep_answer, answer, 0) >= 0);
	sd_bus_message_unref(call);
	while (!*answer && server_order(server, SERVER_TELL, 0).stats.waits != waits)
		assert_true(sd_event_run(client->event, 1000) >= 0);
	return slot;
}

static void await_answer(struct client *client, sd_bus_message **answer)
{
	while (!*answer)
		assert_true(sd_event_run(client->event, UINT64_MAX) >= 0);
}

static void test_waiting_for_events(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	sd_bus_message *rows, *records;
	sd_bus_slot *rows_slot = send_wait(client, "ReadEvents", &fixture->server, 1, &rows);
	sd_bus_slot *records_slot = send_wait(client, "ReadRecords", &fixture->server, 2, &records);
	uint64_t next, skipped;
	const void *data;
	size_t size;

	assert_null(rows);
	assert_null(records);
	server_order(&fixture->server, SERVER_MAP, 3);
	await_answer(client, &rows);
	await_answer(client, &records);
	assert_true(sd_bus_message_read(rows, "tt", &next, &skipped) >= 0);
	assert_int_equal(count_strings(rows), 3);
	assert_true(sd_bus_message_read(records, "tt", &next, &skipped) >= 0);
	assert_true(sd_bus_message_read_array(records, 'y', &data, &size) >= 0);
	assert_int_equal(size, 3 * (8 + event_size(EVENT_MAP)));
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).stats.waits, 0);
	sd_bus_slot_unref(rows_slot);
	sd_bus_slot_unref(records_slot);
	sd_bus_message_unref(rows);
	sd_bus_message_unref(records);
	client_close(client);
}

static void test_client_gone_while_waiting(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client(), *other = open_client();
	sd_bus_message *answer, *other_answer;
	sd_bus_slot *slot = send_wait(client, "ReadEvents", &fixture->server, 1, &answer);
	sd_bus_slot *other_slot = send_wait(other, "ReadEvents", &fixture->server, 2, &other_answer);

	sd_bus_slot_unref(slot);
	client_close(client);
	await_stats(&fixture->server, 1, 1);
	server_order(&fixture->server, SERVER_MAP, 1);
	await_answer(other, &other_answer);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), 1);
	sd_bus_slot_unref(other_slot);
	sd_bus_message_unref(other_answer);
	client_close(other);
}

static void test_waits_are_bounded(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *clients[BUS_WAITS_MAX / BUS_WAITS_PER_CLIENT + 1];
	sd_bus_message *answers[BUS_WAITS_MAX + 2] = {};
	sd_bus_slot *slots[BUS_WAITS_MAX + 2];
	unsigned int n = 0, extra;

	for (unsigned int i = 0; i <= BUS_WAITS_MAX / BUS_WAITS_PER_CLIENT; i++)
		clients[i] = open_client();
	for (; n < BUS_WAITS_MAX; n++)
		slots[n] = send_wait(clients[n / BUS_WAITS_PER_CLIENT], "ReadEvents", &fixture->server, n + 1,
				     &answers[n]);
	/* One more of a client that has its share, and one more of a client that has none. */
	for (extra = 0; extra < 2; extra++) {
		unsigned int i = BUS_WAITS_MAX + extra;
		struct client *client = clients[extra ? BUS_WAITS_MAX / BUS_WAITS_PER_CLIENT : 0];

		slots[i] = send_wait(client, "ReadEvents", &fixture->server, UINT64_MAX, &answers[i]);
		assert_true(sd_bus_error_has_name(sd_bus_message_get_error(answers[i]),
						  SD_BUS_ERROR_LIMITS_EXCEEDED));
	}
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).stats.waits_refused, 2);
	server_order(&fixture->server, SERVER_MAP, 1);
	for (unsigned int i = 0; i < BUS_WAITS_MAX; i++)
		await_answer(clients[i / BUS_WAITS_PER_CLIENT], &answers[i]);
	for (unsigned int i = 0; i < BUS_WAITS_MAX + 2; i++) {
		sd_bus_slot_unref(slots[i]);
		sd_bus_message_unref(answers[i]);
	}
	for (unsigned int i = 0; i <= BUS_WAITS_MAX / BUS_WAITS_PER_CLIENT; i++)
		client_close(clients[i]);
}

static int connect_raw(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_many_connections(void **state)
{
	struct bus_fixture *fixture = *state;
	struct server_report report;
	struct failure failure = {};
	const struct options options = {};
	struct json_object *rows;
	int fds[200];

	for (size_t i = 0; i < 200; i++)
		fds[i] = connect_raw(fixture->socket);
	do
		report = server_order(&fixture->server, SERVER_TELL, 0);
	while (report.stats.peers + report.stats.peers_refused < 200);
	assert_int_equal(report.stats.peers, BUS_PEERS_MAX);
	assert_int_equal(report.stats.peers_refused, 200 - BUS_PEERS_MAX);
	if (rows_get(ROWS_MAPPINGS, &options, &rows, &failure) != EXIT_NO_DAEMON)
		fail_msg("with all connections taken: %s", failure.text);

	for (size_t i = 0; i < 200; i++)
		close(fds[i]);
	await_stats(&fixture->server, 0, 0);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), 0);
}

/* Bytes that are no D-Bus end that connection and nothing else. */
static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"",
		"x",
		"GET / HTTP/1.1\r\n\r\n",
		"AUTH EXTERNAL\r\n",
		"BEGIN\r\n",
		"AUTH EXTERNAL "
		"30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22",
	};
	struct bus_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		int fd = connect_raw(fixture->socket);

		assert_int_equal(send(fd, "", 1, MSG_NOSIGNAL), 1);
		(void)!send(fd, garbage[i], strlen(garbage[i]), MSG_NOSIGNAL);
		close(fd);
	}
	await_stats(&fixture->server, 0, 0);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), 0);
}

/* A client that asks and asks and never reads: it is refused more, and the others are served. */
static void test_client_that_does_not_read(void **state)
{
	struct bus_fixture *fixture = *state;
	struct client *client = open_client();
	struct failure failure = {};
	sd_bus_message *answer = NULL, *last = NULL;
	sd_bus_slot *slot = NULL;

	server_order(&fixture->server, SERVER_MAP, BUS_ROWS_MAX);
	for (unsigned int i = 0; i < 40; i++) {
		sd_bus_message *call = NULL;
		uint64_t cookie; /* asked for, or no answer would be expected */

		assert_int_equal(client_method(client, &call, "ListMappings", &failure), EXIT_OK);
		assert_true(sd_bus_message_append(call, "a{sv}tu", 0, 0ULL, 0) >= 0);
		assert_true(i < 39 ? sd_bus_send(client->bus, call, &cookie) >= 0
				   : sd_bus_call_async(client->bus, &slot, call, keep_answer, &last, 0) >= 0);
		sd_bus_message_unref(call);
		assert_true(sd_bus_flush(client->bus) >= 0);
	}
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), BUS_ROWS_MAX);
	while (server_order(&fixture->server, SERVER_TELL, 0).stats.calls <
	       42) /* a full page makes the other client ask again */
		;
	await_answer(client, &last);
	assert_true(sd_bus_error_has_name(sd_bus_message_get_error(last), SD_BUS_ERROR_LIMITS_EXCEEDED));
	/* Having read them, also those that are still to come, it is served again. */
	while (server_order(&fixture->server, SERVER_TELL, 0).stats.held > 0)
		assert_true(sd_event_run(client->event, 1000) >= 0);
	assert_int_equal(CALL(client, &answer, &failure, "ListMappings", "a{sv}tu", 0, 0ULL, 1), EXIT_OK);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(last);
	sd_bus_slot_unref(slot);
	client_close(client);
}

static void test_socket_is_for_root_only(void **state)
{
	struct bus_fixture *fixture = *state;
	struct stat status;
	char path[128];

	assert_int_equal(lstat(fixture->socket, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/run", fixture->directory);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 022, 0);
}

static void test_second_daemon(void **state)
{
	struct bus_fixture *fixture = *state;
	struct server second;

	assert_int_equal(server_start(&second, fixture->socket, BUS_HISTORY, false), -EADDRINUSE);
	assert_int_equal(count_rows(ROWS_DEVICES, (struct row_filter){}), 1);
	server_kill(&fixture->server);
	assert_int_equal(access(fixture->socket, F_OK), 0);
	assert_int_equal(server_start(&fixture->server, fixture->socket, BUS_HISTORY, false), 0);
	assert_int_equal(count_rows(ROWS_DEVICES, (struct row_filter){}), 1);
}

static void test_bad_socket_paths(void **state)
{
	struct bus_fixture *fixture = *state;
	struct server other;
	char path[256];
	int fd;

	assert_int_equal(server_start(&other, "relative/bus", 16, false), -EINVAL);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[200] = '\0';
	assert_int_equal(server_start(&other, path, 16, false), -ENAMETOOLONG);

	snprintf(path, sizeof(path), "%s/file", fixture->directory);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(server_start(&other, path, 16, false), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);

	/* A listener that knows nothing of the lock. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/other", fixture->directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(server_start(&other, address.sun_path, 16, false), -EADDRINUSE);
	close(fd);
	assert_int_equal(server_start(&other, address.sun_path, 16, false), 0);
	server_stop(&other);

	assert_int_equal(chmod(fixture->directory, 0777), 0);
	snprintf(path, sizeof(path), "%s/bus", fixture->directory);
	assert_int_equal(server_start(&other, path, 16, false), -EPERM);
	assert_int_equal(chmod(fixture->directory, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_waiting_for_events),
		BUS_TEST(test_client_gone_while_waiting),
		BUS_TEST(test_waits_are_bounded),
		BUS_TEST(test_many_connections),
		BUS_TEST(test_garbage),
		BUS_TEST(test_client_that_does_not_read),
		BUS_TEST(test_socket_is_for_root_only),
		BUS_TEST(test_second_daemon),
		BUS_TEST(test_bad_socket_paths),
	};

	return cmocka_run_group_tests_name("bus_peers", tests, NULL, NULL);
}
