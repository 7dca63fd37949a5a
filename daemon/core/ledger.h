/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_LEDGER_H
#define VFIOWATCH_CORE_LEDGER_H

/*
 * The ledger: which VFIO devices, open device files, cookies, mappings and holders there are. Events build
 * it, live or from a capture; it knows no clock, file or kernel. Here a kernel event becomes a ledger entry.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A failed allocation in a hash table is an error to forward, never an exit. */
#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include <uthash.h>

#include "vfiowatch/event.h"
#include "vfiowatch/memtype.h"

/* Names one process of this boot: never a bare pid. */
struct process_key {
	uint64_t start_ns;
	uint64_t tgid; /* 64 bits wide so that the key has no padding */
};

struct process {
	struct process_key key;
	uint64_t cgroup_id;
	uint32_t uid;
	char comm[EVENT_COMM_LEN + 1];     /* raw bytes, terminated */
	char unit[2 * EVENT_NAME_LEN + 1]; /* empty: unknown */
	char machine[EVENT_NAME_LEN + 1];  /* empty: unknown */
	bool facts_known;                  /* an EVENT_PROCESS was applied since it is in this cgroup */
	uint64_t named_ns;                 /* time of the event that told comm, uid and cgroup_id */
	unsigned int references;           /* entries that point here; freed with the last */
	UT_hash_handle hh;
};

struct device {
	uint64_t id;          /* ledger's own, rising; also the paging key of the bus */
	uint64_t pci_address; /* valid if is_pci */
	bool is_pci;
	bool facts_known;                      /* facts holds what sysfs said */
	char name[EVENT_NAME_LEN + 1];         /* dev_name(): the BDF for PCI */
	struct event_device facts;             /* texts are zero after their end */
	unsigned int references;               /* files, live or in history, that point here */
	struct device_file *file_list;         /* live files; DL list by device_previous, device_next */
	unsigned int files, cookies, mappings; /* live */
	UT_hash_handle hh;                     /* by name */
};

struct holder {
	struct device_file *file; /* with process the hash key */
	struct process *process;
	unsigned int fds;
	uint64_t seen;                  /* reading in which it was seen last */
	struct holder *previous, *next; /* of the same file; DL list */
	UT_hash_handle hh;
};

struct device_file {
	uint64_t id;            /* event file_id */
	struct device *device;  /* NULL: unknown */
	struct process *opener; /* NULL: unknown */
	uint64_t opened_ns;     /* 0: unknown */
	bool from_scan, is_cdev, live;
	bool gone; /* the kernel told its end: nothing brings it back */
	uint64_t closed_ns;
	struct holder *holders;
	unsigned int n_holders;
	bool holders_known;             /* a quiet reading of descriptor tables began after it was opened */
	uint64_t born;                  /* holder readings begun before it was known */
	unsigned int cookies, mappings; /* live */
	unsigned int references;        /* cookies and mappings, live or in history, that point here */
	struct cookie *cookie_list;     /* live and in history, issued last comes last; DL list */
	uint64_t seen;
	struct device_file *device_previous, *device_next;
	struct device_file *previous, *next; /* history list while !live && !references */
	UT_hash_handle hh;
};

struct cookie {
	uint64_t id;
	struct device_file *file; /* never NULL */
	uint32_t region, flags, ranges;
	enum cookie_dialect dialect;
	uint64_t offset, size, phys_start;
	uint64_t issued;        /* 0: found by scan, times unknown */
	uint64_t issued_ns;     /* 0: unknown */
	struct process *issuer; /* first process it was issued to; NULL: unknown */
	bool live, gone;        /* as in struct device_file */
	uint64_t closed_ns;
	uint64_t seen;
	struct cookie *file_previous, *file_next;
	struct cookie *previous, *next; /* history list while !live */
	UT_hash_handle hh;
};

struct mapping {
	uint64_t id, from_id;
	struct device_file *file; /* NULL: unknown */
	struct process *owner;    /* NULL: unknown */
	uint64_t start, end;      /* equal: not known yet (a copy of an unknown mapping) */
	uint64_t offset, phys_start, page_prot, vm_flags; /* page_prot 0: unknown */
	bool offset_known, phys_known, from_scan;
	bool settled;    /* the range is final, not a copy in the making */
	uint32_t region; /* EVENT_REGION_UNKNOWN: unknown */
	enum mapping_source source;
	uint64_t mapped_ns; /* 0: unknown */
	bool live, gone;    /* as in struct device_file */
	uint64_t closed_ns;
	uint64_t seen;
	struct mapping *previous, *next; /* history list while !live */
	UT_hash_handle hh;
};

/*
 * What an event changed. The pointers stay valid until the next call that takes a non-const ledger. With
 * CHANGE_NONE they still say what the event was about. An entry whose end was told before its beginning
 * (events of two CPUs) is announced by CHANGE_FILE_OPENED, CHANGE_COOKIE_ISSUED, CHANGE_MAPPED or
 * CHANGE_COPIED with live already false.
 */
enum change_kind {
	CHANGE_NONE = 0,    /* the ledger already said so */
	CHANGE_DEVICE,      /* a device is new or its facts changed */
	CHANGE_FILE_OPENED, /* new file, or more is known of it: device, opener, when, how */
	CHANGE_FILE_CLOSED, /* with it all its cookies but DMABUFs, which are files of their own */
	CHANGE_HOLDER,
	CHANGE_COOKIE_ISSUED,   /* new cookie, by ioctl or by scan */
	CHANGE_COOKIE_REISSUED, /* the same cookie again, or with other attributes */
	CHANGE_COOKIE_CLOSED,
	CHANGE_MAPPED,  /* new mapping, by mmap or by scan */
	CHANGE_COPIED,  /* new mapping by fork, split or mremap: the range is not settled yet */
	CHANGE_MAPPING, /* an existing mapping has another range, owner or name */
	CHANGE_UNMAPPED,
	CHANGE_PROCESS, /* facts or name of a process */
	CHANGE_MODULE,
	CHANGE_LOST,    /* kernel events were dropped: a reading of the truth is due */
	CHANGE_REFUSED, /* malformed event, or a limit of the ledger is reached: counted in struct
			   ledger_counts */
};

struct change {
	enum change_kind kind;
	const struct device *device;
	const struct device_file *file;
	const struct cookie *cookie;
	const struct mapping *mapping;
	const struct process
		*process; /* header.who if an entry points to it, else owner, issuer or opener of the above */
};

/*
 * Limits: what is over them is refused and counted, closed history is dropped oldest first. 0 takes the
 * default. Closed files that a kept cookie or mapping points to are kept with it, over the limit of history.
 */
struct ledger_limits {
	size_t entries; /* live files, cookies, mappings, and devices, holders and processes, each: default 1
			   << 20 */
	size_t history; /* closed files, cookies and mappings kept, each, and ids of each kind whose end came
			   before anything else: default 4096. What is forgotten here could come alive by a
			   later event */
};

struct ledger;

/*
 * Makes an empty ledger for page protection values of @arch.
 * Returns 0, or -ENOMEM. The caller owns *ret and frees it with ledger_free().
 */
int ledger_new(struct ledger **ret, enum memtype_arch arch, const struct ledger_limits *limits);
struct ledger *ledger_free(struct ledger *ledger);

/*
 * Applies one event. Never trusts it: size, type, text and numbers are checked, ids may repeat, come out of
 * order or be unknown. @event has header.size bytes, and never less than its header. Returns 0 and says in
 * *ret what changed, or -ENOMEM with the ledger unchanged.
 *
 * Refused as malformed: another version or origin, a size that is not event_size(), an id of 0, a range that
 * is empty, not in units of 4 KiB or wraps around (addresses, file offsets, physical addresses), a PCI
 * address over 48 bits, a source, dialect, module state or lost type outside its enum (a lost type may be
 * EVENT_NONE: not known any more), a holder without identity, and another device or file for an id that has
 * one. A header.who without tgid or start_ns is an unknown process. Text ends at the first zero or with its
 * field.
 *
 * Who told the end matters: after a kernel event ended an id nothing brings it back. An end concluded by
 * ledger_next_absent() (EVENT_ORIGIN_SCAN) is taken back by a later event of the scan kind, never by a kernel
 * event.
 */
int ledger_apply(struct ledger *ledger, const struct event *event, struct change *ret);

/*
 * Reading the truth: between begin and the last absent, EVENT_FILE, EVENT_COOKIE_LIVE, EVENT_MAPPING and
 * EVENT_HOLDER events tell everything that exists. Kernel events applied meanwhile count as told.
 * ledger_next_absent() then makes the event that closes one entry which was not told of, to be applied by the
 * caller; it returns false when there is none left. If @quiet is false the kernel changed things during the
 * reading and the iterators may have passed over an entry: only what was absent from the reading before as
 * well is closed (the caller reads again). A reading is complete, and the reading before of the next one,
 * when ledger_next_absent() returned false; one that failed is given up by not calling it. A file with live
 * mappings is never absent (its descriptors may all be closed): read mappings first.
 */
enum reading { READING_FILES, READING_COOKIES, READING_MAPPINGS, READING_HOLDERS };
void ledger_begin_reading(struct ledger *ledger, enum reading what);
bool ledger_next_absent(struct ledger *ledger, enum reading what, bool quiet, uint64_t now_ns,
			struct event *ret);

/* Lookups, of live entries and of those in history. NULL: no such entry. */
void ledger_pci_name(uint64_t address,
		     char name[EVENT_NAME_LEN + 1]); /* dev_name() of an EVENT_PCI_ADDRESS() */
const struct device *ledger_device_by_name(const struct ledger *ledger, const char *name);
const struct device_file *ledger_file(const struct ledger *ledger, uint64_t id);
const struct cookie *ledger_cookie(const struct ledger *ledger, uint64_t id);
const struct mapping *ledger_mapping(const struct ledger *ledger, uint64_t id);
const struct process *ledger_process(const struct ledger *ledger, const struct process_key *key);

/*
 * Entries with an id above @after, in rising order of id, at most @max: live ones, or with @all also those in
 * history. Returns how many were put into @entries. Allocates nothing. Cost: O(n log max), n being all
 * entries of the kind.
 */
size_t ledger_list_devices(const struct ledger *ledger, uint64_t after, const struct device **entries,
			   size_t max);
size_t ledger_list_files(const struct ledger *ledger, bool all, uint64_t after,
			 const struct device_file **entries, size_t max);
size_t ledger_list_cookies(const struct ledger *ledger, bool all, uint64_t after,
			   const struct cookie **entries, size_t max);
size_t ledger_list_mappings(const struct ledger *ledger, bool all, uint64_t after,
			    const struct mapping **entries, size_t max);

/*
 * The cookie that covers file offset @offset of @file, or NULL. Of several a live one, and of those the one
 * issued last. Never a DMABUF: its offsets are not those of @file.
 */
const struct cookie *ledger_cookie_at(const struct ledger *ledger, const struct device_file *file,
				      uint64_t offset);

struct ledger_counts {
	uint64_t devices, files, cookies, mappings,
		processes;                 /* live; of processes all that an entry points to */
	uint64_t lost[EVENT_KERNEL_TYPES]; /* sum of EVENT_LOST */
	uint64_t refused;                  /* events refused */
};
void ledger_counts(const struct ledger *ledger, struct ledger_counts *ret);
enum memtype_arch ledger_arch(const struct ledger *ledger);

/* Whether process @tgid opened or holds a live file of @device, or owns a live mapping of it. */
bool ledger_device_has_process(const struct ledger *ledger, const struct device *device, uint32_t tgid);

/* The memory type @mapping asked for; MEMTYPE_UNKNOWN if page_prot or this architecture's encoding is not
 * known. */
enum memtype ledger_requested(const struct ledger *ledger, const struct mapping *mapping);

/* The memory type that mmap of @cookie gives; MEMTYPE_UNKNOWN if its dialect promises none. */
enum memtype ledger_promised(const struct ledger *ledger, const struct cookie *cookie);

/* False for a region that the kernel says cannot be mapped: its offset serves read and write only. */
bool cookie_is_for_mmap(const struct cookie *cookie);

/* Names of the JSON contract; NULL outside the enum. */
const char *cookie_dialect_name(enum cookie_dialect dialect);
const char *mapping_source_name(enum mapping_source source);

/*
 * Appends to the caller's sink the events that rebuild the live part of this ledger when applied to an empty
 * one: devices, files, cookies, mappings, holders, facts of processes; not what was lost or refused.
 * @emit returns 0 or a negative errno, which ends the walk and is forwarded.
 */
typedef int (*ledger_emit)(void *context, const struct event *event);
int ledger_replay(const struct ledger *ledger, uint64_t now_ns, ledger_emit emit, void *context);

#endif
