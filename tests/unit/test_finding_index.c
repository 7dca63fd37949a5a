/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The index of segments that findings are looked up in, against a plain list. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/finding_internal.h"

#define OWNERS 600
#define STEPS  60000

/* What ASan fills fresh memory with: an index that looks at an entry it has not written finds this. */
#define FRESH 0xbebebebebebebebeULL

static int note(void *userdata, struct tracked *owner)
{
	*(struct tracked **)userdata = owner;
	return 0;
}

static void test_first_entry(void **state)
{
	struct tracked owner = {.id = 1}, *found = NULL;
	struct segment segment = {.start = FRESH, .end = FRESH + 4096};
	struct segment_index index = {};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(index_insert(&index, &segment, &owner), 0);
		assert_int_equal(index_overlaps(&index, FRESH + 1, FRESH + 2, note, &found), 0);
		assert_ptr_equal(found, &owner);
		index_remove(&index, FRESH, &owner);
		assert_int_equal(index.n, 0);
	}
	index_clear(&index);
}

/* Each owner has at most one segment here. */
struct list {
	struct tracked owners[OWNERS];
	struct segment segments[OWNERS];
	bool in[OWNERS], seen[OWNERS];
};

static int mark(void *userdata, struct tracked *owner)
{
	struct list *list = userdata;

	assert_false(list->seen[owner->id]);
	list->seen[owner->id] = true;
	return 0;
}

static void expect_overlaps(struct list *list, const struct segment_index *index, uint64_t start,
			    uint64_t end)
{
	memset(list->seen, 0, sizeof(list->seen));
	assert_int_equal(index_overlaps(index, start, end, mark, list), 0);
	for (size_t i = 0; i < OWNERS; i++)
		assert_int_equal(list->seen[i], list->in[i] && list->segments[i].start < end &&
							list->segments[i].end > start);
}

static void test_random(void **state)
{
	struct list *list = calloc(1, sizeof(*list));
	struct segment_index index = {};
	unsigned int seed = 1;

	(void)state;
	assert_non_null(list);
	for (int step = 0; step < STEPS; step++) {
		/* Many begin at the same byte, as mappings of a BAR do; now and then all of them go. */
		size_t i = rand_r(&seed) % OWNERS;
		uint64_t start = 0xfc000000 + 4096 * (rand_r(&seed) % 64);
		bool draining = step / 2000 % 4 == 3;

		if (list->in[i]) {
			index_remove(&index, list->segments[i].start, &list->owners[i]);
			list->in[i] = false;
		} else if (!draining) {
			list->owners[i].id = i;
			list->segments[i] = (struct segment){.start = start,
							     .end = start + 4096 * (1 + rand_r(&seed) % 64)};
			assert_int_equal(index_insert(&index, &list->segments[i], &list->owners[i]), 0);
			list->in[i] = true;
		}
		if (step % 10 == 0)
			expect_overlaps(list, &index, start, start + 4096 * (1 + rand_r(&seed) % 16));
	}
	index_clear(&index);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_entry),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
