// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit.skel.h"
#include "cleanup.h"
#include "pages.skel.h"
#include "record.skel.h"
#include "scan.skel.h"
#include "source/kernel_facts.h"
#include "source/modules.h"
#include "source/probes_internal.h"
#include "watch.skel.h"

/* The two objects that record. */
struct recording {
	struct record_bpf *record;
	struct pages_bpf *pages;
};

static struct bpf_program *recording_program(const struct recording *recording, size_t i)
{
	struct bpf_program *program =
		bpf_object__find_program_by_name(recording->record->obj, targets[i].program);

	return program ? program
		       : bpf_object__find_program_by_name(recording->pages->obj, targets[i].program);
}

static void recording_done(struct recording *recording)
{
	record_bpf__destroy(recording->record);
	pages_bpf__destroy(recording->pages);
}

static int recording_load(struct probes *probes, struct recording *recording)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	int r;

	recording->record = record_bpf__open_opts(&options);
	recording->pages = pages_bpf__open_opts(&options);
	if (!recording->record || !recording->pages)
		return -errno;
	SET_FACTS(recording->record, &probes->addresses);
	SET_WALK(recording->record, &probes->addresses);
	SET_FACTS(recording->pages, &probes->addresses);
	SET_WALK(recording->pages, &probes->addresses);
	for (size_t i = 0; i < N_TARGETS; i++)
		bpf_program__set_autoload(recording_program(recording, i), probes->attachments.wanted[i]);
	r = record_bpf__load(recording->record);
	if (r == 0)
		r = pages_bpf__load(recording->pages);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason),
			 "the kernel refuses the recording programs: %s", strerror(-r));
	return r;
}

/* VMA lifetime first: what is mapped from then on is also seen to go. */
static int attach_all(struct probes *probes)
{
	_cleanup_(recording_done) struct recording recording = {};
	int r = recording_load(probes, &recording);

	if (r < 0)
		return r;
	/* What an interrupted recording left in the tables is not true any more: nobody saw it go. */
	attachments_unpin(&probes->attachments);
	map_clear(probes->watch->maps.vmas);
	map_clear(probes->watch->maps.files);
	map_clear(probes->watch->maps.cookies);
	for (size_t i = N_TARGETS; i-- > 0 && r == 0;)
		if (probes->attachments.wanted[i])
			r = attachments_attach(&probes->attachments, recording_program(&recording, i), i);
	return r;
}

/*
 * The programs of another build pass on to ours, one after the other; until the last one did both work on the
 * same tables, which is what one layout means.
 */
static int replace_all(struct probes *probes)
{
	_cleanup_(recording_done) struct recording recording = {};
	int r = recording_load(probes, &recording);

	if (r < 0)
		return r;
	__atomic_store_n(&probes->recorder->build, 0, __ATOMIC_RELEASE);
	for (size_t i = N_TARGETS; i-- > 0 && r == 0;)
		if (probes->attachments.wanted[i])
			r = attachments_replace(&probes->attachments, recording_program(&recording, i), i);
	return r;
}

static int load_scan(struct probes *probes)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct scan_bpf *scan = scan_bpf__open_opts(&options);
	int r;

	if (!scan)
		return -errno;
	probes->scan = scan;
	SET_FACTS(scan, &probes->addresses);
	SET_WALK(scan, &probes->addresses);
	r = scan_bpf__load(scan);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_FIND], scan->progs.find_mappings, NULL);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_HOLDERS], scan->progs.read_holders, NULL);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_MAPPINGS], scan->progs.read_mappings,
				    scan->maps.vmas);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_PAGES], scan->progs.read_pages,
				    scan->maps.vmas);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_FILES], scan->progs.read_files,
				    scan->maps.files);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_COOKIES], scan->progs.read_cookies,
				    scan->maps.cookies);
	return r;
}

static int load_audit(struct probes *probes)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct audit_bpf *audit = audit_bpf__open_opts(&options);
	int r;

	if (!audit)
		return -errno;
	probes->audit = audit;
	SET_FACTS(audit, &probes->addresses);
	r = audit_bpf__load(audit);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_MARK_MAPPINGS], audit->progs.mark_mappings,
				    audit->maps.vmas);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_DROP_MAPPINGS], audit->progs.drop_mappings,
				    audit->maps.vmas);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_MARK_FILES], audit->progs.mark_files,
				    audit->maps.files);
	if (r == 0)
		r = attach_iterator(&probes->iterators[ITERATOR_DROP_FILES], audit->progs.drop_files,
				    audit->maps.files);
	return r;
}

int probes_begin_recording(struct probes *probes)
{
	int r;

	r = attachments_find(&probes->attachments);
	if (r < 0)
		return r;
	r = addresses_find(&probes->addresses);
	if (r < 0) {
		snprintf(probes->reason, sizeof(probes->reason),
			 KALLSYMS " does not tell where vfio_device_fops_mmap is: %s", strerror(-r));
		return r;
	}
	r = attachments_adopt(&probes->attachments);
	probes->adopted = r != 0;
	if (r == 0) {
		probes->recorder->skips_reported = 0;
		r = attach_all(probes);
	} else if (r > 0) {
		r = probes->found == PINS_EARLIER ? replace_all(probes) : 0;
	}
	if (r < 0)
		return r;
	r = load_scan(probes);
	if (r == 0)
		r = load_audit(probes);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason),
			 "the kernel refuses the reading programs: %s", strerror(-r));
	return r;
}
