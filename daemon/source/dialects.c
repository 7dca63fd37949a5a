// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/dialects.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "source/modules.h"
#include "vfiowatch/event.h"

/* What userspace passes; the names of those that are no kernel's yet are those of the proposals
 * (docs/architecture.md). */
static const struct {
	enum cookie_dialect dialect;
	const char *type;
} dialects[] = {
	{DIALECT_MMAP_ATTRS, "vfio_mmap_attrs"},
	{DIALECT_ALIAS_REGION, "vfio_device_feature_alias_region"},
	{DIALECT_GET_MMAP, "vfio_region_get_mmap"},
	{DIALECT_DMA_BUF, "vfio_device_feature_dma_buf"},
};

#define ALWAYS (1ULL << DIALECT_REGION_INFO | 1ULL << DIALECT_VARIANT)

/* Larger than any kernel's BTF; a file that is larger is not read. */
#define BTF_MAX (64U << 20)

/* The whole file, of *ret_size bytes, or NULL. The caller frees. */
static char *read_btf(const char *path, size_t *ret_size)
{
	_cleanup_(closefd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t size = 0;
	char *data;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > BTF_MAX)
		return NULL;
	data = malloc(st.st_size);
	while (data && size < (size_t)st.st_size && (n = read(fd, data + size, st.st_size - size)) > 0)
		size += n;
	*ret_size = size;
	return data;
}

static uint64_t dialects_in(const char *sys, const char *module)
{
	char path[PATH_MAX], name[64] = "";
	uint64_t found = 0;
	size_t size = 0;
	char *data;

	snprintf(path, sizeof(path), "%s/kernel/btf/%s", sys, module);
	data = read_btf(path, &size);
	for (size_t i = 0; data && i < sizeof(dialects) / sizeof(dialects[0]); i++) {
		/* Names in BTF have a zero on both sides. */
		snprintf(name + 1, sizeof(name) - 1, "%s", dialects[i].type);
		if (memmem(data, size, name, strlen(dialects[i].type) + 2))
			found |= 1ULL << dialects[i].dialect;
	}
	free(data);
	return found;
}

/* What is built in never changes. */
static uint64_t dialects_built_in(const char *sys)
{
	static uint64_t found;
	static bool known;

	if (!known)
		found = dialects_in(sys, "vmlinux");
	known = true;
	return found;
}

static uint64_t dialects_of_module(const char *sys, const char *module)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/kernel/btf/%s", sys, module);
	return access(path, F_OK) == 0 ? dialects_in(sys, module) : dialects_built_in(sys);
}

/* The drivers on top of @module; *live becomes false if one of them is on its way in or out. */
static uint64_t dialects_of_holders(const char *sys, const char *module, bool *live)
{
	char holders[EVENT_DRIVERS_MAX][EVENT_MODULE_LEN];
	int n = module_holders(sys, module, holders, EVENT_DRIVERS_MAX);
	uint64_t found = 0;

	for (int i = 0; i < n; i++) {
		*live = *live && module_state(sys, holders[i]) == MODULE_LIVE;
		found |= dialects_in(sys, holders[i]);
	}
	return found;
}

bool dialects_spoken(const char *sys, uint64_t *ret)
{
	static const char *const modules[] = {"vfio", "vfio_pci_core"};
	bool live = true;

	*ret = ALWAYS;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		*ret |= dialects_of_module(sys, modules[i]) | dialects_of_holders(sys, modules[i], &live);
	return live;
}

void vfio_drivers(const char *sys, char drivers[EVENT_DRIVERS_MAX][EVENT_MODULE_LEN])
{
	memset(drivers, 0, EVENT_DRIVERS_MAX * EVENT_MODULE_LEN);
	strcpy(drivers[0], "vfio_pci_core");
	module_holders(sys, "vfio_pci_core", drivers + 1, EVENT_DRIVERS_MAX - 1);
}
