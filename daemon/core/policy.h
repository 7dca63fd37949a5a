/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_POLICY_H
#define VFIOWATCH_CORE_POLICY_H

/*
 * The owner's policy: parsed from the text of policy files, made into the table that the enforcer applies,
 * and asked for verdicts about the ledger and about findings. Which files there are, and who a user is, the
 * caller says (daemon/config.h).
 *
 * What a verdict says is the same in the kernel and here: both use vfiowatch/policy.h. Rules are tried in
 * order of file name, then of line. The selectors of a rule concern:
 *
 * Device, Id, Class, Driver, Region  the bytes of the device
 * Unit, Machine, User, Source        the requester; of a conflict either party, but all of them the same
 * party Kind, Types                        what happened
 *
 * A mapping request is judged as a request, then as a promotion if the BAR is known to give another type,
 * then as an alias with every mapping that asked for a conflicting type (memtype_conflict()) of the same
 * bytes. The first denial ends it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "core/finding.h"
#include "core/ledger.h"
#include "vfiowatch/policy.h"

/* A policy file as it was read. */
struct policy_text {
	const char *path; /* for messages and origins */
	const char *text; /* any bytes, not terminated */
	size_t length;
};

/* Bytes of one file, files, and bytes of a line without its end. More is an error of the policy. */
#define POLICY_FILE_MAX  (256U << 10)
#define POLICY_FILES_MAX 256
#define POLICY_LINE_MAX  190

/* "file:line: what; what to write instead". Safe for a terminal. */
#define POLICY_ERROR_LEN 512

/* Finds the numeric id of a user. Returns 0, -ENOENT (no such user), or another negative errno. */
typedef int (*policy_find_user)(void *userdata, const char *name, uint32_t *ret);

struct policy;

enum policy_outcome {
	POLICY_OK = 0,
	POLICY_REFUSED, /* @error says where, what, and what to write instead */
};

/*
 * Makes a policy of the files in the order given: no two have the same path. A [Policy] key in a later file
 * overrides the earlier one. No file at all, or files without rules, are a policy that reports everything and
 * denies nothing. Returns 0 and *outcome, with *ret if POLICY_OK (the caller frees it), or -ENOMEM.
 */
int policy_parse(struct policy **ret, const struct policy_text *files, size_t n, policy_find_user find_user,
		 void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN]);
struct policy *policy_free(struct policy *policy);

enum policy_mode policy_mode(const struct policy *policy);

/* The table for the enforcer, with a digest. Valid as long as @policy. */
const struct policy_bank *policy_bank(const struct policy *policy);

/*
 * The merged policy in canonical form: [Policy] with all keys, then every rule with its keys in a fixed
 * order, one a line; equal policies have equal text. What config.c makes the digest of. With @origins each
 * line ends in "  ; FILE:LINE", or "  ; default". Returns a string that the caller frees; NULL: out of
 * memory.
 */
char *policy_to_text(const struct policy *policy, bool origins);

/* The digest of policy_to_text() without origins, in hexadecimal; empty until set. Also fills that of the
 * bank. */
#define POLICY_DIGEST_LEN 64
void policy_set_digest(struct policy *policy, const char digest[POLICY_DIGEST_LEN + 1]);
const char *policy_digest(const struct policy *policy);

size_t policy_rules(const struct policy *policy);
/* Name of rule @i: of its section [Rule NAME]. Plain text. NULL for -1 and beyond the last. */
const char *policy_rule_name(const struct policy *policy, int i);

/* What the policy says of one thing. */
struct policy_verdict {
	enum policy_kind kind;     /* that decided */
	enum policy_action action; /* of the rule; POLICY_ALLOW without one, or by OnUnknown */
	int rule;                  /* index; -1: none */
	bool unknown;              /* OnUnknown decided: not enough is known */
	uint64_t peer;             /* POLICY_ALIAS: mapping id of the other party; else 0 */
};

/* Whether it denies, or ends a process. */
static inline bool policy_is_against(struct policy_verdict verdict)
{
	return verdict.action == POLICY_DENY || verdict.action == POLICY_KILL;
}

/*
 * A mapping as a request, against all other live mappings that came before it (lower id). With policy NULL:
 * allowed, no rule. Of an alias the types asked for count, as the enforcer cannot know what the page tables
 * will say.
 */
struct policy_verdict policy_judge_mapping(const struct policy *policy, const struct ledger *ledger,
					   const struct mapping *mapping);

/* A finding: its kind, device, region, both parties and the types concerned. */
struct policy_verdict policy_judge_finding(const struct policy *policy, const struct ledger *ledger,
					   const struct finding *finding);

/* A request that an enforcer decided, from what its event tells; the ledger tells the device's facts. */
struct policy_verdict policy_judge_request(const struct policy *policy, const struct ledger *ledger,
					   const struct event_request *request);

/*
 * Words of the JSON contract and of VFIOWATCH_VERDICT: "allow", "log", "deny", "kill", in audit mode
 * "would-deny" and "would-kill"; "allow" without a rule.
 */
const char *policy_verdict_name(struct policy_verdict verdict, enum policy_mode mode);

/* "alias", "promotion", "demotion", "request"; "audit", "enforce". NULL outside the enum. */
const char *policy_kind_name(enum policy_kind kind);
const char *policy_mode_name(enum policy_mode mode);

/* Words for people and for JSON why the enforcer could not decide: "arguments", "range", "type", "party",
 * "full", "busy", "skipped"; NULL for POLICY_KNOWN and outside the enum. */
const char *policy_unknown_name(enum policy_unknown unknown);

#endif
