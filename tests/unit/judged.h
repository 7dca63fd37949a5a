/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_JUDGED_H
#define VFIOWATCH_TESTS_JUDGED_H

/* A model with one device and a policy, for tests of verdicts. */
#include "policy_texts.h"

#include "core/model.h"

#define BEGIN  0x7f0000000000ULL
#define DIGEST "00000000000000aa000000000000000000000000000000000000000000000000"
#define VM     "machine-qemu-1.scope"

/* A ledger with the device 0000:00:01.0, open by process 10 in a VM's unit; process 20 is in no unit. */
struct fixture {
	struct model model;
	struct policy *policy;
};

static inline struct change take(struct fixture *f, struct event event)
{
	struct model_change change;

	assert_int_equal(model_apply(&f->model, &event, &change, NULL, NULL), 0);
	return change.change;
}

static inline struct event process_event(uint32_t tgid, const char *unit, const char *machine)
{
	struct event event = by(make_event(EVENT_PROCESS), tgid);

	strcpy(event.process.unit, unit);
	strcpy(event.process.machine, machine);
	return event;
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(model_init(&f->model, MEMTYPE_ARCH_X86_64), 0);
	take(f, device_event(FIRST_DEVICE, true));
	take(f, by(file_event(EVENT_OPEN, 1), 10));
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	policy_free(f->policy);
	model_done(&f->model);
	free(f);
	return 0;
}

static inline void use(struct fixture *f, const char *text)
{
	policy_free(f->policy);
	f->policy = parsed(text);
}

/* Pages @first to @first + 3 of BAR 2 through VFIO, asked for as @prot, by @tgid. */
static inline void map_vfio(struct fixture *f, uint64_t id, uint32_t tgid, uint64_t first, uint64_t prot)
{
	struct event event = by(mapping_event(EVENT_MAP, id, 1, BEGIN + id * MIB, first, 4), tgid);

	event.mapping.page_prot = prot;
	take(f, event);
}

static inline void map_sysfs(struct fixture *f, uint64_t id, uint32_t tgid, uint64_t first, uint64_t prot)
{
	struct event event = by(mapping_event(EVENT_MAP, id, 0, BEGIN + id * MIB, first, 4), tgid);

	event.mapping.source = SOURCE_SYSFS;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN;
	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.page_prot = prot;
	take(f, event);
}

static inline struct policy_verdict judge(struct fixture *f, uint64_t id)
{
	const struct mapping *mapping = ledger_mapping(f->model.ledger, id);

	assert_non_null(mapping);
	return policy_judge_mapping(f->policy, f->model.ledger, mapping);
}

static inline void expect(struct policy_verdict verdict, enum policy_kind kind, enum policy_action action,
			  int rule, uint64_t peer)
{
	if (verdict.kind != kind || verdict.action != action || verdict.rule != rule ||
	    verdict.peer != peer || verdict.unknown)
		fail_msg("%s of %s by rule %d, peer %llu, unknown %d",
			 policy_verdict_name(verdict, POLICY_ENFORCE), policy_kind_name(verdict.kind),
			 verdict.rule, (unsigned long long)verdict.peer, verdict.unknown);
}

static inline void expect_unknown(struct policy_verdict verdict, enum policy_kind kind,
				  enum policy_action action)
{
	if (!verdict.unknown || verdict.kind != kind || verdict.action != action || verdict.rule != -1)
		fail_msg("%s of %s by rule %d, unknown %d", policy_verdict_name(verdict, POLICY_ENFORCE),
			 policy_kind_name(verdict.kind), verdict.rule, verdict.unknown);
}

static inline void expect_nothing(struct policy_verdict verdict)
{
	expect(verdict, POLICY_REQUEST, POLICY_ALLOW, -1, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
