/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli/textfile.h"

/* 0 or a negative errno. Closes @fd. */
static int write_and_close(int fd, const char *text)
{
	FILE *file = fdopen(fd, "w");
	int r = 0;

	if (!file) {
		r = -errno;
		close(fd);
		return r;
	}
	if (fputs(text, file) < 0 || fflush(file) != 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		r = -errno;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	return r;
}

/* The new name must outlive a crash, too. */
static int sync_directory(const char *path)
{
	char *copy _cleanup_(freep) = strdup(path);
	_cleanup_(closefd) int fd = -1;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *beside, const char *text, int fd)
{
	int r = write_and_close(fd, text);

	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(beside);
	return r < 0 ? r : sync_directory(path);
}

enum exit_code textfile_write(const char *path, const char *text, struct failure *failure)
{
	char *beside _cleanup_(freep) = NULL;
	struct stat status;
	int fd, r;

	if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
		return fail_with(failure, EXIT_FAILED, "%s is no regular file", path);
	if (asprintf(&beside, "%s.XXXXXX", path) < 0)
		return fail_memory(failure);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return fail_with(failure, EXIT_FAILED, "cannot make a file beside %s: %s", path,
				 strerror(errno));
	r = replace(path, beside, text, fd);
	return r < 0 ? fail_with(failure, EXIT_FAILED, "cannot write %s: %s", path, strerror(-r)) : EXIT_OK;
}
