/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_JOURNAL_INTERNAL_H
#define VFIOWATCH_SINK_JOURNAL_INTERNAL_H

/* What the files of the journal share: journal_record.c (a record, and how many there may be), journal.c
 * (cookies, mappings, conflicts, the daemon itself), journal_policy.c (what policy did). */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-id128.h>

#include "sink/journal.h"
#include "vfiowatch/journal.h"

#define FIELDS_MAX 40
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
	struct budget cookies, wc, conflicts, requests;
	struct told *told; /* as many as there are active findings at most */
	uint64_t sent, suppressed, unwritten;
};

void budget_set(struct budget *budget, uint64_t burst, uint64_t rate);
void budget_hold_back(struct journal *journal, struct budget *budget);

/* True: one record more may be written. Else it is counted as held back. */
bool budget_takes(struct journal *journal, struct budget *budget, uint64_t now_ns);

/* One record in the making. */
struct record {
	char text[FIELDS_MAX][FIELD_LEN];
	struct iovec fields[FIELDS_MAX];
	int n;
};

void record_begin(struct record *record, sd_id128_t id, int priority);

/* One field, "NAME=value"; what is longer than FIELD_LEN is cut. */
__attribute__((format(printf, 2, 3))) void record_add(struct record *record, const char *format, ...);

/* These add nothing for what is not known. */
void record_type(struct record *record, const char *field, enum memtype type);
void record_device(struct record *record, const char *device, uint32_t region);
void record_source(struct record *record, const char *field, unsigned int source);
void record_phys(struct record *record, uint64_t start, uint64_t end);
void record_verdict(struct record *record, struct journal_verdict verdict);

/* At most @length bytes of @text, made safe. */
void record_text(struct record *record, const char *field, const char *text, size_t length);

/* OBJECT_PID and who @process (NULL: unknown) is. */
void record_process(struct record *record, const struct process *process);

/* .. the same without what a decision in the kernel tells itself: pid, unit and machine. What a command line
 * says is left out where the machine is known. */
void record_identity(struct record *record, const struct process *process, bool machine_known);

/* Ends a record of a class with a budget. */
void record_held_back(struct record *record, struct budget *budget);

void record_send(struct journal *journal, const struct record *record);

/* Text of the kernel or of a program, safe inside a field. */
#define SAFE_TEXT_MAX (4 * EVENT_NAME_LEN + 1)
const char *record_safe(const char *text, const char *unknown, char out[SAFE_TEXT_MAX]);

/* "region 2", or that it is not known. */
const char *record_region(uint32_t region, char out[24]);

/* journal.c: fields of a mapping; those of a finding, which has the types of its subject. */
void record_mapping(struct record *record, const struct ledger *ledger, const struct mapping *mapping);
void record_finding(struct record *record, const struct ledger *ledger, const struct finding *finding);

/* An alias is of the newer mapping with the older one as its peer; else the peer is who caused it, or NULL.
 */
const struct party *record_subject(const struct finding *finding, const struct party **peer);

#endif
