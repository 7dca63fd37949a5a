// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/pci.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

static int parse_address(const char *name, __u64 *ret)
{
	unsigned int domain, bus, slot, function;
	int length = 0;

	if (sscanf(name, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &length) != 4 ||
	    name[length] || slot > 31 || function > 7)
		return -EINVAL;
	*ret = EVENT_PCI_ADDRESS(domain, bus, slot << 3 | function);
	return 0;
}

/* A device's attribute as a number; 0 if it cannot be read. */
static unsigned long read_number(const char *sys, const char *name, const char *attribute)
{
	char path[PATH_MAX], text[32];
	_cleanup_(closefile) FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sys, name, attribute);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	return strtoul(text, NULL, 0);
}

/* The last part of what a link of the device points to; empty if there is no such link. */
static void read_link(const char *sys, const char *name, const char *link, char *ret, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t length;

	memset(ret, 0, size);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sys, name, link);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return;
	target[length] = 0;
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	memcpy(ret, last, strnlen(last, size - 1));
}

/* One line per resource: start, end, flags; Documentation/ABI/testing/sysfs-bus-pci. */
static void read_bars(const char *sys, const char *name, struct event_bar *bars)
{
	char path[PATH_MAX], line[128];
	_cleanup_(closefile) FILE *file = NULL;
	uint64_t start, end, flags;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/resource", sys, name);
	file = fopen(path, "re");
	if (!file)
		return;
	for (int i = 0; i < EVENT_BARS && fgets(line, sizeof(line), file); i++) {
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3 || !flags ||
		    end < start)
			continue;
		bars[i] = (struct event_bar){.phys_start = start, .size = end - start + 1, .flags = flags};
	}
}

int pci_read(const char *sys, const char *name, uint64_t now_ns, struct event *ret)
{
	struct event_device *device = &ret->device;
	char path[PATH_MAX], group[16], *end;

	event_scanned(ret, EVENT_DEVICE, now_ns);
	if (parse_address(name, &device->pci_address) < 0)
		return -EINVAL;

	device->iommu_group = -1;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sys, name);
	if (access(path, F_OK) < 0)
		return 0;
	device->present = 1;
	device->vendor = read_number(sys, name, "vendor");
	device->product = read_number(sys, name, "device");
	device->class_code = read_number(sys, name, "class");
	read_bars(sys, name, device->bars);
	read_link(sys, name, "driver", device->driver, sizeof(device->driver));
	read_link(sys, name, "iommu_group", group, sizeof(group));
	if (group[0]) {
		device->iommu_group = strtol(group, &end, 10);
		if (*end)
			device->iommu_group = -1;
	}
	return 0;
}

/* A device bound by a VFIO driver has a vfio-dev directory. */
static bool is_vfio_device(const char *sys, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/vfio-dev", sys, name);
	return access(path, F_OK) == 0;
}

/* In the order of their addresses, so that what is listed first does not depend on the file system. */
int pci_enumerate(const char *sys, pci_found found, void *userdata)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int n;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sys);
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.' && is_vfio_device(sys, entries[i]->d_name))
			found(userdata, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

/* IORESOURCE_MEM of include/linux/ioport.h; the flags in sysfs are the kernel's own. */
#define RESOURCE_MEMORY 0x200

unsigned int pci_memory_bars(const char *sys)
{
	char path[PATH_MAX];
	_cleanup_(closedirectory) DIR *directory = NULL;
	struct dirent *entry;
	unsigned int n = 0;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sys);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		struct event_bar bars[EVENT_BARS] = {};

		if (entry->d_name[0] == '.')
			continue;
		read_bars(sys, entry->d_name, bars);
		for (int i = 0; i < EVENT_BARS; i++)
			n += (bars[i].flags & RESOURCE_MEMORY) != 0;
	}
	return n;
}
