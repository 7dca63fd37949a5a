// SPDX-License-Identifier: GPL-2.0-or-later

/* Commands on mappings. */

#include "client.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_SIZE (2UL << 20)

static int new_map(struct client *c, const char *name, struct map **ret)
{
	int r = check_name(c, name);
	struct map *m;

	if (r < 0)
		return r;
	if (map_find(c, name))
		return wrong(c, "mapping '%s' exists already", name);
	m = calloc(1, sizeof(*m));
	if (!m)
		return fail(c, ENOMEM, "mapping %s", name);
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->region = -1;
	*ret = m;
	return 0;
}

static void forget_when_empty(struct map *m)
{
	if (m->n_pieces == 0) {
		LIST_REMOVE(m, link);
		free(m);
	}
}

/* Maps and names the result; m is freed when that fails. */
static int map_file(struct client *c, struct map *m, void *where, int prot, int fd)
{
	void *address =
		where ? mmap(where, m->length, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)m->file_offset)
		      : abi_mmap(c, m->length, prot, MAP_SHARED, fd, m->file_offset);
	struct piece whole = {0, m->length, m->file_offset, address};
	int r;

	if (address == MAP_FAILED) {
		r = fail(c, errno, "mmap %s of 0x%llx bytes at file offset 0x%llx", m->name,
			 (unsigned long long)m->length, (unsigned long long)m->file_offset);
		free(m);
		return r;
	}
	LIST_INSERT_HEAD(&c->maps, m, link);
	r = pieces_add(c, m, &whole);
	if (r == 0)
		r = set_address(c, "ADDR_", m->name, (uintptr_t)address);
	return r < 0 ? r : answer(c, "%s 0x%lx", m->name, (unsigned long)(uintptr_t)address);
}

/* The kernel maps whole pages; a piece is what it maps. */
static uint64_t page_align(uint64_t length)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (length + page - 1) & ~(page - 1);
}

/* Where in the file, and how much, as the region information issued it. */
static int place_in_region(struct client *c, struct map *m, struct file *f, const char *region,
			   const char *offset, const char *length)
{
	uint64_t index, start = 0;
	struct region info;
	int r;

	r = parse_number(c, "region", region, &index);
	if (r < 0)
		return r;
	r = vfio_region_cached(c, f, (uint32_t)index, &info);
	if (r < 0)
		return r;
	if (offset && (r = parse_number(c, "offset", offset, &start)) < 0)
		return r;
	m->length = info.size > start ? info.size - start : 0;
	if (length && (r = parse_number(c, "length", length, &m->length)) < 0)
		return r;
	m->length = page_align(m->length);
	m->region = (int)index;
	m->file_offset = info.offset + start;
	memcpy(m->device, f->device, sizeof(m->device));
	return 0;
}

static bool take_protection(int *argc, char **argv, int *prot)
{
	const char *last = *argc > 0 ? argv[*argc - 1] : "";

	if (strcmp(last, "rw") == 0)
		*prot = PROT_READ | PROT_WRITE;
	else if (strcmp(last, "ro") == 0)
		*prot = PROT_READ;
	else if (strcmp(last, "none") == 0)
		*prot = PROT_NONE;
	else
		return false;
	(*argc)--;
	return true;
}

static void *reserve(size_t length)
{
	return mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Where a leaf of 2 MiB begins in the file it begins in memory as well. NULL: there is no room. */
static void *huge_place(const struct map *m)
{
	size_t room = m->length + HUGE_SIZE, before;
	uint8_t *start = reserve(room);

	if ((void *)start == MAP_FAILED)
		return NULL;
	before = (size_t)(m->file_offset - (uintptr_t)start) % HUGE_SIZE;
	if (before)
		munmap(start, before);
	munmap(start + before + m->length, room - before - m->length);
	return start + before;
}

static int map_region(struct client *c, int argc, char **argv, bool huge)
{
	int prot = PROT_READ | PROT_WRITE, r;
	void *where = NULL;
	struct file *f;
	struct map *m;

	take_protection(&argc, argv, &prot);
	if (argc < 3 || argc > 5)
		return wrong(c, "mmap: usage: mmap MAP NAME REGION [OFFSET [LENGTH]] [rw|ro]");
	r = device_get(c, argv[1], &f);
	if (r < 0)
		return r;
	r = new_map(c, argv[0], &m);
	if (r < 0)
		return r;
	r = place_in_region(c, m, f, argv[2], argc > 3 ? argv[3] : NULL, argc > 4 ? argv[4] : NULL);
	if (r == 0 && huge && !(where = huge_place(m)))
		r = fail(c, errno, "reserve 0x%llx bytes", (unsigned long long)m->length);
	if (r < 0) {
		free(m);
		return r;
	}
	return map_file(c, m, where, prot, f->fd);
}

int cmd_mmap(struct client *c, int argc, char **argv)
{
	return map_region(c, argc, argv, false);
}

int cmd_mmap_huge(struct client *c, int argc, char **argv)
{
	return map_region(c, argc, argv, true);
}

int cmd_mmap_raw(struct client *c, int argc, char **argv)
{
	int prot = PROT_READ | PROT_WRITE, r;
	uint64_t offset, length;
	struct file *f;
	struct map *m;

	take_protection(&argc, argv, &prot);
	if (argc != 4)
		return wrong(c, "mmap-raw: usage: mmap-raw MAP NAME FILEOFFSET LENGTH [rw|ro]");
	r = file_get(c, argv[1], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "file offset", argv[2], &offset);
	if (r < 0)
		return r;
	r = parse_number(c, "length", argv[3], &length);
	if (r < 0)
		return r;
	r = new_map(c, argv[0], &m);
	if (r < 0)
		return r;
	m->file_offset = offset;
	m->length = page_align(length);
	memcpy(m->device, f->device, sizeof(m->device));
	return map_file(c, m, NULL, prot, f->fd);
}

/* The one piece that has all of [offset, offset + length). */
static int whole_piece(struct client *c, const struct map *m, const char *offset, const char *length,
		       struct piece *ret)
{
	uint64_t from, size;
	size_t cursor = 0;
	int r;

	r = parse_number(c, "offset", offset, &from);
	if (r < 0)
		return r;
	r = parse_number(c, "length", length, &size);
	if (r < 0)
		return r;
	if (size == 0 || !pieces_next(m, from, size, &cursor, ret) || ret->offset != from ||
	    ret->length != size)
		return wrong(c, "%s: %s bytes at %s are not in one piece", m->name, length, offset);
	return 0;
}

static int map_anonymous(struct client *c, struct map *m, void *where)
{
	void *p = mmap(where, m->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0);
	struct piece whole = {0, m->length, 0, p};
	int r;

	if (p == MAP_FAILED) {
		r = fail(c, errno, "mmap %s", m->name);
		free(m);
		return r;
	}
	LIST_INSERT_HEAD(&c->maps, m, link);
	return pieces_add(c, m, &whole);
}

int cmd_mmap_fixed(struct client *c, int argc, char **argv)
{
	struct map *over, *m;
	struct file *f = NULL;
	struct piece p;
	int r;

	r = map_get(c, argv[1], &over);
	if (r < 0)
		return r;
	r = whole_piece(c, over, argv[2], argv[3], &p);
	if (r < 0)
		return r;
	if (argc == 5 ? strcmp(argv[4], "anon") != 0 : argc != 7)
		return wrong(c, "mmap-fixed: after LENGTH say anon, or NAME REGION OFFSET");
	if (argc == 7 && (r = device_get(c, argv[4], &f)) < 0)
		return r;
	r = new_map(c, argv[0], &m);
	if (r < 0)
		return r;
	if (f && (r = place_in_region(c, m, f, argv[5], argv[6], argv[3])) < 0) {
		free(m);
		return r;
	}
	m->length = p.length;
	r = f ? map_file(c, m, p.address, PROT_READ | PROT_WRITE, f->fd) : map_anonymous(c, m, p.address);
	if (r < 0)
		return r;
	r = pieces_cut(c, over, p.offset, p.length);
	forget_when_empty(over);
	return r;
}

/* [OFFSET LENGTH] of argv[1], argv[2]; all of the mapping without them. */
int mapping_range(struct client *c, const struct map *m, int argc, char **argv, uint64_t *offset,
		  uint64_t *length)
{
	int r;

	*offset = 0;
	*length = m->length;
	if (argc < 3)
		return argc == 1 ? 0 : wrong(c, "%s: OFFSET needs a LENGTH", m->name);
	r = parse_number(c, "offset", argv[1], offset);
	return r < 0 ? r : parse_number(c, "length", argv[2], length);
}

int cmd_munmap(struct client *c, int argc, char **argv)
{
	uint64_t offset, length;
	struct piece p;
	struct map *m;
	size_t i = 0;
	int r;

	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	r = mapping_range(c, m, argc, argv, &offset, &length);
	if (r < 0)
		return r;
	while (pieces_next(m, offset, length, &i, &p))
		if (munmap(p.address, p.length) < 0)
			return fail(c, errno, "munmap %s of 0x%llx bytes", m->name,
				    (unsigned long long)p.length);
	if (i == 0)
		return wrong(c, "munmap: nothing of %s is there", m->name);
	r = pieces_cut(c, m, offset, length);
	forget_when_empty(m);
	return r;
}

int cmd_mremap(struct client *c, int argc, char **argv)
{
	void *target = NULL, *result;
	struct piece p;
	struct map *m;
	uint64_t length;
	int r;

	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	r = whole_piece(c, m, argv[1], argv[2], &p);
	if (r < 0)
		return r;
	r = parse_number(c, "length", argv[3], &length);
	if (r < 0)
		return r;
	if (argc == 5 && strcmp(argv[4], "move") != 0)
		return wrong(c, "mremap: '%s' must be move", argv[4]);
	if (argc == 5) {
		target = reserve(length);
		if (target == MAP_FAILED)
			return fail(c, errno, "reserve 0x%llx bytes", (unsigned long long)length);
	}
	result = mremap(p.address, p.length, length, target ? MREMAP_MAYMOVE | MREMAP_FIXED : 0, target);
	if (result == MAP_FAILED) {
		r = fail(c, errno, "mremap %s", m->name);
		if (target)
			munmap(target, length);
		return r;
	}
	r = pieces_cut(c, m, p.offset, p.length);
	p.length = length;
	p.address = result;
	if (r == 0)
		r = pieces_add(c, m, &p);
	return r < 0 ? r : answer(c, "%s 0x%lx", m->name, (unsigned long)(uintptr_t)result);
}

int cmd_mprotect(struct client *c, int argc, char **argv)
{
	uint64_t offset, length;
	struct piece p;
	struct map *m;
	size_t i = 0;
	int prot, r;

	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	if (!take_protection(&argc, argv, &prot))
		return wrong(c, "mprotect: '%s' must be ro, rw or none", argv[argc - 1]);
	r = mapping_range(c, m, argc, argv, &offset, &length);
	if (r < 0)
		return r;
	while (pieces_next(m, offset, length, &i, &p))
		if (mprotect(p.address, p.length, prot) < 0)
			return fail(c, errno, "mprotect %s", m->name);
	return 0;
}

static sigjmp_buf touch_failed;

static void on_touch_signal(int signal)
{
	siglongjmp(touch_failed, signal);
}

/* Reads one u32 of each page of the piece; returns the signal that this raised, or 0. */
static int touch_piece(const struct piece *p)
{
	long page = sysconf(_SC_PAGESIZE);
	int signal = sigsetjmp(touch_failed, 1);

	if (signal)
		return signal;
	for (uint64_t i = 0; i < p->length; i += (uint64_t)page)
		(void)*(volatile uint32_t *)(p->address + i);
	return 0;
}

int cmd_touch(struct client *c, int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_touch_signal}, old_bus, old_segv;
	uint64_t offset, length;
	int signal = 0, r;
	struct piece p;
	struct map *m;
	size_t i = 0;

	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	r = mapping_range(c, m, argc, argv, &offset, &length);
	if (r < 0)
		return r;
	sigaction(SIGBUS, &action, &old_bus);
	sigaction(SIGSEGV, &action, &old_segv);
	while (!signal && pieces_next(m, offset, length, &i, &p))
		signal = touch_piece(&p);
	sigaction(SIGBUS, &old_bus, NULL);
	sigaction(SIGSEGV, &old_segv, NULL);
	return signal ? fail(c, EFAULT, "touch %s: SIG%s", m->name, sigabbrev_np(signal)) : 0;
}

int cmd_remap_file_pages(struct client *c, int argc, char **argv)
{
	long page = sysconf(_SC_PAGESIZE);
	uint64_t to;
	struct piece p;
	struct map *m;
	int r;

	(void)argc;
	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	r = whole_piece(c, m, argv[1], argv[2], &p);
	if (r < 0)
		return r;
	r = parse_number(c, "new offset", argv[3], &to);
	if (r < 0)
		return r;
	if (abi_remap_file_pages(c, p.address, p.length, (m->file_offset + to) / (uint64_t)page) < 0)
		return fail(c, errno, "remap_file_pages of %s", m->name);
	r = pieces_cut(c, m, p.offset, p.length);
	p.file_offset = m->file_offset + to;
	return r < 0 ? r : pieces_add(c, m, &p);
}

int cmd_expect_denied(struct client *c, int argc, char **argv)
{
	uint64_t offset, length, attempts = 0;
	struct file *f;
	int r = file_get(c, argv[1], &f);

	(void)argc;
	if (r == 0)
		r = parse_number(c, "file offset", argv[2], &offset);
	if (r == 0)
		r = parse_number(c, "length", argv[3], &length);
	if (r < 0)
		return r;
	do {
		void *p = abi_mmap(c, length, PROT_READ, MAP_SHARED, f->fd, offset);

		if (p != MAP_FAILED || errno != EPERM)
			return fail(c, p == MAP_FAILED ? errno : EEXIST, "attempt %llu to map %s",
				    (unsigned long long)attempts, f->name);
		attempts++;
		/* Each is a record that somebody has to write, which takes an emulated CPU milliseconds. */
		usleep(10000);
	} while (access(argv[0], F_OK) < 0);
	printf("denied %llu times\n", (unsigned long long)attempts);
	fflush(stdout);
	return answer(c, "denied %llu times", (unsigned long long)attempts);
}

int cmd_maps(struct client *c, int argc, char **argv)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	(void)argc;
	(void)argv;
	if (!maps)
		return fail(c, errno, "open /proc/self/maps");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "vfio-device") || strstr(line, "/dev/vfio/") || strstr(line, "dmabuf") ||
		    strstr(line, "/resource"))
			printf("%d %s", getpid(), line);
	fclose(maps);
	fflush(stdout);
	return 0;
}
