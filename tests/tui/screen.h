/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_TUI_SCREEN_H
#define VFIOWATCH_TESTS_TUI_SCREEN_H

/* A program in a pseudo-terminal, and what a terminal would show of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct screen;

/* Runs @argv with a terminal of this size. NULL: errno says why not. */
struct screen *screen_run(char **argv, int rows, int columns);
/* SIGKILL if it still runs. Returns its wait status. */
int screen_end(struct screen *screen);

/* Reads what the program writes, for at most @msec. False: it wrote nothing in that time, or ended. */
bool screen_read(struct screen *screen, int msec);
bool screen_ended(const struct screen *screen);

/* Presses keys: bytes as they are, <Name> for others: <Enter> <Esc> <Tab> <Up> <PageDown> <F1> <C-l> .. */
bool screen_type(struct screen *screen, const char *keys);
void screen_click(struct screen *screen, int row, int column, int button);
void screen_resize(struct screen *screen, int rows, int columns);
pid_t screen_pid(const struct screen *screen);

/*
 * What is shown as text, lines without spaces at their ends. With @looks lines follow that say where it looks
 * other than plain: "@ROW COLUMN-COLUMN bold fg=203". The caller frees.
 */
char *screen_text(const struct screen *screen, bool looks);

/* The same as a picture. */
void screen_svg(const struct screen *screen, FILE *out);

#endif
