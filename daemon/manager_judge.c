// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "manager_internal.h"
#include "sink/enforce.h"

/*
 * Verdicts on what was not decided in the kernel: mappings that are there already, and findings.
 *
 * The first event of a process comes before its unit and machine were looked up, by which rules may select.
 * So what one event changed is kept until the facts are complete.
 */

/* A change of a finding that waits for its verdict, as it was told. */
struct waiting_finding {
	enum finding_change_kind what;
	struct finding finding;
};

/* Memory for so many is kept. */
#define WAITING_KEPT 64

static enum policy_mode mode_of(const struct manager *manager)
{
	return policy_mode(manager->model.policy);
}

/* Of the rest, /dev/mem and /proc/bus/pci, the kernel has no hook before they are there. */
static bool decided_in_kernel(const struct manager *manager, const struct mapping *mapping)
{
	return manager->enforcer && (mapping->source == SOURCE_VFIO || mapping->source == SOURCE_DMABUF ||
				     mapping->source == SOURCE_SYSFS);
}

/* The one who came later, of an alias. */
static const struct party *offender(const struct finding *finding)
{
	return &finding->parties[finding->n_parties > 1 ? 1 : 0];
}

static void kill_offender(struct manager *manager, const struct finding *finding,
			  struct journal_verdict verdict)
{
	const struct party *party = offender(finding);
	int r = enforce_kill(&party->process);

	if (r == -ESRCH)
		return;
	if (r == 0)
		manager->killed++;
	journal_killed(manager->journal, finding, party, manager->model.ledger, verdict, r);
}

static struct journal_verdict told(const struct manager *manager, struct policy_verdict verdict)
{
	return journal_verdict(manager->model.policy, verdict, mode_of(manager));
}

static void judge_finding(struct manager *manager, enum finding_change_kind what,
			  const struct finding *finding)
{
	struct policy_verdict verdict =
		policy_judge_finding(manager->model.policy, manager->model.ledger, finding);

	journal_conflict(manager->journal, manager_now_ns(), what, finding, manager->model.ledger,
			 told(manager, verdict));
	if (what != FINDING_OPENED || !policy_is_against(verdict))
		return;
	if (mode_of(manager) == POLICY_ENFORCE && verdict.action == POLICY_KILL)
		kill_offender(manager, finding, told(manager, verdict));
	else
		manager->would_denied++;
}

/* Without memory to keep it it is judged by what is known now. */
void manager_finding_changed(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	struct manager *manager = userdata;
	struct waiting_finding *grown;
	size_t size;

	if (what == FINDING_CHANGED)
		return;
	if (manager->n_waiting == manager->waiting_allocated) {
		size = manager->waiting_allocated ? 2 * manager->waiting_allocated : 16;
		grown = reallocarray(manager->waiting, size, sizeof(*grown));
		if (!grown) {
			manager_judge_findings(manager);
			judge_finding(manager, what, finding);
			return;
		}
		manager->waiting = grown;
		manager->waiting_allocated = size;
	}
	manager->waiting[manager->n_waiting++] = (struct waiting_finding){what, *finding};
}

void manager_judge_findings(struct manager *manager)
{
	for (size_t i = 0; i < manager->n_waiting; i++)
		judge_finding(manager, manager->waiting[i].what, &manager->waiting[i].finding);
	manager->n_waiting = 0;
	if (manager->waiting_allocated > WAITING_KEPT) {
		free(manager->waiting);
		manager->waiting = NULL;
		manager->waiting_allocated = 0;
	}
}

void manager_judge_mapping(struct manager *manager, const struct event *event, uint64_t id)
{
	const struct ledger *ledger = manager->model.ledger;
	const struct mapping *mapping = ledger_mapping(ledger, id);
	struct policy_verdict verdict = {.rule = -1};
	bool judged;

	if (!mapping || (event->header.origin != EVENT_ORIGIN_KERNEL && !manager->started))
		return;
	judged = !decided_in_kernel(manager, mapping);
	if (judged)
		verdict = policy_judge_mapping(manager->model.policy, ledger, mapping);
	if (policy_is_against(verdict))
		manager->would_denied++;
	if (ledger_requested(ledger, mapping) == MEMTYPE_WC)
		journal_wc_requested(manager->journal, manager_now_ns(), ledger, mapping,
				     event->header.sequence,
				     judged ? told(manager, verdict) : (struct journal_verdict){});
	if (verdict.action != POLICY_ALLOW)
		journal_mapping_judged(manager->journal, manager_now_ns(), ledger, mapping,
				       event->header.sequence, manager->model.policy, verdict);
}

/* What a new policy ends, of what is there already. */
#define LISTED 64

void manager_judge_active(struct manager *manager)
{
	const struct finding *findings[LISTED];
	struct policy_verdict verdict;
	uint64_t after = 0;
	size_t n;

	if (mode_of(manager) != POLICY_ENFORCE)
		return;
	do {
		n = findings_list(manager->model.findings, false, after, findings, LISTED);
		for (size_t i = 0; i < n; i++) {
			verdict = policy_judge_finding(manager->model.policy, manager->model.ledger,
						       findings[i]);
			if (verdict.action == POLICY_KILL)
				kill_offender(manager, findings[i], told(manager, verdict));
			after = findings[i]->id;
		}
	} while (n == LISTED);
}
