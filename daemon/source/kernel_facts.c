// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/kernel_facts.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "source/modules.h"

int addresses_find(struct addresses *ret)
{
	const struct {
		struct kernel_symbol symbol;
		__u64 *address;
	} wanted[] = {
		{{"vfio", "vfio_device_fops_mmap", 0}, &ret->vfio_device_fops_mmap},
		{{"vfio_pci_core", "vfio_pci_mmap_ops", 0}, &ret->vfio_pci_mmap_ops},
		{{"vfio_pci_core", "vfio_pci_dmabuf_ops", 0}, &ret->vfio_pci_dmabuf_ops},
		{{"vfio_pci_core", "vfio_pci_core_mmap", 0}, &ret->vfio_pci_core_mmap},
		{{"vmlinux", "dma_buf_fops", 0}, &ret->dma_buf_fops},
		{{"vmlinux", "kernfs_file_fops", 0}, &ret->kernfs_file_fops},
		{{"vmlinux", "pci_mmap_resource_uc", 0}, &ret->pci_mmap_resource_uc},
		{{"vmlinux", "pci_mmap_resource_wc", 0}, &ret->pci_mmap_resource_wc},
		{{"vmlinux", "pci_phys_vm_ops", 0}, &ret->pci_phys_vm_ops},
		{{"vmlinux", "mmap_mem_ops", 0}, &ret->mmap_mem_ops},
		{{"vmlinux", "page_offset_base", 0}, &ret->page_offset_base},
		{{"vmlinux", "pgdir_shift", 0}, &ret->pgdir_shift},
		{{"vmlinux", "physical_mask", 0}, &ret->physical_mask},
		{{"vmlinux", "strict_iomem_checks", 0}, &ret->strict_iomem_checks},
	};
	struct kernel_symbol symbols[sizeof(wanted) / sizeof(wanted[0])];
	const size_t n = sizeof(wanted) / sizeof(wanted[0]);
	int r;

	for (size_t i = 0; i < n; i++)
		symbols[i] = wanted[i].symbol;
	r = kernel_symbols_find(KALLSYMS, symbols, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		*wanted[i].address = symbols[i].address;
	return ret->vfio_device_fops_mmap ? 0 : -ENOENT;
}

enum bpf_stats kernel_bpf_stats(const char *path)
{
	_cleanup_(closefile) FILE *file = fopen(path, "re");
	int enabled;

	if (!file || fscanf(file, "%d", &enabled) != 1)
		return BPF_STATS_UNKNOWN;
	return enabled ? BPF_STATS_ON : BPF_STATS_OFF;
}

bool kernel_is_confidential(const char *sys)
{
	_cleanup_(closefile) FILE *file = NULL;
	char path[PATH_MAX], line[128];

	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sys);
	file = fopen(path, "re");
	return file && fgets(line, sizeof(line), file) && strstr(line, "[confidentiality]");
}
