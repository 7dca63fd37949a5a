/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages that the kernel took away, or may have taken. */
#include "mapped_pages.h"

static void test_revoke_of_a_device(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16), *other, *fixed, *sysfs;
	struct event second = file_event(EVENT_OPEN, 8),
		     map = mapping_event(EVENT_MAP, 9, 7, 2 * START, 0, 4);
	struct change change;

	second.file.pci_address = FIRST_DEVICE + 8;
	apply(ledger, second);
	apply(ledger, file_event(EVENT_OPEN, 7));
	other = apply(ledger, mapping_event(EVENT_MAP, 6, 8, START, 0, 16)).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 6, START, 16), START, 0, 16, MEMTYPE_WC));
	map.mapping.flags |= EVENT_MAPPING_NO_FAULT;
	fixed = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 9, 2 * START, 4), 2 * START, 0, 4, MEMTYPE_WC));
	map.mapping.mapping_id = 10;
	map.mapping.file_id = 0;
	map.mapping.source = SOURCE_SYSFS;
	map.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN;
	map.mapping.pci_address = FIRST_DEVICE;
	sysfs = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 10, 2 * START, 4), 2 * START, 0, 4, MEMTYPE_WC));
	tell(ledger, EVENT_POPULATE, 3, 4, MEMTYPE_WC);
	assert_true(fixed->pages_known && sysfs->pages_known);

	change = apply(ledger, revoke_device_event(FIRST_DEVICE));
	assert_int_equal(change.kind, CHANGE_REVOKED);
	assert_string_equal(change.device->name, "0000:00:01.0");
	assert_null(change.mapping);
	/* Without pages, which is known, and they may come back. */
	assert_int_equal(kind_of(mapping), EFFECTIVE_UNPOPULATED);
	assert_false(mapping_revoked(mapping));
	assert_int_equal(kind_of(fixed), EFFECTIVE_UNKNOWN);
	assert_int_equal(kind_of(sysfs), EFFECTIVE_ONE);
	assert_int_equal(kind_of(other), EFFECTIVE_ONE);
	assert_int_equal(apply(ledger, revoke_device_event(FIRST_DEVICE)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, revoke_device_event(FIRST_DEVICE + 64)).kind, CHANGE_NONE);
	apply(ledger, pages_event(EVENT_PAGES, 9, 2 * START, 4));
	assert_int_equal(kind_of(fixed), EFFECTIVE_REVOKED);
}

/* Pages may have been taken: nothing is known of them, but of those that lie elsewhere. */
static void test_uncertain_revoke(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *vfio = mapped(ledger, 16), *sysfs;
	struct event map = mapping_event(EVENT_MAP, 6, 0, START, 0, 16),
		     perhaps = revoke_iomem_event(1000, 8);

	map.mapping.source = SOURCE_SYSFS;
	map.mapping.flags |= EVENT_MAPPING_NO_FAULT;
	sysfs = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 6, START, 16), START, 0, 16, MEMTYPE_WC));
	tell(ledger, EVENT_POPULATE, 0, 16, MEMTYPE_UC_MINUS);
	perhaps.revoke.uncertain = 1;
	assert_int_equal(apply(ledger, perhaps).kind, CHANGE_NONE);
	assert_int_equal(kind_of(sysfs), EFFECTIVE_ONE);
	perhaps = revoke_iomem_event(4, 1);
	perhaps.revoke.uncertain = 1;
	assert_int_equal(apply(ledger, perhaps).kind, CHANGE_REVOKED);
	assert_int_equal(kind_of(sysfs), EFFECTIVE_UNKNOWN);
	assert_false(mapping_revoked(sysfs));
	assert_int_equal(kind_of(vfio), EFFECTIVE_ONE);
	assert_true(ledger_pages_due(ledger));
	apply(ledger, with_run(pages_event(EVENT_PAGES, 6, START, 16), START, 0, 16, MEMTYPE_WC));
	assert_int_equal(kind_of(sysfs), EFFECTIVE_ONE);
	assert_false(ledger_pages_due(ledger));

	perhaps.revoke.scope = REVOKE_VFIO;
	assert_int_equal(apply(ledger, perhaps).kind, CHANGE_REVOKED);
	assert_int_equal(kind_of(vfio), EFFECTIVE_UNKNOWN);
	assert_int_equal(kind_of(sysfs), EFFECTIVE_ONE);
	assert_true(ledger_pages_due(ledger));
}

static void test_revoke_of_bytes(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *vfio = mapped(ledger, 16), *sysfs;
	struct event map = mapping_event(EVENT_MAP, 6, 0, START, 0, 16), part = revoke_iomem_event(4, 1);
	struct change change;

	map.mapping.source = SOURCE_SYSFS;
	map.mapping.flags |= EVENT_MAPPING_NO_FAULT;
	sysfs = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_POPULATE, 6, START, 16), START, 0, 16, MEMTYPE_WC));
	tell(ledger, EVENT_POPULATE, 0, 16, MEMTYPE_UC_MINUS);
	/* A resource smaller than a page takes the page. */
	part.revoke.phys_start += 16;
	part.revoke.phys_end -= 16;
	change = apply(ledger, part);
	assert_int_equal(change.kind, CHANGE_REVOKED);
	assert_ptr_equal(change.mapping, sysfs);
	assert_int_equal(sysfs->n_runs, 2);
	expect_run(sysfs, 0, 0, 4, MEMTYPE_WC);
	expect_run(sysfs, 1, 5, 11, MEMTYPE_WC);
	assert_int_equal(apply(ledger, revoke_iomem_event(1000, 8)).kind, CHANGE_NONE);
	assert_false(mapping_revoked(sysfs));
	apply(ledger, revoke_iomem_event(0, 4096));
	assert_true(mapping_revoked(sysfs));
	assert_int_equal(kind_of(sysfs), EFFECTIVE_REVOKED);
	assert_int_equal(vfio->n_runs, 1);
	apply(ledger, mapping_event(EVENT_UNMAP, 6, 0, 0, 0, 0));
	assert_false(mapping_revoked(sysfs));
}

/* Events of several CPUs. What they cannot be made of together is unknown, never wrong. */

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_revoke_of_a_device),
		LEDGER_TEST(test_uncertain_revoke),
		LEDGER_TEST(test_revoke_of_bytes),
	};

	return cmocka_run_group_tests_name("revoked pages", tests, NULL, NULL);
}
