/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_REQUEST_BPF_H
#define VFIOWATCH_REQUEST_BPF_H

/* What a mmap asks for: which bytes of which BAR, with which memory type, before any driver was called. */

#include "dialects.bpf.h"
#include "enforce_maps.bpf.h"
#include "sources.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NONCACHED        MEMTYPE_UC_MINUS
#define MEMTYPE_ARCH_BPF MEMTYPE_ARCH_X86_64
#else
#define NONCACHED        MEMTYPE_UC
#define MEMTYPE_ARCH_BPF MEMTYPE_ARCH_ARM64
#endif

/* include/linux/ioport.h */
#define IORESOURCE_MEM 0x200

/* -- the system call
 * ------------------------------------------------------------------------------------------- */

/* The arguments of a call: fields that the kernel does not change while it goes on. */
struct asked {
	__u64 regs, check; /* as in struct extent */
	__u64 offset;      /* bytes, a multiple of the page size */
	__u64 size;        /* bytes, a multiple of the page size; 0: the kernel will refuse the call */
	__u32 unknown;     /* POLICY_UNKNOWN_ARGUMENTS or 0 */
	__u32 flags;       /* enum extent_flags */
};

static __always_inline __u64 mix(__u64 sum, __u64 value)
{
	sum = (sum ^ value) * 0x9e3779b97f4a7c15ULL;
	return sum ^ sum >> 29;
}

/*
 * The mix of a system call's registers and of who called. @read reads a field of *regs: directly of the
 * current task, else by a helper.
 */
#if defined(__TARGET_ARCH_x86)
#define MIX_REGS(sum, regs, read)                                                                            \
	({                                                                                                   \
		sum = mix(sum, read(regs, orig_ax));                                                         \
		sum = mix(sum, read(regs, di));                                                              \
		sum = mix(sum, read(regs, si));                                                              \
		sum = mix(sum, read(regs, dx));                                                              \
		sum = mix(sum, read(regs, r10));                                                             \
		sum = mix(sum, read(regs, r8));                                                              \
		sum = mix(sum, read(regs, r9));                                                              \
		sum = mix(sum, read(regs, bx));                                                              \
		sum = mix(sum, read(regs, cx));                                                              \
		sum = mix(sum, read(regs, bp));                                                              \
		sum = mix(sum, read(regs, ip));                                                              \
		sum = mix(sum, read(regs, sp));                                                              \
	})
#else
#define MIX_REGS(sum, regs, read)                                                                            \
	({                                                                                                   \
		sum = mix(sum, read(regs, syscallno));                                                       \
		sum = mix(sum, read(regs, orig_x0));                                                         \
		sum = mix(sum, read(regs, regs[1]));                                                         \
		sum = mix(sum, read(regs, regs[2]));                                                         \
		sum = mix(sum, read(regs, regs[3]));                                                         \
		sum = mix(sum, read(regs, regs[4]));                                                         \
		sum = mix(sum, read(regs, regs[5]));                                                         \
		sum = mix(sum, read(regs, regs[30]));                                                        \
	})
#endif

#define READ_DIRECTLY(regs, field) ((__u64)(regs)->field)
#define READ_SAFELY(regs, field)   ((__u64)BPF_CORE_READ(regs, field))

static __always_inline void current_call(struct asked *asked)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	asked->regs = (__u64)regs;
	asked->check = task->start_boottime;
	MIX_REGS(asked->check, regs, READ_DIRECTLY);
}

/* What include/linux/thread_info.h calls THREAD_SIZE is less than this. */
#define STACK_MAX (1ULL << 18)

/* include/linux/err.h */
#define ERRORS_FROM (-4095ULL)

enum call_state {
	CALL_UNKNOWN, /* the registers are of another call, or of an interrupt */
	CALL_ON,
	CALL_SUCCEEDED, /* it is over, and the task has done nothing since that can be told */
	CALL_FAILED,
};

/*
 * What has become of the call in which @extent was made. The task may be gone, and its memory and its stack
 * may be another's: then something of this does not fit. x86 keeps -ENOSYS in ax until the result is there;
 * arm64 the first argument in regs[0].
 */
static __noinline enum call_state call_state(const struct extent *extent)
{
	struct task_struct *task = (struct task_struct *)extent->task;
	struct pt_regs *regs = (struct pt_regs *)extent->regs;
	__u64 check = BPF_CORE_READ(task, start_boottime), result;

	/* Of a mapping that an audit found no call is known. */
	if (!task)
		return CALL_UNKNOWN;
	if (extent->regs - (__u64)BPF_CORE_READ(task, stack) >= STACK_MAX)
		return CALL_UNKNOWN;
#if defined(__TARGET_ARCH_x86)
	result = BPF_CORE_READ(regs, ax);
#else
	result = BPF_CORE_READ(regs, regs[0]);
#endif
	MIX_REGS(check, regs, READ_SAFELY);
	if (check != extent->check)
		return CALL_UNKNOWN;
#if defined(__TARGET_ARCH_x86)
	if (result == -38ULL)
		return CALL_ON;
#else
	if (result == BPF_CORE_READ(regs, orig_x0))
		return CALL_ON;
#endif
	return result >= ERRORS_FROM ? CALL_FAILED : CALL_SUCCEEDED;
}

/* Context switches of the current task. */
static __always_inline __u32 current_switches(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->nvcsw + task->nivcsw;
}

static __always_inline void asked_pages(struct asked *asked, __u64 offset, __u64 size)
{
	__u64 mask = (1ULL << page_shift) - 1;

	asked->offset = offset & ~mask;
	asked->size = (size + mask) & ~mask;
	/* Of a range that wraps around nothing is mapped. */
	if (asked->offset + asked->size < asked->offset)
		asked->size = 0;
}

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 0x0002

/* arch/x86/include/uapi/asm/unistd.h */
#define X32_SYSCALL_BIT 0x40000000UL

/* struct mmap_arg_struct32 of arch/x86/kernel/sys_ia32.c */
struct old_mmap {
	__u32 address, length, prot, flags, fd, offset;
};

#if defined(__TARGET_ARCH_x86)
static __always_inline void compat_arguments(struct asked *asked, struct pt_regs *regs)
{
	struct old_mmap old = {};

	switch ((__u32)regs->orig_ax) {
	case 192: /* mmap2: pages of 4 KiB */
		asked_pages(asked, (__u64)(__u32)regs->bp << 12, (__u32)regs->cx);
		return;
	case 90: /* mmap: another thread may change what we read after the kernel did, so the range is looked
		    at again when it is mapped */
		if (bpf_probe_read_user(&old, sizeof(old), (void *)(__u64)(__u32)regs->bx))
			break;
		asked->flags = EXTENT_DOUBTFUL;
		asked_pages(asked, old.offset, old.length);
		return;
	case 257: /* remap_file_pages, which rounds the size down */
		asked_pages(asked, (__u64)(__u32)regs->si << page_shift,
			    (__u32)regs->cx & ~((1ULL << page_shift) - 1));
		return;
	}
	asked->unknown = POLICY_UNKNOWN_ARGUMENTS;
}

static __always_inline void call_arguments(struct asked *asked)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (task->thread_info.status & TS_COMPAT) {
		compat_arguments(asked, regs);
		return;
	}
	switch (regs->orig_ax & ~X32_SYSCALL_BIT) {
	case 9: /* mmap */
		asked_pages(asked, regs->r9, regs->si);
		return;
	case 216: /* remap_file_pages */
		asked_pages(asked, regs->r10 << page_shift, regs->si & ~((1ULL << page_shift) - 1));
		return;
	}
	asked->unknown = POLICY_UNKNOWN_ARGUMENTS;
}
#else
static __always_inline void call_arguments(struct asked *asked)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	switch (regs->syscallno) {
	case 222: /* mmap */
		asked_pages(asked, regs->regs[5], regs->regs[1]);
		return;
	case 234: /* remap_file_pages */
		asked_pages(asked, regs->regs[3] << page_shift, regs->regs[1] & ~((1ULL << page_shift) - 1));
		return;
	}
	asked->unknown = POLICY_UNKNOWN_ARGUMENTS;
}
#endif

/* -- the place
 * ------------------------------------------------------------------------------------------------- */

struct place {
	__u64 pdev;        /* address of the struct pci_dev, 0: unknown */
	__u64 pci_address; /* with pdev */
	__u64 file_id;
	__u64 bar; /* page frame at which the BAR begins, 0: unknown */
	__u64 bar_pages;
	__u32 region;     /* EVENT_REGION_UNKNOWN */
	__u32 first, end; /* pages of the BAR, with bar */
	__u32 type;       /* enum memtype that is asked for */
	__u32 unknown;    /* POLICY_UNKNOWN_RANGE or 0 */
	__u16 source;
	__u16 learns;  /* 1: the driver chooses the type */
	__u32 refused; /* 1: no such bytes; the kernel will refuse it */
	__u32 reserved;
};

static __always_inline void place_pages(struct place *place, __u32 region, __u64 page, __u64 pages)
{
	struct pci_dev *pdev = (struct pci_dev *)place->pdev;
	struct resource *resource;
	struct bar_range range;

	if (region >= EVENT_BARS) {
		place->unknown = POLICY_UNKNOWN_RANGE;
		return;
	}
	resource = (void *)pdev + bpf_core_field_offset(struct pci_dev, resource) +
		   region * bpf_core_type_size(struct resource);
	range = bar_range(pdev, region);
	place->region = region;
	if (!range.pages || !(BPF_CORE_READ(resource, flags) & IORESOURCE_MEM) || page >= range.pages ||
	    pages > range.pages - page || range.pages >> 32) {
		place->refused = 1;
		return;
	}
	place->bar = range.first;
	place->bar_pages = range.pages;
	place->first = page;
	place->end = page + pages;
}

/* Which cookie covers an offset of a file. One whose attributes were told wins: it was made of the other one.
 */
struct cookie_at {
	__u64 file, file_id, offset;
	__u64 page_offset; /* bytes from the beginning of the region */
	__u64 left;        /* bytes of the cookie from there */
	__u32 region, attributes, found;
};

static __attribute__((unused)) long find_cookie_at(struct bpf_map *map, struct cookie_key *key,
						   struct cookie_entry *entry, struct cookie_at *find)
{
	const struct event_cookie *cookie = &entry->event;

	if (key->file != find->file || key->dialect == DIALECT_DMA_BUF ||
	    (find->file_id && cookie->file_id != find->file_id))
		return 0;
	if (find->offset < cookie->offset || find->offset - cookie->offset >= cookie->size)
		return 0;
	if (find->found && !(cookie->attributes & COOKIE_ATTRIBUTES_KNOWN))
		return 0;
	find->found = 1;
	find->region = cookie->alias_of == EVENT_REGION_UNKNOWN ? cookie->region : cookie->alias_of;
	find->attributes = cookie->attributes;
	find->page_offset = find->offset - cookie->offset;
	find->left = cookie->size - find->page_offset;
	return 0;
}

#define EXPLICIT_DIALECTS                                                                                    \
	(1ULL << DIALECT_MMAP_ATTRS | 1ULL << DIALECT_ALIAS_REGION | 1ULL << DIALECT_GET_MMAP)

static __always_inline bool speaks_explicitly(const struct recorder *r)
{
	return r->dialects_at != r->modules || r->dialects & EXPLICIT_DIALECTS;
}

/* Fills in the device; false if that is no PCI device, which has no BARs to be compared. */
static __always_inline bool place_vfio_device(struct place *place, struct file *file, bool *variant)
{
	struct vfio_device *device = vfio_file_device(file);
	struct device *dev = BPF_CORE_READ(device, dev);
	struct file_entry *open_file;
	__u64 key = (__u64)file;
	char bus_name[4] = {};

	bpf_probe_read_kernel_str(bus_name, sizeof(bus_name), BPF_CORE_READ(dev, bus, name));
	if (bus_name[0] != 'p' || bus_name[1] != 'c' || bus_name[2] != 'i')
		return false;
	place->pdev = (__u64)pci_dev_of(dev);
	place->pci_address = pci_address((struct pci_dev *)place->pdev);
	*variant = !vfio_pci_core_mmap_address ||
		   (__u64)BPF_CORE_READ(device, ops, mmap) != vfio_pci_core_mmap_address;
	open_file = bpf_map_lookup_elem(&files, &key);
	if (open_file)
		place->file_id = open_file->event.file_id;
	return true;
}

static __always_inline void place_by_cookie(struct place *place, struct file *file, __u64 offset, __u64 size,
					    bool explicitly)
{
	struct cookie_at find = {
		.file = (__u64)file, .file_id = place->file_id, .offset = offset, .found = zero_in_callbacks};
	__u64 mask = (1ULL << page_shift) - 1;

	bpf_for_each_map_elem(&cookies, find_cookie_at, &find, 0);
	if (!find.found || size > ((find.left + mask) & ~mask)) {
		place->unknown = POLICY_UNKNOWN_RANGE;
		place->type = MEMTYPE_UNKNOWN;
		return;
	}
	place_pages(place, find.region, find.page_offset >> page_shift, size >> page_shift);
	if (find.attributes & COOKIE_ATTRIBUTES_KNOWN) {
		place->type = find.attributes & COOKIE_WC ? MEMTYPE_WC : NONCACHED;
		return;
	}
	/* Where a dialect is spoken in which attributes are asked for, who does not ask gets none. */
	place->type = explicitly ? NONCACHED : MEMTYPE_UNKNOWN;
	place->learns = 1;
}

/* Device-specific regions come after these, include/uapi/linux/vfio.h; between the BARs and them none can be
 * mapped. */
#define FIRST_DEVICE_REGION 9

/*
 * A VFIO device file: by the layout of vfio-pci's cookies if it is vfio-pci's own and there are no others,
 * else by the cookies that were issued. False: no PCI device.
 */
static __noinline int place_vfio(struct place *place, struct file *file, __u64 offset, __u64 size)
{
	struct recorder *r = recorder_get();
	__u64 region = offset >> 40, page = (offset >> page_shift) & COOKIE_PAGE_MASK;
	bool variant = false, explicitly;

	if (!r || !place_vfio_device(place, file, &variant))
		return 0;
	place->source = SOURCE_VFIO;
	explicitly = speaks_explicitly(r);
	if (variant || explicitly) {
		place_by_cookie(place, file, offset, size, explicitly);
		if (!variant)
			place->learns = 0;
		return 1;
	}
	place->type = NONCACHED;
	if (region >= EVENT_BARS && region < FIRST_DEVICE_REGION)
		place->refused = 1;
	else
		place_pages(place, region < EVENT_BARS ? region : EVENT_REGION_UNKNOWN, page,
			    size >> page_shift);
	if (place->unknown)
		place->type = MEMTYPE_UNKNOWN;
	return 1;
}

/* A DMABUF; false: no VFIO driver exported it. */
static __noinline int place_dma_buf(struct place *place, struct file *file, __u64 offset, __u64 size)
{
	struct dma_buf *dmabuf = BPF_CORE_READ(file, private_data);
	struct cookie_key key = {.file = (__u64)dmabuf, .dialect = DIALECT_DMA_BUF};
	struct cookie_entry *cookie = bpf_map_lookup_elem(&cookies, &key);
	__u64 whole = BPF_CORE_READ(dmabuf, size);

	if (!exported_by_vfio(dmabuf, cookie))
		return 0;
	place->source = SOURCE_DMABUF;
	if (offset >= whole || size > whole - offset) {
		place->refused = 1;
		return 1;
	}
	if (!cookie) {
		place->unknown = POLICY_UNKNOWN_RANGE;
		return 1;
	}
	place->file_id = cookie->event.file_id;
	place->region = cookie->event.region;
	place->type = cookie->event.attributes & COOKIE_WC ? MEMTYPE_WC : NONCACHED;
	place->pdev = cookie->pdev;
	if (place->pdev)
		place->pci_address = pci_address((struct pci_dev *)place->pdev);
	if (!cookie->pdev || cookie->first_frame < cookie->bar || !cookie->first_frame) {
		place->unknown = POLICY_UNKNOWN_RANGE;
		return 1;
	}
	place_pages(place, cookie->event.region, cookie->first_frame - cookie->bar + (offset >> page_shift),
		    size >> page_shift);
	/* BARs move only while nobody uses the device: then its DMABUFs map nothing any more. */
	if (place->bar != cookie->bar)
		place->refused = 1;
	return 1;
}

/* resourceN and resourceN_wc; false: another file of sysfs. */
static __noinline int place_sysfs(struct place *place, struct file *file, __u64 offset, __u64 size)
{
	struct kernfs_node *node = BPF_CORE_READ(file, f_inode, i_private), *parent;
	struct bin_attribute *attribute = BPF_CORE_READ(node, priv);
	__u64 mmap = (__u64)BPF_CORE_READ(attribute, mmap);
	struct kobject *kobj;

	if (!mmap || (mmap != pci_mmap_resource_uc_address && mmap != pci_mmap_resource_wc_address))
		return 0;
	if (bpf_core_field_exists(struct kernfs_node, __parent))
		parent = BPF_CORE_READ(node, __parent);
	else
		parent = BPF_CORE_READ(node, parent);
	kobj = BPF_CORE_READ(parent, priv);
	place->pdev = (__u64)pci_dev_of((void *)kobj - bpf_core_field_offset(struct device, kobj));
	place->pci_address = pci_address((struct pci_dev *)place->pdev);
	place->source = SOURCE_SYSFS;
	place->type = mmap == pci_mmap_resource_wc_address ? MEMTYPE_WC : NONCACHED;
	place_pages(place, (__u64)BPF_CORE_READ(attribute, private), offset >> page_shift,
		    size >> page_shift);
	return 1;
}

/* What @file has at @offset; false: nothing of ours. */
static __always_inline bool place_of(struct place *place, struct file *file, __u64 offset, __u64 size)
{
	__u64 fops = (__u64)BPF_CORE_READ(file, f_op);

	__builtin_memset(place, 0, sizeof(*place));
	place->region = EVENT_REGION_UNKNOWN;
	if (is_vfio_device_file(file))
		return place_vfio(place, file, offset, size);
	if (dma_buf_fops_address && fops == dma_buf_fops_address)
		return place_dma_buf(place, file, offset, size);
	if (kernfs_file_fops_address && fops == kernfs_file_fops_address)
		return place_sysfs(place, file, offset, size);
	return false;
}

#endif
