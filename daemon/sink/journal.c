// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "sink/journal_internal.h"

int journal_new(struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	budget_set(&journal->cookies, JOURNAL_BURST, JOURNAL_RATE);
	budget_set(&journal->wc, JOURNAL_BURST, JOURNAL_RATE);
	budget_set(&journal->conflicts, JOURNAL_CONFLICT_BURST, JOURNAL_CONFLICT_RATE);
	budget_set(&journal->requests, JOURNAL_BURST, JOURNAL_RATE);
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

uint64_t journal_sent(const struct journal *journal)
{
	return journal->sent;
}

uint64_t journal_unwritten(const struct journal *journal)
{
	return journal->unwritten;
}

static void add_cookie(struct record *record, const struct ledger *ledger, const struct cookie *cookie)
{
	const struct device *device = cookie->file->device;

	record_device(record, device ? device->name : NULL, cookie->region);
	record_add(record, JOURNAL_FIELD_SOURCE "=%s",
		   cookie->dialect == DIALECT_DMA_BUF ? "dmabuf" : "vfio");
	record_add(record, JOURNAL_FIELD_DIALECT "=%s", cookie_dialect_name(cookie->dialect));
	record_add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, cookie->offset);
	record_add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, cookie->size);
	record_type(record, JOURNAL_FIELD_REQUESTED, ledger_promised(ledger, cookie));
	if (cookie->dialect == DIALECT_DMA_BUF && cookie->ranges == 1)
		record_phys(record, cookie->phys_start, cookie->phys_start + cookie->size);
}

void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence)
{
	const struct device *device = cookie->file->device;
	char name[SAFE_TEXT_MAX], comm[SAFE_TEXT_MAX];
	struct record record;

	if (!budget_takes(journal, &journal->cookies, now_ns))
		return;
	record_begin(&record, JOURNAL_COOKIE_ISSUED, LOG_INFO);
	record_add(&record,
		   "MESSAGE=%s region %" PRIu32 ": cookie 0x%" PRIx64 " for %" PRIu64
		   " bytes issued to %s[%" PRIu64 "]",
		   record_safe(device ? device->name : NULL, "unknown device", name), cookie->region,
		   cookie->offset, cookie->size, record_safe(process ? process->comm : NULL, "unknown", comm),
		   process ? process->key.tgid : 0);
	add_cookie(&record, ledger, cookie);
	record_process(&record, process);
	if (sequence)
		record_add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	record_held_back(&record, &journal->cookies);
	record_send(journal, &record);
}

void record_mapping(struct record *record, const struct ledger *ledger, const struct mapping *mapping)
{
	const struct cookie *cookie = mapping->cookie;

	if (!cookie && mapping->file && mapping->offset_known)
		cookie = ledger_cookie_at(ledger, mapping->file, mapping->offset);
	record_device(record, mapping->device ? mapping->device->name : NULL, mapping->region);
	record_source(record, JOURNAL_FIELD_SOURCE, mapping->source);
	if (cookie)
		record_add(record, JOURNAL_FIELD_DIALECT "=%s", cookie_dialect_name(cookie->dialect));
	if (mapping->offset_known)
		record_add(record, JOURNAL_FIELD_OFFSET "=0x%" PRIx64, mapping->offset);
	record_add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, mapping->end - mapping->start);
	if (mapping->phys_known)
		record_phys(record, mapping->phys_start,
			    mapping->phys_start + (mapping->end - mapping->start));
	record_type(record, JOURNAL_FIELD_REQUESTED, ledger_requested(ledger, mapping));
	record_process(record, mapping->owner);
}

void journal_wc_requested(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			  const struct mapping *mapping, uint64_t sequence, struct journal_verdict verdict)
{
	const struct process *owner = mapping->owner;
	char name[SAFE_TEXT_MAX], comm[SAFE_TEXT_MAX], region[24];
	struct record record;

	if (!budget_takes(journal, &journal->wc, now_ns))
		return;
	record_begin(&record, JOURNAL_WC_REQUESTED, LOG_INFO);
	record_add(&record,
		   "MESSAGE=%s %s: %s[%" PRIu64 "] mapped %" PRIu64 " bytes and asked for write-combining",
		   record_safe(mapping->device ? mapping->device->name : NULL, "unknown device", name),
		   record_region(mapping->region, region),
		   record_safe(owner ? owner->comm : NULL, "unknown", comm), owner ? owner->key.tgid : 0,
		   mapping->end - mapping->start);
	record_mapping(&record, ledger, mapping);
	record_verdict(&record, verdict);
	if (sequence)
		record_add(&record, JOURNAL_FIELD_SEQ "=%" PRIu64, sequence);
	record_held_back(&record, &journal->wc);
	record_send(journal, &record);
}

const struct party *record_subject(const struct finding *finding, const struct party **peer)
{
	bool caused = finding->cause == CAUSE_EARLIER_MAPPING || finding->cause == CAUSE_DEVICE_OPEN;

	*peer = finding->n_parties > 1 ? &finding->parties[0] : caused ? &finding->cause_party : NULL;
	return &finding->parties[finding->n_parties > 1];
}

static void add_types(struct record *record, const struct finding *finding, const struct party *subject)
{
	const char *type = memtype_name(subject->type);
	const char *other =
		memtype_name(finding->n_parties > 1 ? finding->parties[0].type : subject->requested);

	record_type(record, JOURNAL_FIELD_REQUESTED, subject->requested);
	record_type(record, JOURNAL_FIELD_EFFECTIVE, subject->type);
	if (type && other)
		record_add(record, JOURNAL_FIELD_TYPES "=%s/%s", other, type);
}

/* Who is gone from the ledger has a pid only. */
static void add_subject(struct record *record, const struct ledger *ledger, const struct process_key *key)
{
	const struct process *process = ledger_process(ledger, key);

	if (process)
		record_process(record, process);
	else if (key->tgid)
		record_add(record, "OBJECT_PID=%" PRIu64, key->tgid);
}

void record_finding(struct record *record, const struct ledger *ledger, const struct finding *finding)
{
	const struct party *peer, *subject = record_subject(finding, &peer);

	record_add(record, JOURNAL_FIELD_CONFLICT "=%" PRIu64, finding->id);
	record_add(record, JOURNAL_FIELD_KIND "=%s", finding_kind_name(finding->kind));
	record_add(record, JOURNAL_FIELD_SEVERITY "=%s", finding_severity_name(finding->severity));
	record_device(record, finding->device, finding->region);
	record_source(record, JOURNAL_FIELD_SOURCE, subject->source);
	record_add(record, JOURNAL_FIELD_SIZE "=%" PRIu64, finding->bytes);
	if (finding->n_ranges)
		record_phys(record, finding->ranges[0].start, finding->phys_end);
	add_types(record, finding, subject);
	if (finding_cause_name(finding->cause))
		record_add(record, JOURNAL_FIELD_CAUSE "=%s", finding_cause_name(finding->cause));
	add_subject(record, ledger, &subject->process);
	if (peer && peer->process.tgid)
		record_add(record, JOURNAL_FIELD_PEER_PID "=%" PRIu64, peer->process.tgid);
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
			    const struct ledger *ledger, struct journal_verdict verdict)
{
	int priority = finding->severity >= SEVERITY_HIGH ? LOG_WARNING : LOG_NOTICE;
	char text[FIELD_LEN - sizeof("MESSAGE=")];
	struct record record;

	if (!budget_takes(journal, &journal->conflicts, now_ns))
		return;
	/* Without memory for that, its end could not be told. */
	if (!remember(journal, finding->id)) {
		budget_hold_back(journal, &journal->conflicts);
		return;
	}
	record_begin(&record, JOURNAL_CONFLICT_OPENED, priority);
	record_add(&record, "MESSAGE=%s", finding_explain(finding, ledger_arch(ledger), text, sizeof(text)));
	record_finding(&record, ledger, finding);
	record_verdict(&record, verdict);
	record_held_back(&record, &journal->conflicts);
	record_send(journal, &record);
}

static void conflict_closed(struct journal *journal, const struct ledger *ledger,
			    const struct finding *finding)
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
	record_begin(&record, JOURNAL_CONFLICT_CLOSED, LOG_INFO);
	record_add(&record,
		   "MESSAGE=%s %s: conflict %" PRIu64 " (%s) is over after %" PRIu64 ".%03" PRIu64 " s",
		   record_safe(finding->device, "unknown device", name),
		   record_region(finding->region, region), finding->id, finding_kind_name(finding->kind),
		   lasted_ns / SECOND_NS, lasted_ns % SECOND_NS / 1000000);
	record_finding(&record, ledger, finding);
	record_send(journal, &record);
}

void journal_conflict(struct journal *journal, uint64_t now_ns, enum finding_change_kind what,
		      const struct finding *finding, const struct ledger *ledger,
		      struct journal_verdict verdict)
{
	if (what == FINDING_OPENED)
		conflict_opened(journal, now_ns, finding, ledger, verdict);
	else if (what == FINDING_CLOSED)
		conflict_closed(journal, ledger, finding);
}

void journal_events_lost(struct journal *journal, const char *type, uint64_t lost)
{
	struct record record;

	record_begin(&record, JOURNAL_EVENTS_LOST, LOG_WARNING);
	record_add(&record, "MESSAGE=%" PRIu64 " kernel events (%s) were lost; the ledger was read anew",
		   lost, type);
	record_add(&record, JOURNAL_FIELD_LOST "=%" PRIu64, lost);
	record_send(journal, &record);
}

void journal_degraded(struct journal *journal, const char *reason)
{
	struct record record;

	record_begin(&record, JOURNAL_DEGRADED, LOG_WARNING);
	record_add(&record, "MESSAGE=Not everything is seen: %s", reason);
	record_send(journal, &record);
}
