/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns: from text to operations, and what they can match at all. */
#include "core/policy_internal.h"

/* True if @c can begin the name of a class, "[:alpha:]", which fnmatch(3) knows and we do not. */
static bool names_class(char c)
{
	return c == ':' || c == '.' || c == '=';
}

/* The end of the set that begins after the "[" before @at: its "]", or NULL. */
static const char *set_end(const char *at)
{
	if (*at == '!')
		at++;
	if (*at == ']')
		at++;
	return strchr(at, ']');
}

/* The characters between @at and @end into 256 bits. */
static const char *compile_set(__u64 bits[4], const char *at, const char *end)
{
	bool negated = *at == '!';

	at += negated;
	if (*at == '^')
		return "a set is negated by \"!\", not by \"^\"; write \"[!..]\", or \"^\" at another place "
		       "in it";
	while (at < end) {
		unsigned char first = *at, last = *at;

		if (first == '[' && names_class(at[1]))
			return "classes of characters as \"[:digit:]\" are not known; write a range as "
			       "\"[0-9]\"";
		if (at[1] == '-' && at + 2 < end) {
			last = at[2];
			at += 2;
		}
		if (last < first)
			return "a range in a set ends before it begins; write the lower character first";
		for (unsigned int c = first; c <= last; c++)
			bits[c >> 6] |= 1ULL << (c & 63);
		at++;
	}
	for (int i = 0; negated && i < 4; i++)
		bits[i] = ~bits[i];
	return NULL;
}

static void collapse_stars(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '[') {
			const char *end = set_end(from + 1);

			while (end && from < end)
				*to++ = *from++;
		} else if (*from == '*' && to > text && to[-1] == '*') {
			continue;
		}
		*to++ = *from;
	}
	*to = 0;
}

const char *policy_pattern_compile(struct policy_pattern *ret, char *text)
{
	unsigned int sets = 0;

	memset(ret, 0, sizeof(*ret));
	collapse_stars(text);
	for (const char *at = text; *at; at++) {
		__u8 operation = *at;

		if (*at == '*') {
			operation = POLICY_OP_STAR;
		} else if (*at == '?') {
			operation = POLICY_OP_ANY;
		} else if (*at == '[') {
			const char *end = set_end(at + 1), *wrong;

			if (!end)
				return "\"[\" is not closed; write \"[..]\", or \"[[]\" for the character "
				       "itself";
			if (sets == POLICY_PATTERN_SETS)
				return "it has more than two sets; write \"?\" for one of them, or two rules";
			wrong = compile_set(ret->sets[sets], at + 1, end);
			if (wrong)
				return wrong;
			operation = POLICY_OP_SET + sets++;
			at = end;
		}
		if (ret->length == POLICY_PATTERN_MAX)
			return "it has more than 64 characters; write \"*\" for a part of it";
		ret->ops[ret->length++] = operation;
	}
	return NULL;
}

bool policy_pattern_matches(const struct policy_pattern *pattern, const char *text)
{
	struct policy_match match = {};
	char padded[POLICY_TEXT_LEN] = "";

	memcpy(padded, text, strnlen(text, sizeof(padded) - 1));
	for (int i = 0; i < POLICY_MATCH_STEPS && !policy_match_step(&match, pattern, padded); i++)
		;
	return match.matched;
}

#define ALPHABET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/*
 * What a text can be: a lower-case letter or a sign stands for itself, a capital for any of these; U and D
 * for one or more of them.
 */
static const char *characters_of(char place)
{
	switch (place) {
	case 'H':
		return "0123456789abcdef";
	case 'N':
		return "123456789abcdef";
	case 'B':
		return "01";
	case 'O':
		return "01234567";
	case 'U':
		return ALPHABET ":-_.\\@";
	case 'D':
		return ALPHABET "!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\"";
	default:
		return NULL;
	}
}

/* The most places of a text below. */
#define PLACES 16

static bool op_takes_place(const struct policy_pattern *pattern, unsigned int op, char place)
{
	const char *characters = characters_of(place);

	if (!characters)
		return policy_op_takes(pattern, op, place);
	for (; *characters; characters++)
		if (policy_op_takes(pattern, op, *characters))
			return true;
	return false;
}

/*
 * Whether some text is both: reached[place][op] is set if some beginning of a text comes to that place while
 * the pattern comes to that operation. Both only rise, so one pass finds all.
 */
static bool can_be(const struct policy_pattern *pattern, const char *places)
{
	bool reached[PLACES + 1][POLICY_PATTERN_MAX + 2] = {{true}};
	size_t n = strlen(places);

	for (size_t at = 0; at <= n; at++) {
		for (unsigned int op = 0; op < pattern->length; op++) {
			bool star = pattern->ops[op] == POLICY_OP_STAR;
			unsigned int next = star ? op : op + 1;

			if (!reached[at][op])
				continue;
			if (star)
				reached[at][op + 1] = true;
			if (at == n || (!star && !op_takes_place(pattern, op, places[at])))
				continue;
			reached[at + 1][next] = true;
			if (places[at] == 'U' || places[at] == 'D')
				reached[at][next] = true;
		}
	}
	return reached[n][pattern->length];
}

/* Whether the pattern matches what @key selects by. */
static bool can_be_key(const struct policy_pattern *pattern, enum rule_key key)
{
	static const struct {
		enum rule_key key;
		const char *places;
	} texts[] = {
		/* A domain has at least four digits, and leading zeros only to make it four. */
		{RULE_DEVICE, "HHHH:HH:BH.O"},
		{RULE_DEVICE, "NHHHH:HH:BH.O"},
		{RULE_DEVICE, "NHHHHH:HH:BH.O"},
		{RULE_DEVICE, "NHHHHHH:HH:BH.O"},
		{RULE_DEVICE, "NHHHHHHH:HH:BH.O"},
		{RULE_ID, "HHHH:HHHH"},
		{RULE_CLASS, "HHHHHH"},
		{RULE_DRIVER, "D"},
		/* Units that processes are in, as systemd.unit(5) names them. */
		{RULE_UNIT, "U.service"},
		{RULE_UNIT, "U.scope"},
		{RULE_UNIT, "U.socket"},
		{RULE_UNIT, "U.mount"},
		{RULE_UNIT, "U.swap"},
	};

	for (size_t i = 0; i < ELEMENTS(texts); i++)
		if (texts[i].key == key && can_be(pattern, texts[i].places))
			return true;
	return false;
}

/* A name that fills its field may have been cut, and is not matched. */
static bool fits(const struct policy_pattern *pattern, size_t length)
{
	size_t least = 0;

	for (unsigned int i = 0; i < pattern->length; i++)
		least += pattern->ops[i] != POLICY_OP_STAR;
	return least <= length;
}

bool policy_pattern_can_match(const struct policy_pattern *pattern, enum rule_key key)
{
	if (key == RULE_MACHINE)
		return fits(pattern, EVENT_NAME_LEN - 1);
	return can_be_key(pattern, key) && (key != RULE_DRIVER || fits(pattern, EVENT_NAME_LEN - 1));
}

static bool is_literal(const struct policy_pattern *pattern)
{
	for (unsigned int i = 0; i < pattern->length; i++)
		if (pattern->ops[i] >= POLICY_OP_STAR)
			return false;
	return true;
}

bool policy_pattern_covers(const struct policy_pattern *wide, const struct policy_pattern *narrow)
{
	char text[POLICY_PATTERN_MAX + 1] = "";

	if (!wide->length || memcmp(wide, narrow, sizeof(*wide)) == 0)
		return true;
	if (!narrow->length || !is_literal(narrow))
		return false;
	memcpy(text, narrow->ops, narrow->length);
	return policy_pattern_matches(wide, text);
}
