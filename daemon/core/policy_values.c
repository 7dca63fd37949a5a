/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of a policy and their values. */
#include "core/policy_internal.h"

#include <ctype.h>
#include <stdio.h>

static const char *const modes[] = {"audit", "enforce"};

/* Sources that a rule can name, in the order of enum mapping_source: sysfs stands for SOURCE_OTHER, which is
 * /proc/bus/pci, too. */
static const char *const sources[] = {"vfio", "dmabuf", "sysfs", "devmem"};

/* How many characters must be changed, put in or taken out to make @b of @a, whatever their case; at most
 * @most + 1. */
static size_t distance(const char *a, const char *b, size_t most)
{
	size_t n_a = strlen(a), n_b = strlen(b), row[32];

	if (n_b >= ELEMENTS(row) || n_a > n_b + most || n_b > n_a + most)
		return most + 1;
	for (size_t j = 0; j <= n_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			size_t above = row[j];
			size_t change = diagonal + (tolower((unsigned char)a[i - 1]) !=
						    tolower((unsigned char)b[j - 1]));

			row[j] = change;
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = above;
		}
	}
	return row[n_b];
}

const char *policy_nearest(const char *word, const char *const names[], size_t n)
{
	const char *nearest = NULL;
	size_t least = 3;

	for (size_t i = 0; i < n; i++) {
		size_t far = distance(word, names[i], 2);

		/* Of a short name little must be left as it is, or everything is like it. */
		if (far < least && far < strlen(names[i]) - (far > 0)) {
			least = far;
			nearest = names[i];
		}
	}
	return nearest;
}

/* "did you mean X?", or "write one of X, Y, Z". */
struct remedy {
	char text[160];
};

static struct remedy remedy(const char *word, const char *const names[], size_t n)
{
	const char *nearest = policy_nearest(word, names, n);
	struct remedy ret;
	size_t at;

	if (nearest) {
		snprintf(ret.text, sizeof(ret.text), "did you mean %s?", nearest);
		return ret;
	}
	at = snprintf(ret.text, sizeof(ret.text), "write");
	for (size_t i = 0; i < n && at < sizeof(ret.text); i++)
		at += snprintf(ret.text + at, sizeof(ret.text) - at, "%s %s",
			       i == 0       ? ""
			       : i + 1 == n ? " or"
					    : ",",
			       names[i]);
	return ret;
}

/* The place of @word among @names, or -1 and refused. */
static int choose(struct policy_parser *parser, const char *key, const char *word, const char *const names[],
		  size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	policy_refuse(parser, parser->line, "%s=%s is not known; %s", key, policy_quote(word).text,
		      remedy(word, names, n).text);
	return -1;
}

static bool take_pattern(struct policy_parser *parser, enum rule_key key, const char *value)
{
	struct policy_rule *compiled = &parser->policy->bank.rules[parser->policy->bank.n_rules];
	struct policy_pattern *pattern = policy_rule_pattern(compiled, key);
	char *text = parser->rule->values[key];
	const char *wrong;

	snprintf(text, VALUE_MAX + 1, "%s", value);
	for (char *at = text; key <= RULE_CLASS && *at; at++)
		*at = tolower((unsigned char)*at);
	wrong = policy_pattern_compile(pattern, text);
	if (wrong)
		return policy_refuse(parser, parser->line, "%s=%s: %s", policy_rule_keys[key],
				     policy_quote(value).text, wrong);
	return true;
}

/* One BAR, or "first-last"; blanks around it do not count. */
static bool take_regions_item(const char *item, size_t length, unsigned int *ret)
{
	while (length && (*item == ' ' || *item == '\t')) {
		item++;
		length--;
	}
	while (length && (item[length - 1] == ' ' || item[length - 1] == '\t'))
		length--;
	if ((length != 1 && length != 3) || item[0] < '0' || item[0] >= '0' + EVENT_BARS)
		return false;
	if (length == 3 && (item[1] != '-' || item[2] < item[0] || item[2] >= '0' + EVENT_BARS))
		return false;
	for (char c = item[0]; c <= item[length - 1]; c++)
		*ret |= 1U << (c - '0');
	return true;
}

static void write_regions(unsigned int regions, char *text)
{
	size_t at = 0;

	for (unsigned int first = 0, last; first < EVENT_BARS; first = last + 1) {
		last = first;
		if (!(regions & 1U << first))
			continue;
		while (last + 1 < EVENT_BARS && regions & 1U << (last + 1))
			last++;
		at += snprintf(text + at, VALUE_MAX + 1 - at, first < last ? "%s%u-%u" : "%s%u",
			       at ? "," : "", first, last);
	}
}

static bool take_regions(struct policy_parser *parser, const char *value)
{
	unsigned int regions = 0;

	for (const char *at = value;; at++) {
		size_t length = strcspn(at, ",");

		if (!take_regions_item(at, length, &regions))
			return policy_refuse(
				parser, parser->line,
				"Region=%s is no list of BARs; write numbers from 0 to %d, as in "
				"0,2 or 2-4",
				policy_quote(value).text, EVENT_BARS - 1);
		at += length;
		if (!*at)
			break;
	}
	parser->rule->regions = regions;
	write_regions(regions, parser->rule->values[RULE_REGION]);
	return true;
}

static bool take_sources(struct policy_parser *parser, const char *value)
{
	char words[VALUE_MAX + 1], *rest = words, *word;
	char *text = parser->rule->values[RULE_SOURCE];
	size_t at = 0;

	snprintf(words, sizeof(words), "%s", value);
	while ((word = strsep(&rest, "|"))) {
		int source;

		word = policy_strip(word);
		source = choose(parser, "Source", word, sources, ELEMENTS(sources));
		if (source < 0)
			return false;
		parser->rule->sources |= 1U << source;
		if (source == SOURCE_SYSFS)
			parser->rule->sources |= 1U << SOURCE_OTHER;
	}
	for (size_t i = 0; i < ELEMENTS(sources); i++)
		if (parser->rule->sources & 1U << i)
			at += snprintf(text + at, VALUE_MAX + 1 - at, "%s%s", at ? "|" : "", sources[i]);
	return true;
}

/* A user by number. The last one means "none" to the kernel. */
static bool take_uid(struct policy_parser *parser, const char *value, uint32_t *ret)
{
	unsigned long long uid = strlen(value) > 10 ? UINT64_MAX : strtoull(value, NULL, 10);

	if (uid >= UINT32_MAX)
		return policy_refuse(parser, parser->line,
				     "User=%s is no user; write a name, or a number below %u",
				     policy_quote(value).text, UINT32_MAX);
	*ret = uid;
	return true;
}

static bool take_user(struct policy_parser *parser, const char *value)
{
	struct policy_rule *compiled = &parser->policy->bank.rules[parser->policy->bank.n_rules];
	uint32_t uid = 0;
	int r = -ENOENT;

	if (value[strspn(value, "0123456789")] == 0) {
		if (!take_uid(parser, value, &uid))
			return false;
	} else {
		if (parser->find_user)
			r = parser->find_user(parser->userdata, value, &uid);
		if (r == -ENOMEM)
			parser->status = r;
		if (r == -ENOENT)
			return policy_refuse(
				parser, parser->line,
				"User=%s is not known on this host; write the number of the user",
				policy_quote(value).text);
		if (r < 0)
			return policy_refuse(parser, parser->line,
					     "User=%s cannot be looked up (%s); write the number of the user",
					     policy_quote(value).text, strerror(-r));
	}
	compiled->uid = uid;
	compiled->by_uid = 1;
	snprintf(parser->rule->values[RULE_USER], VALUE_MAX + 1, "%u", uid);
	return true;
}

static bool take_kind(struct policy_parser *parser, const char *value)
{
	const char *names[POLICY_KINDS];
	int kind;

	for (int i = 0; i < POLICY_KINDS; i++)
		names[i] = policy_kind_name(i);
	kind = choose(parser, "Kind", value, names, POLICY_KINDS);
	if (kind < 0)
		return false;
	parser->rule->kinds = 1U << kind;
	snprintf(parser->rule->values[RULE_KIND], VALUE_MAX + 1, "%s", names[kind]);
	return true;
}

static bool take_action(struct policy_parser *parser, const char *value)
{
	int action = choose(parser, "Action", value, policy_action_names, POLICY_ACTIONS);

	if (action < 0)
		return false;
	parser->rule->action = action;
	snprintf(parser->rule->values[RULE_ACTION], VALUE_MAX + 1, "%s", policy_action_names[action]);
	return true;
}

static bool take_rule_key(struct policy_parser *parser, enum rule_key key, const char *value)
{
	struct origin *origin = &parser->rule->keys[key];

	if (origin->line)
		return policy_refuse(parser, parser->line,
				     "%s is in line %u of this rule already; remove one of them, or write a "
				     "second rule",
				     policy_rule_keys[key], origin->line);
	*origin = (struct origin){parser->path, parser->line};
	switch (key) {
	case RULE_REGION:
		return take_regions(parser, value);
	case RULE_USER:
		return take_user(parser, value);
	case RULE_SOURCE:
		return take_sources(parser, value);
	case RULE_KIND:
		return take_kind(parser, value);
	case RULE_TYPES:
		/* What it means depends on Kind, which may come later. */
		snprintf(parser->rule->values[key], VALUE_MAX + 1, "%s", value);
		return true;
	case RULE_ACTION:
		return take_action(parser, value);
	default:
		return take_pattern(parser, key, value);
	}
}

static bool take_setting(struct policy_parser *parser, enum setting setting, const char *value)
{
	struct policy *policy = parser->policy;
	int chosen;

	if (parser->setting_lines[setting])
		return policy_refuse(parser, parser->line,
				     "%s is in line %u of this file already; remove one of them",
				     policy_setting_names[setting], parser->setting_lines[setting]);
	parser->setting_lines[setting] = parser->line;
	policy->settings[setting] = (struct origin){parser->path, parser->line};
	if (setting == SETTING_MODE) {
		chosen = choose(parser, "Mode", value, modes, ELEMENTS(modes));
		policy->bank.mode = chosen == 1 ? POLICY_ENFORCE : POLICY_AUDIT;
	} else {
		const char *const effects[] = {policy_action_names[POLICY_ALLOW],
					       policy_action_names[POLICY_DENY]};

		chosen = choose(parser, "OnUnknown", value, effects, ELEMENTS(effects));
		policy->bank.on_unknown = chosen == 1 ? POLICY_DENY : POLICY_ALLOW;
	}
	return chosen >= 0;
}

/* What holds of every value. */
static bool check_value(struct policy_parser *parser, const char *name, const char *value)
{
	const char *number;

	if (!*value)
		return policy_refuse(parser, parser->line, "%s has no value; write one, or remove the line",
				     name);
	if (strlen(value) > VALUE_MAX)
		return policy_refuse(
			parser, parser->line,
			"the value of %s has %zu characters, %d are the most; write a shorter one", name,
			strlen(value), VALUE_MAX);
	for (const char *at = value; *at; at++)
		if ((unsigned char)*at >= 0x7f)
			return policy_refuse(
				parser, parser->line,
				"the value of %s is not all in ASCII; write ? for every byte that is not",
				name);
	if (*value == '"' || *value == '\'')
		return policy_refuse(parser, parser->line, "the value of %s is in quotes; write it without",
				     name);
	number = strchr(value, '#');
	if (number && number > value && (number[-1] == ' ' || number[-1] == '\t'))
		return policy_refuse(
			parser, parser->line,
			"there is text after the value of %s; begin a comment with \" ;\", or with \"#\" in "
			"a line of its own",
			name);
	return true;
}

static int find(const char *name, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

bool policy_take_key(struct policy_parser *parser, const char *name, const char *value)
{
	int key = find(name, policy_rule_keys, RULE_KEYS);
	int setting = find(name, policy_setting_names, SETTINGS);
	bool in_rule = parser->section == SECTION_RULE;

	if (parser->section == SECTION_NONE)
		return policy_refuse(parser, parser->line,
				     "\"%s\" is in no section; write [Policy] or [Rule NAME] above it",
				     policy_quote(name).text);
	if (in_rule && setting >= 0)
		return policy_refuse(parser, parser->line, "%s is no key of a rule; write it in [Policy]",
				     name);
	if (!in_rule && key >= 0)
		return policy_refuse(parser, parser->line,
				     "%s is no key of [Policy]; write it in a [Rule NAME]", name);
	if (in_rule ? key < 0 : setting < 0)
		return policy_refuse(parser, parser->line, "unknown key \"%s\"; %s", policy_quote(name).text,
				     in_rule ? remedy(name, policy_rule_keys, RULE_KEYS).text
					     : remedy(name, policy_setting_names, SETTINGS).text);
	if (!check_value(parser, name, value))
		return false;
	return in_rule ? take_rule_key(parser, key, value) : take_setting(parser, setting, value);
}
