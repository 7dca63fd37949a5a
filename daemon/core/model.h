/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_MODEL_H
#define VFIOWATCH_CORE_MODEL_H

/*
 * The ledger with what is concluded from it: one apply for the daemon and for replay, so that both come to
 * the same.
 */

#include "core/finding.h"
#include "core/ledger.h"
#include "core/lint.h"
#include "core/policy.h"

struct model {
	struct ledger *ledger;
	struct findings *findings;
	struct lints *lints;
	const struct policy *policy; /* for verdicts in rows; borrowed; NULL: none, as in replay */
	uint64_t pending_ns; /* the findings are not up to date with what happened then; 0: they are */
};

/* Returns 0 or -ENOMEM. The caller frees what is in @ret with model_done(). */
int model_init(struct model *ret, enum memtype_arch arch);
void model_done(struct model *model);

struct model_change {
	struct change change;
	const struct lint *lint; /* new or counted up; NULL: none */
	bool lint_is_new;
};

/*
 * Applies one event to the ledger, then to lint, then brings the findings up to date as of the event's time.
 * Returns 0, or -ENOMEM: the ledger is as before, or a later call brings findings and lint up to date.
 */
int model_apply(struct model *model, const struct event *event, struct model_change *ret,
		finding_notify notify, void *userdata);

/*
 * A mapping whose pages are in very many runs has its findings brought up to date only before the next event
 * that is not of pages, and by this: to be called when a batch of events is over. Returns 0 or -ENOMEM: a
 * later call does it.
 */
int model_settle(struct model *model, finding_notify notify, void *userdata);

#endif
