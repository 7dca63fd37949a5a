/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of a rule: one memory type, or two together. */
#include "core/policy_internal.h"

#include <stdio.h>

#define BIT(type) (1U << (type))

/* What a name takes: "uc" all uncached types. In canonical order. */
static const struct {
	const char *name;
	unsigned int takes;
} types[] = {
	{"uc", BIT(MEMTYPE_UC) | BIT(MEMTYPE_UC_MINUS) | BIT(MEMTYPE_DEVICE)},
	{"uc-", BIT(MEMTYPE_UC_MINUS)},
	{"device", BIT(MEMTYPE_DEVICE)},
	{"wc", BIT(MEMTYPE_WC)},
	{"wt", BIT(MEMTYPE_WT)},
	{"wp", BIT(MEMTYPE_WP)},
	{"wb", BIT(MEMTYPE_WB)},
};

/* The place of a name in types, or -1. */
static int find_type(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(types); i++)
		if (strcmp(name, types[i].name) == 0)
			return i;
	return -1;
}

static bool refuse_name(struct policy_parser *parser, unsigned int line, const char *value, const char *name)
{
	const char *names[ELEMENTS(types)];
	const char *nearest;

	for (size_t i = 0; i < ELEMENTS(types); i++)
		names[i] = types[i].name;
	nearest = policy_nearest(name, names, ELEMENTS(types));
	if (nearest)
		return policy_refuse(parser, line, "Types=%s names no memory type; did you mean %s?",
				     policy_quote(value).text, nearest);
	return policy_refuse(parser, line,
			     "Types=%s names no memory type; write uc, uc-, device, wc, wt, wp or wb",
			     policy_quote(value).text);
}

bool policy_take_types(struct policy_parser *parser, struct rule *rule)
{
	unsigned int line = rule->keys[RULE_TYPES].line;
	bool single = rule->kinds == BIT(POLICY_REQUEST);
	char value[VALUE_MAX + 1], words[VALUE_MAX + 1], *second;
	const char *names[2];
	int chosen[2] = {-1, -1};

	memcpy(value, rule->values[RULE_TYPES], sizeof(value));
	memcpy(words, value, sizeof(words));
	if (!rule->keys[RULE_KIND].line)
		return policy_refuse(
			parser, line,
			"Types without Kind says nothing; add Kind=alias, promotion, demotion or request");
	second = strchr(words, '/');
	if (second)
		*second++ = 0;
	if (single && second)
		return policy_refuse(
			parser, line,
			"Types=%s are two types, but a request has one; write one, as in Types=wc",
			policy_quote(value).text);
	if (!single && !second)
		return policy_refuse(
			parser, line,
			"Types=%s is one type, but Kind=%s has two; write both, as in Types=wc/uc",
			policy_quote(value).text, rule->values[RULE_KIND]);
	names[0] = policy_strip(words);
	names[1] = second ? policy_strip(second) : NULL;
	for (int i = 0; i < 1 + !single; i++) {
		chosen[i] = find_type(names[i]);
		if (chosen[i] < 0)
			return refuse_name(parser, line, value, names[i]);
		rule->types[i] = types[chosen[i]].takes;
	}
	if (single)
		snprintf(rule->values[RULE_TYPES], VALUE_MAX + 1, "%s", types[chosen[0]].name);
	else
		snprintf(rule->values[RULE_TYPES], VALUE_MAX + 1, "%s/%s",
			 types[chosen[chosen[0] > chosen[1]]].name,
			 types[chosen[chosen[0] <= chosen[1]]].name);
	return true;
}

/* Whether two types of the rule can come together in what its kind is about. */
static bool can_meet(const struct rule *rule)
{
	for (int a = 0; a < MEMTYPE_TYPES; a++) {
		for (int b = 0; b < MEMTYPE_TYPES; b++) {
			if (!(rule->types[0] & BIT(a)) || !(rule->types[1] & BIT(b)))
				continue;
			if (rule->kinds & BIT(POLICY_ALIAS) ? memtype_conflict(a, b)
							    : memtype_strength(a) != memtype_strength(b))
				return true;
		}
	}
	return false;
}

bool policy_check_types(struct policy_parser *parser, const struct rule *rule)
{
	if (rule->kinds == BIT(POLICY_REQUEST) || can_meet(rule))
		return true;
	return policy_refuse(
		parser, rule->keys[RULE_TYPES].line,
		"Types=%s can never match: %s; write types that differ in strength, as in Types=wc/uc",
		rule->values[RULE_TYPES],
		rule->kinds & BIT(POLICY_ALIAS) ? "these two do not conflict"
						: "neither is stronger than the other");
}
