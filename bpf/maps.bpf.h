/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MAPS_BPF_H
#define VFIOWATCH_MAPS_BPF_H

/*
 * The maps shared by all our BPF objects, pinned by name so that they outlive the daemon. Hash tables
 * allocate entries as they come. When one is full (or memory is short) the new entry is not tracked: that is
 * counted in struct recorder and shown as degraded; nothing that the kernel does is refused.
 */

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "vfiowatch/event.h"

/* A VMA that maps BARs, keyed by its address: the kernel frees it only after we deleted the entry. */
struct vma_entry {
	__u64 mapping_id; /* 0: the mmap has not returned yet */
	__u64 file;       /* address of the struct file it maps */
	__u64 file_id;
	__u64 cookie_id;
	__u64 pci_address;
	__u64 mapped_ns;
	__s64 offset_delta;  /* pages: file offset = vm_pgoff + offset_delta */
	__s64 phys_delta;    /* pages: page frame = vm_pgoff + phys_delta */
	__u64 request_pgoff; /* vm_pgoff as userspace asked for it, before the driver rewrote it */
	__u32 region;
	__u16 source;    /* enum mapping_source */
	__u16 flags;     /* enum event_mapping_flags */
	__u64 walk_from; /* where the walk of its pages goes on, 0: at the start */
	__u32 stale;     /* 1: its pages may have changed without an event since they were read */
	__u32 empty;     /* 1: it had none when all of them were read last */
	__u64 candidate; /* audits, see audit.bpf.c: the last one that must see this VMA */
	__u64 seen;      /* the last one that saw it */
	__u64 doubts;    /* audits in a row in which it could not be a candidate */
};

/* A memory BAR in page frames; pages 0: not there. BARs do not move while the device is open. */
struct bar_range {
	__u64 first;
	__u64 pages;
};

/* A region index that names another one again, with other attributes (DIALECT_ALIAS_REGION). */
struct region_alias {
	__u16 index; /* 0: free, as no alias has the number of a BAR */
	__u16 of;
};

/* Aliases known of one file. When full, of what region the next one is an alias stays unknown. */
#define REGION_ALIASES 8

struct file_entry {
	struct event_file event;
	struct event_process_id opener;
	struct bar_range bars[EVENT_BARS]; /* all 0: not PCI */
	struct region_alias aliases[REGION_ALIASES];
	__u64 candidate; /* audits, as in struct vma_entry */
	__u64 seen;
};

struct cookie_key {
	__u64 file; /* address of the struct file, or of the struct dma_buf */
	__u64 offset;
	__u32 region;
	__u32 dialect;
};

struct cookie_entry {
	struct event_cookie event;
	struct event_process_id issuer;

	/* DMABUF: for the enforcer, which has to know where it is before anything maps it. */
	__u64 pdev;        /* address of its struct pci_dev, 0: unknown */
	__u64 bar;         /* page frame at which its BAR begins */
	__u64 first_frame; /* its first page frame if it has one range only, 0: unknown */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recorder);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} recorder SEC(".maps");

/* When full, events are dropped and counted per type: see ring.bpf.h. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 * 1024 * 1024);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256 * 1024);
	__type(key, __u64);
	__type(value, struct vma_entry);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} vmas SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16 * 1024);
	__type(key, __u64);
	__type(value, struct file_entry);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 64 * 1024);
	__type(key, struct cookie_key);
	__type(value, struct cookie_entry);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cookies SEC(".maps");

#endif
