/* SPDX-License-Identifier: GPL-2.0-or-later */

/* --spawn: this program is its own private daemon when it is called vfiowatchd. Needs root, as --spawn does.
 */

#include "events.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "bus_server.h"
#include "cli/cli.h"
#include "cli/connect.h"
#include "cli/rows.h"

struct fixture {
	char directory[64], program[96], note[96];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char own[4096];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	assert_non_null(fixture);
	assert_true(length > 0);
	own[length] = '\0';
	strcpy(fixture->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->program, sizeof(fixture->program), "%s/vfiowatchd", fixture->directory);
	snprintf(fixture->note, sizeof(fixture->note), "%s/note", fixture->directory);
	assert_int_equal(symlink(own, fixture->program), 0);
	assert_int_equal(setenv("PATH", fixture->directory, 1), 0);
	assert_int_equal(setenv("VFIOWATCH_TEST_NOTE", fixture->note, 1), 0);
	assert_int_equal(unsetenv("VFIOWATCH_TEST_DAEMON"), 0);
	*state = fixture;
	return 0;
}

/* The arguments that the daemon was given, one a line, and "stopped" once it has ended in order. */
static bool note_has(const struct fixture *fixture, const char *line)
{
	FILE *file = fopen(fixture->note, "re");
	char text[256];
	bool found = false;

	while (file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		found = found || strcmp(text, line) == 0;
	}
	if (file)
		fclose(file);
	return found;
}

static unsigned int count_run_directories(void)
{
	DIR *directory = opendir("/run");
	unsigned int n = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += strncmp(entry->d_name, "vfiowatch-", 10) == 0;
	closedir(directory);
	return n;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->note);
	assert_int_equal(unlink(fixture->program), 0);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static void test_lives_as_long_as_the_command(void **state)
{
	struct fixture *fixture = *state;
	const struct options options = {.spawn = true};
	unsigned int before = count_run_directories();
	struct failure failure = {};
	struct json_object *rows = NULL;

	if (rows_get(ROWS_DEVICES, &options, &rows, &failure) != EXIT_OK)
		fail_msg("%s", failure.text);
	assert_int_equal(json_object_array_length(rows), 1);
	json_object_put(rows);
	assert_true(note_has(fixture, "--foreground"));
	assert_true(note_has(fixture, "--no-system-bus"));
	assert_true(note_has(fixture, "stopped"));
	assert_int_equal(count_run_directories(), before);
}

static void expect_failure(const char *behaviour, const char *text)
{
	const struct options options = {.spawn = true};
	unsigned int before = count_run_directories();
	struct failure failure = {};
	struct json_object *rows = NULL;

	assert_int_equal(setenv("VFIOWATCH_TEST_DAEMON", behaviour, 1), 0);
	assert_int_equal(rows_get(ROWS_DEVICES, &options, &rows, &failure), EXIT_NO_DAEMON);
	if (!strstr(failure.text, text))
		fail_msg("\"%s\" does not say \"%s\"", failure.text, text);
	assert_int_equal(count_run_directories(), before);
}

static void test_daemon_that_fails(void **state)
{
	(void)state;
	expect_failure("fail", "status 3: the reason");
}

static void test_no_daemon_program(void **state)
{
	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	expect_failure("", "cannot run vfiowatchd");
}

/* SIGTERM while the daemon gets ready, or later, ends both in order. */
static void end_by_signal(struct fixture *fixture, const char *behaviour, int number, bool removed)
{
	unsigned int before = count_run_directories();
	int status, pair[2];
	char byte;
	pid_t pid;

	assert_int_equal(setenv("VFIOWATCH_TEST_DAEMON", behaviour, 1), 0);
	assert_int_equal(pipe(pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct options options = {.spawn = true, .follow = true, .json = JSON_SHORT};
		struct failure failure = {};

		close(pair[0]);
		_exit(verb_events(&options, &failure));
	}
	close(pair[1]);
	while (!note_has(fixture, "running"))
		usleep(1000);
	assert_int_equal(kill(pid, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* The daemon holds the pipe open: this is the end of it, too. */
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	assert_true(note_has(fixture, "stopped"));
	if (removed)
		assert_int_equal(count_run_directories(), before);
}

static void test_interrupted(void **state)
{
	end_by_signal(*state, "", SIGINT, true);
}

static void test_interrupted_before_it_is_ready(void **state)
{
	end_by_signal(*state, "slow", SIGTERM, true);
}

static int remove_leftover(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "/run/%s/notify", name);
	(void)unlink(path);
	snprintf(path, sizeof(path), "/run/%s", name);
	return rmdir(path);
}

/* Nobody is left to remove the directory then, but the daemon does not outlive the command. */
static void test_killed(void **state)
{
	DIR *directory;

	end_by_signal(*state, "", SIGKILL, false);
	directory = opendir("/run");
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		if (strncmp(entry->d_name, "vfiowatch-", 10) == 0)
			assert_int_equal(remove_leftover(entry->d_name), 0);
	closedir(directory);
}

static void note(const char *text)
{
	FILE *file = fopen(getenv("VFIOWATCH_TEST_NOTE"), "ae");

	if (!file)
		abort();
	fprintf(file, "%s\n", text);
	fclose(file);
}

/* The daemon: the real bus over the events of the other tests. */
static int be_daemon(int argc, char **argv)
{
	const char *behaviour = getenv("VFIOWATCH_TEST_DAEMON"), *socket = NULL;
	struct server server;
	sigset_t set;
	int number;

	for (int i = 1; i < argc; i++) {
		note(argv[i]);
		if (strcmp(argv[i], "--socket") == 0)
			socket = argv[i + 1];
	}
	if (behaviour && strcmp(behaviour, "fail") == 0) {
		fprintf(stderr, "<6>a line before\n<3>the reason\n");
		return 3;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!socket || server_start(&server, socket, 16, false) < 0)
		return 1;
	note("running");
	if (!behaviour || strcmp(behaviour, "slow"))
		sd_notify(0, "READY=1");
	sigwait(&set, &number);
	server_stop(&server);
	note("stopped");
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lives_as_long_as_the_command),
		TEST(test_daemon_that_fails),
		TEST(test_no_daemon_program),
		TEST(test_interrupted),
		TEST(test_interrupted_before_it_is_ready),
		TEST(test_killed),
	};

	if (strcmp(argv[0], "vfiowatchd") == 0)
		return be_daemon(argc, argv);
	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
