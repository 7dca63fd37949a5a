/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_MEMTYPE_H
#define VFIOWATCH_MEMTYPE_H

/*
 * Memory types and how each architecture writes them into a page protection value. Header only: shared by
 * BPF, the daemon and the tests.
 */

#include <linux/types.h>

enum memtype {
	MEMTYPE_UNKNOWN = 0,
	MEMTYPE_UC,       /* x86 UC, arm64 Device-nGnRnE */
	MEMTYPE_UC_MINUS, /* x86 UC- */
	MEMTYPE_DEVICE,   /* arm64 Device-nGnRE */
	MEMTYPE_WC,       /* x86 WC, arm64 Normal-NC */
	MEMTYPE_WT,
	MEMTYPE_WP,
	MEMTYPE_WB, /* x86 WB, arm64 Normal */
	MEMTYPE_TYPES,
};

/* Architecture whose page tables a value comes from; stored in captures. */
enum memtype_arch {
	MEMTYPE_ARCH_UNKNOWN = 0,
	MEMTYPE_ARCH_X86_64 = 1,
	MEMTYPE_ARCH_ARM64 = 2,
	MEMTYPE_ARCHES,
};

/*
 * x86-64 PAT as Linux programs it (arch/x86/mm/pat/memtype.c, pat_bp_init()), index = PAT << 2 | PCD << 1 |
 * PWT. In vm_page_prot and in a 4 KiB PTE the PAT bit is bit 7 (arch/x86/include/asm/pgtable_types.h).
 */
static inline enum memtype memtype_from_x86_prot(__u64 prot)
{
	unsigned int index = (prot >> 7 & 1) << 2 | (prot >> 4 & 1) << 1 | (prot >> 3 & 1);

	switch (index) {
	case 0:
	case 4:
		return MEMTYPE_WB;
	case 1:
		return MEMTYPE_WC;
	case 2:
	case 6:
		return MEMTYPE_UC_MINUS;
	case 3:
		return MEMTYPE_UC;
	case 5:
		return MEMTYPE_WP;
	default:
		return MEMTYPE_WT;
	}
}

/* arm64 PTE_ATTRINDX, bits 4:2, as in arch/arm64/include/asm/memory.h (MT_NORMAL and following). */
static inline enum memtype memtype_from_arm64_prot(__u64 prot)
{
	switch (prot >> 2 & 7) {
	case 0:
	case 1:
		return MEMTYPE_WB;
	case 2:
		return MEMTYPE_WC;
	case 3:
		return MEMTYPE_UC;
	case 4:
		return MEMTYPE_DEVICE;
	default:
		return MEMTYPE_UNKNOWN;
	}
}

/*
 * A leaf above the 4 KiB level has its PAT bit at bit 12, as bit 7 says there that it is a leaf (_PAGE_PSE;
 * arch/x86/include/asm/pgtable_types.h).
 */
static inline enum memtype memtype_from_x86_large_leaf(__u64 leaf)
{
	return memtype_from_x86_prot((leaf & ~(1ULL << 7)) | (leaf >> 12 & 1) << 7);
}

/* The memory type that vm_page_prot or a 4 KiB PTE value of @arch asks for. */
static inline enum memtype memtype_from_prot(enum memtype_arch arch, __u64 prot)
{
	switch (arch) {
	case MEMTYPE_ARCH_X86_64:
		return memtype_from_x86_prot(prot);
	case MEMTYPE_ARCH_ARM64:
		return memtype_from_arm64_prot(prot);
	default:
		return MEMTYPE_UNKNOWN;
	}
}

/* Whether bpf/walk.bpf.h reads the page tables of @arch: elsewhere the effective type is not known. */
static inline int memtype_arch_walked(enum memtype_arch arch)
{
	return arch == MEMTYPE_ARCH_X86_64;
}

/* The architecture this program was compiled for. */
static inline enum memtype_arch memtype_host_arch(void)
{
#if defined(__x86_64__)
	return MEMTYPE_ARCH_X86_64;
#elif defined(__aarch64__)
	return MEMTYPE_ARCH_ARM64;
#else
	return MEMTYPE_ARCH_UNKNOWN;
#endif
}

/* What pgprot_noncached() asks for on @arch: the type a plain VFIO BAR mapping gets (vfio_pci_core_mmap()).
 */
static inline enum memtype memtype_noncached(enum memtype_arch arch)
{
	switch (arch) {
	case MEMTYPE_ARCH_X86_64:
		return MEMTYPE_UC_MINUS;
	case MEMTYPE_ARCH_ARM64:
		return MEMTYPE_UC;
	default:
		return MEMTYPE_UNKNOWN;
	}
}

/*
 * What the CPU may do with accesses: 0 uncached, 1 write-combining, 2 write-through or write-protected, 3
 * write-back. UC, UC- and Device are one class: none of them merges or reorders writes to a device. -1: the
 * type is not known. (Intel SDM volume 3, "Memory Cache Control"; Arm ARM, "Memory types and attributes".)
 */
static inline int memtype_strength(enum memtype type)
{
	switch (type) {
	case MEMTYPE_UC:
	case MEMTYPE_UC_MINUS:
	case MEMTYPE_DEVICE:
		return 0;
	case MEMTYPE_WC:
		return 1;
	case MEMTYPE_WT:
	case MEMTYPE_WP:
		return 2;
	case MEMTYPE_WB:
		return 3;
	default:
		return -1;
	}
}

/* Whether two mappings of the same bytes may have these types at once. Two different types of one strength,
 * as WT and WP, may not; an unknown type is not said to conflict. */
static inline int memtype_conflict(enum memtype a, enum memtype b)
{
	int strength = memtype_strength(a);

	if (a == b || strength < 0 || memtype_strength(b) < 0)
		return 0;
	return strength != memtype_strength(b) || strength == 2;
}

/* Common name as in the JSON contract; NULL for MEMTYPE_UNKNOWN and values outside the enum. */
static inline const char *memtype_name(enum memtype type)
{
	switch (type) {
	case MEMTYPE_UC:
		return "uc";
	case MEMTYPE_UC_MINUS:
		return "uc-";
	case MEMTYPE_DEVICE:
		return "device";
	case MEMTYPE_WC:
		return "wc";
	case MEMTYPE_WT:
		return "wt";
	case MEMTYPE_WP:
		return "wp";
	case MEMTYPE_WB:
		return "wb";
	default:
		return (const char *)0;
	}
}

/* The name the architecture's manual uses for @type; NULL where it has none. */
static inline const char *memtype_arch_name(enum memtype_arch arch, enum memtype type)
{
	if (arch == MEMTYPE_ARCH_X86_64) {
		switch (type) {
		case MEMTYPE_UC:
			return "UC";
		case MEMTYPE_UC_MINUS:
			return "UC-";
		case MEMTYPE_WC:
			return "WC";
		case MEMTYPE_WT:
			return "WT";
		case MEMTYPE_WP:
			return "WP";
		case MEMTYPE_WB:
			return "WB";
		default:
			return (const char *)0;
		}
	}
	if (arch == MEMTYPE_ARCH_ARM64) {
		switch (type) {
		case MEMTYPE_UC:
			return "Device-nGnRnE";
		case MEMTYPE_DEVICE:
			return "Device-nGnRE";
		case MEMTYPE_WC:
			return "Normal-NC";
		case MEMTYPE_WB:
			return "Normal";
		default:
			return (const char *)0;
		}
	}
	return (const char *)0;
}

#endif
