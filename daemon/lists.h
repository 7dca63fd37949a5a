/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_LISTS_H
#define VFIOWATCH_LISTS_H

/* The lists there are, made from a model: one way for the answers of the daemon and for --replay. */

#include <errno.h>

#include "core/model.h"
#include "core/snapshot.h"

enum row_list {
	ROWS_DEVICES,
	ROWS_COOKIES,
	ROWS_MAPPINGS,
	ROWS_CONFLICTS,
	ROWS_LINT,
	ROW_LISTS,
};

/* As the snapshot function of @list. */
static inline int list_rows(const struct model *model, enum row_list list, const struct row_filter *filter,
			    const struct snapshot_clock *clock, uint64_t after, size_t max,
			    struct json_object *rows)
{
	const enum memtype_arch arch = ledger_arch(model->ledger);

	switch (list) {
	case ROWS_DEVICES:
		return snapshot_devices(model->ledger, model->findings, filter, clock, after, max, rows);
	case ROWS_COOKIES:
		return snapshot_cookies(model->ledger, filter, clock, after, max, rows);
	case ROWS_MAPPINGS:
		return snapshot_mappings(model->ledger, model->policy, filter, clock, after, max, rows);
	case ROWS_CONFLICTS:
		return snapshot_conflicts(model->findings, model->ledger, model->policy, filter, clock, after,
					  max, rows);
	case ROWS_LINT:
		return snapshot_lint(model->lints, arch, filter, clock, after, max, rows);
	default:
		return -EINVAL;
	}
}

#endif
