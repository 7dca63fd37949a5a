// SPDX-License-Identifier: GPL-2.0-or-later

/* Commands about the process itself and the world around the script. */

#include "client.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BARRIER_STEP_MS 10

static void sleep_ms(uint64_t ms)
{
	struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int hex_value(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

/* \xNN and \\ become bytes; anything else stays as it is. Returns how many bytes there are before the zero.
 */
static size_t unescape(const char *text, char *ret, size_t size)
{
	size_t n = 0;

	while (*text && n < size - 1) {
		if (text[0] == '\\' && text[1] == 'x' && isxdigit((unsigned char)text[2]) &&
		    isxdigit((unsigned char)text[3])) {
			ret[n++] = (char)(hex_value(text[2]) * 16 + hex_value(text[3]));
			text += 4;
		} else if (text[0] == '\\' && text[1] == '\\') {
			ret[n++] = '\\';
			text += 2;
		} else {
			ret[n++] = *text++;
		}
	}
	ret[n] = '\0';
	return n;
}

int cmd_comm(struct client *c, int argc, char **argv)
{
	char name[64];

	(void)argc;
	unescape(argv[0], name, sizeof(name));
	return prctl(PR_SET_NAME, name) < 0 ? fail(c, errno, "prctl PR_SET_NAME") : 0;
}

/* New memory lies below the stack, where the arguments are: the start goes there first. */
int cmd_cmdline(struct client *c, int argc, char **argv)
{
	size_t length = strlen(argv[0]) + 1;
	uint64_t size = length;
	char *line;
	int r = argc > 1 ? parse_number(c, "size", argv[1], &size) : 0;

	if (r < 0)
		return r;
	if (size < length)
		size = length;
	line = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (line == MAP_FAILED)
		return fail(c, errno, "mmap of %" PRIu64 " bytes", size);
	length = unescape(argv[0], line, length);
	if (argc > 1)
		memset(line + length, 'x', size - length);
	else
		size = length + 1;
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, line, 0, 0) < 0 ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_END, line + size, 0, 0) < 0)
		return fail(c, errno, "prctl PR_SET_MM");
	return 0;
}

int cmd_sleep(struct client *c, int argc, char **argv)
{
	uint64_t ms;
	int r = parse_number(c, "milliseconds", argv[0], &ms);

	(void)argc;
	if (r == 0)
		sleep_ms(ms);
	return r;
}

int cmd_print(struct client *c, int argc, char **argv)
{
	(void)c;
	for (int i = 0; i < argc; i++)
		printf("%s%s", i ? " " : "", argv[i]);
	putchar('\n');
	fflush(stdout);
	return 0;
}

int cmd_barrier(struct client *c, int argc, char **argv)
{
	(void)c;
	(void)argc;
	while (access(argv[0], F_OK) < 0)
		sleep_ms(BARRIER_STEP_MS);
	return 0;
}

#define EVENTUALLY_STEPS   3000
#define EVENTUALLY_STEP_MS 10

/* For what follows from something that is done, but not at once. */
int cmd_eventually(struct client *c, int argc, char **argv)
{
	int r = 0;

	(void)argc;
	for (int i = 0; i < EVENTUALLY_STEPS; i++) {
		r = script_execute(c, argv[0]);
		if (r == 0 || r == SCRIPT_ERROR)
			return r;
		sleep_ms(EVENTUALLY_STEP_MS);
	}
	return r;
}

static int touch_file(struct client *c, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return fail(c, errno, "create %s", path);
	close(fd);
	return 0;
}

int cmd_touch_file(struct client *c, int argc, char **argv)
{
	(void)argc;
	return touch_file(c, argv[0]);
}

/* SIGTERM is blocked before FILE appears, so that whoever waits for FILE may send it at once. */
int cmd_hold(struct client *c, int argc, char **argv)
{
	sigset_t term, old;
	int r = 0;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	if (argc)
		r = touch_file(c, argv[0]);
	if (r == 0)
		while (sigwaitinfo(&term, NULL) < 0 && errno == EINTR)
			;
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

int cmd_pid(struct client *c, int argc, char **argv)
{
	int r = set_pid(c, "", "PID", getpid());

	(void)argc;
	(void)argv;
	return r < 0 ? r : answer(c, "%d", getpid());
}

int cmd_set(struct client *c, int argc, char **argv)
{
	int r = check_name(c, argv[0]);

	(void)argc;
	if (r < 0)
		return r;
	return setenv(argv[0], argv[1], 1) < 0 ? fail(c, errno, "set %s", argv[0]) : 0;
}

int cmd_run(struct client *c, int argc, char **argv)
{
	int pieces, status;

	(void)argc;
	pieces = pieces_export(c);
	if (pieces < 0)
		return pieces;
	fflush(stdout);
	status = system(argv[0]);
	close(pieces);
	unsetenv("VFIO_CLIENT_PIECES");
	if (status < 0)
		return fail(c, errno, "run %s", argv[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	wrong(c, "run: %s %d: %s", WIFEXITED(status) ? "exit status" : "signal",
	      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), argv[0]);
	return -EIO;
}
