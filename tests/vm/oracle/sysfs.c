// SPDX-License-Identifier: GPL-2.0-or-later

/* Memory BARs, from sysfs. */

#include "oracle.h"

#include <dirent.h>
#include <limits.h>
#include <unistd.h>

#define IORESOURCE_MEM 0x200 /* include/linux/ioport.h */
#define MAX_BARS       6

static void read_device(const char *device, struct bar **bars, size_t *n_bars)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
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
		*bars = grow(*bars, *n_bars, sizeof(**bars));
		b = &(*bars)[(*n_bars)++];
		*b = (struct bar){.index = i, .start = start};
		b->size = (end - start + 1 + page - 1) & ~(page - 1);
		snprintf(b->device, sizeof(b->device), "%s", device);
	}
	fclose(f);
}

/* The memory BARs of the PCI devices that are wanted (NULL: all are); the caller frees them. */
struct bar *bars_read(bool (*wanted)(const char *device), size_t *ret_n)
{
	const char *path = "/sys/bus/pci/devices";
	struct bar *bars = NULL;
	struct dirent *d;
	DIR *dir = opendir(path);

	if (!dir)
		die("%s: %m", path);
	*ret_n = 0;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.' && (!wanted || wanted(d->d_name)))
			read_device(d->d_name, &bars, ret_n);
	closedir(dir);
	return bars;
}
