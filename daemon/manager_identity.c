// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "identity.h"
#include "manager_internal.h"
#include "source/process.h"

/*
 * Who processes are. It is looked up when one is met first, in another cgroup or with another name, and again
 * after an exec and when a machine was registered: these two nobody tells of a process, so that it is
 * compared.
 */

/* While a process makes events it is compared so often at most; and all are when a client asks. */
#define CHECK_INTERVAL_NS 1000000000ULL

/* Looked up at once, and how often: the rest comes with the next time. */
#define CHANGED_MAX 64
#define ROUNDS_MAX  16

static void look_up(struct manager *manager, const struct event_process_id *who)
{
	struct event identity, facts;

	if (process_read(who, manager_now_ns(), &identity, &facts) < 0)
		return;
	manager_apply(manager, &identity);
	manager_apply(manager, &facts);
}

static struct event_process_id id_of(const struct process *process)
{
	struct event_process_id who = {
		.tgid = process->key.tgid,
		.start_ns = process->key.start_ns,
		.uid = process->uid,
		.cgroup_id = process->cgroup_id,
	};

	memcpy(who.comm, process->comm, sizeof(who.comm));
	return who;
}

/* Where that is not known an exec shows by another comm only. */
static bool executed_another(const struct process *process)
{
	uint64_t image;

	return process->facts_known && process->identity.image &&
	       process_image(process->key.tgid, process->key.start_ns, &image) && image &&
	       image != process->identity.image;
}

static bool is_of_another_machine(const struct process *process)
{
	return process->facts_known && process_is_still(process->key.tgid, process->key.start_ns) &&
	       process_machine_changed(process->key.tgid, process->machine);
}

/* What a process does first after an exec. */
static bool may_follow_exec(const struct event *event)
{
	return event->header.origin == EVENT_ORIGIN_KERNEL &&
	       (event->header.type == EVENT_OPEN || event->header.type == EVENT_COOKIE ||
		event->header.type == EVENT_MAP);
}

void manager_complete_process(struct manager *manager, const struct event *event,
			      const struct process *process)
{
	struct event_process_id who;

	/* The EVENT_PROCESS that completes it is on its way. */
	if (!process || !process->key.tgid || event->header.type == EVENT_IDENTITY)
		return;
	who = id_of(process);
	if (!process->facts_known)
		look_up(manager, &who);
	else if (may_follow_exec(event) &&
		 ledger_process_due(manager->model.ledger, &process->key, manager_now_ns(),
				    CHECK_INTERVAL_NS) &&
		 executed_another(process))
		look_up(manager, &who);
}

/* Looking up changes the ledger, so those to be looked up are collected first. */
static void look_up_changed(struct manager *manager, bool (*changed)(const struct process *process))
{
	struct event_process_id who[CHANGED_MAX];
	size_t n = CHANGED_MAX;

	for (unsigned int round = 0; round < ROUNDS_MAX && n == CHANGED_MAX; round++) {
		const struct process *process = NULL;

		n = 0;
		while (n < CHANGED_MAX && (process = ledger_next_process(manager->model.ledger, process)))
			if (changed(process))
				who[n++] = id_of(process);
		for (size_t i = 0; i < n; i++)
			look_up(manager, &who[i]);
	}
}

void manager_check_processes(struct manager *manager)
{
	uint64_t now_ns = manager_now_ns();

	if (now_ns - manager->checked_ns < CHECK_INTERVAL_NS)
		return;
	manager->checked_ns = now_ns;
	look_up_changed(manager, executed_another);
}

void manager_machines_changed(void *userdata)
{
	struct manager *manager = userdata;

	look_up_changed(manager, is_of_another_machine);
	if (manager->bus)
		bus_events_added(manager->bus);
}
