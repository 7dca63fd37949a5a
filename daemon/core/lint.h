/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_LINT_H
#define VFIOWATCH_CORE_LINT_H

/*
 * Lint: programs, and drivers, that rely on what the uAPI never promised.
 *
 * unissued-offset  mmap of a file offset that was never issued as a cookie on that file: the program computes
 *                  offsets itself. Not told of a file that was open before recording began, nor where an
 * issue may have been missed (cookies_uncertain, events lost) unstable-cookie  the same region with the same
 * attributes was given another offset than before on that file mutable-cookie   one cookie was mapped with
 * two memory types
 */

#include "core/ledger.h"

enum lint_kind {
	LINT_UNISSUED_OFFSET = 0,
	LINT_UNSTABLE_COOKIE,
	LINT_MUTABLE_COOKIE,
	LINT_KINDS,
};

/* One row for each kind, process, device and region; repeats are counted. */
struct lint {
	uint64_t id; /* rising */
	enum lint_kind kind;
	char device[EVENT_NAME_LEN + 1]; /* empty: unknown */
	uint32_t region;                 /* EVENT_REGION_UNKNOWN: unknown */
	struct process_key process;      /* tgid 0: unknown */
	char comm[EVENT_COMM_LEN + 1];
	char exe[EVENT_PATH_LEN + 1]; /* empty: unknown */
	uint64_t offset;              /* of the first time */
	uint64_t other_offset;        /* unstable-cookie: the one given before */
	uint32_t types;               /* mutable-cookie: 1 << enum memtype */
	uint64_t count;
	uint64_t first_ns, last_ns; /* CLOCK_BOOTTIME */
	UT_hash_handle hh;          /* the module's own */
};

struct lints;

/* @max 0: 4096 rows; when full a new one is not made, and counted. */
int lints_new(struct lints **ret, size_t max);
struct lints *lints_free(struct lints *lints);

/*
 * To be called after each ledger_apply() with its event and change. *ret is the row that is new or was
 * counted up, else NULL; *is_new says which. Returns 0 or -ENOMEM with nothing changed.
 */
int lints_apply(struct lints *lints, const struct ledger *ledger, const struct event *event,
		const struct change *change, const struct lint **ret, bool *is_new);

size_t lints_list(const struct lints *lints, uint64_t after, const struct lint **entries, size_t max);
uint64_t lints_refused(const struct lints *lints);

/* Names of the JSON contract. NULL outside the enum. */
const char *lint_kind_name(enum lint_kind kind);

/* What happened, for people. All text in it is safe. Cut at @size, which is above 0. Returns @out. */
char *lint_detail(const struct lint *lint, enum memtype_arch arch, char *out, size_t size);

/* The same, and what the program should do instead. */
char *lint_explain(const struct lint *lint, enum memtype_arch arch, char *out, size_t size);

#endif
