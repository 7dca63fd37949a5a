// SPDX-License-Identifier: GPL-2.0-or-later

/* All VMAs that map device memory, and all BARs. */

#include "findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *source_name(enum source source)
{
	static const char *const names[] = {"", "vfio", "dmabuf", "sysfs", "devmem", "other"};

	return names[source];
}

const struct bar *bar_at(const struct world *w, uint64_t phys)
{
	for (size_t i = 0; i < w->n_bars; i++)
		if (phys >= w->bars[i].start && phys - w->bars[i].start < w->bars[i].size)
			return &w->bars[i];
	return NULL;
}

/* The component of the path before the last: of a file in sysfs the device. */
static void device_of_path(const char *path, char *ret)
{
	const char *end = strrchr(path, '/'), *start = end;

	while (start && start > path && start[-1] != '/')
		start--;
	if (start)
		snprintf(ret, DEVICE_SIZE, "%.*s", (int)(end - start), start);
}

static enum source source_of(const char *name, struct area *a)
{
	const char *file = strrchr(name, '/');

	if (strcmp(name, "anon_inode:[vfio-device]") == 0 || strncmp(name, "/dev/vfio/devices/", 18) == 0)
		return SOURCE_VFIO;
	if (strncmp(name, "/dmabuf:", 8) == 0) {
		/* what the test driver calls a DMABUF that it has revoked */
		a->dmabuf_revoked = strcmp(name, "/dmabuf:revoked") == 0;
		return SOURCE_DMABUF;
	}
	if (strcmp(name, "/dev/mem") == 0)
		return SOURCE_DEVMEM;
	if (strncmp(name, "/proc/bus/pci/", 14) == 0)
		return SOURCE_OTHER;
	if (strncmp(name, "/sys/devices/pci", 16) == 0 && strncmp(file, "/resource", 9) == 0) {
		device_of_path(name, a->device);
		return SOURCE_SYSFS;
	}
	return SOURCE_NONE;
}

static void read_maps(struct world *w, pid_t pid)
{
	struct maps_line line;
	pid_t reader;
	FILE *f = maps_open(pid, &reader);

	while (f && maps_next(f, &line)) {
		struct area a = {.pid = pid,
				 .reader = reader,
				 .start = line.start,
				 .end = line.end,
				 .column = line.column,
				 .id = -1};

		a.source = source_of(line.name, &a);
		if (!a.source || (a.source == SOURCE_DEVMEM && !bar_at(w, a.column)))
			continue; /* other memory is nobody's business */
		w->areas = grow(w->areas, w->n_areas, sizeof(*w->areas));
		w->areas[w->n_areas++] = a;
	}
	if (f)
		fclose(f);
}

/* The VMAs of an address space that several processes share count once. */
static pid_t first_with_space(const struct world *w, pid_t pid)
{
	for (size_t i = 0; i < w->n_spaces; i++)
		if (same_address_space(w->spaces[i].pid, pid))
			return w->spaces[i].first;
	return pid;
}

static void read_process(struct world *w, pid_t pid)
{
	struct address_space space = {.pid = pid};
	size_t before = w->n_areas;

	read_maps(w, pid);
	if (w->n_areas == before)
		return;
	space.first = first_with_space(w, pid);
	if (space.first != pid)
		w->n_areas = before;
	w->spaces = grow(w->spaces, w->n_spaces, sizeof(*w->spaces));
	w->spaces[w->n_spaces++] = space;
	for (size_t i = before; i < w->n_areas; i++)
		if (!tables_read(&w->areas[i]))
			w->torn = true;
}

void world_read(struct world *w)
{
	pid_t *pids;
	size_t n;

	memset(w, 0, sizeof(*w));
	w->bars = bars_read(NULL, &w->n_bars);
	pids = pids_read(&n);
	for (size_t i = 0; i < n; i++)
		read_process(w, pids[i]);
	free(pids);
}

void world_free(struct world *w)
{
	for (size_t i = 0; i < w->n_areas; i++)
		free(w->areas[i].leaves);
	free(w->bars);
	free(w->spaces);
	free(w->areas);
	memset(w, 0, sizeof(*w));
}

static bool area_equal(const struct area *a, const struct area *b)
{
	if (a->pid != b->pid || a->source != b->source || a->start != b->start || a->end != b->end ||
	    a->column != b->column || strcmp(a->device, b->device) != 0 ||
	    a->dmabuf_revoked != b->dmabuf_revoked || a->requested != b->requested ||
	    a->can_fault != b->can_fault || a->n_leaves != b->n_leaves)
		return false;
	for (size_t i = 0; i < a->n_leaves; i++) {
		const struct leaf *l = &a->leaves[i], *m = &b->leaves[i];

		if (l->start != m->start || l->end != m->end || l->phys != m->phys || l->size != m->size ||
		    l->type != m->type)
			return false;
	}
	return true;
}

bool world_equal(const struct world *a, const struct world *b)
{
	if (a->torn || b->torn || a->n_areas != b->n_areas || a->n_spaces != b->n_spaces)
		return false;
	for (size_t i = 0; i < a->n_spaces; i++)
		if (a->spaces[i].pid != b->spaces[i].pid || a->spaces[i].first != b->spaces[i].first)
			return false;
	for (size_t i = 0; i < a->n_areas; i++)
		if (!area_equal(&a->areas[i], &b->areas[i]))
			return false;
	return true;
}

/* The file that the client names says of which device each of its mappings is; of a VMA nobody else does. */
void world_ask_client(struct world *w, const char *path)
{
	char line[256], device[DEVICE_SIZE];
	uint64_t start, end;
	FILE *f = fopen(path, "re");
	pid_t pid;

	if (!f)
		die("%s: %m", path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%d %" SCNx64 " %" SCNx64 " %31s", &pid, &start, &end, device) != 4)
			die("%s: '%s' is not a piece", path, line);
		for (size_t i = 0; i < w->n_areas; i++) {
			struct area *a = &w->areas[i];

			if (a->pid == pid && a->start < end && start < a->end)
				snprintf(a->device, sizeof(a->device), "%s", device);
		}
	}
	fclose(f);
}
