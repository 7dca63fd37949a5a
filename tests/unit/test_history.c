/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "events.h"

#include "core/history.h"

static void add(struct history *history, uint64_t sequence)
{
	struct event event = mapping_event(EVENT_MAP, sequence, 1, 0x10000, 0, 1);

	event.header.sequence = sequence;
	history_add(history, &event);
}

static uint64_t next(const struct history *history, uint64_t *cursor, uint64_t *skipped)
{
	const struct event *event = history_next(history, cursor, skipped);

	return event ? event->header.sequence : 0;
}

static void test_new(void **state)
{
	struct history *history;

	(void)state;
	assert_int_equal(history_new(&history, 0), -EINVAL);
	assert_int_equal(history_new(&history, SIZE_MAX), -ENOMEM);
	assert_int_equal(history_new(&history, 1), 0);
	assert_int_equal(history_end(history), 1);
	assert_null(history_free(history));
	assert_null(history_free(NULL));
}

static void test_follow(void **state)
{
	struct history *history;
	uint64_t cursor = 0, skipped = 0;

	(void)state;
	assert_int_equal(history_new(&history, 4), 0);
	assert_int_equal(next(history, &cursor, &skipped), 0);
	for (uint64_t i = 1; i <= 3; i++)
		add(history, i);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(next(history, &cursor, &skipped), i);
	assert_int_equal(next(history, &cursor, &skipped), 0);
	assert_int_equal(cursor, history_end(history));
	assert_int_equal(skipped, 0);
	add(history, 4);
	assert_int_equal(next(history, &cursor, &skipped), 4);
	history_free(history);
}

static void test_overwritten(void **state)
{
	struct history *history;
	uint64_t cursor = 2, skipped = 0, from_start = 0, skipped_from_start = 0;

	(void)state;
	assert_int_equal(history_new(&history, 4), 0);
	for (uint64_t i = 1; i <= 10; i++)
		add(history, i);
	/* 7 to 10 are kept; a reader at 2 missed 2 to 6. */
	assert_int_equal(next(history, &cursor, &skipped), 7);
	assert_int_equal(skipped, 5);
	for (uint64_t i = 8; i <= 10; i++)
		assert_int_equal(next(history, &cursor, &skipped), i);
	assert_int_equal(skipped, 5);
	assert_int_equal(next(history, &from_start, &skipped_from_start), 7);
	assert_int_equal(skipped_from_start, 6);
	history_free(history);
}

static void test_cursor_ahead(void **state)
{
	struct history *history;
	uint64_t cursor = UINT64_MAX, skipped = 0;

	(void)state;
	assert_int_equal(history_new(&history, 4), 0);
	add(history, 1);
	assert_int_equal(next(history, &cursor, &skipped), 0);
	assert_true(cursor == UINT64_MAX);
	assert_int_equal(skipped, 0);
	history_free(history);
}

/* Records of a ring are as long as they say; nothing beyond may be read, and nothing old shows through. */
static void test_size_of_records(void **state)
{
	struct event lost = make_event(EVENT_LOST);
	struct event *exact = malloc(lost.header.size), zero = {0};
	struct event_header *header = malloc(sizeof(*header));
	struct history *history;
	const struct event *kept;
	uint64_t cursor = 3, skipped = 0;

	(void)state;
	assert_int_equal(history_new(&history, 2), 0);
	add(history, 1);
	add(history, 2);
	memcpy(exact, &lost, lost.header.size);
	history_add(history, exact);
	*header = lost.header;
	header->size = 0;
	history_add(history, (struct event *)header);
	kept = history_next(history, &cursor, &skipped);
	assert_memory_equal(kept, &lost, sizeof(lost));
	kept = history_next(history, &cursor, &skipped);
	assert_int_equal(kept->header.type, EVENT_LOST);
	assert_memory_equal((const char *)kept + sizeof(*header), (const char *)&zero + sizeof(*header),
			    sizeof(zero) - sizeof(*header));
	free(exact);
	free(header);
	history_free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_cursor_ahead),
		cmocka_unit_test(test_size_of_records),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
