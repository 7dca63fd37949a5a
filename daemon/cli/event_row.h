/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_EVENT_ROW_H
#define VFIOWATCH_CLI_EVENT_ROW_H

/* A row of ReadEvents or snapshot_event() as one line. */

#include <json-c/json.h>

#include "cli/table.h"
#include "cli/text.h"
#include "cli/when.h"

#define EVENT_COLUMNS 9

struct event_column {
	struct column column;
	unsigned int width; /* a stream cannot measure what is to come: as wide as contents usually are */
};
extern const struct event_column event_columns[EVENT_COLUMNS];

/* NULL: unknown. Valid as long as the row and this structure. */
struct event_cells {
	const char *cells[EVENT_COLUMNS];
	char time[WHEN_TEXT_MAX], name[64], size[SIZE_TEXT_MAX], details[256];
};
void event_cells(struct json_object *row, struct event_cells *ret);

bool event_time_ns(struct json_object *row, int64_t *ret);

/* Facts that were looked up, not something that happened: shown with --all. */
bool event_is_fact(struct json_object *row);

#endif
