/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

#define ENTRIES_DEFAULT ((size_t)1 << 20)
#define HISTORY_DEFAULT ((size_t)4096)

struct tombstone *tombstone_find(struct tombstone *table, uint64_t id)
{
	struct tombstone *tombstone = NULL;

	HASH_FIND(hh, table, &id, sizeof(id), tombstone);
	return tombstone;
}

void tombstone_drop(struct tombstone **table, uint64_t id)
{
	struct tombstone *tombstone = tombstone_find(*table, id);

	if (!tombstone)
		return;
	HASH_DEL(*table, tombstone);
	free(tombstone);
}

/* Full: the oldest is forgotten, and its id could come alive by a kernel event that is later still. */
int tombstone_add(struct ledger *ledger, struct tombstone **table, const struct event *event, uint64_t id)
{
	struct tombstone *tombstone;

	if (tombstone_find(*table, id))
		return 0;
	tombstone = calloc(1, sizeof(*tombstone));
	if (!tombstone)
		return -ENOMEM;
	tombstone->id = id;
	tombstone->time_ns = event->header.time_ns;
	HASH_ADD(hh, *table, id, sizeof(tombstone->id), tombstone);
	if (!tombstone->hh.tbl) {
		free(tombstone);
		return -ENOMEM;
	}
	if (HASH_COUNT(*table) > ledger->history_max)
		tombstone_drop(table, (*table)->id);
	return 0;
}

/* Copies text that ends at its first zero or with its field, and clears what follows. @size is above @length.
 */
void copy_text(char *to, size_t size, const char *from, size_t length)
{
	size_t n = strnlen(from, length);

	memcpy(to, from, n);
	memset(to + n, 0, size - n);
}

int ledger_new(struct ledger **ret, enum memtype_arch arch, const struct ledger_limits *limits)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return -ENOMEM;
	ledger->arch = arch;
	ledger->entries_max = limits && limits->entries ? limits->entries : ENTRIES_DEFAULT;
	ledger->history_max = limits && limits->history ? limits->history : HISTORY_DEFAULT;
	ledger->runs_max = limits && limits->runs ? limits->runs : RUNS_IN_ALL;
	*ret = ledger;
	return 0;
}

static void free_departed(struct ledger *ledger)
{
	while (ledger->departed_processes) {
		struct process *process = ledger->departed_processes;

		ledger->departed_processes = process->hh.next;
		free(process);
	}
	while (ledger->departed_devices) {
		struct device *device = ledger->departed_devices;

		ledger->departed_devices = device->hh.next;
		free(device);
	}
}

/* HASH_CLEAR frees the table and leaves its elements, whose hh.next still links them. */
#define FREE_TABLE(type, table)                                                                              \
	do {                                                                                                 \
		type *entry_ = (table);                                                                      \
                                                                                                             \
		HASH_CLEAR(hh, table);                                                                       \
		while (entry_) {                                                                             \
			type *next_ = entry_->hh.next;                                                       \
                                                                                                             \
			free(entry_);                                                                        \
			entry_ = next_;                                                                      \
		}                                                                                            \
	} while (0)

struct ledger *ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	free_departed(ledger);
	for (struct mapping *mapping = ledger->mappings; mapping; mapping = mapping->hh.next)
		free(mapping->runs);
	FREE_TABLE(struct holder, ledger->holders);
	FREE_TABLE(struct cookie_wait, ledger->cookie_waits);
	FREE_TABLE(struct mapping, ledger->mappings);
	FREE_TABLE(struct cookie, ledger->cookies);
	FREE_TABLE(struct device_file, ledger->files);
	FREE_TABLE(struct device, ledger->devices);
	FREE_TABLE(struct process, ledger->processes);
	FREE_TABLE(struct tombstone, ledger->ended_files);
	FREE_TABLE(struct tombstone, ledger->ended_cookies);
	FREE_TABLE(struct tombstone, ledger->ended_mappings);
	FREE_TABLE(struct tombstone, ledger->early_pages);
	free(ledger);
	return NULL;
}

/* Brings history back to its limits. Files last: the others hold references to them. */
static void trim_history(struct ledger *ledger)
{
	while (ledger->n_closed_mappings > ledger->history_max)
		mapping_forget(ledger, ledger->closed_mappings);
	while (ledger->n_closed_cookies > ledger->history_max)
		cookie_forget(ledger, ledger->closed_cookies);
	while (ledger->n_closed_files > ledger->history_max)
		file_forget(ledger, ledger->closed_files);
}

static int apply_lost(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_lost *lost = &event->lost;

	if (lost->type >= EVENT_KERNEL_TYPES)
		return -EBADMSG;
	if (__builtin_add_overflow(ledger->counts.lost[lost->type], lost->count,
				   &ledger->counts.lost[lost->type]))
		ledger->counts.lost[lost->type] = UINT64_MAX;
	if (lost->type == EVENT_NONE || lost->type == EVENT_REVOKE || lost->type == EVENT_POPULATE)
		pages_forget_all(ledger, lost->type != EVENT_POPULATE, event->header.time_ns);
	if (lost->type == EVENT_NONE || lost->type == EVENT_COOKIE)
		ledger_cookies_uncertain(ledger);
	change->kind = CHANGE_LOST;
	return 0;
}

static int apply_module(struct ledger *ledger, const struct event *event, struct change *change)
{
	(void)ledger;
	if (event->module.state != EVENT_MODULE_COMING && event->module.state != EVENT_MODULE_GONE)
		return -EBADMSG;
	change->kind = CHANGE_MODULE;
	return 0;
}

typedef int (*apply_function)(struct ledger *ledger, const struct event *event, struct change *change);

static const apply_function apply_functions[EVENT_TYPES] = {
	[EVENT_OPEN] = apply_file,         [EVENT_RELEASE] = apply_release,
	[EVENT_COOKIE] = apply_cookie,     [EVENT_COOKIE_RELEASE] = apply_cookie_release,
	[EVENT_MAP] = apply_map,           [EVENT_COPY] = apply_copy,
	[EVENT_UNMAP] = apply_unmap,       [EVENT_MODULE] = apply_module,
	[EVENT_FILE] = apply_file,         [EVENT_COOKIE_LIVE] = apply_cookie,
	[EVENT_MAPPING] = apply_mapping,   [EVENT_HOLDER] = apply_holder,
	[EVENT_DEVICE] = apply_device,     [EVENT_PROCESS] = apply_process,
	[EVENT_IDENTITY] = apply_identity, [EVENT_LOST] = apply_lost,
	[EVENT_POPULATE] = apply_pages,    [EVENT_PAGES] = apply_pages,
	[EVENT_REVOKE] = apply_revoke,     [EVENT_RESERVATION] = apply_reservation,
	[EVENT_REQUEST] = apply_request,
};

static bool header_is_good(const struct event_header *header)
{
	return header->version == EVENT_VERSION && header->origin <= EVENT_ORIGIN_SCAN &&
	       event_size(header->type) != 0 && header->size == event_size(header->type);
}

/* The name of the process that an event is about is news even when the rest is not. */
static void note_name(struct ledger *ledger, const struct event *event, struct change *change)
{
	struct process *process = NULL;

	if (!process_name(ledger, &event->header.who, event->header.time_ns, &process) ||
	    change->kind != CHANGE_NONE)
		return;
	if (event->header.type == EVENT_MAPPING && change->mapping && change->mapping->owner == process) {
		change->kind = CHANGE_MAPPING;
	} else if (event->header.type == EVENT_HOLDER && change->process == process) {
		change->kind = CHANGE_HOLDER;
	} else {
		*change = (struct change){.kind = CHANGE_PROCESS, .process = process};
	}
}

/* Who did it, if an entry points to that process, or else whose entry it is about. */
static const struct process *process_of(const struct ledger *ledger, const struct event *event,
					const struct change *change)
{
	const struct event_process_id *who = &event->header.who;
	const struct process_key key = {.start_ns = who->start_ns, .tgid = who->tgid};
	const struct process *process = ledger_process(ledger, &key);

	if (process)
		return process;
	if (change->mapping)
		return change->mapping->owner;
	if (change->cookie)
		return change->cookie->issuer;
	return change->file ? change->file->opener : NULL;
}

int ledger_apply(struct ledger *ledger, const struct event *event, struct change *ret)
{
	struct change change = {.kind = CHANGE_NONE};
	int r = -EBADMSG;

	free_departed(ledger);
	if (header_is_good(&event->header))
		r = apply_functions[event->header.type](ledger, event, &change);
	if (r == -EBADMSG || r == -ENOSPC) {
		ledger->counts.refused++;
		*ret = (struct change){.kind = CHANGE_REFUSED};
		return 0;
	}
	if (r < 0)
		return r;
	note_name(ledger, event, &change);
	if (!change.process)
		change.process = process_of(ledger, event, &change);
	trim_history(ledger);
	*ret = change;
	return 0;
}

void ledger_counts(const struct ledger *ledger, struct ledger_counts *ret)
{
	*ret = ledger->counts;
	ret->devices = HASH_COUNT(ledger->devices);
	ret->processes = HASH_COUNT(ledger->processes);
}

enum memtype_arch ledger_arch(const struct ledger *ledger)
{
	return ledger->arch;
}
