/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_FINDINGS_H
#define VFIOWATCH_TESTS_FINDINGS_H

/* A model with one device, 0000:00:01.0, whose BAR 2 is mapped in many ways; and what is found about it. */

#include "events.h"

#include "core/model.h"
#include "core/snapshot.h"

#define VIRTUAL(id) (0x7f0000000000ULL + (id)*0x10000000ULL) /* where mapping @id is */

static inline struct model_change tell(struct model *model, struct event event)
{
	struct model_change change;

	assert_int_equal(model_apply(model, &event, &change, NULL, NULL), 0);
	assert_int_not_equal(change.change.kind, CHANGE_REFUSED);
	return change;
}

static inline struct event called(struct event event, const char *comm)
{
	set_comm(&event, comm);
	return event;
}

/* The device is known, bound to @driver; nobody has it open. */
static inline void tell_device(struct model *model, const char *driver)
{
	struct event event = device_event(FIRST_DEVICE, true);

	memset(event.device.driver, 0, sizeof(event.device.driver));
	snprintf(event.device.driver, sizeof(event.device.driver), "%s", driver);
	tell(model, event);
}

/* File @id of it is opened by PID 900 "qemu". */
static inline void tell_open(struct model *model, uint64_t id, uint64_t opened_ns)
{
	struct event event = called(by(at(file_event(EVENT_OPEN, id), opened_ns), 900), "qemu");

	event.file.opened_ns = opened_ns;
	tell(model, event);
}

/* mmap of pages @first to @first + @n - 1 of BAR 2 of file 1. */
static inline struct event vfio_map(uint64_t id, uint64_t first, uint64_t n, uint64_t mapped_ns)
{
	struct event event = mapping_event(EVENT_MAP, id, 1, VIRTUAL(id), first, n);

	event.mapping.mapped_ns = mapped_ns;
	return called(by(at(event, mapped_ns), 900), "qemu");
}

/* The same through sysfs resource2, or resource2_wc for PROT_WC, by PID 812 "dpdk". */
static inline struct event sysfs_map(uint64_t id, uint64_t first, uint64_t n, uint64_t prot,
				     uint64_t mapped_ns)
{
	struct event event = vfio_map(id, first, n, mapped_ns);

	event.mapping.file_id = 0;
	event.mapping.offset = 0;
	event.mapping.source = SOURCE_SYSFS;
	event.mapping.page_prot = prot;
	event.mapping.pci_address = FIRST_DEVICE;
	event.mapping.flags = EVENT_MAPPING_PHYS_KNOWN | EVENT_MAPPING_DEVICE_KNOWN | EVENT_MAPPING_NO_FAULT;
	return called(by(event, 812), "dpdk");
}

/* Pages @at to @at + @n - 1 of mapping @id, which is over page @first of the BAR, are populated with @type.
 */
static inline struct event populate(uint64_t id, uint64_t page, uint64_t first, uint64_t n, enum memtype type)
{
	struct event event = pages_event(EVENT_PAGES, id, VIRTUAL(id) + page * PAGE, n);

	return with_run(event, VIRTUAL(id) + page * PAGE, first + page, n, type);
}

static inline struct event unmap(uint64_t id, uint64_t time_ns)
{
	return at(mapping_event(EVENT_UNMAP, id, 0, 0, 0, 0), time_ns);
}

static inline size_t n_active(const struct model *model)
{
	const struct finding *list[64];

	return findings_list(model->findings, false, 0, list, 64);
}

/* The only active finding of @kind. */
static inline const struct finding *only(const struct model *model, enum finding_kind kind)
{
	const struct finding *list[64], *found = NULL;
	size_t n = findings_list(model->findings, false, 0, list, 64);

	for (size_t i = 0; i < n; i++) {
		if (list[i]->kind != kind)
			continue;
		assert_null(found);
		found = list[i];
	}
	assert_non_null(found);
	return found;
}

static inline int setup_model(void **state)
{
	static struct model model;

	*state = &model;
	return model_init(&model, MEMTYPE_ARCH_X86_64);
}

static inline int teardown_model(void **state)
{
	model_done(*state);
	return 0;
}

static inline struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no key %s", key);
	return value;
}

#define assert_tells(text, part)                                                                             \
	do {                                                                                                 \
		if (!strstr(text, part))                                                                     \
			fail_msg("\"%s\" does not tell \"%s\"", text, part);                                 \
	} while (0)

#endif
