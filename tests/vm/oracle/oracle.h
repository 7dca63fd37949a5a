/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIO_ORACLE_H
#define VFIO_ORACLE_H

/*
 * check-ledger: compares what `vfiowatch --json` says with what /proc and sysfs say. It shares no code with
 * the product on purpose.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define DEVICE_SIZE    32
#define COMM_SIZE      64
#define COOKIE_SHIFT   40 /* vfio-pci, all kernels so far: file offset = region << 40 | offset in region */

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))

/* A memory BAR of a device that a VFIO driver has. */
struct bar {
	char device[DEVICE_SIZE];
	int index;
	uint64_t start, size; /* size rounded up to pages, as it can be mapped */
};

struct process {
	pid_t pid;
	pid_t same_mm; /* the first process found with this address space; most often pid itself */
	uid_t uid;     /* real */
	char comm[COMM_SIZE];
	size_t comm_length; /* any bytes but '\n' at the end and NUL */
};

struct vma {
	size_t process; /* index in struct truth */
	uint64_t start, end;
	uint64_t column;          /* the offset column of /proc/PID/maps, bytes */
	char device[DEVICE_SIZE]; /* known from the file name (cdev) or the client; else empty */
	uint64_t client_offset;   /* file offset by the client */
	bool by_client;           /* client_offset is set */
	bool matched;             /* some JSON mapping named it */
};

/* What one VMA must look like in the ledger. */
struct expected {
	const char *device;
	int region;
	uint64_t offset, phys;
};

/* What the offset column of /proc/PID/maps is on this kernel. */
enum column_kind {
	COLUMN_UNKNOWN, /* no VMA, or none that tells */
	COLUMN_COOKIE,  /* the file offset */
	COLUMN_PHYSICAL /* 6.1: vfio_pci_core_mmap() puts the PFN into vm_pgoff */
};

struct truth {
	struct bar *bars;
	size_t n_bars;
	struct process *processes; /* those with VFIO VMAs */
	size_t n_processes;
	struct vma *vmas;
	size_t n_vmas;
	enum column_kind column;
};

/* A VMA as /proc/PID/maps shows it. */
struct maps_line {
	uint64_t start, end, column;
	const char *name; /* in text; empty: it has none */
	char text[PATH_MAX + 128];
};

/* An object of the JSON that is being looked at. */
struct item {
	json_object *o;
	const char *name; /* what messages call it */
};

/* report.c: also for check-findings, as are proc.c, sysfs.c, ledger.c and item.c */
extern unsigned n_differences;
void differ(const char *format, ...) _printf_(1, 2);
void die(const char *format, ...) _printf_(1, 2) __attribute__((noreturn));
void *grow(void *array, size_t n, size_t size);

/* proc.c: processes and VMAs; sysfs.c: BARs */
pid_t *pids_read(size_t *ret_n);
bool same_address_space(pid_t a, pid_t b);
FILE *maps_open(pid_t pid, pid_t *ret_thread);
bool maps_next(FILE *f, struct maps_line *ret);
struct bar *bars_read(bool (*wanted)(const char *device), size_t *ret_n);

/* truth.c: VFIO's VMAs and their processes; bars.c: VFIO's devices */
void truth_read(struct truth *t);
void truth_free(struct truth *t);
bool truth_equal(const struct truth *a, const struct truth *b);
const struct process *truth_process(const struct truth *t, pid_t pid);
void truth_read_bars(struct truth *t);
void column_decide(struct truth *t);
size_t vma_devices(const struct truth *t, const struct vma *v);
bool vma_expected(const struct truth *t, const struct vma *v, const char *device, struct expected *ret);
void pieces_read(struct truth *t, const char *path);

/* ledger.c: JSON */
json_object *ledger_read(const char *path, const char *command);
FILE *ledger_start(const char *command);
json_object *ledger_finish(FILE *f, const char *command);
bool get_address(json_object *o, const char *key, uint64_t *ret);
bool get_integer(json_object *o, const char *key, int64_t *ret);
bool get_true(json_object *o, const char *key);
const char *get_string(json_object *o, const char *key);
bool comm_matches(const char *shown, const char *comm, size_t length);

/* item.c */
void item_differs(const struct item *m, const char *key, const char *expected);
void check_string(const struct item *m, const char *key, const char *expected);
void check_address(const struct item *m, const char *key, uint64_t expected);
void check_integer(const struct item *m, const char *key, int64_t expected);
void check_boolean(const struct item *m, const char *key, bool expected);

/* compare.c, cookies.c */
void compare_mappings(struct truth *t, json_object *ledger, const char *origin);

struct cookie_claim {
	const char *device;
	uint64_t region, offset, size, issued;
};
void check_cookies(const struct truth *t, json_object *ledger, const struct cookie_claim *claims,
		   size_t n_claims, int64_t pid, int64_t count);

#endif
