/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the command line shows of effective types, conflicts and lint, and `explain`; live and from a capture.
 */

#include "verb_runner.h"

#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "cli/value.h"
#include "cli/view.h"
#include "vfiowatch/bus.h"

static void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void test_effective_column(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 2);
	result = run(verb_mappings, (struct options){}, EXIT_OK);
	contains(result.out, " unpopulated ");
	assert_null(strchr(result.out, '!'));
	done(result);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	result = run(verb_mappings, (struct options){}, EXIT_OK);
	contains(result.out, " uc-       wc ! ");
	contains(result.out,
		 "2 mappings listed.\n! is not the type that was asked for: see vfiowatch conflicts.\n");
	done(result);
	result = run(verb_mappings, (struct options){.no_legend = true, .filter.pid = 11}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	contains(result.out, "wc !");
	done(result);
}

/* A mapping whose pages the kernel took for good is there, and is not shown as one that works. */
static void test_revoked(void **state)
{
	struct fixture *fixture = *state;
	struct json_object *rows, *row;
	struct result result;

	server_order(&fixture->server, SERVER_MAP_SYSFS, 16);
	result = run(verb_mappings, (struct options){.no_legend = true}, EXIT_OK);
	contains(result.out, " wc wc sysfs ");
	done(result);
	server_order(&fixture->server, SERVER_REVOKE, 16);
	result = run(verb_mappings, (struct options){.no_legend = true}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	contains(result.out, " wc revoked sysfs ");
	done(result);
	result = run(verb_mappings, (struct options){.json = JSON_SHORT}, EXIT_OK);
	rows = json_tokener_parse(result.out);
	row = json_object_array_get_idx(rows, 0);
	assert_true(row_true(row, "revoked"));
	assert_non_null(row_value(row, "live"));
	assert_false(row_true(row, "live"));
	json_object_put(rows);
	done(result);
}

/* What view_add() makes of these rows. The caller frees. */
static char *view_text(const struct view *view, const char *json, bool all)
{
	const struct options options = {.no_legend = true, .filter.all = all};
	struct json_object *rows = json_tokener_parse(json);
	struct failure failure = {};
	struct output output;
	char *text;

	assert_non_null(rows);
	assert_int_equal(output_begin(&output, &failure), EXIT_OK);
	assert_int_equal(view_add(view, rows, &options, &output, &failure), EXIT_OK);
	assert_int_equal(fclose(output.out), 0);
	text = output.text;
	json_object_put(rows);
	return text;
}

static void test_cells(void **state)
{
	static const struct field fields[] = {
		{{.title = "EFFECTIVE"}, "effective", CELL_EFFECTIVE, FIELD_ALWAYS},
		{{.title = "PHYSICAL"}, "phys_start", CELL_PHYSICAL, FIELD_ALWAYS},
		{{.title = "TYPES"}, "types", CELL_TYPES, FIELD_ALWAYS},
		{{.title = "PIDS"}, "pids", CELL_NUMBERS, FIELD_ALWAYS},
		{{.title = "TYPE"}, "type", CELL_PROMISED, FIELD_ALL},
		{{.title = "LIVE"}, "live", CELL_TEXT, FIELD_ALL},
	};
	static const struct view view = VIEW("thing", fields, NULL, NULL);
	static const struct {
		const char *row, *text;
	} cases[] = {
		{"{}", "- - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"uc-\"}", "uc- - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"wc\"}", "wc ! - - -\n"},
		{"{\"requested\":\"wc\",\"effective\":\"uc-\"}", "uc- ! - - -\n"},
		/* UC and UC- are one class: that is no finding, so there is no mark. */
		{"{\"requested\":\"uc-\",\"effective\":\"uc\"}", "uc - - -\n"},
		{"{\"requested\":null,\"effective\":\"wc\"}", "wc - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"mixed\"}", "mixed ! - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"unpopulated\"}", "unpopulated - - -\n"},
		{"{\"requested\":\"wc\",\"effective\":\"unpopulated\",\"revoked\":true}", "revoked - - -\n"},
		{"{\"requested\":\"wc\",\"effective\":null,\"revoked\":false}", "- - - -\n"},
		/* At the byte of the piece. */
		{"{\"requested\":\"uc-\",\"effective\":\"mixed\",\"piece\":{\"type\":\"uc-\",\"populated\":"
		 "true}}",
		 "uc- - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"mixed\",\"piece\":{\"type\":\"wc\",\"populated\":"
		 "true}}",
		 "wc ! - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"wc\",\"piece\":{\"type\":\"uc-\",\"populated\":"
		 "false}}",
		 "unpopulated - - -\n"},
		{"{\"requested\":\"uc-\",\"effective\":\"wc\",\"piece\":null}", "wc ! - - -\n"},
		{"{\"phys_start\":\"0x1000\",\"phys_end\":\"0x3000\"}", "- 0x1000-0x3000 - -\n"},
		{"{\"phys_start\":\"0x1000\",\"phys_end\":null}", "- - - -\n"},
		{"{\"types\":[\"uc-\",\"wc\"],\"pids\":[812,815]}", "- - uc-/wc 812,815\n"},
		{"{\"types\":[],\"pids\":7}", "- - - -\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[256], *text;

		snprintf(json, sizeof(json), "[%s]", cases[i].row);
		text = view_text(&view, json, false);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
	char *text = view_text(&view,
			       "[{\"type\":\"wc\",\"revoked\":true,\"live\":true},"
			       "{\"type\":\"wc\",\"revoked\":false,\"live\":false}]",
			       true);
	assert_string_equal(text, "revoked - - - revoked yes\n"
				  "-       - - - wc      no\n");
	free(text);
}

static void test_conflicts(void **state)
{
	struct fixture *fixture = *state;
	struct json_object *rows;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 2);
	result = run(verb_conflicts, (struct options){}, EXIT_OK);
	contains(result.out, "0 conflicts listed.");
	done(result);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	result = run(verb_conflicts, (struct options){}, EXIT_OK);
	contains(result.out, "promotion");
	contains(result.out, "0x383800001000-0x383800002000");
	contains(result.out, "\n    why: ");
	contains(result.out, "\n\n1 conflict listed.\n");
	assert_int_equal(count_lines(result.out), 5); /* header, row, why, empty, count */
	done(result);
	/* One line a row, for scripts. */
	result = run(verb_conflicts, (struct options){.no_legend = true}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	done(result);
	result = run(verb_conflicts, (struct options){.json = JSON_SHORT}, EXIT_OK);
	rows = json_tokener_parse(result.out);
	assert_int_equal(json_object_array_length(rows), 1);
	json_object_put(rows);
	done(result);
	server_order(&fixture->server, SERVER_UNMAP, 1);
	result = run(verb_conflicts, (struct options){.filter.all = true}, EXIT_OK);
	contains(result.out, "ACTIVE");
	contains(result.out, " no\n");
	done(result);
}

static void check(struct options options, enum exit_code expected, const char *line)
{
	struct result result;

	options.check = true;
	result = run(verb_conflicts, options, expected);
	assert_string_equal(result.out, line);
	assert_string_equal(result.err, "");
	done(result);
}

static void test_check(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	check((struct options){}, EXIT_OK, "no active conflict\n");
	server_order(&fixture->server, SERVER_MAP, 4);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	check((struct options){}, EXIT_CONFLICT, "1 active conflict: 1 promotion; highest severity: high\n");
	server_order(&fixture->server, SERVER_POPULATE, 3);
	check((struct options){}, EXIT_CONFLICT, "2 active conflicts: 2 promotion; highest severity: high\n");
	/* Of those that the filters leave. */
	check((struct options){.filter.pid = 11}, EXIT_CONFLICT,
	      "2 active conflicts: 2 promotion; highest severity: high\n");
	check((struct options){.filter.pid = 10}, EXIT_OK, "no active conflict\n");
	check((struct options){.filter.type = MEMTYPE_WB}, EXIT_OK, "no active conflict\n");
	check((struct options){.filter.device = "0000:3b:00.0"}, EXIT_OK, "no active conflict\n");
	result = run(verb_conflicts, (struct options){.check = true, .json = JSON_SHORT}, EXIT_CONFLICT);
	assert_int_equal(result.out[0], '[');
	assert_int_equal(count_lines(result.out), 1);
	done(result);
	/* Those that are over are no reason to fail. */
	server_order(&fixture->server, SERVER_UNMAP, 1);
	server_order(&fixture->server, SERVER_UNMAP, 3);
	check((struct options){.filter.all = true}, EXIT_OK, "no active conflict\n");
}

static void test_check_without_a_daemon(void **state)
{
	struct fixture *fixture = *state;

	server_stop(&fixture->server);
	fixture->server.pid = 0;
	done(run(verb_conflicts, (struct options){.check = true}, EXIT_NO_DAEMON));
	done(run(verb_explain, (struct options){.words = {"00:01.0"}}, EXIT_NO_DAEMON));
	done(run(verb_lint, (struct options){}, EXIT_NO_DAEMON));
}

static void test_lint(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP_UNISSUED, 1);
	result = run(verb_lint, (struct options){}, EXIT_OK);
	contains(result.out, "unissued-offset 0000:00:01.0");
	contains(result.out, " 0x1000 ");
	contains(result.out, "\n    advice: ");
	contains(result.out, "1 lint finding listed.");
	done(result);
	result = run(verb_lint, (struct options){.filter.pid = 11, .json = JSON_SHORT}, EXIT_OK);
	assert_string_equal(result.out, "[]\n");
	done(result);
}

static void test_status_line(void **state)
{
	struct fixture *fixture = *state;
	struct result result = run(verb_status, (struct options){}, EXIT_OK);

	contains(result.out, "   Conflicts: 0\n");
	done(result);
	server_order(&fixture->server, SERVER_MAP, 3);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	result = run(verb_status, (struct options){}, EXIT_OK);
	contains(result.out, "   Conflicts: 1 (1 promotion)\n");
	done(result);
	result = run(verb_devices, (struct options){.no_legend = true}, EXIT_OK);
	contains(result.out, " vfio-pci 3 1 3 1 2:16M "); /* files, mappings, conflicts */
	done(result);
}

static void test_events(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 1);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	server_order(&fixture->server, SERVER_RESERVE, 16);
	server_order(&fixture->server, SERVER_REVOKE, 16);
	result = run(verb_events, (struct options){.no_legend = true}, EXIT_OK);
	contains(result.out, " populate       0000:00:01.0 ");
	contains(result.out, "     4K wc, asked for uc-\n");
	contains(result.out, " reservation ");
	contains(result.out, " 0x383800000000-0x383800010000: uc- asked for, wc given\n");
	contains(result.out, " revoke ");
	contains(result.out, " 0x383800000000-0x383800010000: pages of mappings not of VFIO taken\n");
	done(result);
}

static void test_explain(void **state)
{
	struct fixture *fixture = *state;
	struct json_object *answer;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 3);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	result = run(verb_explain, (struct options){.words = {"00:01.0:2+0x1000"}}, EXIT_OK);
	contains(result.out, "0000:00:01.0");
	contains(result.out, "(physical address 0x383800001000)\n\n");
	contains(result.out, " uc-       wc !      vfio\n");
	contains(result.out, "1 mapping listed.");
	done(result);
	result = run(verb_explain, (struct options){.words = {"11", "0x7f0000002000"}, .json = JSON_SHORT},
		     EXIT_OK);
	answer = json_tokener_parse(result.out);
	assert_int_equal(json_object_array_length(row_value(answer, "mappings")), 1);
	json_object_put(answer);
	done(result);
	/* Nothing is known: said in words, without a table. */
	result = run(verb_explain, (struct options){.words = {"11", "0x1000"}}, EXIT_OK);
	assert_null(strstr(result.out, "REQUESTED"));
	assert_true(count_lines(result.out) >= 3);
	done(result);
}

/* A question that cannot be one needs no daemon to say so. */
static void test_explain_usage(void **state)
{
	static const char *const nonsense[][3] = {
		{"nonsense"}, {"12"}, {"12", "there"}, {"00:01.0:9"}, {"00:01.0:2+"}, {""},
	};
	struct fixture *fixture = *state;

	server_stop(&fixture->server);
	fixture->server.pid = 0;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		struct options options = {.words = {nonsense[i][0], nonsense[i][1]}};
		struct result result = run(verb_explain, options, EXIT_USAGE);

		assert_int_equal(count_lines(result.err), 1);
		assert_memory_equal(result.err, "vfiowatch: explain: ", 20);
		assert_string_equal(result.out, "");
		done(result);
	}
}

static void same_output(verb_handler handler, struct options live, struct options replayed,
			enum exit_code code)
{
	struct result from_daemon = run(handler, live, code), from_capture = run(handler, replayed, code);

	assert_string_equal(from_daemon.out, from_capture.out);
	done(from_daemon);
	done(from_capture);
}

/* A capture of the present state shows in every list what the daemon shows. */
static void test_replay(void **state)
{
	static const struct {
		verb_handler handler;
		struct options options;
		enum exit_code code;
	} views[] = {
		{verb_mappings, {.filter.pid = 11}, EXIT_OK},
		{verb_devices, {}, EXIT_OK},
		{verb_conflicts, {.json = JSON_SHORT, .check = true}, EXIT_CONFLICT},
		{verb_conflicts, {.check = true}, EXIT_CONFLICT},
		{verb_conflicts, {.filter.pid = 10, .check = true}, EXIT_OK},
		{verb_explain, {.words = {"11", "0x7f0000002000"}}, EXIT_OK},
		{verb_explain, {.words = {"00:01.0:2+0x2000"}}, EXIT_OK},
	};
	struct fixture *fixture = *state;
	struct running running;
	struct result result;

	/* Made while the capture is being recorded: both apply the same events, so ids and times agree, too.
	 */
	running = start(verb_record, (struct options){.words = {fixture->capture}});
	while (server_order(&fixture->server, SERVER_TELL, 0).stats.waits == 0)
		;
	server_order(&fixture->server, SERVER_MAP, 3);
	server_order(&fixture->server, SERVER_POPULATE, 1);
	kill(running.pid, SIGTERM);
	done(finish(running));

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		struct options replayed = views[i].options;

		replayed.replay = fixture->capture;
		same_output(views[i].handler, views[i].options, replayed, views[i].code);
	}
	result = run(verb_status, (struct options){.replay = fixture->capture}, EXIT_OK);
	contains(result.out, "   Conflicts: 1 (1 promotion)\n");
	done(result);
	result = run(verb_lint, (struct options){.replay = fixture->capture}, EXIT_OK);
	contains(result.out, "0 lint findings listed.");
	done(result);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, verbs_setup, verbs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_effective_column),
		TEST(test_revoked),
		cmocka_unit_test(test_cells),
		TEST(test_conflicts),
		TEST(test_check),
		TEST(test_check_without_a_daemon),
		TEST(test_lint),
		TEST(test_status_line),
		TEST(test_events),
		TEST(test_explain),
		TEST(test_explain_usage),
		TEST(test_replay),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests_name("cli_truth", tests, NULL, NULL);
}
