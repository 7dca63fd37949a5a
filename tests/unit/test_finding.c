/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is a conflict, when it opens and closes, how bad it is, limits and history. Causes:
 * test_finding_cause.c */
#include "findings.h"

static struct {
	enum finding_change_kind what[64];
	uint64_t id[64];
	size_t n;
} heard;

static void hear(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	(void)userdata;
	assert_true(heard.n < 64);
	heard.what[heard.n] = what;
	heard.id[heard.n++] = finding->id;
}

static void tell_aloud(struct model *model, struct event event)
{
	struct model_change change;

	heard.n = 0;
	assert_int_equal(model_apply(model, &event, &change, hear, NULL), 0);
}

/* Every second page of a mapping: its findings follow later, but before the mapping's end. */
static void test_many_runs_settle(void **state)
{
	struct model *model = *state;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 400, 2000));
	for (uint64_t page = 0; page < 160; page += 2)
		tell(model, at(populate(10, page, page, 1, MEMTYPE_WC), 2001 + page));
	assert_true(only(model, FINDING_PROMOTION)->bytes < 80 * PAGE);
	assert_int_equal(model_settle(model, NULL, NULL), 0);
	assert_int_equal(only(model, FINDING_PROMOTION)->bytes, 80 * PAGE);
	tell(model, at(populate(10, 200, 200, 1, MEMTYPE_WC), 3000));
	tell(model, at(mapping_event(EVENT_UNMAP, 10, 0, 0, 0, 0), 3001));
	assert_int_equal(finding_by_id(model->findings, 1)->bytes, 81 * PAGE);
	assert_false(finding_by_id(model->findings, 1)->active);
}

static void test_alias_of_shared_bytes(void **state)
{
	struct model *model = *state;
	const struct finding *finding;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 16, 2000));
	tell_aloud(model, sysfs_map(11, 12, 8, PROT_WC, 3000));
	assert_int_equal(heard.n, 0); /* its pages are not told of yet, and none can come by a fault */
	tell_aloud(model, at(populate(11, 0, 12, 8, MEMTYPE_WC), 3001));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.what[0], FINDING_OPENED);
	finding = only(model, FINDING_ALIAS);
	assert_int_equal(finding->id, heard.id[0]);
	assert_int_equal(finding->bytes, 4 * PAGE);
	assert_int_equal(finding->n_ranges, 1);
	assert_int_equal(finding->ranges[0].start, BAR_2 + 12 * PAGE);
	assert_int_equal(finding->ranges[0].end, BAR_2 + 16 * PAGE);
	assert_int_equal(finding->phys_end, BAR_2 + 16 * PAGE);
	assert_int_equal(finding->severity, SEVERITY_HIGH);
	assert_int_equal(finding->cause, CAUSE_NONE);
	assert_string_equal(finding->device, "0000:00:01.0");
	assert_int_equal(finding->region, 2);
	assert_int_equal(finding->since_ns, 3001);
	assert_int_equal(finding->parties[0].mapping, 10);
	assert_int_equal(finding->parties[0].process.tgid, 900);
	assert_int_equal(finding->parties[0].type, MEMTYPE_UC_MINUS);
	assert_int_equal(finding->parties[1].mapping, 11);
	assert_string_equal(finding->parties[1].comm, "dpdk");
	assert_int_equal(finding->parties[1].type, MEMTYPE_WC);
	assert_int_equal(findings_of_device(model->findings, "0000:00:01.0"), 1);
	assert_int_equal(findings_of_device(model->findings, "0000:00:02.0"), 0);
}

/* Ten of one type beside each other, on each other, and WC right before and behind them. */
static void test_what_is_no_conflict(void **state)
{
	struct model *model = *state;

	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	for (uint64_t id = 10; id < 20; id++) {
		tell(model, vfio_map(id, 16, 16, 2000));
		tell(model, at(populate(id, 0, 16, 4, id % 2 ? MEMTYPE_UC_MINUS : MEMTYPE_UC), 2001));
	}
	tell(model, sysfs_map(30, 0, 16, PROT_WC, 3000));
	tell(model, at(populate(30, 0, 0, 16, MEMTYPE_WC), 3001));
	tell(model, sysfs_map(31, 32, 16, PROT_WC, 3000));
	tell(model, at(populate(31, 0, 32, 16, MEMTYPE_WC), 3001));
	assert_int_equal(n_active(model), 0);
}

static void open_alias(struct model *model)
{
	tell_device(model, "vfio-pci");
	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 16, 2000));
	tell(model, sysfs_map(11, 8, 16, PROT_WC, 3000));
	tell(model, at(populate(11, 0, 8, 16, MEMTYPE_WC), 3001));
	only(model, FINDING_ALIAS);
}

/* munmap of pages 10 and 11 of the first, then of 8 and 9, then of all that is left shared. */
static void test_alias_closes_with_its_bytes(void **state)
{
	struct model *model = *state;
	struct event event;

	open_alias(model);
	event = copy_event(12, 10);
	tell_aloud(model, by(at(event, 4000), 900));
	assert_int_equal(heard.n, 0); /* in the making: it is over nothing yet */
	event = by(mapping_event(EVENT_MAPPING, 10, 1, VIRTUAL(10), 0, 10), 900);
	tell_aloud(model, called(at(event, 4001), "qemu"));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.what[0], FINDING_CHANGED);
	assert_int_equal(only(model, FINDING_ALIAS)->bytes, 2 * PAGE);
	event = by(mapping_event(EVENT_MAPPING, 12, 1, VIRTUAL(10) + 12 * PAGE, 12, 4), 900);
	tell(model, called(at(event, 4002), "qemu"));
	tell(model, at(pages_event(EVENT_PAGES, 12, VIRTUAL(10) + 12 * PAGE, 4), 4003));
	assert_int_equal(n_active(model), 2);
	event = by(mapping_event(EVENT_MAPPING, 10, 1, VIRTUAL(10), 0, 8), 900);
	tell_aloud(model, called(at(event, 5000), "qemu"));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.what[0], FINDING_CLOSED);
	assert_int_equal(finding_by_id(model->findings, heard.id[0])->until_ns, 5000);
	assert_false(finding_by_id(model->findings, heard.id[0])->active);
	assert_int_equal(only(model, FINDING_ALIAS)->bytes, 4 * PAGE);
	tell_aloud(model, unmap(11, 6000));
	assert_int_equal(heard.n, 1);
	assert_int_equal(n_active(model), 0);
	assert_int_equal(findings_of_device(model->findings, "0000:00:01.0"), 0);
}

static void test_alias_closes_by_revoke(void **state)
{
	struct model *model = *state;

	open_alias(model);
	tell_aloud(model, at(revoke_iomem_event(0, 10), 4000));
	assert_int_equal(heard.n, 1);
	assert_int_equal(only(model, FINDING_ALIAS)->bytes, 6 * PAGE);
	tell_aloud(model, at(revoke_iomem_event(0, 4096), 4001));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.what[0], FINDING_CLOSED);
	assert_true(mapping_revoked(ledger_mapping(model->ledger, 11)));
}

static void test_alias_closes_by_type(void **state)
{
	struct model *model = *state;

	open_alias(model);
	tell_aloud(model, at(populate(10, 0, 0, 16, MEMTYPE_WC), 4000));
	assert_int_equal(heard.n, 2);
	assert_int_equal(heard.what[0], FINDING_CLOSED);
	assert_int_equal(heard.what[1], FINDING_OPENED);
	assert_int_equal(only(model, FINDING_PROMOTION)->bytes, 16 * PAGE);
	assert_int_equal(n_active(model), 1);
}

/* Losing events, and a fork not finished, are no news about what is mapped. */
static void test_unknown_is_not_closed(void **state)
{
	struct model *model = *state;
	struct event event = make_event(EVENT_LOST);

	open_alias(model);
	event.lost.type = EVENT_REVOKE;
	event.lost.count = 1;
	tell_aloud(model, at(event, 4000));
	event = by(mapping_event(EVENT_MAPPING, 10, 1, VIRTUAL(10), 0, 16), 900);
	event.mapping.flags |= EVENT_MAPPING_UNSETTLED;
	tell_aloud(model, called(at(event, 4001), "qemu"));
	assert_int_equal(heard.n, 0);
	only(model, FINDING_ALIAS);
	event.mapping.flags &= ~EVENT_MAPPING_UNSETTLED;
	tell(model, at(event, 4002));
	tell(model, at(pages_event(EVENT_PAGES, 10, VIRTUAL(10), 16), 4003));
	tell_aloud(model, at(pages_event(EVENT_PAGES, 11, VIRTUAL(11), 16), 4004));
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.what[0], FINDING_CLOSED);
}

static void test_same_process_twice(void **state)
{
	struct model *model = *state;
	struct event event = vfio_map(11, 0, 16, 2001);

	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 16, 2000));
	event.mapping.page_prot = PROT_WC;
	tell(model, event);
	assert_int_equal(only(model, FINDING_ALIAS)->parties[0].process.tgid, 900);
	assert_int_equal(only(model, FINDING_ALIAS)->parties[1].process.tgid, 900);
}

/* Every second page is shared: 32 ranges. */
static void test_ranges_are_cut_and_counted(void **state)
{
	struct model *model = *state;

	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 64, 2000));
	tell(model, sysfs_map(11, 0, 64, PROT_WC, 3000));
	for (uint64_t page = 0; page < 64; page += 2)
		tell(model, at(populate(11, page, 0, 1, MEMTYPE_WC), 3001 + page));
	assert_int_equal(only(model, FINDING_ALIAS)->n_ranges, FINDING_RANGES);
	assert_true(only(model, FINDING_ALIAS)->ranges_cut);
	assert_int_equal(only(model, FINDING_ALIAS)->bytes, 32 * PAGE);
	assert_int_equal(only(model, FINDING_ALIAS)->phys_end, BAR_2 + 63 * PAGE);
}

static void test_promotion_and_demotion_of_one_mapping(void **state)
{
	struct model *model = *state;
	struct event event = vfio_map(10, 0, 16, 2000);

	tell_open(model, 1, 1000);
	event.mapping.page_prot = PROT_WC;
	tell(model, event);
	assert_int_equal(n_active(model), 0); /* nothing populated: nothing differs */
	event = pages_event(EVENT_POPULATE, 10, VIRTUAL(10), 16);
	event = with_run(event, VIRTUAL(10), 0, 2, MEMTYPE_UC_MINUS);
	event = with_run(event, VIRTUAL(10) + 2 * PAGE, 2, 2, MEMTYPE_WC);
	event = with_run(event, VIRTUAL(10) + 4 * PAGE, 4, 3, MEMTYPE_WB);
	tell(model, at(event, 3000));
	assert_int_equal(only(model, FINDING_DEMOTION)->bytes, 2 * PAGE);
	assert_int_equal(only(model, FINDING_DEMOTION)->severity, SEVERITY_LOW);
	assert_int_equal(only(model, FINDING_DEMOTION)->parties[0].requested, MEMTYPE_WC);
	assert_int_equal(only(model, FINDING_DEMOTION)->parties[0].type, MEMTYPE_UC_MINUS);
	assert_int_equal(only(model, FINDING_PROMOTION)->bytes, 3 * PAGE);
	assert_int_equal(only(model, FINDING_PROMOTION)->severity, SEVERITY_CRITICAL);
	assert_int_equal(only(model, FINDING_PROMOTION)->n_parties, 1);
	tell(model, at(revoke_device_event(FIRST_DEVICE), 4000));
	assert_int_equal(n_active(model), 0);
}

static void test_severity(void **state)
{
	static const struct {
		enum memtype effective;
		enum finding_severity severity;
	} cases[] = {
		{MEMTYPE_WC, SEVERITY_HIGH},
		{MEMTYPE_WT, SEVERITY_CRITICAL},
		{MEMTYPE_WP, SEVERITY_CRITICAL},
		{MEMTYPE_WB, SEVERITY_CRITICAL},
	};
	struct model *model = *state;

	tell_open(model, 1, 1000);
	tell(model, vfio_map(10, 0, 4, 2000));
	tell(model, vfio_map(11, 0, 4, 2000));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tell(model, at(populate(10, 0, 0, 4, cases[i].effective), 3000 + i));
		assert_int_equal(only(model, FINDING_PROMOTION)->severity, cases[i].severity);
		assert_int_equal(only(model, FINDING_ALIAS)->severity, cases[i].severity);
	}
	tell(model, at(populate(11, 0, 0, 4, MEMTYPE_WB), 4000));
	tell(model, at(populate(10, 0, 0, 4, MEMTYPE_WT), 4001));
	assert_int_equal(only(model, FINDING_ALIAS)->severity, SEVERITY_CRITICAL);
}

static void test_arm64_types(void **state)
{
	struct model model;
	struct event event = vfio_map(11, 0, 16, 2000);

	(void)state;
	assert_int_equal(model_init(&model, MEMTYPE_ARCH_ARM64), 0);
	tell_open(&model, 1, 1000);
	event.mapping.page_prot = 3 << 2;
	tell(&model, event);
	event.mapping.mapping_id = 12;
	event.mapping.page_prot = 4 << 2; /* nGnRE beside nGnRnE: one class */
	tell(&model, event);
	assert_int_equal(n_active(&model), 0);
	event.mapping.mapping_id = 13;
	event.mapping.page_prot = 2 << 2;
	tell(&model, event);
	assert_int_equal(n_active(&model), 2);
	model_done(&model);
}

/* 20 x 20 pairs with room for 50; then those that were refused get their turn. */
static void test_limit_is_counted_and_made_good(void **state)
{
	const struct finding_limits limits = {.active = 50, .history = 8};
	const struct finding *list[512];
	struct model *model = *state;
	struct finding_counts counts;

	findings_free(model->findings);
	assert_int_equal(findings_new(&model->findings, &limits), 0);
	tell_open(model, 1, 1000);
	for (uint64_t id = 10; id < 50; id++) {
		struct event event = vfio_map(id, 0, 16, 2000);

		event.mapping.page_prot = id % 2 ? PROT_WC : PROT_UC;
		tell(model, event);
	}
	finding_counts(model->findings, &counts);
	assert_int_equal(counts.active[FINDING_ALIAS], 50);
	assert_int_equal(counts.refused, 350);
	for (uint64_t id = 10; id < 46; id++) {
		uint64_t left = 20 - (id - 10 + 1) / 2, others = 20 - (id - 10 + 2) / 2;

		tell(model, unmap(id, 3000 + id));
		finding_counts(model->findings, &counts);
		assert_int_equal(counts.active[FINDING_ALIAS], left * others < 50 ? left * others : 50);
		assert_int_equal(counts.active[FINDING_ALIAS] + counts.refused, left * others);
	}
	assert_int_equal(counts.refused, 0);
	assert_int_equal(findings_list(model->findings, true, 0, list, 512), 4 + 8);
	for (size_t i = 1; i < 12; i++)
		assert_true(list[i - 1]->id < list[i]->id);
	assert_int_equal(findings_list(model->findings, true, list[5]->id, list, 512), 6);
	assert_null(finding_by_id(model->findings, 1));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(finding_kind_name(FINDING_ALIAS), "alias");
	assert_string_equal(finding_kind_name(FINDING_PROMOTION), "promotion");
	assert_string_equal(finding_kind_name(FINDING_DEMOTION), "demotion");
	assert_null(finding_kind_name(FINDING_KINDS));
	assert_string_equal(finding_severity_name(SEVERITY_LOW), "low");
	assert_string_equal(finding_severity_name(SEVERITY_HIGH), "high");
	assert_string_equal(finding_severity_name(SEVERITY_CRITICAL), "critical");
	assert_null(finding_severity_name(SEVERITY_CRITICAL + 1));
	assert_string_equal(finding_cause_name(CAUSE_EARLIER_MAPPING), "earlier-mapping");
	assert_string_equal(finding_cause_name(CAUSE_DEVICE_OPEN), "device-open");
	assert_string_equal(finding_cause_name(CAUSE_DRIVER), "driver");
	assert_null(finding_cause_name(CAUSE_UNKNOWN));
	assert_null(finding_cause_name(CAUSE_NONE));
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup_model, teardown_model)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_many_runs_settle),
		WITH_MODEL(test_alias_of_shared_bytes),
		WITH_MODEL(test_what_is_no_conflict),
		WITH_MODEL(test_alias_closes_with_its_bytes),
		WITH_MODEL(test_alias_closes_by_revoke),
		WITH_MODEL(test_alias_closes_by_type),
		WITH_MODEL(test_unknown_is_not_closed),
		WITH_MODEL(test_same_process_twice),
		WITH_MODEL(test_ranges_are_cut_and_counted),
		WITH_MODEL(test_promotion_and_demotion_of_one_mapping),
		WITH_MODEL(test_severity),
		cmocka_unit_test(test_arm64_types),
		WITH_MODEL(test_limit_is_counted_and_made_good),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
