// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.skel.h"
#include "cleanup.h"
#include "pages.skel.h"
#include "record.skel.h"
#include "scan.skel.h"
#include "source/modules.h"
#include "source/probes_internal.h"
#include "watch.skel.h"

static void pin_path(const struct probes *probes, const char *program, char *path)
{
	snprintf(path, PATH_MAX, "%s/link_%s", probes->pin_directory, program);
}

int probes_print_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	return vfprintf(stderr, format, arguments);
}

static int find_functions(struct probes *probes)
{
	int r = kernel_functions_find(probes->function_exists);

	if (r < 0) {
		snprintf(probes->reason, sizeof(probes->reason), "cannot read the kernel's BTF: %s",
			 strerror(-r));
		return r;
	}
	for (size_t i = 0; i < N_TARGETS; i++) {
		if (!probes->function_exists[i] && targets[i].required) {
			snprintf(probes->reason, sizeof(probes->reason),
				 "this kernel has no function %s (module %s) in its BTF", targets[i].function,
				 targets[i].module);
			return -ENOENT;
		}
	}
	return 0;
}

/* The constants of bpf/facts.bpf.h and bpf/walk.bpf.h, of which every object has its own copy. */
struct addresses {
	__u64 vfio_device_fops_mmap, vfio_pci_mmap_ops, vfio_pci_dmabuf_ops, vfio_pci_core_mmap;
	__u64 dma_buf_fops, kernfs_file_fops, pci_mmap_resource_uc, pci_mmap_resource_wc, pci_phys_vm_ops,
		mmap_mem_ops;
	__u64 page_offset_base, pgdir_shift, physical_mask;
};

#define SET_ADDRESS(object, addresses, symbol) (object)->rodata->symbol##_address = (addresses)->symbol

#define SET_FACTS(object, addresses)                                                                         \
	do {                                                                                                 \
		SET_ADDRESS(object, addresses, vfio_device_fops_mmap);                                       \
		SET_ADDRESS(object, addresses, vfio_pci_mmap_ops);                                           \
		SET_ADDRESS(object, addresses, vfio_pci_dmabuf_ops);                                         \
		SET_ADDRESS(object, addresses, vfio_pci_core_mmap);                                          \
		SET_ADDRESS(object, addresses, dma_buf_fops);                                                \
		SET_ADDRESS(object, addresses, kernfs_file_fops);                                            \
		SET_ADDRESS(object, addresses, pci_mmap_resource_uc);                                        \
		SET_ADDRESS(object, addresses, pci_mmap_resource_wc);                                        \
		SET_ADDRESS(object, addresses, pci_phys_vm_ops);                                             \
		SET_ADDRESS(object, addresses, mmap_mem_ops);                                                \
		(object)->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));                        \
	} while (0)

#define SET_WALK(object, addresses)                                                                          \
	do {                                                                                                 \
		SET_ADDRESS(object, addresses, page_offset_base);                                            \
		SET_ADDRESS(object, addresses, pgdir_shift);                                                 \
		SET_ADDRESS(object, addresses, physical_mask);                                               \
	} while (0)

static int find_symbols(struct addresses *ret)
{
	const struct {
		struct kernel_symbol symbol;
		__u64 *address;
	} wanted[] = {
		{{"vfio", "vfio_device_fops_mmap", 0}, &ret->vfio_device_fops_mmap},
		{{"vfio_pci_core", "vfio_pci_mmap_ops", 0}, &ret->vfio_pci_mmap_ops},
		{{"vfio_pci_core", "vfio_pci_dmabuf_ops", 0}, &ret->vfio_pci_dmabuf_ops},
		{{"vfio_pci_core", "vfio_pci_core_mmap", 0}, &ret->vfio_pci_core_mmap},
		{{"vmlinux", "dma_buf_fops", 0}, &ret->dma_buf_fops},
		{{"vmlinux", "kernfs_file_fops", 0}, &ret->kernfs_file_fops},
		{{"vmlinux", "pci_mmap_resource_uc", 0}, &ret->pci_mmap_resource_uc},
		{{"vmlinux", "pci_mmap_resource_wc", 0}, &ret->pci_mmap_resource_wc},
		{{"vmlinux", "pci_phys_vm_ops", 0}, &ret->pci_phys_vm_ops},
		{{"vmlinux", "mmap_mem_ops", 0}, &ret->mmap_mem_ops},
		{{"vmlinux", "page_offset_base", 0}, &ret->page_offset_base},
		{{"vmlinux", "pgdir_shift", 0}, &ret->pgdir_shift},
		{{"vmlinux", "physical_mask", 0}, &ret->physical_mask},
	};
	struct kernel_symbol symbols[sizeof(wanted) / sizeof(wanted[0])];
	const size_t n = sizeof(wanted) / sizeof(wanted[0]);
	int r;

	for (size_t i = 0; i < n; i++)
		symbols[i] = wanted[i].symbol;
	r = kernel_symbols_find(KALLSYMS, symbols, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		*wanted[i].address = symbols[i].address;
	return ret->vfio_device_fops_mmap ? 0 : -ENOENT;
}

/* The links of an earlier daemon: all that are required, or none. */
static bool adopt_links(struct probes *probes)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < N_TARGETS; i++) {
		if (!probes->function_exists[i])
			continue;
		pin_path(probes, targets[i].program, path);
		probes->links[i] = bpf_obj_get(path);
		if (probes->links[i] >= 0 || !targets[i].required)
			continue;
		for (size_t j = 0; j < i; j++)
			closefd(&probes->links[j]);
		return false;
	}
	/* What is not attached now was found to be a stub by the one who attached. */
	for (size_t i = 0; i < N_TARGETS; i++)
		probes->function_exists[i] = probes->links[i] >= 0;
	return true;
}

/*
 * A function that is no more than an inline stub cannot be attached to (EINVAL: ftrace does not know it),
 * though BTF and kallsyms have it: a kernel without CONFIG_VFIO_DEVICE_CDEV has such ones.
 */
static bool is_stub(const struct target *target, int error)
{
	return !target->required && error == -EINVAL;
}

static int attach_program(struct probes *probes, struct bpf_program *program, size_t i)
{
	char path[PATH_MAX];
	struct bpf_link *link;
	int r;

	if (!targets[i].required)
		libbpf_set_print(NULL);
	link = bpf_program__attach(program);
	r = link ? 0 : -errno;
	libbpf_set_print(probes_print_warning);
	if (!link) {
		if (is_stub(&targets[i], r)) {
			probes->function_exists[i] = false;
			return 0;
		}
		snprintf(probes->reason, sizeof(probes->reason), "cannot attach to %s: %s",
			 targets[i].function, strerror(-r));
		return r;
	}
	pin_path(probes, targets[i].program, path);
	r = bpf_link__pin(link, path);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason), "cannot pin the program at %s: %s",
			 targets[i].function, strerror(-r));
	else
		probes->links[i] = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
	if (r == 0 && probes->links[i] < 0)
		r = -errno;
	bpf_link__destroy(link);
	return r;
}

/* What an interrupted recording left in the tables is not true any more: nobody saw it go. */
static void clear_table(const struct bpf_map *map)
{
	char key[sizeof(struct event)];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		if (bpf_map_delete_elem(bpf_map__fd(map), key) < 0)
			break;
}

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

static int recording_load(struct probes *probes, const struct addresses *addresses,
			  struct recording *recording)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	int r;

	recording->record = record_bpf__open_opts(&options);
	recording->pages = pages_bpf__open_opts(&options);
	if (!recording->record || !recording->pages)
		return -errno;
	SET_FACTS(recording->record, addresses);
	SET_WALK(recording->record, addresses);
	SET_FACTS(recording->pages, addresses);
	SET_WALK(recording->pages, addresses);
	for (size_t i = 0; i < N_TARGETS; i++)
		bpf_program__set_autoload(recording_program(recording, i), probes->function_exists[i]);
	r = record_bpf__load(recording->record);
	if (r == 0)
		r = pages_bpf__load(recording->pages);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason),
			 "the kernel refuses the recording programs: %s", strerror(-r));
	return r;
}

/* VMA lifetime first: what is mapped from then on is also seen to go. */
static int attach_all(struct probes *probes, const struct addresses *addresses)
{
	_cleanup_(recording_done) struct recording recording = {};
	int r = recording_load(probes, addresses, &recording);

	if (r < 0)
		return r;
	probes_unpin(probes->pin_directory, true);
	clear_table(probes->watch->maps.vmas);
	clear_table(probes->watch->maps.files);
	clear_table(probes->watch->maps.cookies);
	for (size_t i = N_TARGETS; i-- > 0 && r == 0;)
		if (probes->function_exists[i])
			r = attach_program(probes, recording_program(&recording, i), i);
	return r;
}

static int attach_iterator(struct probes *probes, enum probes_iterator which, struct bpf_program *program,
			   struct bpf_map *map)
{
	union bpf_iter_link_info info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, options);

	if (map) {
		info.map.map_fd = bpf_map__fd(map);
		options.link_info = &info;
		options.link_info_len = sizeof(info);
	}
	probes->iterators[which] = bpf_program__attach_iter(program, &options);
	return probes->iterators[which] ? 0 : -errno;
}

static int load_scan(struct probes *probes, const struct addresses *addresses)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct scan_bpf *scan = scan_bpf__open_opts(&options);
	int r;

	if (!scan)
		return -errno;
	probes->scan = scan;
	SET_FACTS(scan, addresses);
	SET_WALK(scan, addresses);
	r = scan_bpf__load(scan);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_FIND, scan->progs.find_mappings, NULL);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_HOLDERS, scan->progs.read_holders, NULL);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_MAPPINGS, scan->progs.read_mappings, scan->maps.vmas);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_PAGES, scan->progs.read_pages, scan->maps.vmas);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_FILES, scan->progs.read_files, scan->maps.files);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_COOKIES, scan->progs.read_cookies, scan->maps.cookies);
	return r;
}

static int load_audit(struct probes *probes, const struct addresses *addresses)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct audit_bpf *audit = audit_bpf__open_opts(&options);
	int r;

	if (!audit)
		return -errno;
	probes->audit = audit;
	SET_FACTS(audit, addresses);
	r = audit_bpf__load(audit);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_MARK_MAPPINGS, audit->progs.mark_mappings,
				    audit->maps.vmas);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_DROP_MAPPINGS, audit->progs.drop_mappings,
				    audit->maps.vmas);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_MARK_FILES, audit->progs.mark_files, audit->maps.files);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_DROP_FILES, audit->progs.drop_files, audit->maps.files);
	return r;
}

/* The programs behind the links, for their count of skipped runs. */
static int find_programs(struct probes *probes)
{
	struct bpf_link_info info;
	__u32 length;

	for (size_t i = 0; i < N_TARGETS; i++) {
		if (probes->links[i] < 0)
			continue;
		memset(&info, 0, sizeof(info));
		length = sizeof(info);
		if (bpf_obj_get_info_by_fd(probes->links[i], &info, &length) < 0)
			return -errno;
		probes->programs[i] = bpf_prog_get_fd_by_id(info.prog_id);
		if (probes->programs[i] < 0)
			return -errno;
	}
	return 0;
}

int probes_begin_recording(struct probes *probes)
{
	struct addresses addresses;
	int r;

	r = find_functions(probes);
	if (r < 0)
		return r;
	r = find_symbols(&addresses);
	if (r < 0) {
		snprintf(probes->reason, sizeof(probes->reason),
			 KALLSYMS " does not tell where vfio_device_fops_mmap is: %s", strerror(-r));
		return r;
	}
	probes->adopted = adopt_links(probes);
	if (!probes->adopted) {
		r = attach_all(probes, &addresses);
		if (r < 0)
			return r;
	}
	r = find_programs(probes);
	if (r == 0)
		r = load_scan(probes, &addresses);
	if (r == 0)
		r = load_audit(probes, &addresses);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason),
			 "the kernel refuses the reading programs: %s", strerror(-r));
	return r;
}
