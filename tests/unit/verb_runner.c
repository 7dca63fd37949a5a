/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "verb_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"

#define TEXT_MAX (1 << 20)

static int verbs_setup_with(void **state, size_t history)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->directory, "/tmp/vfiowatch-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->socket, sizeof(fixture->socket), "%s/bus", fixture->directory);
	snprintf(fixture->capture, sizeof(fixture->capture), "%s/capture", fixture->directory);
	assert_int_equal(setenv("VFIOWATCH_ADDRESS", fixture->socket, 1), 0);
	assert_int_equal(server_start(&fixture->server, fixture->socket, history, false), 0);
	*state = fixture;
	return 0;
}

int verbs_setup(void **state)
{
	return verbs_setup_with(state, 4096);
}

int verbs_setup_small_history(void **state)
{
	return verbs_setup_with(state, 64);
}

int verbs_teardown(void **state)
{
	struct fixture *fixture = *state;
	char lock[128];

	if (fixture->server.pid)
		server_stop(&fixture->server);
	(void)unlink(fixture->capture);
	(void)unlink(fixture->socket); /* of a server that was killed */
	snprintf(lock, sizeof(lock), "%s.lock", fixture->socket);
	(void)unlink(lock);
	assert_int_equal(rmdir(fixture->directory), 0);
	free(fixture);
	return 0;
}

static void run_child(verb_handler handler, const struct options *options, int out, int err)
{
	struct failure failure = {};
	enum exit_code code;
	sigset_t all;

	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);
	code = handler(options, &failure);
	if (failure.text[0])
		complain("%s", failure.text);
	fflush(NULL);
	if (failure.signal) {
		signal(failure.signal, SIG_DFL);
		raise(failure.signal);
		sigfillset(&all);
		sigprocmask(SIG_UNBLOCK, &all, NULL);
	}
	exit(code);
}

struct running start(verb_handler handler, struct options options)
{
	struct running running;
	int out[2], err[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fflush(NULL);
	running.pid = fork();
	assert_true(running.pid >= 0);
	if (running.pid == 0) {
		close(out[0]);
		close(err[0]);
		run_child(handler, &options, out[1], err[1]);
	}
	close(out[1]);
	close(err[1]);
	running.out = out[0];
	running.err = err[0];
	return running;
}

char *read_all(int fd)
{
	char *text = malloc(TEXT_MAX);
	size_t size = 0;
	ssize_t n;

	assert_non_null(text);
	while ((n = read(fd, text + size, TEXT_MAX - 1 - size)) > 0)
		size += n;
	text[size] = '\0';
	close(fd);
	return text;
}

struct result finish(struct running running)
{
	struct result result;

	result.out = read_all(running.out);
	result.err = read_all(running.err);
	assert_int_equal(waitpid(running.pid, &result.status, 0), running.pid);
	return result;
}

void done(struct result result)
{
	free(result.out);
	free(result.err);
}

struct result run(verb_handler handler, struct options options, enum exit_code expected)
{
	struct result result = finish(start(handler, options));

	if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != (int)expected)
		fail_msg("status 0x%x, expected exit %d: %s", result.status, expected, result.err);
	return result;
}

size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}
