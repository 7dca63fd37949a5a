// SPDX-License-Identifier: GPL-2.0-or-later

/* Reading `vfiowatch --json`: strict JSON in valid UTF-8, and the value forms of the contract. */

#include "oracle.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char *read_all(FILE *f, size_t *ret_length)
{
	char *text = NULL, buffer[65536];
	size_t length = 0, n;

	while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0) {
		text = realloc(text, length + n + 1);
		if (!text)
			die("out of memory");
		memcpy(text + length, buffer, n);
		length += n;
	}
	if (ferror(f))
		die("read: %m");
	if (!text)
		die("the ledger is empty, not even JSON");
	text[length] = '\0';
	*ret_length = length;
	return text;
}

static json_object *parse(const char *text, size_t length)
{
	json_tokener *tokener = json_tokener_new();
	json_object *o;
	size_t end;

	if (!tokener)
		die("out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
						JSON_TOKENER_ALLOW_TRAILING_CHARS);
	o = json_tokener_parse_ex(tokener, text, (int)length);
	end = json_tokener_get_parse_end(tokener);
	if (!o)
		die("the ledger is no JSON, at byte %zu: %s", end,
		    json_tokener_error_desc(json_tokener_get_error(tokener)));
	json_tokener_free(tokener);
	for (; end < length; end++)
		if (!isspace((unsigned char)text[end]))
			die("the ledger has something after its JSON, at byte %zu", end);
	if (!json_object_is_type(o, json_type_array))
		die("the ledger is no JSON array");
	for (size_t i = 0; i < json_object_array_length(o); i++)
		if (!json_object_is_type(json_object_array_get_idx(o, i), json_type_object))
			die("item %zu of the ledger is no object", i);
	return o;
}

/* Closes f. */
static json_object *parse_stream(FILE *f, const char *command)
{
	json_object *o;
	size_t length;
	char *text = read_all(f, &length);

	if (command) {
		int status = pclose(f);

		if (status != 0)
			die("%s: failed with status %d", command,
			    WIFEXITED(status) ? WEXITSTATUS(status) : status);
	} else if (f != stdin)
		fclose(f);
	o = parse(text, length);
	free(text);
	return o;
}

/* Starts the command, so that several run at once; its output goes to ledger_finish(). */
FILE *ledger_start(const char *command)
{
	FILE *f = popen(command, "re");

	if (!f)
		die("%s: %m", command);
	return f;
}

json_object *ledger_finish(FILE *f, const char *command)
{
	return parse_stream(f, command);
}

/* From a file ("-" is stdin), or without one from what the command prints. */
json_object *ledger_read(const char *path, const char *command)
{
	FILE *f;

	if (!path)
		return ledger_finish(ledger_start(command), command);
	f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!f)
		die("%s: %m", path);
	return parse_stream(f, NULL);
}

static json_object *get(json_object *o, const char *key, json_type type)
{
	json_object *value;

	return json_object_object_get_ex(o, key, &value) && json_object_is_type(value, type) ? value : NULL;
}

/* "0x" and lower-case hexadecimal digits without leading zeros. */
bool get_address(json_object *o, const char *key, uint64_t *ret)
{
	const char *s = get_string(o, key);
	size_t n;

	if (!s || strncmp(s, "0x", 2) != 0)
		return false;
	n = strspn(s + 2, "0123456789abcdef");
	if (n == 0 || n > 16 || s[2 + n] || (s[2] == '0' && n > 1))
		return false;
	*ret = strtoull(s + 2, NULL, 16);
	return true;
}

bool get_integer(json_object *o, const char *key, int64_t *ret)
{
	json_object *value = get(o, key, json_type_int);

	if (!value)
		return false;
	*ret = json_object_get_int64(value);
	return true;
}

bool get_true(json_object *o, const char *key)
{
	json_object *value = get(o, key, json_type_boolean);

	return value && json_object_get_boolean(value);
}

const char *get_string(json_object *o, const char *key)
{
	json_object *value = get(o, key, json_type_string);

	return value ? json_object_get_string(value) : NULL;
}

static bool is_hex_escape(const char *shown, unsigned char byte)
{
	char escape[8];

	snprintf(escape, sizeof(escape), "\\x%02x", byte);
	return strncasecmp(shown, escape, 4) == 0;
}

/* One level of recursion per byte of a comm, which has at most 15. */
static bool rest_matches(const char *shown, const char *comm, size_t length)
{
	if (length == 0)
		return *shown == '\0';
	if (*shown == *comm && rest_matches(shown + 1, comm + 1, length - 1))
		return true;
	if (is_hex_escape(shown, (unsigned char)*comm) && rest_matches(shown + 4, comm + 1, length - 1))
		return true;
	return *comm == '\\' && strncmp(shown, "\\\\", 2) == 0 &&
	       rest_matches(shown + 2, comm + 1, length - 1);
}

/*
 * A comm is 15 arbitrary bytes, JSON is UTF-8: the ledger may show a byte as itself (the JSON parser has
 * proved that the whole is UTF-8), or as the four characters \xNN, and a backslash also doubled. Nothing may
 * be lost.
 */
bool comm_matches(const char *shown, const char *comm, size_t length)
{
	return length < COMM_SIZE && rest_matches(shown, comm, length);
}
