/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_SNAPSHOT_H
#define VFIOWATCH_CORE_SNAPSHOT_H

/*
 * Ledger entries and events as JSON objects with the names of the JSON contract. The only place where these
 * names are written for output; live (bus) and replay go through it alike. All text is made safe here: see
 * text_escape().
 */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "core/finding.h"
#include "core/ledger.h"
#include "core/lint.h"
#include "core/policy.h"

/* Which rows a list shows. Zeroed: everything live. */
struct row_filter {
	char device[EVENT_NAME_LEN + 1]; /* fnmatch(3) pattern on the device name; "3b:00.0" also matches
					    "0000:3b:00.0"; empty: any */
	uint32_t pid;      /* tgid of owner (mapping), issuer (cookie), holder or owner (device); 0: any */
	enum memtype type; /* requested type (mapping), promised type (cookie); MEMTYPE_UNKNOWN: any; "uc"
			      also takes "uc-" and "device" */
	bool all;          /* also what is no longer live */
};

/* How boot time maps to wall clock: realtime_ns - boottime_ns of the host that made the events. */
struct snapshot_clock {
	int64_t realtime_offset_ns;
};

/*
 * Appends to @rows (a JSON array) the rows with an id above @after that pass @filter, at most @max, rising by
 * id; every row has an integer `id` (also devices) for paging. Returns 0 or -ENOMEM.
 */
int snapshot_devices(const struct ledger *ledger, const struct findings *findings,
		     const struct row_filter *filter, const struct snapshot_clock *clock, uint64_t after,
		     size_t max, struct json_object *rows);
int snapshot_cookies(const struct ledger *ledger, const struct row_filter *filter,
		     const struct snapshot_clock *clock, uint64_t after, size_t max,
		     struct json_object *rows);
/*
 * `rule` and `verdict` of a live mapping are what @policy says of it now: only of the rows that are made, as
 * each costs a look at all mappings of its device. Without a policy (NULL), and of one that is not live, both
 * are null.
 */
int snapshot_mappings(const struct ledger *ledger, const struct policy *policy,
		      const struct row_filter *filter, const struct snapshot_clock *clock, uint64_t after,
		      size_t max, struct json_object *rows);

/*
 * Findings and lint as rows of the JSON contract. Beyond it a conflict has `cause`, `cause_pid`,
 * `cause_comm`, `bytes`, `ranges` [{phys_start, phys_end}], `parties` [{mapping, pid, comm, source,
 * requested, type}] and `text` (finding_explain()); phys_start and phys_end span all ranges; `rule` and
 * `verdict` are what @policy says of it now, null without a policy. A row of lint has `text`, `first`,
 * `last`, `types`, `other_offset`. A filter's type is one of the types concerned, its pid one of the parties.
 */
int snapshot_conflicts(const struct findings *findings, const struct ledger *ledger,
		       const struct policy *policy, const struct row_filter *filter,
		       const struct snapshot_clock *clock, uint64_t after, size_t max,
		       struct json_object *rows);
int snapshot_lint(const struct lints *lints, enum memtype_arch arch, const struct row_filter *filter,
		  const struct snapshot_clock *clock, uint64_t after, size_t max, struct json_object *rows);

/* One finding as such a row. NULL: out of memory. */
struct json_object *snapshot_conflict(const struct finding *finding, const struct ledger *ledger,
				      const struct policy *policy, const struct snapshot_clock *clock);

/*
 * A policy: `mode`, `on_unknown`, `digest`, `rules` (their names, in order) and `text` (the lines of
 * policy_to_text() with origins). NULL: every value is null. NULL is returned when out of memory.
 */
struct json_object *snapshot_policy(const struct policy *policy);

/*
 * One event as a row: `time`, `sequence`, `event` (open, release, cookie, map, copy, unmap, fork, module,
 * state, lost ..), and what is known of device, region, offset, size, start, end, phys_start, phys_end,
 * requested, pid, comm, uid, mapping, cookie. A decision of the enforcer is `denied`, or `request` if it was
 * granted, with source, what, kind, verdict, rule, unknown, given, policy (its digest, the first 16 digits),
 * peer_pid, peer_comm, peer_source, peer_requested, peer_phys_start, peer_phys_end, peer_pending, and text
 * (request_explain()). To be called right after the event was applied with @change as
 * ledger_apply() returned it. NULL: -ENOMEM.
 */
struct json_object *snapshot_event(const struct ledger *ledger, const struct snapshot_clock *clock,
				   const struct event *event, const struct change *change);

/*
 * Makes any bytes safe for terminal, JSON and journal: valid printable UTF-8 passes, everything else (control
 * characters C0, C1 and DEL, backslash, invalid UTF-8, invisible and direction-changing characters, line and
 * paragraph separators) becomes \xNN per byte. Writes at most @size bytes with the terminator; @size of 4 *
 * length + 1 always suffices, else the text is cut at a whole character. Returns @out.
 */
char *text_escape(const char *text, size_t length, char *out, size_t size);

#endif
