/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIO_CLIENT_UAPI_H
#define VFIO_CLIENT_UAPI_H

/*
 * What the installed <linux/vfio.h> may be too old to have. Each part names the kernel change it follows;
 * sizes are asserted in vfio.c.
 */

#include <linux/types.h>
#include <linux/vfio.h>

#include "../../kmod/uapi.h"

/* "vfio: Add VFIO_DEVICE_BIND_IOMMUFD" and "vfio: Add VFIO_DEVICE_[AT|DE]TACH_IOMMUFD_PT" (Linux 6.6) */
#ifndef VFIO_DEVICE_BIND_IOMMUFD
struct vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};
#define VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)

struct vfio_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(VFIO_TYPE, VFIO_BASE + 19)
#endif

/* "iommufd: IOCTLs for the io_pagetable" (Linux 6.2), from <linux/iommufd.h>, which 6.1 headers do not have
 */
struct iommufd_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};
#define IOMMUFD_IOAS_ALLOC _IO(';', 0x81)

#endif
