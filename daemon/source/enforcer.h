/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_ENFORCER_H
#define VFIOWATCH_SOURCE_ENFORCER_H

/*
 * The enforcer's BPF programs (bpf/enforce.bpf.c): loading, attaching, pinning, adopting, and keeping their
 * tables true. What they decide by is written by sink/enforce into the memory that enforcer_memory() names.
 *
 * They are pinned beside the recording programs and survive the daemon: kill -9, SIGTERM, an upgrade. Only
 * probes_detach() and enforcer_end() take them off. While they are attached recording stays attached too, as
 * their tables need it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "source/probes.h"

struct enforcer_programs;

/*
 * Tells whether this kernel can deny: by BPF LSM programs if it runs them, else by fmod_ret. Attaches a
 * program that allows everything for a moment, which needs no VFIO module; what it was told then it tells
 * from then on. Returns 0, or a negative errno with *reason (static): cause and remedy.
 */
int enforcer_probe(const char **reason);

/* Whether this error is of the moment, and a later try may do. */
bool enforcer_shortage(int error);

/* Whether the kernel runs BPF LSM programs (/sys/kernel/security/lsm names bpf): else fmod_ret is used. */
bool enforcer_lsm_active(void);

/*
 * Attaches, or adopts what an earlier daemon of the same build left, and makes the tables hold everything
 * that is mapped already (probes must be recording). From then on requests are decided by the policy in
 * memory, as soon as there is one. If it fails nothing of a new attachment stays. Returns 0 or a negative
 * errno with *reason.
 */
int enforcer_begin(struct enforcer_programs **ret, struct probes *probes, const char **reason);

/* True if the programs were taken off behind our back (vfiowatchd --detach), with *reason (static): nothing
 * is decided any more. */
bool enforcer_taken_off(const struct enforcer_programs *enforcer, const char **reason);

/* True unless programs were taken off behind our back. Looks at the links themselves. */
bool enforcer_intact(const struct enforcer_programs *enforcer);

/* True if the programs were already attached by an earlier daemon and went on enforcing. */
bool enforcer_adopted(const struct enforcer_programs *enforcer);

/* Removes what an earlier daemon of the same build left enforcing. */
void enforcer_discard(struct probes *probes);

/* Closes the descriptors. Without @keep the programs and tables go too. Returns NULL. */
struct enforcer_programs *enforcer_end(struct enforcer_programs *enforcer, bool keep);

/* Shared with the programs; valid as long as @enforcer. */
struct enforcer *enforcer_memory(struct enforcer_programs *enforcer);

/*
 * Makes the tables equal to what is mapped: drops what is gone, adds what was missed. After skipped programs,
 * after a full table, and when a client asks. Returns 0 or a negative errno.
 */
int enforcer_audit(struct enforcer_programs *enforcer);

/* True if programs were skipped, or tables were full, since the last audit, or if that failed. */
bool enforcer_audit_due(const struct enforcer_programs *enforcer);

/* True if something is still not as it should be after the last audit: one may find that it is by now. */
bool enforcer_incomplete(const struct enforcer_programs *enforcer);

/* Tells the programs the machine of a cgroup, empty: none. When the table is full what was used
 * least is forgotten. Returns 0 or a negative errno. */
int enforcer_set_machine(struct enforcer_programs *enforcer, uint64_t cgroup_id, const char *machine);

/* How often the kernel skipped one of the programs since it was loaded, with no copy to stand in for it. */
uint64_t enforcer_skipped(const struct enforcer_programs *enforcer);

/* Fills enforcing and the counters of @status; appends attach points, and to degraded what is wrong. */
void enforcer_status(const struct enforcer_programs *enforcer, struct status *status);

#endif
