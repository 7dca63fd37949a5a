/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"

/* All that a capture closes is kept, up to what a ledger holds of live entries. */
#define HISTORY (1U << 20)

/* 0 or -ENOMEM; replay_close() frees what was made. */
static int make_model(struct model *model, enum memtype_arch arch, size_t history)
{
	const struct ledger_limits ledger_limits = {.history = history};
	const struct finding_limits finding_limits = {.history = history};
	int r = ledger_new(&model->ledger, arch, &ledger_limits);

	if (r == 0)
		r = findings_new(&model->findings, &finding_limits);
	return r < 0 ? r : lints_new(&model->lints, 0);
}

static enum exit_code fail_capture(const struct replay *replay, enum capture_outcome outcome,
				   struct failure *failure)
{
	if (outcome == CAPTURE_IO)
		return fail_with(failure, EXIT_FAILED, "%s: offset %" PRIu64 ": %s", replay->path,
				 replay->reader.offset, strerror(replay->reader.error));
	return fail_with(failure, EXIT_FAILED, "%s: offset %" PRIu64 ": %s", replay->path,
			 replay->reader.offset, replay->reader.reason);
}

static enum exit_code read_header(struct replay *replay, size_t history, struct failure *failure)
{
	enum capture_outcome outcome = capture_open(&replay->reader, replay->file);

	if (outcome != CAPTURE_EVENT)
		return fail_capture(replay, outcome, failure);
	replay->clock.realtime_offset_ns = replay->reader.header.realtime_offset_ns;
	if (make_model(&replay->model, replay->reader.header.arch, history) < 0)
		return fail_memory(failure);
	return EXIT_OK;
}

enum exit_code replay_open(struct replay *replay, const char *path, struct failure *failure)
{
	*replay = (struct replay){.path = path, .file = fopen(path, "re")};
	if (!replay->file)
		return fail_with(failure, EXIT_FAILED, "%s: %s", path, strerror(errno));
	return read_header(replay, HISTORY, failure);
}

/* The CRC behind all whole frames of @size bytes at @data. */
static uint32_t running_crc(const uint8_t *data, size_t size)
{
	uint32_t running = 0;
	size_t length;

	for (size_t offset = 0; (length = capture_frame_size(data + offset, size - offset)); offset += length)
		running = capture_running_crc(running, data + offset);
	return running;
}

enum exit_code replay_open_state(struct replay *replay, const void *data, size_t size,
				 struct failure *failure)
{
	const size_t header = sizeof(struct capture_header);

	*replay = (struct replay){.path = "the daemon's answer"};
	if (size < header)
		return fail_with(failure, EXIT_FAILED, "%s is no ledger", replay->path);
	replay->state = malloc(size + CAPTURE_FRAME_MAX);
	if (!replay->state)
		return fail_memory(failure);
	memcpy(replay->state, data, size);
	size += capture_end_frame(running_crc(replay->state + header, size - header), replay->state + size);
	replay->file = fmemopen(replay->state, size, "r");
	/* What ends from now on is kept as long as the daemon keeps it. */
	return replay->file ? read_header(replay, 0, failure) : fail_memory(failure);
}

void replay_drop_source(struct replay *replay)
{
	if (replay->file)
		fclose(replay->file);
	replay->file = NULL;
	free(replay->state);
	replay->state = NULL;
}

void replay_close(struct replay *replay)
{
	model_done(&replay->model);
	replay_drop_source(replay);
}

enum exit_code replay_read(struct replay *replay, bool *more, struct event *event, struct failure *failure)
{
	enum capture_outcome outcome = capture_next(&replay->reader, event);

	*more = outcome == CAPTURE_EVENT;
	if (outcome == CAPTURE_EVENT)
		return EXIT_OK;
	if (outcome != CAPTURE_END)
		return fail_capture(replay, outcome, failure);
	if (model_settle(&replay->model, replay->notify, replay->userdata) < 0)
		return fail_memory(failure);
	return EXIT_OK;
}

void replay_count(struct replay *replay, const struct event *event)
{
	replay->n_events++;
	if (event->header.type < EVENT_TYPES)
		replay->n_by_type[event->header.type]++;
	if (!replay->first_ns)
		replay->first_ns = event->header.time_ns;
	replay->last_ns = event->header.time_ns;
}

enum exit_code replay_apply(struct replay *replay, const struct event *event, struct change *change,
			    struct failure *failure)
{
	struct model_change changed;

	if (model_apply(&replay->model, event, &changed, replay->notify, replay->userdata) < 0)
		return fail_memory(failure);
	*change = changed.change;
	replay_count(replay, event);
	return EXIT_OK;
}

enum exit_code replay_next(struct replay *replay, bool *more, struct event *event, struct change *change,
			   struct failure *failure)
{
	enum exit_code code = replay_read(replay, more, event, failure);

	return code == EXIT_OK && *more ? replay_apply(replay, event, change, failure) : code;
}

enum exit_code replay_all(struct replay *replay, struct failure *failure)
{
	struct change change;
	struct event event;
	bool more = true;

	while (more) {
		enum exit_code code = replay_next(replay, &more, &event, &change, failure);

		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}
