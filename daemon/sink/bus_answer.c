/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Builds answers from the ledger and the history. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "cleanup.h"
#include "sink/bus_internal.h"

/* Sends what has about @size bytes, and keeps in mind that a client may leave it unread. */
static int send_answer(struct bus *bus, sd_bus_message *answer, size_t size)
{
	int r = sd_bus_send(NULL, answer, NULL);

	if (r >= 0)
		outlet_sent(bus, sd_bus_message_get_bus(answer), size);
	return r;
}

int answer_text(struct bus *bus, sd_bus_message *call, const char *text)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	int r = sd_bus_message_new_method_return(call, &answer);

	if (r >= 0)
		r = sd_bus_message_append_basic(answer, 's', text);
	return r < 0 ? r : send_answer(bus, answer, strlen(text));
}

/* Adds to *size what they take. */
static int append_rows(sd_bus_message *answer, struct json_object *rows, size_t *size)
{
	size_t n = json_object_array_length(rows);
	int r = sd_bus_message_open_container(answer, 'a', "s");

	for (size_t i = 0; i < n && r >= 0; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *text = json_object_to_json_string_ext(row, JSON_C_TO_STRING_NOSLASHESCAPE);

		r = text ? sd_bus_message_append_basic(answer, 's', text) : -ENOMEM;
		*size += r < 0 ? 0 : strlen(text);
		/* The text belongs to the row: free both now rather than hold all texts at once. */
		json_object_array_put_idx(rows, i, NULL);
	}
	return r < 0 ? r : sd_bus_message_close_container(answer);
}

int answer_rows(struct bus *bus, sd_bus_message *call, struct json_object *rows)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	int r = sd_bus_message_new_method_return(call, &answer);
	size_t size = 0;

	if (r >= 0)
		r = append_rows(answer, rows, &size);
	return r < 0 ? r : send_answer(bus, answer, size);
}

/* Appends to @rows at most @max events from *cursor on. */
static int collect_rows(struct bus *bus, uint64_t *cursor, uint64_t *skipped, uint32_t max,
			struct json_object *rows)
{
	const struct history *history = bus->backend.history(bus->backend.userdata);
	const struct ledger *ledger = bus->backend.model(bus->backend.userdata)->ledger;
	struct snapshot_clock clock;

	bus->backend.clock(bus->backend.userdata, &clock);
	for (uint32_t i = 0; i < max; i++) {
		const struct event *event = history_next(history, cursor, skipped);
		struct json_object *row;

		if (!event)
			break;
		/* The event is past: the ledger tells of what it named as it knows that now. */
		row = snapshot_event(ledger, &clock, event, NULL);
		if (!row)
			return -ENOMEM;
		if (json_object_array_add(rows, row) < 0) {
			json_object_put(row);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Bytes that grow up to a limit. */
struct buffer {
	uint8_t *data;
	size_t size, allocated, limit;
};

static int buffer_append(struct buffer *buffer, const void *data, size_t size)
{
	if (size > buffer->limit - buffer->size)
		return -EMSGSIZE;
	if (size > buffer->allocated - buffer->size) {
		size_t wanted = 2 * (buffer->size + size) + 4096;
		uint8_t *grown = realloc(buffer->data, wanted);

		if (!grown)
			return -ENOMEM;
		buffer->data = grown;
		buffer->allocated = wanted;
	}
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	return 0;
}

static void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
}

/* A ledger_emit. An event that makes no frame is malformed, and the ledger makes none. */
static int append_frame(void *context, const struct event *event)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	size_t size = capture_frame(event, frame);

	return size ? buffer_append(context, frame, size) : -EINVAL;
}

static int collect_records(struct bus *bus, uint64_t *cursor, uint64_t *skipped, uint32_t max,
			   struct buffer *records)
{
	const struct history *history = bus->backend.history(bus->backend.userdata);
	const struct event *event;
	int r = 0;

	for (uint32_t i = 0; i < max && r >= 0 && (event = history_next(history, cursor, skipped)); i++)
		r = append_frame(records, event);
	return r;
}

int answer_history(struct bus *bus, sd_bus_message *call, uint64_t cursor, uint32_t max, bool as_records)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	struct buffer records _cleanup_(buffer_done) = {.limit = BUS_ROWS_MAX * CAPTURE_FRAME_MAX};
	struct json_object *rows = as_records ? NULL : json_object_new_array();
	bool from_oldest = cursor == 0;
	uint64_t skipped = 0;
	size_t size = 0;
	int r;

	if (as_records)
		r = collect_records(bus, &cursor, &skipped, max, &records);
	else
		r = rows ? collect_rows(bus, &cursor, &skipped, max, rows) : -ENOMEM;
	if (r >= 0)
		r = sd_bus_message_new_method_return(call, &answer);
	if (r >= 0)
		r = sd_bus_message_append(answer, "tt", cursor, from_oldest ? 0 : skipped);
	if (r >= 0)
		r = as_records ? sd_bus_message_append_array(answer, 'y', records.data, records.size)
			       : append_rows(answer, rows, &size);
	json_object_put(rows);
	return r < 0 ? r : send_answer(bus, answer, size + records.size);
}

int answer_metrics(struct bus *bus, sd_bus_message *call, enum metrics_format format)
{
	struct status *status _cleanup_(freep) = calloc(1, sizeof(*status));
	char *text _cleanup_(freep) = NULL;
	struct snapshot_clock clock;
	struct metrics_facts facts;
	int r;

	if (!status)
		return -ENOMEM;
	bus->backend.status(bus->backend.userdata, status);
	bus->backend.clock(bus->backend.userdata, &clock);
	facts = (struct metrics_facts){
		.model = bus->backend.model(bus->backend.userdata),
		.status = status,
		.now_ns = status->now_ns,
		.realtime_offset_ns = clock.realtime_offset_ns,
	};
	r = metrics_text(&facts, format, &text);
	return r < 0 ? r : answer_text(bus, call, text);
}

int answer_state(struct bus *bus, sd_bus_message *call, sd_bus_error *error)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	struct buffer records _cleanup_(buffer_done) = {.limit = BUS_STATE_MAX};
	const struct ledger *ledger = bus->backend.model(bus->backend.userdata)->ledger;
	struct capture_header header;
	struct snapshot_clock clock;
	uint64_t now;
	int r;

	bus->backend.clock(bus->backend.userdata, &clock);
	capture_header_fill(&header, ledger_arch(ledger), sysconf(_SC_PAGESIZE), clock.realtime_offset_ns);
	r = sd_event_now(bus->event, CLOCK_BOOTTIME, &now);
	if (r >= 0)
		r = buffer_append(&records, &header, sizeof(header));
	if (r >= 0)
		r = ledger_replay(ledger, now * 1000, append_frame, &records);
	if (r == -EMSGSIZE)
		return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
					 "The ledger is larger than the %u MiB that one answer carries",
					 BUS_STATE_MAX >> 20);
	if (r >= 0)
		r = sd_bus_message_new_method_return(call, &answer);
	if (r >= 0)
		r = sd_bus_message_append(answer, "t",
					  history_end(bus->backend.history(bus->backend.userdata)));
	if (r >= 0)
		r = sd_bus_message_append_array(answer, 'y', records.data, records.size);
	return r < 0 ? r : send_answer(bus, answer, records.size);
}
