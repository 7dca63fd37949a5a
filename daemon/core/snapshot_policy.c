/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/snapshot_finding.h"

#include <stdlib.h>
#include <string.h>

static void put_rules(struct row *row, const struct policy *policy)
{
	struct json_object *rules = row_array(row, "rules");

	for (size_t i = 0; i < policy_rules(policy); i++)
		row_append_text(row, rules, policy_rule_name(policy, i), SIZE_MAX);
}

static void put_text(struct row *row, const struct policy *policy)
{
	struct json_object *lines = row_array(row, "text");
	char *text = policy_to_text(policy, true), *rest = text, *line;

	if (!text) {
		row->failed = true;
		return;
	}
	while ((line = strsep(&rest, "\n")))
		if (rest || *line)
			row_append_sentence(row, lines, line);
	free(text);
}

struct json_object *snapshot_policy(const struct policy *policy)
{
	struct row row = row_new();

	if (!policy) {
		row_null(&row, "mode");
		row_null(&row, "on_unknown");
		row_null(&row, "digest");
		row_null(&row, "rules");
		row_null(&row, "text");
		return row_take(&row);
	}
	row_text(&row, "mode", policy_mode_name(policy_mode(policy)), SIZE_MAX);
	row_text(&row, "on_unknown", policy_bank(policy)->on_unknown == POLICY_DENY ? "deny" : "allow",
		 SIZE_MAX);
	row_text(&row, "digest", policy_digest(policy), SIZE_MAX);
	put_rules(&row, policy);
	put_text(&row, policy);
	return row_take(&row);
}
