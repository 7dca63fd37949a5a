/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_MAPPED_PAGES_H
#define TEST_MAPPED_PAGES_H

/* One mapping of BAR 2 and the pages of it that are told of. */
#include "events.h"

#define START 0x100000ULL

static inline const struct mapping *mapped(struct ledger *ledger, uint64_t pages)
{
	return apply(ledger, mapping_event(EVENT_MAP, 5, 7, START, 0, pages)).mapping;
}

/* Pages @first to @first + @n - 1 of mapping 5, which maps BAR 2 from its beginning, are told of; all have
 * @type. */
static inline struct change tell(struct ledger *ledger, enum event_type kind, uint64_t first, uint64_t n,
				 enum memtype type)
{
	struct event event = pages_event(kind, 5, START + first * PAGE, n);

	if (type != MEMTYPE_UNKNOWN)
		event = with_run(event, START + first * PAGE, first, n, type);
	return apply(ledger, event);
}

static inline void expect_run(const struct mapping *mapping, size_t i, uint64_t first, uint64_t n,
			      enum memtype type)
{
	const struct page_run *run = &mapping->runs[i];

	assert_true(i < mapping->n_runs);
	assert_int_equal(run->start, START + first * PAGE);
	assert_int_equal(run->end, START + (first + n) * PAGE);
	assert_int_equal(run->phys_start, BAR_2 + first * PAGE);
	assert_int_equal(run->type, type);
}

static inline enum effective_kind kind_of(const struct mapping *mapping)
{
	struct effective effective;

	mapping_effective(mapping, &effective);
	return effective.kind;
}

#endif
