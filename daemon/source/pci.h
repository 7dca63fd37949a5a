/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_PCI_H
#define VFIOWATCH_SOURCE_PCI_H

/* Facts about PCI devices from sysfs. */

#include <stdint.h>

#include "vfiowatch/event.h"

/*
 * Fills @ret with an EVENT_DEVICE for the device @name ("0000:3b:00.0"); a device that is not there gives
 * present = 0. @sys: where sysfs is mounted. Returns 0, or -EINVAL if @name is not a PCI address.
 */
int pci_read(const char *sys, const char *name, uint64_t now_ns, struct event *ret);

/* Calls @found for every PCI device that a VFIO driver has bound. Returns 0 or a negative errno. */
typedef void (*pci_found)(void *userdata, const char *name);
int pci_enumerate(const char *sys, pci_found found, void *userdata);

/* How many memory BARs all PCI devices of this machine have; 0 if that cannot be read. */
unsigned int pci_memory_bars(const char *sys);

#endif
