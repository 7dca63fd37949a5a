/* SPDX-License-Identifier: GPL-2.0-or-later */

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
