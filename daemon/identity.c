// SPDX-License-Identifier: GPL-2.0-or-later
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/* Field @number of /proc/PID/stat at @field, which is field @at; NULL: there are not so many. */
static const char *find_field(const char *field, int at, int number)
{
	for (; field && at < number; at++) {
		field = strchr(field, ' ');
		if (field)
			field++;
	}
	return field;
}

static bool read_number(const char *field, uint64_t *ret)
{
	return field && sscanf(field, "%" SCNu64, ret) == 1;
}

/*
 * starttime, field 22 of /proc/PID/stat, is start_boottime in clock ticks; 26 and 28 are startcode and
 * startstack. The second field is a name in parentheses that may hold anything.
 */
bool process_image(uint32_t tgid, uint64_t start_ns, uint64_t *image)
{
	_cleanup_(closefile) FILE *file = NULL;
	uint64_t ticks, code, stack, per_second = sysconf(_SC_CLK_TCK);
	char path[64], line[1024];
	const char *field;

	*image = 0;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", tgid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return false;
	field = strrchr(line, ')');
	if (!read_number(find_field(field, 2, 22), &ticks) ||
	    ticks != start_ns / (1000000000ULL / per_second))
		return false;
	if (read_number(find_field(field, 2, 26), &code) && read_number(find_field(field, 2, 28), &stack) &&
	    stack)
		*image = code ^ (stack << 32 | stack >> 32);
	return true;
}

bool process_is_still(uint32_t tgid, uint64_t start_ns)
{
	uint64_t image;

	return process_image(tgid, start_ns, &image);
}
