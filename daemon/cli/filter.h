/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_FILTER_H
#define VFIOWATCH_CLI_FILTER_H

/* --device, --pid and --type: from text to struct row_filter, and applied to rows of events. */

#include <stdbool.h>

#include <json-c/json.h>

#include "core/snapshot.h"

/* Each returns false and leaves @filter as it was if @text is not valid. */
bool filter_set_device(struct row_filter *filter, const char *text);
bool filter_set_pid(struct row_filter *filter, const char *text);
bool filter_set_type(struct row_filter *filter, const char *text);

/* Whether @device (NULL: unknown) is one that @pattern takes, as struct row_filter says it. */
bool filter_device_matches(const char *pattern, const char *device);

/* Whether @name is type @wanted, of which "uc" also takes "uc-" and "device". */
bool filter_type_matches(enum memtype wanted, const char *name);

/* Whether an event row passes. A row that tells of lost events always does: what is missing may have passed.
 */
bool filter_matches(const struct row_filter *filter, struct json_object *row);

#endif
