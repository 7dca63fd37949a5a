// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "record_build.h"
#include "source/ring.h"
#include "vfiowatch/event.h"
#include "vfiowatch/policy.h"

/* Names with a dot are refused by the BPF file system. */
#define ASIDE "before"

/* The map that names the build. It is moved last: while it is there the others may be, too. */
#define RECORDER "recorder"

#define RING     "ring"

/* The map of struct enforcer. */
#define ENFORCER "enforcer"

static void aside_path(const char *directory, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" ASIDE, directory);
}

static bool has(const char *directory, const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* Whose the maps pinned here are: PINS_OURS, PINS_EARLIER, or PINS_OTHERS also if there are none. 0 or a
 * negative errno. */
static int find_owner(const char *directory, enum pins_found *ret)
{
	_cleanup_(closefd) int fd = -1;
	struct recorder recorder;
	char path[PATH_MAX];
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), zero = 0;

	*ret = PINS_OTHERS;
	snprintf(path, sizeof(path), "%s/" RECORDER, directory);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return -errno;
	if (info.value_size != sizeof(recorder) || bpf_map_lookup_elem(fd, &zero, &recorder) < 0 ||
	    recorder.layout != RECORD_LAYOUT)
		return 0;
	*ret = recorder.build == RECORD_BUILD ? PINS_OURS : PINS_EARLIER;
	return 0;
}

typedef bool (*choose)(const char *name);

static bool decides(const char *name)
{
	return strncmp(name, PINS_DECIDING, strlen(PINS_DECIDING)) == 0;
}

static bool any(const char *name)
{
	(void)name;
	return true;
}

static bool all_but_recorder(const char *name)
{
	return strcmp(name, RECORDER) != 0;
}

/*
 * Moves the chosen pins of @directory to @to, or removes them if that is NULL; directories are left alone.
 * Goes on after an error. Returns 0 or the last negative errno.
 */
static int each_pin(const char *directory, choose chosen, const char *to)
{
	_cleanup_(closedirectory) DIR *d = opendir(directory);
	_cleanup_(closedirectory) DIR *target = to ? opendir(to) : NULL;
	struct dirent *entry;
	int r = 0, failed;

	if (!d || (to && !target))
		return errno == ENOENT && !to ? 0 : -errno;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, ASIDE) == 0 || !chosen(entry->d_name))
			continue;
		failed = target ? renameat(dirfd(d), entry->d_name, dirfd(target), entry->d_name)
				: unlinkat(dirfd(d), entry->d_name, 0);
		if (failed < 0)
			r = -errno;
	}
	return r;
}

/* Of any build: the policy in force is the first word of the table in all of them. */
_Static_assert(offsetof(struct enforcer, generation) == 0, "the first word");

void pins_end_decisions(const char *directory)
{
	_cleanup_(closefd) int fd = -1;
	char path[PATH_MAX];
	uint64_t *generation;

	snprintf(path, sizeof(path), "%s/" ENFORCER, directory);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	generation = mmap(NULL, sizeof(*generation), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (generation == MAP_FAILED)
		return;
	__atomic_store_n(generation, 0, __ATOMIC_RELEASE);
	munmap(generation, sizeof(*generation));
}

/* What decides goes first: its tables must not become untrue under it. */
static int remove_pins(const char *directory)
{
	int r, other;

	pins_end_decisions(directory);
	r = each_pin(directory, decides, NULL);
	other = each_pin(directory, any, NULL);
	return r < 0 ? r : other;
}

static int move_pins(const char *from, const char *to)
{
	int r = each_pin(from, all_but_recorder, to);

	return r < 0 ? r : each_pin(from, any, to);
}

/*
 * A daemon that was killed while it set pins aside left some in both places, with the recorder in one of
 * them. If both have one, what is set aside is what was in force: the other never came to its end.
 */
static int set_aside(const char *directory, enum pins_found *found)
{
	char aside[PATH_MAX];
	int r;

	aside_path(directory, aside);
	if (has(aside, RECORDER)) {
		*found = PINS_OTHERS;
		return remove_pins(directory);
	}
	if (!has(directory, RECORDER)) {
		*found = PINS_NONE;
		return remove_pins(directory);
	}
	*found = PINS_OTHERS;
	if (mkdir(aside, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = move_pins(directory, aside);
	if (r < 0)
		pins_restore(directory, PINS_OTHERS);
	return r;
}

/* A directory that was removed before it was locked guards nothing. */
static int lock(const char *directory, int *ret)
{
	_cleanup_(closefd) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat locked, there;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (fstat(fd, &locked) < 0 || stat(directory, &there) < 0)
		return -errno;
	if (locked.st_ino != there.st_ino || locked.st_dev != there.st_dev)
		return -EBUSY;
	*ret = fd;
	fd = -1;
	return 0;
}

/*
 * What is in the pin directory is taken for ours and removed: no files of another file system, and not the
 * pins that others have at the top of this one. 0, or a negative errno with *reason.
 */
static int check_place(const char *directory, const char **reason)
{
	char above[PATH_MAX];
	struct stat here, there;
	struct statfs fs;

	if (statfs(directory, &fs) < 0)
		return -errno;
	*reason = "the pin directory is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf";
	if (fs.f_type != BPF_FS_MAGIC)
		return -EINVAL;
	*reason = "the pin directory is the top of a BPF file system, where others have their pins: give "
		  "--pin-directory one below it";
	snprintf(above, sizeof(above), "%s/..", directory);
	if (stat(directory, &here) < 0 || stat(above, &there) < 0)
		return -errno;
	return here.st_dev == there.st_dev ? 0 : -EINVAL;
}

int pins_open(const char *directory, int *ret_lock, enum pins_found *found, const char **reason)
{
	bool made = mkdir(directory, 0700) == 0;
	int r;

	*reason = "cannot make the pin directory; is a BPF file system there? mount -t bpf bpf /sys/fs/bpf";
	if (!made && errno != EEXIST)
		return -errno;
	r = check_place(directory, reason);
	if (r < 0) {
		if (made)
			rmdir(directory);
		return r;
	}
	r = lock(directory, ret_lock);
	if (r < 0) {
		*reason = "the pin directory is in use by another vfiowatchd: stop it, or give this one "
			  "another --pin-directory";
		return r;
	}
	*reason = "cannot take over what is in the pin directory: vfiowatchd --detach removes it";
	r = find_owner(directory, found);
	if (r < 0)
		return r;
	return *found == PINS_OTHERS ? set_aside(directory, found) : 0;
}

uint64_t pins_unread(const char *directory)
{
	_cleanup_(closefd) int fd = -1;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" ASIDE "/" RING, directory);
	fd = bpf_obj_get(path);
	return fd < 0 ? 0 : ring_unread(fd);
}

int pins_settle(const char *directory)
{
	char aside[PATH_MAX];
	int r;

	aside_path(directory, aside);
	r = remove_pins(aside);
	if (r < 0)
		return r;
	return rmdir(aside) < 0 && errno != ENOENT ? -errno : 0;
}

void pins_restore(const char *directory, enum pins_found found)
{
	char aside[PATH_MAX];
	const char *reason;

	if (found == PINS_OURS || found == PINS_EARLIER)
		return;
	if (found == PINS_NONE) {
		pins_remove(directory, &reason);
		return;
	}
	aside_path(directory, aside);
	/* A pin that is in both places is ours here; one that is only here was not moved yet. */
	if (has(aside, RECORDER))
		remove_pins(directory);
	move_pins(aside, directory);
	rmdir(aside);
}

int pins_remove(const char *directory, const char **reason)
{
	char aside[PATH_MAX];
	int r;

	*reason = "cannot look into it";
	r = check_place(directory, reason);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	*reason = "not all pins could be removed";
	aside_path(directory, aside);
	r = remove_pins(directory);
	if (r == 0)
		r = remove_pins(aside);
	if (r < 0)
		return r;
	if ((rmdir(aside) < 0 && errno != ENOENT) || (rmdir(directory) < 0 && errno != ENOENT))
		return -errno;
	return 0;
}
