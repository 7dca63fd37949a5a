// SPDX-License-Identifier: GPL-2.0-or-later

/* `vfiowatch --json mappings` against the areas, both ways. */

#include "findings.h"

#include <inttypes.h>
#include <string.h>

#define EXTENTS_SHOWN 64

static const char *leaf_name(uint64_t size)
{
	return size == PAGE ? "4k" : size == PAGE << 9 ? "2m" : "1g";
}

static int64_t populated(const struct area *a, uint64_t size)
{
	int64_t sum = 0;

	for (size_t i = 0; i < a->n_leaves; i++)
		if (size == 0 || a->leaves[i].size == size)
			sum += (int64_t)(a->leaves[i].end - a->leaves[i].start);
	return sum;
}

static const char *effective(const struct area *a)
{
	if (a->n_leaves == 0)
		return "unpopulated";
	for (size_t i = 1; i < a->n_leaves; i++)
		if (a->leaves[i].type != a->leaves[0].type)
			return "mixed";
	return type_name(a->leaves[0].type);
}

static bool extent_is(json_object *o, const struct leaf *l)
{
	const char *type = get_string(o, "type"), *leaf = get_string(o, "leaf");
	uint64_t start, end, phys;

	return get_address(o, "start", &start) && start == l->start && get_address(o, "end", &end) &&
	       end == l->end && get_address(o, "phys_start", &phys) && phys == l->phys && type &&
	       strcmp(type, type_name(l->type)) == 0 && leaf && strcmp(leaf, leaf_name(l->size)) == 0;
}

static void extent_differs(const struct item *m, const struct leaf *l, size_t i)
{
	char text[160];

	snprintf(text, sizeof(text), "number %zu to be 0x%" PRIx64 "-0x%" PRIx64 " at 0x%" PRIx64 " %s %s", i,
		 l->start, l->end, l->phys, type_name(l->type), leaf_name(l->size));
	item_differs(m, "extents", text);
}

/* They are told where one type for the whole is not all there is to say. */
static void check_extents(const struct item *m, const struct area *a)
{
	bool told = strcmp(effective(a), "mixed") == 0 ||
		    (a->n_leaves && populated(a, 0) < (int64_t)(a->end - a->start));
	size_t n = a->n_leaves < EXTENTS_SHOWN ? a->n_leaves : EXTENTS_SHOWN;
	json_object *extents = NULL;

	json_object_object_get_ex(m->o, "extents", &extents);
	if (!told && extents)
		item_differs(m, "extents", "null");
	if (!told)
		return;
	if (!json_object_is_type(extents, json_type_array) || json_object_array_length(extents) != n) {
		char text[32];

		snprintf(text, sizeof(text), "%zu of them", n);
		item_differs(m, "extents", text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!extent_is(json_object_array_get_idx(extents, i), &a->leaves[i]))
			extent_differs(m, &a->leaves[i], i);
	if (a->n_leaves > EXTENTS_SHOWN)
		check_integer(m, "extents_omitted", (int64_t)a->n_leaves - EXTENTS_SHOWN);
}

/* Where one physical range explains all populated pages, it begins there. */
static bool place_by_pages(const struct area *a, uint64_t *ret_phys)
{
	for (size_t i = 0; i < a->n_leaves; i++) {
		uint64_t first = a->leaves[i].phys - (a->leaves[i].start - a->start);

		if (i > 0 && first != *ret_phys)
			return false;
		*ret_phys = first;
	}
	return a->n_leaves;
}

static void check_place(const struct world *w, const struct item *m, const struct area *a)
{
	const struct bar *bar;
	uint64_t phys;

	if (!area_layout(w, a, &phys) && !place_by_pages(a, &phys))
		return;
	check_address(m, "phys_start", phys);
	check_address(m, "phys_end", phys + (a->end - a->start));
	bar = bar_at(w, phys);
	if (!bar)
		return;
	check_string(m, "device", bar->device);
	check_integer(m, "region", bar->index);
}

static void check_area(const struct world *w, const struct item *m, const struct area *a)
{
	check_string(m, "source", source_name(a->source));
	check_string(m, "requested", type_name(a->requested));
	check_string(m, "effective", effective(a));
	check_integer(m, "populated", populated(a, 0));
	check_integer(m, "populated_4k", populated(a, PAGE));
	check_integer(m, "populated_2m", populated(a, PAGE << 9));
	check_integer(m, "populated_1g", populated(a, PAGE << 18));
	check_extents(m, a);
	check_boolean(m, "revoked", area_revoked(a));
	check_boolean(m, "live", !area_revoked(a));
	check_place(w, m, a);
}

static struct area *find_area(struct world *w, int64_t pid, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < w->n_spaces; i++)
		if (w->spaces[i].pid == pid)
			pid = w->spaces[i].first;
	for (size_t i = 0; i < w->n_areas; i++) {
		struct area *a = &w->areas[i];

		if (a->pid == pid && a->start == start && a->end == end)
			return a;
	}
	return NULL;
}

static void describe(const struct area *a, char *ret, size_t size)
{
	snprintf(ret, size, "pid %d 0x%" PRIx64 "-0x%" PRIx64 " (%s)", a->pid, a->start, a->end,
		 source_name(a->source));
}

static void compare_one(struct world *w, json_object *o)
{
	char name[128];
	const struct item m = {.o = o, .name = name};
	uint64_t start, end;
	struct area *a;
	int64_t pid, id;

	if (!get_integer(o, "id", &id) || !get_integer(o, "pid", &pid) || !get_address(o, "start", &start) ||
	    !get_address(o, "end", &end)) {
		differ("mapping: id, pid, start or end is missing or of the wrong form: %s",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		return;
	}
	a = find_area(w, pid, start, end);
	if (!a) {
		differ("pid %" PRId64 " 0x%" PRIx64 "-0x%" PRIx64 ": in the ledger, but no such VMA in /proc",
		       pid, start, end);
		return;
	}
	describe(a, name, sizeof(name));
	if (a->id >= 0)
		differ("pid %" PRId64 " 0x%" PRIx64 "-0x%" PRIx64 ": twice in the ledger", pid, start, end);
	a->id = id;
	check_area(w, &m, a);
}

void compare_areas(struct world *w, json_object *mappings)
{
	for (size_t i = 0; i < json_object_array_length(mappings); i++)
		compare_one(w, json_object_array_get_idx(mappings, i));
	for (size_t i = 0; i < w->n_areas; i++) {
		char name[128];

		if (w->areas[i].id >= 0)
			continue;
		describe(&w->areas[i], name, sizeof(name));
		differ("%s: in /proc, but not in the ledger", name);
	}
}
