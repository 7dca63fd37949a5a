/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_POLICY_H
#define VFIOWATCH_POLICY_H

/*
 * A policy as the enforcer applies it: what core/policy made of the policy files, in memory that the daemon
 * and the BPF programs share. Matching and verdicts are inline functions used on both sides, so that a policy
 * says the same of a request in the kernel, in audit mode and in a test against a capture.
 *
 * A set of rules is a __u64, one bit for each rule, the lowest bit for the rule that comes first. What is
 * known of a request or of a party turns into sets of rules, and a verdict is arithmetic on sets.
 */

#include <linux/types.h>

#include "vfiowatch/event.h"
#include "vfiowatch/memtype.h"

/* Rules of a policy. One more is an error of the policy files. */
#define POLICY_RULES_MAX 64

/* Operations in a pattern, sets of characters in one. Longer ones are an error of the policy files. */
#define POLICY_PATTERN_MAX  64
#define POLICY_PATTERN_SETS 2

/* Text that patterns are matched against, with its terminator. */
#define POLICY_TEXT_LEN 128

enum policy_mode {
	POLICY_AUDIT = 0,
	POLICY_ENFORCE,
};

enum policy_kind {
	POLICY_ALIAS = 0,
	POLICY_PROMOTION,
	POLICY_DEMOTION,
	POLICY_REQUEST, /* a mapping, or a cookie with attributes, is asked for */
	POLICY_KINDS,
};

enum policy_action {
	POLICY_ALLOW = 0,
	POLICY_LOG,
	POLICY_DENY,
	POLICY_KILL, /* what can be seen beforehand is denied; what can be seen only afterwards ends the
			process */
	POLICY_ACTIONS,
};

/*
 * A pattern: each operation takes one character, but POLICY_OP_STAR takes any number. An operation below 0x80
 * is the character itself.
 */
#define POLICY_OP_STAR 0x80 /* * */
#define POLICY_OP_ANY  0x81 /* ? */
#define POLICY_OP_SET  0x82 /* [..]: the first of the sets; 0x83: the second */

struct policy_pattern {
	__u8 length; /* operations; 0: the rule does not select by this text */
	__u8 reserved[7];
	__u8 ops[POLICY_PATTERN_MAX];
	__u64 sets[POLICY_PATTERN_SETS][4]; /* 256 bits each */
};

/* Selects by device and by process. The rest of a rule is in the sets of its bank. */
struct policy_rule {
	char name[EVENT_NAME_LEN];        /* of its section; terminated unless it fills the field */
	struct policy_pattern device;     /* "0000:3b:00.0" */
	struct policy_pattern id;         /* "10de:2204" */
	struct policy_pattern class_code; /* "030200" */
	struct policy_pattern driver;
	struct policy_pattern unit;
	struct policy_pattern machine;
	__u32 uid;
	__u32 by_uid; /* 1: uid selects */
};

/* One policy. */
struct policy_bank {
	__u64 digest; /* the first 8 bytes of the policy's digest, for events */
	__u32 n_rules;
	__u32 mode;       /* enum policy_mode */
	__u32 on_unknown; /* POLICY_ALLOW or POLICY_DENY */
	__u32 reserved;

	__u64 deny;                    /* rules whose action is deny or kill .. */
	__u64 kill;                    /* .. is kill */
	__u64 log;                     /* .. is log */
	__u64 by_device;               /* rules that select by device, id, class or driver */
	__u64 by_process;              /* .. by unit, machine or user */
	__u64 kinds[POLICY_KINDS];     /* rules for this kind */
	__u64 sources[SOURCE_TYPES];   /* rules for this source */
	__u64 regions[EVENT_BARS + 1]; /* rules for this BAR; the last: for other or unknown regions */

	/*
	 * Rules for this type in requests, and for these two types together. MEMTYPE_UNKNOWN: those that hold
	 * for any type; the rules that are in some other element but not there may or may not match a type
	 * that is unknown.
	 */
	__u64 types[MEMTYPE_TYPES];
	__u64 pairs[MEMTYPE_TYPES][MEMTYPE_TYPES];

	struct policy_rule rules[POLICY_RULES_MAX];
};

/* Why the enforcer could not decide; then OnUnknown did. */
enum policy_unknown {
	POLICY_KNOWN = 0,
	POLICY_UNKNOWN_ARGUMENTS, /* the system call's arguments are not understood */
	POLICY_UNKNOWN_RANGE, /* which bytes of which BAR are asked for is not known before the driver ran */
	POLICY_UNKNOWN_TYPE,  /* which memory type the driver will ask for is not known */
	POLICY_UNKNOWN_PARTY, /* a rule selects by something that is not known of the process or device */
	POLICY_UNKNOWN_FULL,  /* an in-kernel table is full */
	POLICY_UNKNOWN_BUSY,  /* others kept changing the table */
	POLICY_UNKNOWN_SKIPPED, /* the kernel skipped the programs that decide: it is mapped already */
	POLICY_UNKNOWN_REASONS,
};

/* Of one element of a pinned, memory-mapped array. Counters are written by BPF only, the rest by the daemon
 * only. */
struct enforcer {
	__u64 generation; /* banks[generation & 1] holds; 0: nothing is decided. Rises with every policy,
			     after its bank was written */
	__u64 since_ns;   /* CLOCK_BOOTTIME when generation was 0 last */
	__u64 decided;    /* requests that got a verdict */
	__u64 denied;     /* of them */
	__u64 unknown[POLICY_UNKNOWN_REASONS]; /* of them, that OnUnknown decided */
	__u64 undecided; /* mappings that came to be before they had a verdict, and got one then */
	__u64 unplaced;  /* mappings whose bytes are not known, so that they are compared with nothing */
	__u64 untracked; /* mappings that found no room in the tables, so that they are compared with nothing
			  */

	/* What an audit adds to these is how many there are now: mappings that still find no room, and
	 * mappings, with their copies, whose bytes are not known. */
	__u64 audit_untracked, audit_unplaced;
	struct policy_bank banks[2];
};

/* -- matching a text
 * ------------------------------------------------------------------------------------------ */

/* Where a match has come to. Zeroed at the beginning. */
struct policy_match {
	__u32 at, op;           /* next character, next operation */
	__u32 star_at, star_op; /* where to go on when it fails: star_op 0: there was no star */
	__u32 done, matched;
};

/* policy_match_step() as often as this always comes to an end. */
#define POLICY_MATCH_STEPS ((POLICY_TEXT_LEN + 1) * (POLICY_PATTERN_MAX + 1))

static inline int policy_op_takes(const struct policy_pattern *pattern, __u32 op, __u8 character)
{
	__u8 operation = pattern->ops[op & (POLICY_PATTERN_MAX - 1)];

	if (operation < POLICY_OP_STAR)
		return operation == character;
	if (operation == POLICY_OP_ANY)
		return 1;
	return pattern->sets[(operation - POLICY_OP_SET) & (POLICY_PATTERN_SETS - 1)][character >> 6] >>
		       (character & 63) &
	       1;
}

/* One step of matching @text (POLICY_TEXT_LEN bytes, terminated). Returns nonzero when it is done. */
static inline int policy_match_step(struct policy_match *m, const struct policy_pattern *pattern,
				    const char *text)
{
	__u8 character = m->at < POLICY_TEXT_LEN ? text[m->at & (POLICY_TEXT_LEN - 1)] : 0;
	int in_pattern = m->op < pattern->length && m->op < POLICY_PATTERN_MAX;

	if (in_pattern && pattern->ops[m->op & (POLICY_PATTERN_MAX - 1)] == POLICY_OP_STAR) {
		m->op++;
		m->star_op = m->op;
		m->star_at = m->at;
		return 0;
	}
	if (character && in_pattern && policy_op_takes(pattern, m->op, character)) {
		m->op++;
		m->at++;
		return 0;
	}
	if (!character && !in_pattern)
		m->matched = 1;
	if (!character || !m->star_op) {
		m->done = 1;
		return 1;
	}
	m->star_at++;
	m->at = m->star_at;
	m->op = m->star_op;
	return 0;
}

/* -- verdicts
 * -------------------------------------------------------------------------------------------------- */

/* What is known of a request and its parties, as sets: rules that match, and rules that may. */
struct policy_sets {
	__u64 yes;
	__u64 maybe; /* not in yes */
};

static inline struct policy_sets policy_and(struct policy_sets a, struct policy_sets b)
{
	struct policy_sets both;

	both.yes = a.yes & b.yes;
	both.maybe = (a.yes | a.maybe) & (b.yes | b.maybe) & ~both.yes;
	return both;
}

/* Selectors of a process and its source hold of a conflict when they hold of either party. */
static inline struct policy_sets policy_or(struct policy_sets a, struct policy_sets b)
{
	struct policy_sets either;

	either.yes = a.yes | b.yes;
	either.maybe = (a.maybe | b.maybe) & ~either.yes;
	return either;
}

/* @i, which is below the power of two @size anyway: for verifiers, and hidden from compilers, which know that
 * too. */
static inline __u64 policy_index(__u64 i, __u64 size)
{
	__asm__ volatile("" : "+r"(i));
	return i & (size - 1);
}

/* Rules that say nothing against @kind, and @region (EVENT_REGION_UNKNOWN: unknown). */
static inline struct policy_sets policy_about(const struct policy_bank *bank, __u32 kind, __u32 region)
{
	struct policy_sets sets = {};
	__u64 of_region = bank->regions[policy_index(region < EVENT_BARS ? region : EVENT_BARS, 8)];
	__u64 any = 0;

	sets.yes = bank->kinds[kind & (POLICY_KINDS - 1)] & of_region;
	if (region == EVENT_REGION_UNKNOWN) {
		for (int i = 0; i < EVENT_BARS; i++)
			any |= bank->regions[i];
		sets.maybe = bank->kinds[kind & (POLICY_KINDS - 1)] & any & ~of_region;
	}
	return sets;
}

/* Rules for this type in a request. */
static inline struct policy_sets policy_of_type(const struct policy_bank *bank, __u32 type)
{
	struct policy_sets sets = {};

	sets.yes = bank->types[policy_index(type < MEMTYPE_TYPES ? type : MEMTYPE_UNKNOWN, MEMTYPE_TYPES)];
	if (type == MEMTYPE_UNKNOWN || type >= MEMTYPE_TYPES) {
		for (int i = 0; i < MEMTYPE_TYPES; i++)
			sets.maybe |= bank->types[i];
		sets.maybe &= ~sets.yes;
	}
	return sets;
}

/* The first rule that matches, -1: none does. */
static inline int policy_first(__u64 yes)
{
	int first = 0;

	if (!yes)
		return -1;
	for (int step = 32; step; step >>= 1) {
		if (!(yes & ((1ULL << step) - 1))) {
			yes >>= step;
			first += step;
		}
	}
	return first;
}

/*
 * True if what is not known may change whether it is denied: some rule before the first that surely matches
 * may match, and is of the other effect. Without a rule nothing is denied.
 */
static inline int policy_unsure(const struct policy_bank *bank, struct policy_sets sets)
{
	__u64 first = sets.yes & -sets.yes;
	__u64 before = first ? sets.maybe & (first - 1) : sets.maybe;

	return first & bank->deny ? (before & ~bank->deny) != 0 : (before & bank->deny) != 0;
}

/* True if the first rule that surely matches denies. */
static inline int policy_denies(const struct policy_bank *bank, struct policy_sets sets)
{
	return (sets.yes & -sets.yes & bank->deny) != 0;
}

/* What the enforcer knows of a cgroup: an element of the map `units`, keyed by the id of the cgroup. BPF
 * fills it, but for the machine, which the daemon tells. */
struct enforcer_unit {
	__u64 cgroup_id;
	__u64 generation; /* policy that sets belong to; 0: none */
	struct policy_sets
		sets;     /* rules whose unit and machine match; users are looked at for each request */
	__u32 unit_known; /* 1: unit holds; empty: it is in none */
	__u32 machine_known;
	char unit[POLICY_TEXT_LEN]; /* terminated */
	char machine[POLICY_TEXT_LEN];
};

#endif
