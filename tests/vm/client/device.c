// SPDX-License-Identifier: GPL-2.0-or-later

/* Commands on device files. */

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int new_file_name(struct client *c, const char *name)
{
	int r = check_name(c, name);

	if (r < 0)
		return r;
	return file_find(c, name) ? wrong(c, "'%s' is already open", name) : 0;
}

static int open_path(struct client *c, const char *path, int mode, int *ret_fd)
{
	*ret_fd = open(path, mode | O_SYNC | O_CLOEXEC);
	return *ret_fd < 0 ? fail(c, errno, "open %s", path) : 0;
}

int cmd_open(struct client *c, int argc, char **argv)
{
	const char *name = argv[0], *how = argv[1], *what = argv[2];
	enum file_kind kind = FILE_DEVICE;
	int fd, r;

	(void)argc;
	r = new_file_name(c, name);
	if (r < 0)
		return r;
	if (strncmp(how, "path", 4) != 0 && strlen(what) >= NAME_SIZE)
		return wrong(c, "open: '%s' is not a BDF like 0000:00:01.0", what);
	if (strcmp(how, "group") == 0)
		r = vfio_open_group(c, what, &fd);
	else if (strcmp(how, "cdev") == 0)
		r = vfio_open_cdev(c, what, &fd);
	else if (strcmp(how, "path") == 0 || strcmp(how, "path-ro") == 0) {
		r = open_path(c, what, how[4] ? O_RDONLY : O_RDWR, &fd);
		kind = FILE_PLAIN;
		what = "";
	} else
		return wrong(c, "open: '%s' must be group, cdev, path or path-ro", how);
	if (r < 0)
		return r;
	if (!file_add(c, name, kind, what, fd))
		return fail(c, ENOMEM, "open %s", name);
	return answer(c, "%s fd %d", name, fd);
}

int cmd_dup(struct client *c, int argc, char **argv)
{
	struct file *f, *copy;
	int fd, r;

	(void)argc;
	r = file_get(c, argv[0], &f);
	if (r < 0)
		return r;
	r = new_file_name(c, argv[1]);
	if (r < 0)
		return r;
	fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail(c, errno, "dup %s", f->name);
	copy = file_add(c, argv[1], f->kind, f->device, fd);
	if (!copy)
		return fail(c, ENOMEM, "dup %s", f->name);
	memcpy(copy->regions, f->regions, sizeof(copy->regions));
	return answer(c, "%s fd %d", copy->name, fd);
}

int cmd_close(struct client *c, int argc, char **argv)
{
	struct file *f;
	int fd, r;

	(void)argc;
	r = file_get(c, argv[0], &f);
	if (r < 0)
		return r;
	fd = f->fd;
	LIST_REMOVE(f, link);
	free(f);
	return close(fd) < 0 ? fail(c, errno, "close %s", argv[0]) : 0;
}

int cmd_close_groups(struct client *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	vfio_close_groups(c);
	return 0;
}

int cmd_info(struct client *c, int argc, char **argv)
{
	struct region region;
	struct file *f;
	uint64_t index;
	int r;

	r = device_get(c, argv[0], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "region", argv[1], &index);
	if (r < 0)
		return r;
	if (argc > 2 && (argc != 4 || strcmp(argv[2], "issued") != 0))
		return wrong(c, "info: after the region only 'issued VARIABLE' may follow");
	r = vfio_region(c, f, (uint32_t)index, &region);
	if (r < 0)
		return r;
	if (argc == 4) {
		r = check_name(c, argv[3]);
		if (r == 0)
			r = set_address(c, "", argv[3], region.offset);
		if (r < 0)
			return r;
	}
	return answer(c, "%s region %u offset 0x%llx size 0x%llx flags 0x%x", f->name, (unsigned)index,
		      (unsigned long long)region.offset, (unsigned long long)region.size, region.flags);
}

int cmd_storm_info(struct client *c, int argc, char **argv)
{
	uint64_t index, count;
	struct region region;
	struct file *f;
	int r;

	(void)argc;
	r = device_get(c, argv[0], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "region", argv[1], &index);
	if (r < 0)
		return r;
	r = parse_number(c, "count", argv[2], &count);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < count; i++) {
		r = vfio_region(c, f, (uint32_t)index, &region);
		if (r < 0)
			return r;
	}
	return answer(c, "%llu times", (unsigned long long)count);
}

int cmd_dmabuf(struct client *c, int argc, char **argv)
{
	uint64_t index, ranges[MAX_WORDS] = {0};
	uint32_t n = 0;
	struct file *f;
	int fd, r;

	r = new_file_name(c, argv[0]);
	if (r < 0)
		return r;
	r = device_get(c, argv[1], &f);
	if (r < 0)
		return r;
	r = parse_number(c, "region", argv[2], &index);
	if (r < 0)
		return r;
	if ((argc - 3) % 2)
		return wrong(c, "dmabuf: ranges are pairs of OFFSET LENGTH");
	for (int i = 3; i < argc; i++) {
		r = parse_number(c, "range", argv[i], &ranges[n++]);
		if (r < 0)
			return r;
	}
	n /= 2;
	if (n == 0) {
		struct region region;

		r = vfio_region_cached(c, f, (uint32_t)index, &region);
		if (r < 0)
			return r;
		ranges[1] = region.size;
		n = 1;
	}
	r = vfio_export_dmabuf(c, f, (uint32_t)index, ranges, n, &fd);
	if (r < 0)
		return r;
	if (!file_add(c, argv[0], FILE_DMABUF, f->device, fd))
		return fail(c, ENOMEM, "dmabuf %s", argv[0]);
	return answer(c, "%s fd %d of %u ranges", argv[0], fd, n);
}

int cmd_reset(struct client *c, int argc, char **argv)
{
	struct file *f;
	int r = device_get(c, argv[0], &f);

	(void)argc;
	return r < 0 ? r : vfio_reset(c, f);
}

int cmd_memory(struct client *c, int argc, char **argv)
{
	struct file *f;
	int r = device_get(c, argv[0], &f);

	(void)argc;
	if (r < 0)
		return r;
	if (strcmp(argv[1], "on") != 0 && strcmp(argv[1], "off") != 0)
		return wrong(c, "memory: '%s' must be on or off", argv[1]);
	return vfio_set_memory(c, f, strcmp(argv[1], "on") == 0);
}
