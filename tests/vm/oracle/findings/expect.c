// SPDX-License-Identifier: GPL-2.0-or-later

/* What must be found: every page of every mapping against every other one, one page at a time. */

#include "findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One page that a mapping reaches, or would reach when it is touched. */
struct reach {
	uint64_t phys;
	size_t area;
	unsigned type;
	bool populated;
};

struct reaches {
	struct reach *items;
	size_t n;
};

bool area_revoked(const struct area *a)
{
	return a->dmabuf_revoked || (!a->can_fault && a->n_leaves == 0);
}

/* The device of a mapping whose file does not tell it; empty: nothing does. */
static const char *device_of(const struct world *w, const struct area *a)
{
	const struct bar *bar = a->n_leaves ? bar_at(w, a->leaves[0].phys) : NULL;

	return bar ? bar->device : a->device;
}

/* The BAR page that a file offset of vfio-pci names. */
static bool cookie_place(const struct world *w, const struct area *a, uint64_t *ret_phys)
{
	uint64_t index = a->column >> COOKIE_SHIFT, within = a->column & ((1ULL << COOKIE_SHIFT) - 1);
	const char *device = device_of(w, a);
	const struct bar *only = NULL;

	for (size_t i = 0; i < w->n_bars; i++) {
		const struct bar *b = &w->bars[i];

		if ((uint64_t)b->index != index || within >= b->size || a->end - a->start > b->size - within)
			continue;
		if (device[0] && strcmp(device, b->device) != 0)
			continue;
		if (only)
			die("pid %d 0x%" PRIx64 "-0x%" PRIx64
			    ": may be of %s or of %s; run me from the client that "
			    "mapped it",
			    a->pid, a->start, a->end, only->device, b->device);
		only = b;
	}
	if (only)
		*ret_phys = only->start + within;
	return only;
}

/*
 * Where the first byte is, if something other than the page tables tells: sysfs, /proc/bus/pci and /dev/mem
 * put the page frame into vm_pgoff, and vfio-pci its file offset (6.1: the page frame too). A driver's own
 * mapping through VFIO and a DMABUF tell nothing.
 */
bool area_layout(const struct world *w, const struct area *a, uint64_t *ret_phys)
{
	bool vfio = a->source == SOURCE_VFIO;

	if (a->source == SOURCE_DMABUF || (vfio && !a->can_fault))
		return false;
	*ret_phys = a->column;
	return !vfio || bar_at(w, a->column) || cookie_place(w, a, ret_phys);
}

static void add_reach(struct reaches *r, const struct reach *reach)
{
	r->items = grow(r->items, r->n, sizeof(*r->items));
	r->items[r->n++] = *reach;
}

static void add_area(const struct world *w, size_t index, struct reaches *r)
{
	const struct area *a = &w->areas[index];
	uint64_t first;
	bool known = a->can_fault && !a->dmabuf_revoked && area_layout(w, a, &first);
	size_t leaf = 0;

	for (uint64_t at = a->start; at < a->end; at += PAGE) {
		struct reach reach = {.area = index, .type = a->requested};

		while (leaf < a->n_leaves && a->leaves[leaf].end <= at)
			leaf++;
		if (leaf < a->n_leaves && a->leaves[leaf].start <= at) {
			reach.phys = a->leaves[leaf].phys + (at - a->leaves[leaf].start);
			reach.type = a->leaves[leaf].type;
			reach.populated = true;
		} else if (known)
			reach.phys = first + (at - a->start);
		else
			continue;
		add_reach(r, &reach);
	}
}

static int compare_reach(const void *a, const void *b)
{
	const struct reach *x = a, *y = b;

	if (x->phys != y->phys)
		return x->phys < y->phys ? -1 : 1;
	return x->area < y->area ? -1 : x->area > y->area;
}

static struct expected_finding *finding_of(struct expectation *e, enum kind kind, size_t one, size_t other)
{
	struct expected_finding *f;

	for (size_t i = 0; i < e->n; i++) {
		f = &e->findings[i];
		if (f->kind == kind && f->areas[0] == one && f->areas[1] == other)
			return f;
	}
	e->findings = grow(e->findings, e->n, sizeof(*e->findings));
	f = &e->findings[e->n++];
	*f = (struct expected_finding){.kind = kind, .areas = {one, other}};
	return f;
}

static void add_page(struct expectation *e, enum kind kind, const struct reach *one,
		     const struct reach *other)
{
	struct expected_finding *f = finding_of(e, kind, one->area, other->area);

	f->types[0] |= 1U << one->type;
	f->types[1] |= 1U << other->type;
	if (f->n_pages && f->pages[f->n_pages - 1] == one->phys)
		return;
	f->pages = grow(f->pages, f->n_pages, sizeof(*f->pages));
	f->pages[f->n_pages++] = one->phys;
}

static bool types_conflict(unsigned a, unsigned b)
{
	return a != b && (type_class(a) != type_class(b) || type_class(a) == 2);
}

static void judge_page(const struct world *w, struct expectation *e, const struct reach *r)
{
	int wanted = type_class(w->areas[r->area].requested), got = type_class(r->type);

	if (r->populated && got > wanted)
		add_page(e, KIND_PROMOTION, r, r);
	else if (r->populated && got < wanted)
		add_page(e, KIND_DEMOTION, r, r);
}

void expect_findings(const struct world *w, struct expectation *e)
{
	struct reaches r = {0};

	*e = (struct expectation){0};
	for (size_t i = 0; i < w->n_areas; i++)
		add_area(w, i, &r);
	if (r.n)
		qsort(r.items, r.n, sizeof(*r.items), compare_reach);
	for (size_t i = 0; i < r.n; i++) {
		judge_page(w, e, &r.items[i]);
		for (size_t k = i + 1; k < r.n && r.items[k].phys == r.items[i].phys; k++)
			if (r.items[k].area != r.items[i].area &&
			    types_conflict(r.items[i].type, r.items[k].type))
				add_page(e, KIND_ALIAS, &r.items[i], &r.items[k]);
	}
	free(r.items);
}

void expectation_free(struct expectation *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->findings[i].pages);
	free(e->findings);
	*e = (struct expectation){0};
}
