/* SPDX-License-Identifier: GPL-2.0-or-later */

/* sink/journal.c: what goes to journald, and how much of it. journald itself is replaced. */

#include "journaled.h"

static void tell(struct fixture *fixture, const struct change *change, uint64_t now_ns)
{
	journal_cookie_issued(fixture->journal, now_ns, fixture->ledger, change->cookie, change->process, 42);
}

static void test_cookie(void **state)
{
	struct fixture *fixture = *state;
	struct change change;

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	change = apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10));
	tell(fixture, &change, 0);
	assert_true(has_id(JOURNAL_COOKIE_ISSUED));
	assert_true(has_field("VFIOWATCH_DEVICE=0000:00:01.0"));
	assert_true(has_field("VFIOWATCH_REGION=2"));
	assert_true(has_field("VFIOWATCH_SOURCE=vfio"));
	assert_true(has_field("VFIOWATCH_DIALECT=region-info"));
	assert_true(has_field("VFIOWATCH_OFFSET=0x20000000000"));
	assert_true(has_field("VFIOWATCH_SIZE=16777216"));
	assert_true(has_field("VFIOWATCH_REQUESTED=uc-"));
	assert_true(has_field("VFIOWATCH_SEQ=42"));
	assert_true(has_field("OBJECT_PID=10"));
	assert_null(strstr(last, "PHYS"));
	assert_null(strstr(last, "SUPPRESSED"));
}

static void test_dmabuf(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10);
	struct change change;

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	event.cookie.dialect = DIALECT_DMA_BUF;
	event.cookie.offset = 0;
	event.cookie.flags = 0;
	event.cookie.phys_start = BAR_2;
	change = apply(fixture->ledger, event);
	tell(fixture, &change, 0);
	assert_true(has_field("VFIOWATCH_SOURCE=dmabuf"));
	assert_true(has_field("VFIOWATCH_DIALECT=dma-buf"));
	assert_non_null(strstr(last, "VFIOWATCH_PHYS_START=0x"));
	assert_non_null(strstr(last, "VFIOWATCH_PHYS_END=0x"));
	/* What a DMABUF promises is not known, so it is not told. */
	assert_null(strstr(last, "VFIOWATCH_REQUESTED"));
}

static void test_unknown_and_hostile(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(cookie_event(EVENT_COOKIE, 2, 7, 1), 10);
	struct change change;

	memcpy(event.header.who.comm, "\x1b[31m\nPRIORITY=0", EVENT_COMM_LEN);
	change = apply(fixture->ledger, event);
	tell(fixture, &change, 0);
	assert_null(strstr(last, "VFIOWATCH_DEVICE"));
	assert_non_null(strstr(last, "unknown device"));
	assert_non_null(strstr(last, "\\x1b[31m\\x0aPRIORITY"));
	assert_false(has_field("PRIORITY=0"));
	assert_null(strchr(last, '\x1b'));

	change.process = NULL;
	tell(fixture, &change, 0);
	assert_null(strstr(last, "OBJECT_PID"));
}

static void test_rate(void **state)
{
	struct fixture *fixture = *state;
	struct change change = apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 7, 1), 10));

	for (int i = 0; i < JOURNAL_BURST + 500; i++)
		tell(fixture, &change, SECOND_NS);
	assert_int_equal(written, JOURNAL_BURST);
	assert_int_equal(journal_suppressed(fixture->journal), 500);

	for (int i = 0; i < JOURNAL_RATE + 7; i++)
		tell(fixture, &change, 2 * SECOND_NS);
	assert_int_equal(written, JOURNAL_BURST + JOURNAL_RATE);
	assert_int_equal(journal_suppressed(fixture->journal), 507);

	tell(fixture, &change, 3 * SECOND_NS);
	assert_true(has_field("VFIOWATCH_SUPPRESSED=7"));
	/* A clock that goes back gives no credit and takes none. */
	tell(fixture, &change, 0);
	assert_null(strstr(last, "SUPPRESSED"));
}

static void test_wc_requested(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(mapping_event(EVENT_MAP, 1, 1, 0x7f0000000000, 4, 2), 12);
	struct change change;

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10));
	event.mapping.page_prot = PROT_WC;
	change = apply(fixture->ledger, event);
	journal_wc_requested(fixture->journal, 0, fixture->ledger, change.mapping, 43,
			     (struct journal_verdict){});
	assert_true(has_id(JOURNAL_WC_REQUESTED));
	assert_true(has_field("PRIORITY=6"));
	assert_true(has_field("VFIOWATCH_DEVICE=0000:00:01.0"));
	assert_true(has_field("VFIOWATCH_REGION=2"));
	assert_true(has_field("VFIOWATCH_SOURCE=vfio"));
	assert_true(has_field("VFIOWATCH_DIALECT=region-info"));
	assert_true(has_field("VFIOWATCH_OFFSET=0x20000004000"));
	assert_true(has_field("VFIOWATCH_SIZE=8192"));
	assert_true(has_field("VFIOWATCH_PHYS_START=0x383800004000"));
	assert_true(has_field("VFIOWATCH_PHYS_END=0x383800006000"));
	assert_true(has_field("VFIOWATCH_REQUESTED=wc"));
	assert_true(has_field("VFIOWATCH_SEQ=43"));
	assert_true(has_field("OBJECT_PID=12"));
	assert_true(has_field("MESSAGE=0000:00:01.0 region 2: client[12] mapped 8192 bytes and asked for "
			      "write-combining"));
}

/* What is not known of a mapping is left out, and its owner's name does no harm. */
static void test_wc_of_unknown(void **state)
{
	struct fixture *fixture = *state;
	struct event event = by(mapping_event(EVENT_MAP, 1, 0, 0x7f0000000000, 4, 2), 12);
	struct change change;

	event.mapping.flags = 0;
	event.mapping.region = EVENT_REGION_UNKNOWN;
	event.mapping.source = SOURCE_DEVMEM;
	event.mapping.page_prot = PROT_WC;
	memcpy(event.header.who.comm, "\x1b[31m\nPRIORITY=0", EVENT_COMM_LEN);
	change = apply(fixture->ledger, event);
	journal_wc_requested(fixture->journal, 0, fixture->ledger, change.mapping, 0,
			     (struct journal_verdict){});
	assert_true(has_field("VFIOWATCH_SOURCE=devmem"));
	assert_null(strstr(last, "VFIOWATCH_DEVICE"));
	assert_null(strstr(last, "VFIOWATCH_REGION"));
	assert_null(strstr(last, "VFIOWATCH_PHYS"));
	assert_null(strstr(last, "VFIOWATCH_OFFSET"));
	assert_null(strstr(last, "VFIOWATCH_SEQ"));
	assert_non_null(strstr(last, "unknown device unknown region: \\x1b[31m\\x0a"));
	assert_null(strchr(last, '\x1b'));
}

static struct finding make_finding(enum finding_kind kind)
{
	struct finding finding = {
		.id = 7,
		.kind = kind,
		.severity = SEVERITY_HIGH,
		.device = "0000:3b:00.0",
		.region = 2,
		.n_parties = 1,
		.n_ranges = 2,
		.ranges = {{0xfc000000, 0xfc001000}, {0xfc004000, 0xfc008000}},
		.bytes = 0x15000,
		.phys_end = 0xfc020000, /* of a range that was not kept */
		.cause = CAUSE_EARLIER_MAPPING,
		.since_ns = 2 * SECOND_NS,
		.active = true,
	};

	finding.parties[0] = (struct party){
		.mapping = 1,
		.process = {.start_ns = 1, .tgid = 100},
		.comm = "qemu",
		.source = SOURCE_VFIO,
		.requested = MEMTYPE_UC_MINUS,
		.type = MEMTYPE_WC,
	};
	finding.cause_party = finding.parties[0];
	finding.cause_party.process.tgid = 200;
	finding.cause_party.source = SOURCE_SYSFS;
	finding.cause_party.requested = MEMTYPE_WC;
	if (kind == FINDING_ALIAS) {
		finding.n_parties = 2;
		finding.cause = CAUSE_NONE;
		finding.parties[1] = finding.parties[0];
		finding.parties[1].mapping = 2;
		finding.parties[1].process.tgid = 101;
		finding.parties[1].requested = finding.parties[1].type = MEMTYPE_UC_MINUS;
	}
	return finding;
}

static void tell_conflict(struct fixture *fixture, uint64_t now_ns, enum finding_change_kind what,
			  const struct finding *finding)
{
	journal_conflict(fixture->journal, now_ns, what, finding, fixture->ledger,
			 (struct journal_verdict){});
}

static void test_promotion(void **state)
{
	struct fixture *fixture = *state;
	struct finding finding = make_finding(FINDING_PROMOTION);

	tell_conflict(fixture, 0, FINDING_OPENED, &finding);
	assert_true(has_id(JOURNAL_CONFLICT_OPENED));
	assert_true(has_field("PRIORITY=4"));
	assert_true(has_field("VFIOWATCH_CONFLICT=7"));
	assert_true(has_field("VFIOWATCH_KIND=promotion"));
	assert_true(has_field("VFIOWATCH_SEVERITY=high"));
	assert_true(has_field("VFIOWATCH_DEVICE=0000:3b:00.0"));
	assert_true(has_field("VFIOWATCH_REGION=2"));
	assert_true(has_field("VFIOWATCH_SOURCE=vfio"));
	assert_true(has_field("VFIOWATCH_SIZE=86016"));
	assert_true(has_field("VFIOWATCH_PHYS_START=0xfc000000"));
	assert_true(has_field("VFIOWATCH_PHYS_END=0xfc020000"));
	assert_true(has_field("VFIOWATCH_REQUESTED=uc-"));
	assert_true(has_field("VFIOWATCH_EFFECTIVE=wc"));
	assert_true(has_field("VFIOWATCH_TYPES=uc-/wc"));
	assert_true(has_field("VFIOWATCH_CAUSE=earlier-mapping"));
	assert_true(has_field("OBJECT_PID=100"));
	assert_true(has_field("VFIOWATCH_PEER_PID=200"));
	assert_null(strstr(last, "MESSAGE=\n"));

	tell_conflict(fixture, 0, FINDING_CHANGED, &finding);
	assert_int_equal(written, 1);

	finding.active = false;
	finding.until_ns = 3 * SECOND_NS + 250000000;
	tell_conflict(fixture, 0, FINDING_CLOSED, &finding);
	assert_int_equal(written, 2);
	assert_true(has_id(JOURNAL_CONFLICT_CLOSED));
	assert_true(has_field("PRIORITY=6"));
	assert_true(has_field("VFIOWATCH_CONFLICT=7"));
	assert_true(has_field("OBJECT_PID=100"));
	assert_true(has_field("MESSAGE=0000:3b:00.0 region 2: conflict 7 (promotion) is over after 1.250 s"));
	/* It is told once. */
	tell_conflict(fixture, 0, FINDING_CLOSED, &finding);
	assert_int_equal(written, 2);
}

/* The record is of the newer party, the older one is its peer. */
static void test_alias(void **state)
{
	struct fixture *fixture = *state;
	struct finding finding = make_finding(FINDING_ALIAS);

	finding.severity = SEVERITY_CRITICAL;
	tell_conflict(fixture, 0, FINDING_OPENED, &finding);
	assert_true(has_field("PRIORITY=4"));
	assert_true(has_field("VFIOWATCH_KIND=alias"));
	assert_true(has_field("VFIOWATCH_SEVERITY=critical"));
	assert_true(has_field("VFIOWATCH_REQUESTED=uc-"));
	assert_true(has_field("VFIOWATCH_EFFECTIVE=uc-"));
	assert_true(has_field("VFIOWATCH_TYPES=wc/uc-"));
	assert_true(has_field("OBJECT_PID=101"));
	assert_true(has_field("VFIOWATCH_PEER_PID=100"));
	assert_null(strstr(last, "VFIOWATCH_CAUSE"));
}

static void test_demotion_of_unknown(void **state)
{
	struct fixture *fixture = *state;
	struct finding finding = make_finding(FINDING_DEMOTION);

	finding.severity = SEVERITY_LOW;
	finding.device[0] = '\0';
	finding.region = EVENT_REGION_UNKNOWN;
	finding.cause = CAUSE_UNKNOWN;
	finding.parties[0].process = (struct process_key){};
	strcpy(finding.parties[0].comm, "\x1b[31m\nPRIORITY=");
	tell_conflict(fixture, 0, FINDING_OPENED, &finding);
	assert_true(has_field("PRIORITY=5"));
	assert_null(strstr(last, "VFIOWATCH_DEVICE"));
	assert_null(strstr(last, "VFIOWATCH_REGION"));
	assert_null(strstr(last, "VFIOWATCH_CAUSE"));
	assert_null(strstr(last, "PID="));
	assert_null(strchr(last, '\x1b'));
	tell_conflict(fixture, 0, FINDING_CLOSED, &finding);
	assert_non_null(strstr(last, "MESSAGE=unknown device unknown region: conflict 7 (demotion)"));
}

/* Closed ones are told for exactly those that were told to be open, however many there are. */
static void test_conflict_rate(void **state)
{
	struct fixture *fixture = *state;
	struct finding finding = make_finding(FINDING_PROMOTION);

	for (uint64_t id = 1; id <= JOURNAL_CONFLICT_BURST + 300; id++) {
		finding.id = id;
		tell_conflict(fixture, SECOND_NS, FINDING_OPENED, &finding);
	}
	assert_int_equal(written, JOURNAL_CONFLICT_BURST);
	assert_int_equal(journal_suppressed(fixture->journal), 300);
	for (uint64_t id = 1; id <= JOURNAL_CONFLICT_BURST + 300; id++) {
		finding.id = id;
		tell_conflict(fixture, SECOND_NS, FINDING_CLOSED, &finding);
	}
	assert_int_equal(written, 2 * JOURNAL_CONFLICT_BURST);
	assert_true(has_field("VFIOWATCH_CONFLICT=5000"));
	assert_int_equal(journal_suppressed(fixture->journal), 300);

	finding.id = 9000;
	tell_conflict(fixture, 2 * SECOND_NS, FINDING_OPENED, &finding);
	assert_true(has_field("VFIOWATCH_SUPPRESSED=300"));
}

/* No class uses up the budget of another, nor tells what another held back. */
static void test_budgets_are_apart(void **state)
{
	struct fixture *fixture = *state;
	struct finding finding = make_finding(FINDING_PROMOTION);
	struct change cookie, mapping;

	apply(fixture->ledger, by(file_event(EVENT_OPEN, 1), 10));
	cookie = apply(fixture->ledger, by(cookie_event(EVENT_COOKIE, 2, 1, 1), 10));
	for (int i = 0; i < JOURNAL_BURST + 5; i++)
		tell(fixture, &cookie, SECOND_NS);
	assert_int_equal(written, JOURNAL_BURST);
	mapping = apply(fixture->ledger, by(mapping_event(EVENT_MAP, 1, 1, 0x7f0000000000, 4, 2), 12));
	for (int i = 0; i < JOURNAL_BURST + 7; i++)
		journal_wc_requested(fixture->journal, SECOND_NS, fixture->ledger, mapping.mapping, 1,
				     (struct journal_verdict){});
	assert_int_equal(written, 2 * JOURNAL_BURST);
	assert_null(strstr(last, "SUPPRESSED"));
	tell_conflict(fixture, SECOND_NS, FINDING_OPENED, &finding);
	assert_int_equal(written, 2 * JOURNAL_BURST + 1);
	assert_null(strstr(last, "SUPPRESSED"));
	journal_wc_requested(fixture->journal, 2 * SECOND_NS, fixture->ledger, mapping.mapping, 1,
			     (struct journal_verdict){});
	assert_true(has_field("VFIOWATCH_SUPPRESSED=7"));
	assert_int_equal(journal_suppressed(fixture->journal), 12);
}

static void test_losses_are_never_held_back(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2 * JOURNAL_BURST; i++)
		journal_events_lost(fixture->journal, "map", 3);
	journal_degraded(fixture->journal, "a reason");
	assert_int_equal(written, 2 * JOURNAL_BURST + 1);
	assert_non_null(strstr(last, "a reason"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dmabuf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_and_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wc_requested, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wc_of_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promotion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
		cmocka_unit_test_setup_teardown(test_demotion_of_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflict_rate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budgets_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses_are_never_held_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, catalog_matches);
}
