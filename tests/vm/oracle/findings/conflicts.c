// SPDX-License-Identifier: GPL-2.0-or-later

/* `vfiowatch --json conflicts` against what must be found, both ways. */

#include "findings.h"

#include <inttypes.h>
#include <string.h>

#define RANGES_SHOWN 16

static const char *describe(const struct world *w, const struct expected_finding *f)
{
	static char text[256];
	const struct area *a = &w->areas[f->areas[0]], *b = &w->areas[f->areas[1]];
	int n = snprintf(text, sizeof(text), "%s of pid %d 0x%" PRIx64 " (%s)", kind_name(f->kind), a->pid,
			 a->start, source_name(a->source));

	if (f->kind == KIND_ALIAS)
		snprintf(text + n, sizeof(text) - (size_t)n, " and pid %d 0x%" PRIx64 " (%s)", b->pid,
			 b->start, source_name(b->source));
	return text;
}

static const char *severity(const struct expected_finding *f)
{
	int class = 0;

	if (f->kind == KIND_DEMOTION)
		return "low";
	for (unsigned type = 0; type < 8; type++)
		if ((f->types[0] | f->types[1]) & 1U << type && type_class(type) > class)
			class = type_class(type);
	return class > 1 ? "critical" : "high";
}

/* The range that begins with page *i, which moves behind it. */
static void next_range(const struct expected_finding *f, size_t *i, uint64_t *start, uint64_t *end)
{
	*start = *end = f->pages[*i];
	for (; *i < f->n_pages && f->pages[*i] == *end; (*i)++)
		*end += PAGE;
}

static bool range_is(json_object *o, uint64_t start, uint64_t end)
{
	uint64_t from, to;

	return get_address(o, "phys_start", &from) && from == start && get_address(o, "phys_end", &to) &&
	       to == end;
}

static void check_ranges(const struct item *m, const struct expected_finding *f)
{
	json_object *ranges = NULL;
	size_t n = 0, page = 0, shown;
	uint64_t start, end;
	char text[64];

	json_object_object_get_ex(m->o, "ranges", &ranges);
	shown = json_object_is_type(ranges, json_type_array) ? json_object_array_length(ranges) : 0;
	for (; page < f->n_pages; n++) {
		next_range(f, &page, &start, &end);
		if (n >= RANGES_SHOWN ||
		    (n < shown && range_is(json_object_array_get_idx(ranges, n), start, end)))
			continue;
		snprintf(text, sizeof(text), "number %zu to be 0x%" PRIx64 "-0x%" PRIx64, n, start, end);
		item_differs(m, "ranges", text);
	}
	if (shown > n || shown > RANGES_SHOWN)
		item_differs(m, "ranges", "fewer");
	if (get_true(m->o, "ranges_cut") != (n > RANGES_SHOWN))
		item_differs(m, "ranges_cut", n > RANGES_SHOWN ? "true" : "false");
	check_address(m, "phys_start", f->pages[0]);
	check_address(m, "phys_end", f->pages[f->n_pages - 1] + PAGE);
}

static bool type_among(const char *name, unsigned types)
{
	for (unsigned type = 0; name && type < 6; type++)
		if (types & 1U << type && strcmp(name, type_name(type)) == 0)
			return true;
	return false;
}

/* One side of it, whichever of the two it is in the JSON. */
static void check_party(const struct item *m, json_object *party, const struct world *w,
			const struct expected_finding *f)
{
	const char *requested = get_string(party, "requested"), *source = get_string(party, "source");
	int64_t id;

	if (!get_integer(party, "mapping", &id)) {
		item_differs(m, "parties", "each with a mapping");
		return;
	}
	for (int i = 0; i < 2; i++) {
		const struct area *a = &w->areas[f->areas[i]];

		if (a->id != id)
			continue;
		if (!requested || strcmp(requested, type_name(a->requested)) != 0)
			item_differs(m, "parties", type_name(a->requested));
		if (!source || strcmp(source, source_name(a->source)) != 0)
			item_differs(m, "parties", source_name(a->source));
		if (!type_among(get_string(party, "type"), f->types[i]))
			item_differs(m, "parties", "a type that the page tables have there");
		return;
	}
	item_differs(m, "parties", "the mappings that it names");
}

static void check_finding(const struct item *m, const struct world *w, const struct expected_finding *f)
{
	size_t wanted = f->kind == KIND_ALIAS ? 2 : 1;
	json_object *parties = NULL;
	const struct bar *bar = bar_at(w, f->pages[0]);

	check_integer(m, "bytes", (int64_t)(f->n_pages * PAGE));
	check_ranges(m, f);
	check_string(m, "severity", severity(f));
	check_boolean(m, "active", true);
	if (bar) {
		check_string(m, "device", bar->device);
		check_integer(m, "region", bar->index);
	}
	json_object_object_get_ex(m->o, "parties", &parties);
	if (!json_object_is_type(parties, json_type_array) || json_object_array_length(parties) != wanted) {
		item_differs(m, "parties", wanted == 2 ? "two of them" : "one of them");
		return;
	}
	for (size_t i = 0; i < wanted; i++)
		check_party(m, json_object_array_get_idx(parties, i), w, f);
}

static bool area_of(const struct world *w, json_object *id, size_t *ret)
{
	if (!json_object_is_type(id, json_type_int))
		return false;
	for (size_t i = 0; i < w->n_areas; i++)
		if (w->areas[i].id == json_object_get_int64(id)) {
			*ret = i;
			return true;
		}
	return false;
}

static struct expected_finding *find(const struct world *w, const struct expectation *e, json_object *o)
{
	const char *kind = get_string(o, "kind");
	json_object *mappings = NULL;
	size_t one, other, n;

	json_object_object_get_ex(o, "mappings", &mappings);
	n = json_object_is_type(mappings, json_type_array) ? json_object_array_length(mappings) : 0;
	if (!kind || n < 1 || n > 2 || !area_of(w, json_object_array_get_idx(mappings, 0), &one) ||
	    !area_of(w, json_object_array_get_idx(mappings, n - 1), &other))
		return NULL;
	for (size_t i = 0; i < e->n; i++) {
		struct expected_finding *f = &e->findings[i];

		if (strcmp(kind, kind_name(f->kind)) == 0 && n == (f->kind == KIND_ALIAS ? 2 : 1) &&
		    ((f->areas[0] == one && f->areas[1] == other) ||
		     (f->areas[0] == other && f->areas[1] == one)))
			return f;
	}
	return NULL;
}

void compare_findings(const struct world *w, struct expectation *e, json_object *conflicts)
{
	for (size_t i = 0; i < json_object_array_length(conflicts); i++) {
		struct item m = {.o = json_object_array_get_idx(conflicts, i)};
		struct expected_finding *f = find(w, e, m.o);

		if (!f) {
			differ("open, but the page tables give no such finding: %s",
			       json_object_to_json_string_ext(m.o, JSON_C_TO_STRING_PLAIN));
			continue;
		}
		m.name = describe(w, f);
		if (f->matched)
			differ("%s: open twice", m.name);
		f->matched = true;
		check_finding(&m, w, f);
	}
	for (size_t i = 0; i < e->n; i++)
		if (!e->findings[i].matched)
			differ("%s, 0x%" PRIx64 " and %zu pages in all: not open",
			       describe(w, &e->findings[i]), e->findings[i].pages[0], e->findings[i].n_pages);
}
