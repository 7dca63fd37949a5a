/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy as text in canonical form. */
#include "core/policy_internal.h"

#include <stdio.h>

struct writer {
	char *text;
	size_t length, room;
	bool origins, failed;
};

static void append(struct writer *writer, const char *text, size_t length)
{
	if (writer->failed)
		return;
	if (writer->length + length + 1 > writer->room) {
		size_t room = 2 * (writer->room + length + 1);
		char *larger = realloc(writer->text, room);

		if (!larger) {
			writer->failed = true;
			return;
		}
		writer->text = larger;
		writer->room = room;
	}
	memcpy(writer->text + writer->length, text, length);
	writer->length += length;
	writer->text[writer->length] = 0;
}

static void append_text(struct writer *writer, const char *text)
{
	append(writer, text, strlen(text));
}

/* Ends a line with where it comes from. */
static void end_line(struct writer *writer, const struct origin *origin)
{
	char number[16];

	if (writer->origins) {
		append_text(writer, "  ; ");
		append_text(writer, origin->line ? origin->path : "default");
		snprintf(number, sizeof(number), ":%u", origin->line);
		if (origin->line)
			append_text(writer, number);
	}
	append_text(writer, "\n");
}

static void write_pair(struct writer *writer, const char *key, const char *value, const struct origin *origin)
{
	append_text(writer, key);
	append_text(writer, "=");
	append_text(writer, value);
	end_line(writer, origin);
}

static void write_rule(struct writer *writer, const struct policy *policy, __u32 i)
{
	const struct rule *rule = &policy->rules[i];

	append_text(writer, "\n[Rule ");
	append_text(writer, policy->bank.rules[i].name);
	append_text(writer, "]");
	end_line(writer, &rule->origin);
	for (int key = 0; key < RULE_KEYS; key++)
		if (rule->keys[key].line)
			write_pair(writer, policy_rule_keys[key], rule->values[key], &rule->keys[key]);
}

char *policy_to_text(const struct policy *policy, bool origins)
{
	const struct policy_bank *bank = &policy->bank;
	struct writer writer = {.origins = origins};

	append_text(&writer, "[Policy]");
	end_line(&writer, &policy->section);
	write_pair(&writer, policy_setting_names[SETTING_MODE], policy_mode_name(bank->mode),
		   &policy->settings[SETTING_MODE]);
	write_pair(&writer, policy_setting_names[SETTING_ON_UNKNOWN], policy_action_names[bank->on_unknown],
		   &policy->settings[SETTING_ON_UNKNOWN]);
	for (__u32 i = 0; i < bank->n_rules; i++)
		write_rule(&writer, policy, i);
	if (!writer.failed)
		return writer.text;
	free(writer.text);
	return NULL;
}
