/* SPDX-License-Identifier: GPL-2.0-or-later */

/* source/modules.c: symbols from a kallsyms file, modules from a sysfs tree. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source/modules.h"
#include "source/targets.h"

static char directory[64];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/vfiowatch-modules.XXXXXX");
	assert_non_null(mkdtemp(directory));
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static const char *make(const char *name, const char *text)
{
	static char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (!text) {
		assert_int_equal(mkdir(path, 0755), 0);
		return path;
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void test_symbols(void **state)
{
	struct kernel_symbol symbols[] = {
		{"vfio", "vfio_device_fops_mmap", 1},
		{"vfio", "built_in", 1},
		{"vfio", "of_another", 1},
		{"vfio", "absent", 1},
	};
	const char *path = make("kallsyms", "ffffffff81000000 T built_in\n"
					    "not a symbol\n"
					    "\n"
					    "ffffffffc0401010 t of_another\t[vfio_pci]\n"
					    "ffffffffc0401020 t vfio_device_fops_mmap\t[vfio]\n"
					    "ffffffffc0401030 t vfio_device_fops_mmap.cold\t[vfio]\n");

	(void)state;
	assert_int_equal(kernel_symbols_find(path, symbols, 4), 0);
	assert_int_equal(symbols[0].address, 0xffffffffc0401020);
	assert_int_equal(symbols[1].address, 0xffffffff81000000);
	assert_int_equal(symbols[2].address, 0);
	assert_int_equal(symbols[3].address, 0);
	assert_int_equal(kernel_symbols_find("/nonexistent", symbols, 4), -ENOENT);
}

static void test_presence(void **state)
{
	(void)state;
	/* This machine's kernel is not asked: the directories decide. */
	make("module", NULL);
	make("module/vfio", NULL);
	make("module/vfio/initstate", "coming\n");
	make("module/vfio/holders", NULL);
	assert_int_equal(module_presence(directory, &target_modules[0]), MODULE_MOVING);
	make("module/vfio/initstate", "going\n");
	assert_int_equal(module_presence(directory, &target_modules[0]), MODULE_MOVING);
	make("module/vfio/initstate", "");
	assert_int_equal(module_presence(directory, &target_modules[0]), MODULE_MOVING);
	make("module/vfio/initstate", "live\n");
	assert_int_equal(module_presence(directory, &target_modules[0]), MODULE_LIVE);
	assert_false(module_in_use(directory, &target_modules[0]));
	make("module/vfio/holders/vfio_pci_core", "");
	assert_true(module_in_use(directory, &target_modules[0]));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_presence),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
