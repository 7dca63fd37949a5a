/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The judge of the races in the VM: that it sees what it must never overlook, and blames nothing else. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../vm/client/race_judge.c"

#define WORKERS    3
#define PER_WORKER 2

static struct race *race;

static int set_up(void **state)
{
	(void)state;
	race = calloc(1, sizeof(*race) + WORKERS * PER_WORKER * sizeof(race->attempts[0]));
	race->processes = WORKERS;
	race->per_worker = PER_WORKER;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(race);
	return 0;
}

static struct race_attempt *add(uint32_t worker, enum race_type type, uint32_t first, uint32_t end,
				uint64_t begin)
{
	struct race_attempt *a = &race->attempts[worker * PER_WORKER + race->done[worker]++];

	*a = (struct race_attempt){.first = first, .end = end, .type = type, .begin = begin};
	return a;
}

static void granted(struct race_attempt *a, uint64_t mapped, uint64_t withdrawn, uint64_t over)
{
	a->mapped = mapped;
	a->withdrawn = withdrawn;
	a->over = over;
}

static void denied(struct race_attempt *a, uint64_t over)
{
	a->error = EPERM;
	a->over = over;
}

static void judged(uint64_t violations, uint64_t unfounded, uint64_t together)
{
	struct race_result result;

	race_judge(race, &result);
	assert_int_equal(result.violations, violations);
	assert_int_equal(result.unfounded, unfounded);
	assert_int_equal(result.together, together);
	assert_int_equal(result.errors, 0);
	assert_int_equal(result.granted + result.denied, result.attempts);
}

static void conflict_is_seen(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 2, 9, 10);
	granted(add(2, RACE_WC, 3, 8, 3), 4, 5, 6);
	judged(1, 0, 0);
}

static void conflict_of_one_moment_is_seen(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 3, 5, 7);
	granted(add(1, RACE_WC, 0, 4, 2), 4, 6, 8);
	judged(1, 0, 0);
}

static void other_pages_and_other_times_are_none(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 2, 11, 12);
	granted(add(1, RACE_WC, 4, 8, 3), 4, 5, 6);
	granted(add(2, RACE_WC, 8, 9, 7), 8, 9, 10);
	granted(add(1, RACE_WC, 0, 4, 13), 14, 15, 16);
	judged(0, 0, 0);
}

/* It may have been unmapped as soon as it was withdrawn. */
static void withdrawn_is_not_mapped(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 2, 4, 6);
	granted(add(1, RACE_WC, 0, 4, 3), 5, 7, 8);
	judged(0, 0, 0);
}

static void one_type_may_be_together(void **state)
{
	(void)state;
	granted(add(0, RACE_WC, 0, 4, 1), 2, 9, 10);
	granted(add(1, RACE_WC, 0, 4, 3), 4, 5, 6);
	judged(0, 0, 1);
}

static struct race_attempt *add_cut(void)
{
	struct race_attempt *a = add(0, RACE_UC, 0, 8, 1);

	granted(a, 2, 20, 21);
	a->cut_first = 2;
	a->cut_end = 4;
	a->cut = 3;
	a->cut_over = 4;
	return a;
}

static void cut_pages_are_free(void **state)
{
	(void)state;
	add_cut();
	granted(add(1, RACE_WC, 2, 4, 5), 6, 7, 8);
	judged(0, 0, 0);
}

static void what_was_not_cut_is_not(void **state)
{
	(void)state;
	add_cut();
	granted(add(1, RACE_WC, 2, 5, 5), 6, 7, 8);
	granted(add(2, RACE_WC, 1, 3, 9), 10, 11, 12);
	judged(2, 0, 0);
}

static void denial_has_a_reason(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 2, 9, 10);
	denied(add(1, RACE_WC, 3, 8, 3), 4);
	judged(0, 0, 0);
}

/* Between its begin and its end the other one may hold the pages already, or still. */
static void reason_at_the_edges(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 2), 4, 5, 6);
	denied(add(1, RACE_WC, 0, 4, 1), 3);
	granted(add(0, RACE_UC, 0, 4, 7), 8, 9, 11);
	denied(add(2, RACE_WC, 0, 4, 10), 12);
	judged(0, 0, 0);
}

static void denial_without_a_reason(void **state)
{
	(void)state;
	granted(add(0, RACE_UC, 0, 4, 1), 2, 3, 4);
	denied(add(1, RACE_WC, 0, 4, 5), 6);   /* it is gone */
	denied(add(1, RACE_WC, 4, 8, 7), 8);   /* other pages */
	denied(add(2, RACE_UC, 0, 4, 9), 12);  /* the same type, and denied itself */
	denied(add(0, RACE_WC, 0, 4, 10), 11); /* only that one, which had nothing */
	judged(0, 4, 0);
}

static void cut_pages_are_no_reason(void **state)
{
	(void)state;
	add_cut();
	denied(add(1, RACE_WC, 2, 4, 5), 6);
	denied(add(2, RACE_WC, 3, 5, 7), 8);
	judged(0, 1, 0);
}

static void other_errors_are_told(void **state)
{
	struct race_result result;
	struct race_attempt *a = add(0, RACE_UC, 0, 4, 1);

	(void)state;
	a->error = ENOMEM;
	a->over = 2;
	race->failed[1] = EINVAL;
	race_judge(race, &result);
	assert_int_equal(result.errors, 2);
	assert_int_equal(result.error, EINVAL);
}

#define JUDGE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(conflict_is_seen),
		JUDGE_TEST(conflict_of_one_moment_is_seen),
		JUDGE_TEST(other_pages_and_other_times_are_none),
		JUDGE_TEST(withdrawn_is_not_mapped),
		JUDGE_TEST(one_type_may_be_together),
		JUDGE_TEST(cut_pages_are_free),
		JUDGE_TEST(what_was_not_cut_is_not),
		JUDGE_TEST(denial_has_a_reason),
		JUDGE_TEST(reason_at_the_edges),
		JUDGE_TEST(denial_without_a_reason),
		JUDGE_TEST(cut_pages_are_no_reason),
		JUDGE_TEST(other_errors_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
