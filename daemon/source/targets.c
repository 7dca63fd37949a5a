// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/targets.h"

const struct target targets[N_TARGETS] = {
	{"vfio_group_ioctl", "fexit", "vfio", "vfio_group_fops_unl_ioctl", true,
	 "device files opened through a group"},
	{"vfio_cdev_open", "fexit", "vfio", "vfio_device_fops_cdev_open", false,
	 "device files opened as /dev/vfio/devices/*"},
	{"vfio_file_release", "fentry", "vfio", "vfio_device_fops_release", true, "device files closed"},
	{"vfio_device_ioctl", "fexit", "vfio", "vfio_device_fops_unl_ioctl", true, "cookies issued"},
	{"vfio_mmap_enter", "fentry", "vfio", "vfio_device_fops_mmap", true, "cookies given to mmap"},
	{"vfio_mmap_exit", "fexit", "vfio", "vfio_device_fops_mmap", true, "mappings made"},
	{"dma_buf_release", "fentry", "vmlinux", "dma_buf_file_release", false, "exported DMABUFs released"},
	{"dma_buf_mapped", "fexit", "vmlinux", "dma_buf_mmap_internal", false,
	 "mappings of exported DMABUFs"},
	{"pci_mapped", "fexit", "vmlinux", "pci_mmap_resource_range", true,
	 "mappings through sysfs and /proc/bus/pci"},
	{"devmem_mmap", "fexit", "vmlinux", "mmap_mem", false, "mappings through /dev/mem"},
	{"devmem_mmap_complete", "fexit", "vmlinux", "remap_pfn_range_complete", false,
	 "mappings through /dev/mem, where they are prepared before the VMA is"},
	{"vfio_fault", "fexit", "vfio_pci_core", "vfio_pci_mmap_fault", false,
	 "pages filled, all of a mapping at once"},
	{"vfio_huge_fault", "fexit", "vfio_pci_core", "vfio_pci_mmap_huge_fault", false,
	 "pages filled, one leaf at a time"},
	{"vfio_zapped", "fexit", "vfio_pci_core", "vfio_pci_zap_and_down_write_memory_lock", false,
	 "pages taken away by reset and by switching memory off"},
	{"iomem_revoked", "fexit", "vmlinux", "revoke_iomem", false,
	 "pages of other mappings taken away when a driver claims a BAR"},
	{"memtype_reserved", "fexit", "vmlinux", "memtype_reserve", false,
	 "why a memory type is not the one asked for (x86 PAT)"},
	{"vma_copied", "fexit", "vmlinux", "vm_area_dup", true, "mappings copied by fork, split and mremap"},
	{"vma_free", "fentry", "vmlinux", "vm_area_free", true, "mappings gone"},
	{"vma_free_now", "fentry", "vmlinux", "__vm_area_free", false, "mappings gone when a process exits"},
};

const struct target_module target_modules[N_TARGET_MODULES] = {
	{"vfio", "vfio_device_fops_mmap"},
	{"vfio_pci_core", "vfio_pci_core_mmap"},
};
