/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_KERNEL_FACTS_H
#define VFIOWATCH_SOURCE_KERNEL_FACTS_H

/* Addresses of kernel symbols, for the constants of bpf/facts.bpf.h and bpf/walk.bpf.h, of which every BPF
 * object has its own copy. */

#include <linux/types.h>
#include <stdbool.h>
#include <unistd.h>

#include "core/status.h"

/* 0: this kernel has none. */
struct addresses {
	__u64 vfio_device_fops_mmap, vfio_pci_mmap_ops, vfio_pci_dmabuf_ops, vfio_pci_core_mmap;
	__u64 dma_buf_fops, kernfs_file_fops, pci_mmap_resource_uc, pci_mmap_resource_wc, pci_phys_vm_ops,
		mmap_mem_ops;
	__u64 page_offset_base, pgdir_shift, physical_mask;
	__u64 strict_iomem_checks;
};

/* Reads /proc/kallsyms. 0, -ENOENT: vfio is not loaded, or another negative errno. */
int addresses_find(struct addresses *ret);

/*
 * Whether the kernel is locked down for confidentiality, as /sys (@sys) tells: then BPF programs may not read
 * its memory (security_locked_down(LOCKDOWN_BPF_READ_KERNEL)), and nothing can be recorded.
 */
bool kernel_is_confidential(const char *sys);

/* Whether the kernel measures how long BPF programs run, as @path says: BPF_STATS. */
enum bpf_stats kernel_bpf_stats(const char *path);
#define BPF_STATS "/proc/sys/kernel/bpf_stats_enabled"

#define LOCKDOWN_REMEDY                                                                                      \
	"the kernel is locked down for confidentiality, so that BPF programs may not read its memory: boot " \
	"with lockdown=integrity or without lockdown="

#define SET_ADDRESS(object, addresses, symbol) (object)->rodata->symbol##_address = (addresses)->symbol

/* bpf/facts.bpf.h */
#define SET_FACTS(object, addresses)                                                                         \
	do {                                                                                                 \
		SET_ADDRESS(object, addresses, vfio_device_fops_mmap);                                       \
		SET_ADDRESS(object, addresses, vfio_pci_mmap_ops);                                           \
		SET_ADDRESS(object, addresses, vfio_pci_dmabuf_ops);                                         \
		SET_ADDRESS(object, addresses, vfio_pci_core_mmap);                                          \
		SET_ADDRESS(object, addresses, dma_buf_fops);                                                \
		SET_ADDRESS(object, addresses, kernfs_file_fops);                                            \
		SET_ADDRESS(object, addresses, pci_mmap_resource_uc);                                        \
		SET_ADDRESS(object, addresses, pci_mmap_resource_wc);                                        \
		SET_ADDRESS(object, addresses, pci_phys_vm_ops);                                             \
		SET_ADDRESS(object, addresses, mmap_mem_ops);                                                \
		(object)->rodata->page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE));                        \
	} while (0)

/* bpf/walk.bpf.h */
#define SET_WALK(object, addresses)                                                                          \
	do {                                                                                                 \
		SET_ADDRESS(object, addresses, page_offset_base);                                            \
		SET_ADDRESS(object, addresses, pgdir_shift);                                                 \
		SET_ADDRESS(object, addresses, physical_mask);                                               \
	} while (0)

#endif
