/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory types that the kernel reserved for the BARs of devices. */
#include "core/ledger_internal.h"

static void drop(struct ledger *ledger, struct device *device, unsigned int i)
{
	process_release(ledger, device->reservations[i].process);
	device->n_reservations--;
	memmove(&device->reservations[i], &device->reservations[i + 1],
		(device->n_reservations - i) * sizeof(device->reservations[0]));
}

/* For a device that is dropped. The processes stay until the next event, as the device does. */
void reservations_release(struct ledger *ledger, struct device *device)
{
	while (device->n_reservations > 0)
		drop(ledger, device, device->n_reservations - 1);
}

static bool is_same(const struct reservation *a, const struct reservation *b)
{
	return a->phys_start == b->phys_start && a->phys_end == b->phys_end && a->requested == b->requested &&
	       a->given == b->given && a->process == b->process;
}

/*
 * Keeps @fresh in the order of time, the newest first; of what is the same in all but time the newest is
 * kept. When full the oldest is forgotten. The reference to its process is counted here.
 */
static bool keep(struct ledger *ledger, struct device *device, const struct reservation *fresh)
{
	struct reservation *all = device->reservations;
	unsigned int i;

	for (i = 0; i < device->n_reservations; i++) {
		if (!is_same(&all[i], fresh))
			continue;
		if (all[i].time_ns >= fresh->time_ns)
			return false;
		break;
	}
	if (fresh->process)
		fresh->process->references++;
	if (i < device->n_reservations)
		drop(ledger, device, i);
	for (i = 0; i < device->n_reservations && all[i].time_ns > fresh->time_ns;)
		i++;
	if (device->n_reservations == RESERVATIONS_KEPT && i < RESERVATIONS_KEPT)
		drop(ledger, device, RESERVATIONS_KEPT - 1);
	if (i == RESERVATIONS_KEPT) {
		process_release(ledger, fresh->process);
		return false;
	}
	memmove(&all[i + 1], &all[i], (device->n_reservations - i) * sizeof(all[0]));
	all[i] = *fresh;
	device->n_reservations++;
	return true;
}

int apply_reservation(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_reservation *told = &event->reservation;
	struct reservation fresh = {
		.phys_start = told->phys_start,
		.phys_end = told->phys_end,
		.requested = told->requested,
		.given = told->given,
		.time_ns = event->header.time_ns,
	};
	uint32_t region;
	int r;

	if (told->phys_start >= told->phys_end || told->requested >= MEMTYPE_TYPES ||
	    told->given >= MEMTYPE_TYPES)
		return -EBADMSG;
	for (struct device *device = ledger->devices; device; device = device->hh.next) {
		if (!device_bar_at(device, told->phys_start, told->phys_end - 1, &region))
			continue;
		if (!change->device) {
			r = process_acquire(ledger, &event->header.who, event->header.time_ns,
					    &fresh.process);
			if (r < 0)
				return r;
			change->device = device;
		}
		if (keep(ledger, device, &fresh))
			change->kind = CHANGE_RESERVED;
	}
	/* The reference of this function; those of the devices are their own. */
	if (change->device)
		process_release(ledger, fresh.process);
	return 0;
}
