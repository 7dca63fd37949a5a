/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_POLICY_INTERNAL_H
#define VFIOWATCH_CORE_POLICY_INTERNAL_H

/* What the files of the policy share. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/policy.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* Keys of a rule, in canonical order. */
enum rule_key {
	RULE_DEVICE,
	RULE_ID,
	RULE_CLASS,
	RULE_DRIVER,
	RULE_REGION,
	RULE_UNIT,
	RULE_MACHINE,
	RULE_USER,
	RULE_SOURCE,
	RULE_KIND,
	RULE_TYPES,
	RULE_ACTION,
	RULE_KEYS,
};

enum setting {
	SETTING_MODE,
	SETTING_ON_UNKNOWN,
	SETTINGS,
};

/* Bytes of a value, so that every line of the canonical text is shorter than POLICY_LINE_MAX. */
#define VALUE_MAX 128

/* Where something was said. Line 0: nowhere. */
struct origin {
	const char *path; /* safe for a terminal, owned by the policy */
	unsigned int line;
};

/* A rule as it was written; what it means is in the bank. */
struct rule {
	struct origin origin; /* of its section */
	struct origin keys[RULE_KEYS];
	char values[RULE_KEYS][VALUE_MAX + 1]; /* canonical */
	unsigned int kinds, sources, regions;  /* bits; of regions the last: other and unknown ones */
	unsigned int types[2];                 /* 1 << enum memtype; of a request only the first */
	enum policy_action action;
};

struct policy {
	struct origin section; /* of the last [Policy] */
	struct origin settings[SETTINGS];
	struct rule rules[POLICY_RULES_MAX];
	char *paths[POLICY_FILES_MAX];
	size_t n_paths;
	char digest[POLICY_DIGEST_LEN + 1];
	struct policy_bank bank;
};

/* Reading one file: what inih asks for lines and hands pairs to. */
struct policy_parser {
	struct policy *policy;
	const char *path; /* of struct origin */
	const char *next, *end;
	unsigned int line;             /* of raw, from 1 */
	char raw[POLICY_LINE_MAX + 1]; /* the line that inih has */
	bool pending;                  /* it is a pair that inih did not hand back yet */
	enum { SECTION_NONE, SECTION_POLICY, SECTION_RULE } section;
	struct rule *rule;                    /* of SECTION_RULE */
	unsigned int section_line;            /* of [Policy] in this file, else 0 */
	unsigned int setting_lines[SETTINGS]; /* in this file, else 0 */
	policy_find_user find_user;
	void *userdata;
	char *error;
	bool refused;
	int status; /* -ENOMEM: of find_user */
};

/* The first error of a policy counts: "file:line: what; remedy". Returns false. */
bool policy_refuse(struct policy_parser *parser, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Text for an error, cut and in ASCII, and the last part of a path. */
struct quoted {
	char text[64];
};
struct quoted policy_quote(const char *text);
const char *policy_base_name(const char *path);

/* Takes the blanks off both ends of @text. */
char *policy_strip(char *text);

/* The name most like @word, or NULL. */
const char *policy_nearest(const char *word, const char *const names[], size_t n);

/* policy_values.c: takes one key of a rule, or one of [Policy]. False: refused. */
bool policy_take_key(struct policy_parser *parser, const char *name, const char *value);

/* policy_check.c: what can only be told when all keys of the rule are there; then it goes into the bank. */
bool policy_finish_rule(struct policy_parser *parser);

/* policy_types.c: reads Types as far as @kind takes it. */
bool policy_take_types(struct policy_parser *parser, struct rule *rule);
bool policy_check_types(struct policy_parser *parser, const struct rule *rule);

/* policy_pattern.c. Collapses runs of "*" in @text, which is in ASCII. NULL, or what is wrong with a remedy.
 */
const char *policy_pattern_compile(struct policy_pattern *ret, char *text);
bool policy_pattern_matches(const struct policy_pattern *pattern, const char *text);
/* Whether some address, id, class or name is matched at all: what @key selects by. */
bool policy_pattern_can_match(const struct policy_pattern *pattern, enum rule_key key);
/* Whether all that @narrow takes @wide takes too, as far as is easily told. A pattern without operations
 * takes all. */
bool policy_pattern_covers(const struct policy_pattern *wide, const struct policy_pattern *narrow);

/* The pattern of @key in @rule, NULL: it has none. */
struct policy_pattern *policy_rule_pattern(struct policy_rule *rule, enum rule_key key);

extern const char *const policy_rule_keys[RULE_KEYS];
extern const char *const policy_setting_names[SETTINGS];
extern const char *const policy_action_names[POLICY_ACTIONS];

#endif
