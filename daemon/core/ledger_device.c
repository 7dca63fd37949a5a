/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "core/ledger_internal.h"

const struct device *ledger_device_by_name(const struct ledger *ledger, const char *name)
{
	struct device *device = NULL;

	HASH_FIND_STR(ledger->devices, name, device);
	return device;
}

/* As pci_setup_device() of drivers/pci/probe.c names it. */
void ledger_pci_name(uint64_t address, char name[EVENT_NAME_LEN + 1])
{
	memset(name, 0, EVENT_NAME_LEN + 1);
	snprintf(name, EVENT_NAME_LEN + 1, "%04x:%02x:%02x.%x", (unsigned int)(address >> 16 & 0xffffffff),
		 (unsigned int)(address >> 8 & 0xff), (unsigned int)(address >> 3 & 0x1f),
		 (unsigned int)(address & 7));
}

/* The address names a PCI device, so that files and EVENT_DEVICE meet; only others go by the text. */
static void file_device_name(const struct event_file *file, char name[EVENT_NAME_LEN + 1])
{
	if (file->flags & EVENT_DEVICE_IS_PCI)
		ledger_pci_name(file->pci_address, name);
	else
		copy_text(name, EVENT_NAME_LEN + 1, file->device, sizeof(file->device));
}

bool file_names_device(const struct event_file *file)
{
	return file->flags & EVENT_DEVICE_IS_PCI || file->device[0];
}

bool device_is(const struct device *device, const struct event_file *file)
{
	char name[EVENT_NAME_LEN + 1];

	file_device_name(file, name);
	return strcmp(name, device->name) == 0;
}

static int device_new(struct ledger *ledger, const char name[EVENT_NAME_LEN + 1], struct device **ret)
{
	struct device *device;

	if (HASH_COUNT(ledger->devices) >= ledger->entries_max)
		return -ENOSPC;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	memcpy(device->name, name, sizeof(device->name));
	HASH_ADD_STR(ledger->devices, name, device);
	if (!device->hh.tbl) {
		free(device);
		return -ENOMEM;
	}
	device->id = ++ledger->devices_named;
	*ret = device;
	return 0;
}

/* The device behind @file with one more reference; *ret is NULL if the event does not name it. */
int device_acquire(struct ledger *ledger, const struct event_file *file, struct device **ret)
{
	char name[EVENT_NAME_LEN + 1];
	struct device *device = NULL;
	int r;

	*ret = NULL;
	if (!file_names_device(file))
		return 0;
	if (file->flags & EVENT_DEVICE_IS_PCI && file->pci_address >> PCI_ADDRESS_BITS)
		return -EBADMSG;
	file_device_name(file, name);
	HASH_FIND_STR(ledger->devices, name, device);
	if (!device) {
		r = device_new(ledger, name, &device);
		if (r < 0)
			return r;
	}
	if (file->flags & EVENT_DEVICE_IS_PCI) {
		device->is_pci = true;
		device->pci_address = file->pci_address;
	}
	device->references++;
	*ret = device;
	return 0;
}

int device_acquire_pci(struct ledger *ledger, uint64_t address, struct device **ret)
{
	const struct event_file file = {.flags = EVENT_DEVICE_IS_PCI, .pci_address = address};

	return device_acquire(ledger, &file, ret);
}

/* A device stays while a file or a mapping points to it or sysfs has it. */
static void device_depart_if_unused(struct ledger *ledger, struct device *device)
{
	if (device->references || (device->facts_known && device->facts.present))
		return;
	reservations_release(ledger, device);
	HASH_DEL(ledger->devices, device);
	device->hh.next = ledger->departed_devices;
	ledger->departed_devices = device;
}

void device_release(struct ledger *ledger, struct device *device)
{
	if (!device)
		return;
	device->references--;
	device_depart_if_unused(ledger, device);
}

static int device_facts(const struct event_device *told, struct event_device *ret)
{
	if (told->pci_address >> PCI_ADDRESS_BITS || told->present > 1)
		return -EBADMSG;
	for (size_t i = 0; i < EVENT_BARS; i++) {
		uint64_t end;

		if (__builtin_add_overflow(told->bars[i].phys_start, told->bars[i].size, &end))
			return -EBADMSG;
	}
	*ret = *told;
	memset(ret->driver, 0, sizeof(ret->driver));
	memcpy(ret->driver, told->driver, strnlen(told->driver, sizeof(told->driver)));
	return 0;
}

int apply_device(struct ledger *ledger, const struct event *event, struct change *change)
{
	struct event_device facts;
	char name[EVENT_NAME_LEN + 1];
	struct device *device = NULL;
	int r;

	r = device_facts(&event->device, &facts);
	if (r < 0)
		return r;
	ledger_pci_name(facts.pci_address, name);
	HASH_FIND_STR(ledger->devices, name, device);
	if (!device && !facts.present)
		return 0;
	if (!device) {
		r = device_new(ledger, name, &device);
		if (r < 0)
			return r;
	}
	change->device = device;
	device->is_pci = true;
	device->pci_address = facts.pci_address;
	if (device->facts_known && memcmp(&facts, &device->facts, sizeof(facts)) == 0)
		return 0;
	device->facts = facts;
	device->facts_known = true;
	change->kind = CHANGE_DEVICE;
	/* Held: it is left to its caller when its last mapping turns out to belong elsewhere. */
	device->references++;
	place_all(ledger);
	device_release(ledger, device);
	return 0;
}
