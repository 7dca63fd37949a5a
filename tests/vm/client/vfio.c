// SPDX-License-Identifier: GPL-2.0-or-later

/* The VFIO uAPI as the client uses it: groups with type1, character devices with iommufd, regions, DMABUFs.
 */

#include "client.h"
#include "vfio_uapi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(sizeof(struct vfio_device_bind_iommufd) == 16, "bind: uAPI layout");
_Static_assert(sizeof(struct vfio_device_attach_iommufd_pt) == 12, "attach: uAPI layout");
_Static_assert(sizeof(struct vfio_device_feature_dma_buf) == 16, "dma-buf: uAPI layout");

#define PCI_COMMAND_OFFSET     4
#define PCI_COMMAND_MEMORY_BIT 0x2

static int container_open(struct client *c)
{
	if (c->container >= 0)
		return 0;
	c->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (c->container < 0)
		return fail(c, errno, "open /dev/vfio/vfio");
	if (ioctl(c->container, VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
		closep(&c->container);
		return fail(c, EPROTO, "VFIO_GET_API_VERSION");
	}
	return 0;
}

static int group_attach(struct client *c, int number, int fd)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return fail(c, errno, "VFIO_GROUP_GET_STATUS of group %d", number);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return fail(c, EPERM, "group %d: not viable, not all of its devices are bound to vfio",
			    number);
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &c->container) < 0)
		return fail(c, errno, "VFIO_GROUP_SET_CONTAINER of group %d", number);
	if (LIST_EMPTY(&c->groups) && ioctl(c->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return fail(c, errno, "VFIO_SET_IOMMU type1");
	return 0;
}

static int group_open(struct client *c, int number, struct group **ret)
{
	_cleanup_(closep) int fd = -1;
	struct group *g;
	char path[64];
	int r;

	LIST_FOREACH(g, &c->groups, link)
	if (g->number == number) {
		*ret = g;
		return 0;
	}
	r = container_open(c);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(c, errno, "open %s", path);
	r = group_attach(c, number, fd);
	if (r < 0)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return fail(c, ENOMEM, "group %d", number);
	g->number = number;
	g->fd = fd;
	fd = -1;
	LIST_INSERT_HEAD(&c->groups, g, link);
	*ret = g;
	return 0;
}

int vfio_open_group(struct client *c, const char *device, int *ret_fd)
{
	char path[128], target[256];
	struct group *g = NULL;
	const char *slash;
	ssize_t n;
	int r, fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return fail(c, errno, "readlink %s", path);
	target[n] = '\0';
	slash = strrchr(target, '/');
	r = group_open(c, atoi(slash ? slash + 1 : target), &g);
	if (r < 0)
		return r;
	fd = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, device);
	if (fd < 0)
		return fail(c, errno, "VFIO_GROUP_GET_DEVICE_FD %s", device);
	*ret_fd = fd;
	return 0;
}

/* All group descriptors and the container; devices that are open or mapped keep their group busy. */
void vfio_close_groups(struct client *c)
{
	struct group *g;

	while ((g = LIST_FIRST(&c->groups))) {
		LIST_REMOVE(g, link);
		close(g->fd);
		free(g);
	}
	closep(&c->container);
}

static int cdev_path(struct client *c, const char *device, char *ret, size_t size)
{
	char path[128];
	struct dirent *d;
	DIR *dir;
	int r = -ENOENT;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", device);
	dir = opendir(path);
	if (!dir)
		return fail(
			c, errno,
			"%s: this kernel has no VFIO character device for it (needs CONFIG_VFIO_DEVICE_CDEV, "
			"CONFIG_IOMMUFD and the device bound to vfio-pci)",
			path);
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, "vfio", 4) == 0) {
			snprintf(ret, size, "/dev/vfio/devices/%.32s", d->d_name);
			r = 0;
		}
	closedir(dir);
	return r < 0 ? fail(c, -r, "%s: empty", path) : 0;
}

static int ioas_open(struct client *c)
{
	struct iommufd_ioas_alloc alloc = {.size = sizeof(alloc)};
	_cleanup_(closep) int fd = -1;

	if (c->iommufd >= 0)
		return 0;
	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(c, errno, "open /dev/iommu (needs CONFIG_IOMMUFD and the iommufd module)");
	if (ioctl(fd, IOMMUFD_IOAS_ALLOC, &alloc) < 0)
		return fail(c, errno, "IOMMU_IOAS_ALLOC");
	c->ioas = alloc.out_ioas_id;
	c->iommufd = fd;
	fd = -1;
	return 0;
}

int vfio_open_cdev(struct client *c, const char *device, int *ret_fd)
{
	struct vfio_device_bind_iommufd bind = {.argsz = sizeof(bind)};
	struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach)};
	_cleanup_(closep) int fd = -1;
	char path[64];
	int r;

	r = cdev_path(c, device, path, sizeof(path));
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(c, errno, "open %s (needs CONFIG_VFIO_DEVICE_CDEV)", path);
	r = ioas_open(c);
	if (r < 0)
		return r;
	bind.iommufd = c->iommufd;
	if (ioctl(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind) < 0)
		return fail(c, errno, "VFIO_DEVICE_BIND_IOMMUFD of %s", path);
	attach.pt_id = c->ioas;
	if (ioctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) < 0)
		return fail(c, errno, "VFIO_DEVICE_ATTACH_IOMMUFD_PT of %s", path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Always asks the kernel: each call is one more time that the cookie was issued. */
int vfio_region(struct client *c, struct file *f, uint32_t index, struct region *ret)
{
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};

	if (ioctl(f->fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return fail(c, errno, "VFIO_DEVICE_GET_REGION_INFO of %s region %u", f->name, index);
	*ret = (struct region){true, info.offset, info.size, info.flags};
	if (index < MAX_REGIONS)
		f->regions[index] = *ret;
	return 0;
}

int vfio_region_cached(struct client *c, struct file *f, uint32_t index, struct region *ret)
{
	if (index < MAX_REGIONS && f->regions[index].known) {
		*ret = f->regions[index];
		return 0;
	}
	return vfio_region(c, f, index, ret);
}

/* ranges: n pairs of offset and length in bytes. */
int vfio_export_dmabuf(struct client *c, struct file *f, uint32_t index, const uint64_t *ranges, uint32_t n,
		       int *ret_fd)
{
	size_t size = sizeof(struct vfio_device_feature) + sizeof(struct vfio_device_feature_dma_buf) +
		      n * sizeof(struct vfio_region_dma_range);
	struct vfio_device_feature *feature = calloc(1, size);
	struct vfio_device_feature_dma_buf *dma_buf;
	int fd, error;

	if (!feature)
		return fail(c, ENOMEM, "VFIO_DEVICE_FEATURE_DMA_BUF");
	feature->argsz = size;
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	dma_buf = (struct vfio_device_feature_dma_buf *)feature->data;
	dma_buf->region_index = index;
	dma_buf->open_flags = O_RDWR | O_CLOEXEC;
	dma_buf->nr_ranges = n;
	for (uint32_t i = 0; i < n; i++) {
		dma_buf->dma_ranges[i].offset = ranges[2 * i];
		dma_buf->dma_ranges[i].length = ranges[2 * i + 1];
	}
	fd = ioctl(f->fd, VFIO_DEVICE_FEATURE, feature);
	error = errno;
	free(feature);
	if (fd < 0)
		return fail(c, error, "VFIO_DEVICE_FEATURE_DMA_BUF of %s region %u", f->name, index);
	*ret_fd = fd;
	return 0;
}

int vfio_reset(struct client *c, struct file *f)
{
	return ioctl(f->fd, VFIO_DEVICE_RESET) < 0 ? fail(c, errno, "VFIO_DEVICE_RESET of %s", f->name) : 0;
}

/* The memory bit of the command register, through the config region: off revokes every BAR mapping. */
int vfio_set_memory(struct client *c, struct file *f, bool on)
{
	struct region config;
	uint16_t command;
	off_t where;
	int r;

	r = vfio_region_cached(c, f, VFIO_PCI_CONFIG_REGION_INDEX, &config);
	if (r < 0)
		return r;
	where = (off_t)config.offset + PCI_COMMAND_OFFSET;
	if (pread(f->fd, &command, sizeof(command), where) != (ssize_t)sizeof(command))
		return fail(c, errno, "read the command register of %s", f->name);
	command = on ? command | PCI_COMMAND_MEMORY_BIT : command & ~PCI_COMMAND_MEMORY_BIT;
	if (pwrite(f->fd, &command, sizeof(command), where) != (ssize_t)sizeof(command))
		return fail(c, errno, "write the command register of %s", f->name);
	return 0;
}
