/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of mappings: what events tell of them, what is refused, limits, and what follows. */
#include "mapped_pages.h"

static void test_populate(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	struct effective effective;
	struct change change;

	assert_true(mapping->pages_known);
	assert_int_equal(kind_of(mapping), EFFECTIVE_UNPOPULATED);
	change = tell(ledger, EVENT_POPULATE, 2, 3, MEMTYPE_UC_MINUS);
	assert_int_equal(change.kind, CHANGE_PAGES);
	assert_ptr_equal(change.mapping, mapping);
	assert_int_equal(tell(ledger, EVENT_POPULATE, 2, 3, MEMTYPE_UC_MINUS).kind, CHANGE_NONE);
	assert_int_equal(mapping->n_runs, 1);
	/* What touches and agrees is one run. */
	tell(ledger, EVENT_POPULATE, 5, 1, MEMTYPE_UC_MINUS);
	assert_int_equal(mapping->n_runs, 1);
	expect_run(mapping, 0, 2, 4, MEMTYPE_UC_MINUS);
	mapping_effective(mapping, &effective);
	assert_int_equal(effective.kind, EFFECTIVE_ONE);
	assert_int_equal(effective.type, MEMTYPE_UC_MINUS);
	assert_int_equal(effective.populated[LEAF_4K], 4 * PAGE);
	/* What is told takes the place of what was known, and nothing else's. */
	tell(ledger, EVENT_POPULATE, 3, 2, MEMTYPE_WC);
	assert_int_equal(mapping->n_runs, 3);
	expect_run(mapping, 0, 2, 1, MEMTYPE_UC_MINUS);
	expect_run(mapping, 1, 3, 2, MEMTYPE_WC);
	expect_run(mapping, 2, 5, 1, MEMTYPE_UC_MINUS);
	assert_int_equal(kind_of(mapping), EFFECTIVE_MIXED);
	tell(ledger, EVENT_PAGES, 0, 4, MEMTYPE_UNKNOWN);
	assert_int_equal(mapping->n_runs, 2);
	expect_run(mapping, 0, 4, 1, MEMTYPE_WC);
	assert_true(mapping->pages_known);
}

/* Runs that do not go on in both address spaces, or have leaves of another size, stay apart. */
static void test_runs_that_do_not_join(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	struct event event = pages_event(EVENT_PAGES, 5, START, 16);

	event = with_run(event, START, 0, 1, MEMTYPE_WC);
	event = with_run(event, START + PAGE, 9, 1, MEMTYPE_WC);
	event = with_run(event, START + 2 * PAGE, 10, 1, MEMTYPE_WC);
	event = with_run(event, START + 3 * PAGE, 11, 1, MEMTYPE_WC);
	event.pages.runs[3].leaf = LEAF_2M;
	apply(ledger, event);
	assert_int_equal(mapping->n_runs, 3);
	assert_int_equal(mapping->runs[1].end - mapping->runs[1].start, 2 * PAGE);
	assert_int_equal(mapping->runs[2].leaf, LEAF_2M);
}

static void test_walk_in_rows(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping;

	mapping = apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START, 0, 16)).mapping;
	assert_false(mapping->pages_known);
	assert_int_equal(kind_of(mapping), EFFECTIVE_UNKNOWN);
	assert_true(ledger_pages_due(ledger));
	tell(ledger, EVENT_PAGES, 0, 8, MEMTYPE_WC);
	assert_false(mapping->pages_known);
	/* A fault behind what was walked does not hide the gap between. */
	tell(ledger, EVENT_POPULATE, 12, 4, MEMTYPE_WC);
	assert_false(mapping->pages_known);
	tell(ledger, EVENT_PAGES, 8, 8, MEMTYPE_UNKNOWN);
	assert_true(mapping->pages_known);
	assert_false(ledger_pages_due(ledger));
	assert_int_equal(mapping->n_runs, 1);
	assert_int_equal(kind_of(mapping), EFFECTIVE_ONE);
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	assert_false(ledger_pages_due(ledger));
}

static void test_cut_moved_and_grown(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);

	tell(ledger, EVENT_POPULATE, 2, 8, MEMTYPE_WC);
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START + 4 * PAGE, 4, 4));
	assert_true(mapping->pages_known);
	assert_int_equal(mapping->n_runs, 1);
	expect_run(mapping, 0, 4, 4, MEMTYPE_WC);
	/* Told of more than it is now: only its own part counts. */
	tell(ledger, EVENT_POPULATE, 0, 16, MEMTYPE_UC_MINUS);
	assert_int_equal(mapping->n_runs, 1);
	expect_run(mapping, 0, 4, 4, MEMTYPE_UC_MINUS);
	assert_int_equal(tell(ledger, EVENT_POPULATE, 0, 4, MEMTYPE_WC).kind, CHANGE_NONE);
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START + 4 * PAGE, 4, 5));
	assert_false(mapping->pages_known);
	assert_int_equal(mapping->n_runs, 0);
	tell(ledger, EVENT_PAGES, 4, 5, MEMTYPE_WC);
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START + 1024 * PAGE, 4, 5));
	assert_false(mapping->pages_known);
	assert_int_equal(mapping->n_runs, 0);
}

static void test_copies_are_unknown(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *copy;

	mapped(ledger, 16);
	tell(ledger, EVENT_POPULATE, 0, 16, MEMTYPE_WC);
	copy = apply(ledger, copy_event(6, 5)).mapping;
	assert_false(copy->pages_known);
	assert_int_equal(copy->n_runs, 0);
	copy = apply(ledger, copy_event(8, 6)).mapping;
	assert_false(copy->pages_known);
	/* Settling the range tells nothing of the pages. */
	apply(ledger, mapping_event(EVENT_MAPPING, 8, 7, START, 0, 16));
	assert_false(copy->pages_known);
	apply(ledger, pages_event(EVENT_PAGES, 8, START, 16));
	assert_true(copy->pages_known);
}

static void expect_refused(struct ledger *ledger, struct event event)
{
	assert_int_equal(apply(ledger, event).kind, CHANGE_REFUSED);
}

static void test_malformed(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	const struct event good =
		with_run(pages_event(EVENT_PAGES, 5, START, 16), START + PAGE, 1, 2, MEMTYPE_WC);
	struct event bad;

#define REFUSE(change)                                                                                       \
	do {                                                                                                 \
		bad = good;                                                                                  \
		change;                                                                                      \
		expect_refused(ledger, bad);                                                                 \
		bad.header.type = EVENT_POPULATE;                                                            \
		bad.header.origin = EVENT_ORIGIN_KERNEL;                                                     \
		expect_refused(ledger, bad);                                                                 \
	} while (0)

	REFUSE(bad.pages.mapping_id = 0);
	REFUSE(bad.pages.n_runs = EVENT_RUNS_MAX + 1);
	REFUSE(bad.pages.n_runs = UINT32_MAX);
	REFUSE(bad.pages.end = bad.pages.start);
	REFUSE(bad.pages.end = 0);
	REFUSE(bad.pages.start++);
	REFUSE(bad.pages.end--);
	REFUSE(bad.pages.runs[0].start = START - PAGE);
	REFUSE(bad.pages.runs[0].start++);
	REFUSE(bad.pages.runs[0].end = bad.pages.runs[0].start);
	REFUSE(bad.pages.runs[0].end = START + 17 * PAGE);
	REFUSE(bad.pages.runs[0].end--);
	REFUSE(bad.pages.runs[0].phys_start++);
	REFUSE(bad.pages.runs[0].phys_start = -PAGE);
	REFUSE(bad.pages.runs[0].type = MEMTYPE_TYPES);
	REFUSE(bad.pages.runs[0].leaf = LEAF_SIZES);
	REFUSE(bad = with_run(good, START + 2 * PAGE, 2, 1, MEMTYPE_WC));
	REFUSE(bad = with_run(good, START, 0, 1, MEMTYPE_WC));
	REFUSE(bad.header.size -= 8);
	assert_int_equal(counts_of(ledger).refused, 2 * 19);
	assert_int_equal(mapping->n_runs, 0);

	bad = revoke_device_event(1ULL << 48);
	expect_refused(ledger, bad);
	bad.revoke.scope = 2;
	expect_refused(ledger, bad);
	expect_refused(ledger, revoke_iomem_event(0, 0));
	bad = revoke_iomem_event(0, 1);
	bad.revoke.phys_start = bad.revoke.phys_end + 1;
	expect_refused(ledger, bad);
	assert_int_equal(apply(ledger, good).kind, CHANGE_PAGES);
}

static void test_order_of_kernel_events(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	struct event older =
		with_run(pages_event(EVENT_POPULATE, 5, START, 16), START, 0, 2, MEMTYPE_UC_MINUS);
	struct event newer =
		with_run(pages_event(EVENT_POPULATE, 5, START, 16), START + PAGE, 1, 3, MEMTYPE_WC);

	apply(ledger, file_event(EVENT_OPEN, 7));
	apply(ledger, at(newer, 1020));
	apply(ledger, at(older, 1010));
	assert_int_equal(mapping->n_runs, 2);
	expect_run(mapping, 0, 0, 1, MEMTYPE_UC_MINUS);
	expect_run(mapping, 1, 1, 3, MEMTYPE_WC);
	assert_true(mapping->pages_known);
	/* Which of them the revoke took cannot be told, nor by what else is as old. */
	assert_int_equal(apply(ledger, at(revoke_device_event(FIRST_DEVICE), 1015)).kind, CHANGE_REVOKED);
	assert_false(mapping->pages_known);
	assert_int_equal(apply(ledger, at(older, 1016)).kind, CHANGE_NONE);
	assert_int_equal(mapping->n_runs, 0);
	apply(ledger, at(pages_event(EVENT_PAGES, 5, START, 16), 1030));
	assert_true(mapping->pages_known);
	assert_int_equal(apply(ledger, at(older, 1029)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, at(revoke_device_event(FIRST_DEVICE), 1029)).kind, CHANGE_NONE);
	assert_int_equal(apply(ledger, at(newer, 1031)).kind, CHANGE_PAGES);
}

static void test_pages_before_their_mapping(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping;

	assert_int_equal(tell(ledger, EVENT_POPULATE, 0, 4, MEMTYPE_WC).kind, CHANGE_NONE);
	assert_null(ledger_mapping(ledger, 5));
	mapping = mapped(ledger, 16);
	assert_false(mapping->pages_known);
	assert_true(ledger_pages_due(ledger));
	apply(ledger, at(revoke_device_event(FIRST_DEVICE), 2000));
	mapping = apply(ledger, at(mapping_event(EVENT_MAP, 6, 7, START, 0, 16), 1999)).mapping;
	assert_false(mapping->pages_known);
	mapping = apply(ledger, at(mapping_event(EVENT_MAP, 8, 7, START, 0, 16), 2000)).mapping;
	assert_true(mapping->pages_known);
}

static void test_lost_events(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	struct event lost = make_event(EVENT_LOST);

	lost.lost.count = 1;
	lost.lost.type = EVENT_UNMAP;
	tell(ledger, EVENT_POPULATE, 0, 4, MEMTYPE_WC);
	apply(ledger, lost);
	assert_true(mapping->pages_known);
	lost.lost.type = EVENT_POPULATE;
	apply(ledger, lost);
	assert_false(mapping->pages_known);
	assert_int_equal(mapping->n_runs, 1);
	tell(ledger, EVENT_PAGES, 0, 16, MEMTYPE_WC);
	lost.lost.type = EVENT_REVOKE;
	apply(ledger, at(lost, 2000));
	assert_false(mapping->pages_known);
	assert_int_equal(mapping->n_runs, 0);
	/* What was lost may have been about a mapping that is still to be told of. */
	mapping = apply(ledger, at(mapping_event(EVENT_MAP, 6, 7, START, 0, 16), 1999)).mapping;
	assert_false(mapping->pages_known);
	apply(ledger, at(pages_event(EVENT_POPULATE, 6, START, 16), 1999));
	assert_false(mapping->pages_known);
	mapping = apply(ledger, at(mapping_event(EVENT_MAP, 8, 7, START, 0, 16), 2000)).mapping;
	assert_true(mapping->pages_known);
}

static struct ledger *new_limited(size_t runs)
{
	const struct ledger_limits limits = {.runs = runs};
	struct ledger *ledger;

	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	return ledger;
}

/* Every second of @n pages, from the first on, as a walk tells it. */
static void walk_sparse(struct ledger *ledger, uint64_t mapping_id, uint64_t n)
{
	for (uint64_t page = 0; page < n;) {
		uint64_t end = page + 2 * EVENT_RUNS_MAX < n ? page + 2 * EVENT_RUNS_MAX : n;
		struct event event = pages_event(EVENT_PAGES, mapping_id, START + page * PAGE, end - page);

		for (; page < end; page += 2)
			event = with_run(event, START + page * PAGE, page, 1, MEMTYPE_WC);
		apply(ledger, event);
		page = end;
	}
}

static void test_limit_of_one_mapping(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 2 * RUNS_PER_MAPPING + 2);
	struct effective effective;
	struct piece piece;
	uint64_t cursor;

	walk_sparse(ledger, 5, 2 * RUNS_PER_MAPPING + 2);
	assert_int_equal(mapping->n_runs, RUNS_PER_MAPPING);
	assert_true(mapping->runs_cut);
	assert_false(mapping->pages_known);
	assert_false(ledger_pages_due(ledger));
	mapping_effective(mapping, &effective);
	assert_int_equal(effective.kind, EFFECTIVE_UNKNOWN);
	/* Nothing is said of what lies behind the last run. */
	cursor = START + (2 * RUNS_PER_MAPPING - 1) * PAGE;
	assert_false(mapping_next_piece(ledger, mapping, &cursor, &piece));
	walk_sparse(ledger, 5, 2 * RUNS_PER_MAPPING + 2);
	assert_true(mapping->runs_cut);
	/* What is left of it fits. */
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START, 0, 2 * RUNS_PER_MAPPING - 1));
	assert_true(mapping->pages_known && !mapping->runs_cut);
	tell(ledger, EVENT_PAGES, 0, 2 * RUNS_PER_MAPPING - 1, MEMTYPE_WC);
	assert_int_equal(mapping->n_runs, 1);
}

static void test_limit_of_all(void **state)
{
	struct ledger *ledger = new_limited(20);

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		apply(ledger, mapping_event(EVENT_MAP, id, 7, START, 0, 16));
	walk_sparse(ledger, 1, 16);
	walk_sparse(ledger, 2, 16);
	walk_sparse(ledger, 3, 16);
	assert_true(ledger_mapping(ledger, 1)->pages_known && ledger_mapping(ledger, 2)->pages_known);
	assert_int_equal(ledger_mapping(ledger, 3)->n_runs, 4);
	assert_true(ledger_mapping(ledger, 3)->runs_cut);
	assert_false(ledger_pages_due(ledger));
	/* History gives its runs up. */
	apply(ledger, mapping_event(EVENT_UNMAP, 1, 0, 0, 0, 0));
	assert_int_equal(ledger_mapping(ledger, 1)->n_runs, 8);
	walk_sparse(ledger, 3, 16);
	assert_true(ledger_mapping(ledger, 3)->pages_known);
	assert_int_equal(ledger_mapping(ledger, 1)->n_runs, 0);
	assert_int_equal(kind_of(ledger_mapping(ledger, 1)), EFFECTIVE_UNKNOWN);
	ledger_free(ledger);
}

static void expect_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t *cursor,
			 uint64_t first, uint64_t n, enum memtype type, bool populated)
{
	struct piece piece;

	assert_true(mapping_next_piece(ledger, mapping, cursor, &piece));
	assert_int_equal(piece.start, START + first * PAGE);
	assert_int_equal(piece.end, START + (first + n) * PAGE);
	assert_int_equal(piece.phys_start, BAR_2 + first * PAGE);
	assert_int_equal(piece.type, type);
	assert_int_equal(piece.populated, populated);
}

static void expect_no_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t cursor)
{
	struct piece piece;

	assert_false(mapping_next_piece(ledger, mapping, &cursor, &piece));
	assert_false(mapping_next_piece(ledger, mapping, &cursor, &piece));
}

static void test_pieces(void **state)
{
	struct ledger *ledger = *state;
	const struct mapping *mapping = mapped(ledger, 16);
	struct event large = pages_event(EVENT_PAGES, 5, START + 12 * PAGE, 2);
	uint64_t cursor = 0;

	tell(ledger, EVENT_POPULATE, 4, 2, MEMTYPE_WC);
	/* Joined although the leaves differ; a type that nobody knows is left out. */
	large = with_run(large, START + 12 * PAGE, 12, 1, MEMTYPE_UC_MINUS);
	large = with_run(large, START + 13 * PAGE, 13, 1, MEMTYPE_UC_MINUS);
	large.pages.runs[1].leaf = LEAF_2M;
	apply(ledger, large);
	apply(ledger, with_run(pages_event(EVENT_PAGES, 5, START + 14 * PAGE, 1), START + 14 * PAGE, 14, 1,
			       MEMTYPE_UNKNOWN));
	expect_piece(ledger, mapping, &cursor, 0, 4, MEMTYPE_UC_MINUS, false);
	expect_piece(ledger, mapping, &cursor, 4, 2, MEMTYPE_WC, true);
	expect_piece(ledger, mapping, &cursor, 6, 6, MEMTYPE_UC_MINUS, false);
	expect_piece(ledger, mapping, &cursor, 12, 2, MEMTYPE_UC_MINUS, true);
	expect_piece(ledger, mapping, &cursor, 15, 1, MEMTYPE_UC_MINUS, false);
	expect_no_piece(ledger, mapping, cursor);
	/* In the middle of a run. */
	cursor = START + 5 * PAGE;
	expect_piece(ledger, mapping, &cursor, 5, 1, MEMTYPE_WC, true);
	cursor = UINT64_MAX;
	expect_no_piece(ledger, mapping, cursor);
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	expect_no_piece(ledger, mapping, 0);
}

static void test_pieces_of_what_is_not_known(void **state)
{
	struct ledger *ledger = *state;
	struct event map = mapping_event(EVENT_MAPPING, 5, 7, START, 0, 16);
	const struct mapping *mapping = apply(ledger, map).mapping;
	uint64_t cursor = 0;

	expect_no_piece(ledger, mapping, 0);
	tell(ledger, EVENT_PAGES, 0, 4, MEMTYPE_UNKNOWN);
	expect_piece(ledger, mapping, &cursor, 0, 4, MEMTYPE_UC_MINUS, false);
	expect_no_piece(ledger, mapping, cursor);
	tell(ledger, EVENT_POPULATE, 8, 1, MEMTYPE_WC);
	expect_piece(ledger, mapping, &cursor, 8, 1, MEMTYPE_WC, true);
	expect_no_piece(ledger, mapping, cursor);
	/* No fault can bring what is missing; a layout that is not known brings nothing one could name. */
	map.mapping.mapping_id = 6;
	map.mapping.flags |= EVENT_MAPPING_NO_FAULT;
	mapping = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_PAGES, 6, START, 16), START + PAGE, 1, 1, MEMTYPE_WC));
	cursor = 0;
	expect_piece(ledger, mapping, &cursor, 1, 1, MEMTYPE_WC, true);
	expect_no_piece(ledger, mapping, cursor);
	map.mapping.mapping_id = 8;
	map.mapping.flags = EVENT_MAPPING_OFFSET_KNOWN;
	mapping = apply(ledger, map).mapping;
	apply(ledger, with_run(pages_event(EVENT_PAGES, 8, START, 16), START + PAGE, 1, 1, MEMTYPE_WC));
	cursor = 0;
	expect_piece(ledger, mapping, &cursor, 1, 1, MEMTYPE_WC, true);
	expect_no_piece(ledger, mapping, cursor);
}

static void expect_touched(struct ledger *ledger, uint64_t id)
{
	struct mapping *mapping = ledger_next_touched(ledger);

	assert_non_null(mapping);
	assert_int_equal(mapping->id, id);
}

static void test_touched(void **state)
{
	const struct ledger_limits limits = {.history = 1};
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_new(&ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
	apply(ledger, mapping_event(EVENT_MAP, 5, 7, START, 0, 16));
	apply(ledger, mapping_event(EVENT_MAP, 6, 7, START, 0, 16));
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START, 0, 16));
	expect_touched(ledger, 5);
	expect_touched(ledger, 6);
	assert_null(ledger_next_touched(ledger));
	apply(ledger, mapping_event(EVENT_MAPPING, 5, 7, START, 0, 16));
	assert_null(ledger_next_touched(ledger));
	tell(ledger, EVENT_POPULATE, 0, 4, MEMTYPE_WC);
	expect_touched(ledger, 5);
	apply(ledger, file_event(EVENT_OPEN, 7));
	expect_touched(ledger, 5);
	expect_touched(ledger, 6);
	apply(ledger, revoke_device_event(FIRST_DEVICE));
	expect_touched(ledger, 5);
	assert_null(ledger_next_touched(ledger));
	apply(ledger, mapping_event(EVENT_UNMAP, 6, 0, 0, 0, 0));
	apply(ledger, mapping_event(EVENT_UNMAP, 5, 0, 0, 0, 0));
	/* 6 was dropped from history. */
	expect_touched(ledger, 5);
	assert_null(ledger_next_touched(ledger));
	ledger_free(ledger);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(test_populate),
		LEDGER_TEST(test_runs_that_do_not_join),
		LEDGER_TEST(test_walk_in_rows),
		LEDGER_TEST(test_cut_moved_and_grown),
		LEDGER_TEST(test_copies_are_unknown),
		LEDGER_TEST(test_malformed),
		LEDGER_TEST(test_order_of_kernel_events),
		LEDGER_TEST(test_pages_before_their_mapping),
		LEDGER_TEST(test_lost_events),
		LEDGER_TEST(test_limit_of_one_mapping),
		cmocka_unit_test(test_limit_of_all),
		LEDGER_TEST(test_pieces),
		LEDGER_TEST(test_pieces_of_what_is_not_known),
		cmocka_unit_test(test_touched),
	};

	return cmocka_run_group_tests_name("pages of mappings", tests, NULL, NULL);
}
