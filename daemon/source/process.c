// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "cleanup.h"

/*
 * starttime, field 22 of /proc/PID/stat, is start_boottime in clock ticks; the second field is a name in
 * parentheses that may hold anything.
 */
static bool is_still(const struct event_process_id *who)
{
	char path[64], line[1024], *field;
	_cleanup_(closefile) FILE *file = NULL;
	uint64_t ticks, per_second = sysconf(_SC_CLK_TCK);

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", (uint32_t)who->tgid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return false;
	field = strrchr(line, ')');
	for (int i = 2; field && i < 22; i++) {
		field = strchr(field, ' ');
		if (field)
			field++;
	}
	if (!field || sscanf(field, "%" SCNu64, &ticks) != 1)
		return false;
	return ticks == who->start_ns / (1000000000ULL / per_second);
}

static void keep_text(char *field, size_t size, char *text)
{
	memcpy(field, text, strnlen(text, size));
	free(text);
}

/* Kernel threads and processes that are gone have none. */
static void read_exe(uint32_t tgid, char exe[EVENT_PATH_LEN])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", tgid);
	n = readlink(path, exe, EVENT_PATH_LEN);
	if (n < 0)
		exe[0] = 0;
}

int process_read(const struct event_process_id *who, uint64_t now_ns, struct event *ret)
{
	char *text;

	memset(ret, 0, sizeof(*ret));
	ret->header.version = EVENT_VERSION;
	ret->header.type = EVENT_PROCESS;
	ret->header.size = sizeof(ret->header) + sizeof(ret->process);
	ret->header.origin = EVENT_ORIGIN_SCAN;
	ret->header.time_ns = now_ns;
	ret->header.who = *who;
	if (sd_pid_get_unit(who->tgid, &text) >= 0)
		keep_text(ret->process.unit, sizeof(ret->process.unit), text);
	if (sd_pid_get_machine_name(who->tgid, &text) >= 0)
		keep_text(ret->process.machine, sizeof(ret->process.machine), text);
	read_exe(who->tgid, ret->process.exe);
	return is_still(who) ? 0 : -ESRCH;
}
