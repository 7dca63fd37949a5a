/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/when.h"

#define NS_PER_SEC 1000000000LL

/* Reads exactly @digits decimal digits. */
static bool read_digits(const char **text, int digits, int *ret)
{
	*ret = 0;
	for (int i = 0; i < digits; i++, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return false;
		*ret = *ret * 10 + (**text - '0');
	}
	return true;
}

static bool skip(const char **text, char expected)
{
	if (**text != expected)
		return false;
	(*text)++;
	return true;
}

/* An optional ".digits"; beyond nanoseconds they are dropped. */
static bool read_fraction(const char **text, int64_t *ret)
{
	int64_t digit = NS_PER_SEC / 10;

	*ret = 0;
	if (!skip(text, '.'))
		return true;
	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++, digit /= 10)
		*ret += (**text - '0') * digit;
	return true;
}

static bool read_clock(const char **text, struct tm *tm, int64_t *fraction)
{
	*fraction = 0;
	if (!read_digits(text, 2, &tm->tm_hour) || !skip(text, ':') || !read_digits(text, 2, &tm->tm_min))
		return false;
	if (skip(text, ':') && (!read_digits(text, 2, &tm->tm_sec) || !read_fraction(text, fraction)))
		return false;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "Z" or "+hh:mm". Returns false if there is something else; *zoned tells whether there was one. */
static bool read_zone(const char **text, bool *zoned, int *offset_sec)
{
	int sign, hours, minutes;

	*zoned = **text != '\0';
	*offset_sec = 0;
	if (!*zoned || skip(text, 'Z') || skip(text, 'z'))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!skip(text, '+') && !skip(text, '-'))
		return false;
	if (!read_digits(text, 2, &hours) || !skip(text, ':') || !read_digits(text, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset_sec = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool to_seconds(struct tm tm, bool zoned, int offset_sec, int64_t *ret)
{
	struct tm normal = tm;
	time_t seconds = zoned ? timegm(&normal) : mktime(&normal);

	/* 31 February and the like come back as another day; a leap second as the next minute. */
	if (normal.tm_mday != tm.tm_mday && tm.tm_sec < 60)
		return false;
	*ret = (int64_t)seconds - offset_sec;
	return true;
}

static bool parse_rfc3339(const char *text, bool zone_needed, int64_t *ret)
{
	struct tm tm = {.tm_isdst = -1};
	int64_t fraction = 0, seconds;
	bool zoned = false;
	int offset = 0;

	if (!read_digits(&text, 4, &tm.tm_year) || !skip(&text, '-') || !read_digits(&text, 2, &tm.tm_mon) ||
	    !skip(&text, '-') || !read_digits(&text, 2, &tm.tm_mday))
		return false;
	/* Nanoseconds in 64 bits end in 2262. */
	if (tm.tm_year < 1970 || tm.tm_year > 2261 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (*text && ((!skip(&text, 'T') && !skip(&text, 't') && !skip(&text, ' ')) ||
		      !read_clock(&text, &tm, &fraction) || !read_zone(&text, &zoned, &offset)))
		return false;
	if (*text || (zone_needed && !zoned) || !to_seconds(tm, zoned, offset, &seconds))
		return false;
	*ret = seconds * NS_PER_SEC + fraction;
	return true;
}

static bool read_unit(const char **text, int64_t *ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"us", 1000},
		{"ms", 1000000},
		{"s", NS_PER_SEC},
		{"sec", NS_PER_SEC},
		{"second", NS_PER_SEC},
		{"seconds", NS_PER_SEC},
		{"m", 60 * NS_PER_SEC},
		{"min", 60 * NS_PER_SEC},
		{"minute", 60 * NS_PER_SEC},
		{"minutes", 60 * NS_PER_SEC},
		{"h", 3600 * NS_PER_SEC},
		{"hr", 3600 * NS_PER_SEC},
		{"hour", 3600 * NS_PER_SEC},
		{"hours", 3600 * NS_PER_SEC},
		{"d", 86400 * NS_PER_SEC},
		{"day", 86400 * NS_PER_SEC},
		{"days", 86400 * NS_PER_SEC},
		{"w", 604800 * NS_PER_SEC},
		{"week", 604800 * NS_PER_SEC},
		{"weeks", 604800 * NS_PER_SEC},
	};
	size_t length = 0;

	while (isalpha((unsigned char)(*text)[length]))
		length++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == length && strncmp(units[i].name, *text, length) == 0) {
			*ns = units[i].ns;
			*text += length;
			return true;
		}
	return false;
}

static bool read_number(const char **text, int64_t *ret)
{
	if (!isdigit((unsigned char)**text))
		return false;
	for (*ret = 0; isdigit((unsigned char)**text); (*text)++)
		if (__builtin_mul_overflow(*ret, (int64_t)10, ret) ||
		    __builtin_add_overflow(*ret, (int64_t)(**text - '0'), ret))
			return false;
	return true;
}

static bool parse_span(const char *text, int64_t *ret)
{
	*ret = 0;
	while (*text) {
		int64_t count, unit;

		if (!read_number(&text, &count))
			return false;
		while (*text == ' ')
			text++;
		if (!read_unit(&text, &unit) || __builtin_mul_overflow(count, unit, &count) ||
		    __builtin_add_overflow(*ret, count, ret))
			return false;
		while (*text == ' ')
			text++;
	}
	return true;
}

bool when_parse(const char *text, int64_t now_ns, int64_t *ret)
{
	int64_t value, fraction;

	if (strcmp(text, "now") == 0) {
		*ret = now_ns;
		return true;
	}
	if (text[0] == '-' && text[1]) {
		if (!parse_span(text + 1, &value) || __builtin_sub_overflow(now_ns, value, ret))
			return false;
		return true;
	}
	if (text[0] == '@') {
		text++;
		return read_number(&text, &value) && read_fraction(&text, &fraction) && !*text &&
		       !__builtin_mul_overflow(value, NS_PER_SEC, &value) &&
		       !__builtin_add_overflow(value, fraction, ret);
	}
	return parse_rfc3339(text, false, ret);
}

bool when_parse_row(const char *text, int64_t *ret)
{
	return parse_rfc3339(text, true, ret);
}

char *when_text(int64_t realtime_ns, char *out)
{
	int64_t fraction = realtime_ns % NS_PER_SEC;
	time_t seconds = realtime_ns / NS_PER_SEC;
	struct tm tm;
	size_t length;

	if (fraction < 0) {
		fraction += NS_PER_SEC;
		seconds--;
	}
	if (!localtime_r(&seconds, &tm)) {
		snprintf(out, WHEN_TEXT_MAX, "@%lld", (long long)seconds);
		return out;
	}
	length = strftime(out, WHEN_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + length, WHEN_TEXT_MAX - length, ".%06lld", (long long)fraction / 1000);
	return out;
}
