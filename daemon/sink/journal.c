// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "core/snapshot.h"
#include "vfiowatch/journal.h"

#define FIELDS_MAX 20
#define FIELD_LEN  384

struct journal {
	uint64_t tokens_ns; /* credit of the rate limit: one record costs a second / JOURNAL_RATE */
	uint64_t refilled_ns;
	uint64_t suppressed; /* in all */
	uint64_t unreported; /* since the last record */
};

#define TOKEN_NS (1000000000ULL / JOURNAL_RATE)

/* One record in the making. */
struct record {
	char text[FIELDS_MAX][FIELD_LEN];
	struct iovec fields[FIELDS_MAX];
	int n;
};

static __attribute__((format(printf, 2, 3))) void add(struct record *record, const char *format, ...)
{
	va_list arguments;
	char *text;
	int length;

	if (record->n == FIELDS_MAX)
		return;
	text = record->text[record->n];
	va_start(arguments, format);
	length = vsnprintf(text, FIELD_LEN, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if (length >= FIELD_LEN)
		length = FIELD_LEN - 1;
	record->fields[record->n++] = (struct iovec){text, length};
}

static void begin(struct record *record, sd_id128_t id, int priority)
{
	record->n = 0;
	add(record, "MESSAGE_ID=" SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
	add(record, "PRIORITY=%d", priority);
	add(record, "SYSLOG_IDENTIFIER=vfiowatchd");
}

int journal_new(struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	journal->tokens_ns = JOURNAL_BURST * TOKEN_NS;
	*ret = journal;
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	free(journal);
	return NULL;
}

uint64_t journal_suppressed(const struct journal *journal)
{
	return journal->suppressed;
}

static bool may_write(struct journal *journal, uint64_t now_ns)
{
	uint64_t passed = now_ns > journal->refilled_ns ? now_ns - journal->refilled_ns : 0;

	journal->refilled_ns = now_ns;
	journal->tokens_ns += passed;
	if (journal->tokens_ns > JOURNAL_BURST * TOKEN_NS)
		journal->tokens_ns = JOURNAL_BURST * TOKEN_NS;
	if (journal->tokens_ns < TOKEN_NS) {
		journal->suppressed++;
		journal->unreported++;
		return false;
	}
	journal->tokens_ns -= TOKEN_NS;
	return true;
}

static void add_cookie(struct record *record, const struct ledger *ledger, const struct cookie *cookie)
{
	const char *type = memtype_name(ledger_promised(ledger, cookie));
	const struct device *device = cookie->file->device;

	if (device && device->name[0])
		add(record, JOURNAL_FIELD_DEVICE "=%s", device->name);
	add(record, JOURNAL_FIELD_REGION "=%" PRIu32, cookie->region);
	add(record, JOURNAL_FIELD_SOURCE "=%s", cookie->dialect == DIALECT_DMA_BUF ? "dmabuf" : "vfio");
	add(record, JOURNAL_FIELD_DIALECT "=%s", cookie_dialect_name(cookie->dialect));
	add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, cookie->offset);
	add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, cookie->size);
	if (type)
		add(record, JOURNAL_FIELD_REQUESTED "=%s", type);
	if (cookie->dialect == DIALECT_DMA_BUF && cookie->ranges == 1) {
		add(record, JOURNAL_FIELD_PHYS_START "=0x%" PRIx64, cookie->phys_start);
		add(record, JOURNAL_FIELD_PHYS_END "=0x%" PRIx64, cookie->phys_start + cookie->size);
	}
}

void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence)
{
	char device[4 * EVENT_NAME_LEN + 1] = "unknown device", comm[4 * EVENT_COMM_LEN + 1] = "unknown";
	const struct device *known = cookie->file->device;
	struct record record;

	if (!may_write(journal, now_ns))
		return;
	if (known && known->name[0])
		text_escape(known->name, strlen(known->name), device, sizeof(device));
	if (process)
		text_escape(process->comm, strlen(process->comm), comm, sizeof(comm));

	begin(&record, JOURNAL_COOKIE_ISSUED, LOG_INFO);
	add(&record,
	    "MESSAGE=%s region %" PRIu32 ": cookie 0x%" PRIx64 " for %" PRIu64 " bytes issued to %s[%" PRIu64
	    "]",
	    device, cookie->region, cookie->offset, cookie->size, comm, process ? process->key.tgid : 0);
	add_cookie(&record, ledger, cookie);
	if (process)
		add(&record, "OBJECT_PID=%" PRIu64, process->key.tgid);
	if (sequence)
		add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	if (journal->unreported)
		add(&record, JOURNAL_FIELD_SUPPRESSED "=%" PRIu64, journal->unreported);
	journal->unreported = 0;
	sd_journal_sendv(record.fields, record.n);
}

void journal_events_lost(struct journal *journal, const char *type, uint64_t lost)
{
	struct record record;

	(void)journal;
	begin(&record, JOURNAL_EVENTS_LOST, LOG_WARNING);
	add(&record, "MESSAGE=%" PRIu64 " kernel events (%s) were lost; the ledger was read anew", lost,
	    type);
	add(&record, JOURNAL_FIELD_LOST "=%" PRIu64, lost);
	sd_journal_sendv(record.fields, record.n);
}

void journal_degraded(struct journal *journal, const char *reason)
{
	struct record record;

	(void)journal;
	begin(&record, JOURNAL_DEGRADED, LOG_WARNING);
	add(&record, "MESSAGE=Not everything is seen: %s", reason);
	sd_journal_sendv(record.fields, record.n);
}
