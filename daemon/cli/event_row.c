/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <string.h>

#include "cli/event_row.h"
#include "cli/value.h"

const struct event_column event_columns[EVENT_COLUMNS] = {
	{{.title = "TIME"}, 26},
	{{.title = "EVENT"}, 14},
	{{.title = "DEVICE"}, 12},
	{{.title = "PID", .right = true}, 7},
	{{.title = "COMMAND", .shrink = true}, 15},
	{{.title = "REGION", .right = true, .drop = 3}, 6},
	{{.title = "OFFSET", .right = true, .drop = 2}, 14},
	{{.title = "SIZE", .right = true, .drop = 1}, 6},
	{{.title = "TYPE", .shrink = true}, 0}, /* requested memory type, and what else there is */
};

bool event_time_ns(struct json_object *row, int64_t *ret)
{
	const char *text = row_string(row, "time");

	return text && when_parse_row(text, ret);
}

/* "0xfc000000-0xfc010000: uc- asked for, wc given" */
static const char *reservation_detail(struct json_object *row, char *out, size_t size)
{
	const char *start = row_string(row, "phys_start"), *end = row_string(row, "phys_end");
	const char *requested = row_string(row, "requested"), *given = row_string(row, "given");

	snprintf(out, size, "%s-%s: %s asked for, %s given", start ? start : "?", end ? end : "?",
		 requested ? requested : "unknown type", given ? given : "unknown type");
	return out;
}

static const char *revoke_detail(struct json_object *row, char *out, size_t size)
{
	const char *start = row_string(row, "phys_start"), *end = row_string(row, "phys_end");
	const char *scope = row_string(row, "scope");
	const char *taken = json_object_get_boolean(row_value(row, "uncertain")) ? "may be taken" : "taken";

	if (scope && strcmp(scope, "device") == 0)
		snprintf(out, size, "pages of all VFIO mappings of the device %s", taken);
	else if (scope && strcmp(scope, "vfio") == 0)
		snprintf(out, size, "pages of VFIO mappings of any device %s", taken);
	else if (start && end)
		snprintf(out, size, "%s-%s: pages of mappings not of VFIO %s", start, end, taken);
	else
		return scope;
	return out;
}

/* "mmap wc: deny by rule no-wc, peer 812 (dpdk) has uc-" */
static const char *request_detail(struct json_object *row, char *out, size_t size)
{
	const char *what = row_string(row, "what"), *requested = row_string(row, "requested");
	const char *verdict = row_string(row, "verdict"), *rule = row_string(row, "rule");
	const char *peer = value_text(row_value(row, "peer_pid")), *comm = row_string(row, "peer_comm");
	const char *type = row_string(row, "peer_requested"), *unknown = row_string(row, "unknown");
	int n = snprintf(out, size, "%s %s: %s", what ? what : "request", requested ? requested : "?",
			 verdict);

	if (rule && n >= 0 && (size_t)n < size)
		n += snprintf(out + n, size - n, " by rule %s", rule);
	if (unknown && n >= 0 && (size_t)n < size)
		n += snprintf(out + n, size - n, ", unknown: %s", unknown);
	if (row_string(row, "peer_source") && n >= 0 && (size_t)n < size)
		snprintf(out + n, size - n, ", peer %s (%s) has %s", peer ? peer : "-", comm ? comm : "-",
			 type ? type : "?");
	return out;
}

/* The type asked for; where pages were populated the one they have, and the other if they differ. */
static const char *types_detail(struct json_object *row, char *out, size_t size)
{
	const char *requested = row_string(row, "requested"), *effective = row_string(row, "effective");

	if (!effective || !requested || strcmp(effective, requested) == 0)
		return effective ? effective : requested;
	snprintf(out, size, "%s, asked for %s", effective, requested);
	return out;
}

/* What only some events have, at the end of the line. */
static const char *detail(struct json_object *row, char *out, size_t size)
{
	const char *module = row_string(row, "module"), *state = row_string(row, "module_state");
	const char *event = row_string(row, "event");

	if (row_true(row, "refused"))
		return "refused: malformed, or a limit is reached";
	if (module && state) {
		snprintf(out, size, "%s %s", module, state);
		return out;
	}
	if (row_string(row, "verdict"))
		return request_detail(row, out, size);
	if (event && strcmp(event, "reservation") == 0)
		return reservation_detail(row, out, size);
	if (event && strcmp(event, "revoke") == 0)
		return revoke_detail(row, out, size);
	return types_detail(row, out, size);
}

bool event_is_fact(struct json_object *row)
{
	const char *state = row_string(row, "state");

	return state &&
	       (strcmp(state, "process") == 0 || strcmp(state, "identity") == 0 ||
		strcmp(state, "device") == 0 || strcmp(state, "holder") == 0 || strcmp(state, "pages") == 0);
}

void event_cells(struct json_object *row, struct event_cells *ret)
{
	const char *event = row_string(row, "event"), *state = row_string(row, "state");
	uint64_t number;
	int64_t when;
	const char *cells[EVENT_COLUMNS] = {
		event_time_ns(row, &when) ? when_text(when, ret->time) : NULL,
		event,
		row_string(row, "device"),
		value_text(row_value(row, "pid")),
		row_string(row, "comm"),
		value_text(row_value(row, "region")),
		value_text(row_value(row, "offset")),
		row_number(row, "size", &number) ? size_text(number, ret->size) : NULL,
		detail(row, ret->details, sizeof(ret->details)),
	};

	memcpy(ret->cells, cells, sizeof(cells));
	if (event && state) {
		snprintf(ret->name, sizeof(ret->name), "%s %s", event, state);
		ret->cells[1] = ret->name;
	}
}
