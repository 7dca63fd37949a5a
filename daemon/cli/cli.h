/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_CLI_H
#define VFIOWATCH_CLI_CLI_H

/* What all files of the `vfiowatch` command share: options, exit codes, and how a verb fails. */

#include <stdbool.h>
#include <stdint.h>

#include "core/snapshot.h"

/* Exit codes of the contract. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_CONFLICT = 3, /* conflicts --check */
	EXIT_NO_DAEMON = 4,
	EXIT_DEGRADED = 5, /* status --check */
};

enum json_mode {
	JSON_OFF = 0,
	JSON_SHORT, /* one line */
	JSON_PRETTY,
};

/* Arguments that a verb takes at most: as many files as a policy may have, and a word. */
#define WORDS_MAX 257

struct options {
	enum json_mode json;
	bool no_legend, no_pager, spawn;
	bool colour;        /* decided: option, NO_COLOR, isatty */
	const char *host;   /* NULL: this one */
	const char *replay; /* NULL: live */
	struct row_filter filter;
	bool follow; /* events -f */
	bool since_given;
	int64_t since_ns;      /* CLOCK_REALTIME */
	bool force;            /* record: overwrite */
	uint64_t duration_sec; /* record: 0: until interrupted */
	bool check;            /* status, conflicts */
	bool wait;             /* status */
	uint64_t wait_sec;
	bool batch;                       /* top: print frames */
	uint64_t frames;                  /* 0: until interrupted; of a capture one */
	uint64_t interval_sec;            /* between frames; 0: the default */
	const char *screen;               /* top: begin with this one; NULL: the first */
	const char *at;                   /* top --replay: begin there */
	const char *textfile;             /* metrics: for node_exporter; "-": standard output; NULL: none */
	const char *words[WORDS_MAX + 1]; /* after the verb, NULL ends them. record: the file; explain: the
					     subject; policy: what, and files */
};

/*
 * Why a verb ends early. Whoever meets the error fills it, main() tells it, once. A signal that ended the
 * verb is raised again after all is cleaned up, so that the caller sees the usual wait status.
 */
struct failure {
	enum exit_code code;
	int signal;      /* 0: none */
	char text[1024]; /* empty: nothing to tell */
};

/* Returns @code, for `return fail_with(..)`. */
enum exit_code fail_with(struct failure *failure, enum exit_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum exit_code fail_memory(struct failure *failure);

/* A verb: returns its exit code; if that is not EXIT_OK, @failure may say why. */
typedef enum exit_code (*verb_handler)(const struct options *options, struct failure *failure);

enum exit_code verb_devices(const struct options *options, struct failure *failure);
enum exit_code verb_cookies(const struct options *options, struct failure *failure);
enum exit_code verb_mappings(const struct options *options, struct failure *failure);
enum exit_code verb_conflicts(const struct options *options, struct failure *failure);
enum exit_code verb_lint(const struct options *options, struct failure *failure);
enum exit_code verb_explain(const struct options *options, struct failure *failure);
enum exit_code verb_events(const struct options *options, struct failure *failure);
enum exit_code verb_record(const struct options *options, struct failure *failure);
enum exit_code verb_policy(const struct options *options, struct failure *failure);
enum exit_code verb_reload(const struct options *options, struct failure *failure);
enum exit_code verb_status(const struct options *options, struct failure *failure);
enum exit_code verb_metrics(const struct options *options, struct failure *failure);
enum exit_code verb_doctor(const struct options *options, struct failure *failure);

#endif
