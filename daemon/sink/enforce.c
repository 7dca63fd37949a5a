// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/enforce.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "cleanup.h"
#include "identity.h"

/*
 * The programs use one bank all along a request, and start again if another policy came meanwhile, so the
 * bank beside the one in force can be written at any time.
 */
bool enforce_apply(struct enforcer *memory, const struct policy_bank *bank, uint64_t now_ns)
{
	uint64_t generation = __atomic_load_n(&memory->generation, __ATOMIC_ACQUIRE);

	if (generation != 0 && memcmp(&memory->banks[generation & 1], bank, sizeof(*bank)) == 0)
		return false;
	if (generation++ == 0)
		memory->since_ns = now_ns;
	memcpy(&memory->banks[generation & 1], bank, sizeof(*bank));
	__atomic_store_n(&memory->generation, generation, __ATOMIC_RELEASE);
	return true;
}

/* The descriptor names one process for ever: if its pid still has the start time now, it is the one meant. */
int enforce_kill(const struct process_key *process)
{
	_cleanup_(closefd) int fd = -1;

	if (process->tgid == 0 || process->tgid > INT32_MAX)
		return -ESRCH;
	fd = pidfd_open(process->tgid, 0);
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	if (!process_is_still(process->tgid, process->start_ns))
		return -ESRCH;
	return pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 ? -errno : 0;
}
