/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_POLICIES_H
#define VFIOWATCH_TESTS_POLICIES_H

/* A policy for tests of what is shown of policies: made of text, with a digest. */

#include "events.h"

#include "core/policy.h"

#define TEST_DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Rules that together take everything there is; "Mode=enforce" or "Mode=audit" comes before. */
#define TEST_RULES                                                                                           \
	"[Rule no-mix]\nKind=alias\nTypes=wc/uc\nAction=deny\n"                                              \
	"[Rule no-turn]\nKind=promotion\nAction=kill\n"                                                      \
	"[Rule wc-log]\nKind=request\nTypes=wc\nAction=log\n"

static inline struct policy *make_policy(const char *text)
{
	const struct policy_text file = {.path = "test.conf", .text = text, .length = strlen(text)};
	char error[POLICY_ERROR_LEN] = "";
	enum policy_outcome outcome;
	struct policy *policy;

	assert_int_equal(policy_parse(&policy, &file, 1, NULL, NULL, &outcome, error), 0);
	if (outcome != POLICY_OK)
		fail_msg("%s", error);
	policy_set_digest(policy, TEST_DIGEST);
	return policy;
}

#endif
