// SPDX-License-Identifier: GPL-2.0-or-later

/* The least that a program on the enforcer's hooks can cost: it allows everything. */

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("lsm/mmap_file")
int empty_mmap(void *ctx)
{
	return 0;
}

SEC("lsm/file_ioctl")
int empty_ioctl(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
