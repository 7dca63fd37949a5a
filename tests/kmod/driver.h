/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TEST_DRIVER_H
#define VFIOWATCH_TEST_DRIVER_H

/*
 * A vfio-pci variant driver that speaks every dialect of mmap cookies at once, and makes write-combining
 * mappings in every way that drivers do. For tests only: it lets its user create what production drivers have
 * to prevent.
 *
 * Locks, outermost first: bars_lock, mmap_lock (the kernel's), map_lock, core.memory_lock. read and write hold bars_lock while
 * they copy from and to user memory; mmap comes with mmap_lock held and so never takes bars_lock.
 */

#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/vfio_pci_core.h>

#include "uapi.h"

#define MAX_ALIASES 16 /* of one device; then -ENOSPC */
#define MAX_MMAPS   16 /* (region, flags) pairs of D3; there are no more than 12 */

/* How the driver makes a write-combining mapping. */
enum wc_way {
	WC_PROT,  /* vm_page_prot, and vfio-pci's own fault handler */
	WC_REMAP, /* io_remap_pfn_range() at mmap */
	WC_IOMAP, /* the driver's own mapping of the BAR is write-combining */
	WC_SPLIT, /* the driver maps nothing of the BAR but a range, write-combining */
	WC_PTE,   /* page table entries of its own */
};

/* What core.barmap[] points to. */
enum bar_state {
	BAR_STOCK, /* what vfio-pci has: all of the BAR, UC- */
	BAR_WC,    /* all of the BAR, WC */
	BAR_RANGE, /* the range of WC_SPLIT, WC */
};

#define ANY_REGION U32_MAX

struct wc_mode {
	enum wc_way way;
	u32 region; /* WC_IOMAP: a BAR or ANY_REGION; WC_SPLIT: a BAR */
	u64 offset; /* WC_SPLIT: range within the BAR, whole pages */
	u64 size;
};

struct alias_region {
	u32 region;
	bool wc;
};

struct region_mmap {
	u32 region;
	u32 flags; /* VFIO_REGION_MMAP_FLAG_* */
	u64 offset;
	u64 size;
};

struct test_device {
	struct vfio_pci_core_device core;

	struct rw_semaphore bars_lock;
	bool open;                             /* bars_lock; between open_device and close_device */
	enum bar_state bars[PCI_STD_NUM_BARS]; /* bars_lock */

	struct mutex map_lock;
	struct wc_mode mode;                      /* map_lock; written with bars_lock too */
	u32 variant_region;                       /* map_lock; D6: its plain offset is WC; ANY_REGION: none */
	u32 attrs[PCI_STD_NUM_BARS];              /* map_lock; D1 */
	u32 n_aliases, n_mmaps;                   /* map_lock */
	struct alias_region aliases[MAX_ALIASES]; /* map_lock; D2 */
	struct region_mmap mmaps[MAX_MMAPS];      /* map_lock; D3 */

	struct list_head dmabufs; /* dmabuf.c has the lock */
};

/* What a file offset stands for. */
struct cookie_target {
	u32 region;
	u64 offset; /* within the region */
	bool wc;
};

static inline struct test_device *to_test_device(struct vfio_device *vdev)
{
	return container_of(vdev, struct test_device, core.vdev);
}

/* bars.c */
int bars_open(struct test_device *t);
void bars_close(struct test_device *t);
int bars_set_mode(struct test_device *t, const struct wc_mode *mode);
bool bars_hole_at(struct test_device *t, loff_t offset);
bool bar_can_mmap(struct test_device *t, u32 region);

/* cookies.c */
void cookies_forget(struct test_device *t);
long cookies_set_attrs(struct test_device *t, void __user *arg);
int cookies_alias(struct test_device *t, u32 flags, void __user *arg, size_t argsz);
long cookies_get_mmap(struct test_device *t, void __user *arg);
bool cookies_alias_info(struct test_device *t, struct vfio_region_info *info);
bool cookies_resolve(struct test_device *t, u64 offset, struct cookie_target *ret);

/* mapping.c */
int mapping_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
pgprot_t pgprot_only_wc(pgprot_t prot);
void mapping_set_flags(struct vm_area_struct *vma);

/* dmabuf.c */
int dmabuf_export(struct test_device *t, void __user *arg, size_t argsz);
int dmabuf_revoke(struct test_device *t, u32 flags, void __user *arg, size_t argsz);
int dmabuf_set_memattr(struct test_device *t, u32 flags, void __user *arg, size_t argsz);
void dmabuf_revoke_all(struct test_device *t);

#endif
