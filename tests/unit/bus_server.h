/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_BUS_SERVER_H
#define VFIOWATCH_TESTS_BUS_SERVER_H

/* The real bus of the daemon over a ledger of made-up events, in a process of its own that does what it is
 * told. */

#include <sys/types.h>

#include "sink/bus.h"

struct server {
	pid_t pid;
	int control;
};

enum server_order {
	SERVER_TELL,         /* only report */
	SERVER_MAP,          /* n more mappings */
	SERVER_UNMAP,        /* end mapping n */
	SERVER_POPULATE,     /* all pages of mapping n get write-combining entries: a promotion of most */
	SERVER_MAP_SYSFS,    /* one write-combining mapping of the first n pages of the BAR, through sysfs */
	SERVER_RESERVE,      /* the first n pages of the BAR are reserved: UC- asked for, WC given */
	SERVER_REVOKE,       /* the first n pages of the BAR are taken from mappings not of VFIO */
	SERVER_MAP_UNISSUED, /* one mapping of n pages at an offset that was never issued: lint */
	SERVER_BURN,         /* refresh() uses n ms of CPU time from now on */
	SERVER_FAIL_REFRESH, /* refresh() returns -n from now on */
	SERVER_RELOAD,  /* what Reload() does from now on: enum server_reload; there is no policy at first */
	SERVER_REQUEST, /* n requests are granted, and n denied */
	SERVER_STOP,
};

enum server_reload {
	RELOAD_ENFORCE, /* TEST_RULES of policies.h, to be enforced */
	RELOAD_AUDIT,
	RELOAD_REFUSED,
	RELOAD_FAILS,
};

/* What a refused policy is refused with. */
#define RELOAD_ERROR "50-a.conf:3: unknown key \"Actoin\"; did you mean Action?"

struct server_report {
	int result; /* of bus_new(), in the first one */
	struct bus_stats stats;
	uint64_t history_end, refreshes, last_refresh;
	uint64_t state_changes; /* calls of bus_backend.system_bus */
};

/* Of the servers that are started from now on: the group that may read over the system bus. */
extern gid_t server_readers;

/* Forks a server for @path. Returns what bus_new() returned; if that is not 0 the server is gone. */
int server_start(struct server *server, const char *path, size_t history_capacity, bool system_bus);

/* Gives an order and returns the report that follows it. */
struct server_report server_order(struct server *server, enum server_order order, uint64_t n);

/* Orders the end and checks that the server ended well (under a sanitizer: without a leak). */
void server_stop(struct server *server);

/* SIGKILL. */
void server_kill(struct server *server);

#endif
