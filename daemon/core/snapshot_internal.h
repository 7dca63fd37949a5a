/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_SNAPSHOT_INTERNAL_H
#define VFIOWATCH_CORE_SNAPSHOT_INTERNAL_H

/* What rows of entries and rows of events share. */

#include "core/rows.h"
#include "core/snapshot.h"

/* Value of the key `effective`; NULL: unknown. */
const char *effective_name(const struct effective *effective);

/* The physical address of the mapping's start, from its layout or its pages. False: unknown, or there is more
 * than one range. */
bool mapping_phys_start(const struct mapping *mapping, uint64_t *ret);

/* Whether a list has it without --all, a live one. */
bool device_is_listed(const struct device *device);
bool mapping_is_listed(const struct mapping *mapping);

/* `pid` and `comm` */
void row_process(struct row *row, const struct process *process);

/* `unit`, `slice`, `user_unit`, `machine`, `machine_source`, `machine_uuid` and `domain`; NULL: unknown */
void row_identity(struct row *row, const struct process *process);

#endif
