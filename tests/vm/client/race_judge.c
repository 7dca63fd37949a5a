// SPDX-License-Identifier: GPL-2.0-or-later

/* Judges a race by its log alone. */

#include "race.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Pages of an attempt with one fate. */
struct part {
	uint32_t first, end;
	uint64_t begin, mapped, withdrawn, over;
};

#define MAX_PARTS 3

static size_t parts_of(const struct race_attempt *a, struct part ret[MAX_PARTS])
{
	const struct part parts[MAX_PARTS] = {
		{a->first, a->cut_first, a->begin, a->mapped, a->withdrawn, a->over},
		{a->cut_first, a->cut_end, a->begin, a->mapped, a->cut, a->cut_over},
		{a->cut_end, a->end, a->begin, a->mapped, a->withdrawn, a->over},
	};
	size_t n = 0;

	if (a->cut_first == a->cut_end) {
		ret[0] = (struct part){a->first, a->end, a->begin, a->mapped, a->withdrawn, a->over};
		return 1;
	}
	for (size_t i = 0; i < MAX_PARTS; i++)
		if (parts[i].first < parts[i].end)
			ret[n++] = parts[i];
	return n;
}

static bool share_page(const struct part *a, const struct part *b)
{
	return a->first < b->end && b->first < a->end;
}

static bool together(const struct part *a, const struct part *b)
{
	return a->mapped < b->withdrawn && b->mapped < a->withdrawn;
}

static bool may_meet(const struct part *a, const struct part *b)
{
	return a->begin < b->over && b->begin < a->over;
}

static bool any_parts(const struct race_attempt *a, const struct race_attempt *b,
		      bool (*also)(const struct part *a, const struct part *b))
{
	struct part of_a[MAX_PARTS], of_b[MAX_PARTS];
	size_t n_a = parts_of(a, of_a), n_b = parts_of(b, of_b);

	for (size_t i = 0; i < n_a; i++)
		for (size_t j = 0; j < n_b; j++)
			if (share_page(&of_a[i], &of_b[j]) && also(&of_a[i], &of_b[j]))
				return true;
	return false;
}

static const struct race_attempt *attempt(const struct race *race, uint32_t worker, uint32_t i)
{
	return &race->attempts[(size_t)worker * race->per_worker + i];
}

/* The first attempt of a worker that was not over before number @at. A worker's attempts follow each other.
 */
static uint32_t first_after(const struct race *race, uint32_t worker, uint64_t at)
{
	uint32_t low = 0, high = race->done[worker];

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (attempt(race, worker, middle)->over < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A denied attempt of another had nothing reserved: it is no reason. */
static bool is_founded(const struct race *race, uint32_t worker, const struct race_attempt *denied)
{
	for (uint32_t other = 0; other < race->processes; other++) {
		if (other == worker)
			continue;
		for (uint32_t i = first_after(race, other, denied->begin); i < race->done[other]; i++) {
			const struct race_attempt *b = attempt(race, other, i);

			if (b->begin > denied->over)
				break;
			if (b->error != EPERM && b->type != denied->type && any_parts(denied, b, may_meet))
				return true;
		}
	}
	return false;
}

static void complain(struct race_result *result, const struct race_attempt *a, const struct race_attempt *b)
{
	if (result->n_examples < RACE_EXAMPLES)
		result->examples[result->n_examples++] = (struct race_example){a, b};
}

static void judge_granted(const struct race *race, uint32_t worker, const struct race_attempt *a,
			  struct race_result *ret)
{
	for (uint32_t other = worker + 1; other < race->processes; other++) {
		for (uint32_t i = first_after(race, other, a->begin); i < race->done[other]; i++) {
			const struct race_attempt *b = attempt(race, other, i);

			if (b->begin > a->over)
				break;
			if (b->error || !any_parts(a, b, together))
				continue;
			if (a->type == b->type) {
				ret->together++;
				continue;
			}
			ret->violations++;
			complain(ret, a, b);
		}
	}
}

void race_judge(const struct race *race, struct race_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t worker = 0; worker < race->processes; worker++) {
		for (uint32_t i = 0; i < race->done[worker]; i++) {
			const struct race_attempt *a = attempt(race, worker, i);

			ret->attempts++;
			if (!a->error) {
				ret->granted++;
				judge_granted(race, worker, a, ret);
			} else if (a->error == EPERM) {
				ret->denied++;
				if (!is_founded(race, worker, a)) {
					ret->unfounded++;
					complain(ret, a, NULL);
				}
			} else {
				ret->errors++;
				ret->error = a->error;
			}
		}
		if (race->failed[worker]) {
			ret->errors++;
			ret->error = race->failed[worker];
		}
	}
}
