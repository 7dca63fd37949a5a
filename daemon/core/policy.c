/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy: its names, its rules, its digest. */
#include "core/policy_internal.h"

const char *const policy_rule_keys[RULE_KEYS] = {
	[RULE_DEVICE] = "Device", [RULE_ID] = "Id",     [RULE_CLASS] = "Class",     [RULE_DRIVER] = "Driver",
	[RULE_REGION] = "Region", [RULE_UNIT] = "Unit", [RULE_MACHINE] = "Machine", [RULE_USER] = "User",
	[RULE_SOURCE] = "Source", [RULE_KIND] = "Kind", [RULE_TYPES] = "Types",     [RULE_ACTION] = "Action",
};

const char *const policy_setting_names[SETTINGS] = {
	[SETTING_MODE] = "Mode",
	[SETTING_ON_UNKNOWN] = "OnUnknown",
};

const char *const policy_action_names[POLICY_ACTIONS] = {
	[POLICY_ALLOW] = "allow",
	[POLICY_LOG] = "log",
	[POLICY_DENY] = "deny",
	[POLICY_KILL] = "kill",
};

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (size_t i = 0; i < policy->n_paths; i++)
		free(policy->paths[i]);
	free(policy);
	return NULL;
}

enum policy_mode policy_mode(const struct policy *policy)
{
	return policy->bank.mode;
}

const struct policy_bank *policy_bank(const struct policy *policy)
{
	return &policy->bank;
}

/* The number that the first 16 digits say, so that an event's digest reads as the beginning of the policy's.
 */
void policy_set_digest(struct policy *policy, const char digest[POLICY_DIGEST_LEN + 1])
{
	char first[17] = "";

	memcpy(first, digest, strnlen(digest, sizeof(first) - 1));
	policy->bank.digest = strtoull(first, NULL, 16);
	memset(policy->digest, 0, sizeof(policy->digest));
	memcpy(policy->digest, digest, strnlen(digest, POLICY_DIGEST_LEN));
}

const char *policy_digest(const struct policy *policy)
{
	return policy->digest;
}

size_t policy_rules(const struct policy *policy)
{
	return policy->bank.n_rules;
}

const char *policy_rule_name(const struct policy *policy, int i)
{
	return i >= 0 && (__u32)i < policy->bank.n_rules ? policy->bank.rules[i].name : NULL;
}

struct policy_pattern *policy_rule_pattern(struct policy_rule *rule, enum rule_key key)
{
	switch (key) {
	case RULE_DEVICE:
		return &rule->device;
	case RULE_ID:
		return &rule->id;
	case RULE_CLASS:
		return &rule->class_code;
	case RULE_DRIVER:
		return &rule->driver;
	case RULE_UNIT:
		return &rule->unit;
	case RULE_MACHINE:
		return &rule->machine;
	default:
		return NULL;
	}
}

const char *policy_verdict_name(struct policy_verdict verdict, enum policy_mode mode)
{
	if (mode == POLICY_AUDIT && verdict.action == POLICY_DENY)
		return "would-deny";
	if (mode == POLICY_AUDIT && verdict.action == POLICY_KILL)
		return "would-kill";
	return verdict.action < POLICY_ACTIONS ? policy_action_names[verdict.action] : NULL;
}

const char *policy_kind_name(enum policy_kind kind)
{
	static const char *const names[POLICY_KINDS] = {
		[POLICY_ALIAS] = "alias",
		[POLICY_PROMOTION] = "promotion",
		[POLICY_DEMOTION] = "demotion",
		[POLICY_REQUEST] = "request",
	};

	return kind < POLICY_KINDS ? names[kind] : NULL;
}

const char *policy_mode_name(enum policy_mode mode)
{
	switch (mode) {
	case POLICY_AUDIT:
		return "audit";
	case POLICY_ENFORCE:
		return "enforce";
	default:
		return NULL;
	}
}

const char *policy_unknown_name(enum policy_unknown unknown)
{
	static const char *const names[POLICY_UNKNOWN_REASONS] = {
		[POLICY_UNKNOWN_ARGUMENTS] = "arguments", [POLICY_UNKNOWN_RANGE] = "range",
		[POLICY_UNKNOWN_TYPE] = "type",           [POLICY_UNKNOWN_PARTY] = "party",
		[POLICY_UNKNOWN_FULL] = "full",           [POLICY_UNKNOWN_BUSY] = "busy",
		[POLICY_UNKNOWN_SKIPPED] = "skipped",
	};

	return unknown < POLICY_UNKNOWN_REASONS ? names[unknown] : NULL;
}
