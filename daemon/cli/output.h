/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_OUTPUT_H
#define VFIOWATCH_CLI_OUTPUT_H

/* Standard output: JSON, tables with legend and pager, and the errors of writing. */

#include <json-c/json.h>

#include "cli/cli.h"
#include "cli/table.h"

/* Writes @value as one document, or with JSON_SHORT on one line, and a newline. */
void output_json(struct json_object *value, enum json_mode mode);

/* Shows @table; @noun ("mapping") is counted in the legend, its plural has an s. */
enum exit_code output_table(const struct table *table, const char *noun, const struct options *options,
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
