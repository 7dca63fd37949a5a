/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/model.h"

int model_init(struct model *ret, enum memtype_arch arch)
{
	struct model model = {};
	int r;

	r = ledger_new(&model.ledger, arch, NULL);
	if (r == 0)
		r = findings_new(&model.findings, NULL);
	if (r == 0)
		r = lints_new(&model.lints, 0);
	if (r < 0)
		model_done(&model);
	*ret = model;
	return r;
}

void model_done(struct model *model)
{
	model->lints = lints_free(model->lints);
	model->findings = findings_free(model->findings);
	model->ledger = ledger_free(model->ledger);
}

/* Runs of a mapping up to which its findings follow every event: what they cost grows with the runs. */
#define RUNS_AT_ONCE 64

static bool may_wait(const struct change *change)
{
	return change->mapping && change->mapping->n_runs > RUNS_AT_ONCE;
}

int model_settle(struct model *model, finding_notify notify, void *userdata)
{
	int r;

	if (!model->pending_ns)
		return 0;
	r = findings_update(model->findings, model->ledger, model->pending_ns, notify, userdata);
	if (r == 0)
		model->pending_ns = 0;
	return r;
}

int model_apply(struct model *model, const struct event *event, struct model_change *ret,
		finding_notify notify, void *userdata)
{
	bool of_pages = event->header.type == EVENT_POPULATE || event->header.type == EVENT_PAGES;
	int r, lint_r;

	*ret = (struct model_change){};
	r = of_pages ? 0 : model_settle(model, notify, userdata);
	if (r == 0)
		r = ledger_apply(model->ledger, event, &ret->change);
	if (r < 0)
		return r;
	lint_r = lints_apply(model->lints, model->ledger, event, &ret->change, &ret->lint, &ret->lint_is_new);
	model->pending_ns = event->header.time_ns ? event->header.time_ns : 1;
	if (of_pages && may_wait(&ret->change))
		return lint_r;
	r = model_settle(model, notify, userdata);
	return r < 0 ? r : lint_r;
}
