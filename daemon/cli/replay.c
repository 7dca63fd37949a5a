/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/replay.h"

/* All that a capture closes is kept, up to what a ledger holds of live entries. */
#define HISTORY (1U << 20)

/* 0 or -ENOMEM; replay_close() frees what was made. */
static int make_model(struct model *model, enum memtype_arch arch)
{
	const struct ledger_limits ledger_limits = {.history = HISTORY};
	const struct finding_limits finding_limits = {.history = HISTORY};
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

enum exit_code replay_open(struct replay *replay, const char *path, struct failure *failure)
{
	enum capture_outcome outcome;

	*replay = (struct replay){.path = path, .file = fopen(path, "re")};
	if (!replay->file)
		return fail_with(failure, EXIT_FAILED, "%s: %s", path, strerror(errno));
	outcome = capture_open(&replay->reader, replay->file);
	if (outcome != CAPTURE_EVENT)
		return fail_capture(replay, outcome, failure);
	replay->clock.realtime_offset_ns = replay->reader.header.realtime_offset_ns;
	if (make_model(&replay->model, replay->reader.header.arch) < 0)
		return fail_memory(failure);
	return EXIT_OK;
}

void replay_close(struct replay *replay)
{
	model_done(&replay->model);
	if (replay->file)
		fclose(replay->file);
	replay->file = NULL;
}

enum exit_code replay_next(struct replay *replay, bool *more, struct event *event, struct change *change,
			   struct failure *failure)
{
	enum capture_outcome outcome = capture_next(&replay->reader, event);
	struct model_change changed;

	*more = outcome == CAPTURE_EVENT;
	if (outcome == CAPTURE_END)
		return model_settle(&replay->model, NULL, NULL) < 0 ? fail_memory(failure) : EXIT_OK;
	if (outcome != CAPTURE_EVENT)
		return fail_capture(replay, outcome, failure);
	if (model_apply(&replay->model, event, &changed, NULL, NULL) < 0)
		return fail_memory(failure);
	*change = changed.change;
	replay->n_events++;
	if (event->header.type < EVENT_TYPES)
		replay->n_by_type[event->header.type]++;
	if (!replay->first_ns)
		replay->first_ns = event->header.time_ns;
	replay->last_ns = event->header.time_ns;
	return EXIT_OK;
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
