/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_EVENTS_H
#define VFIOWATCH_TESTS_EVENTS_H

/* Well-formed events for tests, to be changed where a test wants something else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/vfio.h>

#include "core/ledger.h"
#include "vfiowatch/event.h"
#include "vfiowatch/policy.h"

#define PAGE         0x1000ULL
#define MIB          0x100000ULL
#define BAR_SIZE     (16 * MIB)
#define COOKIE_2     (2ULL << 40)          /* file offset of region 2 on mainline */
#define BAR_2        0x383800000000ULL     /* its physical address */
#define PROT_UC      0x8000000000000037ULL /* vm_page_prot of a VFIO BAR on x86-64 */
#define PROT_WC      0x800000000000002fULL

#define FIRST_DEVICE EVENT_PCI_ADDRESS(0, 0, 1 << 3)

static inline struct event make_event(enum event_type type)
{
	struct event event = {
		.header =
			{
				.version = EVENT_VERSION,
				.type = type,
				.size = event_size(type),
				.origin = type < EVENT_KERNEL_TYPES ? EVENT_ORIGIN_KERNEL : EVENT_ORIGIN_SCAN,
				.time_ns = 1000,
			},
	};

	return event;
}

static inline void set_comm(struct event *event, const char *comm)
{
	size_t length = strlen(comm);

	memset(event->header.who.comm, 0, EVENT_COMM_LEN);
	memcpy(event->header.who.comm, comm, length < EVENT_COMM_LEN ? length : EVENT_COMM_LEN);
}

/* Process @tgid, started at 1000 times its number, called "client". */
static inline struct event by(struct event event, uint32_t tgid)
{
	event.header.who.tgid = tgid;
	event.header.who.start_ns = 1000ULL * tgid;
	event.header.who.uid = 1000;
	event.header.who.cgroup_id = 7;
	set_comm(&event, "client");
	return event;
}

static inline struct event at(struct event event, uint64_t time_ns)
{
	event.header.time_ns = time_ns;
	return event;
}

static inline struct event file_event(enum event_type type, uint64_t file_id)
{
	struct event event = make_event(type);

	event.file.file_id = file_id;
	if (type == EVENT_RELEASE)
		return event;
	event.file.flags = EVENT_DEVICE_IS_PCI;
	event.file.pci_address = FIRST_DEVICE;
	event.file.opened_ns = 900;
	snprintf(event.file.device, sizeof(event.file.device), "0000:00:01.0");
	return event;
}

static inline struct event cookie_event(enum event_type type, uint64_t cookie_id, uint64_t file_id,
					uint64_t issued)
{
	struct event event = make_event(type);

	event.cookie.cookie_id = cookie_id;
	event.cookie.file_id = file_id;
	if (type == EVENT_COOKIE_RELEASE)
		return event;
	event.cookie.offset = COOKIE_2;
	event.cookie.size = BAR_SIZE;
	event.cookie.issued = issued;
	event.cookie.issued_ns = 950;
	event.cookie.region = 2;
	event.cookie.flags =
		VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
	event.cookie.dialect = DIALECT_REGION_INFO;
	event.cookie.ranges = 1;
	event.cookie.alias_of = EVENT_REGION_UNKNOWN;
	return event;
}

/* Pages @first to @first + @n - 1 of BAR 2, mapped at @start. */
static inline struct event mapping_event(enum event_type type, uint64_t mapping_id, uint64_t file_id,
					 uint64_t start, uint64_t first, uint64_t n)
{
	struct event event = make_event(type);

	event.mapping.mapping_id = mapping_id;
	if (type == EVENT_UNMAP)
		return event;
	event.mapping.file_id = file_id;
	event.mapping.start = start;
	event.mapping.end = start + n * PAGE;
	event.mapping.offset = COOKIE_2 + first * PAGE;
	event.mapping.phys_start = BAR_2 + first * PAGE;
	event.mapping.page_prot = PROT_UC;
	event.mapping.vm_flags = 0x40444fb;
	event.mapping.mapped_ns = 980;
	event.mapping.region = 2;
	event.mapping.source = SOURCE_VFIO;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_OFFSET_KNOWN;
	return event;
}

static inline struct event copy_event(uint64_t mapping_id, uint64_t from_id)
{
	struct event event = make_event(EVENT_COPY);

	event.mapping.mapping_id = mapping_id;
	event.mapping.from_id = from_id;
	return event;
}

/* The pages of @mapping_id from @start on, @n of them; runs are added by with_run(). */
static inline struct event pages_event(enum event_type type, uint64_t mapping_id, uint64_t start, uint64_t n)
{
	struct event event = make_event(type);

	event.pages.mapping_id = mapping_id;
	event.pages.start = start;
	event.pages.end = start + n * PAGE;
	return event;
}

/* Pages @first to @first + @n - 1 of BAR 2 are populated at @start. */
static inline struct event with_run(struct event event, uint64_t start, uint64_t first, uint64_t n,
				    enum memtype type)
{
	event.pages.runs[event.pages.n_runs++] = (struct event_page_run){
		.start = start,
		.end = start + n * PAGE,
		.phys_start = BAR_2 + first * PAGE,
		.type = type,
		.leaf = LEAF_4K,
	};
	return event;
}

static inline struct event revoke_device_event(uint64_t address)
{
	struct event event = make_event(EVENT_REVOKE);

	event.revoke.scope = REVOKE_DEVICE;
	event.revoke.pci_address = address;
	return event;
}

/* Pages @first to @first + @n - 1 of BAR 2. */
static inline struct event revoke_iomem_event(uint64_t first, uint64_t n)
{
	struct event event = make_event(EVENT_REVOKE);

	event.revoke.scope = REVOKE_IOMEM;
	event.revoke.phys_start = BAR_2 + first * PAGE;
	event.revoke.phys_end = BAR_2 + (first + n) * PAGE;
	return event;
}

static inline struct event reservation_event(uint64_t first, uint64_t n, enum memtype requested,
					     enum memtype given)
{
	struct event event = make_event(EVENT_RESERVATION);

	event.reservation.phys_start = BAR_2 + first * PAGE;
	event.reservation.phys_end = BAR_2 + (first + n) * PAGE;
	event.reservation.requested = requested;
	event.reservation.given = given;
	return event;
}

/*
 * The enforcer's decision about an mmap of pages @first to @first + @n - 1 of BAR 2 of file 1 as @type;
 * granted, and no rule said anything. The requester is set by by().
 */
static inline struct event request_event(uint64_t first, uint64_t n, enum memtype type)
{
	struct event event = make_event(EVENT_REQUEST);

	event.request.pci_address = FIRST_DEVICE;
	event.request.file_id = 1;
	event.request.offset = COOKIE_2 + first * PAGE;
	event.request.size = n * PAGE;
	event.request.policy = 0x0123456789abcdef;
	event.request.region = 2;
	event.request.flags = EVENT_MAPPING_DEVICE_KNOWN;
	event.request.kind = POLICY_REQUEST;
	event.request.party.phys_start = BAR_2 + first * PAGE;
	event.request.party.phys_end = BAR_2 + (first + n) * PAGE;
	event.request.party.type = type;
	event.request.party.source = SOURCE_VFIO;
	event.request.party.flags = PARTY_RANGE_KNOWN | PARTY_UNIT_KNOWN;
	snprintf(event.request.party.unit, sizeof(event.request.party.unit), "vm.scope");
	return event;
}

/* It is denied by rule "no-mix", since process @tgid "holder" has page @first mapped through sysfs as @type.
 */
static inline struct event denied_by_alias(struct event event, uint32_t tgid, uint64_t first,
					   enum memtype type)
{
	struct event_party *peer = &event.request.peer;

	event.request.denied = 1;
	event.request.kind = POLICY_ALIAS;
	event.request.action = POLICY_DENY;
	event.request.has_peer = 1;
	snprintf(event.request.rule, sizeof(event.request.rule), "no-mix");
	peer->who.tgid = tgid;
	peer->who.start_ns = 1000ULL * tgid;
	memcpy(peer->who.comm, "holder", 6);
	peer->phys_start = BAR_2 + first * PAGE;
	peer->phys_end = BAR_2 + (first + 1) * PAGE;
	peer->type = type;
	peer->source = SOURCE_SYSFS;
	peer->flags = PARTY_RANGE_KNOWN | PARTY_UNIT_KNOWN;
	snprintf(peer->unit, sizeof(peer->unit), "dump.service");
	return event;
}

static inline struct event holder_event(uint64_t file_id, uint32_t tgid, uint32_t fds)
{
	struct event event = by(make_event(EVENT_HOLDER), tgid);

	event.holder.file_id = file_id;
	event.holder.fds = fds;
	return event;
}

static inline struct event device_event(uint64_t address, bool present)
{
	struct event event = make_event(EVENT_DEVICE);

	event.device.pci_address = address;
	event.device.present = present;
	event.device.vendor = 0x1af4;
	event.device.product = 0x1110;
	event.device.class_code = 0x050000;
	event.device.iommu_group = 3;
	event.device.bars[2] = (struct event_bar){
		.phys_start = BAR_2,
		.size = BAR_SIZE,
		.flags = EVENT_BAR_MEM | EVENT_BAR_PREFETCH,
	};
	snprintf(event.device.driver, sizeof(event.device.driver), "vfio-pci");
	return event;
}

static inline struct change apply(struct ledger *ledger, struct event event)
{
	struct change change;

	assert_int_equal(ledger_apply(ledger, &event, &change), 0);
	return change;
}

static inline struct ledger_counts counts_of(const struct ledger *ledger)
{
	struct ledger_counts counts;

	ledger_counts(ledger, &counts);
	return counts;
}

/* Sets up and tears down an empty ledger as the test's state. */
static inline int setup_ledger(void **state)
{
	return ledger_new((struct ledger **)state, MEMTYPE_ARCH_X86_64, NULL);
}

static inline int teardown_ledger(void **state)
{
	*state = ledger_free(*state);
	return 0;
}

#endif
