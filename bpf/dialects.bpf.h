/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_DIALECTS_BPF_H
#define VFIOWATCH_DIALECTS_BPF_H

/*
 * The dialects of the uAPI that issue mmap cookies: one adapter for each, all called at the end of a
 * successful ioctl of a VFIO device file. Which ones a loaded driver speaks the daemon finds in the BTF of
 * the modules (source/dialects.c) and says in recorder.dialects; a driver that has just been loaded may speak
 * any.
 *
 * What userspace passed is read back: another thread of the process can change it in between and so lie about
 * its own cookie, but not about anybody else's.
 */

#include "facts.bpf.h"

#include <linux/vfio.h>

static __always_inline bool speaks(const struct recorder *r, __u32 dialect)
{
	return r->dialects_at != r->modules || r->dialects & 1ULL << dialect;
}

/* The entry for @key; made from @fresh if there is none. NULL: no room, and counted. */
static __always_inline struct cookie_entry *cookie_get(struct recorder *r, struct cookie_key *key,
						       struct cookie_entry *fresh)
{
	struct cookie_entry *entry = bpf_map_lookup_elem(&cookies, key);

	if (entry)
		return entry;
	fresh->event.cookie_id = recorder_new_identity(r);
	bpf_map_update_elem(&cookies, key, fresh, BPF_NOEXIST);
	entry = bpf_map_lookup_elem(&cookies, key);
	if (!entry)
		__sync_fetch_and_add(&r->untracked_cookies, 1);
	return entry;
}

/* Tells of @entry, issued @more times since it was told of last. */
static __always_inline void cookie_tell(struct recorder *r, struct cookie_entry *entry, __u32 more)
{
	struct event_header *header = event_reserve(r, EVENT_COOKIE, sizeof(struct event_cookie));
	struct event_cookie *body;

	if (!header) {
		__sync_fetch_and_add(&entry->event.issued, more);
		return;
	}
	current_identity(&header->who);
	body = (struct event_cookie *)(header + 1);
	*body = entry->event;
	body->issued = __sync_fetch_and_add(&entry->event.issued, more) + more;
	event_submit(r, header);
}

/* Counts the cookie as issued once more, making its entry if it is new, and tells of it. */
static __always_inline void cookie_issued(struct recorder *r, struct cookie_key *key,
					  struct cookie_entry *fresh)
{
	struct cookie_entry *entry;

	fresh->event.issued_ns = bpf_ktime_get_boot_ns();
	current_identity(&fresh->issuer);
	entry = cookie_get(r, key, fresh);
	if (!entry)
		return;
	entry->event.size = fresh->event.size;
	entry->event.flags = fresh->event.flags;
	entry->event.attributes = fresh->event.attributes;
	cookie_tell(r, entry, 1);
}

static __always_inline void cookie_begin(struct cookie_entry *fresh, struct cookie_key *key,
					 const struct file_entry *open_file, __u32 dialect)
{
	__builtin_memset(fresh, 0, sizeof(*fresh));
	__builtin_memset(key, 0, sizeof(*key));
	key->dialect = dialect;
	fresh->event.file_id = open_file->event.file_id;
	fresh->event.dialect = dialect;
	fresh->event.ranges = 1;
	fresh->event.alias_of = EVENT_REGION_UNKNOWN;
}

/* Region info flags of DIALECT_ALIAS_REGION. */
#define REGION_INFO_FLAG_ALIAS (1U << 4)
#define REGION_INFO_FLAG_WC    (1U << 5)

static __always_inline __u32 alias_of(const struct file_entry *open_file, __u32 index)
{
	for (int i = 0; i < REGION_ALIASES; i++)
		if (open_file->aliases[i].index == index)
			return open_file->aliases[i].of;
	return EVENT_REGION_UNKNOWN;
}

/* VFIO_DEVICE_GET_REGION_INFO: the cookie of a region, also of one that is an alias (D0, D2, D6). */
static __always_inline void region_info_issued(struct recorder *r, struct file *file,
					       const struct file_entry *open_file, const void *arg)
{
	struct vfio_region_info info = {};
	struct cookie_entry fresh;
	struct cookie_key key;

	if (bpf_probe_read_user(&info, sizeof(info), arg)) {
		__sync_fetch_and_add(&r->untracked_cookies, 1);
		return;
	}
	cookie_begin(&fresh, &key, open_file,
		     open_file->event.flags & EVENT_FILE_VARIANT ? DIALECT_VARIANT : DIALECT_REGION_INFO);
	if (speaks(r, DIALECT_ALIAS_REGION) && info.flags & REGION_INFO_FLAG_ALIAS) {
		key.dialect = fresh.event.dialect = DIALECT_ALIAS_REGION;
		fresh.event.attributes =
			COOKIE_ATTRIBUTES_KNOWN | (info.flags & REGION_INFO_FLAG_WC ? COOKIE_WC : 0);
		fresh.event.alias_of = alias_of(open_file, info.index);
	}
	key.file = (__u64)file;
	key.offset = fresh.event.offset = info.offset;
	key.region = fresh.event.region = info.index;
	fresh.event.size = info.size;
	fresh.event.flags = info.flags;
	cookie_issued(r, &key, &fresh);
}

/* VFIO_DEVICE_SET_MMAP_ATTRS (D1): gives an offset that was issued before other attributes. */
#define SET_MMAP_ATTRS _IO(VFIO_TYPE, VFIO_BASE + 21)
#define MMAP_ATTRS_WC  (1U << 0)

struct mmap_attrs {
	__u64 offset;
	__u32 attrs;
};

/* The cookie whose attributes are set is the one of region info at the same offset: size and region are its.
 */
struct issued_at {
	__u64 file, offset;
	__u64 size;
	__u32 region, flags;
};

static __attribute__((unused)) long find_issued_at(struct bpf_map *map, struct cookie_key *key,
						   struct cookie_entry *entry, struct issued_at *find)
{
	if (key->file != find->file || key->offset != find->offset || key->dialect == DIALECT_DMA_BUF)
		return 0;
	find->size = entry->event.size;
	find->region = entry->event.region;
	find->flags = entry->event.flags;
	return 1;
}

static __always_inline void mmap_attrs_set(struct recorder *r, struct file *file,
					   const struct file_entry *open_file, const void *arg)
{
	struct issued_at find = {.file = (__u64)file, .region = EVENT_REGION_UNKNOWN};
	struct mmap_attrs attrs = {};
	struct cookie_entry fresh;
	struct cookie_key key;

	if (bpf_probe_read_user(&attrs, sizeof(attrs), arg)) {
		__sync_fetch_and_add(&r->untracked_cookies, 1);
		return;
	}
	find.offset = attrs.offset;
	bpf_for_each_map_elem(&cookies, find_issued_at, &find, 0);
	cookie_begin(&fresh, &key, open_file, DIALECT_MMAP_ATTRS);
	key.file = (__u64)file;
	key.offset = fresh.event.offset = attrs.offset;
	fresh.event.region = find.region;
	fresh.event.size = find.size;
	fresh.event.flags = find.flags;
	fresh.event.attributes = COOKIE_ATTRIBUTES_KNOWN | (attrs.attrs & MMAP_ATTRS_WC ? COOKIE_WC : 0);
	cookie_issued(r, &key, &fresh);
}

/* VFIO_DEVICE_FEATURE SET 11 of DIALECT_ALIAS_REGION (D2): the alias has no offset before its region info. */
struct feature_alias_region {
	__u32 argsz;
	__u32 feature_flags;
	__u32 flags;
	__u32 index;
	__u32 alias_index;
};

static __always_inline void alias_region_made(struct file_entry *open_file, const void *arg)
{
	struct feature_alias_region feature = {};

	if (bpf_probe_read_user(&feature, sizeof(feature), arg) || !feature.alias_index ||
	    feature.alias_index >> 16 || feature.index >> 16)
		return;
	for (int i = 0; i < REGION_ALIASES; i++) {
		struct region_alias *alias = &open_file->aliases[i];

		if (alias->index && alias->index != feature.alias_index)
			continue;
		alias->of = feature.index;
		alias->index = feature.alias_index;
		return;
	}
}

/*
 * One call for cookie and attributes (D3). The proposal has no ioctl number: it is known by its structure,
 * and only where a driver has that.
 */
#define GET_MMAP_WC (1U << 0)

struct region_get_mmap {
	__u32 argsz;
	__u32 region_index;
	__u32 mmap_flags;
	__u32 reserved;
	__u64 region_size;
	__u64 fd_offset;
};

static __always_inline void get_mmap_issued(struct recorder *r, struct file *file,
					    const struct file_entry *open_file, const void *arg)
{
	struct region_get_mmap info = {};
	struct cookie_entry fresh;
	struct cookie_key key;

	if (bpf_probe_read_user(&info, sizeof(info), arg) || info.argsz != sizeof(info))
		return;
	cookie_begin(&fresh, &key, open_file, DIALECT_GET_MMAP);
	key.file = (__u64)file;
	key.offset = fresh.event.offset = info.fd_offset;
	key.region = fresh.event.region = info.region_index;
	fresh.event.size = info.region_size;
	fresh.event.flags = VFIO_REGION_INFO_FLAG_MMAP;
	fresh.event.attributes = COOKIE_ATTRIBUTES_KNOWN | (info.mmap_flags & GET_MMAP_WC ? COOKIE_WC : 0);
	cookie_issued(r, &key, &fresh);
}

/* VFIO_DEVICE_FEATURE_DMA_BUF and those of the series after it, which the headers of older kernels lack. */
#define FEATURE_11              11
#define FEATURE_DMA_BUF_REVOKE  13
#define FEATURE_DMA_BUF_MEMATTR 14
#define MEMATTR_WC              1

struct feature_dma_buf {
	__u32 argsz;
	__u32 feature_flags;
	__u32 region_index; /* of 13 and 14: the descriptor of the DMABUF */
	__u32 memattr;      /* of 14 */
};

static __always_inline struct file *current_file(long fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = NULL;

	if (fd < 0 || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	slot = BPF_CORE_READ(table, fd) + fd;
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
}

static __always_inline struct dma_buf *current_dma_buf(long fd)
{
	struct file *file = current_file(fd);

	if (!file || !dma_buf_fops_address || (__u64)BPF_CORE_READ(file, f_op) != dma_buf_fops_address)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

/* Size and ranges come from the kernel's own object, where its layout is known. */
static __always_inline void dma_buf_layout(struct event_cookie *cookie, struct dma_buf *dmabuf)
{
	struct vfio_pci_dma_buf *priv;

	cookie->ranges = 0;
	if (!bpf_core_type_exists(struct vfio_pci_dma_buf) || !vfio_pci_dmabuf_ops_address ||
	    (__u64)BPF_CORE_READ(dmabuf, ops) != vfio_pci_dmabuf_ops_address)
		return;
	priv = BPF_CORE_READ(dmabuf, priv);
	cookie->size = BPF_CORE_READ(priv, size);
	cookie->ranges = BPF_CORE_READ(priv, nr_ranges);
	cookie->phys_start = BPF_CORE_READ(priv, phys_vec, paddr);
}

/* What follows the header of VFIO_DEVICE_FEATURE GET 11, struct vfio_device_feature_dma_buf with its first
 * range. */
struct feature_dma_buf_get {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	__u64 offset;
	__u64 length;
};

/*
 * Where the DMABUF is in its BAR: from the kernel's own object, else from what the user asked for, which is
 * for the enforcer only as it may have been changed since. Of several ranges that stays unknown.
 */
static __always_inline void dma_buf_placed(struct cookie_entry *fresh, struct file *file,
					   const struct file_entry *open_file, const void *arg)
{
	__u32 region = fresh->event.region;
	struct feature_dma_buf_get get = {};

	if (!(open_file->event.flags & EVENT_DEVICE_IS_PCI) || region >= EVENT_BARS)
		return;
	fresh->pdev = (__u64)pci_dev_of(BPF_CORE_READ(vfio_file_device(file), dev));
	fresh->bar = open_file->bars[region].first;
	if (fresh->event.ranges) {
		fresh->first_frame = fresh->event.ranges == 1 ? fresh->event.phys_start >> page_shift : 0;
		return;
	}
	if (!bpf_probe_read_user(&get, sizeof(get), arg + 2 * sizeof(__u32)) && get.nr_ranges == 1)
		fresh->first_frame = fresh->bar + (get.offset >> page_shift);
}

/* VFIO_DEVICE_FEATURE GET 11 (D4): a cookie that is a file of its own. */
static __always_inline void dma_buf_issued(struct recorder *r, struct file *file,
					   const struct file_entry *open_file, __u32 region, const void *arg,
					   long fd)
{
	struct dma_buf *dmabuf = current_dma_buf(fd);
	struct cookie_entry fresh;
	struct cookie_key key;

	if (!dmabuf)
		return;
	cookie_begin(&fresh, &key, open_file, DIALECT_DMA_BUF);
	key.file = (__u64)dmabuf;
	/* It is a new one: an entry would be that of another whose end was skipped. */
	bpf_map_delete_elem(&cookies, &key);
	fresh.event.size = BPF_CORE_READ(dmabuf, size);
	fresh.event.region = region;
	dma_buf_layout(&fresh.event, dmabuf);
	dma_buf_placed(&fresh, file, open_file, arg);
	cookie_issued(r, &key, &fresh);
}

/* VFIO_DEVICE_FEATURE SET 13 and 14 (D5): for mappings made later, with no way to ask. */
static __always_inline void dma_buf_changed(struct recorder *r, const struct feature_dma_buf *feature,
					    __u32 number)
{
	struct cookie_key key = {.dialect = DIALECT_DMA_BUF};
	struct cookie_entry *entry;

	key.file = (__u64)current_dma_buf((__s32)feature->region_index);
	entry = key.file ? bpf_map_lookup_elem(&cookies, &key) : NULL;
	if (!entry)
		return;
	if (number == FEATURE_DMA_BUF_REVOKE)
		entry->event.attributes |= COOKIE_REVOKED;
	else
		entry->event.attributes = (entry->event.attributes & COOKIE_REVOKED) |
					  COOKIE_ATTRIBUTES_KNOWN |
					  (feature->memattr == MEMATTR_WC ? COOKIE_WC : 0);
	cookie_tell(r, entry, 0);
}

static __always_inline void feature_used(struct recorder *r, struct file *file, struct file_entry *open_file,
					 const void *arg, long ret)
{
	struct feature_dma_buf feature = {};
	__u32 number;

	/* The shortest of them has three words; the fourth may end the page. */
	if (bpf_probe_read_user(&feature, 3 * sizeof(__u32), arg) ||
	    feature.feature_flags & VFIO_DEVICE_FEATURE_PROBE)
		return;
	number = feature.feature_flags & VFIO_DEVICE_FEATURE_MASK;
	if (feature.feature_flags & VFIO_DEVICE_FEATURE_GET) {
		if (number == FEATURE_11 && speaks(r, DIALECT_DMA_BUF))
			dma_buf_issued(r, file, open_file, feature.region_index, arg, ret);
		return;
	}
	if (number == FEATURE_11 && speaks(r, DIALECT_ALIAS_REGION))
		alias_region_made(open_file, arg);
	if (number == FEATURE_DMA_BUF_MEMATTR)
		bpf_probe_read_user(&feature, sizeof(feature), arg);
	if ((number == FEATURE_DMA_BUF_REVOKE || number == FEATURE_DMA_BUF_MEMATTR) &&
	    speaks(r, DIALECT_DMA_BUF))
		dma_buf_changed(r, &feature, number);
}

#endif
