/* SPDX-License-Identifier: GPL-2.0-or-later */

/* source/pci.c: facts from a sysfs tree, also from an odd one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/pci.h"

static char sys[64];

static void make_directory(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", sys, path);
	assert_int_equal(mkdir(whole, 0755), 0);
}

static void write_file(const char *path, const char *text)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", sys, path);
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_link(const char *path, const char *target)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", sys, path);
	unlink(whole);
	assert_int_equal(symlink(target, whole), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(sys, "/tmp/vfiowatch-pci.XXXXXX");
	assert_non_null(mkdtemp(sys));
	make_directory("bus");
	make_directory("bus/pci");
	make_directory("bus/pci/devices");
	make_directory("bus/pci/devices/0000:3b:00.1");
	make_directory("bus/pci/devices/10000:01:1f.7");
	make_directory("bus/pci/devices/10000:01:1f.7/vfio-dev");
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", sys);
	return system(command);
}

static void test_facts(void **state)
{
	struct event event;

	(void)state;
	write_file("bus/pci/devices/0000:3b:00.1/vendor", "0x10de\n");
	write_file("bus/pci/devices/0000:3b:00.1/device", "0x2330\n");
	write_file("bus/pci/devices/0000:3b:00.1/class", "0x030200\n");
	write_file("bus/pci/devices/0000:3b:00.1/resource",
		   "0x00000000fc000000 0x00000000fcffffff 0x000000000014220c\n"
		   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		   "0x0000380000000000 0x000038ffffffffff 0x000000000014220c\n");
	make_link("bus/pci/devices/0000:3b:00.1/driver", "../../../bus/pci/drivers/vfio-pci");
	make_link("bus/pci/devices/0000:3b:00.1/iommu_group", "../../../kernel/iommu_groups/17");

	assert_int_equal(pci_read(sys, "0000:3b:00.1", 5, &event), 0);
	assert_int_equal(event.header.type, EVENT_DEVICE);
	assert_int_equal(event.header.size, sizeof(event.header) + sizeof(event.device));
	assert_int_equal(event.header.time_ns, 5);
	assert_int_equal(event.device.pci_address, EVENT_PCI_ADDRESS(0, 0x3b, 1));
	assert_int_equal(event.device.present, 1);
	assert_int_equal(event.device.vendor, 0x10de);
	assert_int_equal(event.device.product, 0x2330);
	assert_int_equal(event.device.class_code, 0x030200);
	assert_int_equal(event.device.iommu_group, 17);
	assert_string_equal(event.device.driver, "vfio-pci");
	assert_int_equal(event.device.bars[0].phys_start, 0xfc000000);
	assert_int_equal(event.device.bars[0].size, 16 << 20);
	assert_true(event.device.bars[0].flags & EVENT_BAR_PREFETCH);
	assert_int_equal(event.device.bars[1].size, 0);
	assert_int_equal(event.device.bars[2].size, 1ULL << 40);
}

/* Of all devices, whoever drives them; no I/O ports, no regions beyond the BARs. */
static void test_memory_bars(void **state)
{
	(void)state;
	write_file("bus/pci/devices/0000:3b:00.1/resource",
		   "0x00000000fc000000 0x00000000fcffffff 0x000000000014220c\n"
		   "0x000000000000c000 0x000000000000c01f 0x0000000000040101\n"
		   "0x0000380000000000 0x000038ffffffffff 0x000000000014220c\n"
		   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		   "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
		   "0x00000000fd000000 0x00000000fd000fff 0x0000000000040200\n"
		   "0x00000000fe000000 0x00000000fe00ffff 0x0000000000046200\n");
	make_directory("bus/pci/devices/0000:3c:00.0");
	write_file("bus/pci/devices/0000:3c:00.0/resource",
		   "0x00000000f0000000 0x00000000f0000fff 0x0000000000040200\n");
	assert_int_equal(pci_memory_bars(sys), 4);
	assert_int_equal(pci_memory_bars("/nowhere"), 0);
}

static void test_gone(void **state)
{
	struct event event;

	(void)state;
	assert_int_equal(pci_read(sys, "0000:00:00.0", 0, &event), 0);
	assert_int_equal(event.device.present, 0);
	assert_int_equal(event.device.iommu_group, -1);
}

static void test_odd_contents(void **state)
{
	struct event event;
	char driver[200];

	(void)state;
	memset(driver, 'd', sizeof(driver) - 1);
	driver[sizeof(driver) - 1] = 0;
	write_file("bus/pci/devices/10000:01:1f.7/vendor", "");
	write_file("bus/pci/devices/10000:01:1f.7/resource",
		   "0x10 0x0f 0x200\nnot numbers\n0xfffffffffffffffffffff 1 1\n0x1000 0x1fff 0x200\n");
	make_link("bus/pci/devices/10000:01:1f.7/driver", driver);
	make_link("bus/pci/devices/10000:01:1f.7/iommu_group", "x7");
	assert_int_equal(pci_read(sys, "10000:01:1f.7", 0, &event), 0);
	assert_int_equal(event.device.pci_address, EVENT_PCI_ADDRESS(0x10000, 1, 0xff));
	assert_int_equal(event.device.vendor, 0);
	assert_int_equal(event.device.iommu_group, -1);
	assert_int_equal(event.device.bars[0].size, 0);
	assert_int_equal(event.device.bars[1].size, 0);
	assert_int_equal(event.device.bars[3].size, 0x1000);
	assert_int_equal(strnlen(event.device.driver, sizeof(event.device.driver)), EVENT_NAME_LEN - 1);
}

static void test_not_an_address(void **state)
{
	static const char *const names[] = {"",
					    "vfio-mdev",
					    "0000:3b:00",
					    "0000:3b:00.8",
					    "0000:3b:20.0",
					    "0000:3b:00.1x",
					    "../../../etc/passwd"};
	struct event event;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_not_equal(pci_read(sys, names[i], 0, &event), 0);
}

static void count_device(void *userdata, const char *name)
{
	assert_string_equal(name, "10000:01:1f.7");
	(*(int *)userdata)++;
}

static void test_enumerate(void **state)
{
	int found = 0;

	(void)state;
	assert_int_equal(pci_enumerate(sys, count_device, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(pci_enumerate("/nonexistent", count_device, &found), 0);
	assert_int_equal(found, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),          cmocka_unit_test(test_memory_bars),
		cmocka_unit_test(test_gone),           cmocka_unit_test(test_odd_contents),
		cmocka_unit_test(test_not_an_address), cmocka_unit_test(test_enumerate),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
