/* SPDX-License-Identifier: GPL-2.0-or-later */

/* metrics: of the daemon, or of a capture, as text for Prometheus. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/replay.h"
#include "cli/textfile.h"
#include "core/metrics.h"

/* Whether @text is lines of printable characters: what comes from a daemon elsewhere may be anything. Quoting
 * puts backslashes, which text_escape() alone would not let pass. */
static bool is_plain(const char *text)
{
	size_t size = 4 * strlen(text) + 1, length;
	char *safe _cleanup_(freep) = malloc(size);

	if (!safe || !*text || text[strlen(text) - 1] != '\n')
		return false;
	for (; *text; text += length + (text[length] != '\0')) {
		length = strcspn(text, "\n\\");
		text_escape(text, length, safe, size);
		if (strlen(safe) != length || memcmp(safe, text, length) != 0)
			return false;
	}
	return true;
}

static enum exit_code get_live(const struct options *options, enum metrics_format format, char **ret,
			       struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	sd_bus_message *answer _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_open(&client, options, failure);
	const char *text;

	if (code == EXIT_OK)
		code = client_method(client, &call, "GetMetrics", failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_append(call, "s", metrics_format_name(format)) < 0)
		return fail_memory(failure);
	code = client_call(client, call, CLIENT_USEC, &answer, failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_read(answer, "s", &text) < 0 || !is_plain(text))
		return fail_answer(failure, "GetMetrics");
	*ret = strdup(text);
	return *ret ? EXIT_OK : fail_memory(failure);
}

static enum exit_code get_replay(const struct options *options, enum metrics_format format, char **ret,
				 struct failure *failure)
{
	struct replay replay _cleanup_(replay_close) = {};
	enum exit_code code = replay_open(&replay, options->replay, failure);
	struct metrics_facts facts;
	struct ledger_counts counts;

	if (code == EXIT_OK)
		code = replay_all(&replay, failure);
	if (code != EXIT_OK)
		return code;
	ledger_counts(replay.model.ledger, &counts);
	facts = (struct metrics_facts){
		.model = &replay.model,
		.events = replay.n_by_type,
		.lost = counts.lost,
		.denied = counts.requests_denied,
		.decided = counts.requests_granted || counts.requests_denied,
		.now_ns = replay.last_ns,
		.realtime_offset_ns = replay.clock.realtime_offset_ns,
	};
	return metrics_text(&facts, format, ret) < 0 ? fail_memory(failure) : EXIT_OK;
}

enum exit_code verb_metrics(const struct options *options, struct failure *failure)
{
	enum metrics_format format = options->textfile ? METRICS_PROMETHEUS : METRICS_OPENMETRICS;
	char *text _cleanup_(freep) = NULL;
	enum exit_code code;

	if (options->replay)
		code = get_replay(options, format, &text, failure);
	else
		code = get_live(options, format, &text, failure);
	if (code != EXIT_OK)
		return code;
	if (options->textfile && strcmp(options->textfile, "-") != 0)
		return textfile_write(options->textfile, text, failure);
	fputs(text, stdout);
	return output_finish(failure);
}
