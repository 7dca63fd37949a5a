/* SPDX-License-Identifier: GPL-2.0-or-later */

/* policy test: what a policy says of everything that is mapped now, or that was asked for in a capture. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "cleanup.h"
#include "cli/filter.h"
#include "cli/follow.h"
#include "cli/judged.h"
#include "cli/output.h"
#include "cli/policy.h"
#include "cli/replay.h"

/* Granted requests whose mapping did not come yet. When full the oldest is forgotten: it failed later in
 * mmap. */
#define GRANTED_MAX 4096

struct granted {
	struct event_request request;
	struct process_key process;
	struct granted *previous, *next;
};

/* Ids of what is judged once all is known of it that was looked up at the time. */
struct pending {
	uint64_t *ids;
	size_t n, size;
};

struct tally {
	uint64_t judged, actions[POLICY_ACTIONS];
};

struct test {
	const struct policy *policy;
	const struct options *options;
	struct replay replay;
	struct granted *granted; /* newest first */
	size_t n_granted;
	struct pending mappings, findings;
	bool no_memory;
	struct table *table; /* NULL: JSON */
	struct tally requests, conflicts;
	uint64_t shown, compared, differ;
};

static void pend(struct test *test, struct pending *pending, uint64_t id)
{
	if (pending->n == pending->size) {
		size_t size = pending->size ? 2 * pending->size : 64;
		uint64_t *ids = reallocarray(pending->ids, size, sizeof(*ids));

		if (!ids) {
			test->no_memory = true;
			return;
		}
		pending->ids = ids;
		pending->size = size;
	}
	pending->ids[pending->n++] = id;
}

static void finding_changed(void *userdata, enum finding_change_kind what, const struct finding *finding)
{
	struct test *test = userdata;

	if (what == FINDING_OPENED)
		pend(test, &test->findings, finding->id);
}

static void count(struct test *test, const struct judged *judged)
{
	struct tally *tally = judged->conflict ? &test->conflicts : &test->requests;

	tally->judged++;
	tally->actions[judged->verdict.action]++;
	if (!judged->recorded_verdict)
		return;
	test->compared++;
	test->differ += strcmp(judged->recorded_verdict, judged_verdict(judged)) != 0;
}

static void print_json(struct test *test, struct json_object *row)
{
	bool pretty = test->options->json == JSON_PRETTY;

	fputs(test->shown ? pretty ? ",\n" : "," : pretty ? "[\n" : "[", stdout);
	fputs(json_object_to_json_string_ext(row, JSON_C_TO_STRING_NOSLASHESCAPE |
							  (pretty ? JSON_C_TO_STRING_PRETTY : 0)),
	      stdout);
}

/* Takes note of one verdict, and shows it if it is to be shown. */
static enum exit_code tell(struct test *test, struct judged judged, struct failure *failure)
{
	struct json_object *row = judged_row(&judged, test->policy, &test->replay.clock);
	int r = 0;

	if (!row)
		return fail_memory(failure);
	if (filter_matches(&test->options->filter, row)) {
		count(test, &judged);
		if (judged.verdict.action != POLICY_ALLOW || test->options->filter.all) {
			if (test->table)
				r = judged_add(test->table, row);
			else
				print_json(test, row);
			test->shown++;
		}
	}
	json_object_put(row);
	return r < 0 ? fail_memory(failure) : EXIT_OK;
}

/* Judges what is due; the ledger is as it was when that happened. */
static enum exit_code flush(struct test *test, struct failure *failure)
{
	const struct model *model = &test->replay.model;
	enum exit_code code = test->no_memory ? fail_memory(failure) : EXIT_OK;

	for (size_t i = 0; i < test->mappings.n && code == EXIT_OK; i++) {
		const struct mapping *mapping = ledger_mapping(model->ledger, test->mappings.ids[i]);

		if (mapping)
			code = tell(test, judge_mapping(test->policy, model->ledger, mapping), failure);
	}
	for (size_t i = 0; i < test->findings.n && code == EXIT_OK; i++) {
		const struct finding *finding = finding_by_id(model->findings, test->findings.ids[i]);

		if (finding)
			code = tell(test, judge_finding(test->policy, model->ledger, finding), failure);
	}
	test->mappings.n = test->findings.n = 0;
	return code;
}

static void drop(struct test *test, struct granted *granted)
{
	DL_DELETE2(test->granted, granted, previous, next);
	test->n_granted--;
	free(granted);
}

static struct process_key key_of(const struct event_process_id *who)
{
	return (struct process_key){.start_ns = who->start_ns, .tgid = who->tgid};
}

static void remember(struct test *test, const struct event *event)
{
	struct granted *granted;

	if (event->request.denied || event->request.what != REQUEST_MMAP)
		return;
	granted = calloc(1, sizeof(*granted));
	if (!granted) {
		test->no_memory = true;
		return;
	}
	granted->request = event->request;
	granted->process = key_of(&event->header.who);
	DL_PREPEND2(test->granted, granted, previous, next);
	if (++test->n_granted > GRANTED_MAX)
		drop(test, test->granted->previous); /* of a DL list the head's previous is the tail */
}

static bool is_same_file(const struct event_request *request, const struct event_mapping *mapping)
{
	uint64_t file = mapping->cookie_id ? mapping->cookie_id : mapping->file_id;

	if (request->file_id && file)
		return request->file_id == file;
	if (request->flags & mapping->flags & EVENT_MAPPING_DEVICE_KNOWN &&
	    request->pci_address != mapping->pci_address)
		return false;
	return request->party.source == mapping->source;
}

_Static_assert((int)EVENT_MAPPING_DEVICE_KNOWN == 1 << 4, "both events have it at the same place");

/* Whether the enforcer granted this mmap: then it was judged as a request. */
static bool was_granted(struct test *test, const struct event *event)
{
	const struct event_mapping *mapping = &event->mapping;
	const struct process_key process = key_of(&event->header.who);
	struct granted *granted;

	DL_FOREACH2 (test->granted, granted, next) {
		if (granted->process.tgid != process.tgid || granted->process.start_ns != process.start_ns ||
		    !is_same_file(&granted->request, mapping))
			continue;
		if (mapping->flags & EVENT_MAPPING_OFFSET_KNOWN && granted->request.offset != mapping->offset)
			continue;
		drop(test, granted);
		return true;
	}
	return false;
}

static enum exit_code take(struct test *test, const struct event *event, struct failure *failure)
{
	struct ledger *ledger = test->replay.model.ledger;
	enum exit_code code = EXIT_OK;
	struct change change;

	/* What the daemon looked up after an event belongs to that event. */
	if (event->header.origin == EVENT_ORIGIN_KERNEL)
		code = flush(test, failure);
	if (code == EXIT_OK)
		code = replay_apply(&test->replay, event, &change, failure);
	if (code != EXIT_OK)
		return code;
	if (change.kind == CHANGE_REQUEST) {
		remember(test, event);
		return tell(test, judge_request(test->policy, ledger, event), failure);
	}
	if (change.kind == CHANGE_MAPPED && !(event->header.type == EVENT_MAP && was_granted(test, event)))
		pend(test, &test->mappings, change.mapping->id);
	return EXIT_OK;
}

static enum exit_code judge_all(struct test *test, struct failure *failure)
{
	enum exit_code code = EXIT_OK;
	struct event event;
	bool more = true;

	while (code == EXIT_OK && more) {
		code = replay_read(&test->replay, &more, &event, failure);
		if (code == EXIT_OK && more)
			code = take(test, &event, failure);
	}
	return code == EXIT_OK ? flush(test, failure) : code;
}

/* The ledger of the daemon, as of now. */
static enum exit_code open_live(struct test *test, struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	sd_bus_message *state _cleanup_(sd_bus_message_unrefp) = NULL;
	enum exit_code code = client_open(&client, test->options, failure);
	const void *data;
	uint64_t cursor;
	size_t size;

	if (code == EXIT_OK)
		code = follow_state(client, &cursor, &state, failure);
	if (code != EXIT_OK)
		return code;
	if (sd_bus_message_read_array(state, 'y', &data, &size) < 0)
		return fail_answer(failure, "ReadState");
	return replay_open_state(&test->replay, data, size, failure);
}

/* A request that asks for what a rule with Action=kill is about is denied: nothing has happened yet. */
static void print_summary(const struct test *test, FILE *out)
{
	const struct tally *requests = &test->requests, *conflicts = &test->conflicts;

	fprintf(out,
		"%sRequests: %" PRIu64 ", of them %" PRIu64 " denied, %" PRIu64 " logged, %" PRIu64
		" allowed. Conflicts: %" PRIu64 ", of them %" PRIu64 " denied, %" PRIu64
		" killed for, %" PRIu64 " logged, %" PRIu64 " allowed.",
		test->shown ? "\n" : "", requests->judged,
		requests->actions[POLICY_DENY] + requests->actions[POLICY_KILL],
		requests->actions[POLICY_LOG], requests->actions[POLICY_ALLOW], conflicts->judged,
		conflicts->actions[POLICY_DENY], conflicts->actions[POLICY_KILL],
		conflicts->actions[POLICY_LOG], conflicts->actions[POLICY_ALLOW]);
	if (test->compared)
		fprintf(out, " Recorded verdicts: %" PRIu64 ", of them %" PRIu64 " differ.", test->compared,
			test->differ);
	fputc('\n', out);
}

static enum exit_code show_table(struct test *test, struct failure *failure)
{
	const struct options *options = test->options;
	struct output output;
	enum exit_code code;

	test->table = table_new(judged_columns, judged_n_columns);
	code = test->table ? judge_all(test, failure) : fail_memory(failure);
	if (code != EXIT_OK)
		return code;
	code = output_begin(&output, failure);
	if (code != EXIT_OK)
		return code;
	if (test->shown) {
		struct table_style style = {
			.width = output.width,
			.header = !options->no_legend,
			.colour = options->colour,
		};

		table_print(test->table, &style, output.out);
	}
	if (!options->no_legend)
		print_summary(test, output.out);
	return output_end(&output, code, options, failure);
}

/* One array, written as it comes: a capture may hold any number of requests. */
static enum exit_code show_json(struct test *test, struct failure *failure)
{
	enum exit_code code = judge_all(test, failure);

	if (code != EXIT_OK) {
		(void)fflush(stdout);
		return code;
	}
	fputs(test->shown ? "]\n" : "[]\n", stdout);
	return output_finish(failure);
}

static void test_done(struct test *test)
{
	while (test->granted)
		drop(test, test->granted);
	free(test->mappings.ids);
	free(test->findings.ids);
	table_free(test->table);
	replay_close(&test->replay);
}

enum exit_code policy_test(const struct policy *policy, const struct options *options,
			   struct failure *failure)
{
	struct test test _cleanup_(test_done) = {.policy = policy, .options = options};
	enum exit_code code = options->replay ? replay_open(&test.replay, options->replay, failure)
					      : open_live(&test, failure);

	if (code != EXIT_OK)
		return code;
	test.replay.notify = finding_changed;
	test.replay.userdata = &test;
	return options->json ? show_json(&test, failure) : show_table(&test, failure);
}
