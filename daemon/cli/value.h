/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_VALUE_H
#define VFIOWATCH_CLI_VALUE_H

/* Reading JSON objects that came from elsewhere: nothing is taken for granted. */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "vfiowatch/memtype.h"

/* Values of an object, tolerant of missing keys and odd types: then NULL, or false. */
struct json_object *row_value(struct json_object *row, const char *key);
const char *row_string(struct json_object *row, const char *key);
bool row_number(struct json_object *row, const char *key, uint64_t *ret);

/* What a table shows of @value: text as it is, numbers in decimal, yes or no; NULL for null and for
 * containers. Borrowed from @value. */
const char *value_text(struct json_object *value);

/* Whether the value of @key is true. */
bool row_true(struct json_object *row, const char *key);

/* The memory type that has this name in the JSON contract; MEMTYPE_UNKNOWN for NULL and all other text. */
enum memtype type_by_name(const char *name);

/* "uc-/wc": the elements of an array with @separator between them. NULL: not an array, an empty one, or out
 * of memory. The caller frees. */
char *join_values(struct json_object *array, char separator);

#endif
