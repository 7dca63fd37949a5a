// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/progress.h"

bool progress_check(struct progress *progress, uint64_t consumed, uint64_t produced)
{
	bool stuck = progress->waited && progress->consumed == consumed;

	progress->consumed = consumed;
	progress->waited = consumed != produced;
	return !stuck;
}
