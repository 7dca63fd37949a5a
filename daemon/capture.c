/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <zlib.h>

#define MAGIC              "VFIOWCAP"
#define BYTE_ORDER_MARK    0x01020304U
#define BYTE_ORDER_SWAPPED 0x04030201U
#define PREFIX             8U /* length and CRC of a frame */
#define PAGE_SIZE_MIN      4096U

_Static_assert(sizeof(struct capture_header) == 40, "the layout of files is fixed");
_Static_assert(offsetof(struct capture_header, crc) == 36, "the CRC covers everything before it");

static uint32_t crc_of(const void *data, size_t size)
{
	return crc32(0, data, size);
}

static void put_le32(uint8_t *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof(value));
}

static uint32_t get_le32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return le32toh(value);
}

static uint32_t header_crc(const struct capture_header *header)
{
	return crc_of(header, offsetof(struct capture_header, crc));
}

void capture_header_fill(struct capture_header *ret, enum memtype_arch arch, uint32_t page_size,
			 int64_t realtime_offset_ns)
{
	*ret = (struct capture_header){
		.byte_order = BYTE_ORDER_MARK,
		.version = CAPTURE_VERSION,
		.event_version = EVENT_VERSION,
		.arch = arch,
		.page_size = page_size,
		.realtime_offset_ns = realtime_offset_ns,
	};
	memcpy(ret->magic, MAGIC, sizeof(ret->magic));
	ret->crc = header_crc(ret);
}

static bool event_header_is_good(const struct event_header *header)
{
	return header->version == EVENT_VERSION && header->origin <= EVENT_ORIGIN_SCAN &&
	       event_size(header->type) && header->size == event_size(header->type);
}

size_t capture_frame(const struct event *event, uint8_t *buffer)
{
	size_t size = event->header.size;

	if (!event_header_is_good(&event->header))
		return 0;
	put_le32(buffer, size);
	put_le32(buffer + 4, crc_of(event, size));
	memcpy(buffer + PREFIX, event, size);
	return PREFIX + size;
}

size_t capture_frame_size(const uint8_t *data, size_t size)
{
	size_t length;

	if (size < PREFIX)
		return 0;
	length = get_le32(data);
	return length >= sizeof(struct event_header) && length <= CAPTURE_FRAME_MAX - PREFIX &&
			       length <= size - PREFIX
		       ? PREFIX + length
		       : 0;
}

bool capture_frame_event(const uint8_t *frame, struct event *ret)
{
	uint32_t length = get_le32(frame);

	memset(ret, 0, sizeof(*ret));
	if (get_le32(frame + 4) != crc_of(frame + PREFIX, length))
		return false;
	memcpy(ret, frame + PREFIX, length);
	if (event_header_is_good(&ret->header) && ret->header.size == length)
		return true;
	memset(ret, 0, sizeof(*ret));
	return false;
}

uint32_t capture_running_crc(uint32_t running, const uint8_t *frame)
{
	return crc32(running, frame + 4, 4);
}

size_t capture_end_frame(uint32_t running, uint8_t *buffer)
{
	put_le32(buffer, 0);
	put_le32(buffer + 4, running);
	return PREFIX;
}

static enum capture_outcome fail(struct capture_reader *reader, enum capture_outcome outcome,
				 const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum capture_outcome fail(struct capture_reader *reader, enum capture_outcome outcome,
				 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->reason, sizeof(reader->reason), format, arguments);
	va_end(arguments);
	reader->outcome = outcome;
	return outcome;
}

/* Reads up to @size bytes; less only at the end of the file, or after an error, which *outcome then tells. */
static size_t read_bytes(struct capture_reader *reader, void *to, size_t size, enum capture_outcome *outcome)
{
	size_t n;

	errno = 0;
	n = fread(to, 1, size, reader->file);
	*outcome = CAPTURE_EVENT;
	if (n < size && ferror(reader->file)) {
		reader->error = errno ? errno : EIO;
		*outcome = fail(reader, CAPTURE_IO, "reading failed");
	}
	reader->next += n;
	return n;
}

static enum capture_outcome check_header(struct capture_reader *reader)
{
	const struct capture_header *header = &reader->header;

	if (header->byte_order == BYTE_ORDER_SWAPPED)
		return fail(reader, CAPTURE_FOREIGN,
			    "made on a host of the other byte order; replay it on such a host");
	if (header->byte_order != BYTE_ORDER_MARK)
		return fail(reader, CAPTURE_FOREIGN, "unknown byte order 0x%08" PRIx32, header->byte_order);
	if (header->version != CAPTURE_VERSION)
		return fail(reader, CAPTURE_FOREIGN, "capture version %u, this program reads version %u",
			    header->version, CAPTURE_VERSION);
	if (header->crc != header_crc(header))
		return fail(reader, CAPTURE_CORRUPT, "the checksum of the file header is wrong");
	if (header->event_version != EVENT_VERSION)
		return fail(reader, CAPTURE_FOREIGN, "event version %u, this program reads version %u",
			    header->event_version, EVENT_VERSION);
	if (header->arch >= MEMTYPE_ARCHES)
		return fail(reader, CAPTURE_FOREIGN, "unknown architecture %" PRIu32, header->arch);
	if (header->page_size < PAGE_SIZE_MIN || header->page_size & (header->page_size - 1))
		return fail(reader, CAPTURE_CORRUPT, "%" PRIu32 " is no page size", header->page_size);
	return CAPTURE_EVENT;
}

enum capture_outcome capture_open(struct capture_reader *reader, FILE *file)
{
	struct capture_header *header = &reader->header;
	enum capture_outcome outcome;
	size_t n;

	*reader = (struct capture_reader){.file = file};
	n = read_bytes(reader, header, sizeof(*header), &outcome);
	if (outcome != CAPTURE_EVENT)
		return outcome;
	if (n == 0)
		return fail(reader, CAPTURE_TRUNCATED, "the file is empty");
	if (memcmp(header->magic, MAGIC, n < sizeof(header->magic) ? n : sizeof(header->magic)) != 0)
		return fail(reader, CAPTURE_FOREIGN, "not a capture of vfiowatch");
	if (n < sizeof(*header))
		return fail(reader, CAPTURE_TRUNCATED,
			    "the file ends inside its header, after %zu of %zu bytes", n, sizeof(*header));
	return check_header(reader);
}

/* The end frame at reader->offset: nothing may follow. */
static enum capture_outcome read_end(struct capture_reader *reader, uint32_t crc)
{
	enum capture_outcome outcome;
	uint8_t behind;

	if (crc != reader->running)
		return fail(reader, CAPTURE_CORRUPT,
			    "the checksum of all frames is wrong: one is missing or added");
	if (read_bytes(reader, &behind, 1, &outcome) > 0) {
		reader->offset += PREFIX;
		return fail(reader, CAPTURE_CORRUPT, "there are bytes after the end of the capture");
	}
	if (outcome == CAPTURE_EVENT)
		outcome = CAPTURE_END;
	reader->outcome = outcome;
	return outcome;
}

static enum capture_outcome read_event(struct capture_reader *reader, uint32_t length, uint32_t crc,
				       struct event *ret)
{
	enum capture_outcome outcome;
	size_t n;

	if (length < sizeof(ret->header) || length > sizeof(*ret))
		return fail(reader, CAPTURE_CORRUPT, "no event has a length of %" PRIu32 " bytes", length);
	n = read_bytes(reader, ret, length, &outcome);
	if (outcome != CAPTURE_EVENT)
		return outcome;
	if (n < length)
		return fail(reader, CAPTURE_TRUNCATED,
			    "the file ends inside an event, after %zu of %" PRIu32 " bytes", n, length);
	if (crc != crc_of(ret, length))
		return fail(reader, CAPTURE_CORRUPT, "the checksum of the event is wrong");
	if (!event_header_is_good(&ret->header) || ret->header.size != length)
		return fail(reader, CAPTURE_CORRUPT,
			    "no event of version %u has type %u, origin %u and %u bytes", ret->header.version,
			    ret->header.type, ret->header.origin, ret->header.size);
	return CAPTURE_EVENT;
}

enum capture_outcome capture_next(struct capture_reader *reader, struct event *ret)
{
	enum capture_outcome outcome;
	uint8_t prefix[PREFIX];
	uint32_t length, crc;
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (reader->outcome != CAPTURE_EVENT)
		return reader->outcome;
	reader->offset = reader->next;
	n = read_bytes(reader, prefix, sizeof(prefix), &outcome);
	if (outcome != CAPTURE_EVENT)
		return outcome;
	if (n == 0)
		return fail(reader, CAPTURE_TRUNCATED, "the file ends without an end frame");
	if (n < sizeof(prefix))
		return fail(reader, CAPTURE_TRUNCATED, "the file ends inside a frame, after %zu bytes of it",
			    n);
	length = get_le32(prefix);
	crc = get_le32(prefix + 4);
	if (length == 0)
		return read_end(reader, crc);
	outcome = read_event(reader, length, crc, ret);
	if (outcome != CAPTURE_EVENT)
		memset(ret, 0, sizeof(*ret));
	else
		reader->running = capture_running_crc(reader->running, prefix);
	return outcome;
}
