// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "source/enforcer_internal.h"

#define LSM_LIST "/sys/kernel/security/lsm"

/* A list of names with commas between them. */
bool enforcer_lsm_active(void)
{
	_cleanup_(closefile) FILE *file = fopen(LSM_LIST, "re");
	char line[256], *rest = line, *name;

	if (!file || !fgets(line, sizeof(line), file))
		return false;
	while ((name = strsep(&rest, ",\n")))
		if (strcmp(name, "bpf") == 0)
			return true;
	return false;
}

/* Attaches a program that allows everything, and lets it go again. 0 or a negative errno. */
static int try(enum bpf_prog_type type, enum bpf_attach_type attach, const char *hook)
{
	static const struct bpf_insn allow[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int function = libbpf_find_vmlinux_btf_id(hook, attach);
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach);
	_cleanup_(closefd) int program = -1, link = -1;

	if (function < 0)
		return function;
	options.attach_btf_id = function;
	program = bpf_prog_load(type, "vfiowatch_try", "GPL", allow, sizeof(allow) / sizeof(allow[0]),
				&options);
	if (program < 0)
		return -errno;
	link = bpf_raw_tracepoint_open(NULL, program);
	return link < 0 ? -errno : 0;
}

/* What is lacking for the moment says nothing about the kernel. */
bool enforcer_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN ||
	       error == -EINTR;
}

static const char *remedy(int error)
{
	if (enforcer_shortage(error))
		return "this process is short of memory or descriptors: try again, or raise its limits";
	switch (error) {
	case -EPERM:
		return "this process may not load BPF programs that deny: run as root with CAP_BPF, "
		       "CAP_PERFMON and "
		       "CAP_SYS_ADMIN, and without kernel lockdown (lockdown=)";
	case -ENOENT:
	case -ESRCH:
		return "this kernel has no BTF of security_mmap_file: use one with CONFIG_SECURITY=y and "
		       "CONFIG_DEBUG_INFO_BTF=y";
	default:
		return "this kernel denies neither by BPF LSM nor by fmod_ret programs: boot with bpf in "
		       "lsm= "
		       "(CONFIG_BPF_LSM=y), or use a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y";
	}
}

/* fmod_ret works whether or not BPF LSM programs are run, so it is also for those that cannot tell. */
static int try_both(enum enforcer_way *ret)
{
	int r = enforcer_lsm_active() ? try(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "mmap_file") : -EOPNOTSUPP;

	*ret = ENFORCER_LSM;
	if (r == 0 || enforcer_shortage(r))
		return r;
	*ret = ENFORCER_FMOD_RET;
	return try(BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, "security_mmap_file");
}

/* What the kernel can it can until it is booted anew, so it is asked once: clients may ask often (Probe()).
 */
int enforcer_find_way(enum enforcer_way *ret, const char **reason)
{
	static enum enforcer_way way;
	static bool asked;
	static int found;

	if (!asked) {
		found = try_both(&way);
		asked = !enforcer_shortage(found);
	}
	if (found < 0)
		*reason = remedy(found);
	*ret = way;
	return found;
}

int enforcer_probe(const char **reason)
{
	enum enforcer_way way;

	return enforcer_find_way(&way, reason);
}
