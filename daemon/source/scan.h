/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_SCAN_H
#define VFIOWATCH_SOURCE_SCAN_H

/* Reading the truth: rows of events from the BPF iterators. */

#include "source/probes.h"
#include "vfiowatch/event.h"

typedef void (*scan_row)(void *userdata, const struct event *event);

/*
 * Runs one iterator to its end and hands over its rows. ITERATOR_HOLDERS gives one row per file and process,
 * with the number of descriptors. Returns 0, -ENODATA if nothing is being recorded, or a negative errno.
 */
int scan_read(struct probes *probes, enum probes_iterator which, scan_row row, void *userdata);

#endif
