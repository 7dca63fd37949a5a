/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Valid policies into which a mistake is put: each is taken without it, and refused with it, at the right
 * line. */
#include "policy_texts.h"

#define LINES 128

/* A valid policy, line by line: which section each is in, and what it is. */
struct generated {
	char lines[LINES][2 * POLICY_LINE_MAX];
	unsigned int section[LINES]; /* line of its header; 0: none */
	char key[LINES];             /* first letter of the key; '[': header of a rule, 'P': [Policy], ';' */
	unsigned int n;
	unsigned int seed;
};

static unsigned int next(struct generated *g, unsigned int n)
{
	g->seed = g->seed * 1664525 + 1013904223;
	return (g->seed >> 8) % n;
}

/* Lines count from 1. */
static void put_line(struct generated *g, char key, unsigned int section, const char *format, ...)
{
	va_list arguments;

	g->n++;
	assert_true(g->n < LINES);
	va_start(arguments, format);
	vsnprintf(g->lines[g->n], sizeof(g->lines[0]), format, arguments);
	va_end(arguments);
	g->key[g->n] = key;
	g->section[g->n] = section;
}

static void maybe_comment(struct generated *g, unsigned int section)
{
	if (next(g, 4) == 0)
		put_line(g, ';', section, next(g, 2) ? "; a comment" : "");
}

static void put_rule(struct generated *g, unsigned int number)
{
	static const char *const kinds[] = {"alias", "promotion", "request"};
	static const char *const types[] = {"wc/uc", "uc-/wb", "wc"};
	static const char *const actions[] = {"allow", "log", "deny", "kill"};
	static const char *const sources[] = {"vfio", "sysfs|vfio", "dmabuf"};
	unsigned int section = g->n + 1, kind = next(g, 3);

	put_line(g, '[', section, "[Rule rule-%u]%s", number, next(g, 2) ? "" : "  ; why");
	maybe_comment(g, section);
	put_line(g, 'D', section, "Device=0000:%02x:0%u.[0-%u]", number, next(g, 9), next(g, 8));
	if (next(g, 2))
		put_line(g, 'R', section, "Region=%u", next(g, 6));
	if (next(g, 2))
		put_line(g, 'S', section, "Source=%s", sources[next(g, 3)]);
	maybe_comment(g, section);
	if (next(g, 2)) {
		put_line(g, 'K', section, "Kind=%s", kinds[kind]);
		if (next(g, 2))
			put_line(g, 'T', section, "Types=%s", types[kind]);
	}
	put_line(g, 'A', section, "Action=%s%s", actions[next(g, 4)], next(g, 2) ? "" : " ; so it is");
	maybe_comment(g, section);
}

static void generate(struct generated *g, unsigned int seed)
{
	unsigned int rules;

	memset(g, 0, sizeof(*g));
	g->seed = seed;
	rules = 1 + next(g, 8);
	maybe_comment(g, 0);
	put_line(g, 'P', g->n + 1, "[Policy]");
	put_line(g, 'M', g->n, "Mode=%s", next(g, 2) ? "audit" : "enforce");
	for (unsigned int i = 0; i < rules; i++)
		put_rule(g, i);
}

/* The number of a line with @key, one of those there are. 0: there is none. */
static unsigned int pick(struct generated *g, const char *keys)
{
	unsigned int start = 1 + next(g, g->n);

	for (unsigned int i = 0; i < g->n; i++) {
		unsigned int line = 1 + (start + i) % g->n;

		if (strchr(keys, g->key[line]))
			return line;
	}
	return 0;
}

static void insert_line(struct generated *g, unsigned int line, const char *text)
{
	assert_true(g->n + 1 < LINES);
	memmove(g->lines[line + 1], g->lines[line], (g->n + 1 - line) * sizeof(g->lines[0]));
	snprintf(g->lines[line], sizeof(g->lines[0]), "%s", text);
	g->n++;
}

static void remove_line(struct generated *g, unsigned int line)
{
	memmove(g->lines[line], g->lines[line + 1], (g->n - line) * sizeof(g->lines[0]));
	g->n--;
}

static void swap_letters(char *text)
{
	char first = text[0];

	text[0] = text[1];
	text[1] = first;
}

/* Replaces what comes after the "=". */
static void set_value(char *line, const char *value)
{
	strcpy(strchr(line, '=') + 1, value);
}

#define EVERY_KEY "MDRSKTA"

/* Puts a mistake of this kind in. Returns the line where it is, 0: there is no place for it. */
static unsigned int spoil(struct generated *g, unsigned int how)
{
	static const char *const wrong_values[][2] = {
		{"M", "both"},       {"R", "7"},      {"S", "vfio|usb"},    {"K", "fault"},
		{"T", "xx"},         {"A", "refuse"}, {"D", "host1"},       {"D", "3b:00.[0"},
		{"D", "[!0-9a-f]*"}, {"A", "log #c"}, {EVERY_KEY, "\"a\""}, {EVERY_KEY, ""}};
	static const char *const lines[] = {"what", "Unknown=1",     " x",       "\t[Rule z]", "=",
					    "a:b",  "[Rule rule-0]", "[Policy]", "[Rule",      "[]",
					    "\xc3", "a\001",         "x\r",      "Types"};
	static const size_t n_values = sizeof(wrong_values) / sizeof(wrong_values[0]);
	unsigned int line, kind = how % 8, detail = how / 8;

	switch (kind) {
	case 0:
		line = pick(g, EVERY_KEY);
		swap_letters(g->lines[line]);
		return line;
	case 1:
		line = pick(g, EVERY_KEY);
		insert_line(g, line + 1, g->lines[line]);
		return line + 1;
	case 2:
		line = pick(g, wrong_values[detail % n_values][0]);
		if (line)
			set_value(g->lines[line], wrong_values[detail % n_values][1]);
		return line;
	case 3: /* after all that could be spoiled by it */
		line = pick(g, "A");
		insert_line(g, line + 1, lines[detail % (sizeof(lines) / sizeof(lines[0]))]);
		return line + 1;
	case 4:
		line = pick(g, "A");
		kind = g->section[line];
		remove_line(g, line);
		return kind;
	case 5:
		line = pick(g, "[P");
		*strchr(g->lines[line], ']') = ' ';
		return line;
	case 6: /* the last rule once more, by another name */
		line = pick(g, "A");
		kind = g->section[line];
		put_line(g, '[', g->n + 1, "[Rule again]");
		how = g->n;
		for (unsigned int i = kind + 1; i < how && g->section[i] == kind; i++)
			put_line(g, ';', how, "%s", g->lines[i]);
		return how;
	default:
		line = 1 + next(g, g->n);
		memset(g->lines[line] + strlen(g->lines[line]), ' ', 191);
		g->lines[line][191 + detail % 100] = 0;
		memset(g->lines[line], ';', strlen(g->lines[line]) < 191 ? 0 : 1);
		return line;
	}
}

static struct policy_text joined(const struct generated *g)
{
	static char text[LINES * 2 * POLICY_LINE_MAX];
	size_t at = 0;

	for (unsigned int i = 1; i <= g->n; i++)
		at += snprintf(text + at, sizeof(text) - at, "%s\n", g->lines[i]);
	return text_at(POLICY_PATH, text);
}

static void test_generated(void **state)
{
	static struct generated g;
	unsigned int spoilt = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 3000; seed++) {
		struct policy_text file;
		unsigned int line;

		generate(&g, seed);
		file = joined(&g);
		policy_free(parsed_files(&file, 1));
		line = spoil(&g, seed);
		if (!line)
			continue;
		file = joined(&g);
		refused(&file, 1, POLICY_PATH, line);
		spoilt++;
	}
	assert_true(spoilt > 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated),
	};

	return cmocka_run_group_tests_name("policy_generated", tests, NULL, NULL);
}
