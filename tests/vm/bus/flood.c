/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bus-flood ADDRESS N: N calls over a D-Bus address, 100 of them under way at any time, most of them of the
 * dearest kinds. A path is that of a socket without a message bus. Prints how many were served and how many
 * refused by a limit; anything else, also a call without an answer, is a failure.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "vfiowatch/bus.h"

/* A dbus-daemon lets a client have 128. */
#define IN_FLIGHT 100

static unsigned long served, refused, other;

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *failure = sd_bus_message_get_error(answer);

	(void)userdata, (void)error;
	if (!failure)
		served++;
	else if (sd_bus_error_has_name(failure, SD_BUS_ERROR_LIMITS_EXCEEDED))
		refused++;
	else if (other++ == 0)
		fprintf(stderr, "bus-flood: %s: %s\n", failure->name, failure->message);
	return 1;
}

static int send_call(sd_bus *bus, unsigned long n)
{
	static const char *const members[] = {"ReadState", "ListMappings", "ListDevices", "GetStatus"};
	const char *member = members[n % 4];
	sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, BUS_NAME, BUS_PATH, BUS_INTERFACE, member);

	if (r >= 0 && member[0] == 'L')
		r = sd_bus_message_append(call, "a{sv}tu", 0, 0ULL, 0);
	if (r >= 0)
		r = sd_bus_call_async(bus, NULL, call, on_answer, NULL, UINT64_MAX);
	sd_bus_message_unref(call);
	return r;
}

static int flood(sd_bus *bus, unsigned long n)
{
	unsigned long sent = 0;
	int r = 0;

	while (r >= 0 && served + refused + other < n) {
		while (r >= 0 && sent < n && sent - (served + refused + other) < IN_FLIGHT)
			r = send_call(bus, sent++);
		if (r >= 0)
			r = sd_bus_process(bus, NULL);
		if (r == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	}
	return r;
}

int main(int argc, char *argv[])
{
	sd_bus *bus = NULL;
	char address[256];
	int r;

	if (argc != 3) {
		fprintf(stderr, "bus-flood ADDRESS N\n");
		return 2;
	}
	snprintf(address, sizeof(address), "%s%s", argv[1][0] == '/' ? "unix:path=" : "", argv[1]);
	if ((r = sd_bus_new(&bus)) < 0 || (r = sd_bus_set_address(bus, address)) < 0 ||
	    (r = sd_bus_set_bus_client(bus, argv[1][0] != '/')) < 0 || (r = sd_bus_start(bus)) < 0 ||
	    (r = flood(bus, strtoul(argv[2], NULL, 10))) < 0) {
		fprintf(stderr, "bus-flood: %s\n", strerror(-r));
		return 1;
	}
	printf("%lu %lu\n", served, refused);
	return other || served == 0;
}
