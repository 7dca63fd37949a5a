/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_FINDING_INTERNAL_H
#define VFIOWATCH_CORE_FINDING_INTERNAL_H

/* What the files of the findings share. Their functions return 0 or -ENOMEM. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/finding.h"

#include <utlist.h>

struct tracked;

/* Physical bytes that a mapping reaches with one type. Kept by type, then by rising address, never touching.
 */
struct segment {
	uint64_t start, end;
	enum memtype type;
};

/*
 * Index: all segments of one type, of all tracked mappings, by rising start. Blocks of a sorted array, each
 * with the highest end in it, and the highest end in it and all before it.
 */
#define BLOCK_ENTRIES 128

struct index_entry {
	uint64_t start, end;
	struct tracked *owner;
};

struct index_block {
	size_t n;
	uint64_t highest_end;
	struct index_entry entries[BLOCK_ENTRIES];
};

struct segment_index {
	struct shelf {
		struct index_block *block;
		uint64_t running_end;
	} * shelves;
	size_t n, capacity;
};

/* One segment of an owner has one start: (start, owner id) is unique. */
int index_insert(struct segment_index *index, const struct segment *segment, struct tracked *owner);
void index_remove(struct segment_index *index, uint64_t start, const struct tracked *owner);
void index_clear(struct segment_index *index);

/* Called for each entry that shares a byte with the segment asked for; not 0 ends the walk and is returned.
 */
typedef int (*index_visit)(void *userdata, struct tracked *owner);
int index_overlaps(const struct segment_index *index, uint64_t start, uint64_t end, index_visit visit,
		   void *userdata);

/* A finding and what hangs on it. */
struct opened {
	struct finding finding; /* first: a finding is freed by its address */
	struct link {
		struct link *previous, *next; /* aliases of the mapping on this side; DL list */
		struct opened *opened;
	} links[2];
	struct tracked *sides[2]; /* deviation: the first only */
	uint64_t stamp;           /* evaluation that saw it last */
	struct place *place;      /* promotion, demotion: where its cause is looked for */
	struct opened *place_previous, *place_next;
};

/* The part of a mapping's truth that a cause may need, kept beyond the mapping's life: see finding_cause.c */
struct claim {
	struct party party; /* type is the one asked for */
	struct place *place;
	uint32_t region;
	uint64_t mapped_ns, closed_ns; /* 0: unknown */
	bool closed;
	uint64_t phys_start, phys_end;
	struct claim *previous, *next;               /* of the place; DL list, newest last */
	struct claim *closed_previous, *closed_next; /* of all closed ones, oldest first; DL list */
};

/* A cause that was found, kept while the device stays open. */
struct remembered {
	uint32_t region;
	struct party party;
	uint64_t phys_start, phys_end;
	struct remembered *next;
};

/* A device as findings and causes know it. */
struct place {
	char name[EVENT_NAME_LEN + 1];
	uint64_t active;           /* findings on it */
	struct opened *deviations; /* promotions and demotions, active */
	struct claim *claims;
	struct remembered *remembered;
	char driver[EVENT_NAME_LEN + 1]; /* as it was when causes were looked for last */
	unsigned int files;
	bool claims_changed;
	UT_hash_handle hh;
};

/* A live mapping, as of its last evaluation. */
struct tracked {
	uint64_t id;
	struct party party;
	char device[EVENT_NAME_LEN + 1];
	uint32_t region;
	struct segment *segments;
	size_t n_segments;
	bool indexed;        /* all segments are in the index; else none is */
	uint64_t start, end; /* the range it had */
	bool pages_known;
	bool unfinished;      /* its evaluation failed halfway */
	struct link *aliases; /* DL list */
	size_t n_aliases;
	struct opened *deviations[FINDING_KINDS]; /* promotion and demotion; NULL: none */
	bool refused[FINDING_KINDS]; /* there is one, but the limit was reached; alias: at least one */
	struct claim *claim;
	uint64_t stamp;
	struct tracked *starved_previous, *starved_next; /* list while something of it was refused */
	bool is_starved;
	UT_hash_handle hh;
};

struct findings {
	struct finding_limits limits;
	struct tracked *tracked; /* by id */
	struct segment_index index[MEMTYPE_TYPES];
	struct finding *by_id, *by_key; /* all, in order of id; active ones */
	struct finding *closed;         /* history; DL list, oldest first */
	struct place *places;           /* by name */
	struct claim *closed_claims;
	size_t n_closed, n_active, n_closed_claims;
	uint64_t named; /* last id given out */
	struct finding_counts counts;
	struct tracked *starved;
	uint64_t stamp;
	bool rescan; /* an update failed halfway: look at everything */

	/* Room that is used again and again. */
	struct tracked **candidates;
	size_t n_candidates, candidates_capacity;
	struct piece_note {
		uint64_t start, end;
		enum memtype type;
		bool populated;
	} * notes;
	size_t n_notes, notes_capacity;
	struct phys_range *ranges;
	size_t n_ranges, ranges_capacity;
};

struct update {
	struct findings *findings;
	const struct ledger *ledger;
	uint64_t now_ns;
	finding_notify notify;
	void *userdata;
};

/* Makes room for one more element in a growing array. */
int grow(void **array, size_t *capacity, size_t n, size_t size);

/* finding_range.c: pieces of a mapping into segments, and ranges that two mappings share. */
int collect_pieces(struct update *update, const struct mapping *mapping);
int make_segments(struct findings *findings, struct segment **ret, size_t *n);
int collect_deviation(struct findings *findings, enum memtype requested, enum finding_kind kind,
		      enum memtype *type);
int collect_shared(struct findings *findings, const struct tracked *a, const struct tracked *b,
		   enum memtype types[2]);
uint64_t ranges_join(struct phys_range *ranges, size_t *n);

/* finding_table.c: opening and closing. */
struct finding_draft {
	enum finding_kind kind;
	struct tracked *sides[2]; /* lower id first; the same twice for a deviation */
	enum memtype types[2];
};
struct opened *opened_find(const struct findings *findings, const struct finding_draft *draft);
int finding_put(struct update *update, const struct finding_draft *draft, bool *refused);
void finding_close(struct update *update, struct opened *opened);
void findings_clear(struct findings *findings);

/* finding_cause.c */
struct place *place_find(const struct findings *findings, const char *name);
int place_get(struct findings *findings, const char *name, struct place **ret);
void place_drop_if_empty(struct findings *findings, struct place *place);
int claim_update(struct update *update, struct tracked *tracked, const struct mapping *mapping);
int claim_note_closed(struct update *update, const struct mapping *mapping);
void claim_close(struct findings *findings, struct tracked *tracked, uint64_t closed_ns);
bool cause_find(struct update *update, struct opened *opened);
void causes_update(struct update *update);
void causes_clear(struct findings *findings);

/* What a party of a finding is, from a mapping. */
struct party party_of(const struct ledger *ledger, const struct mapping *mapping);

#endif
