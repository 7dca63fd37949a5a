/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CONFIG_H
#define VFIOWATCH_CONFIG_H

/*
 * Finds and reads policy files, for the daemon and for `vfiowatch policy`. The only place that knows where
 * they are.
 *
 * Files are *.conf below <root>/etc, /run and /usr/lib, each followed by vfiowatch/policy.d. As with
 * systemd's drop-ins all are applied in order of their file names, whatever the directory; of two with the
 * same name the one in /etc counts before /run before /usr/lib; an empty file, or a link to /dev/null, hides
 * those of the same name.
 */

#include "core/policy.h"

/*
 * Reads the policy of this host. @root is prefixed to the directories: "" but in tests. A directory that is
 * not there is none; any other failure to read is POLICY_REFUSED. Returns as policy_parse() does; the digest
 * is set.
 */
int config_read_policy(struct policy **ret, const char *root, enum policy_outcome *outcome,
		       char error[POLICY_ERROR_LEN]);

/* The same of these files alone, in this order; "-" is standard input. */
int config_read_files(struct policy **ret, char *const paths[], size_t n, enum policy_outcome *outcome,
		      char error[POLICY_ERROR_LEN]);

#endif
