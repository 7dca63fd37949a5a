/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Who may call what over a message bus: every method that the daemon has, by root, by a member of the group
 * that may read, and by a stranger, as polkit and the rules of the message bus say.
 */

#include "message_bus.h"

#include <grp.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "cli/connect.h"
#include "sink/bus_internal.h"
#include "vfiowatch/bus.h"

#define METHODS_MAX 64

enum outcome { SERVED = 1, DENIED, CHALLENGED };

struct outcomes {
	char names[METHODS_MAX][32];
	enum outcome outcomes[METHODS_MAX];
	size_t n;
};

/* Something of every type that arguments have. A type that is new here makes the test fail. */
static void append_arguments(sd_bus_message *call, const char *signature)
{
	int r = -1;

	if (strcmp(signature, "") == 0)
		r = 0;
	else if (strcmp(signature, "a{sv}tu") == 0)
		r = sd_bus_message_append(call, signature, 0, 0ULL, 1);
	else if (strcmp(signature, "tub") == 0)
		r = sd_bus_message_append(call, signature, 0ULL, 1, 0);
	else if (strcmp(signature, "as") == 0)
		r = sd_bus_message_append(call, signature, 1, "00:01.0");
	else if (strcmp(signature, "s") == 0)
		r = sd_bus_message_append(call, signature, "openmetrics");
	if (r < 0)
		fail_msg("no arguments for %s", signature);
}

/* The methods of our interface, from what the daemon tells root of itself, with the types of their arguments.
 */
static size_t list_methods(const char *address, char names[][32], char signatures[][32])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *answer = NULL;
	sd_bus *bus = NULL;
	size_t n = 0;
	char *text, *line, *rest;
	bool ours = false;

	assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, address) >= 0 &&
		    sd_bus_set_bus_client(bus, true) >= 0 && sd_bus_start(bus) >= 0);
	assert_true(sd_bus_call_method(bus, BUS_NAME, BUS_PATH, "org.freedesktop.DBus.Introspectable",
				       "Introspect", &error, &answer, "") >= 0);
	assert_true(sd_bus_message_read(answer, "s", &text) >= 0);
	text = rest = strdup(text);
	while ((line = strsep(&rest, "\n"))) {
		char type[16];

		if (strstr(line, "<interface "))
			ours = strstr(line, "\"" BUS_INTERFACE "\"") != NULL;
		if (!ours)
			continue;
		assert_true(n < METHODS_MAX);
		if (sscanf(line, " <method name=\"%31[^\"]\"", names[n]) == 1)
			signatures[n++][0] = '\0';
		else if (strstr(line, "direction=\"in\"") &&
			 sscanf(line, " <arg type=\"%15[^\"]\"", type) == 1)
			strcat(signatures[n - 1], type);
	}
	free(text);
	sd_bus_message_unref(answer);
	sd_bus_flush_close_unref(bus);
	assert_true(n > 0);
	return n;
}

static enum outcome outcome_of(sd_bus *bus, const char *name, const char *signature)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL;
	enum outcome outcome = SERVED;

	assert_true(sd_bus_message_new_method_call(bus, &call, BUS_NAME, BUS_PATH, BUS_INTERFACE, name) >= 0);
	append_arguments(call, signature);
	if (sd_bus_call(bus, call, 0, &error, NULL) < 0) {
		outcome = 0;
		if (sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED))
			outcome = DENIED;
		else if (sd_bus_error_has_name(&error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
			outcome = CHALLENGED;
		else
			fprintf(stderr, "%s: %s\n", name, error.message);
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return outcome;
}

/* @uid, of @gid and no other group, calls everything. */
static struct outcomes call_all_as(struct message_bus *bus, uid_t uid, gid_t gid)
{
	struct outcomes outcomes = {};
	char signatures[METHODS_MAX][32];
	int fds[2], status;
	pid_t pid;

	outcomes.n = list_methods(bus->address, outcomes.names, signatures);
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		sd_bus *connection = NULL;

		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
		    sd_bus_open_system(&connection) < 0)
			_exit(1);
		for (size_t i = 0; i < outcomes.n; i++)
			outcomes.outcomes[i] = outcome_of(connection, outcomes.names[i], signatures[i]);
		if (write(fds[1], &outcomes, sizeof(outcomes)) != sizeof(outcomes))
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &outcomes, sizeof(outcomes)), sizeof(outcomes));
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return outcomes;
}

/* @reads of what only reads, @changes of all that is not known to do no more than that. */
static void expect(struct message_bus *bus, uid_t uid, gid_t gid, enum outcome reads, enum outcome changes)
{
	struct outcomes outcomes = call_all_as(bus, uid, gid);

	for (size_t i = 0; i < outcomes.n; i++) {
		const char *name = outcomes.names[i];
		bool changes_something = strncmp(name, "Get", 3) && strncmp(name, "List", 4) &&
					 strncmp(name, "Read", 4) && strcmp(name, "Probe") &&
					 strcmp(name, "Explain");

		if (outcomes.outcomes[i] != (changes_something ? changes : reads))
			fail_msg("%s by user %u of group %u: %d", name, uid, gid, outcomes.outcomes[i]);
	}
}

/* User and group of this number are in every Debian; a dbus-daemon lets nobody in that it finds no name of.
 */
#define STRANGER 1

static void start(struct message_bus *bus, struct server *server, bool lax)
{
	assert_int_equal(geteuid(), 0); /* as `make test` is to be run */
	bus->readers = true;
	bus->lax = lax;
	broker_start(bus);
	server_join(bus, server);
}

static void stop(struct message_bus *bus, struct server *server)
{
	server_stop(server);
	broker_stop(bus);
}

/* As it is installed, without polkit. */
static void test_without_polkit(void **state)
{
	struct server server;

	start(*state, &server, false);
	expect(*state, 0, 0, SERVED, SERVED);
	expect(*state, NOBODY, NOBODY, SERVED, DENIED);
	expect(*state, STRANGER, STRANGER, DENIED, DENIED);
	assert_int_equal(server_order(&server, SERVER_TELL, 0).stats.denied, 1);
	stop(*state, &server);
}

/* The message bus lets everybody through, the daemon does not. */
static void test_on_a_lax_bus(void **state)
{
	struct server server;

	start(*state, &server, true);
	expect(*state, 0, 0, SERVED, SERVED);
	expect(*state, NOBODY, NOBODY, SERVED, DENIED);
	expect(*state, STRANGER, STRANGER, DENIED, DENIED);
	/* Being of the right name is nothing, it is the group that counts. */
	expect(*state, NOBODY, STRANGER, DENIED, DENIED);
	expect(*state, STRANGER, NOBODY, SERVED, DENIED);
	stop(*state, &server);
}

/* polkit lets people do one thing and not the other. */
static void test_with_polkit(void **state)
{
	struct message_bus *bus = *state;
	struct server server;

	start(bus, &server, true);
	polkit_start(bus, POLKIT_YES, BUS_ACTION_CHANGE);
	expect(bus, 0, 0, SERVED, SERVED);
	expect(bus, NOBODY, NOBODY, SERVED, SERVED);
	expect(bus, STRANGER, STRANGER, DENIED, SERVED);
	polkit_stop(bus);
	polkit_start(bus, POLKIT_YES, BUS_ACTION_READ);
	expect(bus, NOBODY, NOBODY, SERVED, DENIED);
	expect(bus, STRANGER, STRANGER, SERVED, DENIED);
	polkit_stop(bus);
	polkit_start(bus, POLKIT_CHALLENGE, BUS_ACTION_CHANGE);
	expect(bus, 0, 0, SERVED, SERVED);
	expect(bus, NOBODY, NOBODY, SERVED, CHALLENGED);
	expect(bus, STRANGER, STRANGER, DENIED, CHALLENGED);
	polkit_stop(bus);
	stop(bus, &server);
}

/* The rules of the message bus come first: whom it does not let through, polkit is not asked about. */
static void test_polkit_is_not_all(void **state)
{
	struct message_bus *bus = *state;
	struct server server;

	start(bus, &server, false);
	polkit_start(bus, POLKIT_YES, BUS_ACTION_READ);
	expect(bus, STRANGER, STRANGER, DENIED, DENIED);
	polkit_stop(bus);
	assert_int_equal(server_order(&server, SERVER_TELL, 0).stats.calls, 0);
	stop(bus, &server);
}

/* One who is called, and whose answer is kept. */
struct asker {
	sd_bus *bus;
	sd_bus_message *answers[BUS_HELD_PER_CLIENT + 1];
	sd_bus_slot *slots[BUS_HELD_PER_CLIENT + 1];
};

static int keep_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(answer);
	return 1;
}

static void turn(struct asker *asker, sd_bus_message **until)
{
	while (!*until)
		if (sd_bus_process(asker->bus, NULL) == 0)
			assert_true(sd_bus_wait(asker->bus, UINT64_MAX) >= 0);
}

/* Connects as a reader who is not root. */
static void connect_as_reader(struct asker *asker)
{
	const char *name;

	assert_int_equal(setegid(NOBODY), 0);
	assert_int_equal(seteuid(NOBODY), 0);
	assert_true(sd_bus_open_system(&asker->bus) >= 0);
	assert_true(sd_bus_get_unique_name(asker->bus, &name) >= 0); /* then it is connected */
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
}

/*
 * polkit does not answer, and nothing waits for it: the daemon goes on with all else. One client has so many
 * calls there and no more; they are told no when polkit ends.
 */
static void test_polkit_hangs(void **state)
{
	struct message_bus *bus = *state;
	struct asker asker = {};
	struct server server;

	start(bus, &server, false);
	polkit_start(bus, POLKIT_SILENT, BUS_ACTION_CHANGE);
	connect_as_reader(&asker);
	for (unsigned int i = 0; i <= BUS_HELD_PER_CLIENT; i++)
		assert_true(sd_bus_call_method_async(asker.bus, &asker.slots[i], BUS_NAME, BUS_PATH,
						     BUS_INTERFACE, "Reload", keep_answer, &asker.answers[i],
						     "") >= 0);
	turn(&asker, &asker.answers[BUS_HELD_PER_CLIENT]);
	assert_true(sd_bus_error_has_name(sd_bus_message_get_error(asker.answers[BUS_HELD_PER_CLIENT]),
					  SD_BUS_ERROR_LIMITS_EXCEEDED));
	assert_int_equal(server_order(&server, SERVER_TELL, 0).stats.held, BUS_HELD_PER_CLIENT);
	expect(bus, 0, 0, SERVED, SERVED);
	server_order(&server, SERVER_MAP, 1);
	for (unsigned int i = 0; i < BUS_HELD_PER_CLIENT; i++)
		assert_null(asker.answers[i]);
	polkit_stop(bus);
	for (unsigned int i = 0; i < BUS_HELD_PER_CLIENT; i++) {
		turn(&asker, &asker.answers[i]);
		assert_true(sd_bus_error_has_name(sd_bus_message_get_error(asker.answers[i]),
						  SD_BUS_ERROR_ACCESS_DENIED));
	}
	assert_int_equal(server_order(&server, SERVER_TELL, 0).stats.held, 0);
	for (unsigned int i = 0; i <= BUS_HELD_PER_CLIENT; i++) {
		sd_bus_slot_unref(asker.slots[i]);
		sd_bus_message_unref(asker.answers[i]);
	}
	sd_bus_close_unref(asker.bus);
	stop(bus, &server);
}

/* The daemon ends while calls are held, and while polkit is asked. */
static void test_end_while_asking(void **state)
{
	struct message_bus *bus = *state;
	struct asker asker = {};
	struct server server;

	start(bus, &server, false);
	polkit_start(bus, POLKIT_SILENT, BUS_ACTION_CHANGE);
	connect_as_reader(&asker);
	assert_true(sd_bus_call_method_async(asker.bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE, "Reload",
					     keep_answer, &asker.answers[0], "") >= 0);
	while (server_order(&server, SERVER_TELL, 0).stats.held == 0)
		assert_true(sd_bus_process(asker.bus, NULL) >= 0);
	server_stop(&server);
	turn(&asker, &asker.answers[0]);
	assert_true(sd_bus_message_is_method_error(asker.answers[0], NULL));
	sd_bus_message_unref(asker.answers[0]);
	sd_bus_close_unref(asker.bus);
	polkit_stop(bus);
	broker_stop(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_without_polkit), BROKER_TEST(test_on_a_lax_bus),
		BROKER_TEST(test_with_polkit),    BROKER_TEST(test_polkit_is_not_all),
		BROKER_TEST(test_polkit_hangs),   BROKER_TEST(test_end_while_asking),
	};

	return cmocka_run_group_tests_name("bus_access", tests, NULL, NULL);
}
