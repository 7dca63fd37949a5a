// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "audit.skel.h"
#include "cleanup.h"
#include "record.skel.h"
#include "record_build.h"
#include "scan.skel.h"
#include "source/modules.h"
#include "source/targets.h"
#include "watch.skel.h"

struct probes {
	char *pin_directory;
	char *sys;
	struct watch_bpf *watch;
	struct bpf_link *watch_links[2];
	struct scan_bpf *scan;
	struct audit_bpf *audit;
	struct bpf_link *iterators[ITERATORS];
	int links[N_TARGETS];    /* -1: not attached */
	int programs[N_TARGETS]; /* behind the links */
	bool function_exists[N_TARGETS];
	enum recording_state state;
	bool adopted;
	char reason[STATUS_REASON_LEN];
	struct recorder *recorder;
};

static void pin_path(const struct probes *probes, const char *program, char *path)
{
	snprintf(path, PATH_MAX, "%s/link_%s", probes->pin_directory, program);
}

/* Removes every pin in the directory; @links_only leaves the maps. */
static int unpin_all(const char *directory, bool links_only)
{
	_cleanup_(closedirectory) DIR *d = opendir(directory);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.' || (links_only && strncmp(entry->d_name, "link_", 5) != 0))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0)
			r = -errno;
	}
	return r;
}

int probes_detach(const char *pin_directory)
{
	int r = unpin_all(pin_directory, false);

	if (r < 0)
		return r;
	if (rmdir(pin_directory) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/* True if the maps pinned here are those of our own build. */
static bool pins_are_ours(const char *directory)
{
	_cleanup_(closefd) int fd = -1;
	struct recorder recorder;
	char path[PATH_MAX];
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), zero = 0;

	snprintf(path, sizeof(path), "%s/recorder", directory);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return false;
	return info.value_size == sizeof(recorder) && bpf_map_lookup_elem(fd, &zero, &recorder) == 0 &&
	       recorder.build == RECORD_BUILD;
}

static int open_pin_directory(const char *directory, const char **reason)
{
	struct statfs fs;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
		*reason = "cannot make the pin directory; is a BPF file system there? mount -t bpf bpf /sys/fs/bpf";
		return -errno;
	}
	if (statfs(directory, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		rmdir(directory);
		*reason = "the pin directory is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf";
		return -EINVAL;
	}
	if (!pins_are_ours(directory))
		return unpin_all(directory, false);
	return 0;
}

static int map_recorder(struct probes *probes)
{
	void *memory = mmap(NULL, sizeof(struct recorder), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(probes->watch->maps.recorder), 0);

	if (memory == MAP_FAILED)
		return -errno;
	probes->recorder = memory;
	probes->recorder->build = RECORD_BUILD;
	return 0;
}

/* The watch is not pinned: while there is no daemon nobody could attach, and nothing can be unloaded either. */
static int start_watch(struct probes *probes, const char **reason)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	int r;

	probes->watch = watch_bpf__open_opts(&options);
	if (!probes->watch) {
		*reason = "cannot open the BPF object";
		return -errno;
	}
	r = watch_bpf__load(probes->watch);
	if (r < 0) {
		*reason = r == -EPERM ? "the kernel refuses to load BPF programs: run as root, with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN" :
					"cannot load the BPF programs; does the kernel have BTF (/sys/kernel/btf/vmlinux)?";
		return r;
	}
	probes->watch_links[0] = bpf_program__attach(probes->watch->progs.module_loaded);
	probes->watch_links[1] = bpf_program__attach(probes->watch->progs.module_freed);
	if (!probes->watch_links[0] || !probes->watch_links[1]) {
		*reason = "cannot attach to the kernel's module tracepoints";
		return -errno;
	}
	r = map_recorder(probes);
	if (r < 0)
		*reason = "cannot map the counters";
	return r;
}

static int print_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	return vfprintf(stderr, format, arguments);
}

int probes_new(struct probes **ret, const char *pin_directory, const char *sys, const char **reason)
{
	struct probes *probes = calloc(1, sizeof(*probes));
	int r;

	*reason = "out of memory";
	if (!probes)
		return -ENOMEM;
	for (size_t i = 0; i < N_TARGETS; i++)
		probes->links[i] = probes->programs[i] = -1;
	probes->state = RECORDING_WAITING;
	probes->pin_directory = strdup(pin_directory);
	probes->sys = strdup(sys);
	if (!probes->pin_directory || !probes->sys) {
		probes_free(probes, true);
		return -ENOMEM;
	}
	libbpf_set_print(print_warning);
	r = open_pin_directory(pin_directory, reason);
	if (r == 0)
		r = start_watch(probes, reason);
	if (r < 0) {
		probes_free(probes, true);
		return r;
	}
	*ret = probes;
	return 0;
}

/* Ends recording: the modules' references are dropped and the tables go, as nothing can be mapped any more. */
static void let_go(struct probes *probes, bool keep)
{
	for (size_t i = 0; i < ITERATORS; i++) {
		bpf_link__destroy(probes->iterators[i]);
		probes->iterators[i] = NULL;
	}
	scan_bpf__destroy(probes->scan);
	audit_bpf__destroy(probes->audit);
	probes->scan = NULL;
	probes->audit = NULL;
	if (!keep)
		unpin_all(probes->pin_directory, true);
	for (size_t i = 0; i < N_TARGETS; i++) {
		closefd(&probes->links[i]);
		closefd(&probes->programs[i]);
	}
	probes->adopted = false;
}

struct probes *probes_free(struct probes *probes, bool keep)
{
	if (!probes)
		return NULL;
	let_go(probes, keep);
	bpf_link__destroy(probes->watch_links[0]);
	bpf_link__destroy(probes->watch_links[1]);
	if (probes->recorder)
		munmap(probes->recorder, sizeof(*probes->recorder));
	watch_bpf__destroy(probes->watch);
	if (!keep && probes->pin_directory)
		probes_detach(probes->pin_directory);
	free(probes->pin_directory);
	free(probes->sys);
	free(probes);
	return NULL;
}

static int find_functions(struct probes *probes)
{
	int r = kernel_functions_find(probes->function_exists);

	if (r < 0) {
		snprintf(probes->reason, sizeof(probes->reason), "cannot read the kernel's BTF: %s", strerror(-r));
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

static int find_symbols(struct addresses *ret)
{
	struct kernel_symbol symbols[] = {
		{ "vfio", "vfio_device_fops_mmap", 0 },
		{ "vfio_pci_core", "vfio_pci_mmap_ops", 0 },
		{ "vfio_pci_core", "vfio_pci_dmabuf_ops", 0 },
	};
	int r = kernel_symbols_find(KALLSYMS, symbols, 3);

	if (r < 0)
		return r;
	*ret = (struct addresses){ symbols[0].address, symbols[1].address, symbols[2].address };
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
		if (probes->links[i] >= 0)
			continue;
		probes->function_exists[i] = false;
		if (!targets[i].required)
			continue;
		for (size_t j = 0; j < i; j++)
			closefd(&probes->links[j]);
		return false;
	}
	return true;
}

/*
 * A function that is no more than an inline stub cannot be attached to (EINVAL: ftrace does not know it), though BTF and
 * kallsyms have it: a kernel without CONFIG_VFIO_DEVICE_CDEV has such ones.
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
	libbpf_set_print(print_warning);
	if (!link) {
		if (is_stub(&targets[i], r)) {
			probes->function_exists[i] = false;
			return 0;
		}
		snprintf(probes->reason, sizeof(probes->reason), "cannot attach to %s: %s", targets[i].function,
			 strerror(-r));
		return r;
	}
	pin_path(probes, targets[i].program, path);
	r = bpf_link__pin(link, path);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason), "cannot pin the program at %s: %s", targets[i].function,
			 strerror(-r));
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
	record->rodata->vfio_device_fops_mmap_address = addresses->mmap;
	record->rodata->vfio_pci_mmap_ops_address = addresses->mmap_ops;
	record->rodata->vfio_pci_dmabuf_ops_address = addresses->dmabuf_ops;
	for (size_t i = 0; i < N_TARGETS; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(record->obj, targets[i].program),
					  probes->function_exists[i]);
	r = record_bpf__load(record);
	if (r < 0)
		snprintf(probes->reason, sizeof(probes->reason), "the kernel refuses the recording programs: %s",
			 strerror(-r));
	unpin_all(probes->pin_directory, true);
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
	scan->rodata->vfio_device_fops_mmap_address = addresses->mmap;
	scan->rodata->vfio_pci_mmap_ops_address = addresses->mmap_ops;
	scan->rodata->vfio_pci_dmabuf_ops_address = addresses->dmabuf_ops;
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
	audit->rodata->vfio_device_fops_mmap_address = addresses->mmap;
	r = audit_bpf__load(audit);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_MARK_MAPPINGS, audit->progs.mark_mappings, audit->maps.vmas);
	if (r == 0)
		r = attach_iterator(probes, ITERATOR_DROP_MAPPINGS, audit->progs.drop_mappings, audit->maps.vmas);
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

uint64_t probes_skipped(const struct probes *probes, uint64_t *releases)
{
	struct bpf_prog_info info;
	uint64_t skipped = 0;
	__u32 length;

	*releases = 0;
	for (size_t i = 0; i < N_TARGETS; i++) {
		memset(&info, 0, sizeof(info));
		length = sizeof(info);
		if (probes->programs[i] < 0 || bpf_obj_get_info_by_fd(probes->programs[i], &info, &length) < 0)
			continue;
		skipped += info.recursion_misses;
		if (strcmp(targets[i].program, "vfio_file_release") == 0)
			*releases = info.recursion_misses;
	}
	return skipped;
}

static int begin_recording(struct probes *probes)
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
		r = find_functions(probes);
		if (r == 0)
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
		snprintf(probes->reason, sizeof(probes->reason), "the kernel refuses the reading programs: %s",
			 strerror(-r));
	return r;
}

/* Says whether recording is possible now, and if not what it waits for. */
static bool modules_in_use(struct probes *probes, bool *settled)
{
	for (size_t i = 0; i < N_TARGET_MODULES; i++) {
		switch (module_presence(probes->sys, target_modules[i])) {
		case MODULE_LIVE:
			continue;
		case MODULE_MOVING:
			*settled = false;
			break;
		case MODULE_ABSENT:
			break;
		}
		snprintf(probes->reason, sizeof(probes->reason), "waiting for kernel module %s", target_modules[i]);
		return false;
	}
	if (!module_in_use(probes->sys, "vfio_pci_core")) {
		snprintf(probes->reason, sizeof(probes->reason),
			 "waiting for a VFIO driver (such as vfio-pci) to be loaded");
		return false;
	}
	return true;
}

enum probes_change probes_update(struct probes *probes, bool *settled)
{
	bool wanted;

	*settled = true;
	wanted = modules_in_use(probes, settled);
	if (wanted && probes->state == RECORDING_ON)
		return PROBES_SAME;
	if (!wanted && probes->state == RECORDING_WAITING)
		return PROBES_SAME;
	if (!wanted) {
		let_go(probes, false);
		probes->state = RECORDING_WAITING;
		return PROBES_DETACHED;
	}
	if (begin_recording(probes) < 0) {
		let_go(probes, false);
		probes->state = RECORDING_FAILED;
		return PROBES_FAILED;
	}
	probes->state = RECORDING_ON;
	probes->reason[0] = 0;
	return PROBES_ATTACHED;
}

static void describe_point(const struct probes *probes, size_t i, struct attach_point *point)
{
	const struct target *target = &targets[i];

	memset(point, 0, sizeof(*point));
	snprintf(point->name, sizeof(point->name), "%s/%s", target->kind, target->function);
	snprintf(point->module, sizeof(point->module), "%s", target->module);
	snprintf(point->purpose, sizeof(point->purpose), "%s", target->purpose);
	if (probes->links[i] >= 0) {
		point->state = POINT_ATTACHED;
	} else if (probes->state == RECORDING_WAITING) {
		point->state = POINT_WAITING;
		snprintf(point->reason, sizeof(point->reason), "%s", probes->reason);
	} else if (!target->required && !probes->function_exists[i]) {
		point->state = POINT_UNNEEDED;
		snprintf(point->reason, sizeof(point->reason), "this kernel has no %s", target->function);
	} else {
		point->state = POINT_MISSING;
		snprintf(point->reason, sizeof(point->reason), "%s", probes->reason);
	}
}

void probes_status(struct probes *probes, struct status *status)
{
	status->recording = probes->state;
	status->adopted = probes->adopted;
	snprintf(status->recording_reason, sizeof(status->recording_reason), "%s", probes->reason);
	for (size_t i = 0; i < N_TARGETS && status->n_points < STATUS_POINTS_MAX; i++)
		describe_point(probes, i, &status->points[status->n_points++]);
	if (probes->state == RECORDING_FAILED && status->n_degraded < STATUS_REASONS_MAX)
		snprintf(status->degraded[status->n_degraded++], STATUS_REASON_LEN, "%s", probes->reason);
	status->recorder = *probes->recorder;
	status->recorder_known = true;
	status->ring_size = bpf_map__max_entries(probes->watch->maps.ring);
}

int probes_ring_fd(const struct probes *probes)
{
	return bpf_map__fd(probes->watch->maps.ring);
}

struct recorder *probes_recorder(const struct probes *probes)
{
	return probes->recorder;
}

int probes_iterator_open(struct probes *probes, enum probes_iterator which)
{
	if (!probes->iterators[which])
		return -ENODATA;
	return bpf_iter_create(bpf_link__fd(probes->iterators[which]));
}
