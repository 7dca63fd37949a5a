/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_ENFORCER_INTERNAL_H
#define VFIOWATCH_SOURCE_ENFORCER_INTERNAL_H

/* What enforcer.c (loading and attaching), enforcer_state.c (its tables) and enforcer_way.c (what the kernel
 * can) share. */

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "source/attach.h"
#include "source/enforcer.h"

struct enforce_bpf;

/* A kernel that does not run BPF LSM programs attaches them all the same, and never calls them. */
enum enforcer_way {
	ENFORCER_LSM,
	ENFORCER_FMOD_RET,
};

/* What puts the tables right, in this order. */
enum audit_step {
	AUDIT_TIDY,       /* extents that are gone or smaller */
	AUDIT_ADOPT,      /* mappings that were missed */
	AUDIT_SETTLE,     /* whether all of them are there now */
	AUDIT_TIDY_HOLDS, /* what points to nothing any more */
	AUDIT_STEPS,
};

struct enforcer_programs {
	struct probes *probes; /* borrowed; outlives this */
	struct attachments attachments;
	struct enforce_bpf *object;
	struct bpf_link *iterators[AUDIT_STEPS];
	struct enforcer *memory;
	enum enforcer_way way;
	bool adopted;
	struct enforcer_counters before_audit; /* at the last audit that came to its end: what is above these
						  none has put right */
	struct enforcer_counters after_audit; /* at its end: what is above these the next one may put right */
	uint64_t skipped;                     /* at the last audit */
	bool audit_failed;
};

/* By trying both. Returns 0, or a negative errno with *reason (static). */
int enforcer_find_way(enum enforcer_way *ret, const char **reason);

#endif
