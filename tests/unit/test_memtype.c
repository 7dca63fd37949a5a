/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decoding of page protection values, and the sizes of events, which captures and BPF programs rely on. */
#include "events.h"

static void test_x86(void **state)
{
	/* index = PAT << 2 | PCD << 1 | PWT */
	static const enum memtype types[] = {
		MEMTYPE_WB, MEMTYPE_WC, MEMTYPE_UC_MINUS, MEMTYPE_UC,
		MEMTYPE_WB, MEMTYPE_WP, MEMTYPE_UC_MINUS, MEMTYPE_WT,
	};

	(void)state;
	for (uint64_t i = 0; i < 8; i++) {
		uint64_t prot = (i >> 2) << 7 | (i >> 1 & 1) << 4 | (i & 1) << 3;

		assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_X86_64, prot), types[i]);
		assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_X86_64, prot | ~0x98ULL), types[i]);
	}
	/* As seen in vm_page_prot on real kernels. */
	assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_X86_64, 0x8000000000000037), MEMTYPE_UC_MINUS);
	assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_X86_64, 0x800000000000002f), MEMTYPE_WC);
	assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_X86_64, 0x800000000000003f), MEMTYPE_UC);
}

/* Above 4 KiB bit 7 says that it is a leaf, and the PAT bit is bit 12. */
static void test_x86_large_leaf(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 8; i++) {
		uint64_t low = (i >> 1 & 1) << 4 | (i & 1) << 3;
		enum memtype expected = memtype_from_x86_prot(low | (i >> 2) << 7);

		assert_int_equal(memtype_from_x86_large_leaf(low | (i >> 2) << 12 | 1 << 7), expected);
		assert_int_equal(memtype_from_x86_large_leaf(low | (i >> 2) << 12), expected);
	}
}

/* Which two types may be on the same bytes at once: row and column in the order of enum memtype. */
static void test_conflicts(void **state)
{
	static const char *const table[MEMTYPE_TYPES] = {
		/* unknown uc uc- device wc wt wp wb; x: not */
		"........", "....xxxx", "....xxxx", "....xxxx",
		".xxx.xxx", ".xxxx.xx", ".xxxxx.x", ".xxxxxx.",
	};

	(void)state;
	for (unsigned int a = 0; a < MEMTYPE_TYPES; a++)
		for (unsigned int b = 0; b < MEMTYPE_TYPES; b++)
			assert_int_equal(memtype_conflict(a, b), table[a][b] == 'x');
	assert_int_equal(memtype_strength(MEMTYPE_UNKNOWN), -1);
	assert_int_equal(memtype_strength(MEMTYPE_TYPES), -1);
	assert_true(memtype_strength(MEMTYPE_UC_MINUS) < memtype_strength(MEMTYPE_WC));
	assert_true(memtype_strength(MEMTYPE_WC) < memtype_strength(MEMTYPE_WT));
	assert_true(memtype_strength(MEMTYPE_WP) < memtype_strength(MEMTYPE_WB));
	assert_int_equal(memtype_conflict((enum memtype)77, MEMTYPE_WB), 0);
}

static void test_arm64(void **state)
{
	static const enum memtype types[] = {
		MEMTYPE_WB,     MEMTYPE_WB,      MEMTYPE_WC,      MEMTYPE_UC,
		MEMTYPE_DEVICE, MEMTYPE_UNKNOWN, MEMTYPE_UNKNOWN, MEMTYPE_UNKNOWN,
	};

	(void)state;
	for (uint64_t i = 0; i < 8; i++) {
		assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_ARM64, i << 2), types[i]);
		assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_ARM64, i << 2 | ~0x1cULL), types[i]);
	}
}

static void test_unknown_architecture(void **state)
{
	(void)state;
	assert_int_equal(memtype_from_prot(MEMTYPE_ARCH_UNKNOWN, PROT_UC), MEMTYPE_UNKNOWN);
	assert_int_equal(memtype_from_prot((enum memtype_arch)77, PROT_UC), MEMTYPE_UNKNOWN);
	assert_int_equal(memtype_noncached(MEMTYPE_ARCH_UNKNOWN), MEMTYPE_UNKNOWN);
}

static void test_noncached(void **state)
{
	(void)state;
	assert_int_equal(memtype_noncached(MEMTYPE_ARCH_X86_64), MEMTYPE_UC_MINUS);
	assert_int_equal(memtype_noncached(MEMTYPE_ARCH_ARM64), MEMTYPE_UC);
}

static void test_names(void **state)
{
	(void)state;
	assert_null(memtype_name(MEMTYPE_UNKNOWN));
	assert_null(memtype_name(MEMTYPE_TYPES));
	for (unsigned int type = MEMTYPE_UC; type < MEMTYPE_TYPES; type++) {
		assert_non_null(memtype_name(type));
		for (unsigned int other = MEMTYPE_UC; other < type; other++)
			assert_string_not_equal(memtype_name(type), memtype_name(other));
	}
	assert_string_equal(memtype_name(MEMTYPE_UC_MINUS), "uc-");
	assert_string_equal(memtype_name(MEMTYPE_DEVICE), "device");
	assert_string_equal(memtype_arch_name(MEMTYPE_ARCH_X86_64, MEMTYPE_UC_MINUS), "UC-");
	assert_string_equal(memtype_arch_name(MEMTYPE_ARCH_ARM64, MEMTYPE_UC), "Device-nGnRnE");
	assert_string_equal(memtype_arch_name(MEMTYPE_ARCH_ARM64, MEMTYPE_WC), "Normal-NC");
	assert_null(memtype_arch_name(MEMTYPE_ARCH_X86_64, MEMTYPE_DEVICE));
	assert_null(memtype_arch_name(MEMTYPE_ARCH_ARM64, MEMTYPE_UC_MINUS));
	assert_null(memtype_arch_name(MEMTYPE_ARCH_UNKNOWN, MEMTYPE_UC));
	/* Every type that a value can decode to has a name in its own architecture. */
	for (uint64_t prot = 0; prot < 256; prot++) {
		assert_non_null(
			memtype_arch_name(MEMTYPE_ARCH_X86_64, memtype_from_prot(MEMTYPE_ARCH_X86_64, prot)));
		if (memtype_from_prot(MEMTYPE_ARCH_ARM64, prot) != MEMTYPE_UNKNOWN)
			assert_non_null(memtype_arch_name(MEMTYPE_ARCH_ARM64,
							  memtype_from_prot(MEMTYPE_ARCH_ARM64, prot)));
	}
}

static void test_event_sizes(void **state)
{
	size_t types = 0;

	(void)state;
	for (unsigned int type = 0; type <= UINT16_MAX; type++) {
		size_t size = event_size(type);

		if (!size)
			continue;
		types++;
		assert_true(type > EVENT_NONE && type < EVENT_TYPES);
		assert_true(type < EVENT_KERNEL_TYPES || type >= EVENT_FILE);
		assert_true(size > sizeof(struct event_header) && size <= sizeof(struct event));
		assert_int_equal(size % 8, 0);
	}
	assert_int_equal(types, EVENT_KERNEL_TYPES - 1 + EVENT_TYPES - EVENT_FILE);
	assert_int_equal(offsetof(struct event, mapping), sizeof(struct event_header));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86),
		cmocka_unit_test(test_x86_large_leaf),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_unknown_architecture),
		cmocka_unit_test(test_noncached),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_event_sizes),
	};

	return cmocka_run_group_tests_name("memory types", tests, NULL, NULL);
}
