/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_JUDGED_H
#define VFIOWATCH_CLI_JUDGED_H

/* What `policy test` shows: one request, mapping or finding with what a policy says of it. */

#include <json-c/json.h>

#include "cli/table.h"
#include "core/finding.h"
#include "core/policy.h"
#include "core/snapshot.h"

struct judged {
	const char *event; /* "request": decided in the kernel when it was recorded; "mapping"; "conflict" */
	const char *what;  /* "mmap", "cookie", or the kind of the finding */
	uint64_t time_ns;  /* CLOCK_BOOTTIME, 0: unknown */
	uint64_t sequence; /* of the kernel event, 0: none */
	char device[EVENT_NAME_LEN + 1];
	uint32_t region;
	struct process_key process, peer; /* tgid 0: unknown or none */
	char comm[EVENT_COMM_LEN + 1], peer_comm[EVENT_COMM_LEN + 1];
	enum mapping_source source;
	enum memtype types[2]; /* of the process, and the other one that it is judged against */
	uint64_t offset, size;
	bool offset_known, phys_known;
	uint64_t phys_start, phys_end;
	uint64_t mapping, conflict; /* ids, 0: none */
	struct policy_verdict verdict;
	const char *recorded_verdict; /* NULL: none was recorded */
	char recorded_rule[EVENT_NAME_LEN + 1];
};

/* Each judges its subject by @policy. */
struct judged judge_request(const struct policy *policy, const struct ledger *ledger,
			    const struct event *event);
struct judged judge_mapping(const struct policy *policy, const struct ledger *ledger,
			    const struct mapping *mapping);
struct judged judge_finding(const struct policy *policy, const struct ledger *ledger,
			    const struct finding *finding);

/* "allow", "log", "deny" or "kill", as if the policy was enforced. */
const char *judged_verdict(const struct judged *judged);

/* As a JSON object; NULL: out of memory. */
struct json_object *judged_row(const struct judged *judged, const struct policy *policy,
			       const struct snapshot_clock *clock);

/* Columns of the table, and such a row as one of it. Returns 0 or -ENOMEM. */
extern const struct column judged_columns[];
extern const size_t judged_n_columns;
int judged_add(struct table *table, struct json_object *row);

#endif
