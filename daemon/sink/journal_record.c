// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "core/snapshot.h"
#include "sink/journal_internal.h"

void record_add(struct record *record, const char *format, ...)
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

void record_begin(struct record *record, sd_id128_t id, int priority)
{
	record->n = 0;
	record_add(record, "MESSAGE_ID=" SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
	record_add(record, "PRIORITY=%d", priority);
	record_add(record, "SYSLOG_IDENTIFIER=vfiowatchd");
}

void budget_set(struct budget *budget, uint64_t burst, uint64_t rate)
{
	*budget = (struct budget){.token_ns = SECOND_NS / rate};
	budget->credit_ns = budget->full_ns = burst * budget->token_ns;
}

void budget_hold_back(struct journal *journal, struct budget *budget)
{
	journal->suppressed++;
	budget->unreported++;
}

bool budget_takes(struct journal *journal, struct budget *budget, uint64_t now_ns)
{
	uint64_t passed = now_ns > budget->refilled_ns ? now_ns - budget->refilled_ns : 0;

	budget->refilled_ns = now_ns;
	budget->credit_ns =
		passed < budget->full_ns - budget->credit_ns ? budget->credit_ns + passed : budget->full_ns;
	if (budget->credit_ns < budget->token_ns) {
		budget_hold_back(journal, budget);
		return false;
	}
	budget->credit_ns -= budget->token_ns;
	return true;
}

void record_held_back(struct record *record, struct budget *budget)
{
	if (budget->unreported)
		record_add(record, JOURNAL_FIELD_SUPPRESSED "=%" PRIu64, budget->unreported);
	budget->unreported = 0;
}

void record_type(struct record *record, const char *field, enum memtype type)
{
	if (memtype_name(type))
		record_add(record, "%s=%s", field, memtype_name(type));
}

const char *record_safe(const char *text, const char *unknown, char out[SAFE_TEXT_MAX])
{
	return text && *text ? text_escape(text, strlen(text), out, SAFE_TEXT_MAX) : unknown;
}

const char *record_region(uint32_t region, char out[24])
{
	if (region == EVENT_REGION_UNKNOWN)
		return "unknown region";
	snprintf(out, 24, "region %" PRIu32, region);
	return out;
}

void record_device(struct record *record, const char *device, uint32_t region)
{
	if (device && *device)
		record_add(record, JOURNAL_FIELD_DEVICE "=%s", device);
	if (region != EVENT_REGION_UNKNOWN)
		record_add(record, JOURNAL_FIELD_REGION "=%" PRIu32, region);
}

void record_source(struct record *record, const char *field, unsigned int source)
{
	if (mapping_source_name(source))
		record_add(record, "%s=%s", field, mapping_source_name(source));
}

void record_phys(struct record *record, uint64_t start, uint64_t end)
{
	record_add(record, JOURNAL_FIELD_PHYS_START "=0x%" PRIx64, start);
	record_add(record, JOURNAL_FIELD_PHYS_END "=0x%" PRIx64, end);
}

void record_verdict(struct record *record, struct journal_verdict verdict)
{
	if (verdict.verdict)
		record_add(record, JOURNAL_FIELD_VERDICT "=%s", verdict.verdict);
	if (verdict.rule && *verdict.rule)
		record_add(record, JOURNAL_FIELD_RULE "=%s", verdict.rule);
}

void record_text(struct record *record, const char *field, const char *text, size_t length)
{
	char plain[2 * EVENT_NAME_LEN + 1] = {}, safe[4 * sizeof(plain)];

	memcpy(plain, text, strnlen(text, length < sizeof(plain) ? length : sizeof(plain) - 1));
	if (plain[0])
		record_add(record, "%s=%s", field, text_escape(plain, strlen(plain), safe, sizeof(safe)));
}

void record_identity(struct record *record, const struct process *process, bool machine_known)
{
	const struct event_identity *identity = process ? &process->identity : NULL;

	if (!process)
		return;
	record_text(record, JOURNAL_FIELD_SLICE, identity->slice, sizeof(identity->slice));
	record_text(record, JOURNAL_FIELD_USER_UNIT, identity->user_unit, sizeof(identity->user_unit));
	record_text(record, JOURNAL_FIELD_DOMAIN, identity->domain, sizeof(identity->domain));
	if (!machine_known)
		record_text(record, JOURNAL_FIELD_MACHINE_CLAIMED, identity->claimed,
			    sizeof(identity->claimed));
}

void record_process(struct record *record, const struct process *process)
{
	if (!process)
		return;
	record_add(record, "OBJECT_PID=%" PRIu64, process->key.tgid);
	record_text(record, JOURNAL_FIELD_UNIT, process->unit, sizeof(process->unit));
	record_text(record, JOURNAL_FIELD_MACHINE, process->machine, sizeof(process->machine));
	record_identity(record, process, process->machine[0]);
}

/* Without journald it returns 0. */
void record_send(struct journal *journal, const struct record *record)
{
	if (sd_journal_sendv(record->fields, record->n) < 0)
		journal->unwritten++;
	else
		journal->sent++;
}
