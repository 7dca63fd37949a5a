// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vfiowatch/extent.h"

#define DENY       1ULL
#define LOG        2ULL
#define ALLOW      4ULL

#define GENERATION 7

/* A request for pages @first to @end by @task, of which the sets @mine hold; a conflict is about the rules
 * @about. */
static struct extent_ask ask_for(uint64_t task, uint32_t first, uint32_t end, enum memtype type,
				 uint64_t about, struct policy_sets mine)
{
	struct extent_ask ask = {.deny = DENY, .log = LOG};

	ask.fresh = (struct extent){.task = task,
				    .regs = task + 1,
				    .check = task * 3,
				    .first = first,
				    .end = end,
				    .type = type,
				    .party = mine,
				    .generation = GENERATION};
	for (uint32_t x = 0; x < MEMTYPE_TYPES; x++)
		if (memtype_conflict(type, x))
			ask.pairs[x].yes = about;
	return ask;
}

static struct extent_ask ask_plain(uint64_t task, uint32_t first, uint32_t end, enum memtype type)
{
	return ask_for(task, first, end, type, DENY, (struct policy_sets){.yes = ~0ULL});
}

static struct extent mapping(uint64_t task, uint64_t vma, enum memtype type)
{
	return (struct extent){.task = task, .vma = vma, .file = vma + 1, .type = type};
}

static struct extent_table *new_table(void)
{
	struct extent_table *table = calloc(1, sizeof(*table));

	assert_non_null(table);
	return table;
}

static uint32_t in_use(const struct extent_table *table)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < EXTENTS_MAX; i++)
		if (table->slots[i].state != EXTENT_FREE) {
			assert_true(i < table->n);
			n++;
		}
	return n;
}

/* The slot that a task has pending; slot 0 if there is none. */
static uint32_t pending_of(const struct extent_table *table, uint64_t task)
{
	for (uint32_t i = 0; i < EXTENTS_MAX; i++)
		if (table->slots[i].state == EXTENT_PENDING && table->slots[i].task == task)
			return i;
	return 0;
}

static int cancel(struct extent_table *table, uint64_t task)
{
	return extent_cancel(table, pending_of(table, task), task);
}

static enum extent_outcome reserve(struct extent_table *table, uint64_t task, uint32_t first, uint32_t end,
				   enum memtype type)
{
	struct extent_ask ask = ask_plain(task, first, end, type);

	return extent_reserve(table, &ask);
}

static void map(struct extent_table *table, uint64_t task, uint64_t vma, uint32_t first, uint32_t end,
		enum memtype type)
{
	struct extent fresh = mapping(task, vma, type);

	assert_int_equal(reserve(table, task, first, end, type), EXTENT_RESERVED);
	assert_int_equal(extent_bind(table, &fresh, 1), EXTENT_BOUND);
}

/* -- the operations
 * -------------------------------------------------------------------------------------------- */

static void test_overlap_conflicts(void **state)
{
	struct extent_table *table = new_table();
	struct extent_ask ask;

	(void)state;
	map(table, 1, 100, 16, 32, MEMTYPE_UC_MINUS);
	ask = ask_plain(2, 31, 33, MEMTYPE_WC);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	assert_int_equal(ask.at, 0);
	assert_int_equal(ask.other.vma, 100);
	assert_int_equal(ask.other.first, 16);
	assert_int_equal(ask.other.end, 32);
	assert_int_equal(in_use(table), 1);
	/* The bytes beside it, the same type, and types that do not conflict. */
	assert_int_equal(reserve(table, 3, 32, 40, MEMTYPE_WC), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 4, 0, 16, MEMTYPE_WC), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 5, 0, 64, MEMTYPE_UNKNOWN), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 6, 16, 32, MEMTYPE_UC_MINUS), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 7, 16, 32, MEMTYPE_UC), EXTENT_RESERVED);
	/* What is pending stands in the way too. */
	assert_int_equal(reserve(table, 8, 39, 41, MEMTYPE_UC), EXTENT_MET);
	free(table);
}

static void test_own_leftover_is_given_back(void **state)
{
	struct extent_table *table = new_table();

	(void)state;
	assert_int_equal(reserve(table, 1, 0, 4, MEMTYPE_WC), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 1, 0, 4, MEMTYPE_UC), EXTENT_RESERVED);
	assert_int_equal(in_use(table), 1);
	assert_int_equal(reserve(table, 2, 0, 4, MEMTYPE_WC), EXTENT_MET);
	assert_int_equal(cancel(table, 1), 1);
	assert_int_equal(cancel(table, 1), 0);
	assert_int_equal(reserve(table, 2, 0, 4, MEMTYPE_WC), EXTENT_RESERVED);
	free(table);
}

static void test_rules_decide_what_matters(void **state)
{
	const struct policy_sets all = {.yes = ~0ULL}, none = {}, doubt = {.maybe = ~0ULL};
	struct extent_table *table = new_table();
	struct extent_ask ask;

	(void)state;
	map(table, 1, 100, 0, 8, MEMTYPE_UC);
	table->slots[0].party = none;
	/* A rule for somebody else: neither party is. */
	ask = ask_for(2, 0, 8, MEMTYPE_WC, DENY, none);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_RESERVED);
	/* It is enough that it holds of the other party. */
	table->slots[0].party = all;
	ask = ask_for(2, 0, 8, MEMTYPE_WC, DENY, none);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	/* It may hold of it: a doubt, which is met once. */
	table->slots[0].party = doubt;
	ask = ask_for(2, 0, 8, MEMTYPE_WC, DENY, none);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	ask.noted = EXTENT_NOTED_UNSURE;
	assert_int_equal(extent_reserve(table, &ask), EXTENT_RESERVED);
	/* The same of a record. */
	table->slots[0].party = all;
	ask = ask_for(2, 0, 8, MEMTYPE_WC, LOG, none);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	ask.noted = EXTENT_NOTED_LOG;
	assert_int_equal(extent_reserve(table, &ask), EXTENT_RESERVED);
	/* Who allows says nothing; who comes first decides. */
	ask = ask_for(2, 0, 8, MEMTYPE_WC, ALLOW, all);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_RESERVED);
	ask = ask_for(2, 0, 8, MEMTYPE_WC, DENY | LOG | ALLOW, all);
	ask.noted = EXTENT_NOTED_LOG | EXTENT_NOTED_UNSURE;
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	free(table);
}

static void test_another_policy_is_stale(void **state)
{
	struct extent_table *table = new_table();
	struct extent_ask ask = ask_plain(2, 0, 8, MEMTYPE_WC);
	struct extent now;

	(void)state;
	map(table, 1, 100, 0, 8, MEMTYPE_UC);
	table->slots[0].generation = GENERATION - 1;
	assert_int_equal(extent_reserve(table, &ask), EXTENT_STALE);
	now = ask.other;
	now.generation = GENERATION;
	now.party = (struct policy_sets){};
	now.who.tgid = 77;
	assert_int_equal(extent_refresh(table, ask.at, &ask.other, &now), 1);
	assert_int_equal(table->slots[0].who.tgid, 77);
	assert_int_equal(table->slots[0].vma, 100);
	assert_int_equal(extent_reserve(table, &ask), EXTENT_MET);
	free(table);
}

static void test_full(void **state)
{
	struct extent_table *table = new_table();
	const struct extent_copier by = {.task = 9};
	struct extent fresh = mapping(5000, 6000, MEMTYPE_WC);

	(void)state;
	for (uint32_t i = 0; i < EXTENTS_MAX; i++)
		map(table, 1 + i, 1000 + i, i, i + 1, MEMTYPE_WC);
	assert_int_equal(in_use(table), EXTENTS_MAX);
	assert_int_equal(reserve(table, 4000, 1000, 1001, MEMTYPE_WC), EXTENT_FULL);
	/* A conflict is found all the same. */
	assert_int_equal(reserve(table, 4000, 255, 256, MEMTYPE_UC), EXTENT_MET);
	assert_int_equal(extent_bind(table, &fresh, 0), EXTENT_NO_ROOM);
	assert_int_equal(table->untracked, 1);
	assert_int_equal(extent_copy(table, 1000, 7000, &by), EXTENT_COPY_NO_ROOM);
	assert_int_equal(table->untracked, 2);
	/* One that goes makes room for one. */
	assert_int_equal(extent_release(table, 1100), 1);
	assert_int_equal(reserve(table, 4000, 1000, 1001, MEMTYPE_WC), EXTENT_RESERVED);
	assert_int_equal(reserve(table, 4001, 1000, 1001, MEMTYPE_WC), EXTENT_FULL);
	free(table);
}

static void test_bind(void **state)
{
	struct extent_table *table = new_table();
	struct extent fresh = mapping(1, 100, MEMTYPE_UC);

	(void)state;
	/* Nothing was pending: it says itself where it is. */
	fresh.first = 4;
	fresh.end = 8;
	assert_int_equal(extent_bind(table, &fresh, 0), EXTENT_ADDED);
	assert_int_equal(table->slots[0].state, EXTENT_MAPPED);
	/* The same VMA address again: the one before is gone. */
	fresh.first = 20;
	fresh.end = 24;
	assert_int_equal(extent_bind(table, &fresh, 0), EXTENT_ADDED);
	assert_int_equal(in_use(table), 1);
	assert_int_equal(table->slots[0].first, 20);
	/* A doubtful range becomes the true one; the type is what it got; the party stays. */
	assert_int_equal(reserve(table, 2, 40, 44, MEMTYPE_UNKNOWN), EXTENT_RESERVED);
	fresh = mapping(2, 200, MEMTYPE_WC);
	fresh.first = 50;
	fresh.end = 54;
	assert_int_equal(extent_bind(table, &fresh, 0), EXTENT_BOUND);
	/* It was of another call of the task. */
	assert_int_equal(table->outcome, 0);
	assert_int_equal(in_use(table), 2);
	assert_int_equal(table->slots[1].first, 50);
	assert_int_equal(table->slots[1].type, MEMTYPE_WC);
	assert_int_equal(table->slots[1].generation, GENERATION);
	assert_int_equal(table->slots[1].file, 201);
	assert_int_equal(reserve(table, 3, 60, 64, MEMTYPE_WC), EXTENT_RESERVED);
	fresh = mapping(3, 300, MEMTYPE_WC);
	fresh.check = 9;
	assert_int_equal(extent_bind(table, &fresh, 1), EXTENT_BOUND);
	assert_int_equal(table->outcome, 1);
	free(table);
}

static void test_bind_where_it_is_known(void **state)
{
	const struct extent_mapping mapping = {
		.vma = 100, .file = 101, .delta = 3, .page_delta = 4, .type = MEMTYPE_WC};
	struct extent_table *table = new_table();

	(void)state;
	map(table, 9, 900, 0, 4, MEMTYPE_UC);
	assert_int_equal(reserve(table, 1, 16, 32, MEMTYPE_UNKNOWN), EXTENT_RESERVED);
	/* Of another task, and in another slot. */
	assert_int_equal(extent_bind_at(table, 1, 2, &mapping), 0);
	assert_int_equal(extent_bind_at(table, 0, 1, &mapping), 0);
	assert_int_equal(extent_bind_at(table, 2, 1, &mapping), 0);
	assert_int_equal(extent_bind_at(table, 1, 1, &mapping), 1);
	assert_int_equal(extent_bind_at(table, 1, 1, &mapping), 0);
	assert_int_equal(in_use(table), 2);
	assert_int_equal(table->slots[1].state, EXTENT_MAPPED);
	assert_int_equal(table->slots[1].vma, 100);
	assert_int_equal(table->slots[1].file, 101);
	assert_int_equal(table->slots[1].delta, 3);
	assert_int_equal(table->slots[1].page_delta, 4);
	assert_int_equal(table->slots[1].type, MEMTYPE_WC);
	assert_int_equal(table->slots[1].first, 16);
	assert_int_equal(table->slots[1].end, 32);
	free(table);
}

static void test_copy_and_release(void **state)
{
	struct extent_table *table = new_table();
	const struct extent_copier by = {.task = 9, .regs = 10, .check = 11};

	(void)state;
	map(table, 1, 100, 0, 16, MEMTYPE_UC);
	assert_int_equal(extent_copy(table, 555, 556, &by), EXTENT_NO_ORIGINAL);
	assert_int_equal(extent_copy(table, 100, 101, &by), EXTENT_COPIED);
	assert_int_equal(extent_is_held(table, 101), 1);
	assert_int_equal(table->slots[1].generation, 0);
	assert_int_equal(table->slots[1].task, 9);
	assert_int_equal(extent_release(table, 100), 1);
	assert_int_equal(extent_release(table, 100), 0);
	/* The copy still holds the bytes. */
	table->slots[1].generation = GENERATION;
	assert_int_equal(reserve(table, 2, 15, 16, MEMTYPE_WC), EXTENT_MET);
	assert_int_equal(extent_release(table, 101), 1);
	assert_int_equal(extent_is_held(table, 101), 0);
	assert_int_equal(reserve(table, 2, 15, 16, MEMTYPE_WC), EXTENT_RESERVED);
	assert_int_equal(in_use(table), 1);
	free(table);
}

static void test_shrink_and_drop(void **state)
{
	struct extent_table *table = new_table();
	struct extent known;

	(void)state;
	map(table, 1, 100, 8, 16, MEMTYPE_UC);
	known = table->slots[0];
	assert_int_equal(extent_shrink(table, 0, &known, 7, 10, 0), 0);
	assert_int_equal(extent_shrink(table, 0, &known, 10, 17, 0), 0);
	assert_int_equal(extent_shrink(table, 0, &known, 10, 10, 0), 0);
	assert_int_equal(extent_shrink(table, EXTENTS_MAX, &known, 10, 12, 0), 0);
	assert_int_equal(extent_shrink(table, 0, &known, 10, 12, -5), 1);
	assert_int_equal(table->slots[0].first, 10);
	assert_int_equal(table->slots[0].end, 12);
	assert_int_equal(table->slots[0].delta, -5);
	/* What was found out about it before is not about it any more. */
	assert_int_equal(extent_drop(table, 0, &known), 0);
	assert_int_equal(extent_shrink(table, 0, &known, 10, 11, 0), 0);
	known = table->slots[0];
	assert_int_equal(extent_drop(table, 0, &known), 1);
	assert_int_equal(in_use(table), 0);
	assert_int_equal(extent_drop(table, 0, &known), 0);
	free(table);
}

static void test_find_sysfs(void **state)
{
	const uint32_t stronger = 1U << MEMTYPE_WC | 1U << MEMTYPE_WB;
	struct extent_table *table = new_table();
	struct extent_ask ask = ask_plain(9, 0, 1, MEMTYPE_UC);

	(void)state;
	map(table, 1, 100, 0, 4, MEMTYPE_WC);
	map(table, 2, 200, 8, 12, MEMTYPE_UC_MINUS);
	table->slots[1].source = SOURCE_SYSFS;
	assert_int_equal(extent_find_sysfs(table, &ask, stronger), 0);
	map(table, 3, 300, 16, 20, MEMTYPE_WC);
	table->slots[2].source = SOURCE_SYSFS;
	assert_int_equal(extent_find_sysfs(table, &ask, stronger), 1);
	assert_int_equal(ask.at, 2);
	assert_int_equal(ask.other.vma, 300);
	assert_int_equal(extent_find_sysfs(table, &ask, 1U << MEMTYPE_WB), 0);
	assert_int_equal(extent_release(table, 300), 1);
	assert_int_equal(extent_find_sysfs(table, &ask, stronger), 0);
	free(table);
}

static void test_revoke(void **state)
{
	struct extent_table *table = new_table();

	(void)state;
	map(table, 1, 100, 0, 4, MEMTYPE_WC);
	map(table, 2, 200, 0, 4, MEMTYPE_WC);
	map(table, 3, 300, 2, 6, MEMTYPE_WC);
	table->slots[1].source = SOURCE_SYSFS;
	table->slots[2].source = SOURCE_SYSFS;
	assert_int_equal(extent_revoke(table, 0, 4), 1);
	assert_int_equal(extent_is_held(table, 100), 1);
	assert_int_equal(extent_is_held(table, 200), 0);
	assert_int_equal(extent_is_held(table, 300), 1);
	assert_int_equal(extent_revoke(table, 0, 4), 0);
	free(table);
}

static void test_learn(void **state)
{
	struct extent_table *table = new_table();

	(void)state;
	extent_learn(table, MEMTYPE_WC);
	extent_learn(table, MEMTYPE_WC);
	assert_int_equal(table->learned, MEMTYPE_WC);
	extent_learn(table, MEMTYPE_UC);
	assert_int_equal(table->learned, EXTENT_TYPE_MIXED);
	extent_learn(table, MEMTYPE_UC);
	assert_int_equal(table->learned, EXTENT_TYPE_MIXED);
	free(table);
}

/* -- against a model
 * ------------------------------------------------------------------------------------------- */

#define MODEL_PAGES 64
#define MODEL_TASKS 16
#define MODEL_VMAS  400
#define OPERATIONS  60000

/* The same as a list of what everybody has, searched from end to end, page by page. */
struct held {
	bool used;
	bool pending;
	uint64_t owner; /* task or VMA */
	uint32_t type;
	bool pages[MODEL_PAGES];
};

struct model {
	struct held held[EXTENTS_MAX + 1];
	uint32_t n, untracked;
	unsigned seed;
};

static uint32_t below(struct model *model, uint32_t limit)
{
	return (uint32_t)rand_r(&model->seed) % limit;
}

static struct held *model_find(struct model *model, bool pending, uint64_t owner)
{
	for (size_t i = 0; i <= EXTENTS_MAX; i++)
		if (model->held[i].used && model->held[i].pending == pending && model->held[i].owner == owner)
			return &model->held[i];
	return NULL;
}

static struct held *model_add(struct model *model)
{
	for (size_t i = 0; i <= EXTENTS_MAX; i++)
		if (!model->held[i].used) {
			model->held[i] = (struct held){.used = true};
			model->n++;
			return &model->held[i];
		}
	return NULL;
}

static void model_remove(struct model *model, bool pending, uint64_t owner)
{
	struct held *held = model_find(model, pending, owner);

	if (!held)
		return;
	held->used = false;
	model->n--;
}

static bool model_conflicts(const struct model *model, uint32_t first, uint32_t end, uint32_t type)
{
	for (size_t i = 0; i <= EXTENTS_MAX; i++)
		for (uint32_t page = first; page < end; page++)
			if (model->held[i].used && model->held[i].pages[page] &&
			    memtype_conflict(model->held[i].type, type))
				return true;
	return false;
}

static void random_reserve(struct model *model, struct extent_table *table)
{
	const enum memtype types[] = {MEMTYPE_UC, MEMTYPE_UC_MINUS, MEMTYPE_WC};
	uint32_t first = below(model, MODEL_PAGES), end = first + 1 + below(model, MODEL_PAGES - first);
	uint64_t task = 1 + below(model, MODEL_TASKS);
	enum memtype type = types[below(model, 3)];
	struct extent_ask ask;
	struct held *held;

	if (below(model, 4))
		end = first + 1;
	ask = ask_plain(task, first, end, type);
	switch (extent_reserve(table, &ask)) {
	case EXTENT_RESERVED:
		model_remove(model, true, task);
		assert_false(model_conflicts(model, first, end, type));
		assert_true(model->n < EXTENTS_MAX);
		held = model_add(model);
		held->pending = true;
		held->owner = task;
		held->type = type;
		memset(held->pages + first, true, end - first);
		break;
	case EXTENT_MET:
		/* The search ends there: what the task left behind may not have been reached yet. */
		held = model_find(model, ask.other.state == EXTENT_PENDING,
				  ask.other.state == EXTENT_PENDING ? ask.other.task : ask.other.vma);
		assert_non_null(held);
		assert_true(memtype_conflict(held->type, type));
		assert_true(ask.other.first < end && ask.other.end > first);
		assert_true(held->pages[ask.other.first] && held->pages[ask.other.end - 1]);
		cancel(table, task);
		model_remove(model, true, task);
		break;
	case EXTENT_FULL:
		model_remove(model, true, task);
		assert_false(model_conflicts(model, first, end, type));
		assert_int_equal(model->n, EXTENTS_MAX);
		break;
	default:
		fail();
	}
}

static void random_bind(struct model *model, struct extent_table *table)
{
	uint64_t task = 1 + below(model, MODEL_TASKS), vma = 1000 + below(model, MODEL_VMAS);
	struct held *held = model_find(model, true, task);
	struct extent fresh = mapping(task, vma, held ? held->type : MEMTYPE_WC);
	enum extent_bound bound;

	fresh.generation = GENERATION;
	fresh.party.yes = ~0ULL;
	fresh.first = below(model, MODEL_PAGES);
	fresh.end = fresh.first + 1;
	model_remove(model, false, vma);
	bound = extent_bind(table, &fresh, 1);
	if (held) {
		assert_int_equal(bound, EXTENT_BOUND);
		held->pending = false;
		held->owner = vma;
		return;
	}
	if (model->n == EXTENTS_MAX) {
		assert_int_equal(bound, EXTENT_NO_ROOM);
		model->untracked++;
		return;
	}
	assert_int_equal(bound, EXTENT_ADDED);
	held = model_add(model);
	held->owner = vma;
	held->type = fresh.type;
	held->pages[fresh.first] = true;
}

static void random_copy(struct model *model, struct extent_table *table)
{
	uint64_t vma = 1000 + below(model, MODEL_VMAS), copy = 1000 + below(model, MODEL_VMAS);
	const struct extent_copier by = {.task = 99};
	enum extent_copied copied;
	struct held *from, *to;

	if (vma == copy)
		return;
	copied = extent_copy(table, vma, copy, &by);
	model_remove(model, false, copy);
	from = model_find(model, false, vma);
	if (!from) {
		assert_int_equal(copied, EXTENT_NO_ORIGINAL);
		return;
	}
	if (model->n == EXTENTS_MAX) {
		assert_int_equal(copied, EXTENT_COPY_NO_ROOM);
		model->untracked++;
		return;
	}
	assert_int_equal(copied, EXTENT_COPIED);
	to = model_add(model);
	*to = *from;
	to->owner = copy;
	for (uint32_t i = 0; i < EXTENTS_MAX; i++)
		if (table->slots[i].state == EXTENT_MAPPED && table->slots[i].vma == copy)
			table->slots[i].generation = GENERATION;
}

static void random_shrink(struct model *model, struct extent_table *table)
{
	uint32_t at = below(model, EXTENTS_MAX), first, end;
	struct extent known = table->slots[at];
	struct held *held;

	if (known.state != EXTENT_MAPPED)
		return;
	held = model_find(model, false, known.vma);
	assert_non_null(held);
	if (below(model, 2)) {
		assert_int_equal(extent_drop(table, at, &known), 1);
		held->used = false;
		model->n--;
		return;
	}
	first = known.first + below(model, known.end - known.first);
	end = first + 1 + below(model, known.end - first);
	assert_int_equal(extent_shrink(table, at, &known, first, end, 0), 1);
	memset(held->pages, false, sizeof(held->pages));
	memset(held->pages + first, true, end - first);
}

static void compare(struct model *model, struct extent_table *table)
{
	assert_int_equal(in_use(table), model->n);
	assert_int_equal(table->untracked, model->untracked);
	for (uint32_t i = 0; i < EXTENTS_MAX; i++) {
		const struct extent *slot = &table->slots[i];
		struct held *held;

		if (slot->state == EXTENT_FREE)
			continue;
		held = model_find(model, slot->state == EXTENT_PENDING,
				  slot->state == EXTENT_PENDING ? slot->task : slot->vma);
		assert_non_null(held);
		assert_int_equal(held->type, slot->type);
		for (uint32_t page = 0; page < MODEL_PAGES; page++)
			assert_int_equal(held->pages[page], page >= slot->first && page < slot->end);
	}
}

static void test_random_operations(void **state)
{
	struct extent_table *table = new_table();
	struct model model = {.seed = 4};
	uint64_t owner;

	(void)state;
	for (uint32_t i = 0; i < OPERATIONS; i++) {
		switch (below(&model, 12)) {
		case 0 ... 3:
			random_reserve(&model, table);
			break;
		case 4 ... 6:
			random_bind(&model, table);
			break;
		case 7 ... 8:
			random_copy(&model, table);
			break;
		case 9:
			owner = 1 + below(&model, MODEL_TASKS);
			assert_int_equal(cancel(table, owner), model_find(&model, true, owner) != NULL);
			model_remove(&model, true, owner);
			break;
		case 10:
			/* Rarely enough for the table to get full. */
			owner = 1000 + below(&model, MODEL_VMAS);
			if (below(&model, 3) && i / 10000 % 2 == 0)
				break;
			assert_int_equal(extent_release(table, owner),
					 model_find(&model, false, owner) != NULL);
			model_remove(&model, false, owner);
			break;
		default:
			if (i / 10000 % 2)
				random_shrink(&model, table);
		}
		compare(&model, table);
	}
	assert_true(model.untracked > 0);
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlap_conflicts),
		cmocka_unit_test(test_own_leftover_is_given_back),
		cmocka_unit_test(test_rules_decide_what_matters),
		cmocka_unit_test(test_another_policy_is_stale),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bind),
		cmocka_unit_test(test_bind_where_it_is_known),
		cmocka_unit_test(test_copy_and_release),
		cmocka_unit_test(test_shrink_and_drop),
		cmocka_unit_test(test_find_sysfs),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
