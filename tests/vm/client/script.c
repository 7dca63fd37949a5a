// SPDX-License-Identifier: GPL-2.0-or-later

/* The line language: splitting, quoting, variables, `!`, `?`, `@CHILD`, definitions and dispatch. */

#include "client.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 8 /* of definitions that use definitions */

int errno_from_name(const char *name)
{
	for (int e = 1; e < 134; e++) {
		const char *s = strerrorname_np(e);

		if (s && strcmp(s, name) == 0)
			return e;
	}
	return 0;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Ends the first command of *cursor at an unquoted ';' or comment and moves on; NULL when nothing is left. */
static char *next_command(char **cursor)
{
	char *start = *cursor, *p, quote = 0;
	bool blank = true;

	if (!start)
		return NULL;
	for (p = start; *p; p++) {
		if (quote) {
			if (*p == quote)
				quote = 0;
		} else if (*p == '\'' || *p == '"') {
			quote = *p;
		} else if (*p == '#' && blank) {
			*p = '\0';
			*cursor = NULL;
			return start;
		} else if (*p == ';') {
			*p = '\0';
			*cursor = p + 1;
			return start;
		}
		blank = *p == ' ' || *p == '\t';
	}
	*cursor = NULL;
	return start;
}

static int append(struct client *c, struct words *w, size_t *used, const char *s, size_t n)
{
	if (*used + n + 1 > sizeof(w->text))
		return wrong(c, "command longer than %d characters", LINE_SIZE);
	memcpy(w->text + *used, s, n);
	*used += n;
	return 0;
}

static int expand(struct client *c, struct words *w, size_t *used, const char **p)
{
	char name[2 * NAME_SIZE];
	const char *value;
	size_t n = 0;

	for ((*p)++; (isalnum((unsigned char)**p) || **p == '_') && n < sizeof(name) - 1; (*p)++)
		name[n++] = **p;
	name[n] = '\0';
	value = getenv(name);
	if (n == 0 || !value)
		return wrong(c, "variable '$%s' is not set", name);
	return append(c, w, used, value, strlen(value));
}

static int one_word(struct client *c, struct words *w, size_t *used, const char **cursor)
{
	const char *p = *cursor;
	char quote = 0;
	int r = 0;

	w->word[w->n++] = w->text + *used;
	while (*p && (quote || (*p != ' ' && *p != '\t')) && r == 0) {
		if (quote && *p == quote) {
			quote = 0;
			p++;
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p++;
		} else if (*p == '$' && quote != '\'') {
			r = expand(c, w, used, &p);
		} else {
			r = append(c, w, used, p++, 1);
		}
	}
	if (r < 0)
		return r;
	if (quote)
		return wrong(c, "quote %c is not closed", quote);
	w->text[(*used)++] = '\0';
	*cursor = p;
	return 0;
}

/* At most `limit` words; the last one is then the untouched rest of the line when `raw`. */
static int split(struct client *c, const char *text, int limit, bool raw, struct words *w)
{
	size_t used = 0;
	int r;

	w->n = 0;
	memset(w->word, 0, sizeof(w->word));
	for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
		if (w->n == MAX_WORDS)
			return wrong(c, "more than %d words", MAX_WORDS);
		if (raw && w->n == limit - 1) {
			size_t n = strlen(text);

			w->word[w->n++] = w->text + used;
			r = append(c, w, &used, text, n);
			if (r == 0)
				w->text[used] = '\0';
			return r;
		}
		r = one_word(c, w, &used, &text);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct command *command_find(const char *name, size_t length)
{
	for (const struct command *command = commands; command->name; command++)
		if (strlen(command->name) == length && strncmp(command->name, name, length) == 0)
			return command;
	return NULL;
}

static struct definition *definition_find(struct client *c, const char *name, size_t length)
{
	struct definition *d;

	LIST_FOREACH(d, &c->definitions, link)
	if (strlen(d->name) == length && strncmp(d->name, name, length) == 0)
		return d;
	return NULL;
}

int script_define(struct client *c, int argc, char **argv)
{
	struct definition *d;
	int r;

	(void)argc;
	r = check_name(c, argv[0]);
	if (r < 0)
		return r;
	if (command_find(argv[0], strlen(argv[0])))
		return wrong(c, "define: '%s' is a command", argv[0]);
	d = definition_find(c, argv[0], strlen(argv[0]));
	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d)
			return fail(c, ENOMEM, "define %s", argv[0]);
		snprintf(d->name, sizeof(d->name), "%s", argv[0]);
		LIST_INSERT_HEAD(&c->definitions, d, link);
	}
	free(d->text);
	d->text = strdup(argv[1]);
	return d->text ? 0 : fail(c, ENOMEM, "define %s", argv[0]);
}

static int run_definition(struct client *c, const struct definition *d, const char *rest)
{
	char line[LINE_SIZE];
	int r;

	if (c->depth >= MAX_DEPTH)
		return wrong(c, "%s: definitions nested deeper than %d", d->name, MAX_DEPTH);
	if ((size_t)snprintf(line, sizeof(line), "%s %s", d->text, rest) >= sizeof(line))
		return wrong(c, "%s: command longer than %d characters", d->name, LINE_SIZE);
	c->depth++;
	r = script_execute(c, line);
	c->depth--;
	return r;
}

/* `!cmd`, `!EINVAL cmd`: turns the expected failure into success and anything else into a script error. */
static int run_expecting_failure(struct client *c, const char *text)
{
	char name[NAME_SIZE] = "", reason[TEXT_SIZE];
	int expected = 0, r;

	if (*text == 'E') {
		size_t n = strcspn(text, " \t");

		snprintf(name, sizeof(name), "%.*s", (int)n, text);
		expected = errno_from_name(name);
		if (!expected)
			return wrong(c, "!%s: no such errno", name);
		text += n;
	}
	r = script_execute(c, text);
	if (r == SCRIPT_ERROR)
		return r;
	if (r == 0)
		return wrong(c, "%s: succeeded, but had to fail%s%s", skip_blanks(text),
			     name[0] ? " with " : "", name);
	memcpy(reason, c->error, sizeof(reason));
	if (expected && r != -expected)
		return wrong(c, "had to fail with %s, but: %.900s", name, reason);
	return answer(c, "failed as expected: %.900s", reason);
}

/* `?cmd`: whether it fails depends on the kernel, or on what went before. */
static int run_allowing_failure(struct client *c, const char *text)
{
	char reason[TEXT_SIZE];

	if (script_execute(c, text) == 0)
		return 0;
	memcpy(reason, c->error, sizeof(reason));
	return answer(c, "failed, which it may: %.900s", reason);
}

static int run_routed(struct client *c, const char *text)
{
	char name[NAME_SIZE];
	size_t n = strcspn(text, " \t");

	snprintf(name, sizeof(name), "%.*s", (int)n, text);
	text = skip_blanks(text + n);
	if (*text == '\0')
		return wrong(c, "@%s: no command", name);
	return child_route(c, name, text);
}

/* Executes one command. */
int script_execute(struct client *c, const char *line)
{
	const struct command *command;
	const struct definition *d;
	struct words w;
	size_t n;
	int r;

	line = skip_blanks(line);
	if (*line == '\0')
		return 0;
	if (*line == '!')
		return run_expecting_failure(c, skip_blanks(line + 1));
	if (*line == '?')
		return run_allowing_failure(c, skip_blanks(line + 1));
	if (*line == '@')
		return run_routed(c, line + 1);
	n = strcspn(line, " \t");
	d = definition_find(c, line, n);
	if (d)
		return run_definition(c, d, skip_blanks(line + n));
	command = command_find(line, n);
	if (!command)
		return wrong(c, "%.*s: no such command (see vfio-client --help)", (int)n, line);
	r = split(c, line + n, command->max, command->raw, &w);
	if (r < 0)
		return r;
	if (w.n < command->min || w.n > command->max)
		return wrong(c, "%s: usage: %s %s", command->name, command->name, command->usage);
	return command->run(c, w.n, w.word);
}

/* Executes the commands of one line until one fails or asks to quit; `done` hears of each that succeeded. */
int script_line(struct client *c, char *line, void (*done)(struct client *c))
{
	char *command;

	while (!c->quit && (command = next_command(&line))) {
		int r;

		c->answer[0] = c->error[0] = '\0';
		if (*skip_blanks(command) == '\0')
			continue;
		r = script_execute(c, command);
		if (r < 0)
			return r;
		done(c);
	}
	return 0;
}
