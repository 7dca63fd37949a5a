// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * The driver's own mapping of each BAR. On x86 it decides, as a PAT reservation, which type the mappings of
 * user space really get; two of the ways to write-combining replace it.
 */

#include <linux/io.h>
#include <linux/pci.h>

#include "driver.h"

bool bar_can_mmap(struct test_device *t, u32 region)
{
	return region < PCI_STD_NUM_BARS && t->core.bar_mmap_supported[region];
}

/* As vfio-pci does it: at open (7.2) or when it is first used (6.1, 6.12). Here always at open. */
static void bar_setup(struct test_device *t, int bar)
{
	struct pci_dev *pdev = t->core.pdev;

	if (t->core.barmap[bar] || pci_request_selected_regions(pdev, 1 << bar, "vfio-pci"))
		return;
	t->core.barmap[bar] = pci_iomap(pdev, bar, 0);
	if (!t->core.barmap[bar])
		pci_release_selected_regions(pdev, 1 << bar);
}

static void __iomem *bar_map(struct test_device *t, int bar, enum bar_state state)
{
	struct pci_dev *pdev = t->core.pdev;

	switch (state) {
	case BAR_WC:
		return pci_iomap_wc(pdev, bar, 0);
	case BAR_RANGE:
		return ioremap_wc(pci_resource_start(pdev, bar) + t->mode.offset, t->mode.size);
	default:
		return pci_iomap(pdev, bar, 0);
	}
}

/*
 * The old mapping goes first: its reservation would decide the type of the new one. On 6.1 the populated
 * mappings of user space are reservations too, and when they are of two types no mapping of the whole BAR is
 * possible: then it has none until they are gone and the mode is set again.
 */
static int bar_replace(struct test_device *t, int bar, enum bar_state state)
{
	void __iomem **map = &t->core.barmap[bar];
	int r = 0;

	if (!*map) {
		bar_setup(t, bar);
		t->bars[bar] = BAR_STOCK;
	}
	if (!*map)
		return -EBUSY;
	if (state == t->bars[bar] && state != BAR_RANGE)
		return 0;
	if (IS_ERR((__force void *)*map))
		return -ENODEV;
	pci_iounmap(t->core.pdev, *map);
	*map = bar_map(t, bar, state);
	t->bars[bar] = state;
	if (!*map) {
		r = -EBUSY;
		*map = bar_map(t, bar, BAR_STOCK);
		t->bars[bar] = BAR_STOCK;
	}
	if (!*map)
		pci_release_selected_regions(t->core.pdev,
					     1 << bar); /* vfio-pci does so only for a mapped BAR */
	return r;
}

static enum bar_state wanted_state(const struct wc_mode *mode, u32 bar)
{
	if (mode->way == WC_IOMAP && (mode->region == ANY_REGION || mode->region == bar))
		return BAR_WC;
	if (mode->way == WC_SPLIT && mode->region == bar)
		return BAR_RANGE;
	return BAR_STOCK;
}

/*
 * bars_lock held for writing, and map_lock. No fault may come between two mappings of a BAR: on 6.1 it would reserve
 * its pages with a type that nobody could agree with again.
 */
static int bars_apply(struct test_device *t)
{
	int r = 0, replaced;

	down_write(&t->core.memory_lock);
	for (u32 bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (!bar_can_mmap(t, bar))
			continue;
		replaced = bar_replace(t, bar, wanted_state(&t->mode, bar));
		if (r == 0)
			r = replaced;
	}
	up_write(&t->core.memory_lock);
	return r;
}

int bars_open(struct test_device *t)
{
	int r;

	down_write(&t->bars_lock);
	for (u32 bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		t->bars[bar] = BAR_STOCK;
	mutex_lock(&t->map_lock);
	r = bars_apply(t);
	mutex_unlock(&t->map_lock);
	t->open = r == 0;
	up_write(&t->bars_lock);
	return r;
}

/* vfio-pci unmaps what barmap[] has, whichever it is. */
void bars_close(struct test_device *t)
{
	down_write(&t->bars_lock);
	t->open = false;
	up_write(&t->bars_lock);
}

static bool mode_fits(struct test_device *t, const struct wc_mode *mode)
{
	u64 size;

	if (mode->region == ANY_REGION)
		return mode->way != WC_SPLIT;
	if (mode->region >= PCI_STD_NUM_BARS ||
	    !(pci_resource_flags(t->core.pdev, mode->region) & IORESOURCE_MEM))
		return false;
	size = pci_resource_len(t->core.pdev, mode->region);
	return mode->way != WC_SPLIT ||
	       (mode->size && PAGE_ALIGNED(mode->offset) && PAGE_ALIGNED(mode->size) && mode->offset < size &&
		mode->size <= size - mode->offset);
}

/* An open device changes at once; what is populated keeps its type. */
int bars_set_mode(struct test_device *t, const struct wc_mode *mode)
{
	int r = 0;

	if (!mode_fits(t, mode))
		return -EINVAL;
	down_write(&t->bars_lock);
	mutex_lock(&t->map_lock);
	t->mode = *mode;
	if (t->open)
		r = bars_apply(t);
	mutex_unlock(&t->map_lock);
	up_write(&t->bars_lock);
	return r;
}

/* bars_lock held: whether vfio-pci would reach for a BAR that is not wholly mapped. */
bool bars_hole_at(struct test_device *t, loff_t offset)
{
	u64 region = VFIO_PCI_OFFSET_TO_INDEX((u64)offset);

	return t->open && region < PCI_STD_NUM_BARS && t->bars[region] == BAR_RANGE;
}
