// SPDX-License-Identifier: GPL-2.0-or-later

/* Ledger against truth, both ways. */

#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* pgprot_noncached: x86 UC-, arm64 Device-nGnRnE. The domain's names. */
#if defined(__x86_64__)
#define VFIO_TYPE "uc-"
#elif defined(__aarch64__)
#define VFIO_TYPE "uc"
#else
#error "what pgprot_noncached is on this architecture is not known here"
#endif

static void check_process(const struct item *m, const struct process *p)
{
	const char *comm = get_string(m->o, "comm");

	if (!comm || !comm_matches(comm, p->comm, p->comm_length)) {
		char text[4 * COMM_SIZE + 1] = "";

		for (size_t i = 0; i < p->comm_length; i++)
			snprintf(text + 4 * i, 5, "\\x%02x", (unsigned char)p->comm[i]);
		item_differs(m, "comm", text);
	}
	check_integer(m, "uid", p->uid);
}

/* The memory types: requested is VFIO's one; effective and populated must not contradict each other. */
static void check_types(const struct item *m, const struct vma *v)
{
	const char *effective = get_string(m->o, "effective");
	int64_t populated;

	check_string(m, "requested", VFIO_TYPE);
	if (!get_integer(m->o, "populated", &populated) || !effective)
		return; /* unknown is null, and may be */
	if (populated < 0 || (uint64_t)populated > v->end - v->start)
		item_differs(m, "populated", "at most the length of the mapping");
	if ((strcmp(effective, "unpopulated") == 0) != (populated == 0))
		item_differs(m, "effective", "unpopulated exactly when populated is 0");
}

static void check_device(const struct truth *t, const struct vma *v, const struct item *m)
{
	const char *device = get_string(m->o, "device");
	struct expected e;

	if (!device || !vma_expected(t, v, device, &e)) {
		if (vma_devices(t, v) == 0)
			differ("%s: offset column 0x%" PRIx64 " of /proc/PID/maps fits no BAR", m->name,
			       v->column);
		else
			item_differs(m, "device",
				     vma_expected(t, v, NULL, &e) && vma_devices(t, v) == 1
					     ? e.device
					     : "a device with such a BAR (there are several)");
		return;
	}
	check_integer(m, "region", e.region);
	check_address(m, "offset", e.offset);
	check_address(m, "phys_start", e.phys);
	check_address(m, "phys_end", e.phys + (v->end - v->start));
}

static struct vma *find_vma(struct truth *t, const struct process *p, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < t->n_vmas; i++) {
		struct vma *v = &t->vmas[i];

		if (t->processes[v->process].pid == p->same_mm && v->start == start && v->end == end)
			return v;
	}
	return NULL;
}

/* p and v are what the object names; NULL: there is no such one. */
static void check_vfio(const struct truth *t, const struct item *m, const struct process *p, struct vma *v,
		       const char *origin)
{
	if (!v) {
		differ("%s: in the ledger, but no VFIO VMA in /proc", m->name);
		return;
	}
	if (v->matched)
		differ("%s: twice in the ledger", m->name);
	v->matched = true;
	check_process(m, p);
	check_device(t, v, m);
	check_types(m, v);
	if (origin)
		check_string(m, "origin", origin);
}

static void compare_one(struct truth *t, json_object *o, const char *origin)
{
	char name[128];
	const struct item m = {.o = o, .name = name};
	const char *source = get_string(o, "source");
	const struct process *p;
	uint64_t start, end;
	int64_t pid;

	if (!get_integer(o, "pid", &pid) || !get_address(o, "start", &start) ||
	    !get_address(o, "end", &end)) {
		differ("pid, start or end is missing or of the wrong form: %s",
		       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		return;
	}
	snprintf(name, sizeof(name), "pid %" PRId64 " 0x%" PRIx64 "-0x%" PRIx64, pid, start, end);
	p = truth_process(t, (pid_t)pid);
	if (!source)
		item_differs(&m, "source", "a string");
	else if (strcmp(source, "vfio") != 0)
		return; /* other sources are not what /proc calls VFIO; a VFIO VMA under them is missed below
			 */
	else if (!get_true(o, "live"))
		item_differs(&m, "live", "true");
	else
		check_vfio(t, &m, p, p ? find_vma(t, p, start, end) : NULL, origin);
}

void compare_mappings(struct truth *t, json_object *ledger, const char *origin)
{
	for (size_t i = 0; i < json_object_array_length(ledger); i++)
		compare_one(t, json_object_array_get_idx(ledger, i), origin);
	for (size_t i = 0; i < t->n_vmas; i++) {
		const struct vma *v = &t->vmas[i];

		if (!v->matched)
			differ("pid %d 0x%" PRIx64 "-0x%" PRIx64 ": in /proc, but not in the ledger",
			       t->processes[v->process].pid, v->start, v->end);
	}
}
