/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The bus of the daemon on a message bus: a dbus-daemon of the test's own, with the policy that is installed.
 */

#include "events.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bus_server.h"
#include "cli/connect.h"
#include "cli/rows.h"
#include "vfiowatch/bus.h"

#define POLICY "systemd/org.vfiowatch1.conf" /* tests run in the top directory */

static const char *policy_file = POLICY;

struct fixture {
	char directory[64], socket[96], address[128];
	pid_t broker;
};

static void write_configuration(const struct fixture *fixture, const char *path)
{
	char policy[4096];
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_non_null(realpath(policy_file, policy));
	fprintf(file,
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" "
		"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>\n"
		"<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/><allow "
		"send_type=\"signal\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"error\"/><allow "
		"receive_type=\"method_call\"/>"
		"<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow "
		"receive_type=\"signal\"/>"
		"<allow send_destination=\"org.freedesktop.DBus\"/></policy>\n"
		"<include>%s</include></busconfig>\n",
		fixture->address, policy);
	assert_int_equal(fclose(file), 0);
}

static void start_broker(struct fixture *fixture)
{
	char path[128], option[160], line[256];
	FILE *ready;
	int fds[2];

	snprintf(path, sizeof(path), "%s/bus.conf", fixture->directory);
	write_configuration(fixture, path);
	snprintf(option, sizeof(option), "--config-file=%s", path);
	assert_int_equal(pipe(fds), 0);
	fixture->broker = fork();
	assert_true(fixture->broker >= 0);
	if (fixture->broker == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--nopidfile", "--nosyslog",
		       "--print-address=1", NULL);
		perror("dbus-daemon, of the Debian package of that name");
		_exit(127);
	}
	close(fds[1]);
	ready = fdopen(fds[0], "r");
	assert_non_null(ready);
	assert_non_null(fgets(line, sizeof(line), ready));
	fclose(ready);
	unlink(path);
}

static void stop_broker(struct fixture *fixture)
{
	assert_int_equal(kill(fixture->broker, SIGKILL), 0);
	assert_int_equal(waitpid(fixture->broker, NULL, 0), fixture->broker);
	(void)unlink(strchr(fixture->address, '/'));
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/peer", fixture->directory);
	snprintf(fixture->address, sizeof(fixture->address), "unix:path=%s/dbus", fixture->directory);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", fixture->address, 1), 0);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->address, 1), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static struct server_report await_system(struct server *server, enum bus_system_state state)
{
	struct server_report report;

	do
		report = server_order(server, SERVER_TELL, 0);
	while (report.stats.system != state);
	return report;
}

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
	struct fixture *fixture = *state;
	struct server server;
	size_t n;

	start_broker(fixture);
	assert_int_equal(count_devices(&n), EXIT_NO_DAEMON);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	assert_int_equal(count_devices(&n), EXIT_OK);
	assert_int_equal(n, 1);
	server_stop(&server);
	assert_int_equal(count_devices(&n), EXIT_NO_DAEMON);
	stop_broker(fixture);
}

/* A user who is not root, and of the group that may ask: of the policy the group's name is replaced. */
#define NOBODY    65534
#define HIS_GROUP "nogroup"

/* @lax: without the rule about who may reload. */
static void write_policy_for(const struct fixture *fixture, const char *group, bool lax, char path[128])
{
	char line[512], *name;
	FILE *from = fopen(POLICY, "re"), *to;
	unsigned int replaced = 0;

	snprintf(path, 128, "%s/policy.conf", fixture->directory);
	to = fopen(path, "we");
	assert_non_null(from);
	assert_non_null(to);
	while (fgets(line, sizeof(line), from)) {
		if (lax && strstr(line, "send_member=\"Reload\""))
			continue;
		name = strstr(line, "group=\"vfiowatch\"");
		if (name) {
			*name = '\0';
			fprintf(to, "%sgroup=\"%s\"%s", line, group, name + strlen("group=\"vfiowatch\""));
			replaced++;
		} else {
			fputs(line, to);
		}
	}
	fclose(from);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(replaced, 1);
}

/* What becomes of a call of @member by root, or by nobody: 0, or 1 if it is denied; other failures are above.
 */
static int call_as(uid_t uid, const char *member)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct options options = {};
		struct json_object *object = NULL;
		struct client *client = NULL;
		struct failure failure = {};

		if (uid && (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(2);
		if (client_open(&client, &options, &failure) != EXIT_OK)
			_exit(3);
		if (client_get_object(client, member, &object, &failure) == EXIT_OK)
			_exit(0);
		_exit(strstr(failure.text, "access denied") ? 1 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void ask_in_turns(struct fixture *fixture, bool lax)
{
	struct server server;
	char path[128];

	assert_int_equal(geteuid(), 0); /* as `make test` is to be run */
	write_policy_for(fixture, HIS_GROUP, lax, path);
	policy_file = path;
	assert_int_equal(chmod(fixture->directory, 0711), 0);
	start_broker(fixture);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	assert_int_equal(call_as(NOBODY, "GetPolicy"), 0);
	assert_int_equal(call_as(NOBODY, "Reload"), 1);
	assert_int_equal(call_as(0, "Reload"), 0);
	stop_broker(fixture);

	await_system(&server, BUS_SYSTEM_AWAY);
	server_stop(&server);
	policy_file = POLICY;
	unlink(path);
}

/* Who may ask what; that the group may ask, and not have the policy read anew, is told apart. */
static void test_who_may_reload(void **state)
{
	ask_in_turns(*state, false);
}

/* A bus that lets the group ask anything does not make it root. */
static void test_who_may_reload_on_a_lax_bus(void **state)
{
	ask_in_turns(*state, true);
}

static void test_strangers_may_ask_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct server server;

	assert_int_equal(chmod(fixture->directory, 0711), 0);
	start_broker(fixture);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	assert_int_equal(call_as(NOBODY, "GetPolicy"), 1);
	assert_int_equal(call_as(NOBODY, "Reload"), 1);
	server_stop(&server);
	stop_broker(fixture);
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
	struct fixture *fixture = *state;
	sd_bus_message *answer = NULL;
	struct client *client;
	struct server server;

	start_broker(fixture);
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
	stop_broker(fixture);
}

static void test_name_is_taken(void **state)
{
	struct fixture *fixture = *state;
	struct server first, second;
	char path[128];
	size_t n;

	start_broker(fixture);
	snprintf(path, sizeof(path), "%s/second", fixture->directory);
	assert_int_equal(server_start(&first, fixture->socket, 16, true), 0);
	await_system(&first, BUS_SYSTEM_ON);
	assert_int_equal(server_start(&second, path, 16, true), 0);
	await_system(&second, BUS_SYSTEM_REFUSED);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", path, 1), 0);
	assert_int_equal(count_devices(&n), EXIT_OK);
	server_stop(&second);
	server_stop(&first);
	stop_broker(fixture);
}

static void test_without_a_bus(void **state)
{
	struct fixture *fixture = *state;
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
	struct fixture *fixture = *state;
	sd_bus_message *answer = NULL;
	struct client *client;
	struct server server;
	size_t n;

	start_broker(fixture);
	assert_int_equal(server_start(&server, fixture->socket, 16, true), 0);
	await_system(&server, BUS_SYSTEM_ON);
	client = start_waiting(&server, &answer);
	stop_broker(fixture);
	assert_int_equal(await_system(&server, BUS_SYSTEM_AWAY).stats.waits, 0);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(count_devices(&n), EXIT_OK);
	client_close(client);
	sd_bus_message_unref(answer);
	server_stop(&server);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_served_on_the_bus),
		TEST(test_waiting_over_the_bus),
		TEST(test_name_is_taken),
		TEST(test_without_a_bus),
		TEST(test_bus_goes_away),
		TEST(test_who_may_reload),
		TEST(test_who_may_reload_on_a_lax_bus),
		TEST(test_strangers_may_ask_nothing),
	};

	return cmocka_run_group_tests_name("bus_system", tests, NULL, NULL);
}
