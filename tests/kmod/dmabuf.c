// SPDX-License-Identifier: GPL-2.0-or-later

/* DMABUFs of BAR ranges that can be mapped, revoked, and given a memory type for later mappings (D4, D5). */

#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "driver.h"

#define MAX_RANGES 64

struct bar_range {
	u64 start; /* physical; whole pages */
	u64 length;
};

struct test_dma_buf {
	struct dma_buf *dmabuf;
	struct inode *inode;        /* of the DMABUF's file, referenced: it has the list of its mappings */
	struct test_device *device; /* dmabufs_lock; NULL once the device is closed */
	struct list_head link;      /* dmabufs_lock */
	struct rw_semaphore lock;
	bool revoked; /* lock; for ever */
	u32 memattr;  /* lock; VFIO_DMA_BUF_MEMATTR_* of later mmaps */
	u64 size;
	u32 nr_ranges;
	struct bar_range ranges[];
};

static DEFINE_MUTEX(dmabufs_lock);

static bool find_page(const struct test_dma_buf *b, u64 offset, unsigned long *pfn)
{
	for (u32 i = 0; i < b->nr_ranges; i++) {
		if (offset < b->ranges[i].length) {
			*pfn = (b->ranges[i].start + offset) >> PAGE_SHIFT;
			return true;
		}
		offset -= b->ranges[i].length;
	}
	return false;
}

static vm_fault_t test_dma_buf_fault(struct vm_fault *vmf)
{
	struct test_dma_buf *b = vmf->vma->vm_private_data;
	vm_fault_t r = VM_FAULT_SIGBUS;
	unsigned long pfn;

	down_read(&b->lock);
	if (!b->revoked && find_page(b, (u64)vmf->pgoff << PAGE_SHIFT, &pfn))
		r = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, pfn);
	up_read(&b->lock);
	return r;
}

static const struct vm_operations_struct test_dma_buf_vm_ops = {.fault = test_dma_buf_fault};

static int test_dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct test_dma_buf *b = dmabuf->priv;
	u32 memattr;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	down_read(&b->lock);
	memattr = b->memattr;
	up_read(&b->lock);
	mapping_set_flags(vma);
	vma->vm_page_prot = memattr == VFIO_DMA_BUF_MEMATTR_WC ? pgprot_only_wc(vma->vm_page_prot)
							       : pgprot_noncached(vma->vm_page_prot);
	vma->vm_private_data = b;
	vma->vm_ops = &test_dma_buf_vm_ops;
	return 0;
}

static int test_dma_buf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	return -EOPNOTSUPP;
}

static struct sg_table *test_dma_buf_map(struct dma_buf_attachment *attachment,
					 enum dma_data_direction direction)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void test_dma_buf_unmap(struct dma_buf_attachment *attachment, struct sg_table *table,
			       enum dma_data_direction direction)
{
}

static void test_dma_buf_release(struct dma_buf *dmabuf)
{
	struct test_dma_buf *b = dmabuf->priv;

	mutex_lock(&dmabufs_lock);
	if (b->device)
		list_del(&b->link);
	mutex_unlock(&dmabufs_lock);
	iput(b->inode);
	kfree(b);
}

static const struct dma_buf_ops test_dma_buf_ops = {
	.attach = test_dma_buf_attach,
	.map_dma_buf = test_dma_buf_map,
	.unmap_dma_buf = test_dma_buf_unmap,
	.release = test_dma_buf_release,
	.mmap = test_dma_buf_mmap,
};

static int fill_ranges(struct test_device *t, u32 region, struct test_dma_buf *b,
		       const struct vfio_region_dma_range *ranges)
{
	u64 start = pci_resource_start(t->core.pdev, region), length = pci_resource_len(t->core.pdev, region);

	for (u32 i = 0; i < b->nr_ranges; i++) {
		const struct vfio_region_dma_range *r = &ranges[i];

		if (!r->length || !PAGE_ALIGNED(r->offset) || !PAGE_ALIGNED(r->length) ||
		    r->offset >= length || r->length > length - r->offset)
			return -EINVAL;
		b->ranges[i] = (struct bar_range){start + r->offset, r->length};
		b->size += r->length;
	}
	return 0;
}

/* Takes over b. */
static int export(struct test_device *t, struct test_dma_buf *b, u32 open_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	int fd;

	info.ops = &test_dma_buf_ops;
	info.size = b->size;
	info.flags = open_flags & O_ACCMODE;
	info.priv = b;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		kfree(b);
		return PTR_ERR(dmabuf);
	}
	b->dmabuf = dmabuf;
	b->inode = file_inode(dmabuf->file);
	ihold(b->inode);
	mutex_lock(&dmabufs_lock);
	b->device = t;
	list_add(&b->link, &t->dmabufs);
	mutex_unlock(&dmabufs_lock);
	fd = dma_buf_fd(dmabuf, open_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

int dmabuf_export(struct test_device *t, void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf get;
	struct vfio_region_dma_range *ranges;
	struct test_dma_buf *b;
	int r;

	if (argsz < sizeof(get))
		return -EINVAL;
	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	if (get.flags || !get.nr_ranges || get.nr_ranges > MAX_RANGES ||
	    get.open_flags & ~(O_ACCMODE | O_CLOEXEC) ||
	    argsz - sizeof(get) < get.nr_ranges * sizeof(*ranges) || !bar_can_mmap(t, get.region_index))
		return -EINVAL;
	ranges = memdup_user(arg + sizeof(get), get.nr_ranges * sizeof(*ranges));
	if (IS_ERR(ranges))
		return PTR_ERR(ranges);
	b = kzalloc(struct_size(b, ranges, get.nr_ranges), GFP_KERNEL);
	if (!b) {
		kfree(ranges);
		return -ENOMEM;
	}
	init_rwsem(&b->lock);
	b->nr_ranges = get.nr_ranges;
	r = fill_ranges(t, get.region_index, b, ranges);
	kfree(ranges);
	if (r < 0) {
		kfree(b);
		return r;
	}
	return export(t, b, get.open_flags);
}

/* For who reads /proc/PID/maps: there is nothing else that tells of a revoked DMABUF. */
static void name_revoked(struct dma_buf *dmabuf)
{
	char *name = kstrdup("revoked", GFP_KERNEL);

	if (!name)
		return;
	spin_lock(&dmabuf->name_lock);
	swap(name, *(char **)&dmabuf->name);
	spin_unlock(&dmabuf->name_lock);
	kfree(name);
}

static void revoke(struct test_dma_buf *b)
{
	down_write(&b->lock);
	b->revoked = true;
	unmap_mapping_range(b->inode->i_mapping, 0, 0, 1);
	up_write(&b->lock);
	name_revoked(b->dmabuf);
}

/* The DMABUF of this device behind fd, referenced. */
static struct test_dma_buf *dmabuf_get(struct test_device *t, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct test_dma_buf *b;
	bool ours;

	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	b = dmabuf->priv;
	mutex_lock(&dmabufs_lock);
	ours = dmabuf->ops == &test_dma_buf_ops && b->device == t;
	mutex_unlock(&dmabufs_lock);
	if (ours)
		return b;
	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}

int dmabuf_revoke(struct test_device *t, u32 flags, void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf_revoke set;
	int r = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(set));
	struct test_dma_buf *b;

	if (r != 1)
		return r;
	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	b = dmabuf_get(t, set.dmabuf_fd);
	if (IS_ERR(b))
		return PTR_ERR(b);
	revoke(b);
	dma_buf_put(b->dmabuf);
	return 0;
}

int dmabuf_set_memattr(struct test_device *t, u32 flags, void __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf_memattr set;
	int r = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(set));
	struct test_dma_buf *b;

	if (r != 1)
		return r;
	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	if (set.memattr > VFIO_DMA_BUF_MEMATTR_WC)
		return -EINVAL;
	b = dmabuf_get(t, set.dmabuf_fd);
	if (IS_ERR(b))
		return PTR_ERR(b);
	down_write(&b->lock);
	b->memattr = set.memattr;
	up_write(&b->lock);
	dma_buf_put(b->dmabuf);
	return 0;
}

/* A DMABUF that is just being released may wait there for dmabufs_lock: it still has its inode. */
void dmabuf_revoke_all(struct test_device *t)
{
	struct test_dma_buf *b, *next;

	mutex_lock(&dmabufs_lock);
	list_for_each_entry_safe(b, next, &t->dmabufs, link)
	{
		list_del(&b->link);
		b->device = NULL;
		revoke(b);
	}
	mutex_unlock(&dmabufs_lock);
}
