/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_TERMINAL_H
#define VFIOWATCH_TUI_TERMINAL_H

/* The terminal: the only place that knows ncurses. Standard input and output. */

#include "tui/grid.h"
#include "tui/press.h"

struct terminal;

/* Takes the terminal over; @colour false: none. NULL: @error says why not. */
struct terminal *terminal_open(bool colour, const char **error);
/* Gives it back as it was. Returns NULL. */
struct terminal *terminal_close(struct terminal *terminal);

/* Makes the screen equal to @grid; writes what is not so yet. */
void terminal_show(struct terminal *terminal, const struct grid *grid);
/* Writes all of it with the next terminal_show(). */
void terminal_redraw(struct terminal *terminal);

/* The next key or button. False: there is none now. */
bool terminal_press(struct terminal *terminal, struct press *ret);

/* The size as it is now, which is taken from then on. */
void terminal_size(struct terminal *terminal, int *rows, int *columns);

/* Gives the terminal back, and takes it again after the process was stopped in between. */
void terminal_suspend(struct terminal *terminal);
void terminal_resume(struct terminal *terminal);

#endif
