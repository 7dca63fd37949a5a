/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger against a naive kernel. Whenever everything was delivered, and the truth was read after a loss,
 * the ledger must say exactly what the kernel says; of pages at any time, if it says that it knows them.
 */
#include "kernel_model.h"

#define SEEDS 6
#define STEPS 3000

static void compare_pages(const struct vma *vma, const struct mapping *mapping)
{
	uint8_t types[BAR_PAGES] = {0};

	for (size_t i = 0; i < mapping->n_runs; i++) {
		const struct page_run *run = &mapping->runs[i], *next = run + 1;
		uint64_t page = vma->first + (run->start - vma->start) / PAGE;

		CHECK(run->start >= vma->start && run->end <= vma->start + vma->n * PAGE);
		CHECK(run->start < run->end && run->phys_start == BAR_2 + page * PAGE);
		CHECK(i + 1 == mapping->n_runs || run->end < next->start ||
		      (run->end == next->start && run->type != next->type));
		memset(types + page, run->type, (run->end - run->start) / PAGE);
	}
	for (uint64_t page = vma->first; page < vma->first + vma->n; page++)
		CHECK(types[page] == vma->types[page]);
}

/* The pieces, page by page: where nothing is populated it is what was asked for, if a fault can bring it. */
static void compare_pieces(struct kernel *kernel, const struct vma *vma, const struct mapping *mapping)
{
	enum memtype requested = vma->wc ? MEMTYPE_WC : MEMTYPE_UC_MINUS;
	uint8_t populated[BAR_PAGES] = {0}, gaps[BAR_PAGES] = {0};
	uint64_t cursor = 0, end = 0;
	struct piece piece;

	while (mapping_next_piece(kernel->ledger, mapping, &cursor, &piece)) {
		uint64_t page = vma->first + (piece.start - vma->start) / PAGE;

		CHECK(piece.start >= end && piece.start < piece.end && piece.end <= mapping->end);
		CHECK(piece.phys_start == BAR_2 + page * PAGE);
		end = piece.end;
		memset((piece.populated ? populated : gaps) + page, piece.type,
		       (piece.end - piece.start) / PAGE);
	}
	for (uint64_t page = vma->first; page < vma->first + vma->n; page++) {
		CHECK(populated[page] == vma->types[page]);
		CHECK(gaps[page] == (vma->types[page] || vma->sysfs ? 0 : requested));
	}
}

static void compare_vmas(struct kernel *kernel)
{
	const struct mapping *mappings[VMAS + 1];
	size_t n = ledger_list_mappings(kernel->ledger, false, 0, mappings, VMAS + 1);

	CHECK(n == counts_of(kernel->ledger).mappings);
	CHECK(n == VMAS - kernel_free_vmas(kernel));
	for (size_t i = 0; i < VMAS; i++) {
		const struct vma *vma = &kernel->vmas[i];
		const struct mapping *mapping = ledger_mapping(kernel->ledger, vma->id);
		char comm[EVENT_COMM_LEN + 1];

		if (!vma->id)
			continue;
		snprintf(comm, sizeof(comm), "name%u", kernel->names[vma->process]);
		CHECK(mapping && mapping->live && mapping->settled);
		CHECK(mapping->start == vma->start && mapping->end == vma->start + vma->n * PAGE);
		CHECK(mapping->offset_known && mapping->offset == COOKIE_2 + vma->first * PAGE);
		CHECK(mapping->phys_known && mapping->phys_start == BAR_2 + vma->first * PAGE);
		CHECK(ledger_requested(kernel->ledger, mapping) == (vma->wc ? MEMTYPE_WC : MEMTYPE_UC_MINUS));
		CHECK(vma->sysfs ? !mapping->file
				 : mapping->file && mapping->file->id == vma->file && mapping->file->live);
		CHECK(mapping->device && strcmp(mapping->device->name, "0000:00:01.0") == 0);
		CHECK(mapping->pages_known);
		compare_pages(vma, mapping);
		compare_pieces(kernel, vma, mapping);
		CHECK(mapping->owner && mapping->owner->key.tgid == kernel->tgids[vma->process]);
		CHECK(strcmp(mapping->owner->comm, comm) == 0);
	}
}

static void compare_holders(struct kernel *kernel, const struct file *file, const struct device_file *known)
{
	unsigned int n = 0;

	for (size_t process = 0; process < PROCESSES; process++)
		n += file->fds[process] > 0;
	CHECK(known->holders_known && known->n_holders == n);
	for (const struct holder *holder = known->holders; holder; holder = holder->next) {
		size_t process = 0;

		while (process < PROCESSES && kernel->tgids[process] != holder->process->key.tgid)
			process++;
		CHECK(process < PROCESSES && file->fds[process] == holder->fds);
	}
}

static size_t listed(const struct device *device)
{
	const struct mapping *mapping = device->mapping_list;
	size_t n = 0;

	for (; mapping; mapping = mapping->device_next, n++)
		CHECK(mapping->live && mapping->device == device);
	return n;
}

static void compare_files(struct kernel *kernel)
{
	const struct device *device = ledger_device_by_name(kernel->ledger, "0000:00:01.0");
	struct ledger_counts counts = counts_of(kernel->ledger);
	size_t files = 0, cookies = 0;

	for (size_t i = 0; i < FILES; i++) {
		const struct file *file = &kernel->files[i];
		const struct device_file *known = ledger_file(kernel->ledger, file->id);

		if (!file->id)
			continue;
		files++;
		CHECK(known && known->live && known->device == device);
		CHECK(!known->opener || known->opener->key.tgid == file->opener);
		compare_holders(kernel, file, known);
		for (size_t region = 0; region < REGIONS; region++) {
			const struct cookie *cookie = ledger_cookie(kernel->ledger, file->cookies[region]);

			if (!file->cookies[region])
				continue;
			cookies++;
			CHECK(cookie && cookie->live && cookie->file == known && cookie->region == region);
			CHECK(cookie->issued == file->issued[region]);
			CHECK(ledger_cookie_at(kernel->ledger, known, (region << 40) + PAGE) == cookie);
		}
	}
	CHECK(counts.files == files && counts.cookies == cookies);
	CHECK(!device || (device->files == files && device->cookies == cookies &&
			  device->mappings == counts.mappings && listed(device) == counts.mappings));
}

/* As the daemon tells what the kernel counted as lost. */
static void tell_lost(struct kernel *kernel)
{
	for (unsigned int type = 0; type < EVENT_KERNEL_TYPES; type++) {
		struct event event = at(make_event(EVENT_LOST), kernel->now);

		if (!kernel->lost_types[type])
			continue;
		event.lost.type = type;
		event.lost.count = 1;
		kernel_deliver(kernel, event);
		kernel->lost_types[type] = false;
	}
}

static void settle_and_compare(struct kernel *kernel)
{
	kernel_deliver_queue(kernel);
	tell_lost(kernel);
	if (kernel->lost)
		kernel_read_truth(kernel, 0);
	else
		kernel_tell_mappings(kernel, 0);
	kernel->lost = false;
	/* Only where it is needed: what the ledger says it knows has to be right. */
	if (ledger_pages_due(kernel->ledger))
		kernel_walk(kernel, false, 0);
	CHECK(!ledger_pages_due(kernel->ledger));
	/* No event tells of descriptors. */
	ledger_begin_reading(kernel->ledger, READING_HOLDERS);
	for (size_t i = 0; i < FILES; i++)
		if (kernel->files[i].id)
			kernel_tell_holders(kernel, &kernel->files[i]);
	kernel_close_absent(kernel, READING_HOLDERS, true);
	compare_vmas(kernel);
	compare_files(kernel);
}

static void run(enum delivery delivery)
{
	for (kernel_seed = 1; kernel_seed <= SEEDS; kernel_seed++) {
		struct kernel kernel = {.random = kernel_seed * 0x9e3779b97f4a7c15ULL, .delivery = delivery};
		/* History is kept small, so that it is turned over too. */
		const struct ledger_limits limits = {.history = 64};

		assert_int_equal(ledger_new(&kernel.ledger, MEMTYPE_ARCH_X86_64, &limits), 0);
		for (size_t i = 0; i < PROCESSES; i++)
			kernel.tgids[i] = 10 + i;
		for (kernel_step = 0; kernel_step < STEPS; kernel_step++) {
			kernel_act(&kernel);
			if (delivery == LOSSY && kernel_roll(&kernel, 16) == 0) {
				/* In the middle of it, with events still on their way. */
				kernel_read_truth(&kernel, kernel_roll(&kernel, 2) * 3);
				kernel.lost = true;
			}
			if (delivery == IN_ORDER || kernel_roll(&kernel, 4) == 0)
				settle_and_compare(&kernel);
		}
		settle_and_compare(&kernel);
		CHECK(counts_of(kernel.ledger).refused == 0);
		ledger_free(kernel.ledger);
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
