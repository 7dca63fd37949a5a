// SPDX-License-Identifier: GPL-2.0-or-later

/* Processes and their address spaces, from /proc. */

#include "oracle.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

/* The pids of all processes, rising; the caller frees them. */
pid_t *pids_read(size_t *ret_n)
{
	pid_t *pids = NULL;
	struct dirent *d;
	size_t n = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc: %m");
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0])) {
			pids = grow(pids, n, sizeof(*pids));
			pids[n++] = atoi(d->d_name);
		}
	closedir(dir);
	if (n)
		qsort(pids, n, sizeof(*pids), compare_pids);
	*ret_n = n;
	return pids;
}

/* vfork(2) and CLONE_VM make processes that share one address space. */
bool same_address_space(pid_t a, pid_t b)
{
	long r = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);

	if (r < 0 && errno != ESRCH)
		die("kcmp(%d, %d, KCMP_VM): %m (needs CONFIG_KCMP and root)", a, b);
	return r == 0;
}

/* NULL when it has no line at all (gone, or no address space). */
static FILE *maps_of_thread(pid_t pid, pid_t thread)
{
	char path[64];
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", pid, thread);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	c = getc(f);
	if (c != EOF) {
		ungetc(c, f);
		return f;
	}
	fclose(f);
	return NULL;
}

/*
 * The maps file of the process, and the thread whose one it is: a thread group whose leader is dead shows its
 * address space only through the other threads. NULL: no thread has one any more.
 */
FILE *maps_open(pid_t pid, pid_t *ret_thread)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	FILE *f;

	*ret_thread = pid;
	f = maps_of_thread(pid, pid);
	if (f)
		return f;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !f && (d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && atoi(d->d_name) != pid) {
			*ret_thread = atoi(d->d_name);
			f = maps_of_thread(pid, *ret_thread);
		}
	if (dir)
		closedir(dir);
	return f;
}

/* The next VMA of the file; false: there is no other. */
bool maps_next(FILE *f, struct maps_line *ret)
{
	while (fgets(ret->text, sizeof(ret->text), f)) {
		int name = 0;

		ret->text[strcspn(ret->text, "\n")] = '\0';
		if (sscanf(ret->text, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &ret->start,
			   &ret->end, &ret->column, &name) != 3 ||
		    !name)
			continue;
		ret->name = ret->text + name;
		return true;
	}
	return false;
}
