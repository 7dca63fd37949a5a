/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLEANUP_H
#define VFIOWATCH_CLEANUP_H

/* Ownership by scope: a variable marked _cleanup_(f) is given to f when it goes out of scope. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closefile(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void closedirectory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Keeps errno, so that it can stand behind a failed call. */
static inline void closefd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Hands *fd over to the caller. */
static inline int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

struct btf;
void btf__free(struct btf *btf);

static inline void btf_freep(struct btf **btf)
{
	btf__free(*btf);
}

#endif
