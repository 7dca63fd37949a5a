/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIO_ORACLE_FINDINGS_H
#define VFIO_ORACLE_FINDINGS_H

/*
 * check-findings: what the memory types of all mappings of device memory are, and which of them are at odds,
 * worked out from /proc, sysfs and the page tables. It shares no code with the product on purpose.
 */

#include "../oracle.h"

#define PAGE 4096ULL

/* Of where the mapping comes from; names of the JSON contract. */
enum source { SOURCE_NONE, SOURCE_VFIO, SOURCE_DMABUF, SOURCE_SYSFS, SOURCE_DEVMEM, SOURCE_OTHER };

/* An entry of the page tables, or several that are equal and contiguous. */
struct leaf {
	uint64_t start, end, phys, size;
	unsigned type; /* of type_name() */
};

/* A VMA that maps device memory. */
struct area {
	pid_t pid;    /* the first process found with this address space */
	pid_t reader; /* a thread that still has it */
	enum source source;
	uint64_t start, end;
	uint64_t column;          /* the offset column of /proc/PID/maps, bytes */
	char device[DEVICE_SIZE]; /* as far as the file name or the client tells; else empty */
	bool dmabuf_revoked;
	unsigned requested; /* what vm_page_prot asks for; of type_name() */
	bool can_fault;
	struct leaf *leaves;
	size_t n_leaves;
	int64_t id; /* of the JSON mapping that is this one; -1: none was found */
};

struct address_space {
	pid_t pid, first; /* the first process that has the same one; most often pid itself */
};

struct world {
	struct bar *bars; /* of every PCI device */
	size_t n_bars;
	struct address_space *spaces; /* of processes that have areas */
	size_t n_spaces;
	struct area *areas;
	size_t n_areas;
	bool torn; /* it changed while it was read */
};

enum kind { KIND_ALIAS, KIND_PROMOTION, KIND_DEMOTION, KINDS };

struct expected_finding {
	enum kind kind;
	size_t areas[2];   /* the same twice but for an alias */
	unsigned types[2]; /* 1 << type of each type at the bytes concerned */
	uint64_t *pages;   /* physical, rising */
	size_t n_pages;
	bool matched;
};

struct expectation {
	struct expected_finding *findings;
	size_t n;
};

/* world.c: /proc/PID/maps and sysfs; tables.c: page tables */
void world_read(struct world *w);
void world_free(struct world *w);
bool world_equal(const struct world *a, const struct world *b);
void world_ask_client(struct world *w, const char *path);
bool tables_read(struct area *a);
const struct bar *bar_at(const struct world *w, uint64_t phys);
const char *source_name(enum source source);

/* types.c */
const char *type_name(unsigned type);
unsigned type_of_pat(unsigned index);
int type_class(unsigned type);
const char *kind_name(enum kind kind);

/* expect.c */
bool area_layout(const struct world *w, const struct area *a, uint64_t *ret_phys);
bool area_revoked(const struct area *a);
void expect_findings(const struct world *w, struct expectation *e);
void expectation_free(struct expectation *e);

/* mappings.c, conflicts.c: against the JSON */
void compare_areas(struct world *w, json_object *mappings);
void compare_findings(const struct world *w, struct expectation *e, json_object *conflicts);

#endif
