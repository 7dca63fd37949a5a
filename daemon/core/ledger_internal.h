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

/* An id whose end was told while nothing else was known of it. */
struct tombstone {
	uint64_t id;
	uint64_t time_ns;
	UT_hash_handle hh; /* in order of insertion: the head of the table is the oldest */
};

struct reading_state {
	uint64_t number;   /* readings begun; entries carry the number in which they were told last */
	uint64_t complete; /* number of the last complete one */
	bool open;
};

struct ledger {
	enum memtype_arch arch;
	size_t entries_max, history_max;

	struct process *processes;
	struct device *devices;
	struct device_file *files; /* live and closed, as cookies and mappings */
	struct cookie *cookies;
	struct mapping *mappings;
	struct holder *holders;

	struct device_file *closed_files; /* DL lists, oldest first */
	struct cookie *closed_cookies;
	struct mapping *closed_mappings;
	size_t n_closed_files, n_closed_cookies, n_closed_mappings;
	struct tombstone *ended_files, *ended_cookies, *ended_mappings;

	uint64_t devices_named; /* last device id given out */
	struct ledger_counts counts;

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

/* ledger_device.c */
int device_acquire(struct ledger *ledger, const struct event_file *file, struct device **ret);
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
void cookie_close(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns, bool gone);
void cookie_forget(struct ledger *ledger, struct cookie *cookie);
int apply_cookie(struct ledger *ledger, const struct event *event, struct change *change);
int apply_cookie_release(struct ledger *ledger, const struct event *event, struct change *change);

/* ledger_mapping.c */
void mapping_forget(struct ledger *ledger, struct mapping *mapping);
int apply_map(struct ledger *ledger, const struct event *event, struct change *change);
int apply_copy(struct ledger *ledger, const struct event *event, struct change *change);
int apply_mapping(struct ledger *ledger, const struct event *event, struct change *change);
int apply_unmap(struct ledger *ledger, const struct event *event, struct change *change);

#endif
