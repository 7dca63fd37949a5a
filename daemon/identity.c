// SPDX-License-Identifier: GPL-2.0-or-later
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/*
 * starttime, field 22 of /proc/PID/stat, is start_boottime in clock ticks; the second field is a name in
 * parentheses that may hold anything.
 */
bool process_is_still(uint32_t tgid, uint64_t start_ns)
{
	char path[64], line[1024], *field;
	_cleanup_(closefile) FILE *file = NULL;
	uint64_t ticks, per_second = sysconf(_SC_CLK_TCK);

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", tgid);
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
	return ticks == start_ns / (1000000000ULL / per_second);
}
