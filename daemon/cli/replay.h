/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_REPLAY_H
#define VFIOWATCH_CLI_REPLAY_H

/* --replay: a capture, applied to a model event by event. */

#include "capture.h"
#include "cli/cli.h"
#include "core/model.h"

struct replay {
	const char *path;
	FILE *file;
	uint8_t *state; /* of replay_open_state(): what file reads */
	struct capture_reader reader;
	struct model model;
	struct snapshot_clock clock;
	uint64_t n_events, n_by_type[EVENT_TYPES];
	uint64_t first_ns, last_ns; /* CLOCK_BOOTTIME, 0: no event */
	finding_notify notify; /* for what replay_apply() and the end of the capture change; may be NULL */
	void *userdata;
};

/* Opens the capture and checks its header. replay_close() in any case. */
enum exit_code replay_open(struct replay *replay, const char *path, struct failure *failure);
void replay_close(struct replay *replay);

/* The same of an answer of ReadState: a capture without its end frame. */
enum exit_code replay_open_state(struct replay *replay, const void *data, size_t size,
				 struct failure *failure);

/* All was read: what it was read from is not needed any more. */
void replay_drop_source(struct replay *replay);

/* Reads the next event, which is to be applied next. *more is false after the end frame. */
enum exit_code replay_read(struct replay *replay, bool *more, struct event *event, struct failure *failure);
enum exit_code replay_apply(struct replay *replay, const struct event *event, struct change *change,
			    struct failure *failure);

/* Counts an event that the caller applied to the model himself. */
void replay_count(struct replay *replay, const struct event *event);

/* Applies the next event. *more is false after the end frame. */
enum exit_code replay_next(struct replay *replay, bool *more, struct event *event, struct change *change,
			   struct failure *failure);

/* Applies all of them. */
enum exit_code replay_all(struct replay *replay, struct failure *failure);

#endif
