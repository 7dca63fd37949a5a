// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * check-findings: are the memory types and the findings what the page tables say?
 *
 * Every VMA of every process that maps device memory is exactly one mapping of the ledger with the same
 * requested and effective type, populated bytes and extents, and the ledger has no other; and exactly the
 * findings that follow from them, page by page over all pairs, are open. Needs the module
 * vfiowatch_test_pages (test-modules load). Exit status: 0 equal, 1 different or unusable.
 */

#include "findings.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ATTEMPTS 20 /* to find a moment in which the mappings stand still */

struct options {
	const char *mappings, *conflicts;
	bool counted;
	size_t counts[KINDS];
};

/* KIND=N[,KIND=N]..., or none; kinds that are not named have none. */
static void parse_counts(struct options *o, char *text, struct argp_state *state)
{
	o->counted = true;
	if (strcmp(text, "none") == 0)
		return;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		size_t length = strcspn(word, "=");
		char *end = word;
		int kind = 0;

		while (kind < KINDS &&
		       (strlen(kind_name(kind)) != length || strncmp(kind_name(kind), word, length) != 0))
			kind++;
		if (kind < KINDS && word[length])
			o->counts[kind] = strtoul(word + length + 1, &end, 10);
		if (end == word || end == word + length + 1 || *end)
			argp_error(state,
				   "--expect takes alias=N, promotion=N and demotion=N with commas, or none; "
				   "not '%s'",
				   word);
	}
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'm':
		o->mappings = arg;
		return 0;
	case 'c':
		o->conflicts = arg;
		return 0;
	case 'e':
		parse_counts(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!o->mappings != !o->conflicts)
			argp_error(state, "--mappings and --conflicts go together");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void read_ledger(const struct options *o, json_object **mappings, json_object **conflicts)
{
	static const char first[] = "exec vfiowatch mappings --json",
			  second[] = "exec vfiowatch conflicts --json";
	FILE *one, *two;

	if (o->mappings) {
		*mappings = ledger_read(o->mappings, NULL);
		*conflicts = ledger_read(o->conflicts, NULL);
		return;
	}
	one = ledger_start(first);
	two = ledger_start(second);
	*mappings = ledger_finish(one, first);
	*conflicts = ledger_finish(two, second);
}

/* What vfiowatch says, between two equal readings of the truth. */
static void read_all(const struct options *o, struct world *w, json_object **mappings,
		     json_object **conflicts)
{
	struct world before;

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		bool still;

		world_read(&before);
		read_ledger(o, mappings, conflicts);
		world_read(w);
		still = world_equal(&before, w);
		world_free(&before);
		if (still)
			return;
		world_free(w);
		json_object_put(*mappings);
		json_object_put(*conflicts);
	}
	die("the mappings in /proc and their pages changed during each of %d readings; hold them still",
	    MAX_ATTEMPTS);
}

static void check_counts(const struct options *o, const struct expectation *e)
{
	size_t counts[KINDS] = {0};

	for (size_t i = 0; i < e->n; i++)
		counts[e->findings[i].kind]++;
	for (int kind = 0; kind < KINDS; kind++)
		if (counts[kind] != o->counts[kind])
			differ("the page tables give %zu of kind %s, expected %zu", counts[kind],
			       kind_name(kind), o->counts[kind]);
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{"mappings", 'm', "FILE", 0, "Read the mappings from FILE, not from vfiowatch", 0},
		{"conflicts", 'c', "FILE", 0, "Read the findings from FILE, not from vfiowatch", 0},
		{"expect", 'e', "KIND=N,...", 0,
		 "There are exactly so many findings of each kind (none: of no kind)", 0},
		{0},
	};
	static const struct argp argp = {
		argp_options, parse_option, NULL, "Compare memory types and findings with the page tables.",
		NULL,         NULL,         NULL,
	};
	const char *pieces = getenv("VFIO_CLIENT_PIECES");
	json_object *mappings, *conflicts;
	struct options o = {0};
	struct expectation e;
	struct world w;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	read_all(&o, &w, &mappings, &conflicts);
	if (pieces)
		world_ask_client(&w, pieces);
	expect_findings(&w, &e);
	compare_areas(&w, mappings);
	compare_findings(&w, &e, conflicts);
	if (o.counted)
		check_counts(&o, &e);
	if (!n_differences)
		printf("check-findings: %zu mappings and %zu findings equal\n", w.n_areas, e.n);
	json_object_put(mappings);
	json_object_put(conflicts);
	expectation_free(&e);
	world_free(&w);
	return n_differences ? 1 : 0;
}
