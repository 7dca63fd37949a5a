/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/filter.h"
#include "cli/value.h"

bool filter_set_device(struct row_filter *filter, const char *text)
{
	if (!*text || strlen(text) >= sizeof(filter->device))
		return false;
	strcpy(filter->device, text);
	return true;
}

bool filter_set_pid(struct row_filter *filter, const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	/* PID_MAX_LIMIT of include/linux/threads.h is far below. */
	if (!isdigit((unsigned char)*text) || *end || errno || value == 0 || value > INT32_MAX)
		return false;
	filter->pid = value;
	return true;
}

bool filter_set_type(struct row_filter *filter, const char *text)
{
	for (enum memtype type = MEMTYPE_UNKNOWN + 1; type < MEMTYPE_TYPES; type++)
		if (strcmp(memtype_name(type), text) == 0) {
			filter->type = type;
			return true;
		}
	return false;
}

/* As struct row_filter says it. */
static bool device_matches(const char *pattern, const char *device)
{
	char with_domain[sizeof("0000:") + EVENT_NAME_LEN];

	if (!device)
		return false;
	if (fnmatch(pattern, device, FNM_NOESCAPE) == 0)
		return true;
	snprintf(with_domain, sizeof(with_domain), "0000:%s", pattern);
	return fnmatch(with_domain, device, FNM_NOESCAPE) == 0;
}

static bool type_matches(enum memtype wanted, const char *name)
{
	if (!name)
		return false;
	if (strcmp(name, memtype_name(wanted)) == 0)
		return true;
	return wanted == MEMTYPE_UC && (strcmp(name, memtype_name(MEMTYPE_UC_MINUS)) == 0 ||
					strcmp(name, memtype_name(MEMTYPE_DEVICE)) == 0);
}

bool filter_matches(const struct row_filter *filter, struct json_object *row)
{
	const char *event = row_string(row, "event");
	uint64_t pid;

	if (event && strcmp(event, "lost") == 0)
		return true;
	if (filter->device[0] && !device_matches(filter->device, row_string(row, "device")))
		return false;
	if (filter->pid && (!row_number(row, "pid", &pid) || pid != filter->pid))
		return false;
	return filter->type == MEMTYPE_UNKNOWN || type_matches(filter->type, row_string(row, "requested"));
}
