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
	{"dma_buf_release", "fentry", "vfio_pci_core", "vfio_pci_dma_buf_release", false,
	 "exported DMABUFs released"},
	{"vma_copied", "fexit", "vmlinux", "vm_area_dup", true, "mappings copied by fork, split and mremap"},
	{"vma_free", "fentry", "vmlinux", "vm_area_free", true, "mappings gone"},
	{"vma_free_now", "fentry", "vmlinux", "__vm_area_free", false, "mappings gone when a process exits"},
};

const struct target_module target_modules[N_TARGET_MODULES] = {
	{"vfio", "vfio_device_fops_mmap"},
	{"vfio_pci_core", "vfio_pci_core_mmap"},
};
