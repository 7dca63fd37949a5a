/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TEST_UAPI_H
#define VFIOWATCH_TEST_UAPI_H

/*
 * The uAPI of the test driver: what <linux/vfio.h> of the kernel at hand does not have. Read by the modules
 * and by vfio-client. Each part names the proposal that it follows; none of them but D4 is in a released
 * kernel.
 */

#include <linux/types.h>
#include <linux/vfio.h>

/* D1, RFC of August 2025: the attributes of an offset that GET_REGION_INFO gave; later mmaps follow them. */
#define VFIO_DEVICE_SET_MMAP_ATTRS _IO(VFIO_TYPE, VFIO_BASE + 21)
#define VFIO_MMAP_ATTR_WC          (1 << 0)

struct vfio_mmap_attrs {
	__u64 offset;
	__u32 attrs;
};

/* D2, RFC of September 2025: one more region index for the same BAR. SET returns alias_index. */
#define VFIO_DEVICE_FEATURE_ALIAS_REGION 11
#define VFIO_REGION_INFO_FLAG_ALIAS      (1 << 4)
#define VFIO_REGION_INFO_FLAG_WC         (1 << 5)

struct vfio_device_feature_alias_region {
	__u32 flags;
	__u32 index;
	__u32 alias_index;
	__u32 resv1;
	__u64 resv2;
};

/* D3, proposal of August 2025: one call gives size and offset. No number was assigned; this one is free up
 * to 7.2. */
#define VFIO_REGION_GET_MMAP     _IO(VFIO_TYPE, VFIO_BASE + 40)
#define VFIO_REGION_MMAP_FLAG_WC (1 << 0)

struct vfio_region_get_mmap {
	__u32 argsz;
	__u32 region_index;
	__u32 mmap_flags;
	__u32 resv;
	__u64 region_size;
	__u64 fd_offset;
};

/* D4, "vfio/pci: Add dma-buf export support for MMIO regions" (in 7.2, not in 6.12): GET returns a
 * descriptor. */
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF 11
struct vfio_region_dma_range {
	__u64 offset;
	__u64 length;
};

struct vfio_device_feature_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct vfio_region_dma_range dma_ranges[];
};
#endif

/* D5, series of 2026: SET only. */
#define VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE 13
struct vfio_device_feature_dma_buf_revoke {
	__s32 dmabuf_fd;
};

#define VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR 14
#define VFIO_DMA_BUF_MEMATTR_NC             0
#define VFIO_DMA_BUF_MEMATTR_WC             1
struct vfio_device_feature_dma_buf_memattr {
	__s32 dmabuf_fd;
	__u32 memattr;
};

#endif
