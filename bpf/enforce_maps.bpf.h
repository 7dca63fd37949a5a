/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_ENFORCE_MAPS_BPF_H
#define VFIOWATCH_ENFORCE_MAPS_BPF_H

/*
 * The maps of the enforcer, pinned by name. Hash tables have their memory from the beginning, so that they
 * are full when they say so and not when memory is short. What happens then is said of each; what "unknown"
 * means for a request OnUnknown of the policy says.
 */

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "vfiowatch/extent.h"
#include "vfiowatch/policy.h"

/* The extents of a BAR, keyed by the page frame of its first page. */
struct bar {
	struct bpf_spin_lock lock;
	__u32 reserved;
	struct extent_table table;
};

/* The same in memory that helpers may read: what a new bar is made of. */
struct bar_template {
	__u32 lock;
	__u32 reserved;
	struct extent_table table;
};
_Static_assert(sizeof(struct bar) == sizeof(struct bar_template), "one layout");

/* A VMA that holds an extent, keyed by its address. */
struct hold {
	__u64 bar;      /* key of its BAR, 0: which bytes it maps is not known */
	__u64 check;    /* of the call that made it, as in struct extent */
	__u64 original; /* VMA that it was copied from, 0: mapped */
	__u32 ran;      /* copies of the program that have seen that call */
	__u32 orphan;   /* 1: an audit found nothing that it is of */
};

/* Its mapping is there and found no slot. */
#define CALL_NO_ROOM (1U << 31)

/* The last call of a task that was decided, keyed by the address of its task_struct. */
struct call {
	__u64 check; /* as in struct extent */
	__u64 bar;   /* pending: key of its BAR .. */
	__u32 first; /* .. and first page of it */
	__u32 flags; /* enum extent_flags, CALL_NO_ROOM */
	__u32 ran;   /* copies of the program that have seen that call */
	__u32 pending;
	__u32 switches; /* context switches of the task when it was decided */
	__u32 at;       /* pending: slot */
};

/* A range that the kernel reserved with another memory type than asked for, keyed by its first page frame. */
struct turn {
	__u64 pages;
	__u32 type; /* enum memtype */
	__u32 reserved;
};

/* Facts of a PCI device, keyed by its address, and the rules that match them. */
struct device_texts {
	__u64 pci_address;
	__u64 driver;     /* address of its driver when the texts were made */
	__u64 generation; /* policy that yes belongs to; 0: none */
	__u64 yes;
	__u32 known; /* 1: the texts hold */
	__u32 reserved;
	char device[POLICY_TEXT_LEN];
	char id[POLICY_TEXT_LEN];
	char class_code[POLICY_TEXT_LEN];
	char driver_name[POLICY_TEXT_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct enforcer);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} enforcer SEC(".maps");

/* The loader sets the size from the BARs there are. When full, requests of further BARs are unknown. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, struct bar);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bars SEC(".maps");

/* When full, further mappings are untracked. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64 * 1024);
	__type(key, __u64);
	__type(value, struct hold);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} holds SEC(".maps");

/* When full, the one used least recently is forgotten: then its machine is unknown until the daemon tells it
 * again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct enforcer_unit);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} units SEC(".maps");

/* When full, the one used least recently is forgotten: then its promotion is not foreseen. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct turn);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} turns SEC(".maps");

/* When full, the one used least recently is made again when it is needed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct device_texts);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} devices SEC(".maps");

/* When full, the oldest is forgotten: then a copy of a program decides once more, or the range of a new
 * mapping is found out from the VMA. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct call);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} calls SEC(".maps");

/*
 * Zero, which the verifier does not know. Linux 6.1 verifies a callback for its first run only, from what is
 * on the stack then, and removes the branches that are not taken there. So what a callback changes on the
 * stack, and reads, has to begin as this.
 */
static volatile __u64 zero_in_callbacks;

static __always_inline struct enforcer *enforcer_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&enforcer, &zero);
}

/* Not on the stack, of which there is little. */
static const struct bar_template new_bar;

static __always_inline struct bar *bar_get(__u64 key)
{
	struct bar *bar = bpf_map_lookup_elem(&bars, &key);

	if (bar)
		return bar;
	bpf_map_update_elem(&bars, &key, &new_bar, BPF_NOEXIST);
	return bpf_map_lookup_elem(&bars, &key);
}

#endif
