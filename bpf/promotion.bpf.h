/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_PROMOTION_BPF_H
#define VFIOWATCH_PROMOTION_BPF_H

/* What the kernel gives a mapping instead of the type that it asks for, because of a reservation of the whole
 * BAR. */

#include "verdict.bpf.h"

/* Set by the loader; 0: this kernel has no such symbol. */
const volatile __u64 strict_iomem_checks_address = 0;

/* Whether what a driver has claimed may be mapped through sysfs all the same (iomem=relaxed); negative:
 * unknown. */
static __always_inline int iomem_is_shared(void)
{
	__u32 strict = 0;

	if (!strict_iomem_checks_address ||
	    bpf_probe_read_kernel(&strict, sizeof(strict), (void *)strict_iomem_checks_address))
		return -1;
	return !strict;
}

/* A global function, which the verifier follows once and not at each call. */
int bar_find_sysfs(struct request *q, __u32 types)
{
	struct bar *bar;
	__u64 key;
	int found;

	if (!q)
		return 0;
	key = q->place.bar;
	bar = bpf_map_lookup_elem(&bars, &key);
	if (!bar)
		return 0;
	bpf_spin_lock(&bar->lock);
	found = extent_find_sysfs(&bar->table, &q->ask, types);
	bpf_spin_unlock(&bar->lock);
	return found;
}

struct foresight {
	struct request *q;
	__u32 types;
};

static long foresee(__u32 i, struct foresight *f)
{
	struct request *q = f->q;
	struct bar *bar;

	if (!bar_find_sysfs(q, f->types))
		return 1;
	if (extent_truth(&q->ask.other, &q->truth) != TRUTH_GONE) {
		q->turned = q->ask.other.type;
		return 1;
	}
	bar = bpf_map_lookup_elem(&bars, &q->place.bar);
	if (!bar)
		return 1;
	bpf_spin_lock(&bar->lock);
	extent_drop(&bar->table, q->ask.at, &q->ask.other);
	bpf_spin_unlock(&bar->lock);
	return 0;
}

/* WC, WT, WP and WB, of which mappings through sysfs have the first. */
#define CACHEABLE_OR_COMBINING (1U << MEMTYPE_WC | 1U << MEMTYPE_WT | 1U << MEMTYPE_WP | 1U << MEMTYPE_WB)

/*
 * With which type the kernel will reserve the whole BAR in this call, 0: none that is known. Linux 6 does
 * that at the first mmap, in vfio_pci_core_mmap(), and takes the type of what is mapped through sysfs, if
 * that is left there.
 */
static __noinline int foreseen_turn(struct request *q)
{
	struct pci_dev *pdev = (struct pci_dev *)q->place.pdev;
	struct foresight f = {.q = q, .types = CACHEABLE_OR_COMBINING};
	struct vfio_pci_core_device *vdev = NULL;
	void *barmap = NULL;
	__u32 region = q->place.region;

	q->turned = 0;
	if (q->place.source != SOURCE_VFIO || region >= EVENT_BARS || iomem_is_shared() <= 0 ||
	    !bpf_core_field_exists(vdev->barmap))
		return 0;
	vdev = BPF_CORE_READ(pdev, dev.driver_data);
	if (bpf_probe_read_kernel(&barmap, sizeof(barmap),
				  (void *)vdev + bpf_core_field_offset(vdev->barmap) +
					  region * sizeof(barmap)) ||
	    barmap)
		return 0;
	bpf_loop(EXTENTS_MAX, foresee, &f, 0);
	return q->turned;
}

/* The kernel has reserved the whole BAR with a stronger type, or will: that is what this mapping would get.
 */
static __noinline int judge_promotion(struct judgement *j)
{
	struct request *q = j->q;
	struct turn *turn = bpf_map_lookup_elem(&turns, &q->place.bar);
	struct policy_sets sets;
	__u32 turned = 0, type = q->place.type;
	__u64 of_types = ~0ULL;
	int denied;

	if (!q->place.bar || type >= MEMTYPE_TYPES)
		return 0;
	if (turn && turn->pages >= q->place.bar_pages)
		turned = turn->type;
	if (!turned)
		turned = foreseen_turn(q);
	if (!turned || turned >= MEMTYPE_TYPES)
		return 0;
	sets = policy_and(about(q, j->bank, POLICY_PROMOTION), q->mine);
	if (type == MEMTYPE_UNKNOWN)
		sets = unknown_of(sets);
	else if (memtype_strength(turned) <= memtype_strength(type))
		return 0;
	else
		of_types = j->bank->pairs[policy_index(type, MEMTYPE_TYPES)]
					 [policy_index(turned, MEMTYPE_TYPES)];
	sets.yes &= of_types;
	sets.maybe &= of_types;
	denied = take(q, j->bank, &sets, POLICY_PROMOTION,
		      type == MEMTYPE_UNKNOWN ? POLICY_UNKNOWN_TYPE : POLICY_UNKNOWN_PARTY);
	if (q->verdict.kind == POLICY_PROMOTION)
		q->verdict.given = turned;
	return denied;
}

#endif
