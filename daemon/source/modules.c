// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/modules.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "source/targets.h"

static bool btf_has_function(const struct btf *btf, const char *name)
{
	return btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

/* What is built in never changes. */
static bool is_built_in(const struct target_module *module)
{
	static bool known, built_in[N_TARGET_MODULES];

	if (!known) {
		_cleanup_(btf_freep) struct btf *vmlinux = btf__load_vmlinux_btf();

		for (size_t i = 0; i < N_TARGET_MODULES; i++)
			built_in[i] = btf_has_function(vmlinux, target_modules[i].function);
		known = true;
	}
	return built_in[module - target_modules];
}

enum module_presence module_state(const char *sys, const char *name)
{
	char path[PATH_MAX], state[16] = "";
	_cleanup_(closefile) FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/module/%s/initstate", sys, name);
	file = fopen(path, "re");
	if (!file)
		return MODULE_ABSENT;
	if (!fgets(state, sizeof(state), file))
		return MODULE_MOVING;
	return strncmp(state, "live", 4) == 0 ? MODULE_LIVE : MODULE_MOVING;
}

enum module_presence module_presence(const char *sys, const struct target_module *module)
{
	enum module_presence state = module_state(sys, module->name);

	return state == MODULE_ABSENT && is_built_in(module) ? MODULE_LIVE : state;
}

int module_holders(const char *sys, const char *name, char (*holders)[EVENT_MODULE_LEN], int max)
{
	char path[PATH_MAX];
	_cleanup_(closedirectory) DIR *directory = NULL;
	struct dirent *entry;
	int n = 0;

	snprintf(path, sizeof(path), "%s/module/%s/holders", sys, name);
	directory = opendir(path);
	if (!directory)
		return -ENOENT;
	while (n < max && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < EVENT_MODULE_LEN)
			strcpy(holders[n++], entry->d_name);
	return n;
}

bool module_in_use(const char *sys, const struct target_module *module)
{
	char holder[1][EVENT_MODULE_LEN];
	int n = module_holders(sys, module->name, holder, 1);

	return n < 0 ? is_built_in(module) : n > 0;
}

static bool btf_has_target(const struct btf *btf, const struct target *target)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", strcmp(target->kind, "lsm") == 0 ? "bpf_lsm_" : "",
		 target->function);
	return btf_has_function(btf, name);
}

int kernel_functions_find(const struct target *targets, size_t n, bool *exists)
{
	_cleanup_(btf_freep) struct btf *vmlinux = btf__load_vmlinux_btf();
	_cleanup_(btf_freep) struct btf *own = NULL;
	const char *loaded = NULL;

	if (!vmlinux)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		exists[i] = btf_has_target(vmlinux, &targets[i]);
		if (exists[i] || strcmp(targets[i].module, "vmlinux") == 0)
			continue;
		if (!loaded || strcmp(loaded, targets[i].module) != 0) {
			btf__free(own);
			loaded = targets[i].module;
			own = btf__load_module_btf(loaded, vmlinux);
		}
		exists[i] = btf_has_target(own, &targets[i]);
	}
	return 0;
}

/* The name in a line "ADDRESS T NAME\t[MODULE]", which is cut after it; *ret_module is what follows. */
static char *symbol_name(char *line, char **ret_module)
{
	char *name = strchr(line, ' '), *end;

	if (!name || !name[1] || !name[2])
		return NULL;
	name += 3;
	end = name + strcspn(name, "\t\n");
	*ret_module = *end == '\t' ? end + 1 : end;
	*end = 0;
	return name;
}

static bool symbol_is(const struct kernel_symbol *symbol, const char *name, const char *module)
{
	size_t length = strlen(symbol->module);

	if (strcmp(symbol->name, name) != 0)
		return false;
	return *module != '[' ||
	       (strncmp(module + 1, symbol->module, length) == 0 && module[length + 1] == ']');
}

/* The file has some hundred thousand lines, so only those that match are looked at closely. */
int kernel_symbols_find(const char *kallsyms, struct kernel_symbol *symbols, size_t n)
{
	_cleanup_(closefile) FILE *file = fopen(kallsyms, "re");
	char line[512], buffer[64 * 1024], *name, *module;

	if (!file)
		return -errno;
	setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	for (size_t i = 0; i < n; i++)
		symbols[i].address = 0;
	while (fgets(line, sizeof(line), file)) {
		name = symbol_name(line, &module);
		for (size_t i = 0; name && i < n; i++)
			if (symbol_is(&symbols[i], name, module))
				symbols[i].address = strtoull(line, NULL, 16);
	}
	return ferror(file) ? -EIO : 0;
}
