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
	char machine[EVENT_NAME_LEN + 1];  /* empty: unknown; what policy goes by, see process_machine() */
	char exe[EVENT_PATH_LEN + 1];      /* empty: unknown */
	struct event_identity identity; /* all texts are zero after their end, and end within their field */
	bool facts_known;               /* an EVENT_PROCESS was applied since it is in this cgroup */
	uint64_t checked_ns;            /* ledger_process_due() */
	uint64_t named_ns;              /* time of the event that told comm, uid and cgroup_id */
	unsigned int references;        /* entries that point here; freed with the last */
	UT_hash_handle hh;
};

/* The kernel gave physical bytes of a BAR WC, or another type than was asked for (x86 PAT). */
struct reservation {
	uint64_t phys_start, phys_end;
	enum memtype requested, given;
	uint64_t time_ns;
	struct process *process; /* NULL: unknown */
};

/* Of each device the newest are kept. */
#define RESERVATIONS_KEPT 16

struct device {
	uint64_t id;          /* ledger's own, rising; also the paging key of the bus */
	uint64_t pci_address; /* valid if is_pci */
	bool is_pci;
	bool facts_known;                      /* facts holds what sysfs said */
	char name[EVENT_NAME_LEN + 1];         /* dev_name(): the BDF for PCI */
	struct event_device facts;             /* texts are zero after their end */
	unsigned int references;               /* files and mappings, live or in history, that point here */
	struct device_file *file_list;         /* live files; DL list by device_previous, device_next */
	struct mapping *mapping_list;          /* live, of all sources; DL list by device_previous, .. */
	unsigned int files, cookies, mappings; /* live; mappings of all sources */
	struct reservation reservations[RESERVATIONS_KEPT]; /* newest first */
	unsigned int n_reservations;
	UT_hash_handle hh; /* by name */
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
	bool cookies_uncertain; /* cookies may have been issued on it that were not seen: an issue was skipped
				 */
	struct cookie *cookie_list;   /* live and in history, issued last comes last; DL list */
	struct mapping *mapping_list; /* live and in history; DL list by file_previous, file_next */
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
	uint64_t issued;               /* 0: found by scan, times unknown */
	uint64_t issued_ns;            /* 0: unknown */
	uint32_t attributes, alias_of; /* as in struct event_cookie */
	uint32_t mapped_types;         /* 1 << enum memtype of each type that an mmap of it asked for */
	struct process *issuer;        /* first process it was issued to; NULL: unknown */
	bool live, gone;               /* as in struct device_file */
	uint64_t closed_ns;
	unsigned int references;      /* mappings, live or in history, whose file it is */
	struct mapping *mapping_list; /* these mappings; DL list by cookie_previous, cookie_next */
	uint64_t seen;
	struct cookie *file_previous, *file_next;
	struct cookie *previous, *next; /* history list while !live && !references */
	UT_hash_handle hh;
};

/* A run of struct event_page_run, in order, none touching another that it could be joined with. */
struct page_run {
	uint64_t start, end, phys_start;
	enum memtype type;
	enum event_leaf leaf;
};

/* Runs kept of one mapping, and of all. What is over them is not known: struct mapping.runs_cut. */
#define RUNS_PER_MAPPING 4096
#define RUNS_IN_ALL      (1U << 20)

struct mapping {
	uint64_t id, from_id;
	struct device_file *file;                      /* NULL: unknown, or not of VFIO */
	struct device *device;                         /* that the bytes belong to; NULL: unknown */
	struct mapping *device_previous, *device_next; /* while live */
	struct cookie *cookie; /* DMABUF: the cookie that is the file; NULL: unknown, or found by offset */
	uint64_t cookie_id;    /* the one told of, also before it is known; 0: none */
	struct process *owner; /* NULL: unknown */
	uint64_t start, end;   /* equal: not known yet (a copy of an unknown mapping) */
	uint64_t offset, phys_start, page_prot, vm_flags; /* page_prot 0: unknown */
	bool offset_known, phys_known, from_scan;
	bool no_fault;    /* EVENT_MAPPING_NO_FAULT */
	bool device_told; /* device is what an event said (EVENT_MAPPING_DEVICE_KNOWN) */
	bool by_address;  /* device and region were found by the physical address, among the BARs known */
	struct page_run *runs; /* populated pages, by rising address, within start and end */
	size_t n_runs;
	bool pages_known; /* runs are all there are; else they are some of them, and the rest is unknown */
	bool runs_cut;    /* a limit was reached: pages_known stays false */
	uint64_t told_start, told_end; /* the part that was told of, outside of it only runs are known;
					  equal: none */
	uint64_t pages_ns;     /* kernel events about pages that are older are no news: time of the newest
				  EVENT_PAGES,     or of what made all unknown */
	uint64_t populated_ns; /* .. EVENT_POPULATE */
	uint64_t revoked_ns;   /* .. EVENT_REVOKE, or of any that may have been missed */
	bool pages_due;        /* counted in ledger_pages_due() */
	bool settled;          /* the range is final, not a copy in the making */
	uint32_t region;       /* EVENT_REGION_UNKNOWN: unknown */
	enum mapping_source source;
	uint64_t mapped_ns; /* 0: unknown */
	bool live, gone;    /* as in struct device_file */
	uint64_t closed_ns;
	uint64_t seen;
	struct mapping *previous, *next; /* history list while !live */
	struct mapping *file_previous, *file_next;
	struct mapping *cookie_previous, *cookie_next;
	struct mapping *touched_previous, *touched_next; /* while touched: ledger_next_touched() */
	bool touched;
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
	CHANGE_PAGES,   /* pages of a mapping were populated, or are told for the first time or differently */
	CHANGE_REVOKED, /* pages were taken from one or more mappings, or nothing is known of them any more */
	CHANGE_RESERVED, /* a reservation of a BAR of a known device */
	CHANGE_REQUEST,  /* the enforcer decided; only counts change */
	CHANGE_PROCESS,  /* facts or name of a process */
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
	size_t runs;    /* page runs of all mappings, default RUNS_IN_ALL */
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
 * EVENT_NONE: not known any more), a request with a number outside its enum, a holder without identity, and
 * another device or file for an id that has one. A header.who without tgid or start_ns is an unknown process.
 * Text ends at the first zero or with its field.
 *
 * Who told the end matters: after a kernel event ended an id nothing brings it back. An end concluded by
 * ledger_next_absent() (EVENT_ORIGIN_SCAN) is taken back by a later event of the scan kind, never by a kernel
 * event.
 */
int ledger_apply(struct ledger *ledger, const struct event *event, struct change *ret);

/*
 * Pages. EVENT_POPULATE and EVENT_PAGES replace what is known of the part of the mapping they speak of; pages
 * are known when all of start to end was told of since the mapping came to be, was copied or grew. A mapping
 * made by EVENT_MAP that can fault has no pages to begin with, and that is known. A cut mapping keeps the
 * runs within its range.
 *
 * EVENT_REVOKE takes the pages of the range, or of all VFIO mappings of the device, that are populated. Of
 * one through VFIO without a fault handler nothing is known after that, as not every kernel finds it.
 *
 * Kernel events may come in another order than they happened in. What is older than the last walk of a
 * mapping is not news. An older EVENT_POPULATE adds to a newer one and takes nothing from it. When a populate
 * and a revoke come in the wrong order, and what remains cannot be told, nothing is known of the pages; as
 * after EVENT_LOST of either.
 */

/* How a mapping stands with the CPU. */
enum effective_kind {
	EFFECTIVE_UNKNOWN,     /* its pages were not read yet, or a limit was reached */
	EFFECTIVE_UNPOPULATED, /* no page has an entry: the type will show when it is touched */
	EFFECTIVE_ONE,         /* all populated pages have the same type */
	EFFECTIVE_MIXED,
	EFFECTIVE_REVOKED, /* no page has an entry and none can come: mapping_revoked() */
};

struct effective {
	enum effective_kind kind;
	enum memtype type;              /* EFFECTIVE_ONE */
	uint64_t populated[LEAF_SIZES]; /* bytes per size of leaf, as far as known */
};
void mapping_effective(const struct mapping *mapping, struct effective *ret);

/*
 * True if the VMA is there but can never reach the device again: its pages were taken away and it has no
 * fault handler, or its cookie was revoked.
 */
bool mapping_revoked(const struct mapping *mapping);

/*
 * The physical bytes that a mapping reaches or would reach when touched, as pieces of one type: a populated
 * page by its entry, one that is not by the driver's layout and the type asked for; revoked and unknown ones
 * are left out. *cursor starts at 0. Returns false when there are no more. Rising by virtual address;
 * neighbours that agree are joined.
 */
struct piece {
	uint64_t start, end; /* virtual */
	uint64_t phys_start; /* of start */
	enum memtype type;
	bool populated;
};
bool mapping_next_piece(const struct ledger *ledger, const struct mapping *mapping, uint64_t *cursor,
			struct piece *ret);

/*
 * Mappings whose pieces may have changed since the last call, one at a time in the order of the changes, also
 * closed ones; NULL: none. A mapping that is dropped from history is not handed out any more. Who decides
 * findings asks after each ledger_apply().
 */
struct mapping *ledger_next_touched(struct ledger *ledger);

/* All live mappings one after the other, in no order: NULL starts, NULL ends. */
const struct mapping *ledger_next_live(const struct ledger *ledger, const struct mapping *previous);

/* The same of live cookies. */
const struct cookie *ledger_next_live_cookie(const struct ledger *ledger, const struct cookie *previous);

/* The cookie that a mapping is of: the file it maps, or the one that covers its offset. NULL: none is known.
 */
const struct cookie *ledger_mapping_cookie(const struct ledger *ledger, const struct mapping *mapping);

/* The region that a cookie reaches, whatever number it has. */
uint32_t cookie_region(const struct cookie *cookie);

/*
 * Where the bytes of a mapping begin, and of which region they are: by the driver's layout, else by the
 * cookie that it maps. Returns false, and @phys_start 0, if it is not known; @region is then
 * EVENT_REGION_UNKNOWN or what is known of it.
 */
bool ledger_mapping_place(const struct ledger *ledger, const struct mapping *mapping, uint64_t *phys_start,
			  uint32_t *region);

/* True if some live mapping has pages that are not known: a walk of the page tables is due. */
bool ledger_pages_due(const struct ledger *ledger);

/* The device, and the BAR (else EVENT_REGION_UNKNOWN), that a physical address belongs to. NULL: none known.
 */
const struct device *ledger_device_at(const struct ledger *ledger, uint64_t phys, uint32_t *region);

/* Cookies may have been issued that were not seen: no file that is open now tells what was never issued. */
void ledger_cookies_uncertain(struct ledger *ledger);

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

/*
 * The machine of a process, for people: process->machine, else what its command line claims. Who says so is
 * put into *source. NULL, and MACHINE_UNKNOWN: nobody does. Only what is not MACHINE_COMMAND_LINE may decide
 * anything.
 */
const char *process_machine(const struct process *process, enum machine_source *source);

/*
 * True if the facts of the process, if there are any, were not checked for @interval_ns; from then on they
 * were. The caller asks what they are once in that time at most, whatever the process does.
 */
bool ledger_process_due(struct ledger *ledger, const struct process_key *key, uint64_t now_ns,
			uint64_t interval_ns);

/* All processes one after the other, in no order: NULL starts, NULL ends. */
const struct process *ledger_next_process(const struct ledger *ledger, const struct process *previous);

/* Value of the key `machine_source`; NULL: unknown, or outside the enum. */
const char *machine_source_name(enum machine_source source);

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
		processes;                          /* live; of processes all that an entry points to */
	uint64_t lost[EVENT_KERNEL_TYPES];          /* sum of EVENT_LOST */
	uint64_t refused;                           /* events refused */
	uint64_t requests_granted, requests_denied; /* sums of EVENT_REQUEST */
};
void ledger_counts(const struct ledger *ledger, struct ledger_counts *ret);
enum memtype_arch ledger_arch(const struct ledger *ledger);

/* Whether process @tgid opened or holds a live file of @device, or owns a live mapping of it. */
bool ledger_device_has_process(const struct device *device, uint32_t tgid);

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
