// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "source/modules.h"
#include "source/pins.h"
#include "source/slot.h"

int print_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level != LIBBPF_WARN)
		return 0;
	return vfprintf(stderr, format, arguments);
}

void attachments_init(struct attachments *a, const struct target *targets, size_t n, const char *directory,
		      char *reason)
{
	_Static_assert(N_TARGETS <= ATTACH_MAX && N_ENFORCER_TARGETS <= ATTACH_MAX, "ATTACH_MAX");
	memset(a, 0, sizeof(*a));
	a->targets = targets;
	a->n = n;
	a->directory = directory;
	a->reason = reason;
	for (size_t i = 0; i < ATTACH_MAX; i++)
		a->programs[i] = -1;
}

static void pin_path(const struct attachments *a, size_t i, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PINS_LINK "%s", a->directory, a->targets[i].program);
}

static void slot_path(const struct attachments *a, size_t i, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PINS_SLOT "%s", a->directory, a->targets[i].program);
}

int attachments_find(struct attachments *a)
{
	int r = kernel_functions_find(a->targets, a->n, a->wanted);

	if (r < 0) {
		snprintf(a->reason, STATUS_REASON_LEN, "cannot read the kernel's BTF: %s", strerror(-r));
		return r;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (a->left_out[i]) {
			a->wanted[i] = false;
		} else if (!a->wanted[i] && a->targets[i].required) {
			snprintf(a->reason, STATUS_REASON_LEN,
				 "this kernel has no function %s (module %s) in its BTF",
				 a->targets[i].function, a->targets[i].module);
			return -ENOENT;
		}
	}
	return 0;
}

/* The program behind a link, as a descriptor, or a negative errno. */
static int program_of(int link)
{
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);
	int program;

	if (bpf_obj_get_info_by_fd(link, &info, &length) < 0)
		return -errno;
	program = bpf_prog_get_fd_by_id(info.prog_id);
	return program < 0 ? -errno : program;
}

static int adopt(const struct attachments *a, size_t i)
{
	_cleanup_(closefd) int link = -1;
	char path[PATH_MAX];

	pin_path(a, i, path);
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	/* Without its pin the kernel emptied the slot: the stub passes on to nothing. */
	slot_path(a, i, path);
	return access(path, F_OK) < 0 ? -ENOLINK : program_of(link);
}

static int refuse(struct attachments *a, size_t i, const char *what, int error)
{
	snprintf(a->reason, STATUS_REASON_LEN, "cannot %s %s/%s: %s", what, a->targets[i].kind,
		 a->targets[i].function, strerror(-error));
	return error;
}

int attachments_adopt(struct attachments *a)
{
	int r;

	for (size_t i = 0; i < a->n; i++) {
		if (!a->wanted[i])
			continue;
		r = adopt(a, i);
		a->programs[i] = r < 0 ? -1 : r;
		if (r >= 0 || (r == -ENOENT && !a->targets[i].required))
			continue;
		attachments_close(a);
		return r == -ENOENT || r == -ENOLINK ? 0 : refuse(a, i, "adopt the program at", r);
	}
	/* What is not attached now was found to be a stub by the one who attached. */
	for (size_t i = 0; i < a->n; i++)
		a->wanted[i] = a->programs[i] >= 0;
	return 1;
}

/*
 * A function that is no more than an inline stub cannot be attached to (EINVAL: ftrace does not know it),
 * though BTF and kallsyms have it: a kernel without CONFIG_VFIO_DEVICE_CDEV has such ones. What the machine
 * or this process is short of is another matter. Returns true if the kernel does without.
 */
static bool leave_out(struct attachments *a, size_t i, int error)
{
	if (a->targets[i].required || error == -ENOMEM || error == -EMFILE || error == -ENFILE ||
	    error == -EPERM)
		return false;
	a->wanted[i] = error != -EINVAL;
	a->errors[i] = error;
	return true;
}

/* Attaches a stub that passes on to @program, as a descriptor, and pins its slot and its link. */
static int attach_stub(const struct attachments *a, const struct bpf_program *program, size_t i)
{
	enum bpf_attach_type type = bpf_program__expected_attach_type(program);
	_cleanup_(closefd) int stub = -1, link = -1;
	char path[PATH_MAX];
	int r;

	slot_path(a, i, path);
	stub = slot_new(path, type, bpf_program__fd(program));
	if (stub < 0)
		return stub;
	link = bpf_link_create(stub, 0, type, NULL);
	if (link < 0) {
		r = -errno;
		unlink(path);
		return r;
	}
	pin_path(a, i, path);
	if (bpf_obj_pin(link, path) < 0)
		return -errno;
	return take_fd(&stub);
}

int attachments_attach(struct attachments *a, const struct bpf_program *program, size_t i)
{
	int r = attach_stub(a, program, i);

	if (r < 0)
		return leave_out(a, i, r) ? 0 : refuse(a, i, "attach to", r);
	a->programs[i] = r;
	return 0;
}

int attachments_replace(struct attachments *a, const struct bpf_program *program, size_t i)
{
	char path[PATH_MAX];
	int r;

	slot_path(a, i, path);
	r = slot_put(path, bpf_program__fd(program));
	return r < 0 ? refuse(a, i, "replace the program at", r) : 0;
}

/* They were attached in the order of the table: what decides is at its end. */
void attachments_unpin(const struct attachments *a)
{
	char path[PATH_MAX];

	for (size_t i = a->n; i-- > 0;) {
		pin_path(a, i, path);
		unlink(path);
	}
	for (size_t i = a->n; i-- > 0;) {
		slot_path(a, i, path);
		unlink(path);
	}
}

void attachments_close(struct attachments *a)
{
	for (size_t i = 0; i < a->n; i++)
		closefd(&a->programs[i]);
}

/* False: it is not attached. */
static bool program_info(const struct attachments *a, size_t i, struct bpf_prog_info *ret)
{
	__u32 length = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return a->programs[i] >= 0 && bpf_obj_get_info_by_fd(a->programs[i], ret, &length) == 0;
}

uint64_t attachments_skips(const struct attachments *a, size_t i)
{
	struct bpf_prog_info info;

	return program_info(a, i, &info) ? info.recursion_misses : 0;
}

static bool is_pinned(const struct attachments *a, size_t i)
{
	char path[PATH_MAX];

	pin_path(a, i, path);
	if (access(path, F_OK) < 0)
		return false;
	/* Without its pin the kernel empties the slot, and the stub passes on to nothing. */
	slot_path(a, i, path);
	return access(path, F_OK) == 0;
}

bool attachments_taken_off(const struct attachments *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->programs[i] >= 0 && !is_pinned(a, i))
			return true;
	return false;
}

/* The id of the program that the pinned link @i has attached, 0: there is none. */
static uint32_t linked_program(const struct attachments *a, size_t i)
{
	_cleanup_(closefd) int link = -1;
	struct bpf_link_info info = {};
	__u32 length = sizeof(info);
	char path[PATH_MAX];

	if (!is_pinned(a, i))
		return 0;
	pin_path(a, i, path);
	link = bpf_obj_get(path);
	return link < 0 || bpf_obj_get_info_by_fd(link, &info, &length) < 0 ? 0 : info.prog_id;
}

bool attachments_intact(const struct attachments *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct bpf_prog_info info;

		if (a->programs[i] >= 0 && (!program_info(a, i, &info) || linked_program(a, i) != info.id))
			return false;
	}
	return true;
}

static void describe(const struct attachments *a, size_t i, const char *waiting, struct attach_point *point)
{
	const struct target *target = &a->targets[i];
	struct bpf_prog_info info;

	memset(point, 0, sizeof(*point));
	if (program_info(a, i, &info)) {
		point->runs = info.run_cnt;
		point->run_time_ns = info.run_time_ns;
	}
	snprintf(point->name, sizeof(point->name), "%s/%s", target->kind, target->function);
	snprintf(point->module, sizeof(point->module), "%s", target->module);
	snprintf(point->purpose, sizeof(point->purpose), "%s", target->purpose);
	if (a->programs[i] >= 0 && is_pinned(a, i)) {
		point->state = POINT_ATTACHED;
	} else if (a->programs[i] >= 0) {
		point->state = POINT_MISSING;
		snprintf(point->reason, sizeof(point->reason), "its pin was removed: restart vfiowatchd");
	} else if (waiting) {
		point->state = POINT_WAITING;
		snprintf(point->reason, sizeof(point->reason), "%s", waiting);
	} else if (!target->required && !a->wanted[i]) {
		point->state = POINT_UNNEEDED;
		snprintf(point->reason, sizeof(point->reason), "this kernel has no %s", target->function);
	} else {
		point->state = POINT_MISSING;
		snprintf(point->reason, sizeof(point->reason), "%s",
			 a->errors[i] ? strerror(-a->errors[i]) : a->reason);
	}
}

/* Copies of a program at one function are one point, unless they fare differently: then @point is added to
 * what was told. */
static bool is_told_already(struct status *status, size_t first, const struct attach_point *point)
{
	struct attach_point *last;

	if (status->n_points == first)
		return false;
	last = &status->points[status->n_points - 1];
	if (strcmp(last->name, point->name) || last->state != point->state)
		return false;
	last->runs += point->runs;
	last->run_time_ns += point->run_time_ns;
	return true;
}

void attachments_describe(const struct attachments *a, const char *waiting, struct status *status)
{
	size_t first = status->n_points;
	struct attach_point point;

	for (size_t i = 0; i < a->n && status->n_points < STATUS_POINTS_MAX; i++) {
		if (a->left_out[i])
			continue;
		describe(a, i, waiting, &point);
		if (!is_told_already(status, first, &point))
			status->points[status->n_points++] = point;
	}
}

void map_clear(const struct bpf_map *map)
{
	char key[sizeof(struct event)];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		if (bpf_map_delete_elem(bpf_map__fd(map), key) < 0)
			break;
}

int attach_iterator(struct bpf_link **ret, struct bpf_program *program, const struct bpf_map *map)
{
	union bpf_iter_link_info info = {};
	LIBBPF_OPTS(bpf_iter_attach_opts, options);

	if (map) {
		info.map.map_fd = bpf_map__fd(map);
		options.link_info = &info;
		options.link_info_len = sizeof(info);
	}
	*ret = bpf_program__attach_iter(program, &options);
	return *ret ? 0 : -errno;
}
