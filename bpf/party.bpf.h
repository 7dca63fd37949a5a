/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_PARTY_BPF_H
#define VFIOWATCH_PARTY_BPF_H

/*
 * Which rules select a device and a process. Both are worked out once for each policy and then kept with the
 * device and the cgroup; only users are looked at for each request.
 *
 * An element of a LRU table may become that of another key while it is read, so it names its key, and counts
 * only if that is right afterwards too.
 */

#include "enforce_maps.bpf.h"
#include "facts.bpf.h"

#define barrier() asm volatile("" ::: "memory")

/* -- matching
 * -------------------------------------------------------------------------------------------------- */

struct match_context {
	struct policy_match match;
	const struct policy_pattern *pattern;
	const char *text;
};

static __always_inline void match_begin(struct policy_match *match)
{
	__u32 zero = zero_in_callbacks;

	match->at = match->op = match->star_at = match->star_op = zero;
	match->done = match->matched = zero;
}

static long match_step(__u32 i, struct match_context *c)
{
	return policy_match_step(&c->match, c->pattern, c->text);
}

/* Whether @text (POLICY_TEXT_LEN bytes) matches; a rule without such a pattern takes any. */
static __always_inline bool text_matches(const struct policy_pattern *pattern, const char *text)
{
	struct match_context c = {.pattern = pattern, .text = text};

	if (!pattern->length)
		return 1;
	match_begin(&c.match);
	bpf_loop(POLICY_MATCH_STEPS, match_step, &c, 0);
	return c.match.matched;
}

/* -- devices
 * --------------------------------------------------------------------------------------------------- */

static const struct device_texts new_device;

static __always_inline void put_hex(char *text, __u32 value, __u32 digits)
{
#pragma unroll
	for (__u32 i = 0; i < digits; i++) {
		__u32 digit = value >> (4 * (digits - 1 - i)) & 15;

		text[i] = digit < 10 ? '0' + digit : 'a' - 10 + digit;
	}
}

/* False: @pdev is not the device of that address any more. */
static __noinline int device_fill(struct device_texts *d, __u64 pdev_address)
{
	struct pci_dev *pdev = (struct pci_dev *)pdev_address;
	struct device_driver *driver = BPF_CORE_READ(pdev, dev.driver);

	if (pci_address(pdev) != d->pci_address)
		return 0;
	if (d->known && d->driver == (__u64)driver)
		return 1;
	d->generation = 0;
	bpf_probe_read_kernel_str(d->device, sizeof(d->device), BPF_CORE_READ(pdev, dev.kobj.name));
	put_hex(d->id, BPF_CORE_READ(pdev, vendor), 4);
	d->id[4] = ':';
	put_hex(d->id + 5, BPF_CORE_READ(pdev, device), 4);
	put_hex(d->class_code, BPF_CORE_READ(pdev, class), 6);
	d->driver_name[0] = 0;
	if (driver)
		bpf_probe_read_kernel_str(d->driver_name, sizeof(d->driver_name),
					  BPF_CORE_READ(driver, name));
	d->driver = (__u64)driver;
	barrier();
	d->known = 1;
	return 1;
}

struct device_match {
	const struct policy_bank *bank;
	const struct device_texts *device;
	__u64 yes;
};

static long match_device(__u32 i, struct device_match *m)
{
	const struct policy_rule *rule;

	if (i >= POLICY_RULES_MAX)
		return 1;
	if (!(m->bank->by_device >> i & 1))
		return 0;
	rule = &m->bank->rules[i];
	if (text_matches(&rule->device, m->device->device) && text_matches(&rule->id, m->device->id) &&
	    text_matches(&rule->class_code, m->device->class_code) &&
	    text_matches(&rule->driver, m->device->driver_name))
		m->yes |= 1ULL << i;
	return 0;
}

/* Rules that match the device at @pdev, by the policy @generation. Nothing is surely known without it. */
static __noinline int device_sets(struct policy_sets *sets, const struct policy_bank *bank, __u64 generation,
				  __u64 pdev, __u64 address)
{
	struct device_match m = {.bank = bank};
	struct device_texts *d;
	__u64 cached;

	sets->yes = ~bank->by_device;
	sets->maybe = bank->by_device;
	if (!bank->by_device || !pdev)
		return 0;
	d = bpf_map_lookup_elem(&devices, &address);
	if (!d) {
		bpf_map_update_elem(&devices, &address, &new_device, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&devices, &address);
		if (!d)
			return 0;
		d->pci_address = address;
	}
	if (d->pci_address != address || !device_fill(d, pdev))
		return 0;
	cached = d->generation;
	barrier();
	m.yes = d->yes;
	if (cached != generation) {
		m.device = d;
		m.yes = 0;
		bpf_loop(POLICY_RULES_MAX, match_device, &m, 0);
		d->yes = m.yes;
		barrier();
		d->generation = generation;
	} else if (d->generation != generation) {
		return 0;
	}
	if (d->pci_address != address)
		return 0;
	sets->yes |= m.yes;
	sets->maybe = 0;
	return 0;
}

/* -- processes
 * ------------------------------------------------------------------------------------------------- */

/* Further down in the tree a unit is not looked for: it stays unknown. */
#define CGROUP_DEPTH_MAX 32

/* Whether the @length bytes at @text, with the terminator, end in @suffix. */
#define ENDS_IN(text, length, suffix) ends_in(text, length, suffix, sizeof(suffix))

static __always_inline bool ends_in(const char *text, __u32 length, const char *suffix, __u32 size)
{
	if (length <= size || length > POLICY_TEXT_LEN)
		return false;
	for (__u32 i = 0; i < size; i++)
		if (text[(length - size + i) & (POLICY_TEXT_LEN - 1)] != suffix[i])
			return false;
	return true;
}

static __always_inline bool in_unit_name(__u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' ||
	       c == '-' || c == '_' || c == '.' || c == '\\' || c == '@';
}

struct unit_name {
	char *text;
	__u32 bad;
};

static long check_unit_name(__u32 i, struct unit_name *name)
{
	__u8 c;

	if (i >= POLICY_TEXT_LEN)
		return 1;
	c = name->text[i];
	if (c && !in_unit_name(c))
		name->bad = 1;
	return !c;
}

struct unit_path {
	struct kernfs_node *node, *unit;
	char *text; /* scratch, POLICY_TEXT_LEN bytes */
};

/* One step up: the topmost part of the path that is no slice is the unit. */
static long climb(__u32 i, struct unit_path *path)
{
	struct kernfs_node *node = path->node, *parent;
	long length;

	if (bpf_core_field_exists(struct kernfs_node, __parent))
		parent = BPF_CORE_READ(node, __parent);
	else
		parent = BPF_CORE_READ(node, parent);
	if (!parent) {
		path->node = NULL;
		return 1;
	}
	length = bpf_probe_read_kernel_str(path->text, POLICY_TEXT_LEN, BPF_CORE_READ(node, name));
	if (length < 0 || length > POLICY_TEXT_LEN || !ENDS_IN(path->text, length, ".slice"))
		path->unit = node;
	path->node = parent;
	return 0;
}

/*
 * The unit as systemd finds it (cg_path_get_unit()): the first part of the path after the slices, if that is
 * the name of a unit. A process outside of all has none, which is known too.
 */
static __noinline int unit_fill(struct enforcer_unit *unit, char *text, __u64 address)
{
	struct kernfs_node *node = (struct kernfs_node *)address;
	struct unit_path path = {.node = node, .text = text};
	struct unit_name name = {.text = text};
	const char *from;
	long length = 0;
	char first = 0;

	if (!node || BPF_CORE_READ(node, id) != unit->cgroup_id)
		return 0;
	bpf_loop(CGROUP_DEPTH_MAX, climb, &path, 0);
	if (path.node)
		return 0;
	text[0] = 0;
	if (path.unit) {
		node = path.unit;
		from = BPF_CORE_READ(node, name);
		bpf_probe_read_kernel(&first, 1, from);
		/* cg_unescape() */
		if (first == '_')
			from++;
		length = bpf_probe_read_kernel_str(text, POLICY_TEXT_LEN, from);
		if (length < 0 || length >= POLICY_TEXT_LEN)
			return 0;
		bpf_loop(POLICY_TEXT_LEN, check_unit_name, &name, 0);
		if (name.bad || !(ENDS_IN(text, length, ".service") || ENDS_IN(text, length, ".scope") ||
				  ENDS_IN(text, length, ".socket") || ENDS_IN(text, length, ".mount") ||
				  ENDS_IN(text, length, ".swap")))
			text[0] = 0;
	}
	bpf_probe_read_kernel_str(unit->unit, sizeof(unit->unit), text);
	barrier();
	unit->unit_known = 1;
	return 0;
}

struct unit_match {
	const struct policy_bank *bank;
	const struct enforcer_unit *unit;
	struct policy_sets sets;
};

static long match_unit(__u32 i, struct unit_match *m)
{
	const struct policy_rule *rule;
	bool yes = true, maybe = true;

	if (i >= POLICY_RULES_MAX)
		return 1;
	if (!(m->bank->by_process >> i & 1))
		return 0;
	rule = &m->bank->rules[i];
	if (rule->unit.length) {
		yes = m->unit->unit_known && text_matches(&rule->unit, m->unit->unit);
		maybe = yes || !m->unit->unit_known;
	}
	if (maybe && rule->machine.length) {
		bool matches = m->unit->machine_known && text_matches(&rule->machine, m->unit->machine);

		maybe = matches || !m->unit->machine_known;
		yes = yes && matches;
	}
	if (yes)
		m->sets.yes |= 1ULL << i;
	else if (maybe)
		m->sets.maybe |= 1ULL << i;
	return 0;
}

static const struct enforcer_unit new_unit;

static __always_inline struct enforcer_unit *unit_get(__u64 cgroup_id)
{
	struct enforcer_unit *unit = bpf_map_lookup_elem(&units, &cgroup_id);

	if (unit)
		return unit->cgroup_id == cgroup_id ? unit : NULL;
	bpf_map_update_elem(&units, &cgroup_id, &new_unit, BPF_NOEXIST);
	unit = bpf_map_lookup_elem(&units, &cgroup_id);
	if (unit && !unit->cgroup_id)
		unit->cgroup_id = cgroup_id;
	return unit;
}

/* Rules whose unit and machine match; what cannot be told may match. @text is scratch. */
static __noinline int unit_sets(struct policy_sets *sets, const struct policy_bank *bank, __u64 generation,
				__u64 node, char *text)
{
	__u64 cgroup_id = BPF_CORE_READ((struct kernfs_node *)node, id), cached;
	struct unit_match m = {.bank = bank};
	struct enforcer_unit *unit;

	sets->yes = ~bank->by_process;
	sets->maybe = bank->by_process;
	unit = cgroup_id ? unit_get(cgroup_id) : NULL;
	if (!unit)
		return 0;
	if (!unit->unit_known)
		unit_fill(unit, text, node);
	cached = unit->generation;
	barrier();
	m.sets = unit->sets;
	if (cached != generation) {
		m.unit = unit;
		m.sets.yes = m.sets.maybe = 0;
		bpf_loop(POLICY_RULES_MAX, match_unit, &m, 0);
		unit->generation = 0;
		barrier();
		unit->sets = m.sets;
		barrier();
		unit->generation = generation;
	} else if (unit->generation != generation) {
		return 0;
	}
	if (unit->cgroup_id != cgroup_id)
		return 0;
	sets->yes |= m.sets.yes;
	sets->maybe = m.sets.maybe;
	return 0;
}

struct user_match {
	const struct policy_bank *bank;
	__u64 other; /* rules for somebody else */
	__u32 uid;
};

static long match_user(__u32 i, struct user_match *m)
{
	if (i >= POLICY_RULES_MAX)
		return 1;
	if (m->bank->rules[i].by_uid && m->bank->rules[i].uid != m->uid)
		m->other |= 1ULL << i;
	return 0;
}

/* What the selectors of a process are matched against. */
struct selected {
	__u64 generation; /* of the policy */
	__u64 node;       /* of its cgroup, address of the kernfs_node; 0: unknown */
	char *text;       /* scratch, POLICY_TEXT_LEN bytes */
	__u32 uid, source;
};

/* Rules that match this process and source. */
static __noinline int party_sets(struct policy_sets *sets, const struct policy_bank *bank,
				 const struct selected *by)
{
	struct user_match m = {.bank = bank, .uid = by->uid};

	sets->yes = ~0ULL;
	sets->maybe = 0;
	if (bank->by_process) {
		unit_sets(sets, bank, by->generation, by->node, by->text);
		bpf_loop(POLICY_RULES_MAX, match_user, &m, 0);
	}
	m.other |= ~bank->sources[by->source < SOURCE_TYPES ? by->source : SOURCE_OTHER];
	sets->yes &= ~m.other;
	sets->maybe &= ~m.other;
	return 0;
}

#endif
