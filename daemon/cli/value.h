/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_VALUE_H
#define VFIOWATCH_CLI_VALUE_H

/* Reading JSON objects that came from elsewhere: nothing is taken for granted. */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

/* Values of an object, tolerant of missing keys and odd types: then NULL, or false. */
struct json_object *row_value(struct json_object *row, const char *key);
const char *row_string(struct json_object *row, const char *key);
bool row_number(struct json_object *row, const char *key, uint64_t *ret);

/* What a table shows of @value: text as it is, numbers in decimal, yes or no; NULL for null and for
 * containers. Borrowed from @value. */
const char *value_text(struct json_object *value);

#endif
