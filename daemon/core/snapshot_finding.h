/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_SNAPSHOT_FINDING_H
#define VFIOWATCH_CORE_SNAPSHOT_FINDING_H

/* What rows of findings, of lint and the answer of `explain` share. */

#include "core/snapshot_internal.h"

/* Longest sentence of finding_explain() and lint_explain() in a row, with its end; what is longer is cut. */
#define SENTENCE_MAX 2048

/* snapshot_filter.c: @name may be NULL or empty: unknown */
bool filter_takes_device(const struct row_filter *filter, const char *name);
bool filter_takes_type(const struct row_filter *filter, enum memtype type);

/* Text that is safe already: a finished sentence. */
void row_sentence(struct row *row, const char *key, const char *text);
void row_append_sentence(struct row *row, struct json_object *array, const char *text);

/* `rule` and `verdict`; @policy NULL: null. */
void row_verdict(struct row *row, const struct policy *policy, struct policy_verdict verdict);

/* snapshot.c: @row passes to @rows. NULL: it could not be made. Returns 0 or -ENOMEM. */
int rows_put(struct json_object *rows, struct json_object *row);

/* One row. NULL: out of memory. */
struct json_object *snapshot_mapping_row(const struct ledger *ledger, const struct policy *policy,
					 const struct mapping *mapping, const struct snapshot_clock *clock);
struct json_object *snapshot_cookie_row(const struct ledger *ledger, const struct cookie *cookie,
					const struct snapshot_clock *clock);
struct json_object *snapshot_lint_row(const struct lint *lint, enum memtype_arch arch,
				      const struct snapshot_clock *clock);

#endif
