/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * frames [OPTION].. GOLDEN COMMAND..: runs COMMAND in a terminal as the script on standard input says, and
 * compares what is shown with the frames in GOLDEN.
 *
 *	--update	writes GOLDEN
 *	--looks		colours and the like are compared too
 *	--text=FILE	GOLDEN has the looks only; the text is that of the frames in FILE
 *	--wait=MSEC	how long something that does not come is waited for
 *	--times		tells how long it took until something was shown
 *
 * Lines of the script:
 *
 *	size ROWS COLUMNS	the terminal has this size from now on; the first line
 *	keys KEYS		presses them, as screen_type() takes them
 *	click ROW COLUMN	with the left button
 *	frame NAME		waits until the frame of this name is shown
 *	await TEXT		waits until TEXT is shown
 *	gone TEXT		waits until TEXT is not shown
 *	resizes N		gives the terminal N sizes at random
 *	stray			nothing is shown that would not be there if all of it was drawn anew
 *	run COMMAND		runs it in a shell
 *	mask			times of the day in the first row are not compared
 *	picture FILE		writes what is shown as SVG
 *	end			waits until the command ends, which must be with status 0
 */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

/* Until then a frame must be there, if the ones before it were. */
#define WAIT_MSEC 20000
/* When it is to be written: how long nothing may change before, with a daemon or with nobody but itself at
 * work. */
#define SETTLE_MSEC 400
#define QUIET_MSEC  60

struct test {
	bool update, looks, mask, times, helped; /* helped: others are at work */
	long wait_msec;
	const char *path, *text_path;
	char *golden, *text_golden;
	FILE *out;
	struct screen *screen;
	char **command;
	unsigned int frames, failed;
};

static long now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		return strdup("");
	if (getdelim(&text, &size, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(file);
	return text;
}

static bool is_time(const char *text)
{
	static const char form[] = "dd:dd:dd";

	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

static char *shown_with(const struct test *test, bool looks)
{
	char *text = screen_text(test->screen, looks);

	for (char *c = text; test->mask && *c && *c != '\n'; c++)
		if ((c == text || c[-1] == ' ') && is_time(c))
			memcpy(c, "HH:MM:SS", 8);
	return text;
}

static char *shown(const struct test *test)
{
	return shown_with(test, test->looks);
}

/* The frame between its title and the next. NULL: there is none. */
static char *frame_in(char *golden, const char *name)
{
	char title[256], *start, *end;

	snprintf(title, sizeof(title), "\n=== %s\n", name);
	if (strncmp(golden, title + 1, strlen(title + 1)) == 0)
		start = golden + strlen(title + 1);
	else if ((start = strstr(golden, title)))
		start += strlen(title);
	else
		return NULL;
	end = strstr(start - 1, "\n=== ");
	return end ? strndup(start, (size_t)(end + 1 - start)) : strdup(start);
}

static char *expected(const struct test *test, const char *name)
{
	char *looks = frame_in(test->golden, name), *text, *both = NULL;

	if (!test->text_golden)
		return looks;
	text = frame_in(test->text_golden, name);
	if (text && looks && asprintf(&both, "%s%s", text, looks) < 0)
		both = NULL;
	free(text);
	free(looks);
	return both;
}

/* It waits for input. */
static bool is_asleep(const struct test *test)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)screen_pid(test->screen));
	file = fopen(path, "r");
	if (!file)
		return true;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state == 'S';
}

static void settle(struct test *test)
{
	char *before = NULL;
	long since = now_msec(), limit = since + test->wait_msec;

	while ((now_msec() - since < (test->helped || !test->text_golden ? SETTLE_MSEC : QUIET_MSEC) ||
		!is_asleep(test)) &&
	       now_msec() < limit) {
		char *now;

		screen_read(test->screen, 20);
		now = shown(test);
		if (!before || strcmp(before, now) != 0)
			since = now_msec();
		free(before);
		before = now;
	}
	free(before);
}

static void differs(struct test *test, const char *name, const char *wanted, const char *now)
{
	test->failed++;
	printf("%s: frame %s %s\n--- wanted\n%s--- shown\n%s", test->path, name,
	       wanted ? "differs" : "is missing", wanted ? wanted : "", now);
}

static void compare(struct test *test, const char *name)
{
	char *wanted = expected(test, name), *now = shown(test);
	long limit =
		now_msec() + (test->failed && test->wait_msec > SETTLE_MSEC ? SETTLE_MSEC : test->wait_msec);

	while (wanted && strcmp(wanted, now) != 0 && now_msec() < limit && !screen_ended(test->screen)) {
		screen_read(test->screen, 50);
		free(now);
		now = shown(test);
	}
	if (!wanted || strcmp(wanted, now) != 0)
		differs(test, name, wanted, now);
	free(wanted);
	free(now);
}

/* Until exactly that is shown. */
static void await_text(struct test *test, const char *wanted)
{
	long limit = now_msec() + test->wait_msec;
	char *now = shown_with(test, false);

	while (strcmp(wanted, now) != 0 && now_msec() < limit && !screen_ended(test->screen)) {
		screen_read(test->screen, 50);
		free(now);
		now = shown_with(test, false);
	}
	free(now);
}

/* Text that was written before is waited for. */
static void write_frame(struct test *test, const char *name)
{
	char *wanted = test->text_golden ? frame_in(test->text_golden, name) : NULL, *now, *text;

	if (wanted)
		await_text(test, wanted);
	settle(test);
	now = shown(test);
	text = shown_with(test, false);
	if (test->text_golden && (!wanted || strcmp(wanted, text) != 0))
		differs(test, name, wanted, text);
	fprintf(test->out, "=== %s\n%s", name, test->text_golden ? now + strlen(text) : now);
	free(wanted);
	free(text);
	free(now);
}

static void frame(struct test *test, const char *name)
{
	test->frames++;
	if (test->update)
		write_frame(test, name);
	else
		compare(test, name);
}

/* Waits until @wanted is shown, or is not any more; tells how long that took. */
static void await(struct test *test, const char *wanted, bool there)
{
	long began = now_msec(), limit = began + test->wait_msec;
	char *text = shown(test);

	while (!strstr(text, wanted) == there && now_msec() < limit) {
		screen_read(test->screen, 10);
		free(text);
		text = shown(test);
	}
	if (!strstr(text, wanted) == there) {
		printf("%s: %s: %s\n%s", test->path, there ? "not shown" : "still shown", wanted, text);
		test->failed++;
	} else if (test->times) {
		printf("%ld ms until %s: %s\n", now_msec() - began, there ? "shown" : "gone", wanted);
	}
	free(text);
}

static void resize_at_random(struct test *test, unsigned int n)
{
	unsigned int seed = 1;

	for (unsigned int i = 0; i < n; i++) {
		/* libvterm 0.1.4 does not bear much smaller ones. */
		int rows = 2 + rand_r(&seed) % 60, columns = 10 + rand_r(&seed) % 200;

		screen_resize(test->screen, rows, columns);
		screen_read(test->screen, rand_r(&seed) % 100);
	}
}

/* What is shown must be what a terminal shows that is cleared and drawn anew. */
static void check_stray(struct test *test)
{
	char *before, *after;

	settle(test);
	before = shown(test);
	screen_type(test->screen, "<C-l>");
	settle(test);
	after = shown(test);
	if (strcmp(before, after) != 0) {
		printf("%s: stray cells\n--- before\n%s--- drawn anew\n%s", test->path, before, after);
		test->failed++;
	}
	free(before);
	free(after);
}

static void end(struct test *test)
{
	long limit = now_msec() + test->wait_msec;
	int status;

	while (!screen_ended(test->screen) && now_msec() < limit)
		screen_read(test->screen, 50);
	if (!screen_ended(test->screen))
		printf("%s: the command does not end\n", test->path);
	status = screen_end(test->screen);
	test->screen = NULL;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		printf("%s: the command ended with wait status 0x%x\n", test->path, (unsigned int)status);
		test->failed++;
	}
}

static void picture(struct test *test, const char *path)
{
	FILE *out;

	settle(test);
	out = fopen(path, "w");
	if (!out || (screen_svg(test->screen, out), fclose(out)) != 0) {
		printf("%s: cannot be written\n", path);
		test->failed++;
	}
}

/* SCREEN_PID is for what the script runs. */
static void start(struct test *test, int rows, int columns)
{
	char pid[16];

	test->screen = screen_run(test->command, rows, columns);
	if (!test->screen)
		return;
	snprintf(pid, sizeof(pid), "%d", (int)screen_pid(test->screen));
	setenv("SCREEN_PID", pid, 1);
}

/* What is drawn meanwhile is taken, or the program would wait for room in the terminal. */
static bool run_beside(struct test *test, const char *command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (!test->screen || !screen_read(test->screen, 20))
			usleep(1000);
	return status == 0;
}

/* False: this line is no command. */
static bool step(struct test *test, const char *line)
{
	int rows, columns;

	if (sscanf(line, "size %d %d", &rows, &columns) == 2) {
		if (test->screen)
			screen_resize(test->screen, rows, columns);
		else
			start(test, rows, columns);
		return test->screen;
	}
	if (strncmp(line, "run ", 4) == 0)
		return test->helped = true, run_beside(test, line + 4);
	if (strcmp(line, "mask") == 0)
		return test->helped = test->mask = true;
	if (!test->screen)
		return false;
	if (strncmp(line, "keys ", 5) == 0)
		return screen_type(test->screen, line + 5);
	if (sscanf(line, "click %d %d", &rows, &columns) == 2)
		screen_click(test->screen, rows, columns, 1);
	else if (strncmp(line, "frame ", 6) == 0)
		frame(test, line + 6);
	else if (strncmp(line, "await ", 6) == 0)
		await(test, line + 6, true);
	else if (strncmp(line, "gone ", 5) == 0)
		await(test, line + 5, false);
	else if (sscanf(line, "resizes %d", &rows) == 1)
		resize_at_random(test, (unsigned int)rows);
	else if (strcmp(line, "stray") == 0)
		check_stray(test);
	else if (strncmp(line, "picture ", 8) == 0)
		picture(test, line + 8);
	else if (strcmp(line, "end") == 0)
		end(test);
	else
		return false;
	return true;
}

static bool take_options(struct test *test, int argc, char **argv)
{
	for (; argc > 1 && strncmp(argv[1], "--", 2) == 0; argc--, argv++) {
		if (strcmp(argv[1], "--update") == 0)
			test->update = true;
		else if (strcmp(argv[1], "--times") == 0)
			test->times = true;
		else if (strcmp(argv[1], "--looks") == 0)
			test->looks = true;
		else if (strncmp(argv[1], "--text=", 7) == 0)
			test->text_path = argv[1] + 7;
		else if (strncmp(argv[1], "--wait=", 7) == 0)
			test->wait_msec = atol(argv[1] + 7);
		else
			return false;
	}
	if (argc < 3)
		return false;
	test->path = argv[1];
	test->command = argv + 2;
	test->golden = read_all(test->path);
	if (test->text_path) {
		test->looks = true;
		test->text_golden = read_all(test->text_path);
	}
	return true;
}

int main(int argc, char **argv)
{
	struct test test = {.wait_msec = WAIT_MSEC};
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!take_options(&test, argc, argv)) {
		fputs("frames [--update] [--looks] [--text=FILE] [--wait=MSEC] [--times] GOLDEN COMMAND..\n",
		      stderr);
		return 2;
	}
	if (test.update && !(test.out = fopen(test.path, "w"))) {
		perror(test.path);
		return 1;
	}
	while ((n = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && !step(&test, line)) {
			printf("%s: this step failed: %s\n", test.path, line);
			test.failed++;
			break;
		}
	}
	if (test.screen)
		screen_end(test.screen);
	if (test.out)
		fclose(test.out);
	free(line);
	free(test.golden);
	free(test.text_golden);
	printf("%s: %u frames, %u failures\n", test.path, test.frames, test.failed);
	return test.failed > 0;
}
