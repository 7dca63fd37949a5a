/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_model.h"

unsigned int kernel_seed, kernel_step;

uint64_t kernel_roll(struct kernel *kernel, uint64_t below)
{
	kernel->random ^= kernel->random << 13;
	kernel->random ^= kernel->random >> 7;
	kernel->random ^= kernel->random << 17;
	return kernel->random % below;
}

static struct event done_by(struct kernel *kernel, struct event event, size_t process)
{
	char comm[EVENT_COMM_LEN + 1];

	snprintf(comm, sizeof(comm), "name%u", kernel->names[process]);
	event = at(by(event, kernel->tgids[process]), kernel->now);
	set_comm(&event, comm);
	return event;
}

void kernel_deliver(struct kernel *kernel, struct event event)
{
	CHECK(apply(kernel->ledger, event).kind != CHANGE_REFUSED);
}

void kernel_deliver_queue(struct kernel *kernel)
{
	while (kernel->queued > 0) {
		size_t i = kernel_roll(kernel, kernel->queued);

		kernel_deliver(kernel, kernel->queue[i]);
		kernel->queue[i] = kernel->queue[--kernel->queued];
	}
}

/* A kernel event on its way. */
static void emit(struct kernel *kernel, struct event event)
{
	if (kernel->delivery == IN_ORDER) {
		kernel_deliver(kernel, event);
		return;
	}
	if (kernel->delivery == LOSSY && kernel_roll(kernel, 8) == 0) {
		kernel->lost = kernel->lost_types[event.header.type] = true;
		return;
	}
	if (kernel->queued == QUEUE)
		kernel_deliver_queue(kernel);
	kernel->queue[kernel->queued++] = event;
}

static struct vma *free_vma(struct kernel *kernel)
{
	for (size_t i = 0; i < VMAS; i++)
		if (!kernel->vmas[i].id)
			return &kernel->vmas[i];
	return NULL;
}

size_t kernel_free_vmas(const struct kernel *kernel)
{
	size_t n = 0;

	for (size_t i = 0; i < VMAS; i++)
		n += !kernel->vmas[i].id;
	return n;
}

static struct vma *any_vma(struct kernel *kernel)
{
	size_t from = kernel_roll(kernel, VMAS);

	for (size_t i = 0; i < VMAS; i++)
		if (kernel->vmas[(from + i) % VMAS].id)
			return &kernel->vmas[(from + i) % VMAS];
	return NULL;
}

static struct file *any_file(struct kernel *kernel, size_t *process)
{
	size_t from = kernel_roll(kernel, FILES);

	*process = kernel_roll(kernel, PROCESSES);
	for (size_t i = 0; i < FILES; i++) {
		struct file *file = &kernel->files[(from + i) % FILES];

		if (file->id && file->fds[*process])
			return file;
	}
	return NULL;
}

/* The last reference goes: descriptors and VMAs hold a file. */
static void put_file(struct kernel *kernel, uint64_t id)
{
	struct file *file = NULL;

	if (!id)
		return;
	for (size_t i = 0; i < FILES; i++)
		if (kernel->files[i].id == id)
			file = &kernel->files[i];
	CHECK(file);
	for (size_t i = 0; i < PROCESSES; i++)
		if (file->fds[i])
			return;
	for (size_t i = 0; i < VMAS; i++)
		if (kernel->vmas[i].id && kernel->vmas[i].file == id)
			return;
	emit(kernel, at(file_event(EVENT_RELEASE, id), kernel->now));
	*file = (struct file){0};
}

static struct event vma_event(struct kernel *kernel, enum event_type type, const struct vma *vma)
{
	struct event event = mapping_event(type, vma->id, vma->file, vma->start, vma->first, vma->n);

	event.mapping.page_prot = vma->wc ? PROT_WC : PROT_UC;
	event.mapping.mapped_ns = vma->mapped_ns;
	if (vma->sysfs) {
		event.mapping.source = SOURCE_SYSFS;
		event.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_NO_FAULT;
		event.mapping.pci_address = FIRST_DEVICE;
	}
	return done_by(kernel, event, vma->process);
}

/* What the page tables say from page @from on, as much of it as one event can tell; returns how far that is.
 */
static uint64_t tell_pages(const struct vma *vma, uint64_t from, uint64_t to, enum event_type type,
			   struct event *ret)
{
	uint64_t at = from;

	*ret = pages_event(type, vma->id, vma->start + (from - vma->first) * PAGE, 0);
	while (at < to) {
		uint64_t end = at + 1;

		while (end < to && vma->types[end] == vma->types[at])
			end++;
		if (vma->types[at] && ret->pages.n_runs == EVENT_RUNS_MAX)
			break;
		if (vma->types[at])
			*ret = with_run(*ret, vma->start + (at - vma->first) * PAGE, at, end - at,
					vma->types[at]);
		at = end;
	}
	ret->pages.end = vma->start + (at - vma->first) * PAGE;
	return at;
}

static void end_vma(struct kernel *kernel, struct vma *vma)
{
	uint64_t file = vma->file;

	emit(kernel, done_by(kernel, mapping_event(EVENT_UNMAP, vma->id, 0, 0, 0, 0), vma->process));
	*vma = (struct vma){0};
	put_file(kernel, file);
}

/* vm_area_dup(): the event shows the original as it is at that time. */
static struct vma *copy_vma(struct kernel *kernel, const struct vma *vma)
{
	struct vma *copy = free_vma(kernel);
	struct event event = vma_event(kernel, EVENT_COPY, vma);

	*copy = *vma;
	copy->id = ++kernel->identity;
	copy->mapped_ns = kernel->now;
	event.mapping.mapping_id = copy->id;
	event.mapping.from_id = vma->id;
	if (kernel_roll(kernel, 2))
		event.mapping.start = event.mapping.end = event.mapping.flags = event.mapping.file_id = 0;
	emit(kernel, event);
	return copy;
}

static void cut_low(struct vma *vma, uint64_t pages)
{
	vma->start += pages * PAGE;
	vma->first += pages;
	vma->n -= pages;
}

/* Cuts @vma after @pages; the new VMA is either part. Returns the upper one. */
static struct vma *split_vma(struct kernel *kernel, struct vma *vma, uint64_t pages)
{
	struct vma *copy = copy_vma(kernel, vma);

	if (kernel_roll(kernel, 2)) {
		vma->n = pages;
		cut_low(copy, pages);
		return copy;
	}
	copy->n = pages;
	cut_low(vma, pages);
	return vma;
}

static void do_open(struct kernel *kernel)
{
	size_t process = kernel_roll(kernel, PROCESSES);

	for (size_t i = 0; i < FILES; i++) {
		struct file *file = &kernel->files[i];

		if (file->id)
			continue;
		file->id = ++kernel->identity;
		file->fds[process] = 1;
		file->opener = kernel->tgids[process];
		emit(kernel, done_by(kernel, file_event(EVENT_OPEN, file->id), process));
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

static void do_issue(struct kernel *kernel)
{
	size_t process, region = kernel_roll(kernel, REGIONS);
	struct file *file = any_file(kernel, &process);

	if (!file)
		return;
	if (!file->cookies[region])
		file->cookies[region] = ++kernel->identity;
	file->issued[region]++;
	emit(kernel, done_by(kernel, region_event(EVENT_COOKIE, file, region), process));
}

static void do_map(struct kernel *kernel)
{
	size_t process;
	struct file *file = any_file(kernel, &process);
	struct vma *vma = free_vma(kernel);

	if (!file || !vma)
		return;
	vma->id = ++kernel->identity;
	vma->mapped_ns = kernel->now;
	vma->file = file->id;
	vma->process = process;
	vma->first = kernel_roll(kernel, BAR_PAGES);
	vma->n = 1 + kernel_roll(kernel, BAR_PAGES - vma->first);
	vma->start = (1 + kernel_roll(kernel, 1 << 20)) * BAR_PAGES * PAGE;
	vma->wc = kernel_roll(kernel, 2);
	emit(kernel, vma_event(kernel, EVENT_MAP, vma));
}

/* All of it is populated at once, and it has no fault handler. */
static void do_map_sysfs(struct kernel *kernel)
{
	struct vma *vma = free_vma(kernel);
	struct event event;

	if (!vma)
		return;
	vma->id = ++kernel->identity;
	vma->mapped_ns = kernel->now;
	vma->process = kernel_roll(kernel, PROCESSES);
	vma->first = kernel_roll(kernel, BAR_PAGES);
	vma->n = 1 + kernel_roll(kernel, BAR_PAGES - vma->first);
	vma->start = (1 + kernel_roll(kernel, 1 << 20)) * BAR_PAGES * PAGE;
	vma->wc = kernel_roll(kernel, 2);
	vma->sysfs = true;
	memset(vma->types, vma->wc ? MEMTYPE_WC : MEMTYPE_UC_MINUS, sizeof(vma->types));
	emit(kernel, vma_event(kernel, EVENT_MAP, vma));
	CHECK(tell_pages(vma, vma->first, vma->first + vma->n, EVENT_POPULATE, &event) ==
	      vma->first + vma->n);
	emit(kernel, done_by(kernel, event, vma->process));
}

static void do_populate(struct kernel *kernel)
{
	struct vma *vma = any_vma(kernel);
	uint64_t from, to;
	uint8_t type = kernel_roll(kernel, 4) ? MEMTYPE_UC_MINUS : MEMTYPE_WC;
	struct event event;

	if (!vma || vma->sysfs)
		return;
	from = vma->first + kernel_roll(kernel, vma->n);
	to = from + 1 + kernel_roll(kernel, kernel_roll(kernel, 2) ? vma->first + vma->n - from : 1);
	for (uint64_t page = from; page < to; page++)
		if (!vma->types[page])
			vma->types[page] = type;
	/* A handler that populates one page may tell of more. */
	if (kernel_roll(kernel, 2))
		from = vma->first;
	while (from < to) {
		from = tell_pages(vma, from, to, EVENT_POPULATE, &event);
		emit(kernel, done_by(kernel, event, vma->process));
	}
}

static void do_revoke(struct kernel *kernel)
{
	uint64_t from = kernel_roll(kernel, BAR_PAGES), to = from + 1 + kernel_roll(kernel, BAR_PAGES - from);
	bool sysfs = kernel_roll(kernel, 2);

	for (size_t i = 0; i < VMAS; i++) {
		struct vma *vma = &kernel->vmas[i];

		if (!vma->id || vma->sysfs != sysfs)
			continue;
		if (sysfs)
			memset(vma->types + from, 0, to - from);
		else
			memset(vma->types, 0, sizeof(vma->types));
	}
	emit(kernel, at(sysfs ? revoke_iomem_event(from, to - from) : revoke_device_event(FIRST_DEVICE),
			kernel->now));
}

static void do_unmap(struct kernel *kernel)
{
	struct vma *vma = any_vma(kernel), *middle;
	uint64_t first, n;

	if (!vma || kernel_free_vmas(kernel) < 2)
		return;
	first = kernel_roll(kernel, vma->n);
	n = 1 + kernel_roll(kernel, vma->n - first);
	middle = first ? split_vma(kernel, vma, first) : vma;
	if (n < middle->n) {
		struct vma *upper = split_vma(kernel, middle, n);

		if (upper == middle) /* the copy got the lower part */
			for (size_t i = 0; i < VMAS; i++)
				if (kernel->vmas[i].id == kernel->identity)
					middle = &kernel->vmas[i];
	}
	end_vma(kernel, middle);
}

static void do_move(struct kernel *kernel)
{
	struct vma *vma = any_vma(kernel), *moved;

	if (!vma || !kernel_free_vmas(kernel))
		return;
	moved = copy_vma(kernel, vma);
	moved->start = (1 + kernel_roll(kernel, 1 << 20)) * BAR_PAGES * PAGE;
	end_vma(kernel, vma);
}

static void do_exit(struct kernel *kernel, size_t process)
{
	for (size_t i = 0; i < VMAS; i++)
		if (kernel->vmas[i].id && kernel->vmas[i].process == process)
			end_vma(kernel, &kernel->vmas[i]);
	for (size_t i = 0; i < FILES; i++) {
		if (!kernel->files[i].id || !kernel->files[i].fds[process])
			continue;
		kernel->files[i].fds[process] = 0;
		put_file(kernel, kernel->files[i].id);
	}
	kernel->tgids[process] = 100 + ++kernel->identity;
}

static void do_fork(struct kernel *kernel)
{
	size_t parent = kernel_roll(kernel, PROCESSES), child = (parent + 1) % PROCESSES, n = 0;

	for (size_t i = 0; i < VMAS; i++)
		n += kernel->vmas[i].id && kernel->vmas[i].process == parent;
	if (!n || n > VMAS / 6)
		return;
	do_exit(kernel, child);
	if (kernel_free_vmas(kernel) < n)
		return;
	for (size_t i = 0; i < VMAS; i++) {
		/* What was copied already belongs to the child. */
		if (!kernel->vmas[i].id || kernel->vmas[i].process != parent)
			continue;
		copy_vma(kernel, &kernel->vmas[i])->process = child;
	}
	for (size_t i = 0; i < FILES; i++)
		kernel->files[i].fds[child] = kernel->files[i].fds[parent];
	kernel->names[child] = kernel->names[parent];
}

static void do_descriptors(struct kernel *kernel)
{
	size_t process;
	struct file *file = any_file(kernel, &process);

	if (!file)
		return;
	switch (kernel_roll(kernel, 3)) {
	case 0:
		file->fds[process]++;
		break;
	case 1:
		file->fds[kernel_roll(kernel, PROCESSES)]++;
		break;
	default:
		file->fds[process]--;
		put_file(kernel, file->id);
	}
}

void kernel_act(struct kernel *kernel)
{
	kernel->now++;
	switch (kernel_roll(kernel, 24)) {
	case 0:
	case 1:
		do_open(kernel);
		break;
	case 2:
	case 3:
	case 4:
		do_issue(kernel);
		break;
	case 5:
	case 6:
	case 7:
		do_map(kernel);
		break;
	case 8:
	case 9:
	case 10:
		do_unmap(kernel);
		break;
	case 11:
		do_move(kernel);
		break;
	case 12:
		do_fork(kernel);
		break;
	case 13:
		if (kernel_roll(kernel, 4) == 0)
			do_exit(kernel, kernel_roll(kernel, PROCESSES));
		break;
	case 14:
		do_descriptors(kernel);
		break;
	case 15:
		do_map_sysfs(kernel);
		break;
	case 16:
	case 17:
	case 18:
	case 19:
	case 20:
	case 21:
		do_populate(kernel);
		break;
	case 22:
		if (kernel_roll(kernel, 2))
			do_revoke(kernel);
		break;
	default:
		kernel->names[kernel_roll(kernel, PROCESSES)]++;
	}
}

void kernel_tell_mappings(struct kernel *kernel, unsigned int omit)
{
	for (size_t i = 0; i < VMAS; i++)
		if (kernel->vmas[i].id && (!omit || kernel_roll(kernel, omit)))
			kernel_deliver(kernel, vma_event(kernel, EVENT_MAPPING, &kernel->vmas[i]));
}

void kernel_walk(struct kernel *kernel, bool all, unsigned int omit)
{
	for (size_t i = 0; i < VMAS; i++) {
		const struct vma *vma = &kernel->vmas[i];
		const struct mapping *mapping = ledger_mapping(kernel->ledger, vma->id);
		uint64_t from = vma->first, end = vma->first + vma->n;

		if (!vma->id || (omit && !kernel_roll(kernel, omit)) ||
		    (!all && mapping && mapping->pages_known))
			continue;
		while (from < end) {
			uint64_t to =
				kernel_roll(kernel, 2) ? end : from + 1 + kernel_roll(kernel, end - from);
			struct event event;

			from = tell_pages(vma, from, to, EVENT_PAGES, &event);
			kernel_deliver(kernel, at(event, kernel->now));
		}
	}
}

void kernel_tell_holders(struct kernel *kernel, const struct file *file)
{
	for (size_t process = 0; process < PROCESSES; process++)
		if (file->fds[process])
			kernel_deliver(kernel, done_by(kernel, holder_event(file->id, 0, file->fds[process]),
						       process));
}

void kernel_close_absent(struct kernel *kernel, enum reading what, bool quiet)
{
	struct event event;

	while (ledger_next_absent(kernel->ledger, what, quiet, kernel->now, &event))
		kernel_deliver(kernel, event);
}

void kernel_read_truth(struct kernel *kernel, unsigned int omit)
{
	static const enum reading order[] = {READING_MAPPINGS, READING_FILES, READING_COOKIES,
					     READING_HOLDERS};

	for (size_t n = 0; n < 4; n++) {
		ledger_begin_reading(kernel->ledger, order[n]);
		if (order[n] == READING_MAPPINGS)
			kernel_tell_mappings(kernel, omit);
		for (size_t i = 0; i < FILES; i++) {
			struct file *file = &kernel->files[i];

			if (!file->id || (omit && !kernel_roll(kernel, omit)))
				continue;
			if (order[n] == READING_FILES)
				kernel_deliver(kernel, file_event(EVENT_FILE, file->id));
			for (size_t region = 0; order[n] == READING_COOKIES && region < REGIONS; region++)
				if (file->cookies[region])
					kernel_deliver(kernel, region_event(EVENT_COOKIE_LIVE, file, region));
			if (order[n] == READING_HOLDERS)
				kernel_tell_holders(kernel, file);
		}
		kernel_close_absent(kernel, order[n], !omit);
	}
	if (omit)
		kernel_walk(kernel, true, omit);
}
