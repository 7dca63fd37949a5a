/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_POLICY_TEXTS_H
#define VFIOWATCH_TESTS_POLICY_TEXTS_H

/* Policies from texts, for tests of the parser and of verdicts. */

#include <errno.h>

#include "events.h"

#include "core/policy.h"

#define POLICY_PATH "/etc/vfiowatch/policy.d/10-test.conf"

/* There is "alice", and "broken" cannot be looked up. */
static inline int find_test_user(void *userdata, const char *name, uint32_t *ret)
{
	(void)userdata;
	if (strcmp(name, "broken") == 0)
		return -EIO;
	if (strcmp(name, "alice") != 0)
		return -ENOENT;
	*ret = 1042;
	return 0;
}

static inline struct policy_text text_at(const char *path, const char *text)
{
	return (struct policy_text){path, text, strlen(text)};
}

/* Fails if it is refused. */
static inline struct policy *parsed_files(const struct policy_text *files, size_t n)
{
	char error[POLICY_ERROR_LEN];
	enum policy_outcome outcome;
	struct policy *policy;

	assert_int_equal(policy_parse(&policy, files, n, find_test_user, NULL, &outcome, error), 0);
	if (outcome != POLICY_OK)
		fail_msg("refused: %s", error);
	assert_non_null(policy);
	assert_string_equal(error, "");
	return policy;
}

static inline struct policy *parsed(const char *text)
{
	const struct policy_text file = text_at(POLICY_PATH, text);

	return parsed_files(&file, 1);
}

/* Parses @n files; fails unless it is refused at @path and @line with a remedy. Returns the error. */
static inline const char *refused(const struct policy_text *files, size_t n, const char *path,
				  unsigned int line)
{
	static char error[POLICY_ERROR_LEN];
	enum policy_outcome outcome = POLICY_OK;
	struct policy *policy = (struct policy *)1;
	char place[300], *remedy;

	memset(error, 0x55, sizeof(error));
	assert_int_equal(policy_parse(&policy, files, n, find_test_user, NULL, &outcome, error), 0);
	if (outcome != POLICY_REFUSED)
		fail_msg("taken: %.*s", (int)files[n - 1].length, files[n - 1].text);
	assert_null(policy);
	assert_true(strnlen(error, sizeof(error)) < sizeof(error));
	snprintf(place, sizeof(place), "%s:%u: ", path, line);
	if (strncmp(error, place, strlen(place)) != 0)
		fail_msg("expected %s, got %s\n%.*s", place, error, (int)files[n - 1].length,
			 files[n - 1].text);
	for (const char *at = error; *at; at++)
		assert_true((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
	remedy = strstr(error + strlen(place), "; ");
	if (!remedy || strlen(remedy) < 8)
		fail_msg("no remedy: %s", error);
	return error + strlen(place);
}

#endif
