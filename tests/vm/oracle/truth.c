// SPDX-License-Identifier: GPL-2.0-or-later

/* VMAs of VFIO device files, from /proc. */

#include "oracle.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

/* Appends the VFIO VMAs of one maps file; false when it has no line at all (gone, or no address space). */
static bool read_maps(struct truth *t, const char *path)
{
	char line[PATH_MAX + 128];
	bool any = false;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		unsigned long long start, end, column;
		char device[DEVICE_SIZE];
		struct vma *v;
		int name = 0;

		any = true;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %n", &start, &end, &column, &name) != 3 ||
		    !name || !is_vfio_name(line + name, device))
			continue;
		t->vmas = grow(t->vmas, t->n_vmas, sizeof(*t->vmas));
		v = &t->vmas[t->n_vmas++];
		*v = (struct vma){.process = t->n_processes, .start = start, .end = end, .column = column};
		memcpy(v->device, device, sizeof(device));
	}
	fclose(f);
	return any;
}

/* A thread group whose leader is dead shows its address space only through the other threads. */
static void read_maps_of_threads(struct truth *t, pid_t pid)
{
	char path[PATH_MAX];
	struct dirent *d;
	bool any = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !any && (d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0])) {
			snprintf(path, sizeof(path), "/proc/%d/task/%.16s/maps", pid, d->d_name);
			any = read_maps(t, path);
		}
	if (dir)
		closedir(dir);
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

/* vfork(2) and CLONE_VM make processes that share one address space: its VMAs count once. */
static bool shares_mm(struct truth *t, struct process *p)
{
	for (size_t i = 0; i < t->n_processes; i++) {
		const struct process *other = &t->processes[i];
		long r;

		if (!same_vmas(t, i, t->n_processes))
			continue;
		r = syscall(SYS_kcmp, other->pid, p->pid, KCMP_VM, 0, 0);
		if (r < 0 && errno != ESRCH)
			die("kcmp(%d, %d, KCMP_VM): %m (needs CONFIG_KCMP and root)", other->pid, p->pid);
		if (r == 0) {
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
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (!read_maps(t, path))
		read_maps_of_threads(t, pid);
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

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

void truth_read(struct truth *t)
{
	pid_t *pids = NULL;
	struct dirent *d;
	size_t n = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc: %m");
	memset(t, 0, sizeof(*t));
	bars_read(t);
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0])) {
			pids = grow(pids, n, sizeof(*pids));
			pids[n++] = atoi(d->d_name);
		}
	closedir(dir);
	if (n)
		qsort(pids, n, sizeof(*pids), compare_pids);
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
