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
	enum memtype type = type_by_name(text);

	if (type == MEMTYPE_UNKNOWN)
		return false;
	filter->type = type;
	return true;
}

bool filter_device_matches(const char *pattern, const char *device)
{
	char with_domain[sizeof("0000:") + EVENT_NAME_LEN];

	if (!device)
		return false;
	if (fnmatch(pattern, device, FNM_NOESCAPE) == 0)
		return true;
	snprintf(with_domain, sizeof(with_domain), "0000:%s", pattern);
	return fnmatch(with_domain, device, FNM_NOESCAPE) == 0;
}

bool filter_type_matches(enum memtype wanted, const char *name)
{
	enum memtype type = type_by_name(name);

	return type == wanted ||
	       (wanted == MEMTYPE_UC && (type == MEMTYPE_UC_MINUS || type == MEMTYPE_DEVICE));
}

/* Asked for, in effect, or given instead: an event that tells of the type concerns it. */
static bool row_has_type(struct json_object *row, enum memtype wanted)
{
	return filter_type_matches(wanted, row_string(row, "requested")) ||
	       filter_type_matches(wanted, row_string(row, "effective")) ||
	       filter_type_matches(wanted, row_string(row, "given"));
}

bool filter_matches(const struct row_filter *filter, struct json_object *row)
{
	const char *event = row_string(row, "event");
	uint64_t pid;

	if (event && strcmp(event, "lost") == 0)
		return true;
	if (filter->device[0] && !filter_device_matches(filter->device, row_string(row, "device")))
		return false;
	if (filter->pid && (!row_number(row, "pid", &pid) || pid != filter->pid))
		return false;
	return filter->type == MEMTYPE_UNKNOWN || row_has_type(row, filter->type);
}
