/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Findings against a naive oracle: random sequences of what programs and kernel do to mappings, and after
 * every step all findings compared with those that must be. VFIOWATCH_TEST_SEED=N runs sequence N of the
 * first test only.
 */
#include <errno.h>

#include "failing.h"
#include "finding_world.h"

#define SEQUENCES 10000
#define PROCESSES 6

static uint64_t random_next(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random;
}

static unsigned int below(struct world *world, unsigned int n)
{
	return random_next(world) % n;
}

/* What an update that failed left undone is done by a later one: at once, or after other events. */
static void tell_with_failures(struct world *world, const struct event *event)
{
	struct change change;
	int r;

	assert_int_equal(ledger_apply(world->model.ledger, event, &change), 0);
	EXPECT(world, change.kind != CHANGE_REFUSED);
	fail_at = 1 + below(world, 6);
	r = findings_update(world->model.findings, world->model.ledger, event->header.time_ns, world_hear,
			    world);
	fail_at = 0;
	EXPECT(world, r == 0 || r == -ENOMEM);
	world->failed += r < 0;
}

static void tell(struct world *world, struct event event)
{
	struct model_change change;

	event.header.time_ns = world->now++;
	if (event.header.origin == EVENT_ORIGIN_KERNEL)
		event.header.sequence = ++world->sequence;
	if (world->out_of_memory) {
		tell_with_failures(world, &event);
		return;
	}
	assert_int_equal(model_apply(&world->model, &event, &change, world_hear, world), 0);
	EXPECT(world, change.change.kind != CHANGE_REFUSED);
}

static uint64_t prot_of(enum memtype type)
{
	static const uint64_t bits[MEMTYPE_TYPES] = {
		[MEMTYPE_UC] = 0x18, [MEMTYPE_UC_MINUS] = 0x10, [MEMTYPE_WC] = 0x8,
		[MEMTYPE_WT] = 0x98, [MEMTYPE_WP] = 0x88,
	};

	return 0x8000000000000027ULL | bits[type];
}

static bool through_vfio(const struct vma *vma)
{
	return vma->source == SOURCE_VFIO || vma->source == SOURCE_DMABUF;
}

static struct event vma_event(const struct world *world, enum event_type type, const struct vma *vma)
{
	struct event event = by(make_event(type), vma->tgid);
	const struct bar *bar = &world->bars[vma->bar];
	struct event_mapping *mapping = &event.mapping;

	mapping->mapping_id = vma->id;
	mapping->start = vma->start;
	mapping->end = vma->start + vma->n * PAGE;
	mapping->page_prot = prot_of(vma->asked);
	mapping->vm_flags = 0x40444fb;
	mapping->mapped_ns = world->now;
	mapping->source = vma->source;
	mapping->region = vma->source == SOURCE_DEVMEM ? EVENT_REGION_UNKNOWN : bar->region;
	if (vma->layout_known) {
		mapping->flags |= EVENT_MAPPING_PHYS_KNOWN;
		mapping->phys_start = PHYS(vma->phys[0]);
	}
	if (vma->no_fault)
		mapping->flags |= EVENT_MAPPING_NO_FAULT;
	if (vma->source == SOURCE_VFIO) {
		mapping->file_id = 1 + (bar->address >> 3);
		mapping->flags |= EVENT_MAPPING_OFFSET_KNOWN;
		mapping->offset = ((uint64_t)bar->region << 40) + (vma->start & 0xffffff000);
	} else if (vma->source != SOURCE_DEVMEM) {
		mapping->flags |= EVENT_MAPPING_DEVICE_KNOWN;
		mapping->pci_address = bar->address;
	}
	return event;
}

/* Pages @from to @to - 1 as the page tables have them, in as many events as it takes. */
static void tell_pages(struct world *world, const struct vma *vma, enum event_type type, unsigned int from,
		       unsigned int to)
{
	while (from < to) {
		struct event event = make_event(type);
		struct event_pages *pages = &event.pages;
		unsigned int i = from;

		pages->mapping_id = vma->id;
		pages->start = vma->start + from * PAGE;
		for (; i < to; i++) {
			if (!vma->entry[i])
				continue;
			if (pages->n_runs == EVENT_RUNS_MAX)
				break;
			pages->runs[pages->n_runs++] = (struct event_page_run){
				.start = vma->start + i * PAGE,
				.end = vma->start + (i + 1) * PAGE,
				.phys_start = PHYS(vma->phys[i]),
				.type = vma->entry[i],
			};
		}
		pages->end = vma->start + i * PAGE;
		tell(world, event);
		from = i;
	}
}

static enum memtype random_type(struct world *world)
{
	static const enum memtype types[] = {
		MEMTYPE_UC_MINUS, MEMTYPE_UC_MINUS, MEMTYPE_UC_MINUS, MEMTYPE_UC_MINUS,
		MEMTYPE_UC_MINUS, MEMTYPE_UC_MINUS, MEMTYPE_UC,       MEMTYPE_WC,
		MEMTYPE_WC,       MEMTYPE_WT,       MEMTYPE_WP,       MEMTYPE_WB,
	};

	return types[below(world, sizeof(types) / sizeof(types[0]))];
}

static enum memtype likely_type(struct world *world, enum memtype asked)
{
	return below(world, 4) ? asked : random_type(world);
}

static uint64_t new_address(struct world *world)
{
	world->addresses += 2 * VMA_MAX * PAGE;
	return 0x7f0000000000 + world->addresses;
}

static void do_map(struct world *world)
{
	static const enum mapping_source sources[] = {SOURCE_VFIO,  SOURCE_VFIO,   SOURCE_VFIO, SOURCE_DMABUF,
						      SOURCE_SYSFS, SOURCE_DEVMEM, SOURCE_OTHER};
	struct vma *vma = &world->vmas[world->n];
	unsigned int first;

	if (world->n == MAPPINGS_MAX)
		return;
	*vma = (struct vma){
		.id = ++world->ids,
		.tgid = 1 + below(world, PROCESSES),
		.source = sources[below(world, sizeof(sources) / sizeof(sources[0]))],
		.bar = below(world, 4),
		.start = new_address(world),
	};
	vma->asked = world->bars[vma->bar].write_combining ? MEMTYPE_WC : random_type(world);
	vma->n = 1 + below(world, below(world, 3) ? 4 : VMA_MAX);
	vma->no_fault = !through_vfio(vma);
	vma->layout_known =
		!(vma->source == SOURCE_VFIO && below(world, 6) == 0) && vma->source != SOURCE_OTHER;
	first = world->bars[vma->bar].first + below(world, world->bars[vma->bar].n - vma->n + 1);
	for (unsigned int i = 0; i < vma->n; i++) {
		vma->phys[i] = vma->layout_known ? first + i : world->bars[vma->bar].first + below(world, 48);
		if (vma->no_fault)
			vma->entry[i] = below(world, 5) ? vma->asked : random_type(world);
	}
	world->n++;
	tell(world, vma_event(world, EVENT_MAP, vma));
	if (vma->no_fault)
		tell_pages(world, vma, EVENT_POPULATE, 0, vma->n);
}

static void forget_vma(struct world *world, unsigned int i)
{
	world->vmas[i] = world->vmas[--world->n];
}

static void do_unmap(struct world *world)
{
	unsigned int i = below(world, world->n);
	struct event event = make_event(EVENT_UNMAP);

	event.mapping.mapping_id = world->vmas[i].id;
	forget_vma(world, i);
	tell(world, event);
}

/* Keeps pages @from to @to - 1. */
static void cut_vma(struct vma *vma, unsigned int from, unsigned int to)
{
	memmove(vma->phys, vma->phys + from, (to - from) * sizeof(vma->phys[0]));
	memmove(vma->entry, vma->entry + from, (to - from) * sizeof(vma->entry[0]));
	vma->start += from * PAGE;
	vma->n = to - from;
}

static void tell_copy(struct world *world, const struct vma *original, uint64_t id, uint32_t tgid)
{
	struct event event = vma_event(world, EVENT_COPY, original);

	event.mapping.mapping_id = id;
	event.mapping.from_id = original->id;
	tell(world, by(event, tgid));
}

/* munmap of pages @from to @to - 1: from the middle it leaves two. */
static void do_unmap_part(struct world *world)
{
	unsigned int i = below(world, world->n), from, to;
	struct vma *vma = &world->vmas[i], *upper = NULL;

	if (vma->n < 2)
		return;
	from = below(world, vma->n);
	to = from + 1 + below(world, vma->n - from);
	if (to - from == vma->n || (from > 0 && to < vma->n && world->n == MAPPINGS_MAX))
		return;
	if (from > 0 && to < vma->n) {
		upper = &world->vmas[world->n++];
		*upper = *vma;
		upper->id = ++world->ids;
		cut_vma(upper, to, vma->n);
		tell_copy(world, vma, upper->id, vma->tgid);
		cut_vma(vma, 0, from);
	} else if (from > 0) {
		cut_vma(vma, 0, from);
	} else {
		cut_vma(vma, to, vma->n);
	}
	tell(world, vma_event(world, EVENT_MAPPING, vma));
	if (!upper)
		return;
	tell(world, vma_event(world, EVENT_MAPPING, upper));
	tell_pages(world, upper, EVENT_PAGES, 0, upper->n);
}

/* All mappings of one process are copied for another one. The child's pages come by faults, or are copied. */
static void do_fork(struct world *world)
{
	uint32_t parent = 1 + below(world, PROCESSES), child = 1 + below(world, PROCESSES);
	unsigned int n = world->n;

	for (unsigned int i = 0; i < n && world->n < MAPPINGS_MAX; i++) {
		struct vma *copy = &world->vmas[world->n];

		if (world->vmas[i].tgid != parent)
			continue;
		*copy = world->vmas[i];
		copy->id = ++world->ids;
		copy->tgid = child;
		copy->start = new_address(world);
		if (!copy->no_fault && below(world, 2))
			memset(copy->entry, 0, sizeof(copy->entry));
		world->n++;
		tell_copy(world, &world->vmas[i], copy->id, below(world, 2) ? parent : child);
		tell(world, vma_event(world, EVENT_MAPPING, copy));
		tell_pages(world, copy, EVENT_PAGES, 0, copy->n);
	}
}

static void do_exit(struct world *world)
{
	uint32_t tgid = 1 + below(world, PROCESSES);

	for (unsigned int i = world->n; i-- > 0;) {
		struct event event = make_event(EVENT_UNMAP);

		if (world->vmas[i].tgid != tgid)
			continue;
		event.mapping.mapping_id = world->vmas[i].id;
		forget_vma(world, i);
		tell(world, event);
	}
}

/* Touching some pages. */
static void do_populate(struct world *world)
{
	struct vma *vma = &world->vmas[below(world, world->n)];
	unsigned int from = below(world, vma->n), to = from + 1 + below(world, vma->n - from);

	if (vma->no_fault)
		return;
	for (unsigned int i = from; i < to; i++)
		vma->entry[i] = likely_type(world, vma->asked);
	tell_pages(world, vma, EVENT_POPULATE, from, to);
}

/* All that is populated gets another type: the driver mapped its BAR anew. */
static void do_switch_mode(struct world *world)
{
	struct vma *vma = &world->vmas[below(world, world->n)];
	enum memtype type = random_type(world);

	for (unsigned int i = 0; i < vma->n; i++)
		if (vma->entry[i])
			vma->entry[i] = type;
	tell_pages(world, vma, EVENT_PAGES, 0, vma->n);
}

/* The cookie of a BAR, and with luck the VMA itself, asks for something else. */
static void do_change_attribute(struct world *world)
{
	struct vma *vma = &world->vmas[below(world, world->n)];

	world->bars[below(world, 4)].write_combining = below(world, 3) == 0;
	if (below(world, 2))
		return;
	vma->asked = random_type(world);
	tell(world, vma_event(world, EVENT_MAPPING, vma));
}

static void do_revoke_device(struct world *world)
{
	uint64_t address = world->bars[below(world, 4)].address;

	for (unsigned int i = 0; i < world->n; i++)
		if (through_vfio(&world->vmas[i]) && world->bars[world->vmas[i].bar].address == address)
			memset(world->vmas[i].entry, 0, sizeof(world->vmas[i].entry));
	tell(world, revoke_device_event(address));
}

static void do_revoke_iomem(struct world *world)
{
	unsigned int first = below(world, PAGES), n = 1 + below(world, PAGES - first);
	struct event event = make_event(EVENT_REVOKE);

	for (unsigned int i = 0; i < world->n; i++)
		for (unsigned int page = 0; page < world->vmas[i].n && !through_vfio(&world->vmas[i]); page++)
			if (world->vmas[i].phys[page] >= first && world->vmas[i].phys[page] < first + n)
				world->vmas[i].entry[page] = MEMTYPE_UNKNOWN;
	event.revoke.scope = REVOKE_IOMEM;
	event.revoke.phys_start = PHYS(first);
	event.revoke.phys_end = PHYS(first + n);
	tell(world, event);
}

/* Events are lost, though nothing happened: what was found stays, before the walk and after it. */
static void do_lose(struct world *world)
{
	struct event event = make_event(EVENT_LOST);

	event.lost.type = below(world, 2) ? EVENT_POPULATE : EVENT_REVOKE;
	event.lost.count = 1;
	tell(world, event);
	world_check(world);
	for (unsigned int i = 0; i < world->n; i++)
		tell_pages(world, &world->vmas[i], EVENT_PAGES, 0, world->vmas[i].n);
}

static void step(struct world *world, bool growing)
{
	unsigned int what = below(world, 40);

	if (!world->n || (growing && what < 20))
		do_map(world);
	else if (growing && what < 24)
		do_fork(world);
	else if (what < 12)
		do_map(world);
	else if (what < 15)
		do_unmap(world);
	else if (what < 19)
		do_unmap_part(world);
	else if (what < 21)
		do_fork(world);
	else if (what < 22 && !growing)
		do_exit(world);
	else if (what < 31)
		do_populate(world);
	else if (what < 33)
		do_switch_mode(world);
	else if (what < 36)
		do_change_attribute(world);
	else if (what < 37)
		do_revoke_device(world);
	else if (what < 38)
		do_revoke_iomem(world);
	else if (what < 39 && below(world, 4) == 0)
		do_lose(world);
}

static void tell_devices(struct world *world)
{
	for (int i = 0; i < 4; i++) {
		struct bar *bar = &world->bars[i];
		struct event file = file_event(EVENT_OPEN, 1 + (bar->address >> 3));
		struct event device = device_event(bar->address, true);

		memset(device.device.bars, 0, sizeof(device.device.bars));
		for (int j = 0; j < 4; j++)
			if (world->bars[j].address == bar->address)
				device.device.bars[world->bars[j].region] = (struct event_bar){
					.phys_start = PHYS(world->bars[j].first),
					.size = world->bars[j].n * PAGE,
					.flags = EVENT_BAR_MEM,
				};
		file.file.pci_address = bar->address;
		snprintf(file.file.device, sizeof(file.file.device), "%s", bar->name);
		tell(world, by(file, 1));
		tell(world, device);
	}
}

static void world_new(struct world *world, unsigned int seed, size_t limit)
{
	const struct finding_limits limits = {.active = limit};
	static const struct bar bars[4] = {
		{.address = 1 << 3, .name = "0000:00:01.0", .region = 0, .first = 0, .n = 48},
		{.address = 1 << 3, .name = "0000:00:01.0", .region = 2, .first = 48, .n = 48},
		{.address = 2 << 3, .name = "0000:00:02.0", .region = 2, .first = 96, .n = 48},
		{.address = 3 << 3, .name = "0000:00:03.0", .region = 4, .first = 144, .n = 48},
	};

	memset(world, 0, sizeof(*world));
	memcpy(world->bars, bars, sizeof(bars));
	world->seed = seed;
	world->random = 0x9e3779b97f4a7c15ULL * (seed + 1);
	world->limit = limit;
	world->now = 1000;
	assert_int_equal(model_init(&world->model, MEMTYPE_ARCH_X86_64), 0);
	findings_free(world->model.findings);
	assert_int_equal(findings_new(&world->model.findings, &limits), 0);
	tell_devices(world);
}

/* Everything unmapped: nothing is left. */
static void world_end(struct world *world)
{
	while (world->n)
		do_unmap(world);
	world_check(world);
	model_done(&world->model);
}

struct totals {
	uint64_t conflicts, refused, failed;
};

/* Returns the most mappings there were at once. */
static unsigned int run_sequence(unsigned int seed, unsigned int up_to, unsigned int steps, size_t limit,
				 bool out_of_memory, struct totals *totals)
{
	static struct world world;

	world_new(&world, seed, limit);
	world.out_of_memory = out_of_memory;
	for (unsigned int i = 0; i < 400 && world.n < up_to; i++) {
		step(&world, true);
		world_check(&world);
	}
	for (unsigned int i = 0; i < steps; i++) {
		step(&world, false);
		world_check(&world);
	}
	totals->conflicts += world.conflicts;
	totals->refused += world.refused;
	totals->failed += world.failed;
	world_end(&world);
	return world.most;
}

static void test_random_sequences(void **state)
{
	const char *seed = getenv("VFIOWATCH_TEST_SEED");
	unsigned int first = seed ? strtoul(seed, NULL, 0) : 0, last = seed ? first + 1 : SEQUENCES, full = 0;
	struct totals totals = {};

	(void)state;
	for (unsigned int i = first; i < last; i++)
		full += run_sequence(i, i % 50 ? 8 + i % 32 : MAPPINGS_MAX, i % 50 ? 12 : 8, SIZE_MAX, false,
				     &totals) == MAPPINGS_MAX;
	print_message("%u of %u sequences reached %d mappings; %llu conflicts checked\n", full, last - first,
		      MAPPINGS_MAX, (unsigned long long)totals.conflicts);
	assert_int_equal(totals.refused, 0);
	if (seed)
		return;
	assert_true(full >= SEQUENCES / 100);
	assert_true(totals.conflicts > SEQUENCES);
}

/* With few findings allowed: as many as allowed are open, each is true, the rest is counted, and none is
 * forgotten. */
static void test_limit(void **state)
{
	struct totals totals = {};

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		run_sequence(SEQUENCES + i, 8 + i % 40, 30, 1 + i % 24, false, &totals);
	assert_true(totals.refused > 500);
}

static void test_out_of_memory(void **state)
{
	struct totals totals = {};

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		run_sequence(2 * SEQUENCES + i, 8 + i % 40, 20, i % 2 ? SIZE_MAX : 1 + i % 24, true, &totals);
	assert_true(totals.failed > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_sequences),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
