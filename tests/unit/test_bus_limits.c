/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Clients that ask too much, or do not read what they are told. Every call gets an answer or the end of its
 * connection. */

#include "message_bus.h"

#include <errno.h>
#include <signal.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "sink/bus_internal.h"
#include "vfiowatch/bus.h"

#define CALLS 100000

/* So that the memory of the server is what it uses, not what the sanitizer keeps. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=1";
}

/* What a server may take for its clients: unread answers, and as much while one is made. */
#define MEMORY_MAX (3ULL * BUS_UNREAD_MAX)

static uint64_t memory_of(const struct server *server)
{
	unsigned long pages;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", server->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static sd_bus *connect_to(const char *address, bool message_bus)
{
	sd_bus *bus = NULL;

	assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, address) >= 0 &&
		    sd_bus_set_bus_client(bus, message_bus) >= 0 && sd_bus_start(bus) >= 0);
	return bus;
}

static sd_bus_message *new_call(sd_bus *bus, const char *member)
{
	sd_bus_message *call = NULL;

	assert_true(sd_bus_message_new_method_call(bus, &call, BUS_NAME, BUS_PATH, BUS_INTERFACE, member) >=
		    0);
	return call;
}

struct answers {
	unsigned int served, refused, other;
};

static int count_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	struct answers *answers = userdata;

	(void)error;
	if (!sd_bus_message_is_method_error(answer, NULL))
		answers->served++;
	else if (sd_bus_error_has_name(sd_bus_message_get_error(answer), SD_BUS_ERROR_LIMITS_EXCEEDED))
		answers->refused++;
	else
		answers->other++;
	return 1;
}

static unsigned int answered(const struct answers *answers)
{
	return answers->served + answers->refused + answers->other;
}

/* @in_flight calls at a time until @n are answered, all of them. Reports come in between. */
static struct answers flood(sd_bus *bus, struct server *server, unsigned int n, unsigned int in_flight)
{
	static const char *const members[] = {"GetStatus", "GetPolicy", "ReadState"};
	struct answers answers = {};
	unsigned int sent = 0, reports = 0;

	while (answered(&answers) < n) {
		int r;

		for (; sent < n && sent - answered(&answers) < in_flight; sent++) {
			sd_bus_message *call = new_call(bus, members[sent % 3]);

			assert_true(sd_bus_call_async(bus, NULL, call, count_answer, &answers, 0) >= 0);
			sd_bus_message_unref(call);
		}
		r = sd_bus_process(bus, NULL);
		assert_true(r >= 0);
		if (r == 0)
			assert_true(sd_bus_wait(bus, UINT64_MAX) >= 0);
		/* What the daemon has to do besides goes on. */
		if (answered(&answers) / 1000 > reports) {
			struct server_report report = server_order(server, SERVER_MAP, 1);

			assert_true(report.stats.held <= BUS_HELD_PER_CLIENT);
			reports++;
		}
	}
	assert_int_equal(answered(&answers), n);
	assert_int_equal(answers.other, 0);
	return answers;
}

static void start(struct message_bus *bus, struct server *server)
{
	broker_start(bus);
	server_join(bus, server);
}

static void stop(struct message_bus *bus, struct server *server)
{
	server_stop(server);
	broker_stop(bus);
}

static void peer_address(const struct message_bus *bus, char address[160])
{
	snprintf(address, 160, "unix:path=%s", bus->socket);
}

static void expect_served(sd_bus *bus)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = new_call(bus, "GetStatus");

	if (sd_bus_call(bus, call, UINT64_MAX, &error, NULL) < 0)
		fail_msg("another client is not served: %s", error.message);
	sd_bus_message_unref(call);
}

static void test_flood_on_the_socket(void **state)
{
	struct message_bus *bus = *state;
	struct answers answers;
	struct server server;
	char address[160];
	uint64_t before;
	sd_bus *client;

	start(bus, &server);
	peer_address(bus, address);
	client = connect_to(address, false);
	before = memory_of(&server);
	answers = flood(client, &server, CALLS, 256);
	assert_true(answers.served > 0);
	assert_true(memory_of(&server) < before + MEMORY_MAX);
	expect_served(client);
	sd_bus_flush_close_unref(client);
	stop(bus, &server);
}

/* The message bus lets a client have 128 calls under way. */
static void test_flood_on_the_message_bus(void **state)
{
	struct message_bus *bus = *state;
	sd_bus *client, *other;
	struct server server;
	uint64_t before;

	start(bus, &server);
	client = connect_to(bus->address, true);
	other = connect_to(bus->address, true);
	before = memory_of(&server);
	assert_true(flood(client, &server, CALLS / 4, 100).served > 0);
	assert_true(memory_of(&server) < before + MEMORY_MAX);
	expect_served(other);
	sd_bus_flush_close_unref(client);
	sd_bus_flush_close_unref(other);
	stop(bus, &server);
}

/* Sends calls until the other end has had enough of it, or @n were sent. */
static unsigned int send_without_reading(sd_bus *bus, const char *interface, const char *member,
					 unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		sd_bus_message *call = NULL;
		uint64_t cookie; /* asked for, or no answer would be expected */
		int r;

		assert_true(sd_bus_message_new_method_call(bus, &call, BUS_NAME, BUS_PATH, interface,
							   member) >= 0);
		r = sd_bus_send(bus, call, &cookie);
		sd_bus_message_unref(call);
		if (r < 0 || sd_bus_flush(bus) < 0)
			return i;
	}
	return n;
}

/* Also calls that sd-bus answers by itself. */
static void test_answers_are_not_read(void **state)
{
	static const struct {
		const char *interface, *member;
	} calls[] = {
		{BUS_INTERFACE, "GetStatus"},
		{BUS_INTERFACE, "NoSuchMethod"},
		{"org.freedesktop.DBus.Introspectable", "Introspect"},
	};
	struct message_bus *bus = *state;
	struct server server;
	char address[160];
	uint64_t before;

	signal(SIGPIPE, SIG_IGN);
	start(bus, &server);
	peer_address(bus, address);
	before = memory_of(&server);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		sd_bus *client = connect_to(address, false);

		assert_true(send_without_reading(client, calls[i].interface, calls[i].member, CALLS) < CALLS);
		while (server_order(&server, SERVER_TELL, 0).stats.peers_ended != i + 1)
			;
		assert_true(memory_of(&server) < before + BUS_UNREAD_MAX);
		sd_bus_close_unref(client);
	}
	stop(bus, &server);
}

/* So many that ReadState answers with half of what one answer carries. */
#define MAPPINGS 20000

#define CROWD    6

/* Bytes of the answer. */
static size_t read_state(sd_bus *bus)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = new_call(bus, "ReadState"), *answer = NULL;
	const void *records;
	uint64_t cursor;
	size_t size;

	if (sd_bus_call(bus, call, UINT64_MAX, &error, &answer) < 0)
		fail_msg("no state: %s", error.message);
	assert_true(sd_bus_message_read(answer, "t", &cursor) >= 0);
	assert_true(sd_bus_message_read_array(answer, 'y', &records, &size) >= 0);
	sd_bus_message_unref(call);
	sd_bus_message_unref(answer);
	return size;
}

/* Clients that leave large answers unread: they get no more than there is memory for, and do not lock out
 * others. */
static void test_large_answers_are_not_read(void **state)
{
	struct message_bus *bus = *state;
	sd_bus *clients[CROWD], *other;
	struct server server;
	char address[160];
	uint64_t before;

	start(bus, &server);
	peer_address(bus, address);
	server_order(&server, SERVER_MAP, MAPPINGS);
	before = memory_of(&server);
	other = connect_to(address, false);
	assert_true((CROWD - 1) * read_state(other) > BUS_UNREAD_MAX - BUS_STATE_MAX);
	for (size_t i = 0; i < CROWD; i++) {
		clients[i] = connect_to(address, false);
		assert_int_equal(send_without_reading(clients[i], BUS_INTERFACE, "ReadState", 1), 1);
	}
	while (server_order(&server, SERVER_TELL, 0).stats.calls != CROWD + 1)
		;
	/* What is short is told at once. */
	expect_served(other);
	read_state(other);
	assert_true(server_order(&server, SERVER_TELL, 0).stats.peers_ended > 0);
	assert_true(memory_of(&server) < before + MEMORY_MAX);
	for (size_t i = 0; i < CROWD; i++)
		sd_bus_close_unref(clients[i]);
	sd_bus_flush_close_unref(other);
	stop(bus, &server);
}

/*
 * A dbus-daemon that holds too much of ours for one client reads no more from us, for nobody. The daemon
 * leaves it then and joins it anew.
 */
static void test_message_bus_takes_no_answers(void **state)
{
	struct message_bus *bus = *state;
	unsigned int asked = 0;
	sd_bus *client, *other;
	struct server server;
	uint64_t before;

	bus->small = true;
	start(bus, &server);
	server_order(&server, SERVER_MAP, MAPPINGS / 8);
	before = memory_of(&server);
	client = connect_to(bus->address, true);
	other = connect_to(bus->address, true);
	expect_served(other);
	while (server_order(&server, SERVER_TELL, 0).stats.rejoined == 0) {
		if (asked < 8 && server_order(&server, SERVER_TELL, 0).stats.held < BUS_HELD_PER_CLIENT) {
			assert_int_equal(send_without_reading(client, BUS_INTERFACE, "ReadState", 1), 1);
			asked++;
		}
		usleep(10000);
	}
	await_system(&server, BUS_SYSTEM_ON);
	assert_true(memory_of(&server) < before + MEMORY_MAX);
	expect_served(other);
	sd_bus_close_unref(client);
	sd_bus_flush_close_unref(other);
	stop(bus, &server);
}

/* The end of the daemon does not wait for those who do not read. */
static void test_end_with_unread_answers(void **state)
{
	struct message_bus *bus = *state;
	struct server server;
	char address[160];
	sd_bus *client;

	start(bus, &server);
	peer_address(bus, address);
	server_order(&server, SERVER_MAP, MAPPINGS / 8);
	client = connect_to(address, false);
	assert_int_equal(send_without_reading(client, BUS_INTERFACE, "ReadState", 1), 1);
	while (server_order(&server, SERVER_TELL, 0).stats.calls != 1)
		;
	stop(bus, &server);
	sd_bus_close_unref(client);
}

/* What wants no answer is not looked up. */
static void test_no_answer_wanted(void **state)
{
	struct message_bus *bus = *state;
	struct server_report before, after;
	struct server server;
	char address[160];
	sd_bus *client;

	start(bus, &server);
	peer_address(bus, address);
	client = connect_to(address, false);
	before = server_order(&server, SERVER_TELL, 0);
	for (unsigned int i = 0; i < 100; i++) {
		sd_bus_message *call = new_call(client, "ReadState");

		assert_true(sd_bus_send(client, call, NULL) >= 0);
		sd_bus_message_unref(call);
	}
	expect_served(client);
	after = server_order(&server, SERVER_TELL, 0);
	assert_int_equal(after.stats.calls - before.stats.calls, 101);
	assert_int_equal(after.refreshes - before.refreshes, 1);
	sd_bus_flush_close_unref(client);
	stop(bus, &server);
}

/* Who used much time has to wait, and nobody else. The second call comes when the first was only just served.
 */
static void test_time_is_shared(void **state)
{
	struct message_bus *bus = *state;
	struct answers answers = {};
	struct server server;
	sd_bus *client, *other;
	char address[160];
	bool waited = false;

	start(bus, &server);
	peer_address(bus, address);
	client = connect_to(address, false);
	other = connect_to(address, false);
	expect_served(other);
	server_order(&server, SERVER_BURN, 1000);
	for (unsigned int i = 0; i < 2; i++) {
		sd_bus_message *call = new_call(client, "GetStatus");

		assert_true(sd_bus_call_async(client, NULL, call, count_answer, &answers, UINT64_MAX) >= 0);
		sd_bus_message_unref(call);
	}
	while (answers.served < 2) {
		assert_true(sd_bus_process(client, NULL) >= 0);
		if (!waited && server_order(&server, SERVER_TELL, 0).stats.held > 0) {
			expect_served(other);
			waited = true;
		}
	}
	assert_true(waited);
	assert_int_equal(answered(&answers), 2);
	sd_bus_flush_close_unref(client);
	sd_bus_flush_close_unref(other);
	stop(bus, &server);
}

static int run_long(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	uint64_t began = share_begin();

	(void)call, (void)userdata, (void)error;
	while (share_begin() - began < 300 * 1000)
		;
	return 0;
}

static bool has_turn_after(bool is_root, bool follows)
{
	const struct method method = {.access = ACCESS_READ, .follows = follows, .run = run_long};
	struct share share = {.is_root = is_root};

	assert_int_equal(share_run(NULL, &share, &method, NULL, NULL), 0);
	return share_has_turn(&share);
}

/* Root that follows the events is not held back, or it would lose some. */
static void test_events_are_followed(void **state)
{
	(void)state;
	assert_false(has_turn_after(false, false));
	assert_false(has_turn_after(true, false));
	assert_false(has_turn_after(false, true));
	assert_true(has_turn_after(true, true));
}

static struct answers call_once(sd_bus *client, const char *word)
{
	struct answers answers = {};
	sd_bus_message *call = new_call(client, "Explain");

	assert_true(sd_bus_message_append(call, "as", 2, word, word) >= 0);
	assert_true(sd_bus_call_async(client, NULL, call, count_answer, &answers, 0) >= 0);
	sd_bus_message_unref(call);
	while (answered(&answers) == 0)
		assert_true(sd_bus_process(client, NULL) > 0 || sd_bus_wait(client, UINT64_MAX) >= 0);
	return answers;
}

/* A call with long arguments is looked at, but not kept: the first one of a client, of whom it is not known
 * who he is. */
static void test_long_arguments_are_not_kept(void **state)
{
	struct message_bus *bus = *state;
	char word[BUS_ARGUMENTS_MAX + 1];
	struct server server;
	sd_bus *client;

	memset(word, '1', BUS_ARGUMENTS_MAX);
	word[BUS_ARGUMENTS_MAX] = '\0';
	start(bus, &server);
	client = connect_to(bus->address, true);
	assert_int_equal(call_once(client, word).refused, 1);
	expect_served(client);
	assert_int_equal(call_once(client, word).other, 1); /* there is no such process */
	sd_bus_flush_close_unref(client);
	stop(bus, &server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_flood_on_the_socket),
		BROKER_TEST(test_flood_on_the_message_bus),
		BROKER_TEST(test_answers_are_not_read),
		BROKER_TEST(test_large_answers_are_not_read),
		BROKER_TEST(test_message_bus_takes_no_answers),
		BROKER_TEST(test_end_with_unread_answers),
		BROKER_TEST(test_no_answer_wanted),
		BROKER_TEST(test_time_is_shared),
		cmocka_unit_test(test_events_are_followed),
		BROKER_TEST(test_long_arguments_are_not_kept),
	};

	return cmocka_run_group_tests_name("bus_limits", tests, NULL, NULL);
}
