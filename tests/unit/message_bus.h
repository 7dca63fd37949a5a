/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_MESSAGE_BUS_H
#define VFIOWATCH_TESTS_MESSAGE_BUS_H

/* A dbus-daemon of the test's own, with the policy that is installed, and a polkit that answers as it is
 * told. */

#include "events.h"

#include "bus_server.h"

/* A user who is not root, and his group, which takes the place of group vfiowatch. */
#define NOBODY    65534
#define HIS_GROUP "nogroup"

struct message_bus {
	char directory[64], socket[96], address[128]; /* socket: for a server of bus_server.h */
	bool readers; /* in the policy the name of the group that may read is HIS_GROUP */
	bool lax;     /* everybody may send anything */
	bool small;   /* it keeps 4 MiB for a client that does not read, not 127 */
	pid_t broker, polkit;
};

/* The test's state is a struct message_bus; VFIOWATCH_ADDRESS and DBUS_SYSTEM_BUS_ADDRESS name it. */
int message_bus_setup(void **state);
int message_bus_teardown(void **state);

#define BROKER_TEST(function)                                                                                \
	cmocka_unit_test_setup_teardown(function, message_bus_setup, message_bus_teardown)

void broker_start(struct message_bus *bus);
void broker_stop(struct message_bus *bus);

enum polkit_answer { POLKIT_YES, POLKIT_NO, POLKIT_CHALLENGE, POLKIT_SILENT };

/* Returns when it is on the bus. It answers so about @action, and no about all others. */
void polkit_start(struct message_bus *bus, enum polkit_answer answer, const char *action);
void polkit_stop(struct message_bus *bus);

/* Starts a server on the bus and returns when it has its name. */
void server_join(struct message_bus *bus, struct server *server);

struct server_report await_system(struct server *server, enum bus_system_state state);

#endif
