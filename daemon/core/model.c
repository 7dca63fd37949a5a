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

int model_apply(struct model *model, const struct event *event, struct model_change *ret,
		finding_notify notify, void *userdata)
{
	int r, lint_r;

	*ret = (struct model_change){};
	r = ledger_apply(model->ledger, event, &ret->change);
	if (r < 0)
		return r;
	lint_r = lints_apply(model->lints, model->ledger, event, &ret->change, &ret->lint, &ret->lint_is_new);
	r = findings_update(model->findings, model->ledger, event->header.time_ns, notify, userdata);
	return r < 0 ? r : lint_r;
}
