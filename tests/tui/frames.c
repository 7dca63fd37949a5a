/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * frames [--update] [--looks] [--times] GOLDEN COMMAND..: runs COMMAND in a terminal as the script on
 *standard input says, and compares what is shown with the frames in GOLDEN. Lines of the script:
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
 *	mask			times of the day are not compared
 *	picture FILE		writes what is shown as SVG
 *	end			waits until the command ends, which must be with status 0
 */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "screen.h"

/* Until then a frame must be there; when it is to be written: how long nothing may change before. */
#define WAIT_MSEC   20000
#define SETTLE_MSEC 400

struct test {
	bool update, looks, mask, times;
	const char *path;
	char *golden;
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

static char *shown(const struct test *test)
{
	char *text = screen_text(test->screen, test->looks);

	for (char *c = text; test->mask && *c; c++)
		if ((c == text || c[-1] == ' ') && is_time(c))
			memcpy(c, "HH:MM:SS", 8);
	return text;
}

/* The frame between its title and the next. NULL: there is none. */
static char *expected(const struct test *test, const char *name)
{
	char title[256], *start, *end;

	snprintf(title, sizeof(title), "=== %s\n", name);
	start = strstr(test->golden, title);
	if (!start || (start > test->golden && start[-1] != '\n'))
		return NULL;
	start += strlen(title);
	end = strstr(start, "\n=== ");
	return end ? strndup(start, (size_t)(end - start) + 1) : strdup(start);
}

static void settle(struct test *test)
{
	char *before = NULL;
	long since = now_msec(), limit = since + WAIT_MSEC;

	while (now_msec() - since < SETTLE_MSEC && now_msec() < limit) {
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

static void compare(struct test *test, const char *name)
{
	char *wanted = expected(test, name), *now = shown(test);
	long limit = now_msec() + WAIT_MSEC;

	test->frames++;
	while (wanted && strcmp(wanted, now) != 0 && now_msec() < limit && !screen_ended(test->screen)) {
		screen_read(test->screen, 50);
		free(now);
		now = shown(test);
	}
	if (!wanted || strcmp(wanted, now) != 0) {
		test->failed++;
		printf("%s: frame %s %s\n--- wanted\n%s--- shown\n%s", test->path, name,
		       wanted ? "differs" : "is missing", wanted ? wanted : "", now);
	}
	free(wanted);
	free(now);
}

static void frame(struct test *test, const char *name)
{
	char *text;

	if (!test->update) {
		compare(test, name);
		return;
	}
	settle(test);
	text = shown(test);
	fprintf(test->out, "=== %s\n%s", name, text);
	free(text);
	test->frames++;
}

/* Waits until @wanted is shown, or is not any more; tells how long that took. */
static void await(struct test *test, const char *wanted, bool there)
{
	long began = now_msec(), limit = began + WAIT_MSEC;
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
	long limit = now_msec() + WAIT_MSEC;
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
		return system(line + 4) == 0;
	if (strcmp(line, "mask") == 0)
		return test->mask = true;
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

int main(int argc, char **argv)
{
	struct test test = {};
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	for (; argc > 1 && strncmp(argv[1], "--", 2) == 0; argc--, argv++) {
		test.update |= strcmp(argv[1], "--update") == 0;
		test.times |= strcmp(argv[1], "--times") == 0;
		test.looks |= strcmp(argv[1], "--looks") == 0;
	}
	if (argc < 3) {
		fputs("frames [--update] [--looks] [--times] GOLDEN COMMAND..\n", stderr);
		return 2;
	}
	test.path = argv[1];
	test.command = argv + 2;
	test.golden = read_all(test.path);
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
	printf("%s: %u frames, %u failures\n", test.path, test.frames, test.failed);
	return test.failed > 0;
}
