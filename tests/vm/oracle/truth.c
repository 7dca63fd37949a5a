// SPDX-License-Identifier: GPL-2.0-or-later

/* VMAs of VFIO device files, from /proc. */

#include "oracle.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CDEV_PREFIX "/dev/vfio/devices/"

/* The BDF behind a device's character device; empty when sysfs does not say. */
static void cdev_device(const char *name, char *ret)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/vfio-dev/%.64s/device", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	snprintf(ret, DEVICE_SIZE, "%.31s", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

/* Group interface: "anon_inode:[vfio-device]"; character device: its path. */
static bool is_vfio_name(const char *name, char *ret_device)
{
	ret_device[0] = '\0';
	if (strcmp(name, "anon_inode:[vfio-device]") == 0)
		return true;
	if (strncmp(name, CDEV_PREFIX, strlen(CDEV_PREFIX)) != 0)
		return false;
	cdev_device(name + strlen(CDEV_PREFIX), ret_device);
	return true;
}

static void read_maps(struct truth *t, pid_t pid)
{
	struct maps_line line;
	pid_t thread;
	FILE *f = maps_open(pid, &thread);

	while (f && maps_next(f, &line)) {
		struct vma v = {.process = t->n_processes,
				.start = line.start,
				.end = line.end,
				.column = line.column};

		if (!is_vfio_name(line.name, v.device))
			continue;
		t->vmas = grow(t->vmas, t->n_vmas, sizeof(*t->vmas));
		t->vmas[t->n_vmas++] = v;
	}
	if (f)
		fclose(f);
}

static bool read_process(struct process *p)
{
	char path[PATH_MAX], line[256];
	bool uid = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", p->pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	p->comm_length = fread(p->comm, 1, sizeof(p->comm), f);
	fclose(f);
	if (p->comm_length && p->comm[p->comm_length - 1] == '\n')
		p->comm_length--;
	snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!uid && fgets(line, sizeof(line), f))
		uid = sscanf(line, "Uid: %u", &p->uid) == 1;
	fclose(f);
	return uid;
}

static bool same_vmas(const struct truth *t, size_t a, size_t b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < t->n_vmas && t->vmas[i].process != a)
			i++;
		while (k < t->n_vmas && t->vmas[k].process != b)
			k++;
		if (i == t->n_vmas || k == t->n_vmas)
			return i == t->n_vmas && k == t->n_vmas;
		if (t->vmas[i].start != t->vmas[k].start || t->vmas[i].end != t->vmas[k].end)
			return false;
		i++;
		k++;
	}
}

/* The VMAs of an address space that several processes share count once. */
static bool shares_mm(struct truth *t, struct process *p)
{
	for (size_t i = 0; i < t->n_processes; i++) {
		const struct process *other = &t->processes[i];

		if (same_vmas(t, i, t->n_processes) && same_address_space(other->pid, p->pid)) {
			p->same_mm = other->pid;
			return true;
		}
	}
	return false;
}

static void read_pid(struct truth *t, pid_t pid)
{
	struct process p = {.pid = pid, .same_mm = pid};
	size_t before = t->n_vmas;

	read_maps(t, pid);
	if (t->n_vmas == before)
		return;
	if (!read_process(&p)) { /* it is gone now, and so are they */
		t->n_vmas = before;
		return;
	}
	if (shares_mm(t, &p))
		t->n_vmas = before;
	t->processes = grow(t->processes, t->n_processes, sizeof(*t->processes));
	t->processes[t->n_processes++] = p;
}

void truth_read(struct truth *t)
{
	pid_t *pids;
	size_t n;

	memset(t, 0, sizeof(*t));
	truth_read_bars(t);
	pids = pids_read(&n);
	for (size_t i = 0; i < n; i++)
		read_pid(t, pids[i]);
	free(pids);
}

void truth_free(struct truth *t)
{
	free(t->bars);
	free(t->processes);
	free(t->vmas);
	memset(t, 0, sizeof(*t));
}

bool truth_equal(const struct truth *a, const struct truth *b)
{
	if (a->n_processes != b->n_processes || a->n_vmas != b->n_vmas)
		return false;
	for (size_t i = 0; i < a->n_processes; i++) {
		const struct process *p = &a->processes[i], *q = &b->processes[i];

		if (p->pid != q->pid || p->uid != q->uid || p->comm_length != q->comm_length ||
		    memcmp(p->comm, q->comm, p->comm_length) != 0)
			return false;
	}
	for (size_t i = 0; i < a->n_vmas; i++) {
		const struct vma *v = &a->vmas[i], *w = &b->vmas[i];

		if (v->process != w->process || v->start != w->start || v->end != w->end ||
		    v->column != w->column)
			return false;
	}
	return true;
}

const struct process *truth_process(const struct truth *t, pid_t pid)
{
	for (size_t i = 0; i < t->n_processes; i++)
		if (t->processes[i].pid == pid)
			return &t->processes[i];
	return NULL;
}
