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

#define FIELDS_MAX 24
#define FIELD_LEN  2048

#define SECOND_NS  UINT64_C(1000000000)

/* The rate limit of one class. */
struct budget {
	uint64_t token_ns, full_ns; /* what one record costs, and the most there can be */
	uint64_t credit_ns;
	uint64_t refilled_ns;
	uint64_t unreported; /* records held back since the last one */
};

/* A conflict of which was told that it opened. */
struct told {
	uint64_t id;
	UT_hash_handle hh;
};

struct journal {
	struct budget cookies, wc, conflicts;
	struct told *told; /* as many as there are active findings at most */
	uint64_t suppressed;
};

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

static void set_budget(struct budget *budget, uint64_t burst, uint64_t rate)
{
	*budget = (struct budget){.token_ns = SECOND_NS / rate};
	budget->credit_ns = budget->full_ns = burst * budget->token_ns;
}

int journal_new(struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	set_budget(&journal->cookies, JOURNAL_BURST, JOURNAL_RATE);
	set_budget(&journal->wc, JOURNAL_BURST, JOURNAL_RATE);
	set_budget(&journal->conflicts, JOURNAL_CONFLICT_BURST, JOURNAL_CONFLICT_RATE);
	*ret = journal;
	return 0;
}

static void forget(struct journal *journal, struct told *told)
{
	HASH_DEL(journal->told, told);
	free(told);
}

struct journal *journal_free(struct journal *journal)
{
	while (journal && journal->told)
		forget(journal, journal->told);
	free(journal);
	return NULL;
}

uint64_t journal_suppressed(const struct journal *journal)
{
	return journal->suppressed;
}

static void hold_back(struct journal *journal, struct budget *budget)
{
	journal->suppressed++;
	budget->unreported++;
}

static bool may_write(struct journal *journal, struct budget *budget, uint64_t now_ns)
{
	uint64_t passed = now_ns > budget->refilled_ns ? now_ns - budget->refilled_ns : 0;

	budget->refilled_ns = now_ns;
	budget->credit_ns =
		passed < budget->full_ns - budget->credit_ns ? budget->credit_ns + passed : budget->full_ns;
	if (budget->credit_ns < budget->token_ns) {
		hold_back(journal, budget);
		return false;
	}
	budget->credit_ns -= budget->token_ns;
	return true;
}

/* Ends a record of a class with a budget. */
static void add_held_back(struct record *record, struct budget *budget)
{
	if (budget->unreported)
		add(record, JOURNAL_FIELD_SUPPRESSED "=%" PRIu64, budget->unreported);
	budget->unreported = 0;
}

static void add_type(struct record *record, const char *field, enum memtype type)
{
	if (memtype_name(type))
		add(record, "%s=%s", field, memtype_name(type));
}

/* Text of the kernel or of a program, safe inside MESSAGE. */
#define SAFE_TEXT_MAX (4 * EVENT_NAME_LEN + 1)

static const char *safe_or(const char *text, const char *unknown, char out[SAFE_TEXT_MAX])
{
	return text && *text ? text_escape(text, strlen(text), out, SAFE_TEXT_MAX) : unknown;
}

static void add_cookie(struct record *record, const struct ledger *ledger, const struct cookie *cookie)
{
	const struct device *device = cookie->file->device;

	if (device && device->name[0])
		add(record, JOURNAL_FIELD_DEVICE "=%s", device->name);
	add(record, JOURNAL_FIELD_REGION "=%" PRIu32, cookie->region);
	add(record, JOURNAL_FIELD_SOURCE "=%s", cookie->dialect == DIALECT_DMA_BUF ? "dmabuf" : "vfio");
	add(record, JOURNAL_FIELD_DIALECT "=%s", cookie_dialect_name(cookie->dialect));
	add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, cookie->offset);
	add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, cookie->size);
	add_type(record, JOURNAL_FIELD_REQUESTED, ledger_promised(ledger, cookie));
	if (cookie->dialect == DIALECT_DMA_BUF && cookie->ranges == 1) {
		add(record, JOURNAL_FIELD_PHYS_START "=0x%" PRIx64, cookie->phys_start);
		add(record, JOURNAL_FIELD_PHYS_END "=0x%" PRIx64, cookie->phys_start + cookie->size);
	}
}

void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence)
{
	const struct device *device = cookie->file->device;
	char name[SAFE_TEXT_MAX], comm[SAFE_TEXT_MAX];
	struct record record;

	if (!may_write(journal, &journal->cookies, now_ns))
		return;
	begin(&record, JOURNAL_COOKIE_ISSUED, LOG_INFO);
	add(&record,
	    "MESSAGE=%s region %" PRIu32 ": cookie 0x%" PRIx64 " for %" PRIu64 " bytes issued to %s[%" PRIu64
	    "]",
	    safe_or(device ? device->name : NULL, "unknown device", name), cookie->region, cookie->offset,
	    cookie->size, safe_or(process ? process->comm : NULL, "unknown", comm),
	    process ? process->key.tgid : 0);
	add_cookie(&record, ledger, cookie);
	if (process)
		add(&record, "OBJECT_PID=%" PRIu64, process->key.tgid);
	if (sequence)
		add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	add_held_back(&record, &journal->cookies);
	sd_journal_sendv(record.fields, record.n);
}

static void add_mapping(struct record *record, const struct ledger *ledger, const struct mapping *mapping)
{
	const struct cookie *cookie = mapping->cookie;

	if (!cookie && mapping->file && mapping->offset_known)
		cookie = ledger_cookie_at(ledger, mapping->file, mapping->offset);
	if (mapping->device && mapping->device->name[0])
		add(record, JOURNAL_FIELD_DEVICE "=%s", mapping->device->name);
	if (mapping->region != EVENT_REGION_UNKNOWN)
		add(record, JOURNAL_FIELD_REGION "=%" PRIu32, mapping->region);
	if (mapping_source_name(mapping->source))
		add(record, JOURNAL_FIELD_SOURCE "=%s", mapping_source_name(mapping->source));
	if (cookie)
		add(record, JOURNAL_FIELD_DIALECT "=%s", cookie_dialect_name(cookie->dialect));
	if (mapping->offset_known)
		add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, mapping->offset);
	add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, mapping->end - mapping->start);
	if (mapping->phys_known) {
		add(record, JOURNAL_FIELD_PHYS_START "=0x%" PRIx64, mapping->phys_start);
		add(record, JOURNAL_FIELD_PHYS_END "=0x%" PRIx64,
		    mapping->phys_start + (mapping->end - mapping->start));
	}
	add_type(record, JOURNAL_FIELD_REQUESTED, ledger_requested(ledger, mapping));
	if (mapping->owner)
		add(record, "OBJECT_PID=%" PRIu64, mapping->owner->key.tgid);
}

/* "region 2", or that it is not known. */
static const char *region_text(uint32_t region, char out[24])
{
	if (region == EVENT_REGION_UNKNOWN)
		return "unknown region";
	snprintf(out, 24, "region %" PRIu32, region);
	return out;
}

void journal_wc_requested(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			  const struct mapping *mapping, uint64_t sequence)
{
	const struct process *owner = mapping->owner;
	char name[SAFE_TEXT_MAX], comm[SAFE_TEXT_MAX], region[24];
	struct record record;

	if (!may_write(journal, &journal->wc, now_ns))
		return;
	begin(&record, JOURNAL_WC_REQUESTED, LOG_INFO);
	add(&record, "MESSAGE=%s %s: %s[%" PRIu64 "] mapped %" PRIu64 " bytes and asked for write-combining",
	    safe_or(mapping->device ? mapping->device->name : NULL, "unknown device", name),
	    region_text(mapping->region, region), safe_or(owner ? owner->comm : NULL, "unknown", comm),
	    owner ? owner->key.tgid : 0, mapping->end - mapping->start);
	add_mapping(&record, ledger, mapping);
	if (sequence)
		add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	add_held_back(&record, &journal->wc);
	sd_journal_sendv(record.fields, record.n);
}

/* An alias is of the newer mapping with the older one as its peer; else the peer is who caused it. */
static const struct party *subject_of(const struct finding *finding, const struct party **peer)
{
	bool caused = finding->cause == CAUSE_EARLIER_MAPPING || finding->cause == CAUSE_DEVICE_OPEN;

	*peer = finding->n_parties > 1 ? &finding->parties[0] : caused ? &finding->cause_party : NULL;
	return &finding->parties[finding->n_parties > 1];
}

static void add_ranges(struct record *record, const struct finding *finding)
{
	if (!finding->n_ranges)
		return;
	add(record, JOURNAL_FIELD_PHYS_START "=0x%" PRIx64, finding->ranges[0].start);
	add(record, JOURNAL_FIELD_PHYS_END "=0x%" PRIx64, finding->phys_end);
}

static void add_types(struct record *record, const struct finding *finding, const struct party *subject)
{
	const char *type = memtype_name(subject->type);
	const char *other =
		memtype_name(finding->n_parties > 1 ? finding->parties[0].type : subject->requested);

	add_type(record, JOURNAL_FIELD_REQUESTED, subject->requested);
	add_type(record, JOURNAL_FIELD_EFFECTIVE, subject->type);
	if (type && other)
		add(record, JOURNAL_FIELD_TYPES "=%s/%s", other, type);
}

static void add_finding(struct record *record, const struct finding *finding)
{
	const struct party *peer, *subject = subject_of(finding, &peer);

	add(record, JOURNAL_FIELD_CONFLICT "=%" PRIu64, finding->id);
	add(record, JOURNAL_FIELD_KIND "=%s", finding_kind_name(finding->kind));
	add(record, JOURNAL_FIELD_SEVERITY "=%s", finding_severity_name(finding->severity));
	if (finding->device[0])
		add(record, JOURNAL_FIELD_DEVICE "=%s", finding->device);
	if (finding->region != EVENT_REGION_UNKNOWN)
		add(record, JOURNAL_FIELD_REGION "=%" PRIu32, finding->region);
	if (mapping_source_name(subject->source))
		add(record, JOURNAL_FIELD_SOURCE "=%s", mapping_source_name(subject->source));
	add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, finding->bytes);
	add_ranges(record, finding);
	add_types(record, finding, subject);
	if (finding_cause_name(finding->cause))
		add(record, JOURNAL_FIELD_CAUSE "=%s", finding_cause_name(finding->cause));
	if (subject->process.tgid)
		add(record, "OBJECT_PID=%" PRIu64, subject->process.tgid);
	if (peer && peer->process.tgid)
		add(record, JOURNAL_FIELD_PEER_PID "=%" PRIu64, peer->process.tgid);
}

/* False: out of memory. */
static bool remember(struct journal *journal, uint64_t id)
{
	struct told *told = calloc(1, sizeof(*told));

	if (!told)
		return false;
	told->id = id;
	HASH_ADD(hh, journal->told, id, sizeof(told->id), told);
	if (told->hh.tbl)
		return true;
	free(told); /* uthash leaves out what it had no memory for */
	return false;
}

static void conflict_opened(struct journal *journal, uint64_t now_ns, const struct finding *finding,
			    enum memtype_arch arch)
{
	int priority = finding->severity >= SEVERITY_HIGH ? LOG_WARNING : LOG_NOTICE;
	char text[FIELD_LEN - sizeof("MESSAGE=")];
	struct record record;

	if (!may_write(journal, &journal->conflicts, now_ns))
		return;
	/* Without memory for that, its end could not be told. */
	if (!remember(journal, finding->id)) {
		hold_back(journal, &journal->conflicts);
		return;
	}
	begin(&record, JOURNAL_CONFLICT_OPENED, priority);
	add(&record, "MESSAGE=%s", finding_explain(finding, arch, text, sizeof(text)));
	add_finding(&record, finding);
	add_held_back(&record, &journal->conflicts);
	sd_journal_sendv(record.fields, record.n);
}

static void conflict_closed(struct journal *journal, const struct finding *finding)
{
	uint64_t lasted_ns =
		finding->until_ns > finding->since_ns ? finding->until_ns - finding->since_ns : 0;
	char name[SAFE_TEXT_MAX], region[24];
	struct record record;
	struct told *told;

	HASH_FIND(hh, journal->told, &finding->id, sizeof(finding->id), told);
	if (!told)
		return;
	forget(journal, told);
	begin(&record, JOURNAL_CONFLICT_CLOSED, LOG_INFO);
	add(&record, "MESSAGE=%s %s: conflict %" PRIu64 " (%s) is over after %" PRIu64 ".%03" PRIu64 " s",
	    safe_or(finding->device, "unknown device", name), region_text(finding->region, region),
	    finding->id, finding_kind_name(finding->kind), lasted_ns / SECOND_NS,
	    lasted_ns % SECOND_NS / 1000000);
	add_finding(&record, finding);
	sd_journal_sendv(record.fields, record.n);
}

void journal_conflict(struct journal *journal, uint64_t now_ns, enum finding_change_kind what,
		      const struct finding *finding, enum memtype_arch arch)
{
	if (what == FINDING_OPENED)
		conflict_opened(journal, now_ns, finding, arch);
	else if (what == FINDING_CLOSED)
		conflict_closed(journal, finding);
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
