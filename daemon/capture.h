/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CAPTURE_H
#define VFIOWATCH_CAPTURE_H

/*
 * Capture files: a header, then one frame per event, then an end frame. A frame is a little-endian u32
 * length, a u32 CRC-32 (zlib) of the event's bytes, and the event as struct event has it (header.size bytes).
 * The end frame has length 0 and, as its CRC field, the CRC-32 of all frame CRCs. Files of another byte order
 * or EVENT_VERSION are refused, never guessed at.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vfiowatch/event.h"
#include "vfiowatch/memtype.h"

#define CAPTURE_VERSION 1

struct capture_header {
	char magic[8];          /* "VFIOWCAP" */
	uint32_t byte_order;    /* 0x01020304 as the writing host stores it */
	uint16_t version;       /* CAPTURE_VERSION */
	uint16_t event_version; /* EVENT_VERSION */
	uint32_t arch;          /* enum memtype_arch */
	uint32_t page_size;
	int64_t realtime_offset_ns; /* struct snapshot_clock */
	uint32_t reserved;
	uint32_t crc; /* of the fields above */
};

void capture_header_fill(struct capture_header *ret, enum memtype_arch arch, uint32_t page_size,
			 int64_t realtime_offset_ns);

/* Bytes of the largest frame. */
#define CAPTURE_FRAME_MAX (8 + sizeof(struct event))

/* Writes the frame of @event into @buffer (CAPTURE_FRAME_MAX bytes) and returns its length; 0 if the event is
 * malformed. */
size_t capture_frame(const struct event *event, uint8_t *buffer);

/* Bytes of the whole frame at @data; 0: it is none that could hold an event, or reaches beyond @size. */
size_t capture_frame_size(const uint8_t *data, size_t size);

/* The event of a whole frame that capture_frame_size() found. False: its checksum or header is wrong. */
bool capture_frame_event(const uint8_t *frame, struct event *ret);

/* Appends the end frame for the frames of a running CRC that capture_frame_crc() kept. */
uint32_t capture_running_crc(uint32_t running, const uint8_t *frame);
size_t capture_end_frame(uint32_t running, uint8_t *buffer);

/* Reading. Outcomes that are the file's fault are not errno values. */
enum capture_outcome {
	CAPTURE_EVENT = 0, /* *ret holds an event */
	CAPTURE_END,       /* end frame, and nothing behind it */
	CAPTURE_FOREIGN,   /* not a capture, or of another byte order or version */
	CAPTURE_TRUNCATED, /* the file ends inside a frame or without an end frame */
	CAPTURE_CORRUPT,   /* length, CRC or event header is wrong */
	CAPTURE_IO,        /* reading failed: errno in error */
};

struct capture_reader {
	FILE *file;                   /* borrowed; needs no seeking */
	uint64_t offset;              /* of the frame read last: what an error message names */
	uint64_t next;                /* offset of the frame to come */
	enum capture_outcome outcome; /* of the last call; after anything but CAPTURE_EVENT it stays */
	uint32_t running;
	int error;       /* errno of CAPTURE_IO */
	char reason[96]; /* what is wrong at offset, for people, without a newline */
	struct capture_header header;
};

enum capture_outcome capture_open(struct capture_reader *reader,
				  FILE *file); /* CAPTURE_EVENT: header is good */
enum capture_outcome capture_next(struct capture_reader *reader,
				  struct event *ret); /* *ret is zero but for CAPTURE_EVENT */

#endif
