/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_POLICY_H
#define VFIOWATCH_CLI_POLICY_H

#include "cli/cli.h"
#include "core/policy.h"

/* policy_test.c: what @policy says of the live ledger, or of the capture of --replay. */
enum exit_code policy_test(const struct policy *policy, const struct options *options,
			   struct failure *failure);

#endif
