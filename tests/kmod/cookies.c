// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * File offsets. Those of GET_REGION_INFO are vfio-pci's own; alias regions follow with further indices; the
 * one-call proposal has a part of the offset space for itself, densely packed. All are forgotten at the last
 * close.
 */

#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "driver.h"

#define MMAP_SPACE (1ULL << 50) /* above every region index << VFIO_PCI_OFFSET_SHIFT there can be */

void cookies_forget(struct test_device *t)
{
	mutex_lock(&t->map_lock);
	memset(t->attrs, 0, sizeof(t->attrs));
	t->n_aliases = t->n_mmaps = 0;
	mutex_unlock(&t->map_lock);
}

/* D1 */
long cookies_set_attrs(struct test_device *t, void __user *arg)
{
	struct vfio_mmap_attrs attrs;
	u64 region;

	if (copy_from_user(&attrs, arg, offsetofend(struct vfio_mmap_attrs, attrs)))
		return -EFAULT;
	region = VFIO_PCI_OFFSET_TO_INDEX(attrs.offset);
	if (attrs.attrs & ~VFIO_MMAP_ATTR_WC || attrs.offset & VFIO_PCI_OFFSET_MASK ||
	    region >= PCI_STD_NUM_BARS || !bar_can_mmap(t, region))
		return -EINVAL;
	mutex_lock(&t->map_lock);
	t->attrs[region] = attrs.attrs;
	mutex_unlock(&t->map_lock);
	return 0;
}

static u32 first_alias(struct test_device *t)
{
	return VFIO_PCI_NUM_REGIONS + t->core.num_regions;
}

/* map_lock held. The position in aliases[], or -ENOSPC. */
static int alias_get(struct test_device *t, u32 region, bool wc)
{
	u32 i;

	for (i = 0; i < t->n_aliases; i++)
		if (t->aliases[i].region == region && t->aliases[i].wc == wc)
			return i;
	if (i == MAX_ALIASES)
		return -ENOSPC;
	t->aliases[t->n_aliases++] = (struct alias_region){region, wc};
	return i;
}

/* D2 */
int cookies_alias(struct test_device *t, u32 flags, void __user *arg, size_t argsz)
{
	const u32 known = VFIO_REGION_INFO_FLAG_ALIAS | VFIO_REGION_INFO_FLAG_WC;
	struct vfio_device_feature_alias_region alias;
	int r = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(alias));

	if (r != 1)
		return r;
	if (copy_from_user(&alias, arg, sizeof(alias)))
		return -EFAULT;
	if (alias.flags & ~known || alias.resv1 || alias.resv2 || !bar_can_mmap(t, alias.index))
		return -EINVAL;
	mutex_lock(&t->map_lock);
	r = alias_get(t, alias.index, alias.flags & VFIO_REGION_INFO_FLAG_WC);
	mutex_unlock(&t->map_lock);
	if (r < 0)
		return r;
	alias.alias_index = first_alias(t) + r;
	return copy_to_user(arg, &alias, sizeof(alias)) ? -EFAULT : 0;
}

/* D2: answers for alias regions only. */
bool cookies_alias_info(struct test_device *t, struct vfio_region_info *info)
{
	struct alias_region alias;
	bool known;

	mutex_lock(&t->map_lock);
	known = info->index >= first_alias(t) && info->index - first_alias(t) < t->n_aliases;
	if (known)
		alias = t->aliases[info->index - first_alias(t)];
	mutex_unlock(&t->map_lock);
	if (!known)
		return false;
	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = pci_resource_len(t->core.pdev, alias.region);
	info->cap_offset = 0;
	info->flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_ALIAS |
		      (alias.wc ? VFIO_REGION_INFO_FLAG_WC : 0);
	return true;
}

/* map_lock held. */
static int region_mmap_get(struct test_device *t, u32 region, u32 flags, struct region_mmap *ret)
{
	u64 size = pci_resource_len(t->core.pdev, region), offset = MMAP_SPACE;

	for (u32 i = 0; i < t->n_mmaps; i++) {
		if (t->mmaps[i].region == region && t->mmaps[i].flags == flags) {
			*ret = t->mmaps[i];
			return 0;
		}
		offset = t->mmaps[i].offset + PAGE_ALIGN(t->mmaps[i].size);
	}
	if (t->n_mmaps == MAX_MMAPS)
		return -ENOSPC;
	*ret = (struct region_mmap){region, flags, offset, size};
	t->mmaps[t->n_mmaps++] = *ret;
	return 0;
}

/* D3 */
long cookies_get_mmap(struct test_device *t, void __user *arg)
{
	struct vfio_region_get_mmap get;
	struct region_mmap found;
	int r;

	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	if (get.argsz < sizeof(get) || get.mmap_flags & ~VFIO_REGION_MMAP_FLAG_WC || get.resv ||
	    !bar_can_mmap(t, get.region_index))
		return -EINVAL;
	mutex_lock(&t->map_lock);
	r = region_mmap_get(t, get.region_index, get.mmap_flags, &found);
	mutex_unlock(&t->map_lock);
	if (r < 0)
		return r;
	get.region_size = found.size;
	get.fd_offset = found.offset;
	return copy_to_user(arg, &get, sizeof(get)) ? -EFAULT : 0;
}

/* map_lock held. False for what only vfio-pci itself can judge. */
bool cookies_resolve(struct test_device *t, u64 offset, struct cookie_target *ret)
{
	u64 index = VFIO_PCI_OFFSET_TO_INDEX(offset);

	for (u32 i = 0; i < t->n_mmaps; i++) {
		const struct region_mmap *m = &t->mmaps[i];

		if (offset >= m->offset && offset - m->offset < m->size) {
			*ret = (struct cookie_target){m->region, offset - m->offset,
						      m->flags & VFIO_REGION_MMAP_FLAG_WC};
			return true;
		}
	}
	if (index < PCI_STD_NUM_BARS) {
		*ret = (struct cookie_target){index, offset & VFIO_PCI_OFFSET_MASK,
					      t->attrs[index] & VFIO_MMAP_ATTR_WC ||
						      t->variant_region == index};
		return true;
	}
	if (index >= first_alias(t) && index - first_alias(t) < t->n_aliases) {
		const struct alias_region *alias = &t->aliases[index - first_alias(t)];

		*ret = (struct cookie_target){alias->region, offset & VFIO_PCI_OFFSET_MASK, alias->wc};
		return true;
	}
	return false;
}
