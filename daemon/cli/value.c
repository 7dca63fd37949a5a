/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"

struct json_object *row_value(struct json_object *row, const char *key)
{
	struct json_object *value = NULL;

	return json_object_is_type(row, json_type_object) && json_object_object_get_ex(row, key, &value)
		       ? value
		       : NULL;
}

const char *row_string(struct json_object *row, const char *key)
{
	struct json_object *value = row_value(row, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

bool row_number(struct json_object *row, const char *key, uint64_t *ret)
{
	struct json_object *value = row_value(row, key);

	if (!json_object_is_type(value, json_type_int))
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

const char *value_text(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_boolean:
		return json_object_get_boolean(value) ? "yes" : "no";
	case json_type_string:
	case json_type_int:
	case json_type_double:
		return json_object_get_string(value);
	default:
		return NULL;
	}
}

bool row_true(struct json_object *row, const char *key)
{
	struct json_object *value = row_value(row, key);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

enum memtype type_by_name(const char *name)
{
	for (enum memtype type = MEMTYPE_UNKNOWN + 1; name && type < MEMTYPE_TYPES; type++)
		if (strcmp(memtype_name(type), name) == 0)
			return type;
	return MEMTYPE_UNKNOWN;
}

char *join_values(struct json_object *array, char separator)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) == 0 ||
	    !(out = open_memstream(&text, &size)))
		return NULL;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		const char *element = value_text(json_object_array_get_idx(array, i));

		if (i)
			fputc(separator, out);
		fputs(element ? element : "-", out);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
