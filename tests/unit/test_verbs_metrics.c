/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The verb metrics, and GetMetrics() behind it: both formats, and the file that others read. */

#include "bus_client.h"
#include "verb_runner.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Entries of the fixture's directory but the socket and its lock. */
static size_t count_files(const struct fixture *fixture)
{
	DIR *directory = opendir(fixture->directory);
	size_t n = 0;

	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.' && strncmp(entry->d_name, "bus", 3) != 0;
	closedir(directory);
	return n;
}

static char *content(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return read_all(fd);
}

static void put_content(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void expect_content(const char *path, const char *expected)
{
	char *text = content(path);

	assert_string_equal(text, expected);
	free(text);
}

static void test_openmetrics(void **state)
{
	struct fixture *fixture = *state;
	struct result result;

	server_order(&fixture->server, SERVER_MAP,
		     10); /* the tenth is write-combining, each a page of its own */
	result = run(verb_metrics, (struct options){}, EXIT_OK);
	assert_non_null(strstr(result.out, "\n# TYPE vfiowatch_requests_denied counter\n"));
	assert_non_null(strstr(result.out, "\nvfiowatch_requests_denied_total 5\n"));
	assert_non_null(strstr(result.out, "\nvfiowatch_degraded_reasons 1\n"));
	assert_non_null(strstr(result.out, "requested=\"uc-\",effective=\"unpopulated\"} 9\n"));
	assert_non_null(strstr(result.out, "requested=\"wc\",effective=\"unpopulated\"} 1\n"));
	assert_string_equal(result.out + strlen(result.out) - strlen("\n# EOF\n"), "\n# EOF\n");
	assert_string_equal(result.err, "");
	done(result);
	/* Devices too: else bytes of /dev/mem are not known to be theirs. */
	assert_int_equal(server_order(&fixture->server, SERVER_TELL, 0).last_refresh, BUS_REFRESH_ALL);
}

static void test_prometheus(void **state)
{
	struct result result = run(verb_metrics, (struct options){.textfile = "-"}, EXIT_OK);

	(void)state;
	assert_non_null(strstr(result.out, "\n# TYPE vfiowatch_requests_denied_total counter\n"));
	assert_null(strstr(result.out, "# EOF"));
	done(result);
}

static void test_textfile(void **state)
{
	struct fixture *fixture = *state;
	struct result result;
	struct stat status;
	mode_t mask = umask(077);
	char *text;

	/* Twice: it is made, and replaced. */
	for (int i = 0; i < 2; i++) {
		result = run(verb_metrics, (struct options){.textfile = fixture->capture}, EXIT_OK);
		assert_string_equal(result.out, "");
		assert_string_equal(result.err, "");
		done(result);
		assert_int_equal(stat(fixture->capture, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0644);
		text = content(fixture->capture);
		assert_non_null(strstr(text, "vfiowatch_requests_denied_total 5\n"));
		assert_int_equal(text[strlen(text) - 1], '\n');
		free(text);
		assert_int_equal(count_files(fixture), 1);
	}
	umask(mask);
}

/* Whatever fails, the old file stays and nothing else does; the error is told. */
static void expect_old_file(const struct fixture *fixture, struct result result, const char *error)
{
	if (!strstr(result.err, error))
		fail_msg("no '%s' in: %s", error, result.err);
	assert_int_equal(count_lines(result.err), 1);
	done(result);
	expect_content(fixture->capture, "old\n");
	assert_int_equal(count_files(fixture), 1);
}

static void test_old_file_stays(void **state)
{
	struct fixture *fixture = *state;
	struct options options = {.textfile = fixture->capture};
	struct rlimit before, limit;
	struct result result;

	put_content(fixture->capture, "old\n");
	server_order(&fixture->server, SERVER_FAIL_REFRESH, EIO);
	result = run(verb_metrics, options, EXIT_FAILED);
	expect_old_file(fixture, result, "Cannot bring the ledger up to date: Input/output error");
	server_order(&fixture->server, SERVER_FAIL_REFRESH, 0);

	/* A disk that is full in the middle. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 1000, .rlim_max = before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	result = run(verb_metrics, options, EXIT_FAILED);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	expect_old_file(fixture, result, "cannot write ");

	server_stop(&fixture->server);
	fixture->server.pid = 0;
	result = run(verb_metrics, options, EXIT_NO_DAEMON);
	expect_old_file(fixture, result, "cannot connect to VFIOWATCH_ADDRESS=");
}

static void test_no_regular_file(void **state)
{
	struct fixture *fixture = *state;
	struct result result = run(verb_metrics, (struct options){.textfile = "/dev/null"}, EXIT_FAILED);
	struct stat status;
	char path[128];

	assert_string_equal(result.err, "vfiowatch: /dev/null is no regular file\n");
	done(result);
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	snprintf(path, sizeof(path), "%s/missing/file", fixture->directory);
	result = run(verb_metrics, (struct options){.textfile = path}, EXIT_FAILED);
	assert_non_null(strstr(result.err, "cannot make a file beside "));
	done(result);
}

/* A link is replaced, what it names is left alone. */
static void test_link(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/target", fixture->directory);
	put_content(path, "old\n");
	assert_int_equal(symlink(path, fixture->capture), 0);
	done(run(verb_metrics, (struct options){.textfile = fixture->capture}, EXIT_OK));
	expect_content(path, "old\n");
	assert_int_equal(lstat(fixture->capture, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(unlink(path), 0);
}

static void test_bad_format(void **state)
{
	struct client *client = open_client();
	sd_bus_message *answer = NULL;
	struct failure failure = {};

	(void)state;
	assert_int_equal(CALL(client, &answer, &failure, "GetMetrics", "s", "json"), EXIT_FAILED);
	assert_string_equal(failure.text, "The format is neither openmetrics nor prometheus");
	client_close(client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, verbs_setup, verbs_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_openmetrics),    TEST(test_prometheus),      TEST(test_textfile),
		TEST(test_old_file_stays), TEST(test_no_regular_file), TEST(test_link),
		TEST(test_bad_format),
	};

	return cmocka_run_group_tests_name("verbs_metrics", tests, NULL, NULL);
}
