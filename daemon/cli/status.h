/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_STATUS_H
#define VFIOWATCH_CLI_STATUS_H

#include "cli/replay.h"

/* What `status --replay` tells of the events that @replay has read so far: the keys of the contract, null
 * where a capture does not tell, and what only a capture has. The caller puts it; NULL: out of memory. */
struct json_object *capture_status(const struct replay *replay);

#endif
