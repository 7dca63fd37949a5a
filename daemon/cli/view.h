/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_VIEW_H
#define VFIOWATCH_CLI_VIEW_H

/* From rows (JSON objects) to a table: which keys are columns, and how a value becomes a cell. */

#include <json-c/json.h>

#include "cli/cli.h"
#include "cli/output.h"

enum cell {
	CELL_TEXT,
	CELL_SIZE, /* bytes, shown in units */
	CELL_TIME,
	CELL_BARS,      /* array of bars: "0:16K 2:16M" */
	CELL_MODEL,     /* vendor and product: "1af4:1110" */
	CELL_EFFECTIVE, /* memory type, marked if it is not as asked for; "revoked" */
	CELL_PROMISED,  /* memory type of a cookie; "revoked" */
	CELL_PHYSICAL,  /* and phys_end: "0xfc000000-0xfc001000" */
	CELL_TYPES,     /* array: "uc-/wc" */
	CELL_NUMBERS,   /* array: "812,815" */
	CELL_MACHINE,   /* "claim:" before a name that the process gives itself */
	CELL_VERDICT,   /* and rule: "would-deny (no-mix)"; nothing if no rule says anything */
};

/* When a column is shown. */
enum field_show {
	FIELD_ALWAYS,
	FIELD_ALL,  /* tells only whether it is live: of use with --all */
	FIELD_TOLD, /* if some row has something in it */
};

struct field {
	struct column column;
	const char *key;
	enum cell cell;
	enum field_show show;
};

struct view {
	const char *noun;
	const struct field *fields;
	size_t n_fields;
	const char *note_key, *note_label; /* a text below each row; NULL: none */
};

#define VIEW(noun, fields, note_key, note_label)                                                             \
	{                                                                                                    \
		noun, fields, sizeof(fields) / sizeof(fields[0]), note_key, note_label                       \
	}

/* The text of one cell; NULL: unknown (or out of memory: it is shown as unknown). The caller frees. */
char *view_cell(struct json_object *row, const struct field *field);

/* Adds @rows (a JSON array) as a table to @output. */
enum exit_code view_add(const struct view *view, struct json_object *rows, const struct options *options,
			struct output *output, struct failure *failure);

#endif
