// SPDX-License-Identifier: GPL-2.0-or-later

/* BARs of VFIO's devices, and what the offset column of /proc/PID/maps means in the light of them. */

#include "oracle.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static bool has_vfio_driver(const char *device)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", device);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", device);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strstr(target, "vfio") != NULL;
}

void truth_read_bars(struct truth *t)
{
	t->bars = bars_read(has_vfio_driver, &t->n_bars);
}

/* Whether the VMA can be one of this BAR, if the column is of this kind; ret->device is the BAR's. */
static bool fits(const struct vma *v, const struct bar *b, enum column_kind column, struct expected *ret)
{
	uint64_t length = v->end - v->start, within;

	if (v->device[0] && strcmp(v->device, b->device) != 0)
		return false;
	if (column == COLUMN_PHYSICAL) {
		if (v->column < b->start)
			return false;
		within = v->column - b->start;
	} else {
		if (v->column >> COOKIE_SHIFT != (uint64_t)b->index)
			return false;
		within = v->column & ((1ULL << COOKIE_SHIFT) - 1);
	}
	if (within >= b->size || length > b->size - within)
		return false;
	ret->device = b->device;
	ret->region = b->index;
	ret->offset = ((uint64_t)b->index << COOKIE_SHIFT) + within;
	ret->phys = b->start + within;
	return !v->by_client || v->client_offset == ret->offset;
}

static size_t count_fitting(const struct truth *t, const struct vma *v, enum column_kind column)
{
	struct expected ignored;
	size_t n = 0;

	for (size_t i = 0; i < t->n_bars; i++)
		n += fits(v, &t->bars[i], column, &ignored);
	return n;
}

/* The column means the same for every VMA of a kernel: the one meaning under which most of them fit a BAR. */
void column_decide(struct truth *t)
{
	size_t cookie = 0, physical = 0;

	for (size_t i = 0; i < t->n_vmas; i++) {
		cookie += count_fitting(t, &t->vmas[i], COLUMN_COOKIE) > 0;
		physical += count_fitting(t, &t->vmas[i], COLUMN_PHYSICAL) > 0;
	}
	if (t->n_vmas == 0)
		return;
	if (cookie == physical)
		die("cannot tell whether /proc/PID/maps shows file offsets or physical addresses: %zu of %zu "
		    "VMAs fit "
		    "either way",
		    cookie, t->n_vmas);
	t->column = cookie > physical ? COLUMN_COOKIE : COLUMN_PHYSICAL;
}

/* How many BARs the VMA can be of: 1 on kernels with physical addresses in the column. */
size_t vma_devices(const struct truth *t, const struct vma *v)
{
	return count_fitting(t, v, t->column);
}

/* What the ledger must say if the VMA is of that device (of the only possible one with device NULL). */
bool vma_expected(const struct truth *t, const struct vma *v, const char *device, struct expected *ret)
{
	for (size_t i = 0; i < t->n_bars; i++)
		if (fits(v, &t->bars[i], t->column, ret) && (!device || strcmp(device, ret->device) == 0))
			return true;
	return false;
}
