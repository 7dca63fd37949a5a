/* SPDX-License-Identifier: GPL-2.0-or-later */

/* explain: who maps one byte, a BAR or a device, how, and what that means. */

#include "core/explain.h"
#include "cleanup.h"
#include "cli/connect.h"
#include "cli/replay.h"
#include "cli/text.h"
#include "cli/value.h"
#include "cli/view.h"

static const struct field mapping_fields[] = {
	{{.title = "ID", .right = true, .drop = 3}, "id", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "DEVICE", .drop = 5}, "device", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REGION", .right = true, .drop = 4}, "region", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PID", .right = true}, "pid", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "COMMAND", .shrink = true}, "comm", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "START", .right = true}, "start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "END", .right = true, .drop = 2}, "end", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "PHYSICAL", .right = true, .drop = 1}, "phys_start", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "REQUESTED"}, "requested", CELL_TEXT, FIELD_ALWAYS},
	{{.title = "EFFECTIVE"}, "effective", CELL_EFFECTIVE, FIELD_ALWAYS},
	{{.title = "SOURCE"}, "source", CELL_TEXT, FIELD_ALWAYS},
};

static const struct view mapping_view = VIEW("mapping", mapping_fields, NULL, NULL);

static size_t count_words(const struct options *options)
{
	size_t n = 0;

	while (n < WORDS_MAX && options->words[n])
		n++;
	return n;
}

static enum exit_code ask_daemon(const struct options *options, struct json_object **ret,
				 struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	sd_bus_message *call _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_open(&client, options, failure);

	if (code == EXIT_OK)
		code = client_method(client, &call, "Explain", failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_append_strv(call, (char **)options->words) < 0)
		return fail_memory(failure);
	return client_call_object(client, call, CLIENT_USEC, ret, failure);
}

static enum exit_code ask_capture(const struct options *options, const struct explain_subject *subject,
				  struct json_object **ret, struct failure *failure)
{
	struct replay replay _cleanup_(replay_close) = {};
	enum exit_code code = replay_open(&replay, options->replay, failure);

	if (code == EXIT_OK)
		code = replay_all(&replay, failure);
	if (code != EXIT_OK)
		return code;
	*ret = explain(&replay.model, &replay.clock, subject);
	return *ret ? EXIT_OK : fail_memory(failure);
}

/* The question in its normal form, the sentences, and the mappings they speak of. */
static enum exit_code print_text(struct json_object *answer, const struct options *options,
				 struct output *output, struct failure *failure)
{
	struct json_object *sentences = row_value(answer, "text"), *mappings = row_value(answer, "mappings");
	const char *subject = row_string(answer, "subject"), *phys = row_string(answer, "phys");

	if (!options->no_legend && subject)
		fprintf(output->out, "%s%s%s%s\n\n", subject, phys ? " (physical address " : "",
			phys ? phys : "", phys ? ")" : "");
	if (json_object_is_type(sentences, json_type_array))
		for (size_t i = 0; i < json_object_array_length(sentences); i++) {
			const char *text = value_text(json_object_array_get_idx(sentences, i));

			if (text && text_wrap("- ", text, output->width, output->out) < 0)
				return fail_memory(failure);
		}
	if (!json_object_is_type(mappings, json_type_array) || json_object_array_length(mappings) == 0)
		return EXIT_OK;
	fputc('\n', output->out);
	return view_add(&mapping_view, mappings, options, output, failure);
}

static enum exit_code show(struct json_object *answer, const struct options *options, struct failure *failure)
{
	struct output output;
	enum exit_code code;

	if (options->json) {
		output_json(answer, options->json);
		return output_finish(failure);
	}
	code = output_begin(&output, failure);
	if (code != EXIT_OK)
		return code;
	code = print_text(answer, options, &output, failure);
	return output_end(&output, code, options, failure);
}

enum exit_code verb_explain(const struct options *options, struct failure *failure)
{
	struct json_object *answer = NULL;
	struct explain_subject subject;
	enum exit_code code;
	/* Told here, so that a mistake needs no daemon. */
	const char *wrong = explain_parse((char *const *)options->words, count_words(options), &subject);

	if (wrong)
		return fail_with(failure, EXIT_USAGE, "explain: %s", wrong);
	code = options->replay ? ask_capture(options, &subject, &answer, failure)
			       : ask_daemon(options, &answer, failure);
	if (code == EXIT_OK)
		code = show(answer, options, failure);
	json_object_put(answer);
	return code;
}
