/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_FOLLOW_H
#define VFIOWATCH_CLI_FOLLOW_H

/* What reading events, recording them and judging them have in common: the calls with a cursor, and how they
 * end. */

#include "cli/connect.h"

/*
 * Calls @member, ReadEvents or ReadRecords, from *cursor on and advances it. *ret is the answer, read up to
 * its third argument; the caller unrefs it.
 */
enum exit_code follow_read(struct client *client, const char *member, bool wait, uint64_t *cursor,
			   uint64_t *skipped, sd_bus_message **ret, struct failure *failure);

/* Calls ReadState. *ret is the answer, read up to its records; the caller unrefs it. */
enum exit_code follow_state(struct client *client, uint64_t *cursor, sd_bus_message **ret,
			    struct failure *failure);

/* Whether @failure is no more than the user ending it by SIGINT, SIGTERM or SIGHUP: then that is cleared, and
 * calls go on until the next signal. */
bool follow_ended(struct client *client, struct failure *failure);

#endif
