// SPDX-License-Identifier: GPL-2.0-or-later

/* Values of one object of the JSON against what they must be. */

#include "oracle.h"

#include <inttypes.h>
#include <string.h>

void item_differs(const struct item *m, const char *key, const char *expected)
{
	json_object *value = NULL;

	json_object_object_get_ex(m->o, key, &value);
	differ("%s: %s is %s, expected %s", m->name, key,
	       json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), expected);
}

void check_string(const struct item *m, const char *key, const char *expected)
{
	const char *value = get_string(m->o, key);

	if (!value || strcmp(value, expected) != 0)
		item_differs(m, key, expected);
}

void check_address(const struct item *m, const char *key, uint64_t expected)
{
	uint64_t value;
	char text[32];

	if (get_address(m->o, key, &value) && value == expected)
		return;
	snprintf(text, sizeof(text), "\"0x%" PRIx64 "\"", expected);
	item_differs(m, key, text);
}

void check_integer(const struct item *m, const char *key, int64_t expected)
{
	int64_t value;
	char text[32];

	if (get_integer(m->o, key, &value) && value == expected)
		return;
	snprintf(text, sizeof(text), "%" PRId64, expected);
	item_differs(m, key, text);
}

void check_boolean(const struct item *m, const char *key, bool expected)
{
	json_object *value;

	if (!json_object_object_get_ex(m->o, key, &value) || !json_object_is_type(value, json_type_boolean) ||
	    (bool)json_object_get_boolean(value) != expected)
		item_differs(m, key, expected ? "true" : "false");
}
