/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_JOURNAL_H
#define VFIOWATCH_SINK_JOURNAL_H

/* The only place that writes audit records to journald. Without journald nothing is written and nothing
 * fails. */

#include <stdint.h>

#include "core/ledger.h"

struct journal;

int journal_new(struct journal **ret);
struct journal *journal_free(struct journal *journal);

/*
 * Tells that @cookie was issued by @process (NULL: unknown). At most JOURNAL_BURST records at once and
 * JOURNAL_RATE a second; what is over is counted and the count is in the next record. @sequence: of the
 * kernel event, 0: none.
 */
#define JOURNAL_BURST 1000
#define JOURNAL_RATE  100
void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence);

/* Tells that @lost kernel events of the type named @type were dropped. Never held back. */
void journal_events_lost(struct journal *journal, const char *type, uint64_t lost);

/* Tells a reason why the daemon does not see everything, once per reason that is new. */
void journal_degraded(struct journal *journal, const char *reason);

/* Records held back so far. */
uint64_t journal_suppressed(const struct journal *journal);

#endif
