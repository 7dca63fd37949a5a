/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_ROWS_H
#define VFIOWATCH_CORE_ROWS_H

/*
 * Building one JSON object key by key. The first failed allocation makes the row fail and all that follows
 * void, so that a caller checks once, at row_take(). Every function writes null for what is not known. Keys
 * must outlive the row: they are literals.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

struct row {
	struct json_object *object;
	bool failed; /* out of memory at some point */
};

struct row row_new(void);

/* Ends a row of row_new(): the caller owns the object. NULL: out of memory at some point. */
struct json_object *row_take(struct row *row);

void row_null(struct row *row, const char *key);
void row_count(struct row *row, const char *key, uint64_t value, bool known);
void row_signed(struct row *row, const char *key, int64_t value, bool known);
void row_bool(struct row *row, const char *key, bool value, bool known);

/* "0x..": an address or an offset. */
void row_address(struct row *row, const char *key, uint64_t value, bool known);

/* Longest text that a row takes, in bytes before escaping; what is longer is cut. */
#define ROW_TEXT_MAX 255

/* Text of at most @length bytes up to its first zero, escaped; NULL or empty: unknown. */
void row_text(struct row *row, const char *key, const char *text, size_t length);

/* RFC 3339, UTC, microseconds. 0, or before 1970 or after 2262: unknown. */
void row_time(struct row *row, const char *key, uint64_t boottime_ns, int64_t realtime_offset_ns);

/* An array or object inside the row, owned by it. The array is NULL if the row failed, which the functions
 * below take. */
struct json_object *row_array(struct row *row, const char *key);
struct row row_object(struct row *row, const char *key);
struct row row_append_object(struct row *row, struct json_object *array);
void row_append_text(struct row *row, struct json_object *array, const char *text, size_t length);

/* Ends an object inside @row: if it failed so does @row. */
void row_end(struct row *row, const struct row *inner);

#endif
