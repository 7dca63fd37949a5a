// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/slot.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "cleanup.h"

/* The element that the program is in. */
static const __u32 first = 0;

/* A program of the type of the one described by @info, for the same function, that passes on to @slot. */
static int load_stub(const struct bpf_prog_info *info, enum bpf_attach_type type, int slot)
{
	const struct bpf_insn instructions[] = {
		/* The context is the first argument already; the slot is the second, in two parts .. */
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = slot},
		{.code = 0},
		/* .. and the element the third. */
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = first},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		/* It comes back only from an empty slot. */
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_(closefd) int btf = bpf_btf_get_fd_by_id(info->attach_btf_obj_id);
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type,
		    .attach_btf_id = info->attach_btf_id, .attach_btf_obj_fd = btf);
	int stub;

	if (btf < 0)
		return -errno;
	stub = bpf_prog_load(info->type, info->name, "GPL", instructions,
			     sizeof(instructions) / sizeof(instructions[0]), &options);
	return stub < 0 ? -errno : stub;
}

int slot_new(const char *path, enum bpf_attach_type type, int program)
{
	_cleanup_(closefd) int slot = -1, stub = -1;
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &length) < 0)
		return -errno;
	slot = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "slot", sizeof(first), sizeof(__u32), 1, NULL);
	if (slot < 0)
		return -errno;
	stub = load_stub(&info, type, slot);
	if (stub < 0)
		return stub;
	if (bpf_map_update_elem(slot, &first, &program, BPF_ANY) < 0 ||
	    (unlink(path) < 0 && errno != ENOENT) || bpf_obj_pin(slot, path) < 0)
		return -errno;
	return take_fd(&stub);
}

int slot_put(const char *path, int program)
{
	_cleanup_(closefd) int slot = bpf_obj_get(path);

	return slot < 0 || bpf_map_update_elem(slot, &first, &program, BPF_ANY) < 0 ? -errno : 0;
}
