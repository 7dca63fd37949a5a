/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_ROWS_H
#define VFIOWATCH_CLI_ROWS_H

/* Rows of a list, from a daemon or from a capture. */

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "lists.h"

/* All rows that pass the filter, as a JSON array that the caller puts. On failure nothing is returned. */
enum exit_code rows_get(enum row_list list, const struct options *options, struct json_object **ret,
			struct failure *failure);

/* Appends the rows of an answer, at the place where they begin, to @rows (a JSON array). */
enum exit_code rows_read(sd_bus_message *answer, struct json_object *rows, struct failure *failure);

#endif
