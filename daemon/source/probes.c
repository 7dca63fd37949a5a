// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
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
#include "record_build.h"
#include "scan.skel.h"
#include "source/dialects.h"
#include "source/modules.h"
#include "source/probes_internal.h"
#include "watch.skel.h"

int probes_unpin(const char *directory, bool links_only)
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
	int r = probes_unpin(pin_directory, false);

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
		*reason = "cannot make the pin directory; is a BPF file system there? mount -t bpf bpf "
			  "/sys/fs/bpf";
		return -errno;
	}
	if (statfs(directory, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		rmdir(directory);
		*reason = "the pin directory is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf";
		return -EINVAL;
	}
	if (!pins_are_ours(directory))
		return probes_unpin(directory, false);
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

/* The watch is not pinned: while there is no daemon nobody could attach, and nothing can be unloaded either.
 */
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
		*reason = r == -EPERM ? "the kernel refuses to load BPF programs: run as root, with CAP_BPF, "
					"CAP_PERFMON and CAP_SYS_ADMIN"
				      : "cannot load the BPF programs; does the kernel have BTF "
					"(/sys/kernel/btf/vmlinux)?";
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
	libbpf_set_print(probes_print_warning);
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

/* Ends recording: the modules' references are dropped and the tables go, as nothing can be mapped any more.
 */
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
		probes_unpin(probes->pin_directory, true);
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

uint64_t probes_walk(struct probes *probes, bool everything)
{
	uint64_t unfinished;

	if (!probes->scan)
		return 0;
	unfinished = probes->scan->bss->walks_unfinished;
	probes->scan->bss->walks_unfinished = 0;
	probes->scan->bss->walk_everything = everything;
	return unfinished;
}

void probes_skipped(const struct probes *probes, struct probes_skips *ret)
{
	struct bpf_prog_info info;
	__u32 length;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < N_TARGETS; i++) {
		memset(&info, 0, sizeof(info));
		length = sizeof(info);
		if (probes->programs[i] < 0 ||
		    bpf_obj_get_info_by_fd(probes->programs[i], &info, &length) < 0)
			continue;
		ret->all += info.recursion_misses;
		if (strcmp(targets[i].program, "vfio_file_release") == 0)
			ret->releases = info.recursion_misses;
		if (strcmp(targets[i].program, "vfio_device_ioctl") == 0)
			ret->cookies = info.recursion_misses;
	}
}

/* Says whether recording is possible now, and if not what it waits for. */
static bool modules_in_use(struct probes *probes, bool *settled)
{
	for (size_t i = 0; i < N_TARGET_MODULES; i++) {
		switch (module_presence(probes->sys, &target_modules[i])) {
		case MODULE_LIVE:
			continue;
		case MODULE_MOVING:
			*settled = false;
			break;
		case MODULE_ABSENT:
			break;
		}
		snprintf(probes->reason, sizeof(probes->reason), "waiting for kernel module %s",
			 target_modules[i].name);
		return false;
	}
	if (!module_in_use(probes->sys, &target_modules[N_TARGET_MODULES - 1])) {
		snprintf(probes->reason, sizeof(probes->reason),
			 "waiting for a VFIO driver (such as vfio-pci) to be loaded");
		return false;
	}
	return true;
}

/* False if a driver is on its way in: until it is there recording takes any dialect for spoken. */
static bool update_dialects(struct probes *probes)
{
	struct recorder *recorder = probes->recorder;
	uint64_t modules = __atomic_load_n(&recorder->modules, __ATOMIC_ACQUIRE), spoken;

	if (!dialects_spoken(probes->sys, &spoken))
		return false;
	recorder->dialects = spoken;
	vfio_drivers(probes->sys, recorder->drivers);
	__atomic_store_n(&recorder->dialects_at, modules, __ATOMIC_RELEASE);
	return true;
}

enum probes_change probes_update(struct probes *probes, bool *settled)
{
	bool wanted;

	*settled = true;
	wanted = modules_in_use(probes, settled);
	if (wanted && !update_dialects(probes))
		*settled = false;
	if (wanted && probes->state == RECORDING_ON)
		return PROBES_SAME;
	if (!wanted && probes->state == RECORDING_WAITING)
		return PROBES_SAME;
	if (!wanted) {
		let_go(probes, false);
		probes->state = RECORDING_WAITING;
		return PROBES_DETACHED;
	}
	if (probes_begin_recording(probes) < 0) {
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
