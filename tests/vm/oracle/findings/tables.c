// SPDX-License-Identifier: GPL-2.0-or-later

/* The page tables of one VMA, and what it asks for, as the test module reads them (tests/kmod/pages.c). */

#include "findings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGES_FILE "/proc/vfiowatch-test-pages"

static FILE *open_pages(const struct area *a)
{
	int fd = open(PAGES_FILE, O_RDWR | O_CLOEXEC);
	FILE *f;

	if (fd < 0)
		die("%s: %m (run test-modules load)", PAGES_FILE);
	if (dprintf(fd, "%d %" PRIx64 " %" PRIx64, a->reader, a->start, a->end) < 0) {
		if (errno != ESRCH)
			die("%s: of process %d: %m", PAGES_FILE, a->reader);
		close(fd);
		return NULL;
	}
	f = fdopen(fd, "r");
	if (!f)
		die("%s: %m", PAGES_FILE);
	return f;
}

static void add_leaf(struct area *a, const struct leaf *leaf)
{
	a->leaves = grow(a->leaves, a->n_leaves, sizeof(*a->leaves));
	a->leaves[a->n_leaves++] = *leaf;
}

/* False: the VMA is not what it was in /proc. */
bool tables_read(struct area *a)
{
	FILE *f = open_pages(a);
	bool found = false;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		uint64_t start, end;
		struct leaf leaf;
		unsigned pat;
		int fault;

		if (sscanf(line, "VMA %" SCNx64 " %" SCNx64 " %x %d", &start, &end, &pat, &fault) == 4) {
			if (found || start != a->start || end != a->end)
				break;
			found = true;
			a->requested = type_of_pat(pat);
			a->can_fault = fault;
		} else if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %x", &leaf.start,
				  &leaf.end, &leaf.phys, &leaf.size, &pat) == 5) {
			leaf.type = type_of_pat(pat);
			add_leaf(a, &leaf);
		} else
			die("%s: '%s' is no line of it", PAGES_FILE, line);
	}
	if (!f)
		return false;
	found = found && feof(f);
	fclose(f);
	return found;
}
