/* SPDX-License-Identifier: GPL-2.0-or-later */

/* sink/journal.c: what goes to journald, and how much of it. journald itself is replaced. */

#include "events.h"

#include <systemd/sd-journal.h>

#include "sink/journal.h"
#include "vfiowatch/journal.h"

#define SECOND_NS 1000000000ULL

/* The record written last, one field a line, and the number of all. */
static char last[8192];
static unsigned int written;

int sd_journal_sendv_with_location(const char *file, const char *line, const char *function,
				   const struct iovec *fields, int n)
{
	size_t used = 0;

	(void)file;
	(void)line;
	(void)function;
	written++;
	for (int i = 0; i < n; i++)
		used += snprintf(last + used, sizeof(last) - used, "%.*s\n", (int)fields[i].iov_len,
				 (char *)fields[i].iov_base);
	return 0;
}

struct fixture {
	struct ledger *ledger;
	struct journal *journal;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(ledger_new(&fixture->ledger, MEMTYPE_ARCH_X86_64, NULL), 0);
	assert_int_equal(journal_new(&fixture->journal), 0);
	written = 0;
	last[0] = 0;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	ledger_free(fixture->ledger);
	journal_free(fixture->journal);
	free(fixture);
	return 0;
}

static bool has_field(const char *field)
{
	size_t length = strlen(field);

	for (const char *line = last; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, field, length) == 0 && line[length] == '\n')
			return true;
	return false;
}

static void tell(struct fixture *fixture, const struct change *change, uint64_t now_ns)
{
	journal_cookie_issued(fixture->journal, now_ns, fixture->ledger, change->cookie, change->process, 42);
}

static void test_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct change change;
	char id[64];

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	change = apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10));
	tell(fixture, &change, 0);
	snprintf(id, sizeof(id), "MESSAGE_ID=" SD_ID128_FORMAT_STR,
		 SD_ID128_FORMAT_VAL(JOURNAL_COOKIE_ISSUED));
	assert_true(has_field(id));
	assert_true(has_field("VFIOWATCH_DEVICE=0000:00:01.0"));
	assert_true(has_field("VFIOWATCH_REGION=2"));
	assert_true(has_field("VFIOWATCH_SOURCE=vfio"));
	assert_true(has_field("VFIOWATCH_DIALECT=region-info"));
	assert_true(has_field("VFIOWATCH_OFFSET=0x20000000000"));
	assert_true(has_field("VFIOWATCH_SIZE=16777216"));
	assert_true(has_field("VFIOWATCH_REQUESTED=uc-"));
	assert_true(has_field("VFIOWATCH_SEQ=42"));
	assert_true(has_field("OBJECT_PID=10"));
	assert_null(strstr(last, "PHYS"));
	assert_null(strstr(last, "SUPPRESSED"));
}

static void test_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10);
	struct change change;

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	event.cookie.dialect = DIALECT_DMA_BUF;
	event.cookie.offset = 0;
	event.cookie.flags = 0;
	event.cookie.phys_start = BAR_2;
	change = apply(fixture->ledger, event);
	tell(fixture, &change, 0);
	assert_true(has_field("VFIOWATCH_SOURCE=dmabuf"));
	assert_true(has_field("VFIOWATCH_DIALECT=dma-buf"));
	assert_non_null(strstr(last, "VFIOWATCH_PHYS_START=0x"));
	assert_non_null(strstr(last, "VFIOWATCH_PHYS_END=0x"));
	/* What a DMABUF promises is not known, so it is not told. */
	assert_null(strstr(last, "VFIOWATCH_REQUESTED"));
}

static void test_unknown_and_hostile(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(cookie_event(EVENT_COOKIE, 2, 7, 1), 10);
	struct change change;

	memcpy(event.header.who.comm, "\x1b[31m\nPRIORITY=0", EVENT_COMM_LEN);
	change = apply(fixture->ledger, event);
	tell(fixture, &change, 0);
	assert_null(strstr(last, "VFIOWATCH_DEVICE"));
	assert_non_null(strstr(last, "unknown device"));
	assert_non_null(strstr(last, "\\x1b[31m\\x0aPRIORITY"));
	assert_false(has_field("PRIORITY=0"));
	assert_null(strchr(last, '\x1b'));

	change.process = NULL;
	tell(fixture, &change, 0);
	assert_null(strstr(last, "OBJECT_PID"));
}

static void test_rate(void **state)
{
	struct fixture *fixture = *state;
	struct change change = apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 7, 1), 10));

	for (int i = 0; i < JOURNAL_BURST + 500; i++)
		tell(fixture, &change, SECOND_NS);
	assert_int_equal(written, JOURNAL_BURST);
	assert_int_equal(journal_suppressed(fixture->journal), 500);

	for (int i = 0; i < JOURNAL_RATE + 7; i++)
		tell(fixture, &change, 2 * SECOND_NS);
	assert_int_equal(written, JOURNAL_BURST + JOURNAL_RATE);
	assert_int_equal(journal_suppressed(fixture->journal), 507);

	tell(fixture, &change, 3 * SECOND_NS);
	assert_true(has_field("VFIOWATCH_SUPPRESSED=7"));
	/* A clock that goes back gives no credit and takes none. */
	tell(fixture, &change, 0);
	assert_null(strstr(last, "SUPPRESSED"));
}

static void test_losses_are_never_held_back(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2 * JOURNAL_BURST; i++)
		journal_events_lost(fixture->journal, "map", 3);
	journal_degraded(fixture->journal, "a reason");
	assert_int_equal(written, 2 * JOURNAL_BURST + 1);
	assert_non_null(strstr(last, "a reason"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dmabuf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_and_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses_are_never_held_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
