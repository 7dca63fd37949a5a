/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_TARGETS_H
#define VFIOWATCH_SOURCE_TARGETS_H

/* What the recording programs and the enforcer's are attached to. */

#include <stdbool.h>
#include <stddef.h>

struct target {
	const char *program;  /* name in bpf/record.bpf.c, bpf/pages.bpf.c or bpf/enforce.bpf.c */
	const char *kind;     /* fentry, fexit, fmod_ret or lsm */
	const char *module;   /* where the function is; "vmlinux": the kernel proper */
	const char *function; /* of lsm: the hook */
	bool required;        /* else a kernel without it does without it */
	const char *purpose;  /* what is seen or decided there, for people */
};

/* Of recording. */
#define N_TARGETS 19
extern const struct target targets[N_TARGETS];

/*
 * Of the enforcer, in the order in which they are attached: what keeps its tables true first, what decides
 * last. Of the kinds lsm and fmod_ret a kernel gets one. Copies of a program stand in for each other,
 * as the kernel skips one that is running already on the CPU.
 */
#define N_ENFORCER_TARGETS 51
extern const struct target enforcer_targets[N_ENFORCER_TARGETS];

/* True if it decides on requests, instead of keeping the tables true. */
bool target_decides(const struct target *target);

/* Modules that must be live, in the order they are loaded. */
struct target_module {
	const char *name;
	const char *function; /* in the BTF of the kernel proper if the module is built in */
};

#define N_TARGET_MODULES 2
extern const struct target_module target_modules[N_TARGET_MODULES];

#endif
