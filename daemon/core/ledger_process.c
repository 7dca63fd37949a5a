/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

const struct process *ledger_process(const struct ledger *ledger, const struct process_key *key)
{
	struct process *process = NULL;

	HASH_FIND(hh, ledger->processes, key, sizeof(*key), process);
	return process;
}

/* NULL also for an identity that is not known: a bare pid names nobody. */
static struct process *process_find(struct ledger *ledger, const struct event_process_id *id)
{
	struct process_key key = {.start_ns = id->start_ns, .tgid = id->tgid};
	struct process *process = NULL;

	if (!id->start_ns || !id->tgid)
		return NULL;
	HASH_FIND(hh, ledger->processes, &key, sizeof(key), process);
	return process;
}

int process_acquire(struct ledger *ledger, const struct event_process_id *id, uint64_t time_ns,
		    struct process **ret)
{
	struct process *process = process_find(ledger, id);

	*ret = process;
	if (process)
		process->references++;
	if (process || !id->start_ns || !id->tgid)
		return 0;
	if (HASH_COUNT(ledger->processes) >= ledger->entries_max)
		return -ENOSPC;

	process = calloc(1, sizeof(*process));
	if (!process)
		return -ENOMEM;
	process->key.start_ns = id->start_ns;
	process->key.tgid = id->tgid;
	process->cgroup_id = id->cgroup_id;
	process->uid = id->uid;
	copy_text(process->comm, sizeof(process->comm), id->comm, sizeof(id->comm));
	process->named_ns = time_ns;
	process->references = 1;
	HASH_ADD(hh, ledger->processes, key, sizeof(process->key), process);
	if (!process->hh.tbl) {
		free(process);
		return -ENOMEM;
	}
	*ret = process;
	return 0;
}

struct process *process_release(struct ledger *ledger, struct process *process)
{
	if (!process || --process->references)
		return NULL;
	HASH_DEL(ledger->processes, process);
	process->hh.next = ledger->departed_processes;
	ledger->departed_processes = process;
	return NULL;
}

/*
 * Takes comm, uid and cgroup of @id, if the ledger has that process and was not told so by a newer event.
 * True if one of them is news. Another cgroup makes unit and machine unknown again, another comm exe. Nothing
 * is known by an empty comm or cgroup 0.
 */
bool process_name(struct ledger *ledger, const struct event_process_id *id, uint64_t time_ns,
		  struct process **ret)
{
	struct process *process = process_find(ledger, id);
	char comm[EVENT_COMM_LEN + 1];
	bool changed = false;

	*ret = process;
	if (!process || time_ns < process->named_ns)
		return false;
	process->named_ns = time_ns;
	copy_text(comm, sizeof(comm), id->comm, sizeof(id->comm));
	if (comm[0] && memcmp(comm, process->comm, sizeof(comm)) != 0) {
		memcpy(process->comm, comm, sizeof(comm));
		/* It may have executed another program. */
		memset(process->exe, 0, sizeof(process->exe));
		process->facts_known = false;
		changed = true;
	}
	if (process->uid != id->uid) {
		process->uid = id->uid;
		changed = true;
	}
	if (id->cgroup_id && process->cgroup_id != id->cgroup_id) {
		if (process->cgroup_id) {
			memset(process->unit, 0, sizeof(process->unit));
			memset(process->machine, 0, sizeof(process->machine));
			process->facts_known = false;
		}
		process->cgroup_id = id->cgroup_id;
		changed = true;
	}
	return changed;
}

/* Facts about a process that no entry points to are of no use and would never be freed: not taken. */
int apply_process(struct ledger *ledger, const struct event *event, struct change *change)
{
	struct process *process = process_find(ledger, &event->header.who);
	char unit[sizeof(process->unit)], machine[sizeof(process->machine)], exe[sizeof(process->exe)];

	change->process = process;
	if (!process)
		return 0;
	copy_text(unit, sizeof(unit), event->process.unit, sizeof(event->process.unit));
	copy_text(machine, sizeof(machine), event->process.machine, sizeof(event->process.machine));
	copy_text(exe, sizeof(exe), event->process.exe, sizeof(event->process.exe));
	/* First the cgroup, which makes older facts void, then the facts of that cgroup. */
	if (process_name(ledger, &event->header.who, event->header.time_ns, &process))
		change->kind = CHANGE_PROCESS;
	if (process->facts_known && !memcmp(unit, process->unit, sizeof(unit)) &&
	    !memcmp(machine, process->machine, sizeof(machine)) && !memcmp(exe, process->exe, sizeof(exe)))
		return 0;
	memcpy(process->unit, unit, sizeof(unit));
	memcpy(process->machine, machine, sizeof(machine));
	memcpy(process->exe, exe, sizeof(exe));
	process->facts_known = true;
	change->kind = CHANGE_PROCESS;
	return 0;
}
