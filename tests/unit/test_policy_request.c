/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on findings and on requests that an enforcer decided. */
#include "judged.h"

static void test_no_policy(void **state)
{
	struct fixture *f = *state;
	const struct event_request request = {.what = REQUEST_MMAP};
	const struct finding finding = {.kind = FINDING_DEMOTION};

	map_vfio(f, 100, 10, 0, PROT_UC);
	expect_nothing(judge(f, 100));
	expect_nothing(policy_judge_request(NULL, f->model.ledger, &request));
	assert_int_equal(policy_judge_finding(NULL, f->model.ledger, &finding).rule, -1);
	use(f, "");
	expect_nothing(judge(f, 100));
	expect_nothing(policy_judge_request(f->policy, f->model.ledger, &request));
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_DEMOTION, POLICY_ALLOW, -1,
	       0);
}

static struct finding only_finding(struct fixture *f, enum finding_kind kind)
{
	const struct finding *findings[8];
	size_t n = findings_list(f->model.findings, false, 0, findings, 8);

	for (size_t i = 0; i < n; i++)
		if (findings[i]->kind == kind)
			return *findings[i];
	fail_msg("no %s", finding_kind_name(kind));
	return (struct finding){};
}

static void test_findings(void **state)
{
	struct fixture *f = *state;
	struct finding finding;

	take(f, process_event(20, "ssh.service", ""));
	map_vfio(f, 100, 10, 0, PROT_UC);
	map_sysfs(f, 101, 20, 0, PROT_WC);
	take(f, process_event(10, VM, "tenant-a"));
	take(f, process_event(20, "ssh.service", ""));
	take(f, with_run(pages_event(EVENT_PAGES, 100, BEGIN + 100 * MIB, 4), BEGIN + 100 * MIB, 0, 4,
			 MEMTYPE_WC));
	take(f, with_run(pages_event(EVENT_PAGES, 101, BEGIN + 101 * MIB, 4), BEGIN + 101 * MIB, 0, 4,
			 MEMTYPE_UC_MINUS));

	finding = only_finding(f, FINDING_PROMOTION);
	use(f, "[Rule p]\nKind=promotion\nTypes=uc-/wc\nSource=vfio\nMachine=tenant-a\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_PROMOTION, POLICY_KILL, 0,
	       0);
	use(f, "[Rule p]\nKind=promotion\nSource=sysfs\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_PROMOTION, POLICY_ALLOW, -1,
	       0);
	use(f, "[Rule p]\nKind=promotion\nTypes=uc/wb\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_PROMOTION, POLICY_ALLOW, -1,
	       0);

	finding = only_finding(f, FINDING_DEMOTION);
	use(f, "[Rule d]\nKind=demotion\nTypes=wc/uc\nUnit=ssh.service\nAction=log\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_DEMOTION, POLICY_LOG, 0, 0);

	finding = only_finding(f, FINDING_ALIAS);
	use(f, "[Rule a]\nKind=alias\nUnit=ssh.service\nSource=sysfs\nRegion=2\nId=1af4:*\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_ALIAS, POLICY_KILL, 0, 101);
	use(f, "[Rule a]\nKind=alias\nUnit=ssh.service\nSource=vfio\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_ALIAS, POLICY_ALLOW, -1,
	       101);

	/* A party that is gone, and nothing is known of, may be anybody; its user is in the finding. */
	finding.parties[1].process.tgid = 999;
	use(f, "[Rule a]\nKind=alias\nUnit=ssh.service\nAction=kill\n");
	expect_unknown(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_ALIAS,
		       POLICY_ALLOW);
	use(f, "[Rule a]\nKind=alias\nUser=1000\nSource=sysfs\nAction=kill\n");
	expect(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_ALIAS, POLICY_KILL, 0, 101);
	memset(finding.device, 0, sizeof(finding.device));
	use(f, "[Rule a]\nKind=alias\nDevice=00:01.0\nAction=kill\n");
	expect_unknown(policy_judge_finding(f->policy, f->model.ledger, &finding), POLICY_ALIAS,
		       POLICY_ALLOW);
}

/* A request of process 10 for four pages of BAR 2 through VFIO, decided by @policy. */
static struct event_request request_of(const struct policy *policy)
{
	struct event_request request = {
		.pci_address = FIRST_DEVICE,
		.file_id = 1,
		.offset = COOKIE_2,
		.size = 4 * PAGE,
		.policy = policy_bank(policy)->digest,
		.region = 2,
		.flags = EVENT_MAPPING_DEVICE_KNOWN,
		.party = {.who = {.tgid = 10, .start_ns = 10000, .uid = 1000},
			  .phys_start = BAR_2,
			  .phys_end = BAR_2 + 4 * PAGE,
			  .type = MEMTYPE_UC_MINUS,
			  .source = SOURCE_VFIO,
			  .flags = PARTY_UNIT_KNOWN | PARTY_MACHINE_KNOWN | PARTY_RANGE_KNOWN,
			  .unit = VM},
	};

	return request;
}

static struct policy_verdict judge_event(struct fixture *f, const struct event_request *request)
{
	return policy_judge_request(f->policy, f->model.ledger, request);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct event_request request;

	use(f, "[Rule a]\nUnit=" VM
	       "\nSource=vfio\nRegion=2\nId=1af4:*\nUser=1000\nKind=request\nTypes=uc\nAction=deny\n");
	policy_set_digest(f->policy, DIGEST);
	request = request_of(f->policy);
	expect(judge_event(f, &request), POLICY_REQUEST, POLICY_DENY, 0, 0);
	request.what = REQUEST_COOKIE;
	expect(judge_event(f, &request), POLICY_REQUEST, POLICY_DENY, 0, 0);
	request.party.type = MEMTYPE_WC;
	expect_nothing(judge_event(f, &request));
	request.party.type = MEMTYPE_UNKNOWN;
	expect_unknown(judge_event(f, &request), POLICY_REQUEST, POLICY_ALLOW);
	request.party.type = MEMTYPE_UC_MINUS;
	request.party.flags &= ~PARTY_UNIT_KNOWN;
	expect_unknown(judge_event(f, &request), POLICY_REQUEST, POLICY_ALLOW);
	request.party.who.uid = 0;
	expect_nothing(judge_event(f, &request));
	request = request_of(f->policy);
	request.flags = 0;
	expect_unknown(judge_event(f, &request), POLICY_REQUEST, POLICY_ALLOW);
	/* A device that the ledger does not have is known by its address only. */
	request.flags = EVENT_MAPPING_DEVICE_KNOWN;
	request.pci_address = EVENT_PCI_ADDRESS(0, 0x3b, 0);
	expect_unknown(judge_event(f, &request), POLICY_REQUEST, POLICY_ALLOW);
	use(f, "[Rule a]\nDevice=3b:00.0\nAction=deny\n");
	expect(judge_event(f, &request), POLICY_REQUEST, POLICY_DENY, 0, 0);
}

static void test_request_with_peer(void **state)
{
	struct fixture *f = *state;
	struct event_request request;

	use(f, "[Rule a]\nKind=alias\nTypes=wc/uc\nSource=sysfs\nUser=7\nAction=deny\n");
	policy_set_digest(f->policy, DIGEST);
	request = request_of(f->policy);
	expect_nothing(judge_event(f, &request));
	request.has_peer = 1;
	request.peer = request.party;
	request.peer.type = MEMTYPE_WC;
	request.peer.source = SOURCE_SYSFS;
	request.peer.who.uid = 7;
	expect(judge_event(f, &request), POLICY_ALIAS, POLICY_DENY, 0, 0);
	request.peer.who.uid = 8;
	expect_nothing(judge_event(f, &request));
	request.peer.who.tgid = 0;
	expect_unknown(judge_event(f, &request), POLICY_ALIAS, POLICY_ALLOW);
	request.peer.who.tgid = 5;
	request.peer.who.uid = 7;
	request.peer.type = MEMTYPE_UNKNOWN;
	expect_unknown(judge_event(f, &request), POLICY_ALIAS, POLICY_ALLOW);
	request.has_peer = 0;
	request.unknown = POLICY_UNKNOWN_FULL;
	expect_unknown(judge_event(f, &request), POLICY_ALIAS, POLICY_ALLOW);
	request.unknown = POLICY_KNOWN;
	request.party.flags &= ~PARTY_RANGE_KNOWN;
	expect_unknown(judge_event(f, &request), POLICY_ALIAS, POLICY_ALLOW);
	request.what = REQUEST_COOKIE;
	expect_nothing(judge_event(f, &request));
}

/* The policy that decided goes by its event alone; another one looks at the ledger too. */
static void test_request_under_another_policy(void **state)
{
	struct fixture *f = *state;
	struct event_request request;

	map_sysfs(f, 100, 20, 2, PROT_WC);
	use(f, "[Rule a]\nKind=alias\nAction=deny\n");
	policy_set_digest(f->policy, DIGEST);
	request = request_of(f->policy);
	expect_nothing(judge_event(f, &request));
	request.policy++;
	expect(judge_event(f, &request), POLICY_ALIAS, POLICY_DENY, 0, 100);
	request.party.phys_end -= 2 * PAGE;
	expect_nothing(judge_event(f, &request));

	use(f, "[Rule p]\nKind=promotion\nAction=deny\n");
	policy_set_digest(f->policy, DIGEST);
	request = request_of(f->policy);
	take(f, by(reservation_event(0, BAR_SIZE / PAGE, MEMTYPE_UC_MINUS, MEMTYPE_WC), 10));
	expect_nothing(judge_event(f, &request));
	request.given = MEMTYPE_WC;
	expect(judge_event(f, &request), POLICY_PROMOTION, POLICY_DENY, 0, 0);
	request.given = MEMTYPE_UNKNOWN;
	request.policy++;
	expect(judge_event(f, &request), POLICY_PROMOTION, POLICY_DENY, 0, 0);
}

/* Whatever an event of a hostile capture says. */
static void test_hostile_requests(void **state)
{
	struct fixture *f = *state;
	unsigned int seed = 1;

	map_sysfs(f, 100, 20, 2, PROT_WC);
	use(f, "[Policy]\nOnUnknown=deny\n[Rule a]\nKind=alias\nUnit=a.scope\nAction=deny\n"
	       "[Rule b]\nKind=promotion\nMachine=b\nRegion=1\nAction=log\n[Rule "
	       "c]\nTypes=wc\nKind=request\nAction=kill\n");
	for (int i = 0; i < 20000; i++) {
		struct event_request request;
		struct policy_verdict verdict;

		for (size_t j = 0; j < sizeof(request); j++) {
			seed = seed * 1664525 + 1013904223;
			((unsigned char *)&request)[j] = (seed >> 24) % 5 ? 0 : seed >> 16;
		}
		verdict = judge_event(f, &request);
		assert_true(verdict.rule >= -1 && verdict.rule < 3);
		assert_true(verdict.action < POLICY_ACTIONS && verdict.kind < POLICY_KINDS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_no_policy),
		CASE(test_findings),
		CASE(test_requests),
		CASE(test_request_with_peer),
		CASE(test_request_under_another_policy),
		CASE(test_hostile_requests),
	};

	return cmocka_run_group_tests_name("policy_request", tests, NULL, NULL);
}
