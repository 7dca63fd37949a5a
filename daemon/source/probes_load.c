// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.skel.h"
#include "cleanup.h"
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

struct addresses {
	__u64 mmap, mmap_ops, dmabuf_ops;
};

/* Every object has its own copy of the constants of bpf/facts.bpf.h. */
#define SET_CONSTANTS(object, addresses)                                                                     \
	do {                                                                                                 \
		(object)->rodata->vfio_device_fops_mmap_address = (addresses)->mmap;                         \
		(object)->rodata->vfio_pci_mmap_ops_address = (addresses)->mmap_ops;                         \
		(object)->rodata->vfio_pci_dmabuf_ops_address = (addresses)->dmabuf_ops;                     \
		(object)->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));                        \
	} while (0)

static int find_symbols(struct addresses *ret)
{
	struct kernel_symbol symbols[] = {
		{"vfio", "vfio_device_fops_mmap", 0},
		{"vfio_pci_core", "vfio_pci_mmap_ops", 0},
		{"vfio_pci_core", "vfio_pci_dmabuf_ops", 0},
	};
	int r = kernel_symbols_find(KALLSYMS, symbols, 3);

	if (r < 0)
		return r;
	*ret = (struct addresses){symbols[0].address, symbols[1].address, symbols[2].address};
	return ret->mmap ? 0 : -ENOENT;
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

static int attach_program(struct probes *probes, struct bpf_object *object, size_t i)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, targets[i].program);
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

/* VMA lifetime first: what is mapped from then on is also seen to go. */
static int attach_all(struct probes *probes, const struct addresses *addresses)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct record_bpf *record = record_bpf__open_opts(&options);
	int r = 0;

	if (!record)
		return -errno;
	SET_CONSTANTS(record, addresses);
	for (size_t i = 0; i < N_TARGETS; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(record->obj, targets[i].program),
					  probes->function_exists[i]);
	r = record_bpf__load(record);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason),
			 "the kernel refuses the recording programs: %s", strerror(-r));
	probes_unpin(probes->pin_directory, true);
	clear_table(probes->watch->maps.vmas);
	clear_table(probes->watch->maps.files);
	clear_table(probes->watch->maps.cookies);
	for (size_t i = N_TARGETS; i-- > 0 && r == 0;)
		if (probes->function_exists[i])
			r = attach_program(probes, record->obj, i);
	record_bpf__destroy(record);
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
	SET_CONSTANTS(scan, addresses);
	r = scan_bpf__load(scan);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_FIND, scan->progs.find_mappings, NULL);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_HOLDERS, scan->progs.read_holders, NULL);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_MAPPINGS, scan->progs.read_mappings, scan->maps.vmas);
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
	SET_CONSTANTS(audit, addresses);
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
