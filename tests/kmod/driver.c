// SPDX-License-Identifier: GPL-2.0-or-later

/* The module, its operations as a VFIO driver, and the attributes of the PCI device: wc_mode and
 * variant_region. */

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "driver.h"

static const char *const way_names[] = {
	[WC_PROT] = "prot",   [WC_REMAP] = "remap", [WC_IOMAP] = "iomap",
	[WC_SPLIT] = "split", [WC_PTE] = "pte",
};

static int test_init(struct vfio_device *vdev)
{
	struct test_device *t = to_test_device(vdev);

	init_rwsem(&t->bars_lock);
	mutex_init(&t->map_lock);
	INIT_LIST_HEAD(&t->dmabufs);
	t->variant_region = ANY_REGION;
	return vfio_pci_core_init_dev(vdev);
}

static int test_open(struct vfio_device *vdev)
{
	struct test_device *t = to_test_device(vdev);
	int r = vfio_pci_core_enable(&t->core);

	if (r)
		return r;
	/* finds out which BARs can be mapped */
	vfio_pci_core_finish_enable(&t->core);
	r = bars_open(t);
	if (r)
		vfio_pci_core_close_device(vdev);
	return r;
}

static void test_close(struct vfio_device *vdev)
{
	struct test_device *t = to_test_device(vdev);

	dmabuf_revoke_all(t);
	bars_close(t);
	cookies_forget(t);
	vfio_pci_core_close_device(vdev);
}

static ssize_t test_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	struct test_device *t = to_test_device(vdev);
	ssize_t r = -EIO;

	down_read(&t->bars_lock);
	if (!bars_hole_at(t, *ppos))
		r = vfio_pci_core_read(vdev, buf, count, ppos);
	up_read(&t->bars_lock);
	return r;
}

static ssize_t test_write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *ppos)
{
	struct test_device *t = to_test_device(vdev);
	ssize_t r = -EIO;

	down_read(&t->bars_lock);
	if (!bars_hole_at(t, *ppos))
		r = vfio_pci_core_write(vdev, buf, count, ppos);
	up_read(&t->bars_lock);
	return r;
}

#ifdef HAVE_GET_REGION_INFO_CAPS
static int test_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
			    struct vfio_info_cap *caps)
{
	if (cookies_alias_info(to_test_device(vdev), info))
		return 0;
	return vfio_pci_ioctl_get_region_info(vdev, info, caps);
}
#else
static long test_region_info(struct vfio_device *vdev, unsigned long arg)
{
	const size_t size = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};

	if (copy_from_user(&info, (void __user *)arg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	if (!cookies_alias_info(to_test_device(vdev), &info))
		return vfio_pci_core_ioctl(vdev, VFIO_DEVICE_GET_REGION_INFO, arg);
	return copy_to_user((void __user *)arg, &info, size) ? -EFAULT : 0;
}
#endif

static long test_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct test_device *t = to_test_device(vdev);

	switch (cmd) {
	case VFIO_DEVICE_SET_MMAP_ATTRS:
		return cookies_set_attrs(t, (void __user *)arg);
	case VFIO_REGION_GET_MMAP:
		return cookies_get_mmap(t, (void __user *)arg);
	case VFIO_DEVICE_IOEVENTFD:
		return -ENOTTY; /* it keeps an address within barmap[], which may be replaced here */
#ifndef HAVE_GET_REGION_INFO_CAPS
	case VFIO_DEVICE_GET_REGION_INFO:
		return test_region_info(vdev, arg);
#endif
	default:
		return vfio_pci_core_ioctl(vdev, cmd, arg);
	}
}

/* Feature 11 is both: SET is the alias region of D2, GET the DMABUF of D4. */
static int test_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct test_device *t = to_test_device(vdev);

	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_DMA_BUF:
		if (flags & VFIO_DEVICE_FEATURE_PROBE)
			return 0;
		if (flags & VFIO_DEVICE_FEATURE_SET)
			return cookies_alias(t, flags, arg, argsz);
		return dmabuf_export(t, arg, argsz);
	case VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE:
		return dmabuf_revoke(t, flags, arg, argsz);
	case VFIO_DEVICE_FEATURE_DMA_BUF_MEMATTR:
		return dmabuf_set_memattr(t, flags, arg, argsz);
	default:
		return vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
	}
}

static const struct vfio_device_ops test_ops = {
	.name = "vfiowatch-test",
	.init = test_init,
	.release = vfio_pci_core_release_dev,
	.open_device = test_open,
	.close_device = test_close,
	.read = test_read,
	.write = test_write,
	.ioctl = test_ioctl,
	.mmap = mapping_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.device_feature = test_feature,
#ifdef HAVE_GET_REGION_INFO_CAPS
	.get_region_info_caps = test_region_info,
#endif
#ifdef HAVE_MATCH_TOKEN_UUID
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#endif
#ifdef HAVE_IOMMUFD_OPS
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
#endif
};

static struct test_device *of_device(struct device *dev)
{
	return container_of((struct vfio_pci_core_device *)dev_get_drvdata(dev), struct test_device, core);
}

static ssize_t wc_mode_show(struct device *dev, struct device_attribute *attribute, char *buf)
{
	struct test_device *t = of_device(dev);
	struct wc_mode mode;

	mutex_lock(&t->map_lock);
	mode = t->mode;
	mutex_unlock(&t->map_lock);
	if (mode.way == WC_SPLIT)
		return sysfs_emit(buf, "split %u 0x%llx 0x%llx\n", mode.region, mode.offset, mode.size);
	if (mode.way == WC_IOMAP && mode.region != ANY_REGION)
		return sysfs_emit(buf, "iomap %u\n", mode.region);
	return sysfs_emit(buf, "%s\n", way_names[mode.way]);
}

/* prot | remap | pte | iomap [REGION] | split REGION OFFSET SIZE */
static ssize_t wc_mode_store(struct device *dev, struct device_attribute *attribute, const char *buf,
			     size_t count)
{
	struct wc_mode mode = {.region = ANY_REGION};
	char way[8], rest;
	int n, index, r;

	n = sscanf(buf, "%7s %u %lli %lli %c", way, &mode.region, &mode.offset, &mode.size, &rest);
	index = n < 1 ? -EINVAL : match_string(way_names, ARRAY_SIZE(way_names), way);
	if (index < 0)
		return -EINVAL;
	mode.way = index;
	if (n != 1 && !(mode.way == WC_IOMAP && n == 2) && !(mode.way == WC_SPLIT && n == 4))
		return -EINVAL;
	if (mode.way == WC_SPLIT && n != 4)
		return -EINVAL;
	r = bars_set_mode(of_device(dev), &mode);
	return r < 0 ? r : count;
}

static ssize_t variant_region_show(struct device *dev, struct device_attribute *attribute, char *buf)
{
	u32 region = READ_ONCE(of_device(dev)->variant_region);

	return region == ANY_REGION ? sysfs_emit(buf, "none\n") : sysfs_emit(buf, "%u\n", region);
}

/* none | REGION */
static ssize_t variant_region_store(struct device *dev, struct device_attribute *attribute, const char *buf,
				    size_t count)
{
	struct test_device *t = of_device(dev);
	u32 region = ANY_REGION;

	if (!sysfs_streq(buf, "none") && (kstrtou32(buf, 0, &region) < 0 || region >= PCI_STD_NUM_BARS))
		return -EINVAL;
	mutex_lock(&t->map_lock);
	t->variant_region = region;
	mutex_unlock(&t->map_lock);
	return count;
}

static DEVICE_ATTR_RW(wc_mode);
static DEVICE_ATTR_RW(variant_region);

static struct attribute *test_attrs[] = {&dev_attr_wc_mode.attr, &dev_attr_variant_region.attr, NULL};
ATTRIBUTE_GROUPS(test);

static int test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_device *t = vfio_alloc_device(test_device, core.vdev, &pdev->dev, &test_ops);
	int r;

	if (IS_ERR(t))
		return PTR_ERR(t);
	dev_set_drvdata(&pdev->dev, &t->core);
	r = vfio_pci_core_register_device(&t->core);
	if (r)
		vfio_put_device(&t->core.vdev);
	return r;
}

static void test_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

/* Any device, but only by driver_override. */
static const struct pci_device_id test_ids[] = {
	{PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID)},
	{},
};
MODULE_DEVICE_TABLE(pci, test_ids);

static struct pci_driver test_driver = {
	.name = "vfiowatch-test",
	.id_table = test_ids,
	.probe = test_probe,
	.remove = test_remove,
	.dev_groups = test_groups,
	.err_handler = &vfio_pci_core_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(test_driver);

MODULE_DESCRIPTION("vfio-pci variant driver for the tests of vfiowatch");
MODULE_LICENSE("GPL");
/* as text, for kernels where MODULE_IMPORT_NS() takes a word and those where it takes a string */
MODULE_INFO(import_ns, "DMA_BUF");
