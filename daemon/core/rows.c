/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/snapshot.h"

#define NS_PER_SECOND 1000000000LL
#define NS_PER_USEC   1000LL

struct row row_new(void)
{
	struct json_object *object = json_object_new_object();

	return (struct row){.object = object, .failed = !object};
}

struct json_object *row_take(struct row *row)
{
	if (!row->failed)
		return row->object;
	json_object_put(row->object);
	return NULL;
}

/* Keys are literals: the object need not copy them. */
static int add_key(struct row *row, const char *key, struct json_object *value)
{
	return json_object_object_add_ex(row->object, key, value, JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

/* @value passes to the row. NULL: it could not be made. */
static struct json_object *row_put(struct row *row, const char *key, struct json_object *value)
{
	if (!row->failed && value && add_key(row, key, value) == 0)
		return value;
	json_object_put(value);
	row->failed = true;
	return NULL;
}

static struct json_object *array_put(struct row *row, struct json_object *array, struct json_object *value)
{
	if (!row->failed && value && json_object_array_add(array, value) == 0)
		return value;
	json_object_put(value);
	row->failed = true;
	return NULL;
}

void row_null(struct row *row, const char *key)
{
	if (!row->failed && add_key(row, key, NULL) < 0)
		row->failed = true;
}

void row_count(struct row *row, const char *key, uint64_t value, bool known)
{
	if (known)
		row_put(row, key, json_object_new_uint64(value));
	else
		row_null(row, key);
}

void row_signed(struct row *row, const char *key, int64_t value, bool known)
{
	if (known)
		row_put(row, key, json_object_new_int64(value));
	else
		row_null(row, key);
}

void row_bool(struct row *row, const char *key, bool value, bool known)
{
	if (known)
		row_put(row, key, json_object_new_boolean(value));
	else
		row_null(row, key);
}

void row_address(struct row *row, const char *key, uint64_t value, bool known)
{
	char text[sizeof("0xffffffffffffffff")];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	row_text(row, key, known ? text : NULL, sizeof(text));
}

static struct json_object *new_text(const char *text, size_t length)
{
	char escaped[4 * ROW_TEXT_MAX + 1];

	length = strnlen(text, length < ROW_TEXT_MAX ? length : ROW_TEXT_MAX);
	return json_object_new_string(text_escape(text, length, escaped, sizeof(escaped)));
}

void row_text(struct row *row, const char *key, const char *text, size_t length)
{
	if (text && length && text[0])
		row_put(row, key, new_text(text, length));
	else
		row_null(row, key);
}

/* False if it is before 1970, or after 2262 where nanoseconds in 64 bits end. */
static bool format_time(uint64_t boottime_ns, int64_t realtime_offset_ns, char *text, size_t size)
{
	int64_t ns;
	struct tm tm;
	time_t seconds;

	if (__builtin_add_overflow(boottime_ns, realtime_offset_ns, &ns) || ns < 0)
		return false;
	seconds = ns / NS_PER_SECOND;
	if (!gmtime_r(&seconds, &tm))
		return false;
	snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ns % NS_PER_SECOND / NS_PER_USEC));
	return true;
}

void row_time(struct row *row, const char *key, uint64_t boottime_ns, int64_t realtime_offset_ns)
{
	char text[96];
	bool known = boottime_ns && format_time(boottime_ns, realtime_offset_ns, text, sizeof(text));

	row_text(row, key, known ? text : NULL, sizeof(text));
}

struct json_object *row_array(struct row *row, const char *key)
{
	return row_put(row, key, json_object_new_array());
}

static struct row row_inside(struct json_object *object)
{
	return (struct row){.object = object, .failed = !object};
}

struct row row_object(struct row *row, const char *key)
{
	return row_inside(row_put(row, key, json_object_new_object()));
}

struct row row_append_object(struct row *row, struct json_object *array)
{
	return row_inside(array_put(row, array, json_object_new_object()));
}

void row_append_text(struct row *row, struct json_object *array, const char *text, size_t length)
{
	array_put(row, array, new_text(text, length));
}

void row_end(struct row *row, const struct row *inner)
{
	if (inner->failed)
		row->failed = true;
}
