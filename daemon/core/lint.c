/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/lint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "core/sentence.h"

#define LINTS_DEFAULT ((size_t)4096)

/* As wide as one member each: no padding, it is hashed as bytes. */
struct lint_key {
	uint64_t kind, start_ns, tgid, region;
	char device[EVENT_NAME_LEN + 8];
};

struct lint_entry {
	struct lint lint; /* first */
	struct lint_key key;
};

/*
 * Kernel events carry a number each. While one is missing, a cookie may have been issued that was not told of
 * yet: two CPUs write into one ring, and losses are told later than what came after them.
 */
struct sequence_watch {
	uint64_t next, missing;
	uint64_t missing_ns; /* time of the event that showed the newest gap */
};

struct lints {
	struct lint *rows; /* by key, in order of id */
	size_t max;
	uint64_t named, refused;
	struct sequence_watch watch;
};

int lints_new(struct lints **ret, size_t max)
{
	struct lints *lints = calloc(1, sizeof(*lints));

	if (!lints)
		return -ENOMEM;
	lints->max = max ? max : LINTS_DEFAULT;
	*ret = lints;
	return 0;
}

/* HASH_CLEAR frees the table and leaves its elements, whose hh.next still links them. */
struct lints *lints_free(struct lints *lints)
{
	struct lint *lint;

	if (!lints)
		return NULL;
	lint = lints->rows;
	HASH_CLEAR(hh, lints->rows);
	while (lint) {
		struct lint *next = lint->hh.next;

		free(lint);
		lint = next;
	}
	free(lints);
	return NULL;
}

static void watch_sequence(struct sequence_watch *watch, const struct event *event)
{
	uint64_t sequence = event->header.sequence;

	if (event->header.type == EVENT_LOST) {
		watch->missing -= event->lost.count < watch->missing ? event->lost.count : watch->missing;
		return;
	}
	if (event->header.origin != EVENT_ORIGIN_KERNEL || !sequence)
		return;
	if (!watch->next || sequence >= watch->next) {
		if (watch->next && sequence > watch->next) {
			watch->missing += sequence - watch->next;
			watch->missing_ns = event->header.time_ns;
		}
		watch->next = sequence + 1;
	} else if (watch->missing) {
		watch->missing--;
	}
}

/* All that was issued on the file was seen. */
static bool cookies_are_known(const struct lints *lints, const struct device_file *file)
{
	if (!file || file->from_scan || file->cookies_uncertain || !file->opened_ns)
		return false;
	return !lints->watch.missing || lints->watch.missing_ns < file->opened_ns;
}

static bool is_unissued(const struct lints *lints, const struct ledger *ledger, const struct mapping *mapping)
{
	return mapping->source == SOURCE_VFIO && mapping->offset_known && !mapping->from_id &&
	       cookies_are_known(lints, mapping->file) &&
	       !ledger_cookie_at(ledger, mapping->file, mapping->offset);
}

static bool is_mutable(const struct cookie *cookie)
{
	return cookie && (cookie->mapped_types & (cookie->mapped_types - 1));
}

/* A cookie issued before @cookie on the same file for the same thing, at another offset. */
static const struct cookie *issued_before(const struct cookie *cookie)
{
	const uint32_t attributes = COOKIE_ATTRIBUTES_KNOWN | COOKIE_WC;
	const struct cookie *other;

	if (cookie->dialect == DIALECT_DMA_BUF || cookie->region == EVENT_REGION_UNKNOWN)
		return NULL;
	DL_FOREACH2 (cookie->file->cookie_list, other, file_next) {
		if (other == cookie)
			return NULL;
		if (other->dialect == cookie->dialect && cookie_region(other) == cookie_region(cookie) &&
		    (other->attributes & attributes) == (cookie->attributes & attributes) &&
		    other->offset != cookie->offset)
			return other;
	}
	return NULL;
}

/* What @event shows, without id and count. False: nothing. */
static bool judge(const struct lints *lints, const struct ledger *ledger, const struct event *event,
		  const struct change *change, struct lint *ret)
{
	const struct mapping *mapping = change->mapping;
	const struct cookie *cookie = change->cookie;

	*ret = (struct lint){.region = EVENT_REGION_UNKNOWN};
	if (change->kind == CHANGE_REFUSED)
		return false;
	if (event->header.type == EVENT_MAP && mapping) {
		cookie = ledger_mapping_cookie(ledger, mapping);
		ret->region = mapping->region;
		ret->offset = mapping->offset;
		ret->kind = LINT_UNISSUED_OFFSET;
		if (is_unissued(lints, ledger, mapping))
			return true;
		ret->kind = LINT_MUTABLE_COOKIE;
		ret->types = cookie ? cookie->mapped_types : 0;
		return is_mutable(cookie);
	}
	if (event->header.type == EVENT_COOKIE && cookie && event->cookie.issued == 1) {
		const struct cookie *before = issued_before(cookie);

		ret->kind = LINT_UNSTABLE_COOKIE;
		ret->region = cookie_region(cookie);
		ret->offset = cookie->offset;
		ret->other_offset = before ? before->offset : 0;
		return before;
	}
	return false;
}

static const struct device *device_of(const struct change *change)
{
	if (change->device)
		return change->device;
	if (change->mapping && change->mapping->device)
		return change->mapping->device;
	if (change->file)
		return change->file->device;
	return change->cookie ? change->cookie->file->device : NULL;
}

static void describe(struct lint *lint, const struct ledger *ledger, const struct event *event,
		     const struct change *change)
{
	const struct device *device = device_of(change);
	const struct process *process;

	lint->process.tgid = event->header.who.tgid;
	lint->process.start_ns = event->header.who.start_ns;
	memcpy(lint->comm, event->header.who.comm, strnlen(event->header.who.comm, EVENT_COMM_LEN));
	lint->first_ns = lint->last_ns = event->header.time_ns;
	lint->count = 1;
	if (device)
		memcpy(lint->device, device->name, sizeof(lint->device));
	process = ledger_process(ledger, &lint->process);
	if (process)
		memcpy(lint->exe, process->exe, sizeof(lint->exe));
}

static struct lint_key key_of(const struct lint *lint)
{
	struct lint_key key = {
		.kind = lint->kind,
		.start_ns = lint->process.start_ns,
		.tgid = lint->process.tgid,
		.region = lint->region,
	};

	memcpy(key.device, lint->device, strnlen(lint->device, EVENT_NAME_LEN));
	return key;
}

static int add_row(struct lints *lints, const struct lint *lint, const struct lint_key *key,
		   const struct lint **ret)
{
	struct lint_entry *entry = calloc(1, sizeof(*entry));
	struct lint *row;

	if (!entry)
		return -ENOMEM;
	row = &entry->lint;
	*row = *lint;
	row->id = lints->named + 1;
	entry->key = *key;
	HASH_ADD_KEYPTR(hh, lints->rows, &entry->key, sizeof(entry->key), row);
	if (!row->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	lints->named++;
	*ret = row;
	return 0;
}

/* Facts of a process come after what it did. */
static void learn_exe(struct lints *lints, const struct process *process)
{
	if (!process || !process->exe[0])
		return;
	for (struct lint *row = lints->rows; row; row = row->hh.next)
		if (!row->exe[0] && row->process.tgid == process->key.tgid &&
		    row->process.start_ns == process->key.start_ns)
			memcpy(row->exe, process->exe, sizeof(row->exe));
}

int lints_apply(struct lints *lints, const struct ledger *ledger, const struct event *event,
		const struct change *change, const struct lint **ret, bool *is_new)
{
	struct lint lint, *row = NULL;
	struct lint_key key;

	*ret = NULL;
	*is_new = false;
	watch_sequence(&lints->watch, event);
	if (event->header.type == EVENT_PROCESS)
		learn_exe(lints, change->process);
	if (!judge(lints, ledger, event, change, &lint))
		return 0;
	describe(&lint, ledger, event, change);
	key = key_of(&lint);
	HASH_FIND(hh, lints->rows, &key, sizeof(key), row);
	if (row) {
		row->count++;
		row->types |= lint.types;
		row->last_ns = lint.last_ns;
		*ret = row;
		return 0;
	}
	if (HASH_COUNT(lints->rows) >= lints->max) {
		lints->refused++;
		return 0;
	}
	*is_new = true;
	return add_row(lints, &lint, &key, ret);
}

size_t lints_list(const struct lints *lints, uint64_t after, const struct lint **entries, size_t max)
{
	size_t n = 0;

	for (const struct lint *row = lints->rows; row && n < max; row = row->hh.next)
		if (row->id > after)
			entries[n++] = row;
	return n;
}

uint64_t lints_refused(const struct lints *lints)
{
	return lints->refused;
}

const char *lint_kind_name(enum lint_kind kind)
{
	switch (kind) {
	case LINT_UNISSUED_OFFSET:
		return "unissued-offset";
	case LINT_UNSTABLE_COOKIE:
		return "unstable-cookie";
	case LINT_MUTABLE_COOKIE:
		return "mutable-cookie";
	default:
		return NULL;
	}
}

static void add_types(struct sentence *sentence, uint32_t types, enum memtype_arch arch)
{
	bool first = true;

	for (int type = 0; type < MEMTYPE_TYPES; type++) {
		if (!(types & 1U << type))
			continue;
		sentence_add(sentence, first ? "" : " and ");
		sentence_type(sentence, arch, type);
		first = false;
	}
}

char *lint_detail(const struct lint *lint, enum memtype_arch arch, char *out, size_t size)
{
	struct sentence sentence = sentence_new(out, size);

	sentence_process(&sentence, &lint->process, lint->comm);
	switch (lint->kind) {
	case LINT_UNISSUED_OFFSET:
		sentence_add(&sentence, " mapped file offset 0x%" PRIx64 " of ", lint->offset);
		sentence_bar(&sentence, lint->device, lint->region);
		sentence_add(&sentence, ", which was never issued on that file: it computes offsets itself.");
		break;
	case LINT_UNSTABLE_COOKIE:
		sentence_add(&sentence, " was given file offset 0x%" PRIx64 " for ", lint->offset);
		sentence_bar(&sentence, lint->device, lint->region);
		sentence_add(&sentence, ", after 0x%" PRIx64 " for the same region and attributes.",
			     lint->other_offset);
		break;
	default:
		sentence_add(&sentence, " mapped one cookie of ");
		sentence_bar(&sentence, lint->device, lint->region);
		sentence_add(&sentence, " with several memory types: ");
		add_types(&sentence, lint->types, arch);
		sentence_add(&sentence, ".");
	}
	return out;
}

static const char *advice(enum lint_kind kind)
{
	switch (kind) {
	case LINT_UNISSUED_OFFSET:
		return " The layout of offsets is not ABI and may change with the kernel: the program should "
		       "ask "
		       "VFIO_DEVICE_GET_REGION_INFO on the same file and map the offset that it returns.";
	case LINT_UNSTABLE_COOKIE:
		return " The driver should give the same offset for the same question. Until it does the "
		       "program "
		       "should ask once for each file, keep the offset, and not compare offsets to tell "
		       "regions "
		       "apart.";
	default:
		return " What an mmap of it yields depends on when it happens: the program should use one "
		       "cookie "
		       "for each memory type and set the attributes before the first mmap, and the driver "
		       "should "
		       "refuse to change a cookie that was issued.";
	}
}

char *lint_explain(const struct lint *lint, enum memtype_arch arch, char *out, size_t size)
{
	struct sentence sentence;

	lint_detail(lint, arch, out, size);
	sentence = (struct sentence){.out = out, .size = size, .length = strlen(out)};
	sentence_add(&sentence, "%s", advice(lint->kind));
	return out;
}
