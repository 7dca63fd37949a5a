/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_COLUMNS_H
#define VFIOWATCH_CLI_COLUMNS_H

/* Which columns each list has, in tables and on the screen alike. */

#include "cli/view.h"
#include "lists.h"

const struct view *list_view(enum row_list list);

#endif
