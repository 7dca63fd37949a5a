// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "identity.h"

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
	return process_is_still(who->tgid, who->start_ns) ? 0 : -ESRCH;
}
