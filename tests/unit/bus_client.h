/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_BUS_CLIENT_H
#define VFIOWATCH_TESTS_BUS_CLIENT_H

/* A server of bus_server.h per test, and the client code of the command line to speak with it. */

#include "events.h"

#include <systemd/sd-bus.h>

#include "bus_server.h"
#include "cli/connect.h"
#include "cli/rows.h"
#include "cli/value.h"
#include "vfiowatch/bus.h"

/* Events that the server keeps. */
#define BUS_HISTORY 16384

struct bus_fixture {
	char directory[64], socket[96];
	struct server server;
};

/* The test's state is a struct bus_fixture; VFIOWATCH_ADDRESS names its socket. */
int bus_setup(void **state);
int bus_teardown(void **state);

#define BUS_TEST(function) cmocka_unit_test_setup_teardown(function, bus_setup, bus_teardown)

struct client *open_client(void);

/* Calls with arguments as sd_bus_message_append() takes them. Returns the exit code; *ret only if EXIT_OK. */
#define CALL(client, ret, failure, member, ...)                                                              \
	({                                                                                                   \
		sd_bus_message *call_ = NULL;                                                                \
		enum exit_code code_;                                                                        \
		assert_int_equal(client_method(client, &call_, member, failure), EXIT_OK);                   \
		assert_true(sd_bus_message_append(call_, __VA_ARGS__) >= 0);                                 \
		code_ = client_call(client, call_, CLIENT_USEC, ret, failure);                               \
		sd_bus_message_unref(call_);                                                                 \
		code_;                                                                                       \
	})

/* All rows of a list that pass; the caller puts them. */
struct json_object *get_rows(enum row_list list, const struct row_filter *filter);
size_t count_rows(enum row_list list, struct row_filter filter);

/* The strings of an array at the cursor of @answer. */
size_t count_strings(sd_bus_message *answer);

/* Asks the server until it has so many connections and held-back calls. */
void await_stats(struct server *server, uint64_t peers, uint64_t waits);

#endif
