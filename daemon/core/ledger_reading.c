/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

void ledger_begin_reading(struct ledger *ledger, enum reading what)
{
	if ((size_t)what >= READING_KINDS)
		return;
	ledger->readings[what].number++;
	ledger->readings[what].open = true;
	switch (what) {
	case READING_FILES:
		ledger->next_file = ledger->files;
		break;
	case READING_COOKIES:
		ledger->next_cookie = ledger->cookies;
		break;
	case READING_MAPPINGS:
		ledger->next_mapping = ledger->mappings;
		break;
	case READING_HOLDERS:
		ledger->next_holder = ledger->holders;
		break;
	}
}

/* An entry told of last in reading @seen: absent from this one, and unless @quiet from the complete one
 * before. */
static bool is_absent(const struct reading_state *reading, uint64_t seen, bool quiet)
{
	return quiet ? seen < reading->number : seen < reading->complete;
}

void fill_who(struct event *event, const struct process *process)
{
	struct event_process_id *who = &event->header.who;

	if (!process)
		return;
	who->start_ns = process->key.start_ns;
	who->tgid = process->key.tgid;
	who->cgroup_id = process->cgroup_id;
	who->uid = process->uid;
	memcpy(who->comm, process->comm, sizeof(who->comm));
}

static bool next_absent_file(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_file) {
		const struct device_file *file = ledger->next_file;

		ledger->next_file = file->hh.next;
		if (!file->live || file->mappings ||
		    !is_absent(&ledger->readings[READING_FILES], file->seen, quiet))
			continue;
		event_scanned(ret, EVENT_RELEASE, now_ns);
		ret->file.file_id = file->id;
		return true;
	}
	return false;
}

static bool next_absent_cookie(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_cookie) {
		const struct cookie *cookie = ledger->next_cookie;

		ledger->next_cookie = cookie->hh.next;
		if (!cookie->live || !is_absent(&ledger->readings[READING_COOKIES], cookie->seen, quiet))
			continue;
		event_scanned(ret, EVENT_COOKIE_RELEASE, now_ns);
		ret->cookie.cookie_id = cookie->id;
		ret->cookie.file_id = cookie->file->id;
		return true;
	}
	return false;
}

static bool next_absent_mapping(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_mapping) {
		const struct mapping *mapping = ledger->next_mapping;

		ledger->next_mapping = mapping->hh.next;
		if (!mapping->live || !is_absent(&ledger->readings[READING_MAPPINGS], mapping->seen, quiet))
			continue;
		event_scanned(ret, EVENT_UNMAP, now_ns);
		ret->mapping.mapping_id = mapping->id;
		return true;
	}
	return false;
}

static bool next_absent_holder(struct ledger *ledger, bool quiet, uint64_t now_ns, struct event *ret)
{
	while (ledger->next_holder) {
		const struct holder *holder = ledger->next_holder;

		ledger->next_holder = holder->hh.next;
		if (!is_absent(&ledger->readings[READING_HOLDERS], holder->seen, quiet))
			continue;
		event_scanned(ret, EVENT_HOLDER, now_ns);
		fill_who(ret, holder->process);
		ret->holder.file_id = holder->file->id;
		return true;
	}
	return false;
}

/* Who holds the files that were there when a quiet reading of holders began is known now. */
static void note_holders_known(struct ledger *ledger)
{
	for (struct device_file *file = ledger->files; file; file = file->hh.next)
		if (file->live && file->born < ledger->readings[READING_HOLDERS].number)
			file->holders_known = true;
}

bool ledger_next_absent(struct ledger *ledger, enum reading what, bool quiet, uint64_t now_ns,
			struct event *ret)
{
	struct reading_state *reading;
	bool found = false;

	if ((size_t)what >= READING_KINDS || !ledger->readings[what].open)
		return false;
	reading = &ledger->readings[what];
	switch (what) {
	case READING_FILES:
		found = next_absent_file(ledger, quiet, now_ns, ret);
		break;
	case READING_COOKIES:
		found = next_absent_cookie(ledger, quiet, now_ns, ret);
		break;
	case READING_MAPPINGS:
		found = next_absent_mapping(ledger, quiet, now_ns, ret);
		break;
	case READING_HOLDERS:
		found = next_absent_holder(ledger, quiet, now_ns, ret);
		break;
	}
	if (found)
		return true;
	reading->open = false;
	reading->complete = reading->number;
	if (what == READING_HOLDERS && quiet)
		note_holders_known(ledger);
	return false;
}
