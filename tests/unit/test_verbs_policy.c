/* SPDX-License-Identifier: GPL-2.0-or-later */

/* policy check, show and test, reload, and what status and events say of policy. */

#include "policies.h"
#include "verb_runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "cli/value.h"

static const char good[] = "[Policy]\nMode=enforce\n" TEST_RULES;

/* Writes @text to a file of @name in the fixture's directory, for remove_file() to take away. */
static char *write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char *path;
	FILE *file;

	assert_true(asprintf(&path, "%s/%s", fixture->directory, name) > 0);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void remove_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void test_check(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	char *wrong = write_file(fixture, "b.conf", "[Rule x]\nKind=request\nActoin=deny\n");
	struct json_object *object;
	struct result result;

	server_stop(&fixture->server); /* it needs no daemon */
	fixture->server.pid = 0;
	result = run(verb_policy, (struct options){.words = {"check", file}}, EXIT_OK);
	assert_int_equal(strncmp(result.out, "OK: 3 rules, digest ", 20), 0);
	assert_int_equal(strlen(result.out), 20 + POLICY_DIGEST_LEN + 1);
	done(result);
	result = run(verb_policy, (struct options){.words = {"check", file}, .json = JSON_SHORT}, EXIT_OK);
	object = json_tokener_parse(result.out);
	assert_string_equal(row_string(object, "mode"), "enforce");
	json_object_put(object);
	done(result);

	result = run(verb_policy, (struct options){.words = {"check", file, wrong}}, EXIT_FAILED);
	assert_string_equal(result.out, "");
	assert_non_null(strstr(result.err, "b.conf:3: "));
	assert_non_null(strstr(result.err, "Action"));
	assert_int_equal(count_lines(result.err), 1);
	done(result);
	result = run(verb_policy, (struct options){.words = {"check", "/nonexistent/a.conf"}}, EXIT_FAILED);
	assert_non_null(strstr(result.err, "/nonexistent/a.conf"));
	done(result);
	remove_file(file);
	remove_file(wrong);
}

static void test_usage(void **state)
{
	static const struct options wrong[] = {
		{.words = {"chekc", "a"}},
		{.words = {"check"}},
		{.words = {"test"}},
		{.words = {"show", "a"}},
		{.words = {"show"}, .filter.pid = 1},
		{.words = {"check", "a"}, .replay = "c"},
		{.words = {"check", "a"}, .filter.all = true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct result result = run(verb_policy, wrong[i], EXIT_USAGE);

		assert_int_equal(count_lines(result.err), 1);
		done(result);
	}
}

static void test_show(void **state)
{
	struct fixture *fixture = *state;
	const struct options show = {.words = {"show"}};
	struct result result;

	done(run(verb_policy, show, EXIT_FAILED)); /* none was read yet */
	result = run(verb_reload, (struct options){}, EXIT_OK);
	assert_string_equal(result.out, "In force: mode enforce, 3 rules, digest " TEST_DIGEST "\n");
	done(result);
	result = run(verb_policy, show, EXIT_OK);
	assert_non_null(strstr(result.out, "Mode=enforce  ; test.conf:2\n"));
	assert_non_null(strstr(result.out, "\n\n[Rule no-mix]  ; test.conf:3\n"));
	assert_non_null(strstr(result.out, "\n\nIn all: mode enforce, 3 rules, digest " TEST_DIGEST "\n"));
	assert_string_equal(result.err, "");
	done(result);

	server_order(&fixture->server, SERVER_RELOAD, RELOAD_REFUSED);
	result = run(verb_reload, (struct options){}, EXIT_FAILED);
	assert_string_equal(result.out, "");
	assert_non_null(strstr(result.err, RELOAD_ERROR));
	done(result);

	/* Without a daemon the files are shown, whatever they say on this host, and that is said. */
	server_stop(&fixture->server);
	fixture->server.pid = 0;
	result = run(verb_policy, show, EXIT_OK);
	assert_non_null(strstr(result.err, "no daemon"));
	assert_non_null(strstr(result.out, "[Policy]"));
	done(result);
	done(run(verb_reload, (struct options){}, EXIT_NO_DAEMON));

	/* A private daemon has none, so none is started. */
	result = run(verb_policy, (struct options){.words = {"show"}, .spawn = true}, EXIT_OK);
	assert_non_null(strstr(result.err, "private daemon has no policy"));
	assert_non_null(strstr(result.out, "[Policy]"));
	done(result);
	done(run(verb_reload, (struct options){.spawn = true}, EXIT_USAGE));
}

static void test_status_and_events(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_REQUEST, 2);
	result = run(verb_status, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "Mode: enforce\n"));
	assert_non_null(strstr(result.out, "Policy: ab12 (2 rules)\n"));
	assert_non_null(strstr(result.out,
			       "Enforcing: by fmod_ret, 9 decided, 4 of them by OnUnknown, 1 unplaced\n"));
	assert_non_null(strstr(result.out, "Denied: 5\n"));
	assert_non_null(strstr(result.out, "Would deny: 6\n"));
	assert_non_null(strstr(result.out, "Killed: 7\n"));
	done(result);
	result = run(verb_events, (struct options){.no_legend = true}, EXIT_OK);
	assert_non_null(strstr(result.out, "mmap wc: allow\n"));
	assert_non_null(strstr(result.out, "mmap wc: deny by rule no-mix, peer 12 (holder) has uc-\n"));
	done(result);
}

/* The column is there when a rule speaks of a row. */
static void test_verdicts_in_tables(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 2);
	server_order(&fixture->server, SERVER_MAP_SYSFS, 2);
	result = run(verb_mappings, (struct options){}, EXIT_OK);
	assert_null(strstr(result.out, "VERDICT"));
	done(result);
	done(run(verb_reload, (struct options){}, EXIT_OK));
	result = run(verb_mappings, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "VERDICT"));
	assert_non_null(strstr(result.out, "deny (no-mix)"));
	assert_null(strstr(result.out, "allow"));
	done(result);
	result = run(verb_mappings, (struct options){.filter.pid = 10}, EXIT_OK);
	assert_null(strstr(result.out, "VERDICT"));
	done(result);
	result = run(verb_conflicts, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "deny (no-mix)"));
	done(result);
}

/* A capture in the making. */
struct writer {
	FILE *file;
	uint32_t running;
};

static struct writer begin(const struct fixture *fixture)
{
	struct writer writer = {.file = fopen(fixture->capture, "we")};
	struct capture_header header;

	assert_non_null(writer.file);
	capture_header_fill(&header, MEMTYPE_ARCH_X86_64, PAGE, 1700000000000000000);
	fwrite(&header, sizeof(header), 1, writer.file);
	return writer;
}

static void put(struct writer *writer, struct event event)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	size_t size = capture_frame(&event, frame);

	assert_true(size > 0);
	writer->running = capture_running_crc(writer->running, frame);
	assert_int_equal(fwrite(frame, size, 1, writer->file), 1);
}

static void end(struct writer *writer)
{
	uint8_t frame[CAPTURE_FRAME_MAX];
	size_t size = capture_end_frame(writer->running, frame);

	assert_int_equal(fwrite(frame, size, 1, writer->file), 1);
	assert_int_equal(fclose(writer->file), 0);
}

static struct event wc_map(uint64_t id, uint64_t first, uint64_t n)
{
	struct event event = mapping_event(EVENT_MAP, id, 1, 0x7f0000000000 + id * MIB, first, n);

	event.mapping.page_prot = PROT_WC;
	return event;
}

static struct event uc_map(uint64_t id, uint64_t first, uint64_t n)
{
	return mapping_event(EVENT_MAP, id, 1, 0x7f0000000000 + id * MIB, first, n);
}

/* Pages are counted from the beginning of BAR 2; PIDs 21 and 22. */
static void write_audited(struct writer *writer)
{
	put(writer, device_event(FIRST_DEVICE, true));
	put(writer, by(file_event(EVENT_FILE, 1), 21));
	/* Told of as it was when recording began: the later one first. */
	put(writer, by(at(mapping_event(EVENT_MAPPING, 2, 1, 0x7f0000200000, 0, 1), 100), 22));
	{
		struct event event = by(at(mapping_event(EVENT_MAPPING, 1, 1, 0x7f0000100000, 0, 1), 90), 21);

		event.mapping.page_prot = PROT_WC;
		put(writer, event);
	}
	put(writer, at(by(wc_map(3, 4, 4), 21), 2000));
	put(writer, at(by(uc_map(4, 6, 4), 22), 3000));
	put(writer, at(by(mapping_event(EVENT_UNMAP, 3, 0, 0, 0, 0), 21), 4000));
	put(writer, at(by(uc_map(5, 4, 2), 22), 5000));
}

static struct json_object *rows_of(const struct fixture *fixture, char *file, bool all)
{
	struct options options = {.replay = fixture->capture, .json = JSON_SHORT, .filter.all = all};
	struct json_object *rows;
	struct result result;

	options.words[0] = "test";
	options.words[1] = file;
	result = run(verb_policy, options, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	rows = json_tokener_parse(result.out);
	assert_true(json_object_is_type(rows, json_type_array));
	done(result);
	return rows;
}

static void expect(struct json_object *rows, size_t i, const char *event, uint64_t id, const char *rule,
		   const char *verdict)
{
	struct json_object *row = json_object_array_get_idx(rows, i);
	const char *of = strcmp(event, "conflict") == 0 ? "conflict" : "mapping";
	uint64_t number = 0;

	assert_string_equal(row_string(row, "event"), event);
	row_number(row, of, &number);
	assert_int_equal(number, id);
	if (rule)
		assert_string_equal(row_string(row, "rule"), rule);
	else
		assert_null(row_value(row, "rule"));
	assert_string_equal(row_string(row, "verdict"), verdict);
}

/* Each mapping is judged when it came to be, against what was there then; so are conflicts. */
static void test_capture_of_audit(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	struct writer writer = begin(fixture);
	struct json_object *rows;
	uint64_t peer = 0;

	write_audited(&writer);
	end(&writer);
	rows = rows_of(fixture, file, true);
	/* Of the two that were there first no pages are known: whether they are at odds is not, either. */
	assert_int_equal(json_object_array_length(rows), 6);
	expect(rows, 0, "mapping", 2, "no-mix", "deny");
	expect(rows, 1, "mapping", 1, "wc-log", "log");
	expect(rows, 2, "mapping", 3, "wc-log", "log");
	expect(rows, 3, "mapping", 4, "no-mix", "deny");
	expect(rows, 4, "conflict", 1, "no-mix", "deny");
	expect(rows, 5, "mapping", 5, NULL, "allow");
	assert_true(row_number(json_object_array_get_idx(rows, 3), "peer_pid", &peer));
	assert_int_equal(peer, 21);
	assert_null(row_value(json_object_array_get_idx(rows, 3), "recorded_verdict"));
	json_object_put(rows);
	rows = rows_of(fixture, file, false);
	assert_int_equal(json_object_array_length(rows), 5);
	json_object_put(rows);
	remove_file(file);
}

static void test_table(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	struct options options = {.replay = fixture->capture, .words = {"test", file}};
	struct writer writer = begin(fixture);
	struct result result;

	write_audited(&writer);
	end(&writer);
	result = run(verb_policy, options, EXIT_OK);
	assert_int_equal(strncmp(result.out, "TIME", 4), 0);
	assert_non_null(strstr(result.out, "uc-/wc"));
	assert_non_null(strstr(result.out,
			       "\n\nRequests: 5, of them 2 denied, 2 logged, 1 allowed. Conflicts: 1, of "
			       "them 1 denied, 0 killed for, 0 logged, 0 allowed.\n"));
	assert_int_equal(count_lines(result.out), 8);
	done(result);
	options.filter.pid = 21;
	options.no_legend = true;
	result = run(verb_policy, options, EXIT_OK);
	assert_int_equal(count_lines(result.out), 2);
	done(result);
	options.filter.pid = 99;
	options.no_legend = false;
	result = run(verb_policy, options, EXIT_OK);
	assert_string_equal(result.out, "Requests: 0, of them 0 denied, 0 logged, 0 allowed. Conflicts: 0, "
					"of them 0 denied, 0 killed for, 0 logged, 0 allowed.\n");
	done(result);
	remove_file(file);
}

/* Granted, denied and logged; then mappings that nobody was seen to ask for. */
static void write_enforced(struct writer *writer)
{
	struct event granted, sysfs;

	put(writer, device_event(FIRST_DEVICE, true));
	put(writer, by(file_event(EVENT_FILE, 1), 21));
	put(writer, by(denied_by_alias(request_event(0, 1, MEMTYPE_WC), 12, 0, MEMTYPE_UC_MINUS), 21));
	granted = by(request_event(4, 4, MEMTYPE_WC), 21);
	granted.request.action = POLICY_LOG;
	snprintf(granted.request.rule, sizeof(granted.request.rule), "wc-log");
	put(writer, granted);
	put(writer, by(request_event(16, 1, MEMTYPE_UC_MINUS), 22));
	put(writer, by(uc_map(7, 16, 1), 22));
	put(writer, by(wc_map(3, 4, 4), 21));
	/* Through sysfs there is no file, only the device. */
	sysfs = by(request_event(32, 1, MEMTYPE_UC_MINUS), 22);
	sysfs.request.file_id = 0;
	sysfs.request.offset = 32 * PAGE;
	sysfs.request.party.source = SOURCE_SYSFS;
	put(writer, sysfs);
	sysfs = by(uc_map(8, 32, 1), 22);
	sysfs.mapping.file_id = 0;
	sysfs.mapping.pci_address = FIRST_DEVICE;
	sysfs.mapping.offset = 32 * PAGE;
	sysfs.mapping.source = SOURCE_SYSFS;
	sysfs.mapping.flags |= EVENT_MAPPING_DEVICE_KNOWN;
	put(writer, sysfs);
	/* Nobody asked for these: the same again, another process, another place. */
	put(writer, by(wc_map(4, 4, 4), 21));
	put(writer, by(wc_map(5, 4, 4), 22));
	put(writer, by(wc_map(6, 24, 1), 21));
}

/* Recorded while enforcing: a mapping that was granted is not judged a second time, whichever comes between.
 */
static void test_capture_of_enforcement(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	char *other = write_file(fixture, "b.conf", "[Policy]\nMode=enforce\n");
	struct writer writer = begin(fixture);
	struct json_object *rows;
	struct result result;
	const char *words[] = {"deny", "log", "allow", "allow"};

	write_enforced(&writer);
	end(&writer);
	rows = rows_of(fixture, file, true);
	assert_int_equal(json_object_array_length(rows), 7);
	for (size_t i = 0; i < 4; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		assert_string_equal(row_string(row, "event"), "request");
		assert_string_equal(row_string(row, "recorded_verdict"), words[i]);
		assert_string_equal(row_string(row, "verdict"), words[i]);
		if (i < 2)
			assert_string_equal(row_string(row, "rule"), row_string(row, "recorded_rule"));
	}
	expect(rows, 4, "mapping", 4, "wc-log", "log");
	expect(rows, 5, "mapping", 5, "wc-log", "log");
	expect(rows, 6, "mapping", 6, "wc-log", "log");
	json_object_put(rows);

	result = run(verb_policy, (struct options){.replay = fixture->capture, .words = {"test", file}},
		     EXIT_OK);
	assert_non_null(strstr(result.out, " Recorded verdicts: 4, of them 0 differ.\n"));
	done(result);
	result = run(verb_policy, (struct options){.replay = fixture->capture, .words = {"test", other}},
		     EXIT_OK);
	assert_non_null(strstr(result.out, " Recorded verdicts: 4, of them 2 differ.\n"));
	done(result);
	result = run(verb_status, (struct options){.replay = fixture->capture}, EXIT_OK);
	assert_non_null(strstr(result.out, "Denied: 1\n"));
	assert_null(strstr(result.out, "Would deny"));
	done(result);
	remove_file(file);
	remove_file(other);
}

/* As many requests as one likes whose mmap failed later: the oldest are forgotten, and nothing grows. */
static void test_many_that_failed_later(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	struct writer writer = begin(fixture);
	struct json_object *rows;

	put(&writer, device_event(FIRST_DEVICE, true));
	put(&writer, by(file_event(EVENT_FILE, 1), 21));
	for (uint64_t i = 0; i < 5000; i++)
		put(&writer, by(request_event(i % 4096, 1, MEMTYPE_UC_MINUS), 21 + i / 4096));
	put(&writer, by(wc_map(1, 0, 1), 21));    /* forgotten */
	put(&writer, by(wc_map(2, 4095, 1), 21)); /* among the last 4096 */
	end(&writer);
	rows = rows_of(fixture, file, false);
	assert_int_equal(json_object_array_length(rows), 1);
	expect(rows, 0, "mapping", 1, "wc-log", "log");
	json_object_put(rows);
	remove_file(file);
}

static void test_live(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	struct options options = {.words = {"test", file}, .json = JSON_SHORT};
	struct json_object *rows;
	struct result result;

	result = run(verb_policy, options, EXIT_OK);
	assert_string_equal(result.out, "[]\n");
	done(result);
	server_order(&fixture->server, SERVER_MAP, 2);
	server_order(&fixture->server, SERVER_MAP_SYSFS, 2);
	server_order(&fixture->server, SERVER_REQUEST, 1); /* is in no ledger */
	result = run(verb_policy, options, EXIT_OK);
	rows = json_tokener_parse(result.out);
	assert_int_equal(json_object_array_length(rows), 2);
	expect(rows, 0, "mapping", 3, "no-mix", "deny");
	expect(rows, 1, "conflict", 1, "no-mix", "deny");
	json_object_put(rows);
	done(result);
	server_stop(&fixture->server);
	fixture->server.pid = 0;
	done(run(verb_policy, options, EXIT_NO_DAEMON));
	remove_file(file);
}

static void test_bad_capture(void **state)
{
	struct fixture *fixture = *state;
	char *file = write_file(fixture, "a.conf", good);
	struct options options = {.replay = fixture->capture, .words = {"test", file}};
	struct writer writer = begin(fixture);
	struct result result;

	write_audited(&writer);
	assert_int_equal(fclose(writer.file), 0);
	result = run(verb_policy, options, EXIT_FAILED);
	assert_non_null(strstr(result.err, ": offset "));
	assert_string_equal(result.out, "");
	done(result);
	options.json = JSON_SHORT;
	done(run(verb_policy, options, EXIT_FAILED));
	remove_file(file);
}

#define VERB_TEST(function) cmocka_unit_test_setup_teardown(function, verbs_setup, verbs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VERB_TEST(test_check),
		VERB_TEST(test_usage),
		VERB_TEST(test_show),
		VERB_TEST(test_status_and_events),
		VERB_TEST(test_verdicts_in_tables),
		VERB_TEST(test_capture_of_audit),
		VERB_TEST(test_table),
		VERB_TEST(test_capture_of_enforcement),
		VERB_TEST(test_many_that_failed_later),
		VERB_TEST(test_live),
		VERB_TEST(test_bad_capture),
	};

	return cmocka_run_group_tests_name("verbs_policy", tests, NULL, NULL);
}
