/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_VERB_RUNNER_H
#define VFIOWATCH_TESTS_VERB_RUNNER_H

/* Runs a verb of the command line in a process of its own, against a server of bus_server.h or a capture. */

#include "events.h"

#include <sys/types.h>

#include "bus_server.h"
#include "cli/cli.h"

/* VFIOWATCH_ADDRESS names the socket; nothing is at capture yet. */
struct fixture {
	char directory[64], socket[96], capture[96];
	struct server server;
};

/* The test's state is a struct fixture. */
int verbs_setup(void **state);
int verbs_setup_small_history(void **state); /* 64 events */
int verbs_teardown(void **state);

/* A verb that runs: its standard output and error come in pipes, or go to @out_fd. */
struct running {
	pid_t pid;
	int out, err;
};

struct result {
	int status; /* of waitpid() */
	char *out, *err;
};

struct running start(verb_handler handler, struct options options);

/* Reads all there is and waits for the end. */
struct result finish(struct running running);
void done(struct result result);

/* Runs a verb to its end and checks its exit code. */
struct result run(verb_handler handler, struct options options, enum exit_code expected);

/* Reads to the end and closes. The caller frees. */
char *read_all(int fd);

size_t count_lines(const char *text);

#endif
