// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/targets.h"

#include <string.h>

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

#define BINDS         "mappings hold what was reserved for them, or give it back"
#define DECIDES_MMAP  "mappings that are asked for, before they are made"
#define DECIDES_IOCTL "write-combining cookies that are asked for, before they are issued"

const struct target enforcer_targets[N_ENFORCER_TARGETS] = {
	{"hold_copied", "fexit", "vmlinux", "vm_area_dup", true, "copies of mappings take part"},
	{"hold_copied_2", "fexit", "vmlinux", "vm_area_dup", false, "copies of mappings take part"},
	{"hold_copied_3", "fexit", "vmlinux", "vm_area_dup", false, "copies of mappings take part"},
	{"hold_freed", "fentry", "vmlinux", "vm_area_free", true, "mappings gone give their bytes free"},
	{"hold_freed_2", "fentry", "vmlinux", "vm_area_free", false, "mappings gone give their bytes free"},
	{"hold_freed_3", "fentry", "vmlinux", "vm_area_free", false, "mappings gone give their bytes free"},
	{"hold_freed_now", "fentry", "vmlinux", "__vm_area_free", false,
	 "mappings gone when a process exits give their bytes free"},
	{"bind_vfio", "fexit", "vfio", "vfio_device_fops_mmap", true, BINDS},
	{"bind_vfio_2", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_3", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_4", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_5", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_6", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_7", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_vfio_8", "fexit", "vfio", "vfio_device_fops_mmap", false, BINDS},
	{"bind_dma_buf", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_2", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_3", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_4", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_5", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_6", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_7", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_dma_buf_8", "fexit", "vmlinux", "dma_buf_mmap_internal", false, BINDS},
	{"bind_pci", "fexit", "vmlinux", "pci_mmap_resource_range", true, BINDS},
	{"bind_pci_2", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_3", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_4", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_5", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_6", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_7", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bind_pci_8", "fexit", "vmlinux", "pci_mmap_resource_range", false, BINDS},
	{"bar_reserved", "fexit", "vmlinux", "memtype_reserve", false,
	 "BARs that the kernel gave another memory type (x86 PAT)"},
	{"bar_closed", "fexit", "vfio_pci_core", "vfio_pci_core_disable", false, "their end"},
	{"iomem_taken", "fexit", "vmlinux", "revoke_iomem", false,
	 "mappings whose pages never come back take part no more"},
	{"decide_mmap", "lsm", "vmlinux", "mmap_file", true, DECIDES_MMAP},
	{"decide_ioctl", "lsm", "vmlinux", "file_ioctl", true, DECIDES_IOCTL},
	{"decide_ioctl_compat", "lsm", "vmlinux", "file_ioctl_compat", false, DECIDES_IOCTL},
	{"decide_mmap_1", "fmod_ret", "vmlinux", "security_mmap_file", true, DECIDES_MMAP},
	{"decide_mmap_2", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_3", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_4", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_5", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_6", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_7", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_mmap_8", "fmod_ret", "vmlinux", "security_mmap_file", false, DECIDES_MMAP},
	{"decide_ioctl_1", "fmod_ret", "vmlinux", "security_file_ioctl", true, DECIDES_IOCTL},
	{"decide_ioctl_2", "fmod_ret", "vmlinux", "security_file_ioctl", false, DECIDES_IOCTL},
	{"decide_ioctl_3", "fmod_ret", "vmlinux", "security_file_ioctl", false, DECIDES_IOCTL},
	{"decide_ioctl_compat_1", "fmod_ret", "vmlinux", "security_file_ioctl_compat", false, DECIDES_IOCTL},
	{"decide_ioctl_compat_2", "fmod_ret", "vmlinux", "security_file_ioctl_compat", false, DECIDES_IOCTL},
	{"decide_ioctl_compat_3", "fmod_ret", "vmlinux", "security_file_ioctl_compat", false, DECIDES_IOCTL},
};

bool target_decides(const struct target *target)
{
	return strcmp(target->kind, "lsm") == 0 || strcmp(target->kind, "fmod_ret") == 0;
}

const struct target_module target_modules[N_TARGET_MODULES] = {
	{"vfio", "vfio_device_fops_mmap"},
	{"vfio_pci_core", "vfio_pci_core_mmap"},
};
