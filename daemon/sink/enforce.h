/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SINK_ENFORCE_H
#define VFIOWATCH_SINK_ENFORCE_H

/*
 * The only place where policy acts on the kernel: it writes the table that the enforcer's programs apply, and
 * ends processes whose mapping was found out too late to be denied.
 */

#include "core/ledger.h"
#include "vfiowatch/policy.h"

/*
 * Makes @bank the policy in force: written beside the one in force, then switched to at once. One that is in
 * force already is left alone. @now_ns: CLOCK_BOOTTIME. Returns true if it changed.
 */
bool enforce_apply(struct enforcer *memory, const struct policy_bank *bank, uint64_t now_ns);

/*
 * Ends @process by SIGKILL if it still is the same process. Returns 0, -ESRCH: it is gone, or another
 * negative errno.
 */
int enforce_kill(const struct process_key *process);

#endif
