/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns against fnmatch(3), which was written by others. */
#include "policy_texts.h"

#include <fnmatch.h>

/* Compiles @pattern as Machine=, which takes any text. */
static struct policy_pattern compiled(const char *pattern)
{
	char text[256];
	struct policy *policy;
	struct policy_pattern ret;

	snprintf(text, sizeof(text), "[Rule r]\nMachine=%s\nAction=log\n", pattern);
	policy = parsed(text);
	ret = policy_bank(policy)->rules[0].machine;
	policy_free(policy);
	return ret;
}

/* As the enforcer does it: bounded steps over a padded text. */
static bool matches(const struct policy_pattern *pattern, const char *text)
{
	struct policy_match match = {};
	char padded[POLICY_TEXT_LEN] = "";
	int steps = 0;

	memcpy(padded, text, strnlen(text, sizeof(padded)));
	while (!policy_match_step(&match, pattern, padded))
		assert_true(++steps < POLICY_MATCH_STEPS);
	assert_true(match.done);
	return match.matched;
}

static void expect(const char *pattern, const char *text, bool expected)
{
	struct policy_pattern compiled_pattern = compiled(pattern);

	if (matches(&compiled_pattern, text) != expected)
		fail_msg("\"%s\" against \"%s\": not %d", pattern, text, expected);
}

static void test_by_hand(void **state)
{
	(void)state;
	expect("a*", "", false);
	expect("a*", "a", true);
	expect("a*b", "axxb", true);
	expect("a*b", "axxbc", false);
	expect("?", "", false);
	expect("?", "\xff", true);
	expect("*a*b*c*", "xxaxxbxxc", true);
	expect("*a*b*c*", "xxbxxaxxc", false);
	expect("[]a]", "]", true);
	expect("[]a]", "b", false);
	expect("[!]a]b", "]b", false);
	expect("[!]a]b", "cb", true);
	expect("[a-c-]", "-", true);
	expect("[!a-c]", "\x80", true);
	expect("[!a-c]", "", false);
	expect("a\\*b", "a\\xb", true);
	expect("[\\]a", "\\a", true);
	expect("]", "]", true);
	expect("[[]*]", "[x]", true);
	expect("[*?]", "*", true);
	expect("[*?]", "x", false);
	expect("*[a-m]*[n-z]", "zzaxz", true);
}

static unsigned int next(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

/* A set as fnmatch(3) and we understand it: no classes, no "^" in front. */
static size_t random_set(unsigned int *seed, char *to)
{
	static const char *const sets[] = {"[ab]", "[!ab]", "[a-c]",    "[!a-c]", "[]a]", "[!]a]",
					   "[-a]", "[a-]",  "[a-bx-z]", "[*?]",   "[[]",  "[\\a]"};
	const char *set = sets[next(seed, sizeof(sets) / sizeof(sets[0]))];

	memcpy(to, set, strlen(set));
	return strlen(set);
}

static void random_pattern(unsigned int *seed, char *to)
{
	unsigned int n = 1 + next(seed, 12), sets = 0;
	size_t at = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int what = next(seed, 10);

		if (what < 3)
			to[at++] = '*';
		else if (what < 4)
			to[at++] = '?';
		else if (what < 6 && sets++ < POLICY_PATTERN_SETS)
			at += random_set(seed, to + at);
		else
			to[at++] = "abcx]-\\."[next(seed, 8)];
	}
	to[at] = 0;
}

static void test_random_against_fnmatch(void **state)
{
	unsigned int seed = 1, matched = 0;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		struct policy_pattern pattern;
		char source[128], text[32];

		random_pattern(&seed, source);
		pattern = compiled(source);
		for (int j = 0; j < 25; j++) {
			unsigned int n = next(&seed, 14);
			bool expected;

			for (unsigned int k = 0; k < n; k++)
				text[k] = "aabbcxyz]-\\.[*!"[next(&seed, 15)];
			text[n] = 0;
			expected = fnmatch(source, text, FNM_NOESCAPE) == 0;
			/* "*" alone is no selector, and takes all. */
			if ((pattern.length == 0 || matches(&pattern, text)) != expected)
				fail_msg("\"%s\" against \"%s\": fnmatch says %d", source, text, expected);
			matched += expected;
		}
	}
	assert_in_range(matched, 5000, 95000);
}

/* The worst that can be asked for: it ends within the bound that BPF has. */
static void test_bound(void **state)
{
	char source[POLICY_PATTERN_MAX + 1], text[POLICY_TEXT_LEN + 1];

	(void)state;
	for (size_t stars = 1; stars < POLICY_PATTERN_MAX / 2; stars++) {
		struct policy_pattern pattern;

		memset(source, 'a', POLICY_PATTERN_MAX);
		source[POLICY_PATTERN_MAX] = 0;
		for (size_t i = 0; i < stars; i++)
			source[i * (POLICY_PATTERN_MAX / stars)] = '*';
		source[POLICY_PATTERN_MAX - 1] = 'b';
		/* Machines have no such long names: all that counts here is the pattern. */
		source[0] = '*';
		pattern = compiled(source);
		memset(text, 'a', POLICY_TEXT_LEN);
		text[POLICY_TEXT_LEN] = 0;
		assert_false(matches(&pattern, text));
		text[POLICY_TEXT_LEN - 2] = 'b';
		text[POLICY_TEXT_LEN - 1] = 0;
		assert_true(matches(&pattern, text));
	}
}

/* Every pattern that some address, id or class matches is taken, and no other: told by trying them. */
static void test_can_match_by_trial(void **state)
{
	unsigned int seed = 7, taken = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char source[16], text[128], class_code[8], error[POLICY_ERROR_LEN];
		const struct policy_text file = {POLICY_PATH, text, 0};
		struct policy_text files[1] = {file};
		unsigned int n = 1 + next(&seed, 6);
		enum policy_outcome outcome;
		struct policy *policy;
		bool expected = false;

		for (unsigned int k = 0; k < n; k++)
			source[k] = "00123*?af:."[next(&seed, 11)];
		source[n] = 0;
		/* Digits that the pattern does not have are all alike, so a few of them stand for all. */
		for (unsigned int code = 0; code < 7 * 7 * 7 * 7 * 7 * 7 && !expected; code++) {
			unsigned int left = code;

			for (int k = 0; k < 6; k++, left /= 7)
				class_code[k] = "0123afe"[left % 7];
			class_code[6] = 0;
			expected = fnmatch(source, class_code, FNM_NOESCAPE) == 0;
		}
		files[0].length = snprintf(text, sizeof(text), "[Rule r]\nClass=%s\nAction=log\n", source);
		assert_int_equal(policy_parse(&policy, files, 1, NULL, NULL, &outcome, error), 0);
		if ((outcome == POLICY_OK) != expected)
			fail_msg("Class=%s: %d, expected %d: %s", source, outcome, expected, error);
		taken += expected;
		policy_free(policy);
	}
	assert_in_range(taken, 300, 2700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_random_against_fnmatch),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_can_match_by_trial),
	};

	return cmocka_run_group_tests_name("policy_pattern", tests, NULL, NULL);
}
