/* SPDX-License-Identifier: GPL-2.0-or-later */

/* record: the present state and then every event, into a capture file that is whole however the recording
 * ends. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "cleanup.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "vfiowatch/bus.h"

/* A place in the file where an end frame may stand. */
struct mark {
	off_t offset;
	uint32_t running;
};

struct recording {
	const char *path;
	int fd;
	struct mark now, before; /* the last two, so that a full disk leaves room for an end frame */
	uint64_t n_events, n_lost;
};

static enum exit_code open_file(struct recording *recording, const struct options *options,
				struct failure *failure)
{
	/* A capture names the processes of everybody: for its owner only. */
	int flags =
		O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (options->force ? O_TRUNC : O_EXCL);
	struct stat status;

	recording->path = options->words[0];
	recording->fd = open(options->words[0], flags, 0600);
	if (recording->fd >= 0 && fstat(recording->fd, &status) == 0 && S_ISREG(status.st_mode))
		return EXIT_OK;
	if (recording->fd >= 0 || errno == ENXIO)
		return fail_with(failure, EXIT_FAILED, "%s is no regular file", options->words[0]);
	if (errno == EEXIST)
		return fail_with(failure, EXIT_FAILED,
				 "%s exists: choose another name, or overwrite it with --force",
				 options->words[0]);
	return fail_with(failure, EXIT_FAILED, "%s: %s", options->words[0], strerror(errno));
}

static int write_all(int fd, const uint8_t *data, size_t size, off_t offset)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int write_end(const struct recording *recording, const struct mark *mark)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	size_t size = capture_end_frame(mark->running, frame);
	int r = write_all(recording->fd, frame, size, mark->offset);

	if (r < 0)
		return r;
	return ftruncate(recording->fd, mark->offset + (off_t)size) < 0 ? -errno : 0;
}

/* Ends the file at the last mark where that is possible. */
static void salvage(struct recording *recording)
{
	if (write_end(recording, &recording->now) >= 0)
		return;
	recording->now = recording->before;
	(void)write_end(recording, &recording->now);
}

static enum exit_code fail_write(struct recording *recording, int error, struct failure *failure)
{
	salvage(recording);
	return fail_with(failure, EXIT_FAILED, "%s: %s: the capture ends at offset %lld", recording->path,
			 strerror(-error), (long long)recording->now.offset);
}

/* Writes @size bytes of whole frames; @running is the CRC behind them. */
static enum exit_code append(struct recording *recording, const uint8_t *data, size_t size, uint32_t running,
			     struct failure *failure)
{
	int r = write_all(recording->fd, data, size, recording->now.offset);

	if (r < 0)
		return fail_write(recording, r, failure);
	recording->before = recording->now;
	recording->now.offset += (off_t)size;
	recording->now.running = running;
	return EXIT_OK;
}

static enum exit_code append_frames(struct recording *recording, const uint8_t *data, size_t size,
				    struct failure *failure)
{
	uint32_t running = recording->now.running;
	size_t offset = 0;

	while (offset < size) {
		size_t length = capture_frame_size(data + offset, size - offset);

		if (!length)
			return fail_answer(failure, "records are no capture frames");
		running = capture_running_crc(running, data + offset);
		offset += length;
		recording->n_events++;
	}
	return size ? append(recording, data, size, running, failure) : EXIT_OK;
}

static enum exit_code append_lost(struct recording *recording, uint64_t skipped, struct failure *failure)
{
	struct event event;
	uint8_t frame[CAPTURE_FRAME_MAX];
	struct timespec now;
	size_t size;

	if (!skipped)
		return EXIT_OK;
	clock_gettime(CLOCK_BOOTTIME, &now);
	event_scanned(&event, EVENT_LOST, now.tv_sec * 1000000000ULL + now.tv_nsec);
	event.lost.type = EVENT_NONE;
	event.lost.count = skipped;
	recording->n_lost += skipped;
	complain("lost %" PRIu64 " events: overwritten before they were read", skipped);
	size = capture_frame(&event, frame);
	return append(recording, frame, size, capture_running_crc(recording->now.running, frame), failure);
}

static enum exit_code record_state(struct recording *recording, sd_bus_message *state,
				   struct failure *failure)
{
	const size_t header = sizeof(struct capture_header);
	enum exit_code code;
	const void *data;
	size_t size;

	if (sd_bus_message_read_array(state, 'y', &data, &size) < 0 || size < header)
		return fail_answer(failure, "ReadState");
	code = append(recording, data, header, recording->now.running, failure);
	if (code != EXIT_OK)
		return code;
	recording->before = recording->now;
	return append_frames(recording, (const uint8_t *)data + header, size - header, failure);
}

/* *more: there may be events beyond this answer. */
static enum exit_code record_events(struct recording *recording, struct client *client, bool wait,
				    uint64_t *cursor, bool *more, struct failure *failure)
{
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	uint64_t skipped, before = recording->n_events;
	enum exit_code code = follow_read(client, "ReadRecords", wait, cursor, &skipped, &answer, failure);
	const void *data;
	size_t size;

	if (code == EXIT_OK)
		code = append_lost(recording, skipped, failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_read_array(answer, 'y', &data, &size) < 0)
		return fail_answer(failure, "ReadRecords");
	code = append_frames(recording, data, size, failure);
	*more = recording->n_events - before >= BUS_ROWS_MAX;
	return code;
}

static int on_duration(sd_event_source *source, uint64_t now, void *userdata)
{
	struct client *client = userdata;

	(void)source, (void)now;
	client->signal = SIGINT; /* the same end */
	return 0;
}

/* Until a signal or the time is up, and then what happened up to that. */
static enum exit_code record_all(struct recording *recording, struct client *client,
				 const struct options *options, uint64_t cursor, struct failure *failure)
{
	bool ending = false, more = true;

	if (options->duration_sec) {
		int r = sd_event_add_time_relative(client->event, NULL, CLOCK_MONOTONIC,
						   options->duration_sec * 1000000, 0, on_duration, client);

		if (r < 0)
			return fail_with(failure, EXIT_FAILED, "cannot set a timer: %s", strerror(-r));
	}
	while (!ending || more) {
		enum exit_code code = record_events(recording, client, !ending, &cursor, &more, failure);

		if (code == EXIT_OK)
			continue;
		if (ending || !follow_ended(client, failure))
			return code;
		ending = more = true;
	}
	return EXIT_OK;
}

/* The end frame, whatever ended the recording. */
static enum exit_code finish(struct recording *recording, struct client *client, enum exit_code code,
			     struct failure *failure)
{
	int r = 0;

	if (follow_ended(client, failure)) /* impatient: a second signal */
		code = EXIT_OK;
	if (recording->now.offset > 0)
		r = write_end(recording, &recording->now);
	if (r < 0 && code == EXIT_OK)
		code = fail_write(recording, r, failure);
	r = close(recording->fd) < 0 ? -errno : 0;
	if (r < 0 && code == EXIT_OK)
		code = fail_with(failure, EXIT_FAILED, "%s: %s", recording->path, strerror(-r));
	return code;
}

static void tell(const struct recording *recording)
{
	fprintf(stderr, "%" PRIu64 " events recorded", recording->n_events);
	if (recording->n_lost)
		fprintf(stderr, ", %" PRIu64 " lost", recording->n_lost);
	fputs(".\n", stderr);
}

enum exit_code verb_record(const struct options *options, struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	sd_bus_message *state _cleanup_(sd_bus_message_unrefp) = NULL;
	struct recording recording = {};
	uint64_t cursor = 0;
	enum exit_code code = client_open(&client, options, failure);

	/* Nothing is overwritten before there is something to write. */
	if (code == EXIT_OK)
		code = follow_state(client, &cursor, &state, failure);
	if (code == EXIT_OK)
		code = open_file(&recording, options, failure);
	if (code != EXIT_OK)
		return code;
	code = record_state(&recording, state, failure);
	if (code == EXIT_OK)
		code = record_all(&recording, client, options, cursor, failure);
	code = finish(&recording, client, code, failure);
	if (code == EXIT_OK && !options->no_legend)
		tell(&recording);
	return code;
}
