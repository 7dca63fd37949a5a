/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding_world.h"

/* What may not meet what: written out, as the architectures have it. */
static bool at_odds(enum memtype a, enum memtype b)
{
	bool uncached_a = a == MEMTYPE_UC || a == MEMTYPE_UC_MINUS || a == MEMTYPE_DEVICE;
	bool uncached_b = b == MEMTYPE_UC || b == MEMTYPE_UC_MINUS || b == MEMTYPE_DEVICE;

	return a != b && !(uncached_a && uncached_b);
}

/* As an order: uncached, write-combining, write-through and write-protected, write-back. */
static int order(enum memtype type)
{
	static const int orders[MEMTYPE_TYPES] = {
		[MEMTYPE_WC] = 1,
		[MEMTYPE_WT] = 2,
		[MEMTYPE_WP] = 2,
		[MEMTYPE_WB] = 3,
	};

	return orders[type];
}

static void put(struct set *set, unsigned int page)
{
	set->words[page / 64] |= 1ULL << page % 64;
}

static bool has(const struct set *set, unsigned int page)
{
	return set->words[page / 64] >> page % 64 & 1;
}

static bool is_empty(const struct set *set)
{
	return !(set->words[0] | set->words[1] | set->words[2]);
}

static unsigned int size_of(const struct set *set)
{
	unsigned int n = 0;

	for (int i = 0; i < SET_WORDS; i++)
		n += __builtin_popcountll(set->words[i]);
	return n;
}

static void draw_conclusions(struct vma *vma)
{
	memset(vma->has, 0, sizeof(vma->has));
	memset(vma->foes, 0, sizeof(vma->foes));
	memset(&vma->reached, 0, sizeof(vma->reached));
	memset(&vma->stronger, 0, sizeof(vma->stronger));
	memset(&vma->weaker, 0, sizeof(vma->weaker));
	for (unsigned int i = 0; i < vma->n; i++) {
		enum memtype type = vma->entry[i];

		if (!type && (vma->no_fault || !vma->layout_known))
			continue;
		if (type && order(type) > order(vma->asked))
			put(&vma->stronger, vma->phys[i]);
		if (type && order(type) < order(vma->asked))
			put(&vma->weaker, vma->phys[i]);
		put(&vma->has[type ? type : vma->asked], vma->phys[i]);
		put(&vma->reached, vma->phys[i]);
	}
	for (int type = MEMTYPE_UC; type < MEMTYPE_TYPES; type++)
		for (int other = MEMTYPE_UC; other < MEMTYPE_TYPES; other++)
			for (int i = 0; i < SET_WORDS && at_odds(type, other); i++)
				vma->foes[type].words[i] |= vma->has[other].words[i];
}

static struct set alias(const struct vma *a, const struct vma *b)
{
	struct set ret = {};

	for (int i = 0; i < SET_WORDS; i++)
		for (int type = MEMTYPE_UC; type < MEMTYPE_TYPES && a->reached.words[i] & b->reached.words[i];
		     type++)
			ret.words[i] |= a->has[type].words[i] & b->foes[type].words[i];
	return ret;
}

static const struct vma *vma_of(const struct world *world, uint64_t id)
{
	for (unsigned int i = 0; i < world->n; i++)
		if (world->vmas[i].id == id)
			return &world->vmas[i];
	return NULL;
}

static uint64_t count_truth(struct world *world)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < world->n; i++)
		draw_conclusions(&world->vmas[i]);
	for (unsigned int i = 0; i < world->n; i++) {
		n += !is_empty(&world->vmas[i].stronger) + !is_empty(&world->vmas[i].weaker);
		for (unsigned int j = 0; j < i; j++) {
			struct set shared = alias(&world->vmas[i], &world->vmas[j]);

			n += !is_empty(&shared);
		}
	}
	return n;
}

static void check_ranges(const struct world *world, const struct finding *finding, const struct set *set)
{
	unsigned int n = 0, last = 0;

	EXPECT(world, finding->bytes == size_of(set) * PAGE);
	for (unsigned int page = 0; page < PAGES; page++) {
		unsigned int end = page;

		if (!has(set, page))
			continue;
		while (end < PAGES && has(set, end))
			end++;
		if (n < FINDING_RANGES) {
			EXPECT(world, n < finding->n_ranges);
			EXPECT(world, finding->ranges[n].start == PHYS(page));
			EXPECT(world, finding->ranges[n].end == PHYS(end));
		}
		n++;
		last = end;
		page = end;
	}
	EXPECT(world, finding->n_ranges == (n < FINDING_RANGES ? n : FINDING_RANGES));
	EXPECT(world, finding->ranges_cut == (n > FINDING_RANGES));
	EXPECT(world, finding->phys_end == PHYS(last));
}

static void check_bar(const struct world *world, const struct finding *finding, unsigned int page)
{
	for (int i = 0; i < 4; i++) {
		const struct bar *bar = &world->bars[i];

		if (page < bar->first || page >= bar->first + bar->n)
			continue;
		EXPECT(world, strcmp(finding->device, bar->name) == 0);
		EXPECT(world, finding->region == bar->region);
	}
}

static void check_party(const struct world *world, const struct party *party, const struct vma *vma,
			unsigned int page)
{
	EXPECT(world, party->process.tgid == vma->tgid);
	EXPECT(world, party->source == vma->source);
	EXPECT(world, party->requested == vma->asked);
	EXPECT(world, has(&vma->has[party->type], page));
}

static void check_finding(const struct world *world, const struct finding *finding)
{
	const struct vma *a = vma_of(world, finding->parties[0].mapping), *b = NULL;
	unsigned int first = 0;
	struct set set;

	EXPECT(world, finding->active && !finding->until_ns && a);
	if (finding->kind == FINDING_ALIAS) {
		EXPECT(world, finding->n_parties == 2);
		EXPECT(world, finding->parties[0].mapping < finding->parties[1].mapping);
		b = vma_of(world, finding->parties[1].mapping);
		EXPECT(world, b);
		set = alias(a, b);
	} else {
		EXPECT(world, finding->n_parties == 1);
		set = finding->kind == FINDING_PROMOTION ? a->stronger : a->weaker;
	}
	EXPECT(world, !is_empty(&set));
	check_ranges(world, finding, &set);
	while (!has(&set, first))
		first++;
	check_bar(world, finding, first);
	check_party(world, &finding->parties[0], a, first);
	if (b) {
		check_party(world, &finding->parties[1], b, first);
		EXPECT(world, at_odds(finding->parties[0].type, finding->parties[1].type));
	}
}

void world_hear(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	struct world *world = userdata;

	world->opened += what == FINDING_OPENED;
	world->closed += what == FINDING_CLOSED;
	EXPECT(world, finding->active == (what != FINDING_CLOSED));
}

static void make_up(struct world *world)
{
	if (world->out_of_memory)
		assert_int_equal(findings_update(world->model.findings, world->model.ledger, world->now,
						 world_hear, world),
				 0);
}

/* Each is true, there is none twice (a key), and there are as many as there must be: so it is the same set.
 */
void world_check(struct world *world)
{
	static const struct finding *list[MAPPINGS_MAX * MAPPINGS_MAX];
	uint64_t truth = count_truth(world), expected = truth < world->limit ? truth : world->limit;
	struct finding_counts counts;
	size_t n;

	make_up(world);
	n = findings_list(world->model.findings, false, 0, list, MAPPINGS_MAX * MAPPINGS_MAX);
	finding_counts(world->model.findings, &counts);
	EXPECT(world, n == expected);
	EXPECT(world, counts.active[0] + counts.active[1] + counts.active[2] == expected);
	EXPECT(world, counts.refused == truth - expected);
	EXPECT(world, world->opened - world->closed == expected);
	for (size_t i = 0; i < n; i++) {
		EXPECT(world, i == 0 || list[i - 1]->id < list[i]->id);
		check_finding(world, list[i]);
	}
	if (world->n > world->most)
		world->most = world->n;
	world->conflicts += truth;
	world->refused += counts.refused;
}
