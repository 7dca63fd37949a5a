// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/enforcer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "enforce.skel.h"
#include "source/enforcer_internal.h"
#include "source/kernel_facts.h"
#include "source/pci.h"
#include "source/pins.h"
#include "source/probes_internal.h"
#include "watch.skel.h"

/* Room in the table of BARs: twice the memory BARs there are, within these limits. One more is
 * POLICY_UNKNOWN_FULL.
 */
#define BARS_MIN 64
#define BARS_MAX 4096

/* For people, of the last begin that failed. */
static char reason_text[STATUS_REASON_LEN];

static int fail(int error, const char *what)
{
	snprintf(reason_text, sizeof(reason_text), "%s: %s", what, strerror(-error));
	return error;
}

/* A map that is pinned for recording; the rest are the enforcer's own. */
static bool is_recording_map(const struct probes *probes, const struct bpf_map *map)
{
	return bpf_object__find_map_by_name(probes->watch->obj, bpf_map__name(map)) != NULL;
}

static void unpin_maps(const struct enforcer_programs *e)
{
	const char *path;
	struct bpf_map *map;

	bpf_object__for_each_map(map, e->object->obj)
	{
		path = bpf_map__pin_path(map);
		if (path && !is_recording_map(e->probes, map))
			unlink(path);
	}
}

/* The room that the pinned table has, as it cannot be another one; else what the machine needs. */
static uint32_t bars_entries(const struct enforcer_programs *e)
{
	_cleanup_(closefd) int fd = -1;
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	unsigned int needed = 2 * pci_memory_bars(e->probes->sys);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bars", e->probes->pin_directory);
	fd = e->adopted ? bpf_obj_get(path) : -1;
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0)
		return info.max_entries;
	return needed < BARS_MIN ? BARS_MIN : needed > BARS_MAX ? BARS_MAX : needed;
}

static struct bpf_program *program(const struct enforcer_programs *e, size_t i)
{
	return bpf_object__find_program_by_name(e->object->obj, enforcer_targets[i].program);
}

/* Decisions end first: see pins_end_decisions(). Memory that is mapped needs no descriptor, of which there
 * may be none. */
static void take_off(const struct enforcer_programs *e)
{
	if (e->memory)
		__atomic_store_n(&e->memory->generation, 0, __ATOMIC_RELEASE);
	else
		pins_end_decisions(e->probes->pin_directory);
	attachments_unpin(&e->attachments);
}

/* What was adopted is of another build. */
static bool replaces(const struct enforcer_programs *e)
{
	return e->adopted && e->probes->found == PINS_EARLIER;
}

static int load(struct enforcer_programs *e)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = e->probes->pin_directory);
	const struct addresses *addresses = &e->probes->addresses;
	int r;

	e->object = enforce_bpf__open_opts(&options);
	if (!e->object)
		return fail(-errno, "cannot open the BPF object");
	SET_FACTS(e->object, addresses);
	SET_ADDRESS(e->object, addresses, strict_iomem_checks);
	for (size_t i = 0; i < N_ENFORCER_TARGETS; i++) {
		/* There may be fewer copies than the table has names for. */
		e->attachments.left_out[i] |= !program(e, i);
		e->attachments.wanted[i] &= !e->attachments.left_out[i];
		if (program(e, i))
			bpf_program__set_autoload(program(e, i),
						  e->attachments.wanted[i] && (!e->adopted || replaces(e)));
	}
	bpf_map__set_max_entries(e->object->maps.bars, bars_entries(e));
	/* What an earlier enforcer left without its programs is not true any more. */
	if (!e->adopted) {
		take_off(e);
		unpin_maps(e);
	}
	r = enforce_bpf__load(e->object);
	if (r < 0)
		return fail(r, "the kernel refuses the enforcer's programs");
	return 0;
}

static int map_memory(struct enforcer_programs *e)
{
	void *memory = mmap(NULL, sizeof(struct enforcer), PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(e->object->maps.enforcer), 0);

	if (memory == MAP_FAILED)
		return fail(-errno, "cannot map the policy's table");
	e->memory = memory;
	return 0;
}

/* Of the targets that decide a kernel gets those of one way. */
static bool is_of_way(const struct target *target, enum enforcer_way way)
{
	return !target_decides(target) || strcmp(target->kind, way == ENFORCER_LSM ? "lsm" : "fmod_ret") == 0;
}

/* Attaches the targets that decide, or all the others. */
static int attach_those(struct enforcer_programs *e, bool deciding)
{
	int r = 0;

	for (size_t i = 0; i < N_ENFORCER_TARGETS && r == 0; i++)
		if (e->attachments.wanted[i] && target_decides(&enforcer_targets[i]) == deciding)
			r = attachments_attach(&e->attachments, program(e, i), i);
	return r;
}

/* What decides comes last, as in attaching. */
static int replace_all(struct enforcer_programs *e)
{
	int r = 0;

	for (size_t i = 0; i < N_ENFORCER_TARGETS && r == 0; i++)
		if (e->attachments.wanted[i])
			r = attachments_replace(&e->attachments, program(e, i), i);
	return r;
}

static int attach_iterators(struct enforcer_programs *e)
{
	const struct {
		struct bpf_program *program;
		struct bpf_map *map;
	} steps[AUDIT_STEPS] = {
		[AUDIT_TIDY] = {e->object->progs.tidy, e->object->maps.bars},
		[AUDIT_TIDY_HOLDS] = {e->object->progs.tidy_holds, e->object->maps.holds},
		[AUDIT_ADOPT] = {e->object->progs.adopt, e->object->maps.vmas},
		[AUDIT_SETTLE] = {e->object->progs.settle, e->object->maps.bars},
	};
	int r = 0;

	for (size_t i = 0; i < AUDIT_STEPS && r == 0; i++)
		r = attach_iterator(&e->iterators[i], steps[i].program, steps[i].map);
	return r;
}

/* Mappings are seen to come and go before they are looked up, and are all known before the first is denied.
 */
static int begin(struct enforcer_programs *e)
{
	int r;

	/* Until it was looked for it may be there, and is left alone. */
	e->adopted = true;
	r = attachments_find(&e->attachments);
	if (r < 0)
		return r;
	r = attachments_adopt(&e->attachments);
	e->adopted = r != 0;
	if (r >= 0)
		r = load(e);
	if (r == 0)
		r = map_memory(e);
	if (r == 0 && !e->adopted)
		r = attach_those(e, false);
	if (r == 0 && replaces(e))
		r = replace_all(e);
	if (r < 0)
		return r;
	r = attach_iterators(e);
	/* A walk of a hash table that changes may pass over an entry: the second one meets it. */
	for (int round = 0; round < 2 && r == 0; round++)
		r = enforcer_audit(e);
	if (r < 0)
		return fail(r, "cannot read what is mapped already");
	return e->adopted ? 0 : attach_those(e, true);
}

/* Without the recording programs the tables that mappings are looked up in do not hold. */
static int check_recording(const struct probes *probes, const char **reason)
{
	if (!attachments_taken_off(&probes->attachments))
		return 0;
	*reason = "recording was taken off (vfiowatchd --detach): restart vfiowatchd";
	return -ENOLINK;
}

int enforcer_begin(struct enforcer_programs **ret, struct probes *probes, const char **reason)
{
	struct enforcer_programs *e = calloc(1, sizeof(*e));
	enum enforcer_way way;
	int r;

	*reason = "out of memory";
	if (!e)
		return -ENOMEM;
	r = check_recording(probes, reason);
	if (r == 0)
		r = enforcer_find_way(&way, reason);
	if (r < 0) {
		free(e);
		return r;
	}
	*reason = reason_text;
	e->way = way;
	e->probes = probes;
	attachments_init(&e->attachments, enforcer_targets, N_ENFORCER_TARGETS, probes->pin_directory,
			 reason_text);
	for (size_t i = 0; i < N_ENFORCER_TARGETS; i++)
		e->attachments.left_out[i] = !is_of_way(&enforcer_targets[i], way);
	r = begin(e);
	if (r < 0) {
		enforcer_end(e, e->adopted);
		return r;
	}
	*ret = e;
	return 0;
}

struct enforcer_programs *enforcer_end(struct enforcer_programs *e, bool keep)
{
	if (!e)
		return NULL;
	if (!keep)
		take_off(e);
	attachments_close(&e->attachments);
	for (size_t i = 0; i < AUDIT_STEPS; i++)
		bpf_link__destroy(e->iterators[i]);
	if (e->memory)
		munmap(e->memory, sizeof(*e->memory));
	if (!keep && e->object)
		unpin_maps(e);
	enforce_bpf__destroy(e->object);
	free(e);
	return NULL;
}

void enforcer_discard(struct probes *probes)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = probes->pin_directory);
	struct enforcer_programs e = {.probes = probes};

	attachments_init(&e.attachments, enforcer_targets, N_ENFORCER_TARGETS, probes->pin_directory,
			 reason_text);
	take_off(&e);
	e.object = enforce_bpf__open_opts(&options);
	if (e.object)
		unpin_maps(&e);
	enforce_bpf__destroy(e.object);
}
