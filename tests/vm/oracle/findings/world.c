// SPDX-License-Identifier: GPL-2.0-or-later

/* All VMAs that map device memory, and all BARs. */

#include "findings.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IORESOURCE_MEM 0x200 /* include/linux/ioport.h */
#define MAX_BARS       6

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

static void read_device(struct world *w, const char *device)
{
	char path[PATH_MAX], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", device);
	f = fopen(path, "re");
	if (!f)
		die("%s: %m", path);
	for (int i = 0; i < MAX_BARS && fgets(line, sizeof(line), f); i++) {
		unsigned long long start, end, flags;
		struct bar *b;

		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) != 3)
			die("%s: line %d is not three numbers", path, i + 1);
		if (!(flags & IORESOURCE_MEM) || end <= start)
			continue;
		w->bars = grow(w->bars, w->n_bars, sizeof(*w->bars));
		b = &w->bars[w->n_bars++];
		*b = (struct bar){.index = i, .start = start, .size = ((end - start) | (PAGE - 1)) + 1};
		snprintf(b->device, sizeof(b->device), "%s", device);
	}
	fclose(f);
}

static void read_bars(struct world *w)
{
	const char *path = "/sys/bus/pci/devices";
	struct dirent *d;
	DIR *dir = opendir(path);

	if (!dir)
		die("%s: %m", path);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			read_device(w, d->d_name);
	closedir(dir);
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

/* Appends the areas of one maps file; false when it has no line at all (gone, or no address space). */
static bool read_maps(struct world *w, pid_t pid, pid_t reader)
{
	char path[64], line[PATH_MAX + 128];
	bool any = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", pid, reader);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		struct area a = {.pid = pid, .reader = reader, .id = -1};
		int name = 0;

		any = true;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &a.start, &a.end,
			   &a.column, &name) != 3 ||
		    !name || !(a.source = source_of(line + name, &a)))
			continue;
		if (a.source == SOURCE_DEVMEM && !bar_at(w, a.column))
			continue; /* other memory is nobody's business */
		w->areas = grow(w->areas, w->n_areas, sizeof(*w->areas));
		w->areas[w->n_areas++] = a;
	}
	if (f)
		fclose(f);
	return any;
}

/* A thread group whose leader is dead shows its address space only through the other threads. */
static void read_threads(struct world *w, pid_t pid)
{
	char path[64];
	struct dirent *d;
	bool any = false;
	DIR *dir;

	if (read_maps(w, pid, pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !any && (d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && atoi(d->d_name) != pid)
			any = read_maps(w, pid, atoi(d->d_name));
	if (dir)
		closedir(dir);
}

/* vfork(2) and CLONE_VM make processes that share one address space: its VMAs count once. */
static pid_t first_with_space(const struct world *w, pid_t pid)
{
	for (size_t i = 0; i < w->n_spaces; i++) {
		long r = syscall(SYS_kcmp, w->spaces[i].pid, pid, KCMP_VM, 0, 0);

		if (r < 0 && errno != ESRCH)
			die("kcmp(%d, %d, KCMP_VM): %m (needs CONFIG_KCMP and root)", w->spaces[i].pid, pid);
		if (r == 0)
			return w->spaces[i].first;
	}
	return pid;
}

static void read_process(struct world *w, pid_t pid)
{
	struct address_space space = {.pid = pid};
	size_t before = w->n_areas;

	read_threads(w, pid);
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

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

void world_read(struct world *w)
{
	pid_t *pids = NULL;
	struct dirent *d;
	size_t n = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc: %m");
	memset(w, 0, sizeof(*w));
	read_bars(w);
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0])) {
			pids = grow(pids, n, sizeof(*pids));
			pids[n++] = atoi(d->d_name);
		}
	closedir(dir);
	if (n)
		qsort(pids, n, sizeof(*pids), compare_pids);
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
