// SPDX-License-Identifier: GPL-2.0-or-later

/* What the page tables say of a mapping, as the test module reads them (tests/kmod/pages.c). */

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PAGES_FILE "/proc/vfiowatch-test-pages"

/* By PAT index, as Linux programs the x86 PAT; index 8 is ours. */
static const char *const type_names[] = {"wb", "wc", "uc-", "uc", "wb", "wp", "uc-", "wt", "unpopulated"};
#define UNPOPULATED 8

/* Equal pages. offset counts as in struct piece. */
struct leaves {
	uint64_t offset, length;
	uint64_t phys, leaf; /* 0 when unpopulated */
	unsigned type;       /* of type_names */
};

typedef int leaves_fn(struct client *c, const struct leaves *leaves, void *data);

static int open_pages(struct client *c, const struct piece *p, FILE **ret)
{
	uint64_t start = (uintptr_t)p->address;
	int fd = open(PAGES_FILE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail(c, errno, "open %s (test-modules load)", PAGES_FILE);
	if (dprintf(fd, "%d %" PRIx64 " %" PRIx64, getpid(), start, start + p->length) < 0) {
		int error = errno;

		close(fd);
		return fail(c, error, "write to %s", PAGES_FILE);
	}
	*ret = fdopen(fd, "r");
	return *ret ? 0 : fail(c, ENOMEM, "read %s", PAGES_FILE);
}

static int tell_gap(struct client *c, const struct piece *p, uint64_t from, uint64_t to, leaves_fn *tell,
		    void *data)
{
	uint64_t start = (uintptr_t)p->address;
	struct leaves gap = {p->offset + (from - start), to - from, 0, 0, UNPOPULATED};

	return from < to ? tell(c, &gap, data) : 0;
}

/* The lines that begin with VMA are not about pages. */
static bool next_leaves(FILE *pages, uint64_t *from, uint64_t *to, struct leaves *ret)
{
	char line[128];

	while (fgets(line, sizeof(line), pages))
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %x", from, to, &ret->phys,
			   &ret->leaf, &ret->type) == 5)
			return true;
	return false;
}

static int piece_leaves(struct client *c, const struct piece *p, leaves_fn *tell, void *data)
{
	uint64_t start = (uintptr_t)p->address, done = start, from, to;
	struct leaves leaves;
	FILE *pages;
	int r = open_pages(c, p, &pages);

	if (r < 0)
		return r;
	while (r == 0 && next_leaves(pages, &from, &to, &leaves)) {
		leaves.offset = p->offset + (from - start);
		leaves.length = to - from;
		leaves.type %= UNPOPULATED;
		r = tell_gap(c, p, done, from, tell, data);
		if (r == 0)
			r = tell(c, &leaves, data);
		done = to;
	}
	fclose(pages);
	return r < 0 ? r : tell_gap(c, p, done, start + p->length, tell, data);
}

static int map_leaves(struct client *c, const struct map *m, uint64_t offset, uint64_t length,
		      leaves_fn *tell, void *data)
{
	struct piece p;
	size_t cursor = 0;
	int r = 0;

	while (r == 0 && pieces_next(m, offset, length, &cursor, &p))
		r = piece_leaves(c, &p, tell, data);
	return r;
}

static int print_leaves(struct client *c, const struct leaves *l, void *data)
{
	(void)c;
	(void)data;
	printf("0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " %s\n", l->offset, l->length, l->phys,
	       l->leaf, type_names[l->type]);
	return 0;
}

int cmd_pages(struct client *c, int argc, char **argv)
{
	uint64_t offset, length;
	struct map *m;
	int r = map_get(c, argv[0], &m);

	if (r == 0)
		r = mapping_range(c, m, argc, argv, &offset, &length);
	if (r == 0)
		r = map_leaves(c, m, offset, length, print_leaves, NULL);
	fflush(stdout);
	return r;
}

/* Types in ascending order, neighbours that are equal as one. */
struct seen {
	size_t n;
	struct {
		const char *type;
		uint64_t length;
	} runs[MAX_PIECES];
};

static int see_leaves(struct client *c, const struct leaves *l, void *data)
{
	struct seen *seen = data;
	const char *type = type_names[l->type];

	if (seen->n == 0 || strcmp(seen->runs[seen->n - 1].type, type) != 0) {
		if (seen->n == MAX_PIECES)
			return wrong(c, "expect-types: more than %d changes of type", MAX_PIECES);
		seen->runs[seen->n++].type = type;
		seen->runs[seen->n - 1].length = 0;
	}
	seen->runs[seen->n - 1].length += l->length;
	return 0;
}

static bool is_type(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (strlen(type_names[i]) == length && strncmp(type_names[i], text, length) == 0)
			return true;
	return false;
}

/* TYPE or TYPE:LENGTH */
static int run_is(struct client *c, const char *expected, const char *type, uint64_t length, bool *ret)
{
	size_t n = strcspn(expected, ":");
	uint64_t wanted = length;
	int r = 0;

	if (!is_type(expected, n))
		return wrong(c, "expect-types: '%s' is no memory type", expected);
	if (expected[n])
		r = parse_number(c, "length", expected + n + 1, &wanted);
	*ret = strlen(type) == n && strncmp(type, expected, n) == 0 && wanted == length;
	return r;
}

static int report_seen(struct client *c, const struct map *m, const struct seen *seen)
{
	char text[TEXT_SIZE - 128] = "";
	size_t used = 0;

	for (size_t i = 0; i < seen->n && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s:0x%" PRIx64,
					 seen->runs[i].type, seen->runs[i].length);
	wrong(c, "expect-types: %s has%s", m->name, seen->n ? text : " no pages there");
	return -EIO;
}

int cmd_expect_types(struct client *c, int argc, char **argv)
{
	bool ranged = argv[1][0] >= '0' && argv[1][0] <= '9', same;
	int first = ranged ? 3 : 1, r;
	uint64_t offset, length;
	struct seen seen = {0};
	struct map *m;

	r = map_get(c, argv[0], &m);
	if (r < 0)
		return r;
	if (argc <= first)
		return wrong(c, "expect-types: no TYPE");
	r = mapping_range(c, m, first, argv, &offset, &length);
	if (r == 0)
		r = map_leaves(c, m, offset, length, see_leaves, &seen);
	same = seen.n == (size_t)(argc - first);
	for (size_t i = 0; r == 0 && same && i < seen.n; i++)
		r = run_is(c, argv[first + (int)i], seen.runs[i].type, seen.runs[i].length, &same);
	return r < 0 || same ? r : report_seen(c, m, &seen);
}

struct place {
	const struct map *map;
	uint64_t phys; /* where byte 0 of the mapping has to be */
	uint64_t seen; /* bytes */
};

static int check_place(struct client *c, const struct leaves *l, void *data)
{
	struct place *place = data;

	if (l->type == UNPOPULATED)
		return 0;
	place->seen += l->length;
	if (l->phys == place->phys + l->offset)
		return 0;
	wrong(c, "expect-place: %s has 0x%" PRIx64 " at offset 0x%" PRIx64 ", not 0x%" PRIx64,
	      place->map->name, l->phys, l->offset, place->phys + l->offset);
	return -EIO;
}

int cmd_expect_place(struct client *c, int argc, char **argv)
{
	struct place place = {0};
	uint64_t offset;
	struct map *m;
	int r = map_get(c, argv[0], &m);

	(void)argc;
	if (r == 0)
		r = bar_start(c, argv[1], argv[2], &place.phys);
	if (r == 0)
		r = parse_number(c, "offset", argv[3], &offset);
	if (r < 0)
		return r;
	place.phys += offset;
	place.map = m;
	r = map_leaves(c, m, 0, m->length, check_place, &place);
	if (r < 0 || place.seen)
		return r;
	wrong(c, "expect-place: %s has no populated page", m->name);
	return -EIO;
}
