/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_FUZZ_H
#define VFIOWATCH_TESTS_FUZZ_H

/* What the fuzzers have in common. */

#include <json-c/json.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                                   \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			abort();                                                                             \
	} while (0)

/* Every row becomes text without a control character; takes the row. */
static inline void serialise(struct json_object *json)
{
	const char *text;

	REQUIRE(json);
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	REQUIRE(text);
	for (; *text; text++)
		REQUIRE((unsigned char)*text >= 0x20 && *text != 0x7f);
	json_object_put(json);
}

#endif
