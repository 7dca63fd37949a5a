/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot_finding.h"

#include <fnmatch.h>
#include <stdio.h>

bool filter_takes_device(const struct row_filter *filter, const char *name)
{
	char with_domain[sizeof("0000:") + EVENT_NAME_LEN];

	if (!filter->device[0])
		return true;
	if (!name || !name[0])
		return false;
	if (fnmatch(filter->device, name, FNM_NOESCAPE) == 0)
		return true;
	snprintf(with_domain, sizeof(with_domain), "0000:%.*s", EVENT_NAME_LEN, filter->device);
	return fnmatch(with_domain, name, FNM_NOESCAPE) == 0;
}

bool filter_takes_type(const struct row_filter *filter, enum memtype type)
{
	return filter->type == MEMTYPE_UNKNOWN || filter->type == type ||
	       (filter->type == MEMTYPE_UC && (type == MEMTYPE_UC_MINUS || type == MEMTYPE_DEVICE));
}
