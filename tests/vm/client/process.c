// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Child interpreters. A request is one packet of text, with at most one descriptor; answers are struct reply.
 * The sockets are close-on-exec, so that the end of the stream is the proof that an exec happened.
 */

#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum reply_kind {
	REPLY_DONE,
	REPLY_EXEC, /* exec follows: either the stream ends or REPLY_DONE says why it failed */
	REPLY_EXIT, /* the process ends now */
};

struct reply {
	int32_t kind;
	int32_t result;
	char text[TEXT_SIZE];
};

static int send_packet(int socket, const void *data, size_t size, int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *header;

		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static ssize_t receive_packet(int socket, void *data, size_t size, int *ret_fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*ret_fd = -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
	return n;
}

static void send_reply(struct client *c, enum reply_kind kind, int result)
{
	struct reply reply = {.kind = kind, .result = result};

	snprintf(reply.text, sizeof(reply.text), "%s", result < 0 ? c->error : c->answer);
	send_packet(c->up, &reply, sizeof(reply), -1);
}

/* The interpreter of a child; returns its exit status. */
int serve(struct client *c)
{
	char request[LINE_SIZE];

	for (;;) {
		ssize_t n = receive_packet(c->up, request, sizeof(request) - 1, &c->received);
		int r;

		if (n <= 0)
			break;
		request[n] = '\0';
		c->answer[0] = c->error[0] = '\0';
		r = script_execute(c, request);
		closep(&c->received);
		if (c->quit) {
			send_reply(c, REPLY_EXIT, 0);
			break;
		}
		send_reply(c, REPLY_DONE, r);
	}
	children_finish(c);
	return c->status;
}

static int wait_pid(pid_t pid, int *ret_status)
{
	int r;

	do
		r = waitpid(pid, ret_status, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static void describe_status(int status, char *ret, size_t size)
{
	if (WIFEXITED(status))
		snprintf(ret, size, "exited %d", WEXITSTATUS(status));
	else
		snprintf(ret, size, "killed by %s", sigabbrev_np(WTERMSIG(status)) ?: "a signal");
}

static void child_forget(struct child *ch)
{
	LIST_REMOVE(ch, link);
	closep(&ch->fd);
	free(ch);
}

int child_request(struct client *c, struct child *ch, const char *text, int fd)
{
	int r;

	if (ch->fd < 0)
		return wrong(c, "@%s: runs another program since its exec, or is dead", ch->name);
	if (ch->pending)
		return wrong(c, "@%s: still busy, join it first", ch->name);
	r = send_packet(ch->fd, text, strlen(text), fd);
	return r < 0 ? fail(c, -r, "@%s: send", ch->name) : 0;
}

/* The stream ended: after an announced exec this is its success, unless the process died on the way. */
static int child_gone(struct client *c, struct child *ch, bool exec)
{
	siginfo_t info = {0};

	closep(&ch->fd);
	if (waitid(P_PID, (id_t)ch->pid, &info, WEXITED | WNOWAIT | (exec ? WNOHANG : 0)) < 0)
		return fail(c, errno, "@%s: waitid", ch->name);
	if (exec && (info.si_pid == 0 || info.si_code == CLD_EXITED))
		return answer(c, "@%s: pid %d runs another program", ch->name, ch->pid);
	return fail(c, EPIPE, "@%s: died, %s %d", ch->name,
		    info.si_code == CLD_EXITED ? "exit status" : "signal", info.si_status);
}

int child_answer(struct client *c, struct child *ch)
{
	struct reply reply;
	bool exec = false;
	int ignored, status, r;

	ch->pending = false;
	for (;;) {
		ssize_t n = receive_packet(ch->fd, &reply, sizeof(reply), &ignored);

		if (n != (ssize_t)sizeof(reply))
			return child_gone(c, ch, exec);
		if (reply.kind != REPLY_EXEC)
			break;
		exec = true;
	}
	reply.text[sizeof(reply.text) - 1] = '\0';
	if (reply.kind == REPLY_EXIT) {
		r = wait_pid(ch->pid, &status);
		child_forget(ch);
		return r < 0 ? fail(c, -r, "wait for a child's exit")
			     : answer(c, "exited %d", WEXITSTATUS(status));
	}
	if (reply.result == 0) {
		memcpy(c->answer, reply.text, sizeof(c->answer));
		return 0;
	}
	wrong(c, "@%s: %.900s", ch->name, reply.text);
	return reply.result;
}

int child_route(struct client *c, const char *name, const char *text)
{
	struct child *ch;
	int r;

	r = child_get(c, name, &ch);
	if (r < 0)
		return r;
	r = child_request(c, ch, text, -1);
	return r < 0 ? r : child_answer(c, ch);
}

/* Listening children end at the end of their stream; those that are busy or exec'd are killed. */
void children_finish(struct client *c)
{
	struct child *ch;
	int status;

	while ((ch = LIST_FIRST(&c->children))) {
		if (ch->fd < 0 || ch->pending)
			kill(ch->pid, SIGKILL);
		closep(&ch->fd);
		wait_pid(ch->pid, &status);
		child_forget(ch);
	}
}

static int child_add(struct client *c, const char *name, pid_t pid, int fd, struct child **ret)
{
	struct child *ch = calloc(1, sizeof(*ch));

	if (!ch)
		return fail(c, ENOMEM, "child %s", name);
	snprintf(ch->name, sizeof(ch->name), "%s", name);
	ch->pid = pid;
	ch->fd = fd;
	LIST_INSERT_HEAD(&c->children, ch, link);
	*ret = ch;
	return set_pid(c, "PID_", name, pid);
}

static void exec_self(int socket)
{
	char path[4096], number[16];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n > 0 && fcntl(socket, F_SETFD, 0) == 0) {
		path[n] = '\0';
		snprintf(number, sizeof(number), "%d", socket);
		execl(path, "vfio-client", "--child", number, NULL);
	}
	_exit(127);
}

static int start_child(struct client *c, const char *name, bool fresh, struct child **ret)
{
	int sockets[2], r;
	pid_t pid;

	r = check_name(c, name);
	if (r < 0)
		return r;
	if (child_find(c, name))
		return wrong(c, "child '%s' exists already", name);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail(c, errno, "socketpair");
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		r = fail(c, errno, "fork %s", name);
		close(sockets[0]);
		close(sockets[1]);
		return r;
	}
	if (pid == 0) {
		close(sockets[0]);
		if (fresh)
			exec_self(sockets[1]);
		client_after_fork(c, sockets[1]);
		_exit(serve(c));
	}
	close(sockets[1]);
	return child_add(c, name, pid, sockets[0], ret);
}

int cmd_fork(struct client *c, int argc, char **argv)
{
	struct child *ch;
	int r = start_child(c, argv[0], false, &ch);

	(void)argc;
	return r < 0 ? r : answer(c, "%s pid %d", argv[0], ch->pid);
}

int cmd_spawn(struct client *c, int argc, char **argv)
{
	struct child *ch;
	int r = start_child(c, argv[0], true, &ch);

	(void)argc;
	if (r < 0)
		return r;
	r = child_request(c, ch, "pid", -1); /* its answer proves that the new program runs */
	if (r == 0)
		r = child_answer(c, ch);
	return r < 0 ? r : answer(c, "%s pid %d", argv[0], ch->pid);
}

/* Runs on the address space of the process that started it, so it changes nothing there. */
static int sharer(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (true)
		pause();
	return 0;
}

/* clone(2) with CLONE_VM but not CLONE_THREAD: one address space with two process ids. */
int cmd_share(struct client *c, int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct child *ch;
	pid_t pid;
	int r;

	(void)argc;
	r = check_name(c, argv[0]);
	if (r < 0)
		return r;
	if (child_find(c, argv[0]))
		return wrong(c, "child '%s' exists already", argv[0]);
	LIST_FOREACH(ch, &c->children, link)
	if (ch->shares)
		return wrong(c, "share: '%s' already runs on the one stack there is for this", ch->name);
	pid = clone(sharer, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	if (pid < 0)
		return fail(c, errno, "clone %s", argv[0]);
	r = child_add(c, argv[0], pid, -1, &ch);
	if (r < 0)
		return r;
	ch->shares = true;
	return answer(c, "%s pid %d", argv[0], pid);
}

int cmd_send(struct client *c, int argc, char **argv)
{
	char request[LINE_SIZE];
	struct child *ch;
	struct file *f;
	int r;

	(void)argc;
	r = file_get(c, argv[0], &f);
	if (r < 0)
		return r;
	r = child_get(c, argv[1], &ch);
	if (r < 0)
		return r;
	snprintf(request, sizeof(request), "receive %s %d '%s'", f->name, f->kind, f->device);
	r = child_request(c, ch, request, f->fd);
	return r < 0 ? r : child_answer(c, ch);
}

/* The other side of `send`; what the sender knows of the regions is not handed over. */
int cmd_receive(struct client *c, int argc, char **argv)
{
	uint64_t kind;
	int fd, r;

	(void)argc;
	r = check_name(c, argv[0]);
	if (r < 0)
		return r;
	r = parse_number(c, "kind", argv[1], &kind);
	if (r < 0)
		return r;
	if (c->received < 0)
		return wrong(c, "receive: no descriptor came with the request");
	if (file_find(c, argv[0]))
		return wrong(c, "receive: '%s' is already open", argv[0]);
	fd = c->received;
	c->received = -1;
	if (!file_add(c, argv[0], (enum file_kind)kind, argv[2], fd))
		return fail(c, ENOMEM, "receive %s", argv[0]);
	return answer(c, "%s fd %d", argv[0], fd);
}

int cmd_exec(struct client *c, int argc, char **argv)
{
	(void)argc;
	fflush(stdout);
	if (c->up >= 0)
		send_reply(c, REPLY_EXEC, 0);
	execvp(argv[0], argv);
	return fail(c, errno, "exec %s", argv[0]);
}

int cmd_exit(struct client *c, int argc, char **argv)
{
	uint64_t status = 0;
	int r = argc ? parse_number(c, "status", argv[0], &status) : 0;

	if (r < 0)
		return r;
	c->quit = true;
	c->status = (int)(status & 0xff);
	return 0;
}

static int signal_number(const char *name)
{
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (int s = 1; s < 32; s++) {
		const char *abbreviation = sigabbrev_np(s);

		if (abbreviation && strcmp(abbreviation, name) == 0)
			return s;
	}
	return 0;
}

int cmd_kill(struct client *c, int argc, char **argv)
{
	int signal = signal_number(argv[1]), r;
	struct child *ch;

	(void)argc;
	r = child_get(c, argv[0], &ch);
	if (r < 0)
		return r;
	if (!signal)
		return wrong(c, "kill: '%s' is not a signal name like KILL", argv[1]);
	return kill(ch->pid, signal) < 0 ? fail(c, errno, "kill %s", argv[0]) : 0;
}

int cmd_wait(struct client *c, int argc, char **argv)
{
	struct child *ch;
	char text[64];
	int status, r;

	r = child_get(c, argv[0], &ch);
	if (r < 0)
		return r;
	closep(&ch->fd);
	r = wait_pid(ch->pid, &status);
	child_forget(ch);
	if (r < 0)
		return fail(c, -r, "wait %s", argv[0]);
	describe_status(status, text, sizeof(text));
	if (argc > 1) {
		int signal = signal_number(argv[1]);
		bool same = signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal
				   : WIFEXITED(status) && WEXITSTATUS(status) == atoi(argv[1]);

		if (!same)
			return wrong(c, "wait %s: %s, not %s", argv[0], text, argv[1]);
	}
	return answer(c, "%s %s", argv[0], text);
}

int cmd_start(struct client *c, int argc, char **argv)
{
	struct child *ch;
	int r = child_get(c, argv[0], &ch);

	(void)argc;
	if (r < 0)
		return r;
	r = child_request(c, ch, argv[1], -1);
	if (r == 0)
		ch->pending = true;
	return r;
}

int cmd_join(struct client *c, int argc, char **argv)
{
	struct child *ch;
	int r = child_get(c, argv[0], &ch);

	(void)argc;
	if (r < 0)
		return r;
	return ch->pending ? child_answer(c, ch) : wrong(c, "join: '%s' was not started", argv[0]);
}
