/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <json-c/json.h>

#include "cli/text.h"
#include "core/snapshot.h"

static bool locale_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Replaces what only UTF-8 can show. @text has room: it was made for four bytes per byte. */
static void escape_high_bytes(char *text, size_t size)
{
	char *copy = strdup(text), *out = text;

	if (!copy) {
		text[0] = '\0'; /* rather nothing than what the terminal cannot show */
		return;
	}
	for (const char *p = copy; *p; p++)
		out += snprintf(out, size - (size_t)(out - text), (unsigned char)*p > 0x7e ? "\\x%02x" : "%c",
				(unsigned char)*p);
	free(copy);
}

char *text_safe(const char *text)
{
	size_t size = 4 * strlen(text) + 1, used = 0;
	char *safe = malloc(size);

	if (!safe)
		return NULL;
	safe[0] = '\0';
	while (*text) {
		size_t plain = strcspn(text, "\\");

		text_escape(text, plain, safe + used, size - used);
		used += strlen(safe + used);
		text += plain;
		if (*text == '\\') {
			safe[used++] = *text++;
			safe[used] = '\0';
		}
	}
	if (!locale_is_utf8())
		escape_high_bytes(safe, size);
	return safe;
}

static struct json_object *safe_array(struct json_object *value)
{
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct json_object *element = json_object_get(json_object_array_get_idx(value, i));
		struct json_object *safe = json_safe(element);

		if ((element && !safe) || json_object_array_put_idx(value, i, safe) < 0) {
			json_object_put(safe);
			json_object_put(value);
			return NULL;
		}
	}
	return value;
}

static struct json_object *safe_object(struct json_object *value)
{
	struct json_object *copy = json_object_new_object();
	bool ok = copy;

	if (copy) {
		json_object_object_foreach(value, key, element)
		{
			char *safe_key = text_safe(key);
			struct json_object *safe = json_safe(json_object_get(element));

			ok = ok && safe_key && (safe || !element);
			if (!ok || json_object_object_add(copy, safe_key, safe) < 0) {
				json_object_put(safe);
				ok = false;
			}
			free(safe_key);
		}
	}
	json_object_put(value);
	if (ok)
		return copy;
	json_object_put(copy);
	return NULL;
}

static struct json_object *safe_string(struct json_object *value)
{
	/* An embedded zero byte ends the text: it is no part of any name. */
	char *safe = text_safe(json_object_get_string(value));
	struct json_object *copy = safe ? json_object_new_string(safe) : NULL;

	free(safe);
	json_object_put(value);
	return copy;
}

struct json_object *json_safe(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_string:
		return safe_string(value);
	case json_type_array:
		return safe_array(value);
	case json_type_object:
		return safe_object(value);
	default:
		return value;
	}
}

/* Length in bytes of the character at @text, and its width. */
static size_t character(const char *text, size_t *width)
{
	mbstate_t state = {};
	wchar_t wide;
	size_t length = mbrtowc(&wide, text, strlen(text), &state);
	int columns;

	if (length == (size_t)-1 || length == (size_t)-2 || length == 0) {
		*width = 1;
		return 1;
	}
	columns = wcwidth(wide);
	*width = columns < 0 ? 1 : (size_t)columns;
	return length;
}

size_t text_width(const char *text)
{
	size_t total = 0, width;

	while (*text) {
		text += character(text, &width);
		total += width;
	}
	return total;
}

size_t text_prefix(const char *text, size_t columns)
{
	size_t bytes = 0, used = 0, width;

	while (text[bytes]) {
		size_t length = character(text + bytes, &width);

		if (used + width > columns)
			break;
		used += width;
		bytes += length;
	}
	return bytes;
}

int text_wrap(const char *label, const char *text, size_t width, FILE *out)
{
	const size_t indent = text_width(label);
	char *safe = text_safe(text), *rest = safe, *word;
	size_t used = indent;
	bool first = true;

	if (!safe)
		return -ENOMEM;
	fputs(label, out);
	while ((word = strsep(&rest, " "))) {
		size_t own = text_width(word);

		if (!own)
			continue;
		if (!first && width && used + 1 + own > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			used = indent;
			first = true;
		}
		fprintf(out, "%s%s", first ? "" : " ", word);
		used += !first + own;
		first = false;
	}
	fputc('\n', out);
	free(safe);
	return 0;
}

const char *text_ellipsis(void)
{
	return locale_is_utf8() ? "\xe2\x80\xa6" : "~";
}

char *size_text(uint64_t bytes, char *out)
{
	static const char units[] = "KMGTPE";
	uint64_t whole = bytes, rest = 0;
	int unit = -1;

	while (whole >= 1024) {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	}
	/* Tenths are rounded to the nearest; the lower digits of a larger unit do not matter for that. */
	rest = (rest * 10 + 512) / 1024;
	if (rest == 10) {
		whole++;
		rest = 0;
	}
	if (whole >= 1024 && unit < 5) {
		whole /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, SIZE_TEXT_MAX, "%" PRIu64, whole);
	else if (rest)
		snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%c", whole, rest, units[unit]);
	else
		snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 "%c", whole, units[unit]);
	return out;
}

char *duration_text(uint64_t seconds, char *out)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	if (i == 3 || seconds % units[i].seconds / units[i + 1].seconds == 0)
		snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "%s", seconds / units[i].seconds, units[i].name);
	else
		snprintf(out, DURATION_TEXT_MAX, "%" PRIu64 "%s %" PRIu64 "%s", seconds / units[i].seconds,
			 units[i].name, seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].name);
	return out;
}
