/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/spawn.h"
#include "cli/text.h"
#include "vfiowatch/bus.h"

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct client *client = userdata;

	(void)source;
	client->signal = info->ssi_signo;
	return 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct client *client = userdata;

	(void)fd;
	if (revents & (EPOLLERR | EPOLLHUP))
		client->output_gone = true;
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

enum exit_code client_watch_output(struct client *client, struct failure *failure)
{
	/* No events asked for: errors are told always. A regular file cannot be watched and has no reader to
	 * lose. */
	int r = sd_event_add_io(client->event, NULL, STDOUT_FILENO, 0, on_output, client);

	return r < 0 && r != -EPERM
		       ? fail_with(failure, EXIT_FAILED, "cannot watch the output: %s", strerror(-r))
		       : EXIT_OK;
}

static int watch_signals(struct client *client)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t mask;
	int r = 0;

	sigemptyset(&mask);
	for (size_t i = 0; i < 3; i++)
		sigaddset(&mask, signals[i]);
	sigaddset(&mask, SIGCHLD); /* sd-event wants it blocked for child sources */
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < 3 && r >= 0; i++)
		r = sd_event_add_signal(client->event, NULL, signals[i], on_signal, client);
	return r;
}

static int open_address(sd_bus **ret, const char *address, bool message_bus)
{
	sd_bus *bus _cleanup_(sd_bus_unrefp) = NULL;
	int r;

	if ((r = sd_bus_new(&bus)) < 0 || (r = sd_bus_set_address(bus, address)) < 0 ||
	    (r = sd_bus_set_bus_client(bus, message_bus)) < 0 || (r = sd_bus_start(bus)) < 0)
		return r;
	*ret = bus;
	bus = NULL;
	return 0;
}

/* The D-Bus address of a socket path; NULL: out of memory. */
static char *socket_address(const char *path)
{
	static const char plain[] = "-_/.\\*0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t used = strlen("unix:path="), size = used + 3 * strlen(path) + 1;
	char *address = malloc(size);

	if (!address)
		return NULL;
	strcpy(address, "unix:path=");
	for (; *path; path++)
		used += snprintf(address + used, size - used, strchr(plain, *path) ? "%c" : "%%%02x",
				 (unsigned char)*path);
	return address;
}

static int open_peer(struct client *client, const char *path)
{
	char *address _cleanup_(freep) = socket_address(path);

	if (!address)
		return -ENOMEM;
	client->peer = true;
	return open_address(&client->bus, address, false);
}

static enum exit_code open_default(struct client *client, struct failure *failure)
{
	int peer = open_peer(client, BUS_SOCKET), r;

	if (peer >= 0)
		return EXIT_OK;
	client->peer = false;
	r = sd_bus_open_system(&client->bus);
	if (r >= 0)
		return EXIT_OK;
	if (peer == -EACCES || peer == -EPERM)
		return fail_with(failure, EXIT_FAILED, "%s is for root only, and there is no system bus (%s)",
				 BUS_SOCKET, strerror(-r));
	return fail_with(
		failure, EXIT_NO_DAEMON,
		"no daemon answers (%s: %s; system bus: %s): start vfiowatchd, or use --spawn as root",
		BUS_SOCKET, strerror(-peer), strerror(-r));
}

static enum exit_code open_override(struct client *client, const char *address, struct failure *failure)
{
	int r = address[0] == '/' ? open_peer(client, address) : open_address(&client->bus, address, true);
	bool nobody;

	if (r >= 0)
		return EXIT_OK;
	if (r == -EINVAL)
		return fail_with(
			failure, EXIT_USAGE,
			"VFIOWATCH_ADDRESS=%s is neither the D-Bus address of a message bus nor the path "
			"of the daemon's socket",
			address);
	/* The last two: a daemon that has all the clients it takes. */
	nobody = r == -ENOENT || r == -ECONNREFUSED || r == -EPIPE || r == -ECONNRESET;
	return fail_with(failure, nobody ? EXIT_NO_DAEMON : EXIT_FAILED,
			 "cannot connect to VFIOWATCH_ADDRESS=%s: %s", address, strerror(-r));
}

static enum exit_code connect_bus(struct client *client, const struct options *options,
				  struct failure *failure)
{
	const char *address = getenv("VFIOWATCH_ADDRESS");
	enum exit_code code = EXIT_OK;
	int r;

	client->peer = false;
	client->host = client->spawn ? NULL : options->host;
	if (client->spawn) {
		r = open_peer(client, spawn_socket(client->spawn));
		if (r < 0)
			code = fail_with(failure, EXIT_NO_DAEMON, "cannot connect to the private daemon: %s",
					 strerror(-r));
	} else if (options->host) {
		r = sd_bus_open_system_remote(&client->bus, options->host);
		if (r < 0)
			code = fail_with(failure, EXIT_FAILED, "cannot connect to host %s: %s", options->host,
					 strerror(-r));
	} else if (address && *address) {
		code = open_override(client, address, failure);
	} else {
		code = open_default(client, failure);
	}
	if (code != EXIT_OK)
		return code;
	r = sd_bus_attach_event(client->bus, client->event, SD_EVENT_PRIORITY_NORMAL);
	return r < 0 ? fail_with(failure, EXIT_FAILED, "cannot use the connection: %s", strerror(-r))
		     : EXIT_OK;
}

enum exit_code client_connect(struct client *client, const struct options *options, struct failure *failure)
{
	enum exit_code code = EXIT_OK;

	client->bus = sd_bus_close_unref(client->bus);
	if (options->spawn && !client->spawn)
		code = spawn_start(&client->spawn, client->event, &client->signal, failure);
	return code == EXIT_OK ? connect_bus(client, options, failure) : code;
}

enum exit_code client_new(struct client **ret, struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return fail_memory(failure);
	r = sd_event_new(&client->event);
	if (r >= 0)
		r = watch_signals(client);
	if (r < 0)
		return fail_with(failure, EXIT_FAILED, "cannot make an event loop: %s", strerror(-r));
	*ret = client;
	client = NULL;
	return EXIT_OK;
}

enum exit_code client_open(struct client **ret, const struct options *options, struct failure *failure)
{
	enum exit_code code = client_new(ret, failure);

	return code == EXIT_OK ? client_connect(*ret, options, failure) : code;
}

struct client *client_close(struct client *client)
{
	if (!client)
		return NULL;
	client->bus = sd_bus_close_unref(client->bus);
	client->spawn = spawn_stop(client->spawn);
	sd_event_unref(client->event);
	free(client);
	return NULL;
}

void client_closep(struct client **client)
{
	client_close(*client);
}

enum exit_code client_method(struct client *client, sd_bus_message **ret, const char *member,
			     struct failure *failure)
{
	int r = sd_bus_message_new_method_call(client->bus, ret, client->peer ? NULL : BUS_NAME, BUS_PATH,
					       BUS_INTERFACE, member);

	/* Who looks does not start a daemon that was stopped. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(*ret, false);
	return r < 0 ? fail_with(failure, r == -ENOTCONN ? EXIT_NO_DAEMON : EXIT_FAILED,
				 "cannot call the daemon: %s", strerror(-r))
		     : EXIT_OK;
}

static enum exit_code fail_call(const struct client *client, const sd_bus_error *error,
				struct failure *failure)
{
	static const char *const nobody[] = {
		SD_BUS_ERROR_SERVICE_UNKNOWN,
		SD_BUS_ERROR_NAME_HAS_NO_OWNER,
		SD_BUS_ERROR_DISCONNECTED,
		SD_BUS_ERROR_NO_SERVER,
	};

	if (sd_bus_is_open(client->bus) <= 0 && client->host)
		return fail_with(failure, EXIT_NO_DAEMON,
				 "no connection to %.256s: ssh ended, see what it said, or that host has no "
				 "system bus or "
				 "no systemd-stdio-bridge",
				 client->host);
	if (sd_bus_is_open(client->bus) <= 0)
		return fail_with(failure, EXIT_NO_DAEMON,
				 "the connection ended: the daemon stops, or has all the %u clients it "
				 "takes, or could "
				 "not be reached",
				 BUS_PEERS_MAX);
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		if (sd_bus_error_has_name(error, nobody[i]))
			return fail_with(failure, EXIT_NO_DAEMON,
					 "no daemon answers (nobody has the name %s on the bus): start "
					 "vfiowatchd, or use --spawn "
					 "as root",
					 BUS_NAME);
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
		return fail_with(failure, EXIT_NO_DAEMON, "the daemon does not answer");
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
		return fail_with(failure, EXIT_FAILED,
				 "access denied: be root, or to read a member of group " BUS_GROUP " (%s)",
				 error->message ? error->message : error->name);
	return fail_with(failure, EXIT_FAILED, "%s",
			 error->message && *error->message ? error->message : error->name);
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(answer);
	return 1;
}

/* Runs the loop once. False: a signal came, or the reader of the output left; *failure is filled. */
static bool turn(struct client *client, uint64_t usec, struct failure *failure)
{
	int r = sd_event_run(client->event, usec);

	if (r < 0) {
		fail_with(failure, EXIT_FAILED, "the event loop failed: %s", strerror(-r));
		return false;
	}
	if (client->signal || client->output_gone) {
		failure->signal = client->signal ? client->signal : SIGPIPE;
		failure->code = EXIT_FAILED;
		return false;
	}
	return true;
}

enum exit_code client_call(struct client *client, sd_bus_message *call, uint64_t usec, sd_bus_message **ret,
			   struct failure *failure)
{
	sd_bus_slot *slot _cleanup_(sd_bus_slot_unrefp) = NULL;
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	int r = sd_bus_call_async(client->bus, &slot, call, on_answer, &answer, usec);

	if (r < 0)
		return fail_with(failure, EXIT_NO_DAEMON, "the connection ended: %s", strerror(-r));
	while (!answer)
		if (!turn(client, UINT64_MAX, failure))
			return failure->code;
	if (sd_bus_message_is_method_error(answer, NULL))
		return fail_call(client, sd_bus_message_get_error(answer), failure);
	*ret = sd_bus_message_ref(answer);
	return EXIT_OK;
}

enum exit_code client_sleep(struct client *client, uint64_t usec, struct failure *failure)
{
	uint64_t now, end;

	if (sd_event_now(client->event, CLOCK_MONOTONIC, &now) < 0)
		return fail_with(failure, EXIT_FAILED, "cannot read the clock");
	for (end = now + usec; now < end;) {
		if (!turn(client, end - now, failure))
			return failure->code;
		if (sd_event_now(client->event, CLOCK_MONOTONIC, &now) < 0)
			return fail_with(failure, EXIT_FAILED, "cannot read the clock");
	}
	return EXIT_OK;
}

enum exit_code fail_answer(struct failure *failure, const char *what)
{
	return fail_with(failure, EXIT_FAILED, "the daemon's answer is not understood: %s", what);
}

struct json_object *parse_row(const char *text)
{
	struct json_object *row = json_tokener_parse(text);

	if (!json_object_is_type(row, json_type_object)) {
		json_object_put(row);
		return NULL;
	}
	return json_safe(row);
}

enum exit_code client_call_object(struct client *client, sd_bus_message *call, uint64_t usec,
				  struct json_object **ret, struct failure *failure)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_call(client, call, usec, &answer, failure);
	const char *text;

	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_read(answer, "s", &text) < 0 || !(*ret = parse_row(text)))
		return fail_answer(failure, sd_bus_message_get_member(call));
	return EXIT_OK;
}

enum exit_code client_get_object(struct client *client, const char *member, struct json_object **ret,
				 struct failure *failure)
{
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_method(client, &call, member, failure);

	return code == EXIT_OK ? client_call_object(client, call, CLIENT_USEC, ret, failure) : code;
}
