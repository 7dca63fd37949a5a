/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_KERNEL_TYPES_BPF_H
#define VFIOWATCH_KERNEL_TYPES_BPF_H

/*
 * The kernel types we read, with only the fields we read; CO-RE finds their real offsets. A field that some
 * kernels lack is asked for with bpf_core_field_exists() before it is read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>

#include "vfiowatch/event.h"

/* include/linux/mm.h */
#define VM_PFNMAP 0x00000400UL

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* kernfs_node.parent became __parent, under RCU, in 2025 ("kernfs: Use RCU to access kernfs_node::parent").
 */
struct kernfs_node {
	__u64 id;
	const char *name;
	void *priv;
	struct kernfs_node *parent;
	struct kernfs_node *__parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct upid {
	int nr;
};

struct pid {
	struct upid numbers[1];
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* x86 */
struct thread_info {
	__u32 status;
};

/* Of one architecture only the fields that it has are read. */
struct pt_regs {
	unsigned long bp, bx, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, sp; /* x86 */
	__u64 regs[31];                                                         /* arm64 */
	__u64 orig_x0;
	__s32 syscallno;
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	char comm[16];
	struct mm_struct *mm;
	struct files_struct *files;
	const struct cred *cred;
	struct css_set *cgroups;
	unsigned long nvcsw, nivcsw;
};

typedef struct {
	long counter;
} atomic_long_t;

/* Without PREEMPT_RT; there it holds a struct rwbase_rt instead, and count does not exist. */
struct rw_semaphore {
	atomic_long_t count;
};

typedef struct seqcount {
	unsigned sequence;
} seqcount_t;

struct mm_struct {
	void *pgd;
	struct rw_semaphore mmap_lock;
	seqcount_t mm_lock_seq;    /* since 2024 ("mm: convert mm_lock_seq to a proper seqcount") */
	struct task_struct *owner; /* CONFIG_MEMCG */
};

/* pgprot_t is a struct of one word on x86 and arm64. */
typedef struct {
	unsigned long pgprot;
} pgprot_t;

struct mmap_action;

struct vm_operations_struct {
	void *fault;
	void *huge_fault;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

struct vm_area_struct {
	refcount_t vm_refcnt; /* since 2025 ("mm: move per-vma lock into vm_area_struct" and following): 0: in
				 no tree */
	unsigned int vm_lock_seq; /* where vm_refcnt is: mm_lock_seq when it was last locked for writing */
	unsigned long vm_start;
	unsigned long vm_end;
	struct mm_struct *vm_mm;
	pgprot_t vm_page_prot;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
	const struct vm_operations_struct *vm_ops;
};

struct file_operations {
	int (*mmap)(struct file *, struct vm_area_struct *);
};

struct inode {
	void *i_private;
};

struct file {
	const struct file_operations *f_op;
	struct inode *f_inode;
	void *private_data;
};

/* include/linux/sysfs.h; of resourceN private is the number of the BAR (pci_create_attr()). */
struct bin_attribute {
	void *private;
	void *mmap;
};

struct kobject {
	const char *name;
};

struct bus_type {
	const char *name;
};

struct device_driver {
	const char *name;
};

struct device {
	struct kobject kobj;
	struct device_driver *driver;
	const struct bus_type *bus;
	void *driver_data;
};

struct resource {
	__u64 start;
	__u64 end;
	unsigned long flags;
};

/* domain_nr: CONFIG_PCI_DOMAINS_GENERIC (arm64). x86 keeps the domain in sysdata, arch/x86/include/asm/pci.h.
 */
struct pci_bus {
	unsigned char number;
	void *sysdata;
	int domain_nr;
};

struct pci_sysdata {
	int domain;
};

struct pci_dev {
	struct pci_bus *bus;
	unsigned int devfn;
	unsigned short vendor;
	unsigned short device;
	unsigned int class;
	struct device dev;
	struct resource resource[6];
};

struct vfio_device_ops {
	void *mmap;
};

struct vfio_device {
	struct device *dev;
	const struct vfio_device_ops *ops;
};

/*
 * Since the kernel change "vfio: Allocate per device file structure" (2023) file->private_data of a VFIO
 * device file is this; before, it is the struct vfio_device itself.
 */
struct vfio_device_file {
	struct vfio_device *device;
};

/* drivers/vfio/pci/vfio_pci_dmabuf.c, where the kernel has it. */
struct phys_vec {
	__u64 paddr;
	size_t len;
};

struct vfio_pci_core_device {
	struct pci_dev *pdev;
	void *barmap[6];
};

struct vfio_pci_dma_buf {
	struct vfio_pci_core_device *vdev;
	size_t size;
	struct phys_vec *phys_vec;
	unsigned int nr_ranges;
};

struct dma_buf_ops;

struct module;

struct dma_buf {
	size_t size;
	struct module *owner;
	const struct dma_buf_ops *ops;
	void *priv;
};

/*
 * Only where vfio-pci's mmap rewrites vm_pgoff to the page frame: the type went away with the kernel change
 * "vfio/pci: Use unmap_mapping_range()" (2024), since which vm_pgoff stays the cookie.
 */
struct vfio_pci_mmap_vma {
	struct vm_area_struct *vma;
};

/* The first members of struct vm_fault are in a struct without a name. */
struct vm_fault {
	struct {
		struct vm_area_struct *vma;
		unsigned long address;
	};
};

struct module {
	char name[EVENT_MODULE_LEN];
};

/* Contexts of the iterators, kernel/bpf/task_iter.c and map_iter.c. */
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	unsigned int fd;
	struct file *file;
};

struct bpf_map;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

#endif
