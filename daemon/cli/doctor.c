/* SPDX-License-Identifier: GPL-2.0-or-later */

/* doctor: what works on this kernel, what does not, and what to do about it. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/spawn.h"
#include "cli/value.h"

#define REPORT_MAX (1U << 20)

static void put_finding(const char *state, const char *colour, const char *name, const char *detail,
			const char *remedy, const struct options *options)
{
	printf("  %s%-9s%s %s%s%s\n", colour, state, output_plain(options), name ? name : "-",
	       detail ? ": " : "", detail ? detail : "");
	if (remedy && *remedy)
		printf("            -> %s\n", remedy);
}

static void put_check(struct json_object *check, const struct options *options)
{
	struct json_object *value = row_value(check, "ok");
	bool known = json_object_is_type(value, json_type_boolean),
	     ok = known && json_object_get_boolean(value);

	put_finding(ok      ? "ok"
		    : known ? "missing"
			    : "unknown",
		    ok      ? output_good(options)
		    : known ? output_bad(options)
			    : "",
		    row_string(check, "name"), row_string(check, "detail"),
		    ok ? NULL : row_string(check, "remedy"), options);
}

static void put_point(struct json_object *point, const struct options *options)
{
	const char *state = row_string(point, "state");
	bool attached = state && strcmp(state, "attached") == 0,
	     missing = state && strcmp(state, "missing") == 0;

	put_finding(state ? state : "unknown",
		    attached  ? output_good(options)
		    : missing ? output_bad(options)
			      : "",
		    row_string(point, "name"), row_string(point, "purpose"),
		    attached ? NULL : row_string(point, "reason"), options);
}

static void put_each(const char *title, struct json_object *list,
		     void (*put)(struct json_object *, const struct options *), const struct options *options)
{
	if (!json_object_is_type(list, json_type_array) || json_object_array_length(list) == 0)
		return;
	printf("%s\n", title);
	for (size_t i = 0; i < json_object_array_length(list); i++)
		put(json_object_array_get_idx(list, i), options);
}

static void put_reason(struct json_object *reason, const struct options *options)
{
	const char *text = value_text(reason);

	printf("  %sdegraded%s  %s\n", output_bad(options), output_plain(options), text ? text : "-");
}

static void print_text(struct json_object *status, struct json_object *report, const char *no_daemon,
		       const struct options *options)
{
	const char *recording = row_string(status, "recording"),
		   *reason = row_string(status, "recording_reason");

	if (no_daemon)
		printf("Daemon: %sno daemon runs%s\n  -> %s\n", output_bad(options), output_plain(options),
		       no_daemon);
	else
		printf("Daemon: runs, recording: %s%s%s\n", recording ? recording : "unknown",
		       reason ? ": " : "", reason ? reason : "");
	put_each("State:", row_value(status, "degraded"), put_reason, options);
	put_each("Kernel:", row_value(report, "checks"), put_check, options);
	put_each("Attach points:", row_value(status, "points"), put_point, options);
}

static enum exit_code print_json(struct json_object *status, struct json_object *report,
				 const struct options *options, struct failure *failure)
{
	struct json_object *object = json_object_new_object();

	if (!object ||
	    json_object_object_add(object, "daemon", json_object_new_boolean(status != NULL)) < 0 ||
	    json_object_object_add(object, "status", json_object_get(status)) < 0 ||
	    json_object_object_add(object, "checks", json_object_get(row_value(report, "checks"))) < 0) {
		json_object_put(object);
		return fail_memory(failure);
	}
	output_json(object, options->json);
	json_object_put(object);
	return EXIT_OK;
}

static void become_probe(const char *program, int output)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(output, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILED);
	execlp(program, "vfiowatchd", "--probe", NULL);
	_exit(127);
}

/* Everything that can be read from @fd, up to a limit. NULL: nothing, or too much. The caller frees. */
static char *read_report(int fd)
{
	char *text = malloc(REPORT_MAX);
	size_t size = 0;
	ssize_t n = 1;

	while (text && size < REPORT_MAX - 1 && n != 0) {
		n = read(fd, text + size, REPORT_MAX - 1 - size);
		if (n < 0 && errno != EINTR)
			break;
		size += n > 0 ? n : 0;
	}
	if (text && size > 0 && n == 0) {
		text[size] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

/* What `vfiowatchd --probe` says; NULL: nothing of use. */
static struct json_object *run_probe(void)
{
	char *program _cleanup_(freep) = daemon_program(), *text _cleanup_(freep) = NULL;
	int fds[2];
	pid_t pid;

	if (!program || pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	pid = fork();
	if (pid == 0)
		become_probe(program, fds[1]);
	close(fds[1]);
	if (pid > 0)
		text = read_report(fds[0]);
	close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return text ? parse_row(text) : NULL;
}

/* There is no daemon: the kernel can be looked at without one. */
static enum exit_code examine_alone(const struct options *options, struct failure *failure)
{
	const bool may_probe = geteuid() == 0 && !options->host;
	struct json_object *report = may_probe ? run_probe() : NULL;
	struct failure no_daemon = *failure;
	enum exit_code code = EXIT_OK;
	bool probed = report;

	*failure = (struct failure){};
	if (options->json)
		code = print_json(NULL, report, options, failure);
	else
		print_text(NULL, report, no_daemon.text, options);
	json_object_put(report);
	if (code == EXIT_OK)
		code = output_finish(failure);
	if (code != EXIT_OK)
		return code;
	if (probed)
		return EXIT_NO_DAEMON;
	return fail_with(
		failure, EXIT_NO_DAEMON, "%s",
		may_probe ? "vfiowatchd --probe gave no report on the kernel"
			  : "without a daemon only root on the host itself can have the kernel looked at");
}

static enum exit_code examine(struct client *client, const struct options *options,
			      struct json_object *status, struct failure *failure)
{
	struct json_object *report = NULL;
	enum exit_code code = client_get_object(client, "Probe", &report, failure);

	if (failure->signal)
		return code;
	if (code != EXIT_OK) {
		complain("the daemon does not report on the kernel: %s", failure->text);
		*failure = (struct failure){};
	}
	code = EXIT_OK;
	if (options->json)
		code = print_json(status, report, options, failure);
	else
		print_text(status, report, NULL, options);
	json_object_put(report);
	return code == EXIT_OK ? output_finish(failure) : code;
}

enum exit_code verb_doctor(const struct options *options, struct failure *failure)
{
	struct client *client _cleanup_(client_closep) = NULL;
	struct json_object *status = NULL;
	enum exit_code code = client_open(&client, options, failure);

	if (code == EXIT_OK)
		code = client_get_object(client, "GetStatus", &status, failure);
	if (code == EXIT_NO_DAEMON && !options->spawn)
		return examine_alone(options, failure);
	if (code == EXIT_OK)
		code = examine(client, options, status, failure);
	json_object_put(status);
	return code;
}
