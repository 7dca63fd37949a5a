/* SPDX-License-Identifier: GPL-2.0-or-later */

/* For LD_PRELOAD: the same host name and time of the day everywhere, as frames show them. */

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int gethostname(char *name, size_t size)
{
	static const char host[] = "hypervisor";

	if (size < sizeof(host)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(name, host, sizeof(host));
	return 0;
}

/* 2026-11-20 14:00:07: after all that is in the capture. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	if (id != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, ret);
	*ret = (struct timespec){.tv_sec = 1795183207};
	return 0;
}
