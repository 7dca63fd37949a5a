/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * speed COMMAND..: runs the view in a terminal, presses 1000 keys, and tells how long each took to be
 * answered; then what it costs when nobody presses any. On its screen of mappings; to be used by
 * tests/tui/bench.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define KEYS     1000
#define IDLE_SEC 10

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* CPU seconds of @pid so far. */
static double cpu(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &system) != 2)
		fprintf(stderr, "speed: %s is not understood\n", path);
	if (file)
		fclose(file);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void drain(struct screen *screen, double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		screen_read(screen, 20);
}

/* The state of the list ("17/10000") tells whether a key was answered. */
static bool shows(const struct screen *screen, unsigned int line)
{
	char *text = screen_text(screen, false), wanted[32];
	bool there;

	snprintf(wanted, sizeof(wanted), " %u/", line);
	there = strstr(text, wanted);
	free(text);
	return there;
}

int main(int argc, char **argv)
{
	struct screen *screen = argc > 1 ? screen_run(argv + 1, 40, 120) : NULL;
	static double took[KEYS];
	double before;

	if (!screen)
		return 2;
	drain(screen, 3);
	screen_type(screen, "3g");
	drain(screen, 3);
	for (unsigned int i = 0; i < KEYS; i++) {
		before = now();
		screen_type(screen, "j");
		while (!shows(screen, i + 2) && now() < before + 5)
			screen_read(screen, 1);
		took[i] = now() - before;
	}
	qsort(took, KEYS, sizeof(took[0]), compare);
	printf("a key: median %.1f ms, 99 %% %.1f ms, worst %.1f ms\n", took[KEYS / 2] * 1e3,
	       took[KEYS * 99 / 100] * 1e3, took[KEYS - 1] * 1e3);
	before = cpu(screen_pid(screen));
	drain(screen, IDLE_SEC);
	printf("CPU without keys: %.2f %% of a core\n", (cpu(screen_pid(screen)) - before) / IDLE_SEC * 100);
	screen_end(screen);
	return 0;
}
