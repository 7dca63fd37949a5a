/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Captures: what is written reads back, and every defect has its outcome, its offset and a reason. */
#include <endian.h>
#include <errno.h>

#include <zlib.h>

#include "events.h"

#include "capture.h"

#define HEADER sizeof(struct capture_header)

struct bytes {
	uint8_t data[8192];
	size_t size;
	uint32_t running;
	size_t frames[16]; /* offset of each frame, the end frame too */
	size_t n_frames;
};

static void append(struct bytes *bytes, const void *data, size_t size)
{
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void append_event(struct bytes *bytes, struct event event)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	size_t size = capture_frame(&event, frame);

	assert_int_equal(size, 8 + event.header.size);
	bytes->frames[bytes->n_frames++] = bytes->size;
	append(bytes, frame, size);
	bytes->running = capture_running_crc(bytes->running, frame);
}

static void append_end(struct bytes *bytes)
{
	uint8_t frame[CAPTURE_FRAME_MAX];

	bytes->frames[bytes->n_frames++] = bytes->size;
	append(bytes, frame, capture_end_frame(bytes->running, frame));
}

static struct bytes begin_capture(void)
{
	struct bytes bytes = {.size = 0};
	struct capture_header header;

	capture_header_fill(&header, MEMTYPE_ARCH_X86_64, 4096, 1700000000000000000);
	append(&bytes, &header, sizeof(header));
	return bytes;
}

static struct bytes make_capture(void)
{
	struct bytes bytes = begin_capture();

	append_event(&bytes, by(file_event(EVENT_OPEN, 1), 10));
	append_event(&bytes, by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10));
	append_event(&bytes, by(mapping_event(EVENT_MAP, 3, 1, 0x10000, 0, 16), 10));
	append_event(&bytes, make_event(EVENT_LOST));
	append_end(&bytes);
	return bytes;
}

/* Reads a capture to its first outcome that is no event. */
static enum capture_outcome read_all(const struct bytes *bytes, struct capture_reader *reader, size_t *events)
{
	FILE *file = fmemopen((void *)bytes->data, bytes->size ? bytes->size : 1, "r");
	enum capture_outcome outcome;
	struct event event;

	assert_non_null(file);
	if (!bytes->size)
		fgetc(file);
	*events = 0;
	outcome = capture_open(reader, file);
	while (outcome == CAPTURE_EVENT) {
		outcome = capture_next(reader, &event);
		*events += outcome == CAPTURE_EVENT;
	}
	/* The outcome stays, and no event is left behind. */
	assert_int_equal(capture_next(reader, &event), outcome);
	assert_int_equal(event.header.version, 0);
	fclose(file);
	reader->file = NULL;
	return outcome;
}

static void expect(const struct bytes *bytes, enum capture_outcome outcome, size_t events, size_t offset,
		   const char *reason)
{
	struct capture_reader reader;
	size_t n;

	assert_int_equal(read_all(bytes, &reader, &n), outcome);
	assert_int_equal(n, events);
	assert_int_equal(reader.offset, offset);
	if (!strstr(reader.reason, reason))
		fail_msg("reason is \"%s\", not \"%s\"", reader.reason, reason);
	assert_null(strchr(reader.reason, '\n'));
}

static void test_round_trip(void **state)
{
	struct bytes bytes = make_capture();
	FILE *file = fmemopen(bytes.data, bytes.size, "r");
	struct event expected[] = {
		by(file_event(EVENT_OPEN, 1), 10),
		by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10),
		by(mapping_event(EVENT_MAP, 3, 1, 0x10000, 0, 16), 10),
		make_event(EVENT_LOST),
	};
	struct capture_reader reader;
	struct event event;

	(void)state;
	assert_int_equal(capture_open(&reader, file), CAPTURE_EVENT);
	assert_int_equal(reader.header.arch, MEMTYPE_ARCH_X86_64);
	assert_int_equal(reader.header.page_size, 4096);
	assert_true(reader.header.realtime_offset_ns == 1700000000000000000);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(capture_next(&reader, &event), CAPTURE_EVENT);
		assert_int_equal(reader.offset, bytes.frames[i]);
		assert_memory_equal(&event, &expected[i], sizeof(event));
	}
	assert_int_equal(capture_next(&reader, &event), CAPTURE_END);
	assert_int_equal(reader.offset, bytes.frames[4]);
	fclose(file);
}

static void test_no_events(void **state)
{
	struct bytes bytes = begin_capture();

	(void)state;
	append_end(&bytes);
	expect(&bytes, CAPTURE_END, 0, HEADER, "");
}

static void test_malformed_event_is_not_written(void **state)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	struct event event = make_event(EVENT_MAP);

	(void)state;
	assert_int_not_equal(capture_frame(&event, frame), 0);
	event.header.size--;
	assert_int_equal(capture_frame(&event, frame), 0);
	event = make_event(EVENT_MAP);
	event.header.type = EVENT_TYPES;
	assert_int_equal(capture_frame(&event, frame), 0);
	event = make_event(EVENT_MAP);
	event.header.version++;
	assert_int_equal(capture_frame(&event, frame), 0);
	event = make_event(EVENT_MAP);
	event.header.origin = 2;
	assert_int_equal(capture_frame(&event, frame), 0);
}

/* Cut at every byte: truncated, at the frame that is cut, and what is whole before it is still read. */
static void test_every_truncation(void **state)
{
	struct bytes whole = make_capture();

	(void)state;
	for (size_t size = 0; size < whole.size; size++) {
		struct bytes cut = whole;
		size_t events = 0, offset = 0;

		cut.size = size;
		for (size_t i = 0; i < whole.n_frames && whole.frames[i] <= size; i++) {
			offset = whole.frames[i];
			events = i;
		}
		expect(&cut, CAPTURE_TRUNCATED, size < HEADER ? 0 : events, size < HEADER ? 0 : offset,
		       size ? "the file ends" : "the file is empty");
	}
}

/* Every bit flipped: never taken for good, and never an offset behind the damage. */
static void test_every_bit(void **state)
{
	struct bytes bytes = make_capture();

	(void)state;
	for (size_t bit = 0; bit < bytes.size * 8; bit++) {
		struct capture_reader reader;
		enum capture_outcome outcome;
		size_t events;

		bytes.data[bit / 8] ^= 1 << bit % 8;
		outcome = read_all(&bytes, &reader, &events);
		assert_true(outcome == CAPTURE_FOREIGN || outcome == CAPTURE_TRUNCATED ||
			    outcome == CAPTURE_CORRUPT);
		assert_true(reader.offset <= bit / 8);
		assert_true(reader.reason[0] != 0);
		bytes.data[bit / 8] ^= 1 << bit % 8;
	}
}

/* A capture whose header is changed and given the right CRC again. */
static struct bytes with_header(void (*change)(struct capture_header *header))
{
	struct bytes bytes = make_capture();
	struct capture_header header;

	memcpy(&header, bytes.data, sizeof(header));
	change(&header);
	header.crc = crc32(0, (const Bytef *)&header, offsetof(struct capture_header, crc));
	memcpy(bytes.data, &header, sizeof(header));
	return bytes;
}

static void other_order(struct capture_header *header)
{
	header->byte_order = 0x04030201;
}

static void no_order(struct capture_header *header)
{
	header->byte_order = 0;
}

static void other_version(struct capture_header *header)
{
	header->version = CAPTURE_VERSION + 1;
}

static void other_event_version(struct capture_header *header)
{
	header->event_version = EVENT_VERSION + 1;
}

static void other_arch(struct capture_header *header)
{
	header->arch = MEMTYPE_ARCHES;
}

static void odd_pages(struct capture_header *header)
{
	header->page_size = 4097;
}

static void no_pages(struct capture_header *header)
{
	header->page_size = 0;
}

static void nothing(struct capture_header *header)
{
	(void)header;
}

static void test_headers(void **state)
{
	static const struct {
		void (*change)(struct capture_header *header);
		enum capture_outcome outcome;
		const char *reason;
	} cases[] = {
		{other_order, CAPTURE_FOREIGN, "other byte order"},
		{no_order, CAPTURE_FOREIGN, "unknown byte order 0x00000000"},
		{other_version, CAPTURE_FOREIGN, "capture version 2, this program reads version 1"},
		{other_event_version, CAPTURE_FOREIGN, "event version 3, this program reads version 2"},
		{other_arch, CAPTURE_FOREIGN, "unknown architecture 3"},
		{odd_pages, CAPTURE_CORRUPT, "4097 is no page size"},
		{no_pages, CAPTURE_CORRUPT, "0 is no page size"},
	};
	struct bytes bytes = with_header(nothing);

	(void)state;
	expect(&bytes, CAPTURE_END, 4, bytes.frames[4], "");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bytes = with_header(cases[i].change);
		expect(&bytes, cases[i].outcome, 0, 0, cases[i].reason);
	}
	bytes = make_capture();
	bytes.data[offsetof(struct capture_header, page_size)] ^= 1;
	expect(&bytes, CAPTURE_CORRUPT, 0, 0, "checksum of the file header");
}

static void test_foreign_files(void **state)
{
	static const char *const texts[] = {"X", "VFIX", "#!/bin/sh\necho hello\n", "\177ELF\002\001\001"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes bytes = {.size = 0};

		append(&bytes, texts[i], strlen(texts[i]));
		expect(&bytes, CAPTURE_FOREIGN, 0, 0, "not a capture of vfiowatch");
	}
}

static void test_frames_removed_or_added(void **state)
{
	struct bytes bytes = make_capture();

	(void)state;
	/* Without its second event every frame is good by itself. */
	memmove(bytes.data + bytes.frames[1], bytes.data + bytes.frames[2], bytes.size - bytes.frames[2]);
	bytes.size -= bytes.frames[2] - bytes.frames[1];
	expect(&bytes, CAPTURE_CORRUPT, 3, bytes.size - 8, "one is missing or added");
	bytes = make_capture();
	append(&bytes, "x", 1);
	expect(&bytes, CAPTURE_CORRUPT, 4, bytes.size - 1, "bytes after the end");
}

/* A frame whose CRC is right and whose event is not. */
static void test_wrong_event_in_a_right_frame(void **state)
{
	struct bytes bytes = begin_capture();
	struct event event = make_event(EVENT_LOST);
	uint32_t prefix[2];

	(void)state;
	event.header.type = EVENT_TYPES;
	prefix[0] = htole32(event.header.size);
	prefix[1] = htole32(crc32(0, (const Bytef *)&event, event.header.size));
	append(&bytes, prefix, sizeof(prefix));
	append(&bytes, &event, event.header.size);
	expect(&bytes, CAPTURE_CORRUPT, 0, HEADER, "no event of version 2 has type");

	bytes = begin_capture();
	prefix[0] = htole32(0x7fffffff);
	append(&bytes, prefix, sizeof(prefix));
	expect(&bytes, CAPTURE_CORRUPT, 0, HEADER, "no event has a length of 2147483647 bytes");
	bytes = begin_capture();
	prefix[0] = htole32(1);
	append(&bytes, prefix, sizeof(prefix));
	expect(&bytes, CAPTURE_CORRUPT, 0, HEADER, "no event has a length of 1 bytes");
}

static void test_read_errors(void **state)
{
	FILE *directory = fopen("/", "r");
	struct capture_reader reader;

	(void)state;
	assert_non_null(directory);
	assert_int_equal(capture_open(&reader, directory), CAPTURE_IO);
	assert_int_equal(reader.error, EISDIR);
	fclose(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_events),
		cmocka_unit_test(test_malformed_event_is_not_written),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_frames_removed_or_added),
		cmocka_unit_test(test_wrong_event_in_a_right_frame),
		cmocka_unit_test(test_read_errors),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
