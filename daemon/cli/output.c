/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/text.h"

void complain(const char *format, ...)
{
	char text[2048], *safe;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	safe = text_safe(text);
	fprintf(stderr, "vfiowatch: %s\n", safe ? safe : "out of memory");
	free(safe);
}

enum exit_code fail_with(struct failure *failure, enum exit_code code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure->text, sizeof(failure->text), format, arguments);
	va_end(arguments);
	failure->code = code;
	return code;
}

enum exit_code fail_memory(struct failure *failure)
{
	return fail_with(failure, EXIT_FAILED, "out of memory");
}

void output_json(struct json_object *value, enum json_mode mode)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= mode == JSON_PRETTY ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
				     : JSON_C_TO_STRING_PLAIN;
	puts(json_object_to_json_string_ext(value, flags));
}

enum exit_code output_finish(struct failure *failure)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_OK;
	if (errno == EPIPE) {
		failure->signal = SIGPIPE;
		return EXIT_FAILED;
	}
	return fail_with(failure, EXIT_FAILED, "cannot write the output: %s", strerror(errno));
}

static const char *colour(const struct options *options, const char *sequence)
{
	return options->colour ? sequence : "";
}

const char *output_bad(const struct options *options)
{
	return colour(options, "\033[1;31m");
}

const char *output_good(const struct options *options)
{
	return colour(options, "\033[32m");
}

const char *output_faint(const struct options *options)
{
	return colour(options, "\033[2m");
}

const char *output_plain(const struct options *options)
{
	return colour(options, "\033[0m");
}

/* Columns and lines of the terminal behind standard output; 0: it is none. */
static void terminal_size(size_t *columns, size_t *lines)
{
	const char *text = getenv("COLUMNS");
	struct winsize size;

	*columns = *lines = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	*columns = 80;
	*lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		*columns = size.ws_col;
		*lines = size.ws_row;
	}
	if (text) {
		unsigned long value = strtoul(text, NULL, 10);

		if (value > 0 && value <= 10000)
			*columns = value;
	}
}

/* The pager as systemd's tools choose it; NULL: none. */
static const char *pager_command(void)
{
	const char *pager = getenv("SYSTEMD_PAGER");

	if (!pager)
		pager = getenv("PAGER");
	if (!pager)
		return "less";
	return *pager && strcmp(pager, "cat") ? pager : NULL;
}

static void run_pager(const char *command, int input)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(input, STDIN_FILENO) < 0)
		_exit(EXIT_FAILED);
	/* F: no paging of one screen, R: colours, S: no wrapping, X: leave the text there. No shell out of a
	 * root's pager. */
	setenv("LESS", "FRSX", 0);
	setenv("LESSCHARSET", "utf-8", 0);
	setenv("LESSSECURE", "1", 1);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

/* Shows @text of @size bytes in the pager. False: there is no pager, print it yourself. */
static bool page(const char *text, size_t size)
{
	const char *command = pager_command();
	int status, fds[2];
	FILE *pipe_end;
	pid_t pid;

	if (!command || pipe(fds) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		run_pager(command, fds[0]);
	}
	close(fds[0]);
	pipe_end = pid > 0 ? fdopen(fds[1], "w") : NULL;
	if (!pipe_end) {
		close(fds[1]);
	} else {
		fwrite(text, 1, size, pipe_end); /* a pager that is left early is no error */
		fclose(pipe_end);
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !WIFEXITED(status) || WEXITSTATUS(status) != 127;
}

static size_t count_lines(const char *text, size_t size)
{
	size_t lines = 0;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	return lines;
}

static void print_legend(const struct table *table, size_t left_out, const char *noun, const char *footnote,
			 FILE *out)
{
	size_t n = table_rows(table);

	fprintf(out, "\n%zu %s%s listed", n, noun, n == 1 ? "" : "s");
	if (left_out)
		fprintf(out, " (%zu column%s left out for want of width)", left_out,
			left_out == 1 ? "" : "s");
	fputs(".\n", out);
	if (footnote)
		fprintf(out, "%s\n", footnote);
}

enum exit_code output_begin(struct output *output, struct failure *failure)
{
	*output = (struct output){};
	terminal_size(&output->width, &output->lines);
	output->out = open_memstream(&output->text, &output->size);
	return output->out ? EXIT_OK : fail_memory(failure);
}

void output_add_table(struct output *output, const struct table *table, const char *noun,
		      const char *footnote, const struct options *options)
{
	struct table_style style = {
		.width = output->width,
		.header = !options->no_legend,
		.notes = !options->no_legend,
		.colour = options->colour,
	};
	size_t left_out = table_print(table, &style, output->out);

	if (!options->no_legend)
		print_legend(table, left_out, noun, footnote, output->out);
}

enum exit_code output_end(struct output *output, enum exit_code code, const struct options *options,
			  struct failure *failure)
{
	if (fclose(output->out) != 0 && code == EXIT_OK)
		code = fail_memory(failure);
	if (code == EXIT_OK) {
		bool fits = output->lines == 0 || count_lines(output->text, output->size) < output->lines;

		if (options->no_pager || fits || !page(output->text, output->size))
			fwrite(output->text, 1, output->size, stdout);
		code = output_finish(failure);
	}
	free(output->text);
	return code;
}
