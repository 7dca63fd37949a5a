/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/ledger_internal.h"

#define COOKIE_ATTRIBUTES ((uint32_t)(COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC | COOKIE_REVOKED))

struct cookie *cookie_find(const struct ledger *ledger, uint64_t id)
{
	struct cookie *cookie = NULL;

	HASH_FIND(hh, ledger->cookies, &id, sizeof(id), cookie);
	return cookie;
}

const struct cookie *ledger_cookie(const struct ledger *ledger, uint64_t id)
{
	return cookie_find(ledger, id);
}

struct cookie *cookie_find_at(const struct device_file *file, uint64_t offset)
{
	struct cookie *cookie, *found = NULL;

	if (!file)
		return NULL;
	DL_FOREACH2 (file->cookie_list, cookie, file_next) {
		if (cookie->dialect == DIALECT_DMA_BUF || offset < cookie->offset ||
		    offset - cookie->offset >= cookie->size)
			continue;
		if (!found || cookie->live || !found->live)
			found = cookie;
	}
	return found;
}

const struct cookie *ledger_cookie_at(const struct ledger *ledger, const struct device_file *file,
				      uint64_t offset)
{
	(void)ledger;
	return cookie_find_at(file, offset);
}

static void live_enter(struct ledger *ledger, struct cookie *cookie)
{
	cookie->live = true;
	ledger->counts.cookies++;
	cookie->file->cookies++;
	if (cookie->file->device)
		cookie->file->device->cookies++;
}

static void history_enter(struct ledger *ledger, struct cookie *cookie)
{
	DL_APPEND2(ledger->closed_cookies, cookie, previous, next);
	ledger->n_closed_cookies++;
}

static void history_leave(struct ledger *ledger, struct cookie *cookie)
{
	DL_DELETE2(ledger->closed_cookies, cookie, previous, next);
	ledger->n_closed_cookies--;
}

static void set_closed(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns, bool gone)
{
	cookie->gone = gone;
	cookie->closed_ns = time_ns;
	if (!cookie->references)
		history_enter(ledger, cookie);
}

void cookie_reference(struct ledger *ledger, struct cookie *cookie)
{
	if (!cookie->live && !cookie->references)
		history_leave(ledger, cookie);
	cookie->references++;
}

void cookie_release(struct ledger *ledger, struct cookie *cookie)
{
	if (!--cookie->references && !cookie->live)
		history_enter(ledger, cookie);
}

void cookie_close(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns, bool gone)
{
	cookie->live = false;
	ledger->counts.cookies--;
	cookie->file->cookies--;
	if (cookie->file->device)
		cookie->file->device->cookies--;
	set_closed(ledger, cookie, time_ns, gone);
}

/* Drops a closed cookie from history. */
void cookie_forget(struct ledger *ledger, struct cookie *cookie)
{
	history_leave(ledger, cookie);
	if (ledger->next_cookie == cookie)
		ledger->next_cookie = cookie->hh.next;
	HASH_DEL(ledger->cookies, cookie);
	DL_DELETE2(cookie->file->cookie_list, cookie, file_previous, file_next);
	process_release(ledger, cookie->issuer);
	file_release(ledger, cookie->file);
	free(cookie);
}

/* The mappings of a revoked DMABUF have no pages and will have none. */
static void revoke_mappings(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns)
{
	struct mapping *mapping;

	DL_FOREACH2 (cookie->mapping_list, mapping, cookie_next) {
		if (!mapping->live)
			continue;
		pages_none(ledger, mapping);
		if (mapping->revoked_ns < time_ns)
			mapping->revoked_ns = time_ns;
		mapping_touch(ledger, mapping);
	}
}

void cookie_revoke(struct ledger *ledger, struct cookie *cookie, uint64_t time_ns)
{
	if (cookie->attributes & COOKIE_REVOKED)
		return;
	cookie->attributes |= COOKIE_REVOKED;
	revoke_mappings(ledger, cookie, time_ns);
}

/* What was revoked stays it. */
static bool cookie_take_attributes(struct ledger *ledger, struct cookie *cookie, const struct event *event)
{
	const struct event_cookie *told = &event->cookie;
	uint32_t attributes = told->attributes | (cookie->attributes & COOKIE_REVOKED);
	bool revoked = attributes & ~cookie->attributes & COOKIE_REVOKED;

	if (cookie->region == told->region && cookie->flags == told->flags &&
	    cookie->ranges == told->ranges && cookie->dialect == told->dialect &&
	    cookie->offset == told->offset && cookie->size == told->size &&
	    cookie->phys_start == told->phys_start && cookie->attributes == attributes &&
	    cookie->alias_of == told->alias_of)
		return false;
	cookie->region = told->region;
	cookie->flags = told->flags;
	cookie->ranges = told->ranges;
	cookie->dialect = told->dialect;
	cookie->offset = told->offset;
	cookie->size = told->size;
	cookie->phys_start = told->phys_start;
	cookie->attributes = attributes;
	cookie->alias_of = told->alias_of;
	if (revoked)
		revoke_mappings(ledger, cookie, event->header.time_ns);
	return true;
}

static void cookie_take_time(struct cookie *cookie, const struct event_cookie *told)
{
	if (told->issued_ns && (!cookie->issued_ns || told->issued_ns < cookie->issued_ns))
		cookie->issued_ns = told->issued_ns;
}

static int cookie_new(struct ledger *ledger, const struct event *event, struct cookie **ret)
{
	struct cookie *cookie = calloc(1, sizeof(*cookie));
	int r;

	if (!cookie)
		return -ENOMEM;
	cookie->id = event->cookie.cookie_id;
	r = process_acquire(ledger, &event->header.who, event->header.time_ns, &cookie->issuer);
	if (r < 0)
		goto fail;
	HASH_ADD(hh, ledger->cookies, id, sizeof(cookie->id), cookie);
	if (!cookie->hh.tbl) {
		r = -ENOMEM;
		goto fail_process;
	}
	r = file_acquire(ledger, event->cookie.file_id, &cookie->file);
	if (r < 0)
		goto fail_table;
	DL_APPEND2(cookie->file->cookie_list, cookie, file_previous, file_next);
	*ret = cookie;
	return 0;
fail_table:
	HASH_DEL(ledger->cookies, cookie);
fail_process:
	process_release(ledger, cookie->issuer);
fail:
	free(cookie);
	return r;
}

/* Whether @file_id is known to be closed. */
static bool file_is_closed(const struct ledger *ledger, uint64_t file_id)
{
	const struct device_file *file = file_find(ledger, file_id);

	return file ? !file->live : !!tombstone_find(ledger->ended_files, file_id);
}

static int cookie_create(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_cookie *told = &event->cookie;
	const struct tombstone *ended = tombstone_find(ledger->ended_cookies, told->cookie_id);
	bool closed = told->dialect != DIALECT_DMA_BUF && file_is_closed(ledger, told->file_id);
	struct cookie *cookie;
	int r;

	if ((ended || closed) && event->header.type == EVENT_COOKIE_LIVE)
		return 0;
	if (!ended && !closed && ledger->counts.cookies >= ledger->entries_max)
		return -ENOSPC;
	r = cookie_new(ledger, event, &cookie);
	if (r < 0)
		return r;
	cookie_take_attributes(ledger, cookie, event);
	cookie_take_time(cookie, told);
	cookie->issued = told->issued;
	cookie->mapped_types = told->mapped_types;
	cookie->seen = ledger->readings[READING_COOKIES].number;
	if (ended) {
		set_closed(ledger, cookie, ended->time_ns, true);
		tombstone_drop(&ledger->ended_cookies, told->cookie_id);
	} else if (closed) {
		set_closed(ledger, cookie, cookie->file->closed_ns, cookie->file->gone);
	} else {
		live_enter(ledger, cookie);
	}
	cookie_arrived(ledger, cookie);
	change->kind = CHANGE_COOKIE_ISSUED;
	change->cookie = cookie;
	return 0;
}

/* An event that counts less issues than the ledger is older and says nothing about the attributes. */
static int cookie_update(struct ledger *ledger, struct cookie *cookie, const struct event *event,
			 struct change *change)
{
	const struct event_cookie *told = &event->cookie;
	bool is_scan = event->header.type == EVENT_COOKIE_LIVE;
	bool revives = is_scan && !cookie->live && !cookie->gone &&
		       (cookie->file->live || cookie->dialect == DIALECT_DMA_BUF);
	int r;

	if (cookie->file->id != told->file_id)
		return -EBADMSG;
	if (revives && ledger->counts.cookies >= ledger->entries_max)
		return -ENOSPC;
	if (!cookie->issuer) {
		r = process_acquire(ledger, &event->header.who, event->header.time_ns, &cookie->issuer);
		if (r < 0)
			return r;
	}
	if ((told->issued >= cookie->issued || (is_scan && !told->issued)) &&
	    cookie_take_attributes(ledger, cookie, event))
		change->kind = CHANGE_COOKIE_REISSUED;
	if (told->issued > cookie->issued) {
		cookie->issued = told->issued;
		DL_DELETE2(cookie->file->cookie_list, cookie, file_previous, file_next);
		DL_APPEND2(cookie->file->cookie_list, cookie, file_previous, file_next);
		change->kind = CHANGE_COOKIE_REISSUED;
	}
	if (revives) {
		if (!cookie->references)
			history_leave(ledger, cookie);
		cookie->closed_ns = 0;
		live_enter(ledger, cookie);
		change->kind = CHANGE_COOKIE_ISSUED;
	}
	cookie_take_time(cookie, told);
	cookie->seen = ledger->readings[READING_COOKIES].number;
	change->cookie = cookie;
	return 0;
}

/* EVENT_COOKIE, EVENT_COOKIE_LIVE */
int apply_cookie(struct ledger *ledger, const struct event *event, struct change *change)
{
	const struct event_cookie *told = &event->cookie;
	struct cookie *cookie = cookie_find(ledger, told->cookie_id);
	uint64_t end;
	int r;

	if (!told->cookie_id || !told->file_id || told->dialect >= DIALECT_TYPES ||
	    told->attributes & ~COOKIE_ATTRIBUTES || told->mapped_types >> MEMTYPE_TYPES ||
	    __builtin_add_overflow(told->offset, told->size, &end) ||
	    __builtin_add_overflow(told->phys_start, told->size, &end))
		return -EBADMSG;
	r = cookie ? cookie_update(ledger, cookie, event, change) : cookie_create(ledger, event, change);
	if (r < 0 || !change->cookie)
		return r;
	change->file = change->cookie->file;
	change->device = change->file->device;
	return 0;
}

int apply_cookie_release(struct ledger *ledger, const struct event *event, struct change *change)
{
	uint64_t id = event->cookie.cookie_id;
	struct cookie *cookie = cookie_find(ledger, id);

	if (!id)
		return -EBADMSG;
	if (!cookie)
		return origin_is_kernel(event) ? tombstone_add(ledger, &ledger->ended_cookies, event, id) : 0;
	change->cookie = cookie;
	change->file = cookie->file;
	change->device = cookie->file->device;
	if (cookie->live) {
		cookie_close(ledger, cookie, event->header.time_ns, origin_is_kernel(event));
		change->kind = CHANGE_COOKIE_CLOSED;
	} else if (origin_is_kernel(event)) {
		cookie->gone = true;
	}
	return 0;
}

void ledger_cookies_uncertain(struct ledger *ledger)
{
	for (struct device_file *file = ledger->files; file; file = file->hh.next)
		if (file->live)
			file->cookies_uncertain = true;
}

const struct cookie *ledger_next_live_cookie(const struct ledger *ledger, const struct cookie *previous)
{
	const struct cookie *cookie = previous ? previous->hh.next : ledger->cookies;

	while (cookie && !cookie->live)
		cookie = cookie->hh.next;
	return cookie;
}
