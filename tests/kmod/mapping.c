// SPDX-License-Identifier: GPL-2.0-or-later

/* mmap, and the ways to a write-combining mapping. */

#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pgtable.h>

#include "driver.h"

/* pgprot_writecombine() of x86 in 6.1 and 6.12 only adds bits, and those of UC- together with WC mean UC. */
pgprot_t pgprot_only_wc(pgprot_t prot)
{
#ifdef CONFIG_X86
	prot = __pgprot(pgprot_val(prot) & ~_PAGE_CACHE_MASK);
#endif
	return pgprot_writecombine(prot);
}

void mapping_set_flags(struct vm_area_struct *vma)
{
	const unsigned long flags = VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;

#ifdef HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/* vfio-pci's own mmap at the offset it knows; its vm_ops populate the VMA with what vm_page_prot says, if PAT
 * agrees. */
static int map_stock(struct test_device *t, struct vm_area_struct *vma, const struct cookie_target *target)
{
	unsigned long pgoff = vma->vm_pgoff;
	int r;

	vma->vm_pgoff = (VFIO_PCI_INDEX_TO_OFFSET(target->region) + target->offset) >> PAGE_SHIFT;
	r = vfio_pci_core_mmap(&t->core.vdev, vma);
	if (r)
		vma->vm_pgoff = pgoff;
	else if (target->wc)
		vma->vm_page_prot = pgprot_only_wc(vma->vm_page_prot);
	return r;
}

struct pte_fill {
	struct mm_struct *mm;
	unsigned long pfn;
	pgprot_t prot;
};

/* Special: there is no struct page behind it, whatever tears the mapping down. */
static int fill_pte(pte_t *pte, unsigned long address, void *data)
{
	struct pte_fill *fill = data;

	set_pte_at(fill->mm, address, pte, pte_mkspecial(pfn_pte(fill->pfn++, fill->prot)));
	return 0;
}

/* The whole mapping at once, and no fault handler. vm_pgoff stays the cookie. */
static int map_at_once(struct test_device *t, struct vm_area_struct *vma, const struct cookie_target *target)
{
	unsigned long size = vma->vm_end - vma->vm_start;
	u64 length = PAGE_ALIGN(pci_resource_len(t->core.pdev, target->region));
	struct pte_fill fill = {vma->vm_mm};

	if (!(vma->vm_flags & VM_SHARED) || target->offset >= length || size > length - target->offset)
		return -EINVAL;
	fill.pfn = (pci_resource_start(t->core.pdev, target->region) + target->offset) >> PAGE_SHIFT;
	mapping_set_flags(vma);
	vma->vm_page_prot = pgprot_only_wc(vma->vm_page_prot);
	fill.prot = vma->vm_page_prot;
	if (t->mode.way == WC_PTE)
		return apply_to_page_range(vma->vm_mm, vma->vm_start, size, fill_pte, &fill);
	return io_remap_pfn_range(vma, vma->vm_start, fill.pfn, size, fill.prot);
}

int mapping_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	struct test_device *t = to_test_device(vdev);
	struct cookie_target target;
	int r;

	mutex_lock(&t->map_lock);
	if (!cookies_resolve(t, (u64)vma->vm_pgoff << PAGE_SHIFT, &target))
		r = vfio_pci_core_mmap(vdev, vma);
	else if (!bar_can_mmap(t, target.region))
		r = -EINVAL;
	else if (target.wc && (t->mode.way == WC_PTE || t->mode.way == WC_REMAP))
		r = map_at_once(t, vma, &target);
	else
		r = map_stock(t, vma, &target);
	mutex_unlock(&t->map_lock);
	return r;
}
