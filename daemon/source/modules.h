/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_SOURCE_MODULES_H
#define VFIOWATCH_SOURCE_MODULES_H

/* What /sys/module and /proc/kallsyms say about the modules we attach to. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfiowatch/event.h"

/* Symbols of the kernel and its modules with their addresses, for root. */
#define KALLSYMS "/proc/kallsyms"

struct target;
struct target_module;

enum module_presence {
	MODULE_ABSENT,
	MODULE_MOVING, /* coming or going */
	MODULE_LIVE,   /* usable, also if built in */
};

/*
 * @sys: where sysfs is mounted. A module that is built in may have no directory there: then the kernel's BTF
 * is read, once in the life of the process.
 */
enum module_presence module_presence(const char *sys, const struct target_module *module);

/* The same of a module that is not built in: MODULE_ABSENT if it is. */
enum module_presence module_state(const char *sys, const char *name);

/*
 * Modules that use @name, at most @max of them; a name that is too long for a module is none. Returns how
 * many, or -ENOENT if there is no such module or it is built in.
 */
int module_holders(const char *sys, const char *name, char (*holders)[EVENT_MODULE_LEN], int max);

/* True if another module uses @module, or if it is built in (then it cannot go away). */
bool module_in_use(const char *sys, const struct target_module *module);

/*
 * Which of these @n functions the kernel's BTF has; a built-in module's are in the BTF of the kernel proper.
 * Of an LSM hook it is the one that BPF programs are attached to. 0, or a negative errno if the kernel has no
 * BTF.
 */
int kernel_functions_find(const struct target *targets, size_t n, bool *exists);

struct kernel_symbol {
	const char *module; /* as kallsyms tells; a built-in symbol matches too */
	const char *name;
	uint64_t address; /* result, 0: not found */
};

/* Looks up @n symbols in one pass over @kallsyms (a path). 0, or a negative errno if it cannot be read. */
int kernel_symbols_find(const char *kallsyms, struct kernel_symbol *symbols, size_t n);

#endif
