/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_JOURNAL_H
#define VFIOWATCH_SINK_JOURNAL_H

/*
 * The only place that writes audit records to journald. Without journald nothing is written and nothing
 * fails.
 *
 * Each class that programs can cause at will has a budget of its own: so many records at once, then so many a
 * second. What is over is counted, and the count is in the next record of that class. Requests that were
 * denied have none: each has a record.
 *
 * While journald is stalled a call waits for it. What happens meanwhile waits in the ring of kernel events,
 * and what finds no room there is counted as lost; enforcement waits for nothing. A record that journald does
 * not take is counted: journal_unwritten().
 */

#include <stdint.h>

#include "core/finding.h"
#include "core/ledger.h"
#include "core/policy.h"

struct journal;

int journal_new(struct journal **ret);
struct journal *journal_free(struct journal *journal);

/* The budget of cookies, and another of the same size of requests for write-combining. */
#define JOURNAL_BURST 1000
#define JOURNAL_RATE  100

/* Tells that @cookie was issued by @process (NULL: unknown). @sequence: of the kernel event, 0: none. */
void journal_cookie_issued(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			   const struct cookie *cookie, const struct process *process, uint64_t sequence);

/* What a policy says of the subject of a record. Zeroed: it was not asked. */
struct journal_verdict {
	const char *verdict; /* policy_verdict_name() */
	const char *rule;    /* policy_rule_name(); NULL: none */
};

/* The verdict of @policy as told in records; @policy NULL: it was not asked. Valid as long as @policy. */
struct journal_verdict journal_verdict(const struct policy *policy, struct policy_verdict verdict,
				       enum policy_mode mode);

/* Tells that @mapping was made and asked for write-combining. For an mmap, not for a copy or a scan. */
void journal_wc_requested(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			  const struct mapping *mapping, uint64_t sequence, struct journal_verdict verdict);

/*
 * Tells of a decision in the kernel (EVENT_REQUEST): one that was denied always, and for each a record of its
 * own; one that was granted if Action=log says so or OnUnknown granted it, within a budget as for cookies.
 * Makes no record of the others.
 */
void journal_request(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
		     const struct event *event);

/*
 * Tells of a mapping that nothing decided in the kernel, and of which the policy says log, deny or kill:
 * class JOURNAL_REQUEST_LOGGED, within the same budget. Its verdict is told as in audit mode, since the
 * mapping is there.
 */
void journal_mapping_judged(struct journal *journal, uint64_t now_ns, const struct ledger *ledger,
			    const struct mapping *mapping, uint64_t sequence, const struct policy *policy,
			    struct policy_verdict verdict);

/* The budget of conflicts that open. */
#define JOURNAL_CONFLICT_BURST 5000
#define JOURNAL_CONFLICT_RATE  500

/*
 * Tells that @finding was opened or closed; FINDING_CHANGED makes no record. That a conflict closed is told
 * if and only if it was told that it opened: such a record is never held back, and as there is one for each
 * opened one, the budget bounds both.
 */
void journal_conflict(struct journal *journal, uint64_t now_ns, enum finding_change_kind what,
		      const struct finding *finding, const struct ledger *ledger,
		      struct journal_verdict verdict);

/*
 * Tells that policy ended the process @party of @finding by SIGKILL; @error: negative errno, it could not.
 * Never held back: as many as there are findings at most.
 */
void journal_killed(struct journal *journal, const struct finding *finding, const struct party *party,
		    const struct ledger *ledger, struct journal_verdict verdict, int error);

/* Tells which policy is in force now. */
void journal_policy_loaded(struct journal *journal, const struct policy *policy);

/* Tells that the policy files were refused; @error as of policy_parse(). @running: the policy before stays.
 */
void journal_policy_rejected(struct journal *journal, const char *error, bool running);

/* Tells that @lost kernel events of the type named @type were dropped. Never held back. */
void journal_events_lost(struct journal *journal, const char *type, uint64_t lost);

/* Tells a reason why the daemon does not see everything, once per reason that is new. */
void journal_degraded(struct journal *journal, const char *reason);

/* Records of all classes held back so far. */
uint64_t journal_suppressed(const struct journal *journal);

/* Records of all classes that journald took; without journald, those that it would have been given. */
uint64_t journal_sent(const struct journal *journal);

/* Records of all classes that journald did not take. */
uint64_t journal_unwritten(const struct journal *journal);

#endif
