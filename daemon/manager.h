/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MANAGER_H
#define VFIOWATCH_MANAGER_H

/*
 * Owns every object of the daemon and is the only place that wires them: an event from the ring or from a
 * reading of the truth goes to the ledger, and what it changed goes to history, journal and bus.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>

#define MANAGER_PIN_DIRECTORY "/sys/fs/bpf/vfiowatch"

/* Ends the daemon as SIGTERM does, and as keep_recording leaves it: vfiowatchd.service sends it for a restart
 * (RestartKillSignal=). */
#define MANAGER_HANDOVER_SIGNAL SIGUSR1

struct manager_options {
	const char *pin_directory;
	const char *socket;
	const char *sys;         /* where sysfs is mounted */
	const char *policy_root; /* before the directories of policy files; "" but in tests */
	bool system_bus;
	bool keep_recording; /* leave programs and tables in place at the end, for the next daemon; they are
				in any case while they enforce a policy */
};

struct manager;

/* The policy is refused, or asks for what this kernel cannot do: another try ends the same. */
#define MANAGER_POLICY_REFUSED (-EBADMSG)

/* Returns 0, MANAGER_POLICY_REFUSED, or another negative errno after it said on stderr what failed and what
 * to do. */
int manager_new(struct manager **ret, const struct manager_options *options);

/* Runs until SIGTERM, SIGINT or MANAGER_HANDOVER_SIGNAL; SIGHUP reads the policy again. Returns 0 or a
 * negative errno. */
int manager_run(struct manager *manager);

struct manager *manager_free(struct manager *manager);

#endif
