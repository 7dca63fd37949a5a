/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The policy in force, so that our rows tell the same verdicts as those of the daemon. */

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "cleanup.h"
#include "cli/value.h"
#include "tui/world.h"

/* Behind it stands where a line comes from; no value contains it. */
#define ORIGIN "  ; "

/* Sections, blank lines and the keys of every rule of the largest policy. */
#define LINES_MAX ((POLICY_RULES_MAX + 1) * 16)

/* The canonical text again, of lines with their origins. The caller frees; NULL: they are none, or out of
 * memory. */
static char *canonical_text(struct json_object *lines, size_t *length)
{
	size_t n = json_object_is_type(lines, json_type_array) ? json_object_array_length(lines) : 0;
	char *text = NULL;
	FILE *out = n && n <= LINES_MAX ? open_memstream(&text, length) : NULL;

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *line = json_object_get_string(json_object_array_get_idx(lines, i));
		const char *origin = line ? strstr(line, ORIGIN) : NULL;

		fprintf(out, "%.*s\n",
			origin ? (int)(origin - line)
			: line ? (int)strlen(line)
			       : 0,
			line ? line : "");
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* Taken only if what was understood says what was read. */
static struct policy *read_policy(struct json_object *object)
{
	struct policy_text file = {.path = "policy"};
	char *text _cleanup_(freep) = canonical_text(row_value(object, "text"), &file.length);
	char *again _cleanup_(freep) = NULL, error[POLICY_ERROR_LEN];
	const char *digest = row_string(object, "digest");
	enum policy_outcome outcome;
	struct policy *policy;

	file.text = text;
	if (!text || policy_parse(&policy, &file, 1, NULL, NULL, &outcome, error) < 0 || outcome != POLICY_OK)
		return NULL;
	again = policy_to_text(policy, false);
	if (!again || strcmp(again, text) != 0)
		return policy_free(policy);
	policy_set_digest(policy, digest ? digest : "");
	return policy;
}

void world_take_policy(struct world *world, struct json_object *object)
{
	struct policy *before = world->policy;

	world->policy = object ? read_policy(object) : NULL;
	world->policy_unread = object && !world->policy && row_value(object, "text");
	if (world->has_ledger)
		world->ledger.model.policy = world->policy;
	policy_free(before);
	world->mappings.all = true;
	world->ledger_changes++;
}

bool world_verdicts_depend(const struct world *world)
{
	const struct policy_bank *bank = world->policy ? policy_bank(world->policy) : NULL;

	return bank && bank->kinds[POLICY_ALIAS] & (bank->deny | bank->log);
}
