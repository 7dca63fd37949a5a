// SPDX-License-Identifier: GPL-2.0-or-later

/* Commands of the dialects that only the test driver speaks (tests/kmod), and of BAR files outside VFIO. */

#include "client.h"
#include "vfio_uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(sizeof(struct vfio_mmap_attrs) == 16, "mmap-attrs: uAPI layout");
_Static_assert(sizeof(struct vfio_device_feature_alias_region) == 24, "alias-region: uAPI layout");
_Static_assert(sizeof(struct vfio_region_get_mmap) == 32, "get-mmap: uAPI layout");
_Static_assert(sizeof(struct vfio_device_feature_dma_buf_memattr) == 8, "memattr: uAPI layout");

/* NAME's own value, 0 for none, or any number: the kernel judges it. */
static int parse_flags(struct client *c, const char *text, const char *name, uint32_t value, uint32_t *ret)
{
	uint64_t number;
	int r;

	*ret = value;
	if (strcmp(text, name) == 0)
		return 0;
	*ret = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	r = parse_number(c, "flags", text, &number);
	*ret = (uint32_t)number;
	return r;
}

static int get_region(struct client *c, const char *name, const char *region, struct file **f,
		      uint64_t *index)
{
	int r = device_get(c, name, f);

	return r < 0 ? r : parse_number(c, "region", region, index);
}

static int set_result(struct client *c, const char *variable, uint64_t value)
{
	int r = check_name(c, variable);

	return r < 0 ? r : set_address(c, "", variable, value);
}

int cmd_attrs(struct client *c, int argc, char **argv)
{
	struct vfio_mmap_attrs attrs = {0};
	struct region region;
	struct file *f;
	uint64_t where;
	int r;

	(void)argc;
	r = get_region(c, argv[0], argv[1], &f, &where);
	if (r < 0)
		return r;
	attrs.offset = where;
	if (where < MAX_REGIONS) {
		r = vfio_region_cached(c, f, (uint32_t)where, &region);
		if (r < 0)
			return r;
		attrs.offset = region.offset;
	}
	r = parse_flags(c, argv[2], "wc", VFIO_MMAP_ATTR_WC, &attrs.attrs);
	if (r < 0)
		return r;
	if (abi_ioctl(c, f->fd, VFIO_DEVICE_SET_MMAP_ATTRS, &attrs, sizeof(attrs)) < 0)
		return fail(c, errno, "VFIO_DEVICE_SET_MMAP_ATTRS of %s", f->name);
	return 0;
}

/* payload is read and written. */
static int set_feature(struct client *c, struct file *f, uint32_t number, void *payload, size_t size,
		       const char *what)
{
	union {
		struct vfio_device_feature feature;
		uint8_t bytes[sizeof(struct vfio_device_feature) +
			      sizeof(struct vfio_device_feature_alias_region)];
	} u = {.feature = {.argsz = (uint32_t)(sizeof(u.feature) + size),
			   .flags = VFIO_DEVICE_FEATURE_SET | number}};

	memcpy(u.bytes + sizeof(u.feature), payload, size);
	if (abi_ioctl(c, f->fd, VFIO_DEVICE_FEATURE, &u, sizeof(u)) < 0)
		return fail(c, errno, "%s of %s", what, f->name);
	memcpy(payload, u.bytes + sizeof(u.feature), size);
	return 0;
}

int cmd_alias(struct client *c, int argc, char **argv)
{
	struct vfio_device_feature_alias_region alias = {0};
	struct file *f;
	uint64_t index;
	int r;

	(void)argc;
	r = get_region(c, argv[0], argv[1], &f, &index);
	if (r < 0)
		return r;
	alias.index = (uint32_t)index;
	r = parse_flags(c, argv[2], "wc", VFIO_REGION_INFO_FLAG_WC, &alias.flags);
	if (r == 0)
		r = set_feature(c, f, VFIO_DEVICE_FEATURE_ALIAS_REGION, &alias, sizeof(alias),
				"VFIO_DEVICE_FEATURE_ALIAS_REGION");
	if (r == 0)
		r = set_result(c, argv[3], alias.alias_index);
	return r < 0 ? r : answer(c, "%s region %u alias %u", f->name, alias.index, alias.alias_index);
}

int cmd_get_mmap(struct client *c, int argc, char **argv)
{
	struct vfio_region_get_mmap get = {.argsz = sizeof(get)};
	struct file *f;
	uint64_t index;
	int r;

	(void)argc;
	r = get_region(c, argv[0], argv[1], &f, &index);
	if (r < 0)
		return r;
	get.region_index = (uint32_t)index;
	r = parse_flags(c, argv[2], "wc", VFIO_REGION_MMAP_FLAG_WC, &get.mmap_flags);
	if (r < 0)
		return r;
	if (abi_ioctl(c, f->fd, VFIO_REGION_GET_MMAP, &get, sizeof(get)) < 0)
		return fail(c, errno, "VFIO_REGION_GET_MMAP of %s region %u", f->name, get.region_index);
	r = set_result(c, argv[3], get.fd_offset);
	return r < 0 ? r
		     : answer(c, "%s region %u offset 0x%llx size 0x%llx", f->name, get.region_index,
			      (unsigned long long)get.fd_offset, (unsigned long long)get.region_size);
}

/* The descriptor of the DMABUF of that name, and an open file of the device it came from. */
static int get_dmabuf(struct client *c, const char *name, int32_t *fd, struct file **device)
{
	struct file *dmabuf;
	int r = file_get(c, name, &dmabuf);

	if (r < 0)
		return r;
	if (dmabuf->kind != FILE_DMABUF)
		return wrong(c, "'%s' is not a DMABUF", name);
	*fd = dmabuf->fd;
	LIST_FOREACH(*device, &c->files, link)
	if ((*device)->kind == FILE_DEVICE && strcmp((*device)->device, dmabuf->device) == 0)
		return 0;
	return wrong(c, "%s: its device %s is not open here", name, dmabuf->device);
}

int cmd_memattr(struct client *c, int argc, char **argv)
{
	struct vfio_device_feature_dma_buf_memattr set = {.memattr = VFIO_DMA_BUF_MEMATTR_NC};
	struct file *device;
	int r = get_dmabuf(c, argv[0], &set.dmabuf_fd, &device);

	(void)argc;
	if (r == 0 && strcmp(argv[1], "nc") != 0)
		r = parse_flags(c, argv[1], "wc", VFIO_DMA_BUF_MEMATTR_WC, &set.memattr);
	return r < 0 ? r
		     : set_feature(c, device, VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR, &set, sizeof(set),
				   "VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR");
}

int cmd_revoke(struct client *c, int argc, char **argv)
{
	struct vfio_device_feature_dma_buf_revoke set;
	struct file *device;
	int r = get_dmabuf(c, argv[0], &set.dmabuf_fd, &device);

	(void)argc;
	return r < 0 ? r
		     : set_feature(c, device, VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE, &set, sizeof(set),
				   "VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE");
}

/* One write to an attribute of the PCI device. */
static int write_attribute(struct client *c, const char *bdf, const char *name, const char *text)
{
	_cleanup_(closep) int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.32s/%s", bdf, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(c, errno, "open %s (is the device bound to the test driver?)", path);
	return write(fd, text, strlen(text)) < 0 ? fail(c, errno, "write '%s' to %s", text, path) : 0;
}

/* The range may be written with suffixes, which the kernel does not know. */
int cmd_wc_mode(struct client *c, int argc, char **argv)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%.16s", argv[1]);

	for (int i = 2; i < argc; i++) {
		uint64_t number;
		int r = parse_number(c, i == 2 ? "region" : "range", argv[i], &number);

		if (r < 0)
			return r;
		n += snprintf(text + n, sizeof(text) - (size_t)n, i == 2 ? " %llu" : " 0x%llx",
			      (unsigned long long)number);
	}
	return write_attribute(c, argv[0], "wc_mode", text);
}

int cmd_variant_region(struct client *c, int argc, char **argv)
{
	(void)argc;
	return write_attribute(c, argv[0], "variant_region", argv[1]);
}

int cmd_pciioc(struct client *c, int argc, char **argv)
{
	static const struct {
		const char *word;
		unsigned long request, argument;
	} states[] = {
		{"mem", PCIIOC_MMAP_IS_MEM, 0},
		{"io", PCIIOC_MMAP_IS_IO, 0},
		{"wc", PCIIOC_WRITE_COMBINE, 1},
		{"uc", PCIIOC_WRITE_COMBINE, 0},
	};
	struct file *f;
	int r = file_get(c, argv[0], &f);

	(void)argc;
	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(argv[1], states[i].word) == 0)
			return ioctl(f->fd, states[i].request, states[i].argument) < 0
				       ? fail(c, errno, "ioctl %s of %s", argv[1], f->name)
				       : 0;
	return wrong(c, "pciioc: '%s' must be mem, io, wc or uc", argv[1]);
}

int bar_start(struct client *c, const char *bdf, const char *region, uint64_t *ret)
{
	char path[128], line[128];
	uint64_t index;
	FILE *resources;
	int r = parse_number(c, "region", region, &index);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.32s/resource", bdf);
	resources = fopen(path, "re");
	if (!resources)
		return fail(c, errno, "open %s", path);
	for (uint64_t i = 0; r == 0 && i <= index; i++)
		if (!fgets(line, sizeof(line), resources))
			r = wrong(c, "%s has no region %s", bdf, region);
	fclose(resources);
	*ret = strtoull(line, NULL, 16);
	return r;
}

int cmd_bar(struct client *c, int argc, char **argv)
{
	uint64_t start;
	int r = bar_start(c, argv[0], argv[1], &start);

	(void)argc;
	return r < 0 ? r : set_result(c, argv[2], start);
}
