/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_JOURNALED_H
#define VFIOWATCH_TESTS_JOURNALED_H

/* A journal in front of a journald that is replaced: it keeps the record written last. */
#include "catalog.h"
#include "events.h"

#include <systemd/sd-journal.h>

#include "sink/journal.h"
#include "vfiowatch/journal.h"

#define SECOND_NS 1000000000ULL

/* The record written last, one field a line, the number of all, and what journald answers. */
static char last[32768];
static unsigned int written;
static int answer;

int sd_journal_sendv_with_location(const char *file, const char *line, const char *function,
				   const struct iovec *fields, int n)
{
	size_t used = 0;

	(void)file, (void)line, (void)function;
	written++;
	catalog_note(fields, n);
	for (int i = 0; i < n; i++)
		used += snprintf(last + used, sizeof(last) - used, "%.*s\n", (int)fields[i].iov_len,
				 (char *)fields[i].iov_base);
	return answer;
}

struct fixture {
	struct ledger *ledger;
	struct journal *journal;
};

static inline int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(ledger_new(&fixture->ledger, MEMTYPE_ARCH_X86_64, NULL), 0);
	assert_int_equal(journal_new(&fixture->journal), 0);
	written = 0;
	last[0] = 0;
	answer = 0;
	*state = fixture;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	ledger_free(fixture->ledger);
	journal_free(fixture->journal);
	free(fixture);
	return 0;
}

static inline bool has_field(const char *field)
{
	size_t length = strlen(field);

	for (const char *line = last; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, field, length) == 0 && line[length] == '\n')
			return true;
	return false;
}

static inline bool has_id(sd_id128_t id)
{
	char field[64];

	snprintf(field, sizeof(field), "MESSAGE_ID=" SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
	return has_field(field);
}

#endif
