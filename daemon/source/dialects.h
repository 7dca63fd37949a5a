/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_DIALECTS_H
#define VFIOWATCH_SOURCE_DIALECTS_H

/* Which dialects of the uAPI the loaded VFIO drivers speak. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Fills *ret with 1 << enum cookie_dialect of each dialect whose uAPI structure is in the BTF of vfio, vfio_pci_core or a driver that
 * uses it, or of the kernel proper if they are built in. Region info and drivers of their own are always there.
 * @sys: where sysfs is mounted. What cannot be read is taken as not spoken. Returns false if a driver is still on its
 * way in: its BTF may not be there yet.
 */
bool dialects_spoken(const char *sys, uint64_t *ret);

#endif
