/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_LEDGER_INTERNAL_H
#define VFIOWATCH_CORE_LEDGER_INTERNAL_H

/*
 * What the files of the ledger share. Their functions return 0, -ENOMEM, or for an event that cannot be taken
 * -EBADMSG (malformed) or -ENOSPC (a limit): ledger_apply() turns the last two into CHANGE_REFUSED. In each
 * of these cases the ledger is as it was before.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ledger.h"

#include <utlist.h>

#if !HASH_NONFATAL_OOM
#error "uthash.h was included without HASH_NONFATAL_OOM"
#endif

#define READING_KINDS 4

/* Smallest page of the architectures we run on. */
#define PAGE_UNIT        4096

#define PCI_ADDRESS_BITS 48

/* An id whose end was told while nothing else was known of it. */
struct tombstone {
	uint64_t id;
	uint64_t time_ns;
	UT_hash_handle hh; /* in order of insertion: the head of the table is the oldest */
};

/* Mappings that were told of before the cookie whose file they map. */
struct cookie_wait {
	uint64_t id;
	struct mapping *mapping_list; /* as in struct cookie */
	UT_hash_handle hh;
};

struct reading_state {
	uint64_t number;   /* readings begun; entries carry the number in which they were told last */
	uint64_t complete; /* number of the last complete one */
	bool open;
};

struct ledger {
	enum memtype_arch arch;
	size_t entries_max, history_max, runs_max;

	struct process *processes;
	struct device *devices;
	struct device_file *files; /* live and closed, as cookies and mappings */
	struct cookie *cookies;
	struct mapping *mappings;
	struct holder *holders;
	struct cookie_wait *cookie_waits;

	struct device_file *closed_files; /* DL lists, oldest first */
	struct cookie *closed_cookies;
	struct mapping *closed_mappings;
	size_t n_closed_files, n_closed_cookies, n_closed_mappings;
	struct tombstone *ended_files, *ended_cookies, *ended_mappings;
	struct tombstone *early_pages; /* mappings whose pages were told of before they were */

	uint64_t devices_named; /* last device id given out */
	struct ledger_counts counts;
	size_t runs;             /* of all mappings */
	size_t pages_due;        /* live mappings whose pages a walk would make known */
	uint64_t revoked_ns;     /* time of the newest EVENT_REVOKE */
	uint64_t pages_lost_ns;  /* time of the newest EVENT_LOST of events about pages */
	struct mapping *touched; /* DL list by touched_previous, touched_next; the first change comes first */

	struct reading_state readings[READING_KINDS];
	struct device_file *next_file; /* where ledger_next_absent() goes on */
	struct cookie *next_cookie;
	struct mapping *next_mapping;
	struct holder *next_holder;

	/* Freed by the next ledger_apply(), because struct change may point to them. Linked by hh.next. */
	struct process *departed_processes;
	struct device *departed_devices;
};

static inline bool origin_is_kernel(const struct event *event)
{
	return event->header.origin == EVENT_ORIGIN_KERNEL;
}

/* ledger.c */
struct tombstone *tombstone_find(struct tombstone *table, uint64_t id);
int tombstone_add(struct ledger *ledger, struct tombstone **table, const struct event *event, uint64_t id);
void tombstone_drop(struct tombstone **table, uint64_t id);
void copy_text(char *to, size_t size, const char *from, size_t length);

/* ledger_process.c: acquire and release count a reference; *ret is NULL for an unknown identity. */
int process_acquire(struct ledger *ledger, const struct event_process_id *id, uint64_t time_ns,
		    struct process **ret);
struct process *process_release(struct ledger *ledger, struct process *process);
bool process_name(struct ledger *ledger, const struct event_process_id *id, uint64_t time_ns,
		  struct process **ret);
int apply_process(struct ledger *ledger, const struct event *event, struct change *change);
int apply_identity(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_device.c */
int device_acquire(struct ledger *ledger, const struct event_file *file, struct device **ret);
int device_acquire_pci(struct ledger *ledger, uint64_t address, struct device **ret);
void device_release(struct ledger *ledger, struct device *device);
bool device_is(const struct device *device, const struct event_file *file);
bool file_names_device(const struct event_file *file);
int apply_device(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_file.c: acquire finds or makes the file, of unknown device, and counts a reference. */
struct device_file *file_find(const struct ledger *ledger, uint64_t id);
int file_new(struct ledger *ledger, uint64_t id, struct device_file **ret);
int file_acquire(struct ledger *ledger, uint64_t id, struct device_file **ret);
void file_release(struct ledger *ledger, struct device_file *file);
void file_forget(struct ledger *ledger, struct device_file *file);
int apply_file(struct ledger *ledger, const struct event *event, struct change *change);
int apply_release(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_holder.c */
void holder_remove(struct ledger *ledger, struct holder *holder);
int apply_holder(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_cookie.c */
struct cookie *cookie_find(const struct ledger *ledger, uint64_t id);
struct cookie *cookie_find_at(const struct device_file *file, uint64_t offset);
void cookie_reference(struct ledger *ledger, struct cookie *cookie);
void cookie_release(struct ledger *ledger, struct cookie *cookie);
void cookie_revoke(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns);
void cookie_close(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns, bool gone);
void cookie_forget(struct ledger *ledger, struct cookie *cookie);
int apply_cookie(struct ledger *ledger, const struct event *event, struct change *change);
int apply_cookie_release(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_place.c: what a mapping belongs to, and the list of those that were touched */
int cookie_wait_acquire(struct ledger *ledger, uint64_t id, struct cookie_wait **ret);
void cookie_wait_release(struct ledger *ledger, struct cookie_wait *wait);
void cookie_arrived(struct ledger *ledger, struct cookie *cookie);
void mapping_join_cookie(struct ledger *ledger, struct mapping *mapping, uint64_t id,
			 struct cookie_wait *wait);
void mapping_enters_device(struct mapping *mapping);
void mapping_leaves_device(struct mapping *mapping);
void mapping_set_device(struct ledger *ledger, struct mapping *mapping, struct device *device);
void mapping_place(struct ledger *ledger, struct mapping *mapping);
void mapping_displace(struct ledger *ledger, struct mapping *mapping);
void place_all(struct ledger *ledger);
void file_place_mappings(struct ledger *ledger, struct device_file *file);
void mapping_touch(struct ledger *ledger, struct mapping *mapping);
const struct event_bar *device_bar_at(const struct device *device, uint64_t first, uint64_t last,
				      uint32_t *region);

/*
 * ledger_pages.c: what is known of a mapping's pages: that there are none, nothing, of all mappings nothing
 * or only that the runs are populated, and what remains of it when the range changes. Freed by pages_drop().
 */
void pages_none(struct ledger *ledger, struct mapping *mapping);
void pages_forget(struct ledger *ledger, struct mapping *mapping);
void pages_forget_all(struct ledger *ledger, bool runs_too, uint64_t time_ns);
void pages_count(struct ledger *ledger, struct mapping *mapping);
void pages_fit(struct ledger *ledger, struct mapping *mapping, uint64_t start, uint64_t end);
void pages_drop(struct ledger *ledger, struct mapping *mapping);
int apply_pages(struct ledger *ledger, const struct event *event, struct change *change);
int apply_revoke(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_reservation.c */
void reservations_release(struct ledger *ledger, struct device *device);
int apply_reservation(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_request.c */
int apply_request(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_reading.c */
void fill_who(struct event *event, const struct process *process);

/* ledger_mapping.c */
struct mapping *mapping_find(const struct ledger *ledger, uint64_t id);
bool range_is_good(uint64_t start, uint64_t size);
void mapping_forget(struct ledger *ledger, struct mapping *mapping);
int apply_map(struct ledger *ledger, const struct event *event, struct change *change);
int apply_copy(struct ledger *ledger, const struct event *event, struct change *change);
int apply_mapping(struct ledger *ledger, const struct event *event, struct change *change);
int apply_unmap(struct ledger *ledger, const struct event *event, struct change *change);

#endif
