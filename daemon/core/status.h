/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_STATUS_H
#define VFIOWATCH_CORE_STATUS_H

/* The state of the recorder as `vfiowatch status` and `doctor` tell it. Filled by the manager, told by the
 * bus. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "core/finding.h"
#include "core/ledger.h"
#include "core/policy.h"

#define STATUS_POINTS_MAX  64
#define STATUS_REASONS_MAX 16
#define STATUS_REASON_LEN  192

/* One place in the kernel that a BPF program is attached to, or ought to be. */
enum point_state {
	POINT_ATTACHED,
	POINT_WAITING,  /* its module is not there, or not in use */
	POINT_MISSING,  /* this kernel lacks it and something is not seen because of that */
	POINT_UNNEEDED, /* this kernel lacks it and does without */
};

struct attach_point {
	char name[80];                  /* "fexit/vfio_device_fops_mmap" */
	char module[32];                /* "vfio", or "vmlinux" */
	char purpose[80];               /* what is recorded there, for people */
	char reason[STATUS_REASON_LEN]; /* why it is not attached, and the remedy; empty if attached */
	enum point_state state;
	/* Of its program, copies together: the time that runs took, and how many, while the kernel measured.
	 * No runs: nothing is known. */
	uint64_t run_time_ns, runs;
};

/* Whether the kernel measures how long BPF programs run: sysctl kernel.bpf_stats_enabled. */
enum bpf_stats {
	BPF_STATS_UNKNOWN = 0,
	BPF_STATS_OFF,
	BPF_STATS_ON,
};

enum recording_state {
	RECORDING_ON,
	RECORDING_WAITING, /* for a kernel module; reason says for which */
	RECORDING_FAILED,  /* reason says why; degraded */
};

/* By what means requests are denied. */
enum enforcing_state {
	ENFORCING_OFF = 0,  /* nothing is decided in the kernel: mode is audit, or see enforcing_reason */
	ENFORCING_LSM,      /* by BPF LSM programs */
	ENFORCING_FMOD_RET, /* by programs that change what the LSM hooks return */
};

/* Copies of the counters in struct enforcer, which the kernel keeps over restarts of the daemon. */
struct enforcer_counters {
	uint64_t decided, denied;
	uint64_t unknown[POLICY_UNKNOWN_REASONS];
	uint64_t undecided, unplaced, untracked;
	uint64_t audit_untracked, audit_unplaced; /* summed over audits: no numbers of their own */
	uint64_t unplaced_now, untracked_now;     /* of the mappings that are there */
};

struct status {
	char version[32]; /* of this build; empty: unknown */
	enum recording_state recording;
	char recording_reason[STATUS_REASON_LEN];
	bool adopted; /* the programs were already attached by an earlier daemon and went on recording */
	struct attach_point points[STATUS_POINTS_MAX];
	size_t n_points;
	enum bpf_stats bpf_stats;
	char degraded[STATUS_REASONS_MAX][STATUS_REASON_LEN];
	size_t n_degraded;
	struct recorder recorder;    /* copy of the counters */
	bool recorder_known;         /* false: there are no BPF maps */
	uint64_t ring_size;          /* bytes */
	uint64_t ring_used;          /* bytes that wait to be read; valid with recorder_known */
	uint64_t cpu_usec;           /* CPU time of the daemon since it started, user and system */
	uint64_t memory;             /* bytes resident, 0: unknown */
	uint64_t started_ns, now_ns; /* CLOCK_BOOTTIME */
	uint64_t readings;           /* times the truth was read */
	uint64_t skipped; /* runs of recording programs that the kernel skipped: what they would have seen was
			     not seen */
	uint64_t audits;  /* times the tables were compared with all VMAs */
	uint64_t malformed;          /* records in the ring that were no events */
	uint64_t journal_sent;       /* records that journald took, or would have if it were there */
	uint64_t journal_suppressed; /* journal records held back by the rate limit */
	uint64_t journal_unwritten;  /* records that journald did not take: journal_unwritten() */
	uint64_t clients;            /* bus connections on the peer socket */

	bool policy_known; /* a policy was read: mode, policy_digest and policy_rules are its own */
	enum policy_mode mode;
	char policy_digest[POLICY_DIGEST_LEN + 1];
	uint64_t policy_rules;
	uint64_t denied;       /* requests that got EPERM, since enforcement began; survives the daemon */
	uint64_t would_denied; /* mappings and findings that the policy denies and that came to be: in audit
				  mode, or nothing decided them in the kernel; since the daemon started */
	uint64_t killed;       /* processes ended by Action=kill, since the daemon started */
	enum enforcing_state enforcing;
	char enforcing_reason[STATUS_REASON_LEN]; /* why it is off though mode is enforce; else empty */
	struct enforcer_counters enforcer;        /* valid unless enforcing is ENFORCING_OFF */
};

/*
 * The status object of the JSON contract. Keys beyond it: `recording`, `recording_reason`, `adopted`,
 * `kernel_types` (an array of {type, generated, delivered, lost} per kernel event type), `skipped`, `audits`,
 * `untracked` {mappings, files, cookies}, `readings`, `uptime` (seconds), `points` (every attach point with
 * its state), `version`, `conflict_kinds` {alias, promotion, demotion}, `conflicts_refused` (not open,
 * because the limit is reached), `policy_rules`, `would_denied`, `killed`, `enforcing` ("lsm", "fmod_ret", or
 * null), `enforcing_reason`, `ring_used`, `cpu_usec`, `memory`, `enforcer` {decided, denied, unknown {reason:
 * count}, undecided, unplaced, untracked, unplaced_now, untracked_now}, `bpf_stats` (whether the kernel
 * measures), `bpf_run_time_ns` and `bpf_runs` (of all attached programs; of each in its point `run_time_ns`
 * and `runs`; null unless it measures).
 * @findings NULL: unknown. NULL: out of memory.
 */
struct json_object *status_to_json(const struct status *status, const struct ledger_counts *counts,
				   const struct finding_counts *findings);

/* Names of the JSON contract; NULL outside the enum, and for ENFORCING_OFF. */
const char *recording_state_name(enum recording_state state);
const char *point_state_name(enum point_state state);
const char *enforcing_state_name(enum enforcing_state state);

/*
 * One line for people, without line breaks, of what the service manager shows: what is degraded, whether it
 * records, mode and digest of the policy, conflicts, losses. All text in it is safe (text_escape()). Cut at
 * @size. Returns @out.
 */
#define STATUS_LINE_LEN 512
char *status_line(const struct status *status, const struct ledger_counts *counts,
		  const struct finding_counts *findings, char *out, size_t size);

/* Names of kernel event types as used in rows and status: "open", "release", "cookie", ..; NULL outside the
 * enum. */
const char *event_type_name(unsigned int type);

#endif
