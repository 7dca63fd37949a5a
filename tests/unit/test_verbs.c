/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The verbs of the command line, each in a process of its own, against the real bus or a capture. */

#include "verb_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/replay.h"
#include "cli/value.h"
#include "vfiowatch/bus.h"

static void test_tables(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 3);
	result = run(verb_mappings, (struct options){}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 6); /* header, rows, empty, count */
	assert_non_null(strstr(result.out, "REQUESTED"));
	assert_non_null(strstr(result.out, "0x7f0000002000"));
	assert_non_null(strstr(result.out, "3 mappings listed."));
	assert_null(strchr(result.out, '\033'));
	done(result);
	result = run(verb_mappings, (struct options){.no_legend = true, .filter.pid = 10}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	done(result);
	result = run(verb_devices, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "2:16M"));
	assert_non_null(strstr(result.out, "1 device listed."));
	done(result);
	result = run(verb_cookies, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "region-info"));
	assert_non_null(strstr(result.out, "1 cookie listed."));
	done(result);
}

static void test_json(void **state)
{
	struct fixture *fixture = *state;
	struct json_object *rows;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 3);
	result = run(verb_mappings, (struct options){.json = JSON_SHORT}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 1);
	rows = json_tokener_parse(result.out);
	assert_int_equal(json_object_array_length(rows), 3);
	json_object_put(rows);
	done(result);
	result = run(verb_mappings, (struct options){.json = JSON_SHORT, .filter.pid = 99}, EXIT_OK);
	assert_string_equal(result.out, "[]\n");
	done(result);
	/* What happened; the device's facts that were looked up are only shown on demand. */
	result = run(verb_events, (struct options){.json = JSON_PRETTY}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 5);
	done(result);
	result = run(verb_events, (struct options){.json = JSON_PRETTY, .filter.all = true}, EXIT_OK);
	assert_int_equal(count_lines(result.out), 6);
	for (char *line = strtok(result.out, "\n"); line; line = strtok(NULL, "\n")) {
		struct json_object *row = json_tokener_parse(line);

		assert_non_null(row_string(row, "event"));
		json_object_put(row);
	}
	done(result);
}

static void await_wait(struct server *server)
{
	while (server_order(server, SERVER_TELL, 0).stats.waits == 0)
		;
}

static void test_follow(void **state)
{
	struct fixture *fixture = *state;
	struct options options = {.follow = true, .no_legend = true};
	struct running running = start(verb_events, options);
	struct result result;

	await_wait(&fixture->server);
	server_order(&fixture->server, SERVER_MAP, 5);
	/* Those that the client has not read yet when the signal comes are shown, too. */
	kill(running.pid, SIGINT);
	result = finish(running);
	assert_true(WIFEXITED(result.status));
	assert_int_equal(WEXITSTATUS(result.status), EXIT_OK);
	assert_int_equal(count_lines(result.out), 5);
	done(result);
}

static void test_follow_into_a_closed_pipe(void **state)
{
	struct fixture *fixture = *state;
	struct running running = start(verb_events, (struct options){.follow = true});
	char *err;
	int status;

	await_wait(&fixture->server);
	close(running.out);
	assert_int_equal(waitpid(running.pid, &status, 0), running.pid);
	err = read_all(running.err);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGPIPE);
	assert_string_equal(err, "");
	free(err);
}

static struct ledger_counts replay_capture(const char *path, uint64_t *n_events)
{
	struct replay replay;
	struct failure failure = {};
	struct ledger_counts counts;

	if (replay_open(&replay, path, &failure) != EXIT_OK || replay_all(&replay, &failure) != EXIT_OK)
		fail_msg("%s", failure.text);
	counts = counts_of(replay.model.ledger);
	*n_events = replay.n_events;
	replay_close(&replay);
	return counts;
}

static void test_record(void **state)
{
	struct fixture *fixture = *state;
	struct options options = {.words = {fixture->capture}};
	struct running running;
	struct result result;
	struct stat status;
	uint64_t n_events;

	server_order(&fixture->server, SERVER_MAP, 7);
	running = start(verb_record, options);
	await_wait(&fixture->server);
	server_order(&fixture->server, SERVER_UNMAP, 1);
	server_order(&fixture->server, SERVER_MAP, 4);
	kill(running.pid, SIGTERM);
	result = finish(running);
	assert_int_equal(WEXITSTATUS(result.status), EXIT_OK);
	done(result);
	assert_int_equal(replay_capture(fixture->capture, &n_events).mappings, 10);
	assert_int_equal(stat(fixture->capture, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);

	result = run(verb_record, options, EXIT_FAILED);
	assert_non_null(strstr(result.err, "--force"));
	done(result);
	assert_int_equal(replay_capture(fixture->capture, &n_events).mappings, 10);

	options.force = true;
	options.duration_sec = 1;
	done(run(verb_record, options, EXIT_OK));
	assert_int_equal(replay_capture(fixture->capture, &n_events).mappings, 10);
}

static void test_record_no_regular_file(void **state)
{
	struct result result =
		run(verb_record, (struct options){.words = {"/dev/full"}, .force = true}, EXIT_FAILED);
	struct stat status;

	(void)state;
	assert_non_null(strstr(result.err, "no regular file"));
	assert_int_equal(stat("/dev/full", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	done(result);
}

/* With a short history a client that does not run misses events: they are counted, in the capture and to the
 * user. */
static void test_record_tells_losses(void **state)
{
	struct fixture *fixture = *state;
	struct running running = start(verb_record, (struct options){.words = {fixture->capture}});
	struct ledger_counts counts;
	struct result result;
	uint64_t n_events;
	int status;

	await_wait(&fixture->server);
	kill(running.pid, SIGSTOP);
	assert_int_equal(waitpid(running.pid, &status, WUNTRACED), running.pid);
	/* The first is answered to the call that waits; what follows is not asked for. */
	server_order(&fixture->server, SERVER_MAP, 1);
	while (server_order(&fixture->server, SERVER_TELL, 0).stats.waits)
		;
	server_order(&fixture->server, SERVER_MAP, 164);
	kill(running.pid, SIGCONT);
	await_wait(&fixture->server);
	kill(running.pid, SIGINT);
	result = finish(running);
	assert_int_equal(WEXITSTATUS(result.status), EXIT_OK);
	assert_non_null(strstr(result.err, "lost 100 events"));
	done(result);
	counts = replay_capture(fixture->capture, &n_events);
	assert_int_equal(counts.lost[EVENT_NONE], 100);
	assert_int_equal(counts.mappings, 65);
	assert_int_equal(counts.refused, 0);

	result = run(verb_status, (struct options){.replay = fixture->capture, .check = true}, EXIT_DEGRADED);
	assert_non_null(strstr(result.out, "100 events were lost"));
	done(result);
	result = run(verb_events, (struct options){.replay = fixture->capture}, EXIT_OK);
	assert_non_null(strstr(result.out, "lost 100 events"));
	done(result);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {};

	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == pid;
}

static void record_within_limit(struct fixture *fixture, rlim_t limit)
{
	struct rlimit before, small;
	struct running running;
	struct result result;
	uint64_t n_events;

	/* Stands for a full disk: writing fails from there on. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	running = start(verb_record, (struct options){.words = {fixture->capture}});
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	while (!has_ended(running.pid))
		if (server_order(&fixture->server, SERVER_TELL, 0).stats.waits)
			server_order(&fixture->server, SERVER_MAP, 1);
	result = finish(running);
	assert_int_equal(WEXITSTATUS(result.status), EXIT_FAILED);
	assert_int_equal(count_lines(result.err), 1);
	assert_non_null(strstr(result.err, strerror(EFBIG)));
	done(result);
	replay_capture(fixture->capture, &n_events);
	assert_int_equal(unlink(fixture->capture), 0);
}

/* Every limit within one frame: the end frame always finds room, and what is before it is whole. */
static void test_record_on_a_full_disk(void **state)
{
	struct fixture *fixture = *state;
	const size_t frame = 8 + event_size(EVENT_MAP);

	for (rlim_t limit = 2000; limit < 2000 + frame; limit += 8)
		record_within_limit(fixture, limit);
}

static void test_record_when_the_daemon_dies(void **state)
{
	struct fixture *fixture = *state;
	struct running running = start(verb_record, (struct options){.words = {fixture->capture}});
	struct result result;
	uint64_t n_events;

	await_wait(&fixture->server);
	server_kill(&fixture->server);
	fixture->server.pid = 0;
	result = finish(running);
	assert_int_equal(WEXITSTATUS(result.status), EXIT_NO_DAEMON);
	done(result);
	assert_int_equal(replay_capture(fixture->capture, &n_events).cookies, 1);
}

/* Cut at every length, a capture gives one error with the offset, and lists show nothing. */
static void test_truncated_captures(void **state)
{
	struct fixture *fixture = *state;
	struct options options = {.replay = fixture->capture};
	struct stat status;
	struct result result;

	server_order(&fixture->server, SERVER_MAP, 2);
	done(run(verb_record, (struct options){.words = {fixture->capture}, .duration_sec = 1}, EXIT_OK));
	result = run(verb_mappings, options, EXIT_OK);
	assert_non_null(strstr(result.out, "2 mappings listed."));
	done(result);
	assert_int_equal(stat(fixture->capture, &status), 0);
	for (off_t size = status.st_size - 1; size >= 0; size -= size > 16 ? 13 : 1) {
		assert_int_equal(truncate(fixture->capture, size), 0);
		result = run(verb_mappings, options, EXIT_FAILED);
		assert_string_equal(result.out, "");
		assert_int_equal(count_lines(result.err), 1);
		assert_non_null(strstr(result.err, "capture: offset "));
		done(result);
	}
}

static void test_status(void **state)
{
	struct result result =
		run(verb_status, (struct options){.check = true, .wait = true, .wait_sec = 5}, EXIT_DEGRADED);

	(void)state;
	assert_non_null(strstr(result.out, "for the test"));
	assert_non_null(strstr(result.out, "Uptime: 2s"));
	done(result);
	done(run(verb_status, (struct options){.json = JSON_SHORT}, EXIT_OK));
}

static void test_doctor(void **state)
{
	struct result result = run(verb_doctor, (struct options){}, EXIT_OK);

	(void)state;
	assert_non_null(strstr(result.out, "btf"));
	done(result);
}

static void test_no_daemon(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_stop(&fixture->server);
	fixture->server.pid = 0;
	done(run(verb_devices, (struct options){}, EXIT_NO_DAEMON));
	done(run(verb_record, (struct options){.words = {fixture->capture}}, EXIT_NO_DAEMON));
	assert_int_not_equal(access(fixture->capture, F_OK), 0);
	done(run(verb_status, (struct options){.wait = true, .wait_sec = 1}, EXIT_NO_DAEMON));
	result = run(verb_doctor, (struct options){}, EXIT_NO_DAEMON);
	assert_non_null(strstr(result.out, "no daemon runs"));
	done(result);
}

static void test_wait_for_the_daemon(void **state)
{
	struct fixture *fixture = *state;
	struct running running;
	struct result result;

	server_stop(&fixture->server);
	running = start(verb_status, (struct options){.wait = true, .wait_sec = 60});
	assert_int_equal(server_start(&fixture->server, fixture->socket, 16, false), 0);
	result = finish(running);
	assert_int_equal(WEXITSTATUS(result.status), EXIT_OK);
	done(result);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, verbs_setup, verbs_teardown)
#define TEST_SMALL_HISTORY(function)                                                                         \
	cmocka_unit_test_setup_teardown(function, verbs_setup_small_history, verbs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tables),
		TEST(test_json),
		TEST(test_follow),
		TEST(test_follow_into_a_closed_pipe),
		TEST(test_record),
		TEST(test_record_no_regular_file),
		TEST_SMALL_HISTORY(test_record_tells_losses),
		TEST(test_record_on_a_full_disk),
		TEST(test_record_when_the_daemon_dies),
		TEST(test_truncated_captures),
		TEST(test_status),
		TEST(test_doctor),
		TEST(test_no_daemon),
		TEST(test_wait_for_the_daemon),
	};

	return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
