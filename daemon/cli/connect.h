/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_CONNECT_H
#define VFIOWATCH_CLI_CONNECT_H

/* The connection to a daemon, and calls over it that SIGINT, SIGTERM and SIGHUP can end. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "cli/cli.h"
#include "vfiowatch/bus.h"

struct spawn;

struct client {
	sd_event *event;
	sd_bus *bus;
	bool peer;           /* no message bus in between */
	const char *host;    /* that we are connected to by ssh; NULL: this one; borrowed from the options */
	struct spawn *spawn; /* NULL: the daemon is not ours */
	int signal;          /* that asked us to end, 0: none */
	bool output_gone;    /* nobody reads standard output any more */
};

/* An event loop with the three signals, which stay blocked until the process ends; not connected yet. */
enum exit_code client_new(struct client **ret, struct failure *failure);

/*
 * Connects, or connects anew, as --spawn, -H, VFIOWATCH_ADDRESS or the defaults say: the peer socket where it
 * may, else the system bus. With --spawn the private daemon is ready when this returns EXIT_OK. Any other
 * daemon may still turn out missing with the first call.
 */
enum exit_code client_connect(struct client *client, const struct options *options, struct failure *failure);

/* Both. client_close() stops a spawned daemon. */
enum exit_code client_open(struct client **ret, const struct options *options, struct failure *failure);
struct client *client_close(struct client *client);
void client_closep(struct client **client);

/* A call of the interface's @member, still without arguments. The caller unrefs *ret. */
enum exit_code client_method(struct client *client, sd_bus_message **ret, const char *member,
			     struct failure *failure);

/* For most calls: longer than the daemon holds one back. */
#define CLIENT_USEC (BUS_WAIT_USEC + 40ULL * 1000 * 1000)

/* Sends @call and waits @usec at most for the answer. The caller unrefs *ret. */
enum exit_code client_call(struct client *client, sd_bus_message *call, uint64_t usec, sd_bus_message **ret,
			   struct failure *failure);

/* Sends @call, whose answer is one JSON object. The caller puts *ret. */
enum exit_code client_call_object(struct client *client, sd_bus_message *call, uint64_t usec,
				  struct json_object **ret, struct failure *failure);

/* The same for a method without arguments, within CLIENT_USEC. */
enum exit_code client_get_object(struct client *client, const char *member, struct json_object **ret,
				 struct failure *failure);

/* Waits @usec, or until a signal: then fills @failure. */
enum exit_code client_sleep(struct client *client, uint64_t usec, struct failure *failure);

/* Has standard output watched, so that following ends when its reader does. */
enum exit_code client_watch_output(struct client *client, struct failure *failure);

/* For an answer that does not have the form the interface says. */
enum exit_code fail_answer(struct failure *failure, const char *what);

/* Parses @text from the daemon as a JSON object and makes all of it safe. NULL: it is none. */
struct json_object *parse_row(const char *text);

#endif
