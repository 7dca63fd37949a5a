// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * vfio-client [-v] [-c SCRIPT | FILE]: a scriptable user of VFIO.
 *
 * Commands are separated by newlines or ';'; '#' at the start of a word begins a comment. Words are separated
 * by blanks; '..' and ".." quote; $NAME is an environment variable (not within '..'). Numbers are decimal,
 * 0x.. or 0.., with one suffix K, M, G or p (pages); A+B adds.
 *
 *   ! COMMAND         COMMAND must fail; !EINVAL COMMAND must fail with EINVAL. Errors of the script itself
 *                     (unknown words and names, bad numbers) never count as that.
 *   @CHILD COMMAND    the child interprets it; its answer is waited for. @A @B COMMAND reaches a grandchild.
 *
 * The commands are in commands.c; --help prints them. The first failure is printed to stderr as
 * "vfio-client: line N: what: error" and ends the script with status 1; children are ended with it.
 * For `run`, $VFIO_CLIENT_PIECES names a list of what this process has mapped (see pieces.c).
 */

#include "client.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *script;
	const char *file;
	int child;
	bool verbose;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		o->script = arg;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'C':
		o->child = atoi(arg);
		return 0;
	case ARGP_KEY_ARG:
		if (o->file || o->script)
			argp_error(state, "one script only: -c SCRIPT or FILE");
		o->file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help_filter(int key, const char *text, void *input)
{
	char *help = NULL;
	size_t size;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&help, &size);
	if (!f)
		return NULL;
	fputs("Commands, separated by newlines or ';' ('#' comments, '..' and \"..\" quote, $NAME are "
	      "variables):\n"
	      "  ! COMMAND | !ERRNO COMMAND\n      it must fail (with that errno)\n"
	      "  ? COMMAND\n      it may fail\n"
	      "  @CHILD COMMAND\n      let the child do it and wait for its answer\n",
	      f);
	for (const struct command *c = commands; c->name; c++)
		fprintf(f, "  %s %s\n      %s\n", c->name, c->usage, c->help);
	fclose(f);
	return help;
}

static void print_answer(struct client *c)
{
	if (!c->verbose)
		return;
	printf("%s\n", c->answer[0] ? c->answer : "ok");
	fflush(stdout);
}

static int run_line(struct client *c, char *line)
{
	int r = script_line(c, line, print_answer);

	if (r < 0)
		fprintf(stderr, "vfio-client: line %u: %s\n", c->line, c->error);
	return r;
}

static int run_stream(struct client *c, FILE *stream)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && !c->quit && (n = getline(&line, &size, stream)) >= 0) {
		c->line++;
		if (n > 0 && line[n - 1] == '\n')
			line[n - 1] = '\0';
		r = run_line(c, line);
	}
	free(line);
	return r;
}

static int run_text(struct client *c, const char *text)
{
	FILE *stream = fmemopen((void *)text, strlen(text), "r");
	int r;

	if (!stream) {
		fprintf(stderr, "vfio-client: -c: %s\n", strerror(errno));
		return -errno;
	}
	r = run_stream(c, stream);
	fclose(stream);
	return r;
}

static int run_file(struct client *c, const char *path)
{
	FILE *stream = path ? fopen(path, "re") : stdin;
	int r;

	if (!stream) {
		fprintf(stderr, "vfio-client: open %s: %s\n", path, strerror(errno));
		return -errno;
	}
	r = run_stream(c, stream);
	if (path)
		fclose(stream);
	return r;
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{"command", 'c', "SCRIPT", 0, "Interpret SCRIPT", 0},
		{"verbose", 'v', NULL, 0, "Print one answer line per command", 0},
		{"child", 'C', "FD", OPTION_HIDDEN, NULL, 0},
		{0},
	};
	static const struct argp argp = {
		argp_options, parse_option, "[FILE]", "Use VFIO as a script says (stdin without FILE).\v ",
		NULL,         help_filter,  NULL,
	};
	struct options o = {.child = -1};
	static struct client c;
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	client_init(&c);
	c.verbose = o.verbose;
	if (o.child >= 0) {
		fcntl(o.child, F_SETFD, FD_CLOEXEC);
		c.up = o.child;
		return serve(&c);
	}
	if (o.script && !*o.script)
		return 0;
	r = o.script ? run_text(&c, o.script) : run_file(&c, o.file);
	children_finish(&c);
	return r < 0 ? 1 : c.status;
}
