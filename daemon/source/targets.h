/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_TARGETS_H
#define VFIOWATCH_SOURCE_TARGETS_H

/* What the recording programs are attached to. */

#include <stdbool.h>
#include <stddef.h>

struct target {
	const char *program; /* name in bpf/record.bpf.c or bpf/pages.bpf.c */
	const char *kind;    /* fentry or fexit */
	const char *module;  /* where the function is; "vmlinux": the kernel proper */
	const char *function;
	bool required;       /* else a kernel without it does without it */
	const char *purpose; /* what is seen there, for people */
};

#define N_TARGETS 19
extern const struct target targets[N_TARGETS];

/* Modules that must be live, in the order they are loaded. */
struct target_module {
	const char *name;
	const char *function; /* in the BTF of the kernel proper if the module is built in */
};

#define N_TARGET_MODULES 2
extern const struct target_module target_modules[N_TARGET_MODULES];

#endif
