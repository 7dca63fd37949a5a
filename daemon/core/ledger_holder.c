/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

#define HOLDER_KEY_SIZE                                                                                      \
	(offsetof(struct holder, process) + sizeof(struct process *) - offsetof(struct holder, file))

_Static_assert(HOLDER_KEY_SIZE == 2 * sizeof(void *), "the two pointers are one hash key without padding");

static struct holder *holder_find(const struct ledger *ledger, const struct device_file *file,
				  const struct process *process)
{
	const void *key[] = {file, process};
	struct holder *holder = NULL;

	HASH_FIND(hh, ledger->holders, key, HOLDER_KEY_SIZE, holder);
	return holder;
}

static int holder_new(struct ledger *ledger, struct device_file *file, const struct event *event,
		      struct holder **ret)
{
	struct holder *holder;
	int r;

	if (HASH_COUNT(ledger->holders) >= ledger->entries_max)
		return -ENOSPC;
	holder = calloc(1, sizeof(*holder));
	if (!holder)
		return -ENOMEM;
	holder->file = file;
	r = process_acquire(ledger, &event->header.who, event->header.time_ns, &holder->process);
	if (r < 0)
		goto fail;
	HASH_ADD(hh, ledger->holders, file, HOLDER_KEY_SIZE, holder);
	if (!holder->hh.tbl) {
		process_release(ledger, holder->process);
		r = -ENOMEM;
		goto fail;
	}
	DL_APPEND2(file->holders, holder, previous, next);
	file->n_holders++;
	*ret = holder;
	return 0;
fail:
	free(holder);
	return r;
}

void holder_remove(struct ledger *ledger, struct holder *holder)
{
	if (ledger->next_holder == holder)
		ledger->next_holder = holder->hh.next;
	HASH_DEL(ledger->holders, holder);
	DL_DELETE2(holder->file->holders, holder, previous, next);
	holder->file->n_holders--;
	process_release(ledger, holder->process);
	free(holder);
}

static int holder_hold(struct ledger *ledger, struct device_file *file, struct holder *holder,
		       const struct event *event, struct change *change)
{
	bool is_new = !holder, file_is_new = !file;
	int r;

	if (file_is_new) {
		r = file_new(ledger, event->holder.file_id, &file);
		if (r < 0)
			return r;
	}
	if (is_new) {
		r = holder_new(ledger, file, event, &holder);
		if (r < 0) {
			if (file_is_new)
				file_forget(ledger, file);
			return r;
		}
	}
	if (is_new || holder->fds != event->holder.fds)
		change->kind = CHANGE_HOLDER;
	holder->fds = event->holder.fds;
	holder->seen = ledger->readings[READING_HOLDERS].number;
	change->file = file;
	change->device = file->device;
	change->process = holder->process;
	return 0;
}

/* A holder of a file that was closed is an old reading: nothing changes. */
int apply_holder(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_process_id *who = &event->header.who;
	struct process_key key = {.start_ns = who->start_ns, .tgid = who->tgid};
	const struct process *process = ledger_process(ledger, &key);
	struct device_file *file = file_find(ledger, event->holder.file_id);
	struct holder *holder = file && process ? holder_find(ledger, file, process) : NULL;

	if (!event->holder.file_id || !who->start_ns || !who->tgid)
		return -EBADMSG;
	if (event->holder.fds) {
		if (file ? !file->live : !!tombstone_find(ledger->ended_files, event->holder.file_id))
			return 0;
		return holder_hold(ledger, file, holder, event, change);
	}
	if (!holder)
		return 0;
	change->file = file;
	change->device = file->device;
	change->process = process;
	change->kind = CHANGE_HOLDER;
	holder_remove(ledger, holder);
	return 0;
}
