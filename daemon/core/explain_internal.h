/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_EXPLAIN_INTERNAL_H
#define VFIOWATCH_CORE_EXPLAIN_INTERNAL_H

/* What the files of `explain` share. */

#include "core/explain.h"
#include "core/snapshot_finding.h"

/* Entries of one kind in an answer. What is over them is left out, and said. */
#define EXPLAINED_MAX 64

struct explained_mapping {
	const struct mapping *mapping;
	const struct cookie *cookie; /* through which it was made; NULL: unknown */
	struct piece piece;          /* at the byte asked for; start equal end: none there */
};

/* What the ledger knows of a subject. Pointers into the ledger. */
struct explained {
	const struct explain_subject *subject;
	const struct ledger *ledger;
	const struct findings *findings;
	const struct lints *lints;
	const struct policy *policy; /* NULL: none */
	enum memtype_arch arch;

	const struct device *device;   /* NULL: unknown */
	char name[EVENT_NAME_LEN + 1]; /* of the device, as asked for or found; empty: unknown */
	uint32_t region;
	uint64_t phys, offset; /* of the byte */
	bool phys_known, offset_known;
	const struct mapping *asked; /* PID ADDR: the mapping with that address */
	bool beyond;                 /* the offset asked for lies behind the end of the BAR */

	struct explained_mapping mappings[EXPLAINED_MAX]; /* by id */
	size_t n_mappings, mappings_omitted;
	const struct cookie *cookies[EXPLAINED_MAX];
	size_t n_cookies, cookies_omitted;
	const struct finding *found[EXPLAINED_MAX];
	size_t n_found, found_omitted;
	const struct lint *rules[EXPLAINED_MAX];
	size_t n_rules, rules_omitted;
	const struct reservation *reservations[RESERVATIONS_KEPT];
	size_t n_reservations;
};

/* explain_gather.c */
void explain_gather(struct explained *ret);

/* explain_text.c: the way through the kernel of one mapping; and the sentences into @array. */
char *explain_path(const struct explained *explained, const struct explained_mapping *entry, char *out,
		   size_t size);
void explain_text(const struct explained *explained, struct row *row, struct json_object *array);

/* The subject in its normal form. */
char *explain_subject_text(const struct explain_subject *subject, char *out, size_t size);

#endif
