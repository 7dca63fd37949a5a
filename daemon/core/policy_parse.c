/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy files: lines and sections. inih takes lines apart; what it would cut, join or pass over is refused
 * before it sees it, and a pair that it does not hand back is an error.
 */
#include "core/policy_internal.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/snapshot.h"

bool policy_refuse(struct policy_parser *parser, unsigned int line, const char *format, ...)
{
	va_list arguments;
	int n;

	if (parser->refused)
		return false;
	parser->refused = true;
	n = snprintf(parser->error, POLICY_ERROR_LEN, "%s:%u: ", parser->path, line);
	va_start(arguments, format);
	n += vsnprintf(parser->error + n, POLICY_ERROR_LEN - n, format, arguments);
	va_end(arguments);
	/* A path may have been cut in the middle of a character: the bus takes whole ones only. */
	if (n >= POLICY_ERROR_LEN)
		for (n = POLICY_ERROR_LEN - 1; n > 0 && parser->error[n - 1] & 0x80;)
			parser->error[--n] = 0;
	return false;
}

struct quoted policy_quote(const char *text)
{
	struct quoted quoted = {};
	const size_t most = sizeof(quoted.text) - 3;
	size_t n = strlen(text);

	for (size_t i = 0; i < n && i < most; i++)
		quoted.text[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	if (n > most)
		memcpy(quoted.text + most, "..", 2);
	return quoted;
}

const char *policy_base_name(const char *path)
{
	const char *last = strrchr(path, '/');

	return last && last[1] ? last + 1 : path;
}

/* Of a path that is longer than this, once escaped, an error shows the end. */
#define PATH_SHOWN 240

/* A copy of @path that is safe for a terminal and short enough for an error. NULL: out of memory. */
static char *safe_path(const char *path)
{
	size_t length = strlen(path);
	char *safe = malloc(4 * length + 1);

	if (!safe)
		return NULL;
	text_escape(path, length, safe, 4 * length + 1);
	if (strlen(safe) > PATH_SHOWN) {
		path += length - PATH_SHOWN / 4;
		while ((*path & 0xc0) == 0x80)
			path++;
		text_escape(path, strlen(path), safe, 4 * length + 1);
	}
	return safe;
}

/* The first byte of the line that is no part of a printable character, or its length. Tabs are blanks. */
static size_t printable_length(const char *line, size_t length)
{
	char plain[POLICY_LINE_MAX] = "", safe[4 * POLICY_LINE_MAX + 1];
	size_t at = 0;

	/* text_escape() marks what it replaces by a backslash: take those of the line away first. */
	for (size_t i = 0; i < length; i++)
		plain[i] = line[i] == '\\' || line[i] == '\t' ? ' ' : line[i];
	text_escape(plain, length, safe, sizeof(safe));
	while (at < length && safe[at] == plain[at])
		at++;
	return at;
}

static bool check_bytes(struct policy_parser *parser, const char *line, size_t length)
{
	size_t good;

	if (parser->line == 1 && length >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		return policy_refuse(parser, 1,
				     "the file begins with a byte order mark; save it as plain UTF-8");
	if (length > POLICY_LINE_MAX)
		return policy_refuse(parser, parser->line,
				     "the line has %zu bytes, %d are the most; write it shorter", length,
				     POLICY_LINE_MAX);
	if (length && line[length - 1] == '\r')
		return policy_refuse(
			parser, parser->line,
			"the line ends in a carriage return; save the file with the line ends of Unix");
	good = printable_length(line, length);
	if (good < length)
		return policy_refuse(parser, parser->line,
				     "byte %zu of the line (\\x%02x) is no printable UTF-8 text; remove it",
				     good + 1, (unsigned char)line[good]);
	return true;
}

static bool is_name(const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (name[i] <= 0x20 ? name[i] != ' ' || name[i + 1] == ' '
				    : name[i] >= 0x7f || strchr("[]\"'\\;#", name[i]))
			return false;
	return true;
}

static bool begin_rule(struct policy_parser *parser, const char *name)
{
	struct policy_bank *bank = &parser->policy->bank;
	size_t length = strlen(name);
	struct rule *rule;

	if (!length)
		return policy_refuse(parser, parser->line, "the rule has no name; write [Rule NAME]");
	if (length >= EVENT_NAME_LEN)
		return policy_refuse(
			parser, parser->line,
			"the rule's name has %zu characters, %d are the most; write a shorter one", length,
			EVENT_NAME_LEN - 1);
	if (!is_name(name, length))
		return policy_refuse(
			parser, parser->line,
			"\"%s\" cannot be the name of a rule; write letters, digits, \"-\", \"_\", "
			"\".\" and single blanks",
			policy_quote(name).text);
	for (__u32 i = 0; i < bank->n_rules; i++) {
		const struct origin *other = &parser->policy->rules[i].origin;

		if (strcmp(bank->rules[i].name, name) == 0)
			return policy_refuse(parser, parser->line,
					     "there is a rule \"%s\" in %s:%u already; write another name",
					     name, policy_base_name(other->path), other->line);
	}
	if (bank->n_rules == POLICY_RULES_MAX)
		return policy_refuse(parser, parser->line,
				     "this is rule %d, %d are the most; write patterns that take several",
				     POLICY_RULES_MAX + 1, POLICY_RULES_MAX);
	rule = &parser->policy->rules[bank->n_rules];
	memset(rule, 0, sizeof(*rule));
	rule->origin = (struct origin){parser->path, parser->line};
	memcpy(bank->rules[bank->n_rules].name, name, length);
	parser->rule = rule;
	parser->section = SECTION_RULE;
	return true;
}

static bool begin_policy(struct policy_parser *parser)
{
	if (parser->section_line)
		return policy_refuse(parser, parser->line,
				     "[Policy] begins in line %u already; write its keys there",
				     parser->section_line);
	parser->section = SECTION_POLICY;
	parser->section_line = parser->line;
	parser->policy->section = (struct origin){parser->path, parser->line};
	return true;
}

static bool end_section(struct policy_parser *parser)
{
	bool good = parser->section != SECTION_RULE || policy_finish_rule(parser);

	parser->section = SECTION_NONE;
	parser->rule = NULL;
	return good;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

char *policy_strip(char *text)
{
	size_t n;

	while (is_blank(*text))
		text++;
	n = strlen(text);
	while (n && is_blank(text[n - 1]))
		text[--n] = 0;
	return text;
}

/* "[Policy]" or "[Rule NAME]", then nothing but a comment. */
static bool begin_section(struct policy_parser *parser)
{
	char inside[POLICY_LINE_MAX + 1], *name = inside;
	const char *close = strchr(parser->raw, ']'), *after;
	static const char *const sections[] = {"Policy", "Rule"};
	const char *nearest;
	size_t word;

	if (!end_section(parser))
		return false;
	if (!close)
		return policy_refuse(parser, parser->line, "\"]\" is missing; write [Policy] or [Rule NAME]");
	after = close + 1 + strspn(close + 1, " \t");
	if (*after && (*after != ';' || after == close + 1))
		return policy_refuse(parser, parser->line,
				     "there is text after \"]\"; write it in a line of its own, or as a "
				     "comment after \" ;\"");
	memcpy(inside, parser->raw + 1, close - parser->raw - 1);
	inside[close - parser->raw - 1] = 0;
	name = policy_strip(inside);
	if (strcmp(name, "Policy") == 0)
		return begin_policy(parser);
	word = strcspn(name, " \t");
	if (word == 4 && memcmp(name, "Rule", 4) == 0)
		return begin_rule(parser, policy_strip(name + word));
	if (!*name)
		return policy_refuse(parser, parser->line,
				     "the section has no name; write [Policy] or [Rule NAME]");
	name[word] = 0;
	nearest = policy_nearest(name, sections, ELEMENTS(sections));
	return policy_refuse(parser, parser->line, "unknown section [%s]; %s", policy_quote(name).text,
			     !nearest            ? "write [Policy] or [Rule NAME]"
			     : nearest[0] == 'R' ? "did you mean [Rule NAME]?"
						 : "did you mean [Policy]?");
}

/* Takes the next line into raw. False: there is none, or it was refused. */
static bool next_line(struct policy_parser *parser)
{
	size_t left = parser->end - parser->next, length;
	const char *end;

	if (!left)
		return false;
	end = memchr(parser->next, '\n', left);
	length = end ? (size_t)(end - parser->next) : left;
	parser->line++;
	if (!check_bytes(parser, parser->next, length))
		return false;
	memcpy(parser->raw, parser->next, length);
	parser->raw[length] = 0;
	parser->next += end ? length + 1 : length;
	return true;
}

/* An ini_reader: every line that inih gets is one that it neither cuts nor joins to another. */
static char *read_line(char *line, int size, void *userdata)
{
	struct policy_parser *parser = userdata;
	size_t blanks;

	if (parser->pending)
		policy_refuse(
			parser, parser->line,
			"\"%s\" is neither a section nor a setting; write Key=Value, or begin a comment "
			"with \";\"",
			policy_quote(parser->raw).text);
	if (parser->refused || !next_line(parser))
		return NULL;
	if (strlen(parser->raw) + 2 > (size_t)size) {
		policy_refuse(parser, parser->line,
			      "the line is longer than libinih takes; write it shorter");
		return NULL;
	}
	blanks = strspn(parser->raw, " \t");
	if (strchr(";#", parser->raw[blanks])) {
		/* A comment, or empty: its strchr() finds the terminator too. */
		memcpy(line, "\n", 2);
		return line;
	}
	if (blanks) {
		policy_refuse(
			parser, parser->line,
			"the line begins with a blank; begin it in the first column: no line is continued");
		return NULL;
	}
	if (parser->raw[0] != '[')
		parser->pending = true;
	else if (!begin_section(parser))
		return NULL;
	snprintf(line, size, "%s\n", parser->raw);
	return line;
}

/* An ini_handler. Which section it is read_line() knows: inih tells none that is empty, and cuts long names.
 */
static int take_pair(void *userdata, const char *section, const char *name, const char *value)
{
	struct policy_parser *parser = userdata;
	const char *after;

	(void)section;
	if (!name || !parser->pending || parser->refused)
		return 1;
	parser->pending = false;
	after = parser->raw + strlen(name);
	after += strspn(after, " \t");
	if (!*name || *after != '=' || !value)
		policy_refuse(parser, parser->line, "\"%s\" is no setting; write Key=Value",
			      policy_quote(parser->raw).text);
	else
		policy_take_key(parser, name, value);
	return 1;
}

static void parse_file(struct policy_parser *parser, const struct policy_text *file)
{
	parser->next = file->text;
	parser->end = file->text + file->length;
	parser->line = 0;
	parser->section = SECTION_NONE;
	parser->section_line = 0;
	memset(parser->setting_lines, 0, sizeof(parser->setting_lines));
	if (file->length > POLICY_FILE_MAX) {
		policy_refuse(parser, 1, "the file has %zu bytes, %u are the most; write several files",
			      file->length, POLICY_FILE_MAX);
		return;
	}
	if (ini_parse_stream(read_line, parser, take_pair, parser) != 0 && !parser->refused &&
	    !parser->status)
		policy_refuse(parser, parser->line, "libinih does not understand the line; write Key=Value");
	if (!parser->refused)
		end_section(parser);
}

static int parse_files(struct policy_parser *parser, const struct policy_text *files, size_t n)
{
	struct policy *policy = parser->policy;

	for (size_t i = 0; i < n && !parser->refused && !parser->status; i++) {
		char *path = safe_path(files[i].path);

		if (!path)
			return -ENOMEM;
		parser->path = path;
		if (i < POLICY_FILES_MAX) {
			policy->paths[policy->n_paths++] = path;
			parse_file(parser, &files[i]);
		} else {
			policy_refuse(parser, 1, "this is file %d, %d are the most; write fewer, longer ones",
				      POLICY_FILES_MAX + 1, POLICY_FILES_MAX);
			free(path);
		}
	}
	return parser->status;
}

int policy_parse(struct policy **ret, const struct policy_text *files, size_t n, policy_find_user find_user,
		 void *userdata, enum policy_outcome *outcome, char error[POLICY_ERROR_LEN])
{
	struct policy_parser parser = {.find_user = find_user, .userdata = userdata, .error = error};
	int r;

	*ret = NULL;
	error[0] = 0;
	parser.policy = calloc(1, sizeof(*parser.policy));
	if (!parser.policy)
		return -ENOMEM;
	r = parse_files(&parser, files, n);
	*outcome = parser.refused ? POLICY_REFUSED : POLICY_OK;
	if (r < 0 || parser.refused)
		policy_free(parser.policy);
	else
		*ret = parser.policy;
	return r;
}
