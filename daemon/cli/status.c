/* SPDX-License-Identifier: GPL-2.0-or-later */

/* status: of the daemon, or of a capture. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/replay.h"
#include "cli/status.h"
#include "cli/text.h"
#include "cli/value.h"
#include "cli/when.h"
#include "core/status.h"

#define RETRY_USEC (200ULL * 1000)

static void put_line(const char *label, const char *value)
{
	printf("%12s: %s\n", label, value && *value ? value : "-");
}

static void put_value(struct json_object *status, const char *label, const char *key)
{
	put_line(label, value_text(row_value(status, key)));
}

/* "LABEL: N", then one line each, since names of attach points and reasons are long. */
static void put_list(struct json_object *status, const char *label, const char *key, bool count,
		     const char *colour, const struct options *options)
{
	struct json_object *list = row_value(status, key);
	size_t n;

	if (!json_object_is_type(list, json_type_array)) {
		put_line(label, NULL);
		return;
	}
	n = json_object_array_length(list);
	if (n == 0)
		put_line(label, count ? "none" : "no");
	for (size_t i = 0; i < n; i++) {
		const char *text = value_text(json_object_array_get_idx(list, i));

		printf("%12s%s %s%s%s\n", i ? "" : label, i ? " " : ":", colour, text ? text : "-",
		       output_plain(options));
	}
}

static void put_recording(struct json_object *status, const struct options *options)
{
	const char *state = row_string(status, "recording"), *reason = row_string(status, "recording_reason");
	bool on = state && strcmp(state, "on") == 0, failed = state && strcmp(state, "failed") == 0;
	const char *colour = on ? output_good(options) : failed ? output_bad(options) : "";
	struct json_object *adopted = row_value(status, "adopted");

	printf("%12s: %s%s%s%s%s%s\n", "Recording", colour, state ? state : "-", output_plain(options),
	       reason ? ": " : "", reason ? reason : "",
	       json_object_is_type(adopted, json_type_boolean) && json_object_get_boolean(adopted)
		       ? " (went on from an earlier daemon)"
		       : "");
}

static void put_losses(struct json_object *status)
{
	struct json_object *types = row_value(status, "kernel_types");

	if (!json_object_is_type(types, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(types); i++) {
		struct json_object *type = json_object_array_get_idx(types, i);
		const char *name = row_string(type, "type");
		uint64_t lost, generated;

		if (row_number(type, "lost", &lost) && row_number(type, "generated", &generated) && lost)
			printf("%14s%" PRIu64 " of %" PRIu64 " %s\n", "", lost, generated, name ? name : "-");
	}
}

static void put_uptime(struct json_object *status)
{
	char text[DURATION_TEXT_MAX];
	uint64_t seconds;

	put_line("Uptime", row_number(status, "uptime", &seconds) ? duration_text(seconds, text) : NULL);
}

/* "Conflicts: 3 (1 alias, 2 promotion)" */
static void put_conflicts(struct json_object *status, const struct options *options)
{
	struct json_object *kinds = row_value(status, "conflict_kinds");
	const char *separator = " (";
	uint64_t total, count;

	if (!row_number(status, "conflicts", &total)) {
		put_line("Conflicts", NULL);
		return;
	}
	printf("%12s: %s%" PRIu64 "%s", "Conflicts", total ? output_bad(options) : "", total,
	       total ? output_plain(options) : "");
	for (enum finding_kind kind = 0; kind < FINDING_KINDS; kind++)
		if (row_number(kinds, finding_kind_name(kind), &count) && count) {
			printf("%s%" PRIu64 " %s", separator, count, finding_kind_name(kind));
			separator = ", ";
		}
	puts(*separator == ',' ? ")" : "");
}

/* What the policy denied, and what it would have in another mode or sooner. */
static void put_denied(struct json_object *status)
{
	uint64_t denied, would, killed;

	if (!row_number(status, "denied", &denied)) {
		put_line("Denied", NULL);
		return;
	}
	printf("%12s: %" PRIu64 "\n", "Denied", denied);
	if (row_number(status, "would_denied", &would))
		printf("%12s: %" PRIu64 "\n", "Would deny", would);
	if (row_number(status, "killed", &killed) && killed)
		printf("%12s: %" PRIu64 "\n", "Killed", killed);
}

/* How requests are decided, and how often too little was known for that. */
static void put_enforcer(struct json_object *status, const struct options *options)
{
	static const char *const counters[] = {"undecided", "unplaced", "untracked"};
	const char *how = row_string(status, "enforcing"), *reason = row_string(status, "enforcing_reason");
	struct json_object *enforcer = row_value(status, "enforcer"),
			   *unknown = row_value(enforcer, "unknown");
	uint64_t decided, number, guessed = 0;

	if (!how) {
		printf("%12s: no%s%s%s%s\n", "Enforcing", reason ? output_bad(options) : "",
		       reason ? ": " : "", reason ? reason : "", reason ? output_plain(options) : "");
		return;
	}
	printf("%12s: by %s", "Enforcing", how);
	if (row_number(enforcer, "decided", &decided))
		printf(", %" PRIu64 " decided", decided);
	for (enum policy_unknown i = POLICY_KNOWN + 1; i < POLICY_UNKNOWN_REASONS; i++)
		guessed += row_number(unknown, policy_unknown_name(i), &number) ? number : 0;
	if (guessed)
		printf(", %" PRIu64 " of them by OnUnknown", guessed);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (row_number(enforcer, counters[i], &number) && number)
			printf(", %" PRIu64 " %s", number, counters[i]);
	putchar('\n');
}

static void put_policy(struct json_object *status, const struct options *options)
{
	const char *digest = row_string(status, "policy_digest");
	uint64_t rules;

	if (!digest || !row_number(status, "policy_rules", &rules))
		put_line("Policy", digest);
	else
		printf("%12s: %s (%" PRIu64 " rule%s)\n", "Policy", digest, rules, rules == 1 ? "" : "s");
	put_enforcer(status, options);
}

static void put_counts(struct json_object *status, const struct options *options)
{
	put_value(status, "Devices", "devices");
	put_value(status, "Open files", "open_files");
	put_value(status, "Cookies", "cookies");
	put_value(status, "Mappings", "mappings");
	put_conflicts(status, options);
	put_denied(status);
}

static bool is_degraded(struct json_object *status)
{
	struct json_object *reasons = row_value(status, "degraded");

	return !json_object_is_type(reasons, json_type_array) || json_object_array_length(reasons) > 0;
}

static void print_live(struct json_object *status, const struct options *options)
{
	put_recording(status, options);
	put_list(status, "Degraded", "degraded", false, output_bad(options), options);
	put_uptime(status);
	put_value(status, "Version", "version");
	put_value(status, "Mode", "mode");
	put_policy(status, options);
	put_value(status, "Events", "events");
	put_value(status, "Lost", "lost");
	put_losses(status);
	put_value(status, "Skipped", "skipped");
	put_counts(status, options);
	put_list(status, "Attached", "attached", true, "", options);
	put_list(status, "Missing", "missing", true, output_bad(options), options);
}

static void print_capture(struct json_object *status, const struct options *options)
{
	put_value(status, "Capture", "capture");
	put_value(status, "Architecture", "architecture");
	put_value(status, "From", "first");
	put_value(status, "To", "last");
	put_list(status, "Degraded", "degraded", false, output_bad(options), options);
	put_value(status, "Events", "events");
	put_value(status, "Lost", "lost");
	put_counts(status, options);
}

static enum exit_code show(struct json_object *status, const struct options *options, struct failure *failure)
{
	enum exit_code code;

	if (options->json)
		output_json(status, options->json);
	else if (options->replay)
		print_capture(status, options);
	else
		print_live(status, options);
	code = output_finish(failure);
	return code == EXIT_OK && options->check && is_degraded(status) ? EXIT_DEGRADED : code;
}

static int put(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) >= 0)
		return 0;
	json_object_put(value);
	return -1;
}

static struct json_object *capture_time(const struct replay *replay, uint64_t boottime_ns)
{
	char text[WHEN_TEXT_MAX];

	if (!boottime_ns)
		return NULL;
	return json_object_new_string(
		when_text((int64_t)boottime_ns + replay->clock.realtime_offset_ns, text));
}

static void add_reason(struct json_object *reasons, uint64_t count, const char *what)
{
	char text[128];

	if (!reasons || !count)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " %s", count, what);
	json_object_array_add(reasons, json_object_new_string(text));
}

static struct json_object *capture_reasons(const struct replay *replay, const struct ledger_counts *counts,
					   const struct finding_counts *findings, uint64_t lost)
{
	struct json_object *reasons = json_object_new_array();

	add_reason(reasons, lost, "events were lost");
	add_reason(reasons, counts->refused, "events were refused by the ledger");
	add_reason(reasons, findings->refused,
		   "conflicts are not shown: the limit of active ones was reached");
	add_reason(reasons, lints_refused(replay->model.lints),
		   "lint findings are not shown: the limit was reached");
	return reasons;
}

static struct json_object *kinds_object(const struct finding_counts *findings)
{
	struct json_object *kinds = json_object_new_object();

	for (enum finding_kind kind = 0; kinds && kind < FINDING_KINDS; kind++)
		json_object_object_add(kinds, finding_kind_name(kind),
				       json_object_new_uint64(findings->active[kind]));
	return kinds;
}

struct json_object *capture_status(const struct replay *replay)
{
	static const char *const untold[] = {"mode", "policy_digest", "attached", "missing"};
	static const char *const arches[] = {[MEMTYPE_ARCH_UNKNOWN] = NULL,
					     [MEMTYPE_ARCH_X86_64] = "x86-64",
					     [MEMTYPE_ARCH_ARM64] = "arm64"};
	const uint32_t arch = replay->reader.header.arch;
	const char *name = arch < MEMTYPE_ARCHES ? arches[arch] : NULL;
	struct json_object *status = json_object_new_object();
	struct finding_counts findings;
	struct ledger_counts counts;
	uint64_t lost = 0, conflicts = 0;
	bool decided;
	int r = 0;

	ledger_counts(replay->model.ledger, &counts);
	finding_counts(replay->model.findings, &findings);
	for (enum finding_kind kind = 0; kind < FINDING_KINDS; kind++)
		conflicts += findings.active[kind];
	for (unsigned int type = 0; type < EVENT_KERNEL_TYPES; type++)
		lost += counts.lost[type];
	/* Without a decision nothing enforced, and what would have been denied was not recorded. */
	decided = counts.requests_granted || counts.requests_denied;
	if (!status)
		return NULL;
	for (size_t i = 0; i < sizeof(untold) / sizeof(untold[0]); i++)
		r |= put(status, untold[i], NULL);
	r |= put(status, "capture", json_object_new_string(replay->path));
	r |= put(status, "architecture", name ? json_object_new_string(name) : NULL);
	r |= put(status, "first", capture_time(replay, replay->first_ns));
	r |= put(status, "last", capture_time(replay, replay->last_ns));
	r |= put(status, "degraded", capture_reasons(replay, &counts, &findings, lost));
	r |= put(status, "events", json_object_new_uint64(replay->n_events));
	r |= put(status, "lost", json_object_new_uint64(lost));
	r |= put(status, "devices", json_object_new_uint64(counts.devices));
	r |= put(status, "open_files", json_object_new_uint64(counts.files));
	r |= put(status, "cookies", json_object_new_uint64(counts.cookies));
	r |= put(status, "mappings", json_object_new_uint64(counts.mappings));
	r |= put(status, "conflicts", json_object_new_uint64(conflicts));
	r |= put(status, "conflict_kinds", kinds_object(&findings));
	r |= put(status, "conflicts_refused", json_object_new_uint64(findings.refused));
	r |= put(status, "refused", json_object_new_uint64(counts.refused));
	r |= put(status, "denied", decided ? json_object_new_uint64(counts.requests_denied) : NULL);
	if (r == 0)
		return json_safe(status);
	json_object_put(status);
	return NULL;
}

static enum exit_code get_capture_status(const struct options *options, struct json_object **ret,
					 struct failure *failure)
{
	struct replay replay _cleanup_(replay_close) = {};
	enum exit_code code = replay_open(&replay, options->replay, failure);

	if (code == EXIT_OK)
		code = replay_all(&replay, failure);
	if (code == EXIT_OK && !(*ret = capture_status(&replay)))
		code = fail_memory(failure);
	return code;
}

static bool is_starting(struct json_object *status)
{
	const char *recording = row_string(status, "recording");

	return recording && strcmp(recording, "starting") == 0;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

static enum exit_code ask(struct client *client, const struct options *options, struct json_object **ret,
			  struct failure *failure)
{
	enum exit_code code;

	*failure = (struct failure){};
	code = client_connect(client, options, failure);
	if (code == EXIT_OK)
		code = client_get_object(client, "GetStatus", ret, failure);
	if (code == EXIT_OK && options->wait && is_starting(*ret)) {
		json_object_put(*ret);
		*ret = NULL;
		code = fail_with(failure, EXIT_NO_DAEMON, "the daemon is still starting");
	}
	return code;
}

/*
 * With --wait asks until the daemon is ready. What looks like a daemon that is not there (yet) is asked
 * again, all else is final. The last failure stays in @failure.
 */
static enum exit_code ask_until_ready(const struct options *options, struct json_object **ret,
				      struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	enum exit_code code = client_new(&client, failure);
	uint64_t end = now_usec() + options->wait_sec * 1000000;

	while (code == EXIT_OK) {
		struct failure interrupted = {};

		code = ask(client, options, ret, failure);
		if (code != EXIT_NO_DAEMON || !options->wait || options->spawn || now_usec() >= end)
			break;
		code = client_sleep(client, RETRY_USEC, &interrupted);
		if (code != EXIT_OK)
			*failure = interrupted;
	}
	return code;
}

enum exit_code verb_status(const struct options *options, struct failure *failure)
{
	struct json_object *status = NULL;
	enum exit_code code;

	if (options->replay)
		code = get_capture_status(options, &status, failure);
	else
		code = ask_until_ready(options, &status, failure);
	if (code == EXIT_OK)
		code = show(status, options, failure);
	json_object_put(status);
	return code;
}
