/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_FINDING_WORLD_H
#define VFIOWATCH_TESTS_FINDING_WORLD_H

/*
 * A naive oracle of findings: all pairs of mappings compared page by page. It knows which page of which
 * mapping reaches what because the test makes it so; it shares no code with daemon/core.
 */
#include "events.h"

#include "core/finding.h"
#include "core/model.h"

#define MAPPINGS_MAX 200
#define PAGES        192 /* of all BARs: bits of a struct set */
#define SET_WORDS    (PAGES / 64)
#define VMA_MAX      24
#define PHYS(page)   (BAR_2 + (uint64_t)(page)*PAGE)

/* Physical pages, one bit each. */
struct set {
	uint64_t words[SET_WORDS];
};

struct bar {
	uint64_t address; /* of the device */
	const char *name;
	uint32_t region;
	unsigned int first, n;
	bool write_combining; /* what the next cookie asks for */
};

/* One VMA. */
struct vma {
	uint64_t id;
	uint32_t tgid;
	enum mapping_source source;
	enum memtype asked;
	unsigned int bar, n;
	uint64_t start;
	bool layout_known, no_fault;
	unsigned int phys[VMA_MAX];  /* page each one reaches, or would */
	enum memtype entry[VMA_MAX]; /* MEMTYPE_UNKNOWN: not populated */
	/* What follows from it: */
	struct set reached, has[MEMTYPE_TYPES], foes[MEMTYPE_TYPES], stronger, weaker;
};

struct world {
	struct model model;
	struct bar bars[4];
	struct vma vmas[MAPPINGS_MAX];
	unsigned int n;
	uint64_t ids, now, sequence, addresses;
	uint64_t random;
	unsigned int seed;
	size_t limit;
	uint64_t opened, closed;
	unsigned int most;
	uint64_t conflicts, refused; /* met in all */
	bool out_of_memory;          /* some allocations of findings_update() fail */
	uint64_t failed;
};

#define EXPECT(world, condition)                                                                             \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			fail_msg("seed %u, step at %llu: %s", (world)->seed,                                 \
				 (unsigned long long)(world)->now, #condition);                              \
	} while (0)

/* The model's findings are exactly those that follow from the VMAs; with a limit, as many of them as it
 * allows. */
void world_check(struct world *world);

/* A finding_notify that counts; @userdata is the world. */
void world_hear(void *userdata, enum finding_change_kind what, const struct finding *finding);

#endif
