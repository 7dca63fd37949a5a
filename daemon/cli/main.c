/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The `vfiowatch` command: options, verbs, and the one place where failures are told. */

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/filter.h"
#include "cli/output.h"
#include "cli/when.h"
#include "tui/top.h"

const char *argp_program_version = "vfiowatch " VFIOWATCH_VERSION;

enum option_key {
	OPTION_JSON = 0x100,
	OPTION_NO_LEGEND,
	OPTION_NO_PAGER,
	OPTION_COLOR,
	OPTION_SPAWN,
	OPTION_REPLAY,
	OPTION_DEVICE,
	OPTION_PID,
	OPTION_TYPE,
	OPTION_ACTIVE,
	OPTION_ALL,
	OPTION_SINCE,
	OPTION_DURATION,
	OPTION_FORCE,
	OPTION_WAIT,
	OPTION_CHECK,
	OPTION_BATCH,
	OPTION_FRAMES,
	OPTION_INTERVAL,
	OPTION_SCREEN,
	OPTION_AT,
	OPTION_TEXTFILE,
};

static const struct argp_option argp_options[] = {
	{NULL, 0, NULL, 0, "Where from:", 1},
	{"host", 'H', "[USER@]HOST", 0, "Ask the daemon of another host, over ssh", 1},
	{"spawn", OPTION_SPAWN, NULL, 0, "Run a private daemon for as long as this command runs (root)", 1},
	{"replay", OPTION_REPLAY, "FILE", 0, "Show a capture instead of a live host (no privilege needed)",
	 1},
	{NULL, 0, NULL, 0, "What:", 2},
	{"device", OPTION_DEVICE, "BDF", 0,
	 "Only this PCI device; may be a glob, domain 0000 may be left out", 2},
	{"pid", OPTION_PID, "PID", 0, "Only this process", 2},
	{"type", OPTION_TYPE, "TYPE", 0,
	 "Only this memory type: uc (takes uc- and device, too), uc-, device, wc, wt, wp, wb", 2},
	{"active", OPTION_ACTIVE, NULL, 0, "Only what is live (the default)", 2},
	{"all", OPTION_ALL, NULL, 0,
	 "Also what is no longer live; events: also facts that were looked up; policy test: also what is "
	 "allowed",
	 2},
	{"follow", 'f', NULL, 0,
	 "events: go on until interrupted; begins with new events unless --since is given", 2},
	{"since", OPTION_SINCE, "TIME", 0, "events: only since -5min, @UNIX, 2026-11-20T09:28:57Z, or now",
	 2},
	{"duration", OPTION_DURATION, "SEC", 0, "record: end after so many seconds", 2},
	{"force", OPTION_FORCE, NULL, 0, "record: overwrite FILE", 2},
	{"wait", OPTION_WAIT, "SEC", OPTION_ARG_OPTIONAL,
	 "status: wait until the daemon is ready, 60 s by default", 2},
	{"check", OPTION_CHECK, NULL, 0,
	 "status: exit with 5 if it is degraded; conflicts: exit with 3 if one is active", 2},
	{"batch", OPTION_BATCH, NULL, 0, "top: print frames, for a pipe", 2},
	{"frames", OPTION_FRAMES, "N", 0,
	 "top --batch: so many frames; else until interrupted, of a capture one", 2},
	{"interval", OPTION_INTERVAL, "SEC", 0, "top --batch: between two frames, 2 by default", 2},
	{"screen", OPTION_SCREEN, "NAME", 0,
	 "top: begin with overview, device, mappings, cookies, findings, events or health", 2},
	{"at", OPTION_AT, "PLACE", 0, "top --replay: begin at #EVENT, 50%, +1.5s or 13:59:20, not playing",
	 2},
	{"textfile", OPTION_TEXTFILE, "FILE", 0,
	 "metrics: replace FILE by them at once, in the format of node_exporter's textfile collector; -: "
	 "print "
	 "that format",
	 2},
	{NULL, 0, NULL, 0, "How:", 3},
	{"json", OPTION_JSON, "short|pretty", OPTION_ARG_OPTIONAL,
	 "Print JSON, pretty by default on a terminal", 3},
	{"no-legend", OPTION_NO_LEGEND, NULL, 0, "No header and no count", 3},
	{"no-pager", OPTION_NO_PAGER, NULL, 0, "Never start a pager", 3},
	{"color", OPTION_COLOR, "WHEN", 0, "auto, always or never", 3},
	{"colour", 0, NULL, OPTION_ALIAS, NULL, 3},
	{},
};

struct verb {
	const char *name;
	verb_handler handler;
	unsigned int min_words, max_words; /* arguments */
	const char *words;                 /* what they are */
	bool replay;                       /* can show a capture */
	const int options[9];              /* of those that not every verb takes, zero-terminated */
};

#define LIST_OPTIONS    OPTION_DEVICE, OPTION_PID, OPTION_TYPE, OPTION_ACTIVE, OPTION_ALL

#define POLICY_WORDS    "check FILE.., show, or test FILE.. (at most 256)"
#define EXPLAIN_SUBJECT "PID ADDR, or BDF[:BAR[+OFF]]"

static const struct verb verbs[] = {
	{"devices", verb_devices, 0, 0, NULL, true, {LIST_OPTIONS}},
	{"cookies", verb_cookies, 0, 0, NULL, true, {LIST_OPTIONS}},
	{"mappings", verb_mappings, 0, 0, NULL, true, {LIST_OPTIONS}},
	{"conflicts", verb_conflicts, 0, 0, NULL, true, {LIST_OPTIONS, OPTION_CHECK}},
	{"lint", verb_lint, 0, 0, NULL, true, {LIST_OPTIONS}},
	{"explain", verb_explain, 1, 2, EXPLAIN_SUBJECT, true, {}},
	{"events",
	 verb_events,
	 0,
	 0,
	 NULL,
	 true,
	 {OPTION_DEVICE, OPTION_PID, OPTION_TYPE, OPTION_ALL, 'f', OPTION_SINCE}},
	{"record", verb_record, 1, 1, "one FILE", false, {OPTION_DURATION, OPTION_FORCE}},
	{"status", verb_status, 0, 0, NULL, true, {OPTION_WAIT, OPTION_CHECK}},
	{"policy", verb_policy, 1, WORDS_MAX, POLICY_WORDS, true, {LIST_OPTIONS}},
	{"reload", verb_reload, 0, 0, NULL, false, {}},
	{"metrics", verb_metrics, 0, 0, NULL, true, {OPTION_TEXTFILE}},
	{"doctor", verb_doctor, 0, 0, NULL, false, {}},
	{"top",
	 verb_top,
	 0,
	 0,
	 NULL,
	 true,
	 {OPTION_BATCH, OPTION_FRAMES, OPTION_INTERVAL, OPTION_SCREEN, OPTION_AT}},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))
#define VERBS                                                                                                \
	"devices, cookies, mappings, conflicts, lint, explain, events, record, status, policy, reload, "     \
	"metrics, doctor, top"

static const char usage[] =
	"devices\ncookies\nmappings\nconflicts [--check]\nlint\nexplain PID ADDR\nexplain BDF[:BAR[+OFF]]\n"
	"events [-f] [--since TIME]\nrecord FILE\nstatus [--wait[=SEC]] [--check]\npolicy check "
	"FILE..\npolicy show\n"
	"policy test [--replay FILE] FILE..\nreload\nmetrics [--textfile=FILE]\ndoctor\ntop";

static const char documentation[] =
	"Shows which processes map the BARs of VFIO devices, by which mmap cookie and with which memory type."
	"\vExit status: 0 success, 1 failure, 2 wrong usage, 3 conflicts --check found an active conflict, 4 "
	"no "
	"daemon, 5 status --check found it degraded.";

struct parsed {
	struct options options;
	const char *verb;
	unsigned int n_words; /* arguments after the verb, also those that found no place */
	int given[16];        /* keys of the options that not every verb takes */
	unsigned int n_given;
	int colour; /* -1: auto */
};

static uint64_t parse_seconds(const char *text, const char *option, bool zero, struct argp_state *state)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || value > 1000000000 || (!zero && value == 0))
		argp_error(state, "%s=%s is not a number of seconds", option, text);
	return value;
}

static void note_given(struct parsed *parsed, int key)
{
	for (unsigned int i = 0; i < parsed->n_given; i++)
		if (parsed->given[i] == key)
			return;
	parsed->given[parsed->n_given++] = key; /* there are fewer such keys than places */
}

static void parse_since(const char *text, struct parsed *parsed, struct argp_state *state)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!when_parse(text, now.tv_sec * 1000000000LL + now.tv_nsec, &parsed->options.since_ns))
		argp_error(state, "--since=%s is no time: write -5min, @1700000000 or 2026-11-20T09:28:57Z",
			   text);
	parsed->options.since_given = true;
}

static void parse_json(const char *text, struct parsed *parsed, struct argp_state *state)
{
	if (!text)
		parsed->options.json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
	else if (strcmp(text, "short") == 0)
		parsed->options.json = JSON_SHORT;
	else if (strcmp(text, "pretty") == 0)
		parsed->options.json = JSON_PRETTY;
	else
		argp_error(state, "--json=%s is neither short nor pretty", text);
}

static void parse_colour(const char *text, struct parsed *parsed, struct argp_state *state)
{
	if (strcmp(text, "auto") == 0)
		parsed->colour = -1;
	else if (strcmp(text, "always") == 0 || strcmp(text, "never") == 0)
		parsed->colour = text[0] == 'a';
	else
		argp_error(state, "--color=%s is none of auto, always, never", text);
}

static void parse_top(int key, char *value, struct options *options, struct argp_state *state)
{
	if (key == OPTION_FRAMES)
		options->frames = parse_seconds(value, "--frames", false, state);
	else if (key == OPTION_INTERVAL)
		options->interval_sec = parse_seconds(value, "--interval", false, state);
	else if (key == OPTION_AT)
		options->at = value;
	else if (screen_by_name(value) < 0)
		argp_error(state,
			   "--screen=%s is none of overview, device, mappings, cookies, findings, events, "
			   "health",
			   value);
	else
		options->screen = value;
}

/* Options that every verb takes. */
static error_t parse_common(int key, char *value, struct argp_state *state)
{
	struct parsed *parsed = state->input;
	struct options *options = &parsed->options;

	switch (key) {
	case 'H':
		options->host = value;
		return 0;
	case OPTION_SPAWN:
		options->spawn = true;
		return 0;
	case OPTION_REPLAY:
		options->replay = value;
		return 0;
	case OPTION_JSON:
		parse_json(value, parsed, state);
		return 0;
	case OPTION_NO_LEGEND:
		options->no_legend = true;
		return 0;
	case OPTION_NO_PAGER:
		options->no_pager = true;
		return 0;
	case OPTION_COLOR:
		parse_colour(value, parsed, state);
		return 0;
	case ARGP_KEY_ARG:
		if (!parsed->verb)
			parsed->verb = value;
		else if (++parsed->n_words <= WORDS_MAX)
			options->words[parsed->n_words - 1] = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct parsed *parsed = state->input;
	struct options *options = &parsed->options;

	switch (key) {
	case OPTION_DEVICE:
		if (!filter_set_device(&options->filter, value))
			argp_error(state, "--device=%s is no PCI address such as 0000:3b:00.0", value);
		break;
	case OPTION_PID:
		if (!filter_set_pid(&options->filter, value))
			argp_error(state, "--pid=%s is no process id", value);
		break;
	case OPTION_TYPE:
		if (!filter_set_type(&options->filter, value))
			argp_error(state, "--type=%s is none of uc, uc-, device, wc, wt, wp, wb", value);
		break;
	case OPTION_ACTIVE:
	case OPTION_ALL:
		options->filter.all = key == OPTION_ALL;
		break;
	case 'f':
		options->follow = true;
		break;
	case OPTION_SINCE:
		parse_since(value, parsed, state);
		break;
	case OPTION_DURATION:
		options->duration_sec = parse_seconds(value, "--duration", false, state);
		break;
	case OPTION_FORCE:
		options->force = true;
		break;
	case OPTION_WAIT:
		options->wait = true;
		options->wait_sec = value ? parse_seconds(value, "--wait", true, state) : 60;
		break;
	case OPTION_CHECK:
		options->check = true;
		break;
	case OPTION_TEXTFILE:
		options->textfile = value;
		break;
	case OPTION_BATCH:
		options->batch = true;
		break;
	case OPTION_FRAMES:
	case OPTION_INTERVAL:
	case OPTION_SCREEN:
	case OPTION_AT:
		parse_top(key, value, options, state);
		break;
	default:
		return parse_common(key, value, state);
	}
	note_given(parsed, key);
	return 0;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = usage,
	.doc = documentation,
};

/* Returns false, for `return usage_error(..)`. */
static __attribute__((format(printf, 1, 2))) bool usage_error(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	complain("%s", text);
	fputs("Try 'vfiowatch --help'.\n", stderr);
	return false;
}

static const char *option_name(int key)
{
	for (const struct argp_option *option = argp_options; option->name || option->group; option++)
		if (option->name && option->key == key)
			return option->name;
	return "?";
}

static bool verb_takes(const struct verb *verb, int key)
{
	for (const int *option = verb->options; *option; option++)
		if (*option == key)
			return true;
	return false;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* What argp cannot know: which options go with which verb and with one another. */
static bool check_usage(const struct parsed *parsed, const struct verb *verb)
{
	const struct options *options = &parsed->options;

	for (unsigned int i = 0; i < parsed->n_given; i++)
		if (!verb_takes(verb, parsed->given[i]))
			return usage_error("%s takes no --%s", verb->name, option_name(parsed->given[i]));
	if (options->json && verb->handler == verb_metrics)
		return usage_error("%s takes no --json: they are text", verb->name);
	if (parsed->n_words < verb->min_words || parsed->n_words > verb->max_words)
		return usage_error("%s %s%s", verb->name, verb->words ? "needs " : "takes no argument",
				   verb->words ? verb->words : "");
	if (!!options->host + options->spawn + !!options->replay > 1)
		return usage_error("%s: only one of --host, --spawn and --replay", verb->name);
	if (options->replay && !verb->replay)
		return usage_error("%s asks a live host: --replay has nothing to tell it", verb->name);
	if (options->at && !options->replay)
		return usage_error("%s: --at is a place in a capture: it needs --replay", verb->name);
	if ((options->frames || options->interval_sec) && !options->batch)
		return usage_error("%s: --frames and --interval are for --batch", verb->name);
	if (options->replay && (options->follow || options->wait))
		return usage_error("%s: there is nothing to wait for in a capture", verb->name);
	return true;
}

static bool want_colour(int option)
{
	const char *no_colour = getenv("NO_COLOR");

	if (option >= 0)
		return option;
	return !(no_colour && *no_colour) && isatty(STDOUT_FILENO);
}

static enum exit_code run(const struct verb *verb, const struct options *options)
{
	struct failure failure = {};
	enum exit_code code;
	sigset_t mask;

	code = verb->handler(options, &failure);
	if (failure.text[0])
		complain("%s", failure.text);
	if (failure.signal) {
		signal(failure.signal, SIG_DFL);
		raise(failure.signal);
		sigemptyset(&mask);
		sigaddset(&mask, failure.signal);
		sigprocmask(SIG_UNBLOCK, &mask, NULL);
	}
	return code;
}

int main(int argc, char **argv)
{
	struct parsed parsed = {.colour = -1};
	const struct verb *verb;

	setlocale(LC_CTYPE, "");
	/* So that a spawned daemon is stopped in order; output_finish() ends us as SIGPIPE would. */
	signal(SIGPIPE, SIG_IGN);
	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &parsed) != 0)
		return EXIT_USAGE;
	parsed.options.colour = want_colour(parsed.colour);

	if (!parsed.verb && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		parsed.verb = "top";
	if (!parsed.verb) {
		usage_error("what do you want to see? There are " VERBS);
		return EXIT_USAGE;
	}
	verb = find_verb(parsed.verb);
	if (!verb) {
		usage_error("unknown verb '%s': there are " VERBS, parsed.verb);
		return EXIT_USAGE;
	}
	if (!check_usage(&parsed, verb))
		return EXIT_USAGE;
	return run(verb, &parsed.options);
}
