/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The bus of the daemon over its socket, and the client code of the command line against it. */

#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bus_server.h"
#include "capture.h"
#include "cli/connect.h"
#include "cli/replay.h"
#include "cli/rows.h"
#include "cli/value.h"
#include "vfiowatch/bus.h"

#define HISTORY 16384

struct fixture {
	char directory[64], socket[96];
	struct server server;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/run/bus", fixture->directory);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(server_start(&fixture->server, fixture->socket, HISTORY, false), 0);
	*state = fixture;
	return 0;
}

/* Whatever a test leaves in the directory but the server's own makes rmdir fail. */
static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	server_stop(&fixture->server);
	snprintf(path, sizeof(path), "%s/run", fixture->directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static struct client *open_client(void)
{
	const struct options options = {};
	struct failure failure = {};
	struct client *client = NULL;

	assert_int_equal(client_open(&client, &options, &failure), EXIT_OK);
	return client;
}

/* Calls with arguments as sd_bus_message_append() takes them. Returns the exit code; *ret only if EXIT_OK. */
#define CALL(client, ret, failure, member, ...)                                                              \
	({                                                                                                   \
		sd_bus_message *call_ = NULL;                                                                \
		enum exit_code code_;                                                                        \
		assert_int_equal(client_method(client, &call_, member, failure), EXIT_OK);                   \
		assert_true(sd_bus_message_append(call_, __VA_ARGS__) >= 0);                                 \
		code_ = client_call(client, call_, ret, failure);                                            \
		sd_bus_message_unref(call_);                                                                 \
		code_;                                                                                       \
	})

static void test_status_and_probe(void **state)
{
	struct client *client = open_client();
	struct failure failure = {};
	struct json_object *object = NULL;
	uint64_t number;

	(void)state;
	assert_int_equal(client_get_object(client, "GetStatus", &object, &failure), EXIT_OK);
	assert_true(row_number(object, "uptime", &number));
	assert_int_equal(number, 2);
	assert_int_equal(json_object_array_length(row_value(object, "degraded")), 1);
	json_object_put(object);
	assert_int_equal(client_get_object(client, "Probe", &object, &failure), EXIT_OK);
	assert_int_equal(json_object_array_length(row_value(object, "checks")), 1);
	json_object_put(object);
	client_close(client);
}

static struct json_object *get_rows(enum row_list list, const struct row_filter *filter)
{
	struct options options = {.filter = *filter};
	struct failure failure = {};
	struct json_object *rows = NULL;

	assert_int_equal(rows_get(list, &options, &rows, &failure), EXIT_OK);
	return rows;
}

static size_t count_rows(enum row_list list, struct row_filter filter)
{
	struct json_object *rows = get_rows(list, &filter);
	size_t n = json_object_array_length(rows);

	json_object_put(rows);
	return n;
}

static void test_pages(void **state)
{
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;

	server_order(&fixture->server, SERVER_MAP, BUS_ROWS_MAX);
	assert_int_equal(count_rows(ROWS_MAPPINGS, (struct row_filter){}), BUS_ROWS_MAX);
}

static void test_lists_and_filters(void **state)
{
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;

	count_rows(ROWS_MAPPINGS, (struct row_filter){});
	assert_true(server_order(&fixture->server, SERVER_TELL, 0).last_refresh & BUS_REFRESH_MAPPINGS);
	count_rows(ROWS_DEVICES, (struct row_filter){});
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).last_refresh, BUS_REFRESH_ALL);
}

static void test_failed_refresh_is_no_answer(void **state)
{
	struct fixture *fixture = *state;
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

static size_t count_strings(sd_bus_message *answer)
{
	const char *text;
	size_t n = 0;

	assert_true(sd_bus_message_enter_container(answer, 'a', "s") > 0);
	while (sd_bus_message_read(answer, "s", &text) > 0)
		n++;
	return n;
}

static void test_events_from_a_cursor(void **state)
{
	struct fixture *fixture = *state;
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
	end = server_order(&fixture->server, SERVER_MAP, HISTORY + 100).history_end;
	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", next, 1, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(skipped, 106);
	assert_int_equal(next, end - HISTORY + 1);
	sd_bus_message_unref(answer);

	assert_int_equal(CALL(client, &answer, &failure, "ReadEvents", "tub", BUS_CURSOR_NOW, 0, 0), EXIT_OK);
	assert_true(sd_bus_message_read(answer, "tt", &next, &skipped) >= 0);
	assert_int_equal(next, end);
	assert_int_equal(count_strings(answer), 0);
	sd_bus_message_unref(answer);
	client_close(client);
}

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
	struct fixture *fixture = *state;
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

static void await_stats(struct server *server, uint64_t peers, uint64_t waits)
{
	struct server_report report;

	do
		report = server_order(server, SERVER_TELL, 0);
	while (report.stats.peers != peers || report.stats.waits != waits);
}

static void test_client_gone_while_waiting(void **state)
{
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;

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
	struct fixture *fixture = *state;
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
	/* Having read them it is served again. */
	assert_int_equal(CALL(client, &answer, &failure, "ListMappings", "a{sv}tu", 0, 0ULL, 1), EXIT_OK);
	sd_bus_message_unref(answer);
	sd_bus_message_unref(last);
	sd_bus_slot_unref(slot);
	client_close(client);
}

static void test_state_rebuilds_the_ledger(void **state)
{
	struct fixture *fixture = *state;
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
	assert_int_equal(client_call(client, call, &answer, &failure), EXIT_OK);
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

static void test_socket_is_for_root_only(void **state)
{
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;
	struct server second;

	assert_int_equal(server_start(&second, fixture->socket, HISTORY, false), -EADDRINUSE);
	assert_int_equal(count_rows(ROWS_DEVICES, (struct row_filter){}), 1);
	server_kill(&fixture->server);
	assert_int_equal(access(fixture->socket, F_OK), 0);
	assert_int_equal(server_start(&fixture->server, fixture->socket, HISTORY, false), 0);
	assert_int_equal(count_rows(ROWS_DEVICES, (struct row_filter){}), 1);
}

static void test_bad_socket_paths(void **state)
{
	struct fixture *fixture = *state;
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status_and_probe),
		TEST(test_pages),
		TEST(test_full_last_page),
		TEST(test_lists_and_filters),
		TEST(test_what_is_refreshed),
		TEST(test_failed_refresh_is_no_answer),
		TEST(test_bad_arguments),
		TEST(test_events_from_a_cursor),
		TEST(test_waiting_for_events),
		TEST(test_client_gone_while_waiting),
		TEST(test_waits_are_bounded),
		TEST(test_many_connections),
		TEST(test_garbage),
		TEST(test_client_that_does_not_read),
		TEST(test_state_rebuilds_the_ledger),
		TEST(test_socket_is_for_root_only),
		TEST(test_second_daemon),
		TEST(test_bad_socket_paths),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
