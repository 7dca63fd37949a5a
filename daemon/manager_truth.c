// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "core/status.h"
#include "manager_internal.h"
#include "source/pci.h"
#include "source/scan.h"

/* How soon to look again at modules on their way and at ranges that were changing. */
#define RETRY_USEC 20000ULL

/* Between audits while nobody asks. An audit walks the VMAs of all processes. */
#define AUDIT_INTERVAL_NS 1000000000ULL

uint64_t manager_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Looks up what the event's device and process are, the first time they are met. */
static void complete_facts(struct manager *manager, const struct event *event, const struct change *change)
{
	const struct device *device = change->device;
	char name[EVENT_NAME_LEN + 1];
	struct event facts;

	name[0] = 0;
	if (device && device->is_pci && !device->facts_known)
		snprintf(name, sizeof(name), "%s", device->name);
	manager_complete_process(manager, event, change->process);
	/* The ledger may have changed, so nothing of *change is used from here on. */
	if (name[0] && pci_read(manager->options.sys, name, manager_now_ns(), &facts) == 0)
		manager_apply(manager, &facts);
}

/* Only first times are told: those the kernel says are, and those that a reading finds after their event was
 * lost. */
static bool is_first_issue(const struct manager *manager, const struct event *event,
			   const struct change *change)
{
	if (change->kind != CHANGE_COOKIE_ISSUED || !cookie_is_for_mmap(change->cookie))
		return false;
	if (event->header.origin == EVENT_ORIGIN_KERNEL)
		return event->cookie.issued == 1;
	return manager->started;
}

static bool is_of_interest(const struct event *event)
{
	return event->header.type != EVENT_MODULE || strstr(event->module.name, "vfio");
}

/* Without memory the findings are brought up to date by a later event. */
static void settle(struct manager *manager)
{
	model_settle(&manager->model, manager_finding_changed, manager);
	manager_judge_findings(manager);
}

/* What the kernel decided, and what it could not, in the journal. */
static void tell(struct manager *manager, const struct event *event, const struct change *change)
{
	if (is_of_interest(event))
		history_add(manager->history, event);
	if (is_first_issue(manager, event, change))
		journal_cookie_issued(manager->journal, manager_now_ns(), manager->model.ledger,
				      change->cookie, change->process, event->header.sequence);
	if (event->header.type == EVENT_REQUEST && change->kind != CHANGE_REFUSED)
		journal_request(manager->journal, manager_now_ns(), manager->model.ledger, event);
	if (event->header.type == EVENT_PROCESS && change->process)
		manager_tell_machine(manager, change->process);
}

/* Events of facts are applied in the middle of the event whose facts they are; that one is judged last. */
void manager_apply(struct manager *manager, const struct event *event)
{
	struct model_change model_change;
	struct change change;
	uint64_t mapping = 0;

	if (model_apply(&manager->model, event, &model_change, manager_finding_changed, manager) < 0) {
		/* Out of memory: the ledger is as before, and the truth is read again when there is some. */
		manager->readings_due = 2;
		return;
	}
	change = model_change.change;
	manager->applying++;
	if (change.kind != CHANGE_NONE) {
		mapping = change.kind == CHANGE_MAPPED ? change.mapping->id : 0;
		manager->mappings_changed |= change.kind == CHANGE_COPIED;
		manager->modules_changed |= change.kind == CHANGE_MODULE;
		tell(manager, event, &change);
		complete_facts(manager, event, &change);
	}
	manager->applying--;
	if (manager->applying == 0)
		manager_judge_findings(manager);
	if (mapping)
		manager_judge_mapping(manager, event, mapping);
}

static void note_losses(struct manager *manager);

/*
 * A mapping of an offset that nobody was seen to be given: before a program is blamed, what may have been
 * missed is taken note of.
 */
static void doubt_unissued(struct manager *manager, const struct event *event)
{
	const struct device_file *file = ledger_file(manager->model.ledger, event->mapping.file_id);
	struct recorder *recorder = probes_recorder(manager->probes);
	struct probes_skips skips;
	uint64_t untracked;

	if (event->mapping.source != SOURCE_VFIO || !file ||
	    ledger_cookie_at(manager->model.ledger, file, event->mapping.offset))
		return;
	note_losses(manager);
	probes_skipped(manager->probes, &skips);
	untracked = __atomic_load_n(&recorder->untracked_cookies, __ATOMIC_ACQUIRE);
	if (skips.cookies != manager->skipped.cookies || untracked != manager->untracked_cookies)
		ledger_cookies_uncertain(manager->model.ledger);
	manager->untracked_cookies = untracked;
}

void manager_on_event(void *userdata, const struct event *event)
{
	if (event->header.type == EVENT_MAP)
		doubt_unissued(userdata, event);
	manager_apply(userdata, event);
}

static void take_row(void *userdata, const struct event *event)
{
	struct manager *manager = userdata;

	if (event->header.type == EVENT_MAPPING && event->mapping.flags & EVENT_MAPPING_UNSETTLED)
		manager->unsettled = true;
	manager_apply(manager, event);
}

/*
 * Reads one kind of entries and closes those that are gone. Returns 1 if the kernel changed nothing
 * meanwhile, 0 if it did, or a negative errno. While nothing is recorded nothing exists.
 */
static int read_entries(struct manager *manager, enum probes_iterator iterator, enum reading what)
{
	struct recorder *recorder = probes_recorder(manager->probes);
	uint64_t before = __atomic_load_n(&recorder->sequence, __ATOMIC_ACQUIRE);
	struct event closing;
	bool quiet;
	int r;

	ledger_begin_reading(manager->model.ledger, what);
	r = scan_read(manager->probes, iterator, take_row, manager);
	if (r < 0 && r != -ENODATA)
		return r;
	quiet = __atomic_load_n(&recorder->sequence, __ATOMIC_ACQUIRE) == before;
	while (ledger_next_absent(manager->model.ledger, what, quiet, manager_now_ns(), &closing))
		manager_apply(manager, &closing);
	return quiet;
}

static int read_mappings(struct manager *manager)
{
	int r;

	manager->mappings_changed = false;
	manager->unsettled = false;
	r = read_entries(manager, ITERATOR_MAPPINGS, READING_MAPPINGS);
	if (r < 0)
		manager->mappings_changed = true;
	return r;
}

/* Runs that go on with walks which were cut short: enough for all the runs that the ledger keeps of a
 * mapping, and for 128 GiB of it. What is left then comes with the next reading. */
#define WALK_RUNS_MAX 64

/* Reads page tables: of all mappings, or of those whose pages may have changed without an event. */
static int walk_pages(struct manager *manager, bool everything)
{
	int r;

	probes_walk(manager->probes, everything);
	for (unsigned int i = 0; i < WALK_RUNS_MAX; i++) {
		r = scan_read(manager->probes, ITERATOR_PAGES, take_row, manager);
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		if (probes_walk(manager->probes, false) == 0)
			break;
	}
	settle(manager);
	return 0;
}

/* After events: what they leave open. If that is not enough some of them were lost. */
static int walk_due_pages(struct manager *manager)
{
	int r = 0;

	if (ledger_pages_due(manager->model.ledger))
		r = walk_pages(manager, false);
	if (r == 0 && !manager->unsettled && ledger_pages_due(manager->model.ledger))
		r = walk_pages(manager, true);
	return r;
}

static int read_everything(struct manager *manager)
{
	int mappings, files, cookies, holders, r;

	/* Mappings first: a file that is mapped is never absent. */
	mappings = read_mappings(manager);
	r = mappings < 0 ? mappings : walk_pages(manager, true);
	if (r < 0)
		return r;
	files = mappings < 0 ? mappings : read_entries(manager, ITERATOR_FILES, READING_FILES);
	cookies = files < 0 ? files : read_entries(manager, ITERATOR_COOKIES, READING_COOKIES);
	holders = cookies < 0 ? cookies : read_entries(manager, ITERATOR_HOLDERS, READING_HOLDERS);
	if (holders < 0)
		return holders;
	manager->readings++;
	if (mappings && files && cookies && holders)
		manager->readings_due = 0;
	else if (manager->readings_due > 0)
		manager->readings_due--;
	return 0;
}

static int run_iterator(struct manager *manager, enum probes_iterator iterator)
{
	return scan_read(manager->probes, iterator, take_row, manager);
}

/*
 * Puts the tables right after the kernel skipped a recording program, or when it may have while no daemon
 * looked: finds what is missing, and removes what is gone. See bpf/audit.bpf.c.
 */
static int audit(struct manager *manager, bool files)
{
	struct recorder *recorder = probes_recorder(manager->probes);
	int r;

	manager->audits++;
	manager->audit_due = true;
	manager->audited_ns = manager_now_ns();
	manager->suspect = __atomic_load_n(&recorder->suspect, __ATOMIC_ACQUIRE);
	__atomic_add_fetch(&recorder->audit, 1, __ATOMIC_ACQ_REL);
	r = run_iterator(manager, ITERATOR_MARK_MAPPINGS);
	if (r == 0 && files)
		r = run_iterator(manager, ITERATOR_MARK_FILES);
	if (r == 0)
		r = run_iterator(manager, ITERATOR_FIND);
	if (r == 0)
		r = run_iterator(manager, ITERATOR_HOLDERS);
	if (r == 0)
		r = run_iterator(manager, ITERATOR_DROP_MAPPINGS);
	if (r == 0 && files)
		r = run_iterator(manager, ITERATOR_DROP_FILES);
	if (r == 0)
		r = read_everything(manager);
	manager->audit_due = r < 0;
	return r == 0 ? manager_audit_enforcer(manager) : r;
}

/* The kernel's count of skipped runs, or an entry met without its VMA, says that the tables are not right. */
static bool audit_is_due(struct manager *manager)
{
	struct recorder *recorder = probes_recorder(manager->probes);
	struct probes_skips skips;

	probes_skipped(manager->probes, &skips);
	return manager->audit_due || skips.all != manager->skipped.all ||
	       __atomic_load_n(&recorder->suspect, __ATOMIC_ACQUIRE) != manager->suspect;
}

/* Takes note of what was skipped since the last time; returns true if that may include the end of a file. A
 * daemon that has just begun writes what was skipped since its predecessor wrote. */
static bool note_skipped(struct manager *manager)
{
	struct recorder *recorder = probes_recorder(manager->probes);
	struct probes_skips skips, before = manager->skipped;

	probes_skipped(manager->probes, &skips);
	manager->skipped_in_all += skips.all - before.all;
	if (skips.all > recorder->skips_reported) {
		journal_events_lost(manager->journal, "runs of recording programs skipped by the kernel",
				    skips.all - recorder->skips_reported);
		recorder->skips_reported = skips.all;
	}
	if (skips.cookies != before.cookies)
		ledger_cookies_uncertain(manager->model.ledger);
	manager->skipped = skips;
	return skips.releases != before.releases;
}

static bool enforcer_is_due(const struct manager *manager)
{
	return manager->enforcer && enforcer_audit_due(manager->enforcer);
}

static int audit_if_due(struct manager *manager)
{
	if (audit_is_due(manager))
		return audit(manager, note_skipped(manager));
	if (!enforcer_is_due(manager))
		return 0;
	manager->audited_ns = manager_now_ns();
	return manager_audit_enforcer(manager);
}

/* What found no room may have it by now. */
static int complete_enforcer(struct manager *manager)
{
	return manager->enforcer && enforcer_incomplete(manager->enforcer) ? manager_audit_enforcer(manager)
									   : 0;
}

static void note_losses(struct manager *manager)
{
	struct recorder *recorder = probes_recorder(manager->probes);
	struct event event;

	for (unsigned int type = 0; type < EVENT_KERNEL_TYPES; type++) {
		uint64_t lost = __atomic_load_n(&recorder->lost[type], __ATOMIC_ACQUIRE);

		if (lost == recorder->reported[type])
			continue;
		event_scanned(&event, EVENT_LOST, manager_now_ns());
		event.lost.type = type;
		event.lost.count = lost - recorder->reported[type];
		manager_apply(manager, &event);
		journal_events_lost(manager->journal, event_type_name(type), event.lost.count);
		recorder->reported[type] = lost;
		if (type != EVENT_REQUEST)
			manager->readings_due = 2;
		if (type == EVENT_COOKIE)
			ledger_cookies_uncertain(manager->model.ledger);
	}
}

static void look_again(struct manager *manager)
{
	sd_event_source_set_time_relative(manager->retry, RETRY_USEC);
	sd_event_source_set_enabled(manager->retry, SD_EVENT_ONESHOT);
}

/*
 * How often all page tables are walked while nobody asks: changes that no event tells of are found then. A
 * walk that takes long makes the next one wait longer, so that all of them together take a hundredth of one
 * CPU at most.
 */
#define WALK_INTERVAL_USEC 10000000ULL
#define WALK_SHARE         100

/* Sets the timer, unless it is set or there is nothing to walk: an idle daemon is not woken. */
static void walk_again(struct manager *manager, uint64_t took_usec)
{
	struct ledger_counts counts;
	int enabled;

	ledger_counts(manager->model.ledger, &counts);
	if (counts.mappings == 0 || sd_event_source_get_enabled(manager->walk, &enabled) < 0 ||
	    enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(manager->walk, took_usec * WALK_SHARE > WALK_INTERVAL_USEC
								 ? took_usec * WALK_SHARE
								 : WALK_INTERVAL_USEC);
	sd_event_source_set_enabled(manager->walk, SD_EVENT_ONESHOT);
}

int manager_on_walk(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct manager *manager = userdata;
	uint64_t began = manager_now_ns();
	int r = ring_consume(manager->ring);

	(void)source;
	(void)usec;
	if (r < 0)
		return r;
	r = walk_pages(manager, true);
	complete_enforcer(manager);
	manager_report_degraded(manager);
	if (r < 0)
		fprintf(stderr, SD_WARNING "cannot read page tables: %s; trying again\n", strerror(-r));
	if (manager->bus)
		bus_events_added(manager->bus);
	walk_again(manager, (manager_now_ns() - began) / 1000);
	return 0;
}

void manager_on_drained(void *userdata)
{
	struct manager *manager = userdata;
	int r = 0;

	note_losses(manager);
	if (manager->modules_changed)
		manager_update_probes(manager);
	if (manager_now_ns() - manager->audited_ns > AUDIT_INTERVAL_NS)
		r = audit_if_due(manager);
	if (r == 0 && manager->readings_due)
		r = read_everything(manager);
	else if (r == 0 && manager->mappings_changed)
		r = read_mappings(manager);
	settle(manager);
	if (r >= 0)
		r = walk_due_pages(manager);
	if (r < 0)
		fprintf(stderr, SD_WARNING "cannot read the mappings: %s; trying again\n", strerror(-r));
	if (r < 0 || manager->readings_due || manager->unsettled || audit_is_due(manager) ||
	    enforcer_is_due(manager))
		look_again(manager);
	walk_again(manager, 0);
	manager_report_degraded(manager);
	if (manager->bus)
		bus_events_added(manager->bus);
}

/* The audit finds what was there before, and what a recording without a daemon missed. */
static void recording_began(struct manager *manager)
{
	int r;

	r = audit(manager, note_skipped(manager));
	if (r < 0)
		fprintf(stderr, SD_WARNING "cannot read what is mapped already: %s; trying again\n",
			strerror(-r));
	if (r < 0 || manager->unsettled)
		look_again(manager);
	if (r < 0)
		manager->readings_due = 2;
}

void manager_update_probes(struct manager *manager)
{
	enum probes_change change;
	bool settled;

	manager->modules_changed = false;
	manager_stretch_watchdog(true);
	change = probes_update(manager->probes, &settled);
	manager_stretch_watchdog(false);
	switch (change) {
	case PROBES_SAME:
		break;
	case PROBES_ATTACHED:
		fprintf(stderr, SD_INFO "recording\n");
		recording_began(manager);
		manager_recording_began(manager);
		break;
	case PROBES_UNUSED:
		fprintf(stderr, SD_INFO "recording stopped: the vfio modules are not in use\n");
		manager_recording_ends(manager);
		probes_let_go(manager->probes);
		manager->audit_due = false;
		memset(&manager->skipped, 0, sizeof(manager->skipped));
		read_everything(manager);
		break;
	case PROBES_FAILED:
		manager_recording_failed(manager);
		break;
	}
	if (!settled) {
		manager->modules_changed = true;
		look_again(manager);
	}
}

static void found_device(void *userdata, const char *name)
{
	struct manager *manager = userdata;
	struct event facts;

	if (pci_read(manager->options.sys, name, manager_now_ns(), &facts) == 0)
		manager_apply(manager, &facts);
}

int manager_refresh(void *userdata, unsigned int what)
{
	struct manager *manager = userdata;
	int r;

	r = ring_consume(manager->ring);
	if (r >= 0)
		r = audit_if_due(manager);
	if (r >= 0)
		r = complete_enforcer(manager);
	if (r >= 0 && what & BUS_REFRESH_DEVICES)
		r = pci_enumerate(manager->options.sys, found_device, manager);
	if (r >= 0 && what & BUS_REFRESH_HOLDERS)
		r = read_entries(manager, ITERATOR_HOLDERS, READING_HOLDERS);
	if (r >= 0 && what & (BUS_REFRESH_MAPPINGS | BUS_REFRESH_PAGES))
		r = read_mappings(manager);
	if (r >= 0 && what & BUS_REFRESH_PAGES)
		r = walk_pages(manager, true);
	if (r >= 0)
		manager_check_processes(manager);
	if (manager->unsettled)
		look_again(manager);
	return r < 0 ? r : 0;
}
