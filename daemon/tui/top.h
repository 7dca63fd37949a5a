/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TUI_TOP_H
#define VFIOWATCH_TUI_TOP_H

/* The live view: `vfiowatch`, `vfiowatch top`. */

#include "cli/cli.h"

enum exit_code verb_top(const struct options *options, struct failure *failure);

/* The screen of this name, in any case, or the beginning of one; -1: none. */
int screen_by_name(const char *name);

#endif
