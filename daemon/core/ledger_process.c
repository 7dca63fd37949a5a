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

/* Another program was executed: nothing is known of it. */
static void forget_program(struct process *process)
{
	struct event_identity *identity = &process->identity;

	memset(process->exe, 0, sizeof(process->exe));
	memset(identity->domain, 0, sizeof(identity->domain));
	memset(identity->claimed, 0, sizeof(identity->claimed));
	memset(identity->uuid, 0, sizeof(identity->uuid));
	identity->image = 0;
	process->facts_known = false;
}

static void forget_cgroup(struct process *process)
{
	struct event_identity *identity = &process->identity;

	memset(process->unit, 0, sizeof(process->unit));
	memset(process->machine, 0, sizeof(process->machine));
	memset(identity->slice, 0, sizeof(identity->slice));
	memset(identity->user_unit, 0, sizeof(identity->user_unit));
	memset(identity->domain, 0, sizeof(identity->domain));
	identity->machine_source = MACHINE_UNKNOWN;
	process->facts_known = false;
}

/*
 * Takes comm, uid and cgroup of @id, if the ledger has that process and was not told so by a newer event.
 * True if one of them is news. Another cgroup makes unit and machine unknown again, another comm what is
 * known of the program. Nothing is known by an empty comm or cgroup 0.
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
		forget_program(process);
		changed = true;
	}
	if (process->uid != id->uid) {
		process->uid = id->uid;
		changed = true;
	}
	if (id->cgroup_id && process->cgroup_id != id->cgroup_id) {
		if (process->cgroup_id)
			forget_cgroup(process);
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
	process->checked_ns = event->header.time_ns;
	change->kind = CHANGE_PROCESS;
	return 0;
}

/* Text of a field that is not to be trusted; what fills it has no end and is refused as a part of a name. */
static void take_text(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size);

	memset(to, 0, size);
	if (length < size)
		memcpy(to, from, length);
}

static bool is_identity_equal(const struct event_identity *a, const struct event_identity *b)
{
	return a->machine_source == b->machine_source && !strcmp(a->slice, b->slice) &&
	       !strcmp(a->user_unit, b->user_unit) && !strcmp(a->domain, b->domain) &&
	       !strcmp(a->claimed, b->claimed) && !strcmp(a->uuid, b->uuid);
}

/* The facts are complete with the EVENT_PROCESS that follows. Another image alone is no news to anybody. */
int apply_identity(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_identity *told = &event->identity;
	struct process *process = process_find(ledger, &event->header.who);
	struct event_identity identity = {.image = told->image, .machine_source = told->machine_source};

	change->process = process;
	if (!process)
		return 0;
	if (identity.machine_source >= MACHINE_COMMAND_LINE)
		identity.machine_source = MACHINE_UNKNOWN;
	take_text(identity.slice, told->slice, sizeof(identity.slice));
	take_text(identity.user_unit, told->user_unit, sizeof(identity.user_unit));
	take_text(identity.domain, told->domain, sizeof(identity.domain));
	take_text(identity.claimed, told->claimed, sizeof(identity.claimed));
	take_text(identity.uuid, told->uuid, sizeof(identity.uuid));
	if (process_name(ledger, &event->header.who, event->header.time_ns, &process) ||
	    !is_identity_equal(&identity, &process->identity))
		change->kind = CHANGE_PROCESS;
	process->identity = identity;
	return 0;
}

bool ledger_process_due(struct ledger *ledger, const struct process_key *key, uint64_t now_ns,
			uint64_t interval_ns)
{
	struct process *process = NULL;

	HASH_FIND(hh, ledger->processes, key, sizeof(*key), process);
	if (!process || !process->facts_known ||
	    (now_ns >= process->checked_ns && now_ns - process->checked_ns < interval_ns))
		return false;
	process->checked_ns = now_ns;
	return true;
}

const struct process *ledger_next_process(const struct ledger *ledger, const struct process *previous)
{
	return previous ? previous->hh.next : ledger->processes;
}

const char *process_machine(const struct process *process, enum machine_source *source)
{
	*source = process->machine[0]            ? process->identity.machine_source
		  : process->identity.claimed[0] ? MACHINE_COMMAND_LINE
						 : MACHINE_UNKNOWN;
	if (process->machine[0])
		return process->machine;
	return process->identity.claimed[0] ? process->identity.claimed : NULL;
}

const char *machine_source_name(enum machine_source source)
{
	static const char *const names[MACHINE_SOURCES] = {
		[MACHINE_MACHINED] = "machined",
		[MACHINE_LIBVIRT_SCOPE] = "libvirt-scope",
		[MACHINE_COMMAND_LINE] = "command-line",
	};

	return source < MACHINE_SOURCES ? names[source] : NULL;
}
