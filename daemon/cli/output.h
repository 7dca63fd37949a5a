/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_OUTPUT_H
#define VFIOWATCH_CLI_OUTPUT_H

/* Standard output: JSON, tables with legend and pager, and the errors of writing. */

#include <json-c/json.h>

#include "cli/cli.h"
#include "cli/table.h"

/* Writes @value as one document, or with JSON_SHORT on one line, and a newline. */
void output_json(struct json_object *value, enum json_mode mode);

/* Text for people in the making: all of it is there before any is shown. */
struct output {
	FILE *out;
	size_t width; /* columns of the terminal, 0: no limit */
	size_t lines; /* of the terminal, 0: it is none */
	char *text;
	size_t size;
};

/* Makes @output empty, for text to be written to its out. If this succeeds output_end() must follow. */
enum exit_code output_begin(struct output *output, struct failure *failure);

/* Adds @table; @noun ("mapping") is counted in the legend, its plural has an s, @footnote (NULL: none)
 * follows. */
void output_add_table(struct output *output, const struct table *table, const char *noun,
		      const char *footnote, const struct options *options);

/* Shows it, in the pager if it is longer than the terminal; with another @code than EXIT_OK only frees it. */
enum exit_code output_end(struct output *output, enum exit_code code, const struct options *options,
			  struct failure *failure);

/*
 * Flushes standard output. A reader that is gone (EPIPE) ends us quietly as SIGPIPE would; any other error of
 * writing is EXIT_FAILED with a text. Whatever is printed must end in this.
 */
enum exit_code output_finish(struct failure *failure);

/* Colour sequences, or empty text without colour. Never the only sign of anything. */
const char *output_bad(const struct options *options);
const char *output_good(const struct options *options);
const char *output_faint(const struct options *options);
const char *output_plain(const struct options *options);

/* Standard error: "vfiowatch: TEXT" in safe characters. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
