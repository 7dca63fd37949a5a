/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_TEXTFILE_H
#define VFIOWATCH_CLI_TEXTFILE_H

/* A file that others read at any time: they see what was there before, or all of what is new. */

#include "cli/cli.h"

/*
 * Writes @text to a file beside @path, mode 0644, brings it to the disk, and gives it the name @path. What
 * has that name is replaced if it is a regular file or a symbolic link. If anything fails @path is as it was,
 * and the file beside it is gone. That one's name does not end as @path does, so that who reads *.prom misses
 * it.
 */
enum exit_code textfile_write(const char *path, const char *text, struct failure *failure);

#endif
