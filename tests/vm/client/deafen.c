// SPDX-License-Identifier: GPL-2.0-or-later

/* A fault of another process: its BPF maps are taken out of its epoll, so that they never wake it again. */

#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Descriptors of our own stay above those of the other process, which get their own numbers here. */
#define ABOVE 1000

static bool is(const char *pid, int fd, const char *what)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%s/fd/%d", pid, fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, what) == 0;
}

/* The other process's descriptor @fd, as a number above ABOVE. */
static int fetch(int process, int fd)
{
	int got = syscall(SYS_pidfd_getfd, process, fd, 0), high;

	if (got < 0)
		return -errno;
	high = fcntl(got, F_DUPFD_CLOEXEC, ABOVE);
	close(got);
	return high < 0 ? -errno : high;
}

/* An entry of an epoll is named by the file and its number. */
static int take_out(int process, int epoll, int map)
{
	int poller = fetch(process, epoll), file = fetch(process, map), r = 0;

	if (poller < 0 || file < 0)
		return poller < 0 ? poller : file;
	if (dup2(file, map) < 0 || epoll_ctl(poller, EPOLL_CTL_DEL, map, NULL) < 0)
		r = -errno;
	close(map);
	close(file);
	close(poller);
	return r;
}

/* Returns how many maps were taken out of @epoll, or a negative errno. */
static int deafen_epoll(const char *pid, int process, int epoll)
{
	char path[64], line[256];
	int map, n = 0, r = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%d", pid, epoll);
	info = fopen(path, "re");
	if (!info)
		return -errno;
	while (r == 0 && fgets(line, sizeof(line), info))
		if (sscanf(line, "tfd: %d", &map) == 1 && is(pid, map, "anon_inode:bpf-map")) {
			r = take_out(process, epoll, map);
			n += r == 0;
		}
	fclose(info);
	return r < 0 ? r : n;
}

int cmd_deafen(struct client *c, int argc, char **argv)
{
	int process = syscall(SYS_pidfd_open, atoi(argv[0]), 0), n = 0, r = 0;
	char path[64];
	struct dirent *entry;
	DIR *fds;

	(void)c, (void)argc;
	if (process < 0 || (process = fcntl(process, F_DUPFD_CLOEXEC, ABOVE)) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%s/fd", argv[0]);
	fds = opendir(path);
	if (!fds)
		return -errno;
	while (r >= 0 && (entry = readdir(fds))) {
		if (!is(argv[0], atoi(entry->d_name), "anon_inode:[eventpoll]"))
			continue;
		r = deafen_epoll(argv[0], process, atoi(entry->d_name));
		n += r > 0 ? r : 0;
	}
	closedir(fds);
	close(process);
	return r < 0 ? r : n > 0 ? 0 : -ENOENT;
}
