/* SPDX-License-Identifier: GPL-2.0-or-later */

/* sink/journal_policy.c: what policy did, as journald is told of it. journald itself is replaced. */

#include "policies.h"

#include <errno.h>

#include "journaled.h"

static int setup_open(void **state)
{
	struct fixture *fixture;

	setup(state);
	fixture = *state;
	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	return 0;
}

static void expect(const char *field)
{
	if (!has_field(field))
		fail_msg("no '%s' in\n%s", field, last);
}

static struct event denied(void)
{
	struct event event =
		by(denied_by_alias(request_event(0, 4, MEMTYPE_WC), 12, 2, MEMTYPE_UC_MINUS), 11);

	event.header.sequence = 77;
	return event;
}

static void tell(struct fixture *fixture, const struct event *event, uint64_t now_ns)
{
	journal_request(fixture->journal, now_ns, fixture->ledger, event);
}

static void test_denied(void **state)
{
	struct fixture *fixture = *state;
	const struct event event = denied();

	tell(fixture, &event, 0);
	assert_int_equal(written, 1);
	assert_true(has_id(JOURNAL_REQUEST_DENIED));
	expect("PRIORITY=4");
	expect("MESSAGE=PID 11 (client) was denied a mapping of 16 KiB of 0000:00:01.0 BAR 2 at "
	       "0x383800000000 as "
	       "write-combining (WC) through VFIO by rule no-mix: PID 12 (holder) has 0x383800002000 to "
	       "0x383800003000 mapped as uncached (UC-) through sysfs resource2.");
	expect("VFIOWATCH_DEVICE=0000:00:01.0");
	expect("VFIOWATCH_REGION=2");
	expect("VFIOWATCH_SOURCE=vfio");
	expect("VFIOWATCH_WHAT=mmap");
	expect("VFIOWATCH_OFFSET=0x20000000000");
	expect("VFIOWATCH_SIZE=16384");
	expect("VFIOWATCH_PHYS_START=0x383800000000");
	expect("VFIOWATCH_PHYS_END=0x383800004000");
	expect("VFIOWATCH_REQUESTED=wc");
	expect("VFIOWATCH_TYPES=wc/uc-");
	expect("VFIOWATCH_KIND=alias");
	expect("VFIOWATCH_RULE=no-mix");
	expect("VFIOWATCH_VERDICT=deny");
	expect("VFIOWATCH_POLICY_DIGEST=0123456789abcdef");
	expect("VFIOWATCH_COMM=client");
	expect("VFIOWATCH_UNIT=vm.scope");
	expect("VFIOWATCH_PEER_PID=12");
	expect("VFIOWATCH_PEER_COMM=holder");
	expect("VFIOWATCH_PEER_UNIT=dump.service");
	expect("VFIOWATCH_PEER_SOURCE=sysfs");
	expect("VFIOWATCH_PEER_REQUESTED=uc-");
	expect("VFIOWATCH_PEER_PHYS_START=0x383800002000");
	expect("VFIOWATCH_PEER_PHYS_END=0x383800003000");
	expect("VFIOWATCH_SEQ=77");
	expect("OBJECT_PID=11");
	assert_null(strstr(last, "VFIOWATCH_UNKNOWN"));
	assert_null(strstr(last, "SUPPRESSED"));
}

/* Each has a record of its own, however many there are and however alike, at one moment. */
static void test_denied_is_never_held_back(void **state)
{
	struct fixture *fixture = *state;
	const unsigned int many = 20 * JOURNAL_BURST;
	const struct event event = denied();

	for (unsigned int i = 0; i < many; i++)
		tell(fixture, &event, SECOND_NS);
	assert_int_equal(written, many);
	assert_int_equal(journal_suppressed(fixture->journal), 0);
	/* Nor do they use up what granted ones may have. */
	for (unsigned int i = 0; i < JOURNAL_BURST + 5; i++) {
		struct event granted = event;

		granted.request.denied = 0;
		granted.request.action = POLICY_LOG;
		tell(fixture, &granted, SECOND_NS);
	}
	assert_int_equal(written, many + JOURNAL_BURST);
	assert_int_equal(journal_suppressed(fixture->journal), 5);
	tell(fixture, &event, SECOND_NS);
	assert_null(strstr(last, "SUPPRESSED"));
}

/* What journald does not take is not lost silently. */
static void test_unwritten(void **state)
{
	struct fixture *fixture = *state;
	const struct event event = denied();

	answer = -ENOBUFS;
	tell(fixture, &event, 0);
	tell(fixture, &event, 0);
	answer = 0;
	tell(fixture, &event, 0);
	assert_int_equal(journal_unwritten(fixture->journal), 2);
}

static void test_granted(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(request_event(0, 4, MEMTYPE_WC), 11);

	/* Nobody asked to be told. */
	tell(fixture, &event, 0);
	assert_int_equal(written, 0);

	event.request.action = POLICY_LOG;
	snprintf(event.request.rule, sizeof(event.request.rule), "wc-log");
	tell(fixture, &event, 0);
	assert_int_equal(written, 1);
	assert_true(has_id(JOURNAL_REQUEST_LOGGED));
	expect("PRIORITY=5");
	expect("VFIOWATCH_VERDICT=log");
	expect("VFIOWATCH_RULE=wc-log");
	assert_null(strstr(last, "PEER"));
	assert_null(strstr(last, "TYPES"));

	event = by(request_event(0, 4, MEMTYPE_UNKNOWN), 11);
	event.request.unknown = POLICY_UNKNOWN_FULL;
	tell(fixture, &event, 0);
	assert_int_equal(written, 2);
	assert_true(has_id(JOURNAL_REQUEST_LOGGED));
	expect("VFIOWATCH_VERDICT=allow");
	expect("VFIOWATCH_UNKNOWN=full");
	assert_null(strstr(last, "VFIOWATCH_RULE"));
	assert_null(strstr(last, "VFIOWATCH_REQUESTED"));

	event.request.kind = POLICY_KINDS;
	event.request.denied = 1;
	tell(fixture, &event, 0);
	assert_int_equal(written, 2);
}

static void test_promotion_and_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct event event = denied();

	event.request.has_peer = 0;
	event.request.kind = POLICY_PROMOTION;
	event.request.action = POLICY_KILL;
	event.request.party.type = MEMTYPE_UC_MINUS;
	event.request.given = MEMTYPE_WC;
	tell(fixture, &event, 0);
	assert_true(has_id(JOURNAL_REQUEST_DENIED));
	expect("VFIOWATCH_TYPES=uc-/wc");
	expect("VFIOWATCH_VERDICT=kill");

	event.request.kind = POLICY_REQUEST;
	event.request.what = REQUEST_COOKIE;
	event.request.given = 0;
	tell(fixture, &event, 0);
	expect("VFIOWATCH_WHAT=cookie");
	assert_null(strstr(last, "TYPES"));
}

static void test_hostile(void **state)
{
	struct fixture *fixture = *state;
	struct event event = denied();

	memcpy(event.header.who.comm, "\x1b[31m\nPRIORITY=0", EVENT_COMM_LEN);
	memset(event.request.rule, '\n', sizeof(event.request.rule));
	memset(event.request.party.unit, 0x1b, sizeof(event.request.party.unit));
	memset(event.request.party.machine, 0xff, sizeof(event.request.party.machine));
	memset(&event.request.peer.who.comm, '\n', EVENT_COMM_LEN);
	event.request.flags = 0;
	event.request.file_id = 99;
	event.request.region = EVENT_REGION_UNKNOWN;
	tell(fixture, &event, 0);
	assert_null(strchr(last, '\x1b'));
	assert_false(has_field("PRIORITY=0"));
	assert_null(strstr(last, "\n\n"));
	assert_null(strstr(last, "VFIOWATCH_DEVICE"));
	assert_null(strstr(last, "VFIOWATCH_REGION"));
	assert_non_null(strstr(last, "an unknown device"));
}

/* In audit mode, and what slipped through when enforcing: told with the verdict that it would have got. */
static void test_judged_mapping(void **state)
{
	struct fixture *fixture = *state;
	struct policy *policy = make_policy("[Policy]\nMode=enforce\n" TEST_RULES);
	struct policy_verdict verdict;
	const struct mapping *mapping;
	struct event event = by(mapping_event(EVENT_MAP, 1, 1, 0x7f0000000000, 0, 4), 12);

	event.mapping.page_prot = PROT_WC;
	apply(fixture->ledger, event);
	apply(fixture->ledger, by(mapping_event(EVENT_MAP, 2, 1, 0x7e0000000000, 2, 4), 13));
	mapping = ledger_mapping(fixture->ledger, 2);
	verdict = policy_judge_mapping(policy, fixture->ledger, mapping);
	journal_mapping_judged(fixture->journal, 0, fixture->ledger, mapping, 44, policy, verdict);
	assert_int_equal(written, 1);
	assert_true(has_id(JOURNAL_REQUEST_LOGGED));
	expect("MESSAGE=0000:00:01.0 region 2: client[13] mapped 16384 bytes: rule no-mix would have denied "
	       "it");
	expect("VFIOWATCH_VERDICT=would-deny");
	expect("VFIOWATCH_RULE=no-mix");
	expect("VFIOWATCH_KIND=alias");
	expect("VFIOWATCH_PEER_PID=12");
	expect("VFIOWATCH_SEQ=44");
	expect("OBJECT_PID=13");
	expect("VFIOWATCH_PHYS_START=0x383800002000");

	mapping = ledger_mapping(fixture->ledger, 1);
	verdict = policy_judge_mapping(policy, fixture->ledger, mapping);
	journal_mapping_judged(fixture->journal, 0, fixture->ledger, mapping, 0, policy, verdict);
	expect("VFIOWATCH_VERDICT=log");
	expect("MESSAGE=0000:00:01.0 region 2: client[12] mapped 16384 bytes: rule wc-log asks to be told");

	/* What is allowed is not told, and each costs one of the budget. */
	written = 0;
	verdict = (struct policy_verdict){.kind = POLICY_REQUEST, .rule = -1};
	journal_mapping_judged(fixture->journal, 0, fixture->ledger, mapping, 0, policy, verdict);
	assert_int_equal(written, 0);
	verdict.action = POLICY_DENY;
	for (unsigned int i = 0; i < JOURNAL_BURST + 7; i++)
		journal_mapping_judged(fixture->journal, 0, fixture->ledger, mapping, 0, policy, verdict);
	assert_int_equal(written, JOURNAL_BURST - 2);
	expect("MESSAGE=0000:00:01.0 region 2: client[12] mapped 16384 bytes: OnUnknown would have denied "
	       "it");
	assert_int_equal(journal_suppressed(fixture->journal), 9);
	policy_free(policy);
}

static struct finding promotion(void)
{
	struct finding finding = {
		.id = 7,
		.kind = FINDING_PROMOTION,
		.severity = SEVERITY_HIGH,
		.device = "0000:3b:00.0",
		.region = 2,
		.n_parties = 1,
		.n_ranges = 1,
		.ranges = {{0xfc000000, 0xfc001000}},
		.bytes = 0x1000,
		.phys_end = 0xfc001000,
		.active = true,
	};

	finding.parties[0] = (struct party){
		.mapping = 1,
		.process = {.start_ns = 1, .tgid = 100},
		.comm = "vmm\n",
		.source = SOURCE_VFIO,
		.requested = MEMTYPE_UC_MINUS,
		.type = MEMTYPE_WC,
	};
	return finding;
}

static void test_verdict_of_conflict(void **state)
{
	struct fixture *fixture = *state;
	struct policy *policy = make_policy("[Policy]\nMode=audit\n" TEST_RULES);
	const struct finding finding = promotion();
	struct policy_verdict verdict = policy_judge_finding(policy, fixture->ledger, &finding);

	journal_conflict(fixture->journal, 0, FINDING_OPENED, &finding, fixture->ledger,
			 journal_verdict(policy, verdict, policy_mode(policy)));
	assert_true(has_id(JOURNAL_CONFLICT_OPENED));
	expect("VFIOWATCH_RULE=no-turn");
	expect("VFIOWATCH_VERDICT=would-kill");
	journal_conflict(fixture->journal, 0, FINDING_CLOSED, &finding, fixture->ledger,
			 (struct journal_verdict){});
	assert_null(strstr(last, "VERDICT"));
	policy_free(policy);
	assert_null(journal_verdict(NULL, verdict, POLICY_ENFORCE).verdict);
	assert_null(journal_verdict(NULL, verdict, POLICY_ENFORCE).rule);
}

static void test_killed(void **state)
{
	struct fixture *fixture = *state;
	const struct finding finding = promotion();
	const struct journal_verdict verdict = {.verdict = "kill", .rule = "no-turn"};

	journal_killed(fixture->journal, &finding, &finding.parties[0], fixture->ledger, verdict, 0);
	assert_true(has_id(JOURNAL_PROCESS_KILLED));
	expect("PRIORITY=4");
	expect("OBJECT_PID=100");
	expect("VFIOWATCH_CONFLICT=7");
	expect("VFIOWATCH_RULE=no-turn");
	expect("VFIOWATCH_VERDICT=kill");
	assert_non_null(strstr(last,
			       "MESSAGE=vmm\\x0a[100] was ended by rule no-turn. PID 100 (vmm\\x0a) asked "
			       "for uncached (UC-)"));
	journal_killed(fixture->journal, &finding, &finding.parties[0], fixture->ledger, verdict, -ESRCH);
	assert_non_null(strstr(last, "was to be ended by rule no-turn, but: No such process."));
}

static void test_loaded_and_rejected(void **state)
{
	struct fixture *fixture = *state;
	struct policy *policy = make_policy("[Policy]\nMode=enforce\n" TEST_RULES);

	journal_policy_loaded(fixture->journal, policy);
	assert_true(has_id(JOURNAL_POLICY_LOADED));
	expect("MESSAGE=Policy in force: mode enforce, 3 rules, digest " TEST_DIGEST);
	expect("VFIOWATCH_MODE=enforce");
	expect("VFIOWATCH_POLICY_DIGEST=" TEST_DIGEST);
	policy_free(policy);

	journal_policy_rejected(fixture->journal, "a.conf:3: what; instead", true);
	assert_true(has_id(JOURNAL_POLICY_REJECTED));
	expect("PRIORITY=3");
	expect("MESSAGE=Policy refused: a.conf:3: what; instead (the policy before stays in force)");
	journal_policy_rejected(fixture->journal, "a.conf:3: what; instead", false);
	expect("MESSAGE=Policy refused: a.conf:3: what; instead");
}

#define JOURNAL_TEST(function) cmocka_unit_test_setup_teardown(function, setup_open, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		JOURNAL_TEST(test_denied),
		JOURNAL_TEST(test_denied_is_never_held_back),
		JOURNAL_TEST(test_unwritten),
		JOURNAL_TEST(test_granted),
		JOURNAL_TEST(test_promotion_and_cookie),
		JOURNAL_TEST(test_hostile),
		JOURNAL_TEST(test_judged_mapping),
		JOURNAL_TEST(test_verdict_of_conflict),
		JOURNAL_TEST(test_killed),
		JOURNAL_TEST(test_loaded_and_rejected),
	};

	return cmocka_run_group_tests_name("journal_policy", tests, NULL, catalog_matches);
}
