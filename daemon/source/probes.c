// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "audit.skel.h"
#include "cleanup.h"
#include "record_build.h"
#include "scan.skel.h"
#include "source/dialects.h"
#include "source/kernel_facts.h"
#include "source/modules.h"
#include "source/probes_internal.h"
#include "watch.skel.h"

int probes_detach(const char *pin_directory, const char **reason)
{
	return pins_remove(pin_directory, reason);
}

static int map_recorder(struct probes *probes)
{
	void *memory = mmap(NULL, sizeof(struct recorder), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(probes->watch->maps.recorder), 0);

	if (memory == MAP_FAILED)
		return -errno;
	probes->recorder = memory;
	probes->recorder->layout = RECORD_LAYOUT;
	if (probes->found != PINS_EARLIER)
		probes->recorder->build = RECORD_BUILD;
	return 0;
}

/* The watch is not pinned: while there is no daemon nobody could attach, and nothing can be unloaded either.
 */
static int start_watch(struct probes *probes, const char **reason)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	int r;

	if (kernel_is_confidential(probes->sys)) {
		*reason = LOCKDOWN_REMEDY;
		return -EPERM;
	}
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
	probes->lock = -1;
	probes->state = RECORDING_WAITING;
	probes->pin_directory = strdup(pin_directory);
	probes->sys = strdup(sys);
	attachments_init(&probes->attachments, targets, N_TARGETS, probes->pin_directory, probes->reason);
	r = probes->pin_directory && probes->sys ? 0 : -ENOMEM;
	libbpf_set_print(print_warning);
	if (r == 0)
		r = pins_open(pin_directory, &probes->lock, &probes->found, reason);
	if (r == 0)
		r = start_watch(probes, reason);
	if (r < 0) {
		probes_free(probes, PROBES_RESTORE);
		return r;
	}
	*ret = probes;
	return 0;
}

/* Closes what reads and what is attached. */
static void close_programs(struct probes *probes)
{
	for (size_t i = 0; i < ITERATORS; i++) {
		bpf_link__destroy(probes->iterators[i]);
		probes->iterators[i] = NULL;
	}
	scan_bpf__destroy(probes->scan);
	audit_bpf__destroy(probes->audit);
	probes->scan = NULL;
	probes->audit = NULL;
	attachments_close(&probes->attachments);
	probes->adopted = false;
}

/* The modules' references are dropped. */
void probes_let_go(struct probes *probes)
{
	attachments_unpin(&probes->attachments);
	close_programs(probes);
	probes->state = RECORDING_WAITING;
	probes->found = PINS_NONE;
	probes->recorder->build = RECORD_BUILD;
}

/* From here on all that is attached is of this build. */
static void settle_build(struct probes *probes)
{
	if (probes->found != PINS_EARLIER || probes->state != RECORDING_ON)
		return;
	probes->found = PINS_OURS;
	__atomic_store_n(&probes->recorder->build, RECORD_BUILD, __ATOMIC_RELEASE);
}

uint64_t probes_unread(const struct probes *probes)
{
	return pins_unread(probes->pin_directory);
}

int probes_settle(struct probes *probes)
{
	settle_build(probes);
	probes->settled = pins_settle(probes->pin_directory);
	return probes->settled;
}

static void leave_pins(const struct probes *probes, enum probes_end end)
{
	const char *reason;

	if (probes->lock < 0 || end == PROBES_KEEP)
		return;
	if (end == PROBES_RESTORE)
		pins_restore(probes->pin_directory, probes->found);
	else
		pins_remove(probes->pin_directory, &reason);
}

struct probes *probes_free(struct probes *probes, enum probes_end end)
{
	if (!probes)
		return NULL;
	close_programs(probes);
	bpf_link__destroy(probes->watch_links[0]);
	bpf_link__destroy(probes->watch_links[1]);
	if (probes->recorder)
		munmap(probes->recorder, sizeof(*probes->recorder));
	watch_bpf__destroy(probes->watch);
	leave_pins(probes, end);
	closefd(&probes->lock);
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
	uint64_t skips;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < N_TARGETS; i++) {
		skips = attachments_skips(&probes->attachments, i);
		ret->all += skips;
		if (strcmp(targets[i].program, "vfio_file_release") == 0)
			ret->releases = skips;
		if (strcmp(targets[i].program, "vfio_device_ioctl") == 0)
			ret->cookies = skips;
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

static bool is_adoptable(const struct probes *probes)
{
	return probes->found == PINS_OURS || probes->found == PINS_EARLIER;
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
	if (!wanted && probes->state == RECORDING_WAITING && !is_adoptable(probes))
		return PROBES_SAME;
	if (!wanted)
		return PROBES_UNUSED;
	if (probes_begin_recording(probes) < 0) {
		/* What was adopted was whole: it goes on recording, for a daemon that can read it. */
		if (!probes->adopted)
			attachments_unpin(&probes->attachments);
		close_programs(probes);
		probes->state = RECORDING_FAILED;
		return PROBES_FAILED;
	}
	probes->state = RECORDING_ON;
	probes->reason[0] = 0;
	return PROBES_ATTACHED;
}

static void add_reason(struct status *status, const char *reason)
{
	if (status->n_degraded < STATUS_REASONS_MAX)
		snprintf(status->degraded[status->n_degraded++], STATUS_REASON_LEN, "%s", reason);
}

void probes_status(struct probes *probes, struct status *status)
{
	status->recording = probes->state;
	status->adopted = probes->adopted;
	snprintf(status->recording_reason, sizeof(status->recording_reason), "%s", probes->reason);
	status->bpf_stats = kernel_bpf_stats(BPF_STATS);
	attachments_describe(&probes->attachments, probes->state == RECORDING_WAITING ? probes->reason : NULL,
			     status);
	if (probes->state == RECORDING_FAILED)
		add_reason(status, probes->reason);
	if (attachments_taken_off(&probes->attachments))
		add_reason(status, "recording was taken off (vfiowatchd --detach): restart vfiowatchd");
	if (probes->settled < 0)
		add_reason(status,
			   "programs of another build go on, as their pins cannot be removed: trying again; "
			   "see `before` in the pin directory, or vfiowatchd --detach");
	status->recorder = *probes->recorder;
	status->recorder_known = true;
	status->ring_size = bpf_map__max_entries(probes->watch->maps.ring);
}

bool probes_intact(const struct probes *probes)
{
	return attachments_intact(&probes->attachments);
}

const char *probes_reason(const struct probes *probes)
{
	return probes->reason;
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
