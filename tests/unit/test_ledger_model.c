/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger against a naive kernel: processes open, map, cut, move, fork, pass descriptors, rename
 * themselves and exit at random; events are delivered in order, shuffled, or partly lost; the truth is read
 * now and then. Whenever everything was delivered, and the truth was read after a loss, the ledger must say
 * exactly what the model says.
 */
#include "events.h"

#define PROCESSES 8
#define FILES     12
#define REGIONS   3
#define VMAS      256
#define QUEUE     8
#define BAR_PAGES 64
#define STEPS     3000

enum delivery { IN_ORDER, SHUFFLED, LOSSY };

struct vma {
	uint64_t id, file, start, first, n; /* id 0: free slot */
	size_t process;
	bool wc;
};

struct file {
	uint64_t id; /* 0: free slot */
	uint64_t cookies[REGIONS], issued[REGIONS];
	uint32_t fds[PROCESSES];
	size_t opener;
};

struct model {
	uint64_t random, now, identity;
	enum delivery delivery;
	uint32_t tgids[PROCESSES];
	unsigned int names[PROCESSES];
	struct file files[FILES];
	struct vma vmas[VMAS];
	struct event queue[QUEUE];
	size_t queued;
	bool lost; /* since the truth was read with nothing queued */
	struct ledger *ledger;
};

static unsigned int seed, step;

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			fail_msg("seed %u step %u line %d: %s", seed, step, __LINE__, #condition);           \
	} while (0)

static uint64_t roll(struct model *model, uint64_t below)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random % below;
}

static struct event done_by(struct model *model, struct event event, size_t process)
{
	char comm[EVENT_COMM_LEN + 1];

	snprintf(comm, sizeof(comm), "name%u", model->names[process]);
	event = at(by(event, model->tgids[process]), model->now);
	set_comm(&event, comm);
	return event;
}

static void deliver(struct model *model, struct event event)
{
	CHECK(apply(model->ledger, event).kind != CHANGE_REFUSED);
}

static void deliver_queue(struct model *model)
{
	while (model->queued > 0) {
		size_t i = roll(model, model->queued);

		deliver(model, model->queue[i]);
		model->queue[i] = model->queue[--model->queued];
	}
}

/* A kernel event on its way. */
static void emit(struct model *model, struct event event)
{
	if (model->delivery == IN_ORDER) {
		deliver(model, event);
		return;
	}
	if (model->delivery == LOSSY && roll(model, 8) == 0) {
		model->lost = true;
		return;
	}
	if (model->queued == QUEUE)
		deliver_queue(model);
	model->queue[model->queued++] = event;
}

static struct vma *free_vma(struct model *model)
{
	for (size_t i = 0; i < VMAS; i++)
		if (!model->vmas[i].id)
			return &model->vmas[i];
	return NULL;
}

static size_t free_vmas(const struct model *model)
{
	size_t n = 0;

	for (size_t i = 0; i < VMAS; i++)
		n += !model->vmas[i].id;
	return n;
}

static struct vma *any_vma(struct model *model)
{
	size_t from = roll(model, VMAS);

	for (size_t i = 0; i < VMAS; i++)
		if (model->vmas[(from + i) % VMAS].id)
			return &model->vmas[(from + i) % VMAS];
	return NULL;
}

static struct file *any_file(struct model *model, size_t *process)
{
	size_t from = roll(model, FILES);

	*process = roll(model, PROCESSES);
	for (size_t i = 0; i < FILES; i++) {
		struct file *file = &model->files[(from + i) % FILES];

		if (file->id && file->fds[*process])
			return file;
	}
	return NULL;
}

/* The last reference goes: descriptors and VMAs hold a file. */
static void put_file(struct model *model, uint64_t id)
{
	struct file *file = NULL;

	for (size_t i = 0; i < FILES; i++)
		if (model->files[i].id == id)
			file = &model->files[i];
	CHECK(file);
	for (size_t i = 0; i < PROCESSES; i++)
		if (file->fds[i])
			return;
	for (size_t i = 0; i < VMAS; i++)
		if (model->vmas[i].id && model->vmas[i].file == id)
			return;
	emit(model, at(file_event(EVENT_RELEASE, id), model->now));
	*file = (struct file){0};
}

static struct event vma_event(struct model *model, enum event_type type, const struct vma *vma)
{
	struct event event = mapping_event(type, vma->id, vma->file, vma->start, vma->first, vma->n);

	event.mapping.page_prot = vma->wc ? PROT_WC : PROT_UC;
	return done_by(model, event, vma->process);
}

static void end_vma(struct model *model, struct vma *vma)
{
	uint64_t file = vma->file;

	emit(model, done_by(model, mapping_event(EVENT_UNMAP, vma->id, 0, 0, 0, 0), vma->process));
	*vma = (struct vma){0};
	put_file(model, file);
}

/* vm_area_dup(): the event shows the original as it is at that time. */
static struct vma *copy_vma(struct model *model, const struct vma *vma)
{
	struct vma *copy = free_vma(model);
	struct event event = vma_event(model, EVENT_COPY, vma);

	*copy = *vma;
	copy->id = ++model->identity;
	event.mapping.mapping_id = copy->id;
	event.mapping.from_id = vma->id;
	if (roll(model, 2))
		event.mapping.start = event.mapping.end = event.mapping.flags = event.mapping.file_id = 0;
	emit(model, event);
	return copy;
}

static void cut_low(struct vma *vma, uint64_t pages)
{
	vma->start += pages * PAGE;
	vma->first += pages;
	vma->n -= pages;
}

/* Cuts @vma after @pages; the new VMA is either part. Returns the upper one. */
static struct vma *split_vma(struct model *model, struct vma *vma, uint64_t pages)
{
	struct vma *copy = copy_vma(model, vma);

	if (roll(model, 2)) {
		vma->n = pages;
		cut_low(copy, pages);
		return copy;
	}
	copy->n = pages;
	cut_low(vma, pages);
	return vma;
}

static void do_open(struct model *model)
{
	size_t process = roll(model, PROCESSES);

	for (size_t i = 0; i < FILES; i++) {
		struct file *file = &model->files[i];

		if (file->id)
			continue;
		file->id = ++model->identity;
		file->fds[process] = 1;
		file->opener = model->tgids[process];
		emit(model, done_by(model, file_event(EVENT_OPEN, file->id), process));
		return;
	}
}

static struct event region_event(enum event_type type, const struct file *file, size_t region)
{
	struct event event = cookie_event(type, file->cookies[region], file->id, file->issued[region]);

	event.cookie.region = region;
	event.cookie.offset = (uint64_t)region << 40;
	return event;
}

static void do_issue(struct model *model)
{
	size_t process, region = roll(model, REGIONS);
	struct file *file = any_file(model, &process);

	if (!file)
		return;
	if (!file->cookies[region])
		file->cookies[region] = ++model->identity;
	file->issued[region]++;
	emit(model, done_by(model, region_event(EVENT_COOKIE, file, region), process));
}

static void do_map(struct model *model)
{
	size_t process;
	struct file *file = any_file(model, &process);
	struct vma *vma = free_vma(model);

	if (!file || !vma)
		return;
	vma->id = ++model->identity;
	vma->file = file->id;
	vma->process = process;
	vma->first = roll(model, BAR_PAGES);
	vma->n = 1 + roll(model, BAR_PAGES - vma->first);
	vma->start = (1 + roll(model, 1 << 20)) * BAR_PAGES * PAGE;
	vma->wc = roll(model, 2);
	emit(model, vma_event(model, EVENT_MAP, vma));
}

static void do_unmap(struct model *model)
{
	struct vma *vma = any_vma(model), *middle;
	uint64_t first, n;

	if (!vma || free_vmas(model) < 2)
		return;
	first = roll(model, vma->n);
	n = 1 + roll(model, vma->n - first);
	middle = first ? split_vma(model, vma, first) : vma;
	if (n < middle->n) {
		struct vma *upper = split_vma(model, middle, n);

		if (upper == middle) /* the copy got the lower part */
			for (size_t i = 0; i < VMAS; i++)
				if (model->vmas[i].id == model->identity)
					middle = &model->vmas[i];
	}
	end_vma(model, middle);
}

static void do_move(struct model *model)
{
	struct vma *vma = any_vma(model), *moved;

	if (!vma || !free_vmas(model))
		return;
	moved = copy_vma(model, vma);
	moved->start = (1 + roll(model, 1 << 20)) * BAR_PAGES * PAGE;
	end_vma(model, vma);
}

static void do_exit(struct model *model, size_t process)
{
	for (size_t i = 0; i < VMAS; i++)
		if (model->vmas[i].id && model->vmas[i].process == process)
			end_vma(model, &model->vmas[i]);
	for (size_t i = 0; i < FILES; i++) {
		if (!model->files[i].id || !model->files[i].fds[process])
			continue;
		model->files[i].fds[process] = 0;
		put_file(model, model->files[i].id);
	}
	model->tgids[process] = 100 + ++model->identity;
}

static void do_fork(struct model *model)
{
	size_t parent = roll(model, PROCESSES), child = (parent + 1) % PROCESSES, n = 0;

	for (size_t i = 0; i < VMAS; i++)
		n += model->vmas[i].id && model->vmas[i].process == parent;
	if (!n || n > VMAS / 6)
		return;
	do_exit(model, child);
	if (free_vmas(model) < n)
		return;
	for (size_t i = 0; i < VMAS; i++) {
		/* What was copied already belongs to the child. */
		if (!model->vmas[i].id || model->vmas[i].process != parent)
			continue;
		copy_vma(model, &model->vmas[i])->process = child;
	}
	for (size_t i = 0; i < FILES; i++)
		model->files[i].fds[child] = model->files[i].fds[parent];
	model->names[child] = model->names[parent];
}

static void do_descriptors(struct model *model)
{
	size_t process;
	struct file *file = any_file(model, &process);

	if (!file)
		return;
	switch (roll(model, 3)) {
	case 0:
		file->fds[process]++;
		break;
	case 1:
		file->fds[roll(model, PROCESSES)]++;
		break;
	default:
		file->fds[process]--;
		put_file(model, file->id);
	}
}

static void act(struct model *model)
{
	model->now++;
	switch (roll(model, 16)) {
	case 0:
	case 1:
		do_open(model);
		break;
	case 2:
	case 3:
	case 4:
		do_issue(model);
		break;
	case 5:
	case 6:
	case 7:
		do_map(model);
		break;
	case 8:
	case 9:
	case 10:
		do_unmap(model);
		break;
	case 11:
		do_move(model);
		break;
	case 12:
		do_fork(model);
		break;
	case 13:
		if (roll(model, 4) == 0)
			do_exit(model, roll(model, PROCESSES));
		break;
	case 14:
		do_descriptors(model);
		break;
	default:
		model->names[roll(model, PROCESSES)]++;
	}
}

static void tell_mappings(struct model *model, unsigned int omit)
{
	for (size_t i = 0; i < VMAS; i++)
		if (model->vmas[i].id && (!omit || roll(model, omit)))
			deliver(model, vma_event(model, EVENT_MAPPING, &model->vmas[i]));
}

static void tell_holders(struct model *model, const struct file *file)
{
	for (size_t process = 0; process < PROCESSES; process++)
		if (file->fds[process])
			deliver(model,
				done_by(model, holder_event(file->id, 0, file->fds[process]), process));
}

static void close_absent(struct model *model, enum reading what, bool quiet)
{
	struct event event;

	while (ledger_next_absent(model->ledger, what, quiet, model->now, &event))
		deliver(model, event);
}

/* Reads the truth. With @omit one row in so many is passed over, as it can be when the reading was not quiet.
 */
static void read_truth(struct model *model, unsigned int omit)
{
	static const enum reading order[] = {READING_MAPPINGS, READING_FILES, READING_COOKIES,
					     READING_HOLDERS};

	for (size_t n = 0; n < 4; n++) {
		ledger_begin_reading(model->ledger, order[n]);
		if (order[n] == READING_MAPPINGS)
			tell_mappings(model, omit);
		for (size_t i = 0; i < FILES; i++) {
			struct file *file = &model->files[i];

			if (!file->id || (omit && !roll(model, omit)))
				continue;
			if (order[n] == READING_FILES)
				deliver(model, file_event(EVENT_FILE, file->id));
			for (size_t region = 0; order[n] == READING_COOKIES && region < REGIONS; region++)
				if (file->cookies[region])
					deliver(model, region_event(EVENT_COOKIE_LIVE, file, region));
			if (order[n] == READING_HOLDERS)
				tell_holders(model, file);
		}
		close_absent(model, order[n], !omit);
	}
}

static void compare_vmas(struct model *model)
{
	const struct mapping *mappings[VMAS + 1];
	size_t n = ledger_list_mappings(model->ledger, false, 0, mappings, VMAS + 1);

	CHECK(n == counts_of(model->ledger).mappings);
	CHECK(n == VMAS - free_vmas(model));
	for (size_t i = 0; i < VMAS; i++) {
		const struct vma *vma = &model->vmas[i];
		const struct mapping *mapping = ledger_mapping(model->ledger, vma->id);
		char comm[EVENT_COMM_LEN + 1];

		if (!vma->id)
			continue;
		snprintf(comm, sizeof(comm), "name%u", model->names[vma->process]);
		CHECK(mapping && mapping->live && mapping->settled);
		CHECK(mapping->start == vma->start && mapping->end == vma->start + vma->n * PAGE);
		CHECK(mapping->offset_known && mapping->offset == COOKIE_2 + vma->first * PAGE);
		CHECK(mapping->phys_known && mapping->phys_start == BAR_2 + vma->first * PAGE);
		CHECK(ledger_requested(model->ledger, mapping) == (vma->wc ? MEMTYPE_WC : MEMTYPE_UC_MINUS));
		CHECK(mapping->file && mapping->file->id == vma->file && mapping->file->live);
		CHECK(mapping->owner && mapping->owner->key.tgid == model->tgids[vma->process]);
		CHECK(strcmp(mapping->owner->comm, comm) == 0);
	}
}

static void compare_holders(struct model *model, const struct file *file, const struct device_file *known)
{
	unsigned int n = 0;

	for (size_t process = 0; process < PROCESSES; process++)
		n += file->fds[process] > 0;
	CHECK(known->holders_known && known->n_holders == n);
	for (const struct holder *holder = known->holders; holder; holder = holder->next) {
		size_t process = 0;

		while (process < PROCESSES && model->tgids[process] != holder->process->key.tgid)
			process++;
		CHECK(process < PROCESSES && file->fds[process] == holder->fds);
	}
}

static void compare_files(struct model *model)
{
	const struct device *device = ledger_device_by_name(model->ledger, "0000:00:01.0");
	struct ledger_counts counts = counts_of(model->ledger);
	size_t files = 0, cookies = 0;

	for (size_t i = 0; i < FILES; i++) {
		const struct file *file = &model->files[i];
		const struct device_file *known = ledger_file(model->ledger, file->id);

		if (!file->id)
			continue;
		files++;
		CHECK(known && known->live && known->device == device);
		CHECK(!known->opener || known->opener->key.tgid == file->opener);
		compare_holders(model, file, known);
		for (size_t region = 0; region < REGIONS; region++) {
			const struct cookie *cookie = ledger_cookie(model->ledger, file->cookies[region]);

			if (!file->cookies[region])
				continue;
			cookies++;
			CHECK(cookie && cookie->live && cookie->file == known && cookie->region == region);
			CHECK(cookie->issued == file->issued[region]);
			CHECK(ledger_cookie_at(model->ledger, known, (region << 40) + PAGE) == cookie);
		}
	}
	CHECK(counts.files == files && counts.cookies == cookies);
	CHECK(!device ||
	      (device->files == files && device->cookies == cookies && device->mappings == counts.mappings));
}

static void settle_and_compare(struct model *model)
{
	deliver_queue(model);
	if (model->lost)
		read_truth(model, 0);
	else
		tell_mappings(model, 0);
	model->lost = false;
	/* No event tells of descriptors. */
	ledger_begin_reading(model->ledger, READING_HOLDERS);
	for (size_t i = 0; i < FILES; i++)
		if (model->files[i].id)
			tell_holders(model, &model->files[i]);
	close_absent(model, READING_HOLDERS, true);
	compare_vmas(model);
	compare_files(model);
}

static void run(enum delivery delivery)
{
	for (seed = 1; seed <= 4; seed++) {
		struct model model = {.random = seed * 0x9e3779b97f4a7c15ULL, .delivery = delivery};
		/* History is kept small, so that it is turned over too. */
		const struct ledger_limits limits = {.history = 64};

		assert_int_equal(ledger_new(&model.ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
		for (size_t i = 0; i < PROCESSES; i++)
			model.tgids[i] = 10 + i;
		for (step = 0; step < STEPS; step++) {
			act(&model);
			if (delivery == LOSSY && roll(&model, 16) == 0) {
				/* In the middle of it, with events still on their way. */
				read_truth(&model, roll(&model, 2) * 3);
				model.lost = true;
			}
			if (delivery == IN_ORDER || roll(&model, 4) == 0)
				settle_and_compare(&model);
		}
		settle_and_compare(&model);
		CHECK(counts_of(model.ledger).refused == 0);
		ledger_free(model.ledger);
	}
}

static void test_in_order(void **state)
{
	(void)state;
	run(IN_ORDER);
}

static void test_shuffled(void **state)
{
	(void)state;
	run(SHUFFLED);
}

static void test_lossy(void **state)
{
	(void)state;
	run(LOSSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_shuffled),
		cmocka_unit_test(test_lossy),
	};

	return cmocka_run_group_tests_name("ledger against a model", tests, NULL, NULL);
}
