/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_DIALECTS_H
#define VFIOWATCH_SOURCE_DIALECTS_H

/* Which VFIO drivers are loaded, and which dialects of the uAPI they speak. */

#include <stdbool.h>
#include <stdint.h>

#include "vfiowatch/event.h"

/*
 * Fills *ret with 1 << enum cookie_dialect of each dialect whose uAPI structure is in the BTF of vfio,
 * vfio_pci_core or a driver that uses it, or of the kernel proper if they are built in. Region info and
 * drivers of their own are always there.
 * @sys: where sysfs is mounted. What cannot be read is taken as not spoken. Returns false if a driver is
 * still on its way in: its BTF may not be there yet.
 */
bool dialects_spoken(const char *sys, uint64_t *ret);

/*
 * Fills @drivers with the names of vfio_pci_core and the drivers that use it, zero after their end; unused
 * ones are all zero. What is over EVENT_DRIVERS_MAX is left out.
 */
void vfio_drivers(const char *sys, char drivers[EVENT_DRIVERS_MAX][EVENT_MODULE_LEN]);

#endif
