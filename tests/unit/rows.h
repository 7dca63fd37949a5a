/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_ROWS_H
#define VFIOWATCH_TESTS_ROWS_H

/* Rows of a snapshot against what they must be. */

#include "events.h"

#include "core/snapshot.h"

/* Compares as text, so that numbers, strings and null are told apart; takes the row. */
static inline void expect_row(struct json_object *row, const char *expected)
{
	struct json_object *wanted = json_tokener_parse(expected);

	assert_non_null(row);
	assert_non_null(wanted);
	if (!json_object_equal(row, wanted))
		fail_msg("got      %s\nexpected %s",
			 json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN),
			 json_object_to_json_string_ext(wanted, JSON_C_TO_STRING_PLAIN));
	json_object_put(row);
	json_object_put(wanted);
}

#endif
