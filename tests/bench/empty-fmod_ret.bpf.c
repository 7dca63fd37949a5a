// SPDX-License-Identifier: GPL-2.0-or-later

/* The same where the kernel does not run BPF LSM programs. */

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("fmod_ret/security_mmap_file")
int empty_mmap(void *ctx)
{
	return 0;
}

SEC("fmod_ret/security_file_ioctl")
int empty_ioctl(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
