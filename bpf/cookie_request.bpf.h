/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_COOKIE_REQUEST_BPF_H
#define VFIOWATCH_COOKIE_REQUEST_BPF_H

/*
 * ioctls that ask for a write-combining cookie. User memory is read before the driver reads it: another
 * thread can hide its wish in between and so get the cookie. It gains nothing by that, as the mmap of the
 * cookie is a request too and is judged by what the driver was told.
 */

#include "request.bpf.h"

static __always_inline bool place_file(struct request *q, struct file *file, __u32 region)
{
	bool variant;

	q->place.region = region < EVENT_BARS ? region : EVENT_REGION_UNKNOWN;
	q->place.source = SOURCE_VFIO;
	q->place.type = MEMTYPE_WC;
	return place_vfio_device(&q->place, file, &variant);
}

static __always_inline bool wants_mmap_attrs(struct request *q, struct file *file, const void *arg)
{
	struct cookie_at find = {
		.file = (__u64)file, .region = EVENT_REGION_UNKNOWN, .found = zero_in_callbacks};
	struct mmap_attrs attrs = {};

	if (bpf_probe_read_user(&attrs, sizeof(attrs), arg) || !(attrs.attrs & MMAP_ATTRS_WC))
		return false;
	find.offset = attrs.offset;
	bpf_for_each_map_elem(&cookies, find_cookie_at, &find, 0);
	q->asked.offset = attrs.offset;
	q->asked.size = find.left;
	return place_file(q, file, find.region);
}

static __always_inline bool wants_get_mmap(struct request *q, struct file *file, const void *arg)
{
	struct region_get_mmap info = {};

	if (bpf_probe_read_user(&info, sizeof(info), arg) || info.argsz != sizeof(info) ||
	    !(info.mmap_flags & GET_MMAP_WC))
		return false;
	return place_file(q, file, info.region_index);
}

static __always_inline bool wants_dma_buf_wc(struct request *q, struct file *file, const void *arg)
{
	struct cookie_key key = {.dialect = DIALECT_DMA_BUF};
	struct feature_dma_buf feature = {};
	struct cookie_entry *cookie;

	if (bpf_probe_read_user(&feature, sizeof(feature), arg) || feature.memattr != MEMATTR_WC)
		return false;
	key.file = (__u64)current_dma_buf((__s32)feature.region_index);
	cookie = key.file ? bpf_map_lookup_elem(&cookies, &key) : NULL;
	if (!place_file(q, file, cookie ? cookie->event.region : EVENT_REGION_UNKNOWN))
		return false;
	q->place.source = SOURCE_DMABUF;
	if (cookie)
		q->asked.size = cookie->event.size;
	return true;
}

static __always_inline bool wants_feature(struct request *q, const struct recorder *r, struct file *file,
					  const void *arg)
{
	struct feature_alias_region feature = {};
	__u32 number;

	/* The header alone: what follows may be shorter than that of the alias region. */
	if (bpf_probe_read_user(&feature, 2 * sizeof(__u32), arg) ||
	    feature.feature_flags & VFIO_DEVICE_FEATURE_PROBE ||
	    !(feature.feature_flags & VFIO_DEVICE_FEATURE_SET))
		return false;
	number = feature.feature_flags & VFIO_DEVICE_FEATURE_MASK;
	if (number == FEATURE_DMA_BUF_MEMATTR && speaks(r, DIALECT_DMA_BUF))
		return wants_dma_buf_wc(q, file, arg);
	if (number != FEATURE_11 || !speaks(r, DIALECT_ALIAS_REGION) ||
	    bpf_probe_read_user(&feature, sizeof(feature), arg) || !(feature.flags & REGION_INFO_FLAG_WC))
		return false;
	return place_file(q, file, feature.index);
}

/* Whether the ioctl asks for a write-combining cookie; then q->place says of what. */
static __noinline int wants_wc_cookie(struct request *q, struct file *file, unsigned int cmd, const void *arg)
{
	struct recorder *r = recorder_get();

	if (!r)
		return false;
	q->place.region = EVENT_REGION_UNKNOWN;
	if (cmd == VFIO_DEVICE_FEATURE)
		return wants_feature(q, r, file, arg);
	if (cmd == SET_MMAP_ATTRS)
		return speaks(r, DIALECT_MMAP_ATTRS) && wants_mmap_attrs(q, file, arg);
	return speaks(r, DIALECT_GET_MMAP) && wants_get_mmap(q, file, arg);
}

/* By the number alone, as this is asked of every ioctl of the host: VFIO's type, and a number that may ask
 * for it. */
static __always_inline bool may_want_wc_cookie(unsigned int cmd)
{
	return cmd >> 8 == VFIO_TYPE && (cmd == VFIO_DEVICE_FEATURE || cmd >= SET_MMAP_ATTRS);
}

#endif
