/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "message_bus.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "vfiowatch/bus.h"

#define POLICY "systemd/org.vfiowatch1.conf" /* tests run in the top directory */

/* The installed policy, with the name of the group replaced. */
static void write_policy(const struct message_bus *bus, FILE *to)
{
	char line[512], *name;
	FILE *from = fopen(POLICY, "re");
	unsigned int replaced = 0;

	assert_non_null(from);
	while (fgets(line, sizeof(line), from)) {
		if (strncmp(line, "<?xml", 5) == 0)
			continue;
		name = bus->readers ? strstr(line, "group=\"" BUS_GROUP "\"") : NULL;
		if (name) {
			*name = '\0';
			fprintf(to, "%sgroup=\"%s\"%s", line, HIS_GROUP,
				name + strlen("group=\"" BUS_GROUP "\""));
			replaced++;
		} else {
			fputs(line, to);
		}
	}
	fclose(from);
	assert_int_equal(replaced, bus->readers);
}

static void write_configuration(const struct message_bus *bus, const char *path, const char *policy)
{
	FILE *file = fopen(policy, "we");

	assert_non_null(file);
	write_policy(bus, file);
	assert_int_equal(fclose(file), 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file,
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\" "
		"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>%s\n"
		"<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/><allow "
		"send_type=\"signal\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
		"<allow send_requested_reply=\"true\" send_type=\"error\"/><allow "
		"receive_type=\"method_call\"/>"
		"<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow "
		"receive_type=\"signal\"/>"
		"<allow send_destination=\"org.freedesktop.DBus\"/></policy>\n"
		"<policy user=\"root\"><allow own=\"org.freedesktop.PolicyKit1\"/>"
		"<allow send_destination=\"org.freedesktop.PolicyKit1\"/></policy>\n"
		"<include>%s</include>%s</busconfig>\n",
		bus->address,
		bus->small ? "<limit name=\"max_incoming_bytes\">4194304</limit>"
			     "<limit name=\"max_outgoing_bytes\">4194304</limit>"
			   : "",
		policy,
		bus->lax ? "<policy context=\"mandatory\"><allow send_destination=\"" BUS_NAME "\"/></policy>"
			 : "");
	assert_int_equal(fclose(file), 0);
}

void broker_start(struct message_bus *bus)
{
	char path[128], policy[128], option[160], line[256];
	FILE *ready;
	int fds[2];

	snprintf(path, sizeof(path), "%s/bus.conf", bus->directory);
	snprintf(policy, sizeof(policy), "%s/policy.conf", bus->directory);
	write_configuration(bus, path, policy);
	snprintf(option, sizeof(option), "--config-file=%s", path);
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	bus->broker = fork();
	assert_true(bus->broker >= 0);
	if (bus->broker == 0) {
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
	unlink(policy);
}

void broker_stop(struct message_bus *bus)
{
	assert_int_equal(kill(bus->broker, SIGKILL), 0);
	assert_int_equal(waitpid(bus->broker, NULL, 0), bus->broker);
	(void)unlink(strchr(bus->address, '/'));
}

/* What the polkit of the test says, about what. */
struct opinion {
	enum polkit_answer answer;
	const char *action;
};

/* Checks that it is asked about the connection that calls, without details and without anything to cancel. */
static int on_check(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	const struct opinion *opinion = userdata;
	const char *kind, *key, *name, *action, *cancellation;
	enum polkit_answer answer;
	uint32_t flags;

	if (sd_bus_message_read(call, "(sa{sv})sa{ss}us", &kind, 1, &key, "s", &name, &action, 0, &flags,
				&cancellation) < 0 ||
	    strcmp(kind, "system-bus-name") != 0 || strcmp(key, "name") != 0 || name[0] != ':' ||
	    *cancellation || flags > 1)
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "not what is asked");
	answer = strcmp(action, opinion->action) == 0 ? opinion->answer : POLKIT_NO;
	if (answer == POLKIT_SILENT)
		return 1;
	return sd_bus_reply_method_return(call, "(bba{ss})", answer == POLKIT_YES, answer == POLKIT_CHALLENGE,
					  0);
}

static const sd_bus_vtable polkit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void __attribute__((noreturn))
be_polkit(const struct message_bus *bus, struct opinion opinion, int ready)
{
	sd_bus *connection = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_bus_new(&connection) < 0 || sd_bus_set_address(connection, bus->address) < 0 ||
	    sd_bus_set_bus_client(connection, true) < 0 || sd_bus_start(connection) < 0 ||
	    sd_bus_add_object_vtable(connection, NULL, "/org/freedesktop/PolicyKit1/Authority",
				     "org.freedesktop.PolicyKit1.Authority", polkit_vtable, &opinion) < 0 ||
	    sd_bus_request_name(connection, "org.freedesktop.PolicyKit1", 0) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	while (sd_bus_process(connection, NULL) > 0 || sd_bus_wait(connection, UINT64_MAX) >= 0)
		;
	_exit(1);
}

void polkit_start(struct message_bus *bus, enum polkit_answer answer, const char *action)
{
	int fds[2];
	char byte;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	bus->polkit = fork();
	assert_true(bus->polkit >= 0);
	if (bus->polkit == 0)
		be_polkit(bus, (struct opinion){.answer = answer, .action = action}, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
}

void polkit_stop(struct message_bus *bus)
{
	assert_int_equal(kill(bus->polkit, SIGKILL), 0);
	assert_int_equal(waitpid(bus->polkit, NULL, 0), bus->polkit);
}

void server_join(struct message_bus *bus, struct server *server)
{
	server_readers = bus->readers ? NOBODY : 0;
	assert_int_equal(server_start(server, bus->socket, 16, true), 0);
	await_system(server, BUS_SYSTEM_ON);
}

struct server_report await_system(struct server *server, enum bus_system_state state)
{
	struct server_report report;

	do
		report = server_order(server, SERVER_TELL, 0);
	while (report.stats.system != state);
	return report;
}

/* Others than root have to get at the bus. */
int message_bus_setup(void **state)
{
	struct message_bus *bus = calloc(1, sizeof(*bus));

	assert_non_null(bus);
	strcpy(bus->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(bus->directory));
	assert_int_equal(chmod(bus->directory, 0711), 0);
	snprintf(bus->socket, sizeof(bus->socket), "%s/peer", bus->directory);
	snprintf(bus->address, sizeof(bus->address), "unix:path=%s/dbus", bus->directory);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address, 1), 0);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", bus->address, 1), 0);
	*state = bus;
	return 0;
}

int message_bus_teardown(void **state)
{
	struct message_bus *bus = *state;

	assert_int_equal(rmdir(bus->directory), 0);
	free(bus);
	return 0;
}
