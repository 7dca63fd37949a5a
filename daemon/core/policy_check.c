/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A rule that is complete: whether it can ever match and act, and its place in the bank. */
#include "core/policy_internal.h"

#include <stdio.h>

#define BIT(i) (1U << (i))
#define ALL(n) (BIT(n) - 1)

/* What is selected by text, and what to write where nothing is ever like it. */
static const struct {
	enum rule_key key;
	const char *what, *write;
} texts[] = {
	{RULE_DEVICE, "no PCI address is like that", "write one as in 0000:3b:00.0 or 3b:00.*"},
	{RULE_ID, "no vendor and device are like that",
	 "write four hexadecimal digits each, as in 10de:2204 or 10de:*"},
	{RULE_CLASS, "no class code is like that", "write six hexadecimal digits, as in 030200 or 0302*"},
	{RULE_DRIVER, "no driver is called like that", "write its name, as in vfio-pci or *-vfio-pci"},
	{RULE_UNIT, "no unit of a process is called like that",
	 "write it with its type, as in qemu.service or machine-*.scope"},
	{RULE_MACHINE, "no machine has such a long name", "write * for a part of it"},
};

/* "3b:00.*" means any domain. */
static void any_domain(struct policy_pattern *pattern, char *text)
{
	struct policy_pattern wider;
	char longer[VALUE_MAX + 3];

	snprintf(longer, sizeof(longer), "*:%s", text);
	if (strlen(longer) > VALUE_MAX || policy_pattern_can_match(pattern, RULE_DEVICE) ||
	    policy_pattern_compile(&wider, longer) || !policy_pattern_can_match(&wider, RULE_DEVICE))
		return;
	*pattern = wider;
	memcpy(text, longer, strlen(longer) + 1);
}

static bool check_patterns(struct policy_parser *parser, struct rule *rule, struct policy_rule *compiled)
{
	if (rule->keys[RULE_DEVICE].line)
		any_domain(&compiled->device, rule->values[RULE_DEVICE]);
	for (size_t i = 0; i < ELEMENTS(texts); i++) {
		enum rule_key key = texts[i].key;
		struct policy_pattern *pattern = policy_rule_pattern(compiled, key);

		if (!rule->keys[key].line)
			continue;
		if (!policy_pattern_can_match(pattern, key))
			return policy_refuse(parser, rule->keys[key].line, "%s=%s can never match: %s; %s",
					     policy_rule_keys[key], policy_quote(rule->values[key]).text,
					     texts[i].what, texts[i].write);
		/* "*" takes what is unknown too, as a rule without the key does. */
		if (pattern->length == 1 && pattern->ops[0] == POLICY_OP_STAR)
			memset(pattern, 0, sizeof(*pattern));
	}
	return true;
}

/* What is found out only afterwards cannot be denied, and only findings are ended by a kill. */
static bool check_action(struct policy_parser *parser, const struct rule *rule)
{
	unsigned int line = rule->keys[RULE_ACTION].line;
	bool devmem_alone = rule->sources == BIT(SOURCE_DEVMEM);

	if (rule->action == POLICY_DENY && rule->kinds == BIT(POLICY_DEMOTION))
		return policy_refuse(parser, line,
				     "a demotion cannot be foreseen, so it cannot be denied; write "
				     "Action=kill or Action=log");
	if (devmem_alone && rule->action == POLICY_KILL && rule->kinds == BIT(POLICY_REQUEST))
		return policy_refuse(
			parser, line,
			"a mapping of /dev/mem is seen afterwards, and kill ends what has a conflict; "
			"write Action=log, or another Kind");
	if (devmem_alone && rule->action == POLICY_DENY)
		return policy_refuse(
			parser, line,
			"a mapping of /dev/mem cannot be foreseen, so it cannot be denied; write %s",
			rule->kinds == BIT(POLICY_REQUEST) ? "Action=log" : "Action=kill or Action=log");
	return true;
}

/* Whether every pair of types of @narrow is one of @wide, in any order. */
static bool covers_types(const struct rule *wide, const struct rule *narrow)
{
	const unsigned int *w = wide->types, *n = narrow->types;

	if (!wide->keys[RULE_TYPES].line)
		return true;
	if (!narrow->keys[RULE_TYPES].line)
		return false;
	if (narrow->kinds == BIT(POLICY_REQUEST))
		return !(n[0] & ~w[0]);
	return (!(n[0] & ~w[0]) && !(n[1] & ~w[1])) || (!(n[0] & ~w[1]) && !(n[1] & ~w[0]));
}

/* Whether @wide, rule @i of the bank, takes all that @narrow, the rule being finished, could. */
static bool covers(const struct policy *policy, __u32 i, const struct rule *narrow)
{
	const struct rule *wide = &policy->rules[i];
	struct policy_rule *w = (struct policy_rule *)&policy->bank.rules[i];
	struct policy_rule *n = (struct policy_rule *)&policy->bank.rules[policy->bank.n_rules];

	if (narrow->kinds & ~wide->kinds || narrow->sources & ~wide->sources ||
	    narrow->regions & ~wide->regions || !covers_types(wide, narrow) ||
	    (w->by_uid && (!n->by_uid || w->uid != n->uid)))
		return false;
	for (size_t j = 0; j < ELEMENTS(texts); j++)
		if (!policy_pattern_covers(policy_rule_pattern(w, texts[j].key),
					   policy_rule_pattern(n, texts[j].key)))
			return false;
	return true;
}

static bool check_shadow(struct policy_parser *parser, const struct rule *rule)
{
	const struct policy *policy = parser->policy;

	for (__u32 i = 0; i < policy->bank.n_rules; i++) {
		const struct origin *origin = &policy->rules[i].origin;

		if (covers(policy, i, rule))
			return policy_refuse(parser, rule->origin.line,
					     "the rule can never match: [Rule %s] in %s:%u takes all that it "
					     "would; remove "
					     "it, or move it before that one",
					     policy->bank.rules[i].name, policy_base_name(origin->path),
					     origin->line);
	}
	return true;
}

static void enter_types(struct policy_bank *bank, const struct rule *rule, __u64 bit)
{
	bool any = !rule->keys[RULE_TYPES].line;

	for (int a = 0; a < MEMTYPE_TYPES; a++) {
		if (any || (rule->kinds == BIT(POLICY_REQUEST) && rule->types[0] & BIT(a)))
			bank->types[a] |= bit;
		for (int b = 0; b < MEMTYPE_TYPES; b++)
			if (any || (rule->types[0] & BIT(a) && rule->types[1] & BIT(b)) ||
			    (rule->types[0] & BIT(b) && rule->types[1] & BIT(a)))
				bank->pairs[a][b] |= bit;
	}
}

static void enter(struct policy_bank *bank, const struct rule *rule)
{
	const struct policy_rule *compiled = &bank->rules[bank->n_rules];
	__u64 bit = 1ULL << bank->n_rules;

	if (rule->action == POLICY_DENY || rule->action == POLICY_KILL)
		bank->deny |= bit;
	if (rule->action == POLICY_KILL)
		bank->kill |= bit;
	if (rule->action == POLICY_LOG)
		bank->log |= bit;
	if (compiled->device.length || compiled->id.length || compiled->class_code.length ||
	    compiled->driver.length)
		bank->by_device |= bit;
	if (compiled->unit.length || compiled->machine.length || compiled->by_uid)
		bank->by_process |= bit;
	for (int i = 0; i < POLICY_KINDS; i++)
		bank->kinds[i] |= rule->kinds & BIT(i) ? bit : 0;
	for (int i = 0; i < SOURCE_TYPES; i++)
		bank->sources[i] |= rule->sources & BIT(i) ? bit : 0;
	for (int i = 0; i <= EVENT_BARS; i++)
		bank->regions[i] |= rule->regions & BIT(i) ? bit : 0;
	enter_types(bank, rule, bit);
	bank->n_rules++;
}

bool policy_finish_rule(struct policy_parser *parser)
{
	struct policy_bank *bank = &parser->policy->bank;
	struct rule *rule = parser->rule;

	if (!rule->keys[RULE_ACTION].line)
		return policy_refuse(parser, rule->origin.line,
				     "[Rule %s] says not what to do; add Action=allow, log, deny or kill",
				     bank->rules[bank->n_rules].name);
	if (!rule->keys[RULE_KIND].line)
		rule->kinds = ALL(POLICY_KINDS);
	if (!rule->keys[RULE_SOURCE].line)
		rule->sources = ALL(SOURCE_TYPES);
	if (!rule->keys[RULE_REGION].line)
		rule->regions = ALL(EVENT_BARS + 1);
	if (rule->keys[RULE_TYPES].line &&
	    (!policy_take_types(parser, rule) || !policy_check_types(parser, rule)))
		return false;
	if (!check_patterns(parser, rule, &bank->rules[bank->n_rules]) || !check_action(parser, rule) ||
	    !check_shadow(parser, rule))
		return false;
	enter(bank, rule);
	return true;
}
