/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_FINDING_H
#define VFIOWATCH_CORE_FINDING_H

/*
 * Findings: what is wrong with the memory types of the mappings in a ledger. Here a conflict is decided.
 *
 * alias      two live mappings share at least one byte, and there their types conflict (memtype_conflict());
 *            one finding for each pair of mappings, with all bytes concerned
 * promotion  pages of a mapping are populated with a stronger type (memtype_strength()) than it asked for
 * demotion   .. with a weaker one; one finding for each mapping and kind, with all bytes concerned
 *
 * The type of a byte is the effective one, else the one asked for: see mapping_next_piece(). A mapping whose
 * range is not settled, or whose pages are to be read again after they were known, keeps the findings that it
 * had until then.
 *
 * What is incompatible, and how bad it is, follows from these rules:
 *
 * x86   One physical page under two memory types is not supported and may end in undefined operations; WC
 * beside a cacheable type is singled out, because WC writes may not look into the caches (Intel SDM volume
 * 3A, "Memory Cache Control", "Programming the PAT"). Linux therefore keeps one type for each physical range
 * and gives it to whoever asks later, or refuses (Documentation/arch/x86/pat.rst; memtype_reserve() and
 *       lookup_memtype() in arch/x86/mm/pat/memtype.c).
 * arm64 Aliases with different types are mismatched: between Normal and Device memory order, size and number
 * of accesses are not those of the Device mapping any more; between cacheable and not, coherency is lost (Arm
 *       ARM, "Mismatched memory attributes"). The Device types among themselves are mismatched too by the
 * letter, but none of them merges or reorders accesses the way Normal memory does, and Linux uses them side
 * by side: they are one class here. There is no table of reservations: each mapping gets what it asked for.
 *
 * So two classes of memtype_strength() on one byte conflict, and two types of one class do not, but WT and
 * WP.
 */

#include "core/ledger.h"

enum finding_kind {
	FINDING_ALIAS = 0,
	FINDING_PROMOTION,
	FINDING_DEMOTION,
	FINDING_KINDS,
};

/*
 * low:      speed is lost (demotion)
 * high:     order of accesses is lost, or depends on which mapping is used (WC where uncached was asked for,
 * WC beside uncached) critical: a cache holds device memory, or holds it for one of two mappings (WB, WT, WP
 * with anything else)
 */
enum finding_severity {
	SEVERITY_LOW = 0,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
	SEVERITIES,
};

/* Why the effective type is not the one asked for, as far as the ledger tells. */
enum finding_cause {
	CAUSE_UNKNOWN = 0,
	CAUSE_EARLIER_MAPPING, /* cause_process had mapped bytes of the BAR with this type before, by
				  cause_mapping (the process and what it mapped may be gone by now) */
	CAUSE_DEVICE_OPEN,     /* the BAR was already reserved with this type by VFIO, which has the device
				  open; cause_process opened it */
	CAUSE_DRIVER,          /* the device's own driver, not vfio-pci, decides the type of its mappings */
	CAUSE_NONE,            /* alias: there is nothing to explain beyond the two parties */
};

struct phys_range {
	uint64_t start, end;
};

/* Ranges kept of one finding; bytes counts all. */
#define FINDING_RANGES 16

/* One side of a finding: copies, which stay true when the mapping is gone. */
struct party {
	uint64_t mapping; /* id */
	struct process_key process;
	uint32_t uid;
	char comm[EVENT_COMM_LEN + 1];
	enum mapping_source source;
	enum memtype requested;
	enum memtype type; /* at the bytes concerned; at the first of them if there are several */
};

/* The newest reservation of x86 PAT that covers bytes concerned and was given the effective type. */
struct finding_reservation {
	uint64_t phys_start, phys_end;
	enum memtype requested, given; /* given MEMTYPE_UNKNOWN: none was told */
	struct process_key process;    /* in whose context; tgid 0: unknown */
	char comm[EVENT_COMM_LEN + 1];
};

struct finding {
	uint64_t id; /* rising, never reused */
	enum finding_kind kind;
	enum finding_severity severity;
	char device[EVENT_NAME_LEN + 1]; /* empty: unknown */
	uint32_t region;                 /* EVENT_REGION_UNKNOWN: unknown */
	struct party parties[2];
	unsigned int n_parties; /* alias: 2, else 1; the older mapping (lower id) first */
	struct phys_range ranges[FINDING_RANGES];
	unsigned int n_ranges; /* at most FINDING_RANGES, by rising address, joined where they touch */
	uint64_t bytes;        /* concerned in all */
	uint64_t phys_end;     /* first byte after all ranges, also those not kept */
	bool ranges_cut;
	enum finding_cause cause;
	struct party cause_party; /* CAUSE_EARLIER_MAPPING; of CAUSE_DEVICE_OPEN only the process */
	uint64_t cause_phys_start, cause_phys_end; /* what it had mapped; equal: unknown */
	bool cause_before_open; /* CAUSE_EARLIER_MAPPING: before VFIO opened the device, not only before this
				   mapping */
	struct finding_reservation
		reservation;         /* promotion, demotion: what the kernel told; else type unknown */
	uint64_t since_ns, until_ns; /* CLOCK_BOOTTIME; until 0: active */
	bool active;
	struct finding *previous, *next; /* history while !active */
	UT_hash_handle hh;               /* by id; further handles are the module's own */
	UT_hash_handle hh_key;
	struct {
		uint64_t mappings[2]; /* lower id first; the same twice for promotion and demotion */
		uint64_t kind;
	} key;
};

/* 0 takes the default. */
struct finding_limits {
	size_t active;  /* default 65536; what is over it is not opened, but counted, and opened once there is
			   room */
	size_t history; /* closed findings kept, and closed mappings kept as possible causes, each: default
			   4096, oldest dropped first */
};

struct findings;
int findings_new(struct findings **ret, const struct finding_limits *limits);
struct findings *findings_free(struct findings *findings);

enum finding_change_kind {
	FINDING_OPENED,
	FINDING_CHANGED, /* other bytes, types, parties or cause */
	FINDING_CLOSED,
};

/* Called for each change, in order; the pointer is valid for the call. */
typedef void (*finding_notify)(void *userdata, enum finding_change_kind what, const struct finding *finding);

/*
 * Makes the findings those of @ledger, looking only at what ledger_next_touched() hands out and what overlaps
 * it. Returns 0 or -ENOMEM; after that a later call does what was left undone. @now_ns is CLOCK_BOOTTIME.
 */
int findings_update(struct findings *findings, struct ledger *ledger, uint64_t now_ns, finding_notify notify,
		    void *userdata);

const struct finding *finding_by_id(const struct findings *findings, uint64_t id);

/* As ledger_list_cookies(): findings with an id above @after, active ones or with @all also closed ones. */
size_t findings_list(const struct findings *findings, bool all, uint64_t after,
		     const struct finding **entries, size_t max);

struct finding_counts {
	uint64_t active[FINDING_KINDS];
	uint64_t opened;                               /* in all */
	uint64_t opened_as[FINDING_KINDS][SEVERITIES]; /* of them, by the severity that they opened with */
	uint64_t refused; /* there are so many more now, not opened because the limit is reached */
};
void finding_counts(const struct findings *findings, struct finding_counts *ret);

/* Active findings on @device (a name as in struct finding). */
uint64_t findings_of_device(const struct findings *findings, const char *device);

/* Names of the JSON contract: alias, promotion, demotion; low, high, critical. NULL outside the enum. */
const char *finding_kind_name(enum finding_kind kind);
const char *finding_severity_name(enum finding_severity severity);

/* Name for the JSON key `cause`: earlier-mapping, device-open, driver; NULL for unknown and none. */
const char *finding_cause_name(enum finding_cause cause);

/*
 * One or two sentences for an operator who has not read the kernel: what is wrong, between whom, and why. All
 * text in it is safe (text_escape()). Cut at @size. Returns @out.
 */
char *finding_explain(const struct finding *finding, enum memtype_arch arch, char *out, size_t size);

#endif
