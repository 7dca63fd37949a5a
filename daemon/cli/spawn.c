/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "cli/spawn.h"

#define READY_USEC (60ULL * 1000 * 1000)
#define STOP_MSEC  10000
#define SAID_MAX   2048

struct spawn {
	char directory[64];
	char socket[96], notify[96], pins[96];
	pid_t pid; /* 0: none */
	int notify_fd, stderr_fd;
	sd_event_source *child, *ready_io, *said_io, *timer;
	bool ready, ended, late;
	int code, status;    /* of waitid(2), if ended */
	char said[SAID_MAX]; /* the end of what the daemon wrote to standard error */
	size_t n_said;
};

char *daemon_program(void)
{
	char own[4096], *slash, *path = NULL;
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (length > 0) {
		own[length] = '\0';
		slash = strrchr(own, '/');
		*slash = '\0';
		if (asprintf(&path, "%s/vfiowatchd", own) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return strdup("vfiowatchd");
}

const char *spawn_socket(const struct spawn *spawn)
{
	return spawn->socket;
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct spawn *spawn = userdata;

	(void)source;
	spawn->ended = true;
	spawn->code = info->si_code;
	spawn->status = info->si_status;
	return 0;
}

static int on_ready(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct spawn *spawn = userdata;
	char text[4096];
	ssize_t length = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	(void)source, (void)revents;
	if (length <= 0)
		return 0;
	text[length] = '\0';
	for (char *line = text, *rest; (line = strtok_r(line, "\n", &rest)); line = NULL)
		if (strcmp(line, "READY=1") == 0)
			spawn->ready = true;
	return 0;
}

/* Keeps the end of what the daemon says: it is told if the daemon does not get ready. */
static int on_said(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct spawn *spawn = userdata;
	char text[SAID_MAX / 2];
	ssize_t length = read(fd, text, sizeof(text));

	(void)revents;
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0
							 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (length == 0)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (spawn->n_said + length > SAID_MAX - 1) {
		size_t excess = spawn->n_said + length - (SAID_MAX - 1);

		memmove(spawn->said, spawn->said + excess, spawn->n_said - excess);
		spawn->n_said -= excess;
	}
	memcpy(spawn->said + spawn->n_said, text, length);
	spawn->n_said += length;
	spawn->said[spawn->n_said] = '\0';
	return 0;
}

static int on_late(sd_event_source *source, uint64_t now, void *userdata)
{
	struct spawn *spawn = userdata;

	(void)source, (void)now;
	spawn->late = true;
	return 0;
}

static int make_directory(struct spawn *spawn)
{
	strcpy(spawn->directory, "/run/vfiowatch-XXXXXX");
	if (!mkdtemp(spawn->directory)) {
		spawn->directory[0] = '\0';
		return -errno;
	}
	snprintf(spawn->socket, sizeof(spawn->socket), "%s/bus", spawn->directory);
	snprintf(spawn->notify, sizeof(spawn->notify), "%s/notify", spawn->directory);
	snprintf(spawn->pins, sizeof(spawn->pins), "/sys/fs/bpf/%s", strrchr(spawn->directory, '/') + 1);
	return 0;
}

static int open_notify(struct spawn *spawn)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	spawn->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (spawn->notify_fd < 0)
		return -errno;
	strcpy(address.sun_path, spawn->notify);
	return bind(spawn->notify_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* In the child: becomes the daemon, in a session of its own so that Ctrl-C reaches us alone and we end it in
 * order. */
static void become_daemon(const struct spawn *spawn, const char *program, pid_t parent, int error_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	/* If the parent died before prctl() there is nobody left to tell us. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		_exit(EXIT_FAILED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(error_fd, STDERR_FILENO) < 0 || setenv("NOTIFY_SOCKET", spawn->notify, 1) < 0)
		_exit(EXIT_FAILED);
	/* No policy: what is enforced would outlive it. */
	execlp(program, "vfiowatchd", "--foreground", "--socket", spawn->socket, "--pin-directory",
	       spawn->pins, "--policy-root", spawn->directory, "--no-system-bus", NULL);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

static int run_daemon(struct spawn *spawn)
{
	char *program _cleanup_(freep) = daemon_program();
	pid_t parent = getpid();
	int fds[2];

	if (!program)
		return -ENOMEM;
	/* Not blocking: a daemon that talks while we are busy loses the talk, not events. */
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	spawn->stderr_fd = fds[0];
	spawn->pid = fork();
	if (spawn->pid == 0)
		become_daemon(spawn, program, parent, fds[1]);
	close(fds[1]);
	if (spawn->pid < 0) {
		spawn->pid = 0;
		return -errno;
	}
	return 0;
}

static int watch_daemon(struct spawn *spawn, sd_event *event)
{
	int r;

	if ((r = sd_event_add_child(event, &spawn->child, spawn->pid, WEXITED, on_child, spawn)) < 0 ||
	    (r = sd_event_add_io(event, &spawn->ready_io, spawn->notify_fd, EPOLLIN, on_ready, spawn)) < 0 ||
	    (r = sd_event_add_io(event, &spawn->said_io, spawn->stderr_fd, EPOLLIN, on_said, spawn)) < 0 ||
	    (r = sd_event_add_time_relative(event, &spawn->timer, CLOCK_MONOTONIC, READY_USEC, 0, on_late,
					    spawn)) < 0)
		return r;
	/* What it said comes before its end. */
	return sd_event_source_set_priority(spawn->child, SD_EVENT_PRIORITY_IDLE);
}

/* The last line that the daemon wrote, without the level that sd-daemon(3) puts before it. Empty: none. */
static const char *last_words(struct spawn *spawn)
{
	char *line;

	while (spawn->n_said && spawn->said[spawn->n_said - 1] == '\n')
		spawn->said[--spawn->n_said] = '\0';
	line = strrchr(spawn->said, '\n');
	line = line ? line + 1 : spawn->said;
	return line[0] == '<' && line[1] && line[2] == '>' ? line + 3 : line;
}

bool spawn_ended(struct spawn *spawn, char *out, size_t size)
{
	const char *words;

	if (!spawn->ended)
		return false;
	words = last_words(spawn);
	snprintf(out, size, "the private daemon ended with %s %d%s%.900s",
		 spawn->code == CLD_EXITED ? "status" : "signal", spawn->status, *words ? ": " : "", words);
	return true;
}

static enum exit_code await_ready(struct spawn *spawn, sd_event *event, const int *signal,
				  struct failure *failure)
{
	char ended[1024];
	const char *words;

	while (!spawn->ready && !spawn->ended && !spawn->late && !*signal) {
		int r = sd_event_run(event, UINT64_MAX);

		if (r < 0)
			return fail_with(failure, EXIT_FAILED, "the event loop failed: %s", strerror(-r));
	}
	if (spawn->ready)
		return EXIT_OK;
	if (*signal) {
		failure->signal = *signal;
		return failure->code = EXIT_FAILED;
	}
	if (spawn_ended(spawn, ended, sizeof(ended)))
		return fail_with(failure, EXIT_NO_DAEMON, "%s", ended);
	words = last_words(spawn);
	return fail_with(failure, EXIT_NO_DAEMON, "the private daemon is not ready after %llu s%s%.900s",
			 READY_USEC / 1000000, *words ? ": " : "", words);
}

enum exit_code spawn_start(struct spawn **ret, sd_event *event, const int *signal, struct failure *failure)
{
	struct spawn *spawn;
	enum exit_code code;
	int r;

	if (geteuid() != 0)
		return fail_with(failure, EXIT_FAILED,
				 "--spawn needs root: it loads BPF programs into the kernel");
	spawn = calloc(1, sizeof(*spawn));
	if (!spawn)
		return fail_memory(failure);
	spawn->notify_fd = spawn->stderr_fd = -1;
	if ((r = make_directory(spawn)) < 0 || (r = open_notify(spawn)) < 0 || (r = run_daemon(spawn)) < 0 ||
	    (r = watch_daemon(spawn, event)) < 0)
		code = fail_with(failure, EXIT_FAILED, "cannot start a private daemon: %s", strerror(-r));
	else
		code = await_ready(spawn, event, signal, failure);
	if (code != EXIT_OK) {
		spawn_stop(spawn);
		return code;
	}
	spawn->timer = sd_event_source_disable_unref(spawn->timer);
	*ret = spawn;
	return EXIT_OK;
}

static void end_daemon(struct spawn *spawn)
{
	int pidfd _cleanup_(closefd) = pidfd_open(spawn->pid, 0);
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	kill(spawn->pid, SIGTERM);
	if (pidfd < 0 || poll(&end, 1, STOP_MSEC) == 0)
		kill(spawn->pid, SIGKILL);
	while (waitpid(spawn->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
	(void)status, (void)type, (void)position;
	(void)remove(path);
	return 0;
}

struct spawn *spawn_stop(struct spawn *spawn)
{
	if (!spawn)
		return NULL;
	spawn->child = sd_event_source_disable_unref(spawn->child);
	spawn->ready_io = sd_event_source_disable_unref(spawn->ready_io);
	spawn->said_io = sd_event_source_disable_unref(spawn->said_io);
	spawn->timer = sd_event_source_disable_unref(spawn->timer);
	if (spawn->pid && !spawn->ended)
		end_daemon(spawn);
	closefd(&spawn->notify_fd);
	closefd(&spawn->stderr_fd);
	/* The daemon removes its own; this is for one that was killed: its pins would go on recording. */
	if (spawn->directory[0]) {
		(void)nftw(spawn->pins, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		(void)nftw(spawn->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	}
	free(spawn);
	return NULL;
}
