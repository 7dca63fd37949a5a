/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_JOURNAL_H
#define VFIOWATCH_SINK_JOURNAL_H

/*
 * The only place that writes audit records to journald. Without journald nothing is written and nothing
 * fails.
 *
 * Each class that programs can cause at will has a budget of its own: so many records at once, then so many a
 * second. What is over is counted, and the count is in the next record of that class.
 */

#include <stdint.h>

#include "core/finding.h"
#include "core/ledger.h"

struct journal;

int journal_new(struct journal **ret);
struct journal *journal_free(struct journal *journal);

/* The budget of cookies, and another of the same size of requests for write-combining. */
#define JOURNAL_BURST 1000
#define JOURNAL_RATE  100

/* Tells that @cookie was issued by @process (NULL: unknown). @sequence: of the kernel event, 0: none. */
void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence);

/* Tells that @mapping was made and asked for write-combining. For an mmap, not for a copy or a scan. */
void journal_wc_requested(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			  const struct mapping *mapping, uint64_t sequence);

/* The budget of conflicts that open. */
#define JOURNAL_CONFLICT_BURST 5000
#define JOURNAL_CONFLICT_RATE  500

/*
 * Tells that @finding was opened or closed; FINDING_CHANGED makes no record. That a conflict closed is told
 * if and only if it was told that it opened: such a record is never held back, and as there is one for each
 * opened one, the budget bounds both.
 */
void journal_conflict(struct journal *journal, uint64_t now_ns, enum finding_change_kind what,
		      const struct finding *finding, enum memtype_arch arch);

/* Tells that @lost kernel events of the type named @type were dropped. Never held back. */
void journal_events_lost(struct journal *journal, const char *type, uint64_t lost);

/* Tells a reason why the daemon does not see everything, once per reason that is new. */
void journal_degraded(struct journal *journal, const char *reason);

/* Records of all classes held back so far. */
uint64_t journal_suppressed(const struct journal *journal);

#endif
