// SPDX-License-Identifier: GPL-2.0-or-later
/* Names by command lines, and by the scopes of libvirt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/claim.h"

#define UUID "0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e60"

/* Spaces end arguments; an argument with spaces is in none of these. */
struct line {
	const char *program, *text, *name, *uuid;
};

static struct claim read_bytes(const char *program, const char *bytes, size_t size)
{
	/* on the heap, so that the sanitizer sees a byte too far */
	char *line = malloc(size ? size : 1);
	struct claim claim;

	assert_non_null(line);
	memcpy(line, bytes, size);
	memset(&claim, 0xff, sizeof(claim));
	claim_read(program, line, size, &claim);
	free(line);
	return claim;
}

static struct claim read_text(const char *program, const char *text)
{
	size_t size = strlen(text) + 1;
	char *line = strdup(text);
	struct claim claim;

	assert_non_null(line);
	for (size_t i = 0; i < size; i++)
		if (line[i] == ' ')
			line[i] = '\0';
	claim = read_bytes(program, line, size);
	free(line);
	return claim;
}

static void expect_lines(const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct claim claim = read_text(lines[i].program, lines[i].text);

		if (strcmp(claim.name, lines[i].name) != 0 ||
		    strcmp(claim.uuid, lines[i].uuid ? lines[i].uuid : "") != 0)
			fail_msg("%s: got '%s' and '%s', want '%s' and '%s'", lines[i].text, claim.name,
				 claim.uuid, lines[i].name, lines[i].uuid ? lines[i].uuid : "");
	}
}

#define EXPECT(lines) expect_lines(lines, sizeof(lines) / sizeof(lines[0]))

static void test_qemu(void **state)
{
	static const struct line lines[] = {
		/* by hand on Debian */
		{"qemu-system-x86_64",
		 "qemu-system-x86_64 -name web -enable-kvm -m 4G -device vfio-pci,host=01:00.0", "web", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 --name web -m 4G disk.qcow2", "web", NULL},
		{"qemu-system-aarch64",
		 "qemu-system-aarch64 -M virt -cpu host -nographic -name arm,process=vm-arm", "arm", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -m 4G disk.qcow2", "", NULL},
		/* libvirt 9 */
		{"qemu-system-x86_64",
		 "/usr/bin/qemu-system-x86_64 -name guest=tenant-gpu,debug-threads=on -S -object "
		 "{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\",\"file\":\"/var/lib/"
		 "libvirt/qemu/"
		 "domain-3-tenant-gpu/master-key.aes\"} -machine "
		 "pc-q35-7.2,usb=off,vmport=off,dump-guest-core=off,memory-backend=pc.ram -accel kvm -cpu "
		 "host,migratable=on -m 8192 -overcommit mem-lock=off -smp 4,sockets=4,cores=1,threads=1 "
		 "-uuid " UUID
		 " -no-user-config -nodefaults -chardev socket,id=charmonitor,fd=33,server=on,wait=off -mon "
		 "chardev=charmonitor,id=monitor,mode=control -rtc base=utc,driftfix=slew -no-shutdown -boot "
		 "strict=on -device {\"driver\":\"vfio-pci\",\"host\":\"0000:3b:00.0\",\"id\":\"hostdev0\"} "
		 "-msg "
		 "timestamp=on",
		 "tenant-gpu", UUID},
		/* an older one: guest= came with QEMU 2.x, -name NAME before */
		{"qemu-kvm",
		 "/usr/libexec/qemu-kvm -name rhel7 -S -machine pc-i440fx-rhel7.0.0,accel=kvm -uuid " UUID,
		 "rhel7", UUID},
		/* KubeVirt */
		{"qemu-kvm", "/usr/libexec/qemu-kvm -name guest=default_vmi-gpu,debug-threads=on -S",
		 "default_vmi-gpu", NULL},
		/* Proxmox: /usr/bin/kvm is a link to it */
		{"qemu-system-x86_64",
		 "/usr/bin/kvm -id 100 -name web01,debug-threads=on -no-shutdown -chardev "
		 "socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off -mon "
		 "chardev=qmp,mode=control -pidfile "
		 "/var/run/qemu-server/100.pid -daemonize -smbios type=1,uuid=" UUID
		 " -smp 4,sockets=1 -nodefaults",
		 "web01", UUID},
		{"kvm", "/usr/bin/kvm -id 101 -name db,debug-threads=on -smbios type=2,uuid=" UUID, "db",
		 NULL},
		/* what is in a value is no option */
		{"qemu-system-x86_64", "qemu-system-x86_64 -append -name -kernel other -name mine", "mine",
		 NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -fw_cfg -name other", "", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -nographic -S -s -name mine", "mine", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 disk -name mine -uuid nonsense", "mine", NULL},
		/* the last one holds; a comma is doubled in a value */
		{"qemu-system-x86_64", "qemu-system-x86_64 -name one -name guest=two", "two", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name one -name debug-threads=on", "one", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name guest=a,,b,debug-threads=on", "a,b", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name a,,guest=b", "a,guest=b", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name process=p,guest=late", "late", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name debug-threads=on,late", "", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name guest=", "", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name guest=a=b", "a=b", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name", "", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name ,", "", NULL},
		{"qemu-system-x86_64", "-name no-options-in-argv0", "", NULL},
		{"qemu-system-x86_64 (deleted)", "qemu-system-x86_64 -name upgraded", "upgraded", NULL},
		{"qemu-img", "qemu-img -name none", "", NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -uuid 0B4D2C5E-7A31-4D57-9D0A-1C2B3A4F5E60", "",
		 UUID},
		{"qemu-system-x86_64", "qemu-system-x86_64 -uuid 0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e6g", "",
		 NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -uuid 0b4d2c5e07a31-4d57-9d0a-1c2b3a4f5e60", "",
		 NULL},
		{"qemu-system-x86_64", "qemu-system-x86_64 -name=no", "", NULL},
	};

	(void)state;
	EXPECT(lines);
}

static void test_others(void **state)
{
	static const struct line lines[] = {
		{"cloud-hypervisor", "cloud-hypervisor --api-socket /run/ch/tenant-7.sock --kernel vmlinux",
		 "tenant-7", NULL},
		{"cloud-hypervisor",
		 "cloud-hypervisor --api-socket path=/run/ch/tenant-7.sock --platform "
		 "num_pci_segments=2,uuid=" UUID,
		 "tenant-7", UUID},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket=/run/libvirt/ch/vm1-socket", "vm1", NULL},
		{"cloud-hypervisor",
		 "/opt/kata/bin/cloud-hypervisor --api-socket /run/vc/vm/4f2a9c/clh-api.sock", "4f2a9c",
		 NULL},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket /tmp/cloud-hypervisor.sock", "", NULL},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket ch.sock", "", NULL},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket fd=5", "", NULL},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket", "", NULL},
		{"cloud-hypervisor", "cloud-hypervisor --api-socket /", "", NULL},
		{"crosvm", "crosvm run --name android --cpus 4 vmlinux", "android", NULL},
		{"crosvm", "crosvm --log-level run run --name=android vmlinux", "android", NULL},
		{"crosvm", "crosvm run -s /run/vm/vm.Ab12/crosvm.sock vmlinux", "vm.Ab12", NULL},
		{"crosvm", "crosvm run --name one --socket /run/two.sock vmlinux", "one", NULL},
		{"crosvm", "crosvm run --socket /run/two.sock --name one vmlinux", "one", NULL},
		{"crosvm", "crosvm stop --name one", "", NULL},
		{"dpdk-testpmd", "dpdk-testpmd -l 0-3 -n 4 -a 0000:3b:00.0 --file-prefix tenant1 -- -i",
		 "tenant1", NULL},
		{"dpdk-testpmd", "dpdk-testpmd -l 0-3 --file-prefix=tenant2 -- --nb-cores=2", "tenant2",
		 NULL},
		{"dpdk-l3fwd", "dpdk-l3fwd -l 1,2 -- -p 3 --file-prefix=not-for-eal", "", NULL},
		{"pktgen", "pktgen --file-prefix pg --file-prefix", "pg", NULL},
		{"spdk_tgt", "spdk_tgt -m 0x3 -i 2 -r /var/tmp/spdk2.sock", "spdk2", NULL},
		{"nvmf_tgt", "/usr/local/bin/nvmf_tgt --shm-id=07", "spdk7", NULL},
		{"vhost", "vhost -i0 -m 0x1", "spdk0", NULL},
		{"spdk_nvme_perf", "spdk_nvme_perf -i -1 -q 128", "", NULL},
		{"spdk_tgt", "spdk_tgt -m -i -i x", "", NULL},
		{"spdk_tgt", "spdk_tgt -i 99999999999", "", NULL},
		{"spdk_tgt", "spdk_tgt -i 1 --env-context=--file-prefix=own", "", NULL},
		{"spdk_tgt", "spdk_tgt -m 0x3", "", NULL},
		{"bash", "bash -c true", "", NULL},
		{"", "x", "", NULL},
	};

	(void)state;
	EXPECT(lines);
}

/* What /proc/PID/cmdline can hold as well. */
static void test_hostile_bytes(void **state)
{
	static const char escape[] = "qemu-system-x86_64\0-name\0guest=\x1b[31m\nPRIORITY=0\xff\xc3";
	static const char holes[] = "qemu-system-x86_64\0\0\0-name\0\0";
	char longest[2 * EVENT_NAME_LEN + 64], *large;
	size_t head = sizeof("kvm\0-name"), size = 2 << 20;

	(void)state;
	/* The name is kept as it is: whoever shows it makes it safe. It ends with the line, without a zero.
	 */
	assert_string_equal(read_bytes("qemu-kvm", escape, sizeof(escape) - 1).name,
			    "\x1b[31m\nPRIORITY=0\xff\xc3");
	assert_string_equal(read_bytes("qemu-kvm", holes, sizeof(holes)).name, "");
	assert_string_equal(read_bytes("qemu-kvm", "", 0).name, "");
	assert_string_equal(read_bytes("qemu-kvm", "\0", 1).name, "");
	/* A title without zeroes, as setproctitle() leaves it, has no arguments. */
	assert_string_equal(read_bytes("qemu-kvm", "kvm: -name x", 12).name, "");

	/* A name that does not fit is none, not the beginning of one. */
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "kvm\0-name", head);
	assert_int_equal(strlen(read_bytes("kvm", longest, head + 2 * EVENT_NAME_LEN - 1).name),
			 2 * EVENT_NAME_LEN - 1);
	assert_string_equal(read_bytes("kvm", longest, head + 2 * EVENT_NAME_LEN).name, "");

	large = malloc(size);
	assert_non_null(large);
	memset(large, ',', size);
	memcpy(large, "kvm\0-name", head);
	assert_string_equal(read_bytes("kvm", large, size).name, "");
	memset(large + head, 0, size - head);
	assert_string_equal(read_bytes("kvm", large, size).name, "");
	free(large);
}

static void test_scopes(void **state)
{
	static const struct {
		const char *unit, *machine;
	} units[] = {
		{"machine-qemu\\x2d3\\x2dtenant\\x2dgpu.scope", "qemu-3-tenant-gpu"},
		{"machine-lxc\\x2d812\\x2dc1.scope", "lxc-812-c1"},
		{"machine-ch\\x2d1\\x2dvm.one.scope", "ch-1-vm.one"},
		{"machine-qemu\\x2d3.scope", NULL},
		{"machine-qemu\\x2d\\x2dvm.scope", NULL},
		{"machine-qemu\\x2dx\\x2dvm.scope", NULL},
		{"machine-fedora\\x2d39\\x2dserver.scope", NULL},
		{"machine-qemu-3-vm.scope", NULL},
		{"machine-qemu\\x2d3\\x2d\\x1b.scope", NULL},
		{"machine-qemu\\x2d3\\x2dvm\\x2.scope", NULL},
		{"machine-qemu\\x2d3\\x2dvm\\.scope", NULL},
		{"machine-qemu\\x2d3\\x2dvm.service", NULL},
		{"machine-.scope", NULL},
		{"machine-qemu\\x2d3\\x2d0123456789012345678901234567890123456789012345678901234567.scope",
		 NULL},
		{"", NULL},
	};
	char machine[MACHINE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		bool is = libvirt_scope(units[i].unit, machine);

		if (is != (units[i].machine != NULL) || (is && strcmp(machine, units[i].machine) != 0))
			fail_msg("%s: got %s", units[i].unit, is ? machine : "none");
	}
}

static void test_domains(void **state)
{
	static const char full[] = "qemu-3-0123456789012345678901234567890123456789012345678901234x";
	static const struct {
		const char *machine, *claimed, *domain;
	} domains[] = {
		{"qemu-3-web", "web", "web"},
		{"qemu-3-web", "", "web"},
		/* what libvirt leaves out comes from the command line .. */
		{"qemu-3-web1", "web 1", "web 1"},
		{"qemu-3-default-vmi", "default-vmi_", "default-vmi_"},
		{"qemu-3-a-b", "-a-_-b-.", "-a-_-b-."},
		{"qemu-3-a--b", "a-_-b", "a-_-b"},
		/* .. if libvirt would have made that of it */
		{"qemu-3-web", "other", "web"},
		{"qemu-3-web", "web2", "web"},
		/* the end was cut: whole only from the command line */
		{full, "", NULL},
		{full, "0123456789012345678901234567890123456789012345678901234x",
		 "0123456789012345678901234567890123456789012345678901234x"},
		{"vm1", "vm1", NULL},
		{"", "", NULL},
	};
	char domain[2 * EVENT_NAME_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		bool is = libvirt_domain(domains[i].machine, domains[i].claimed, domain);

		if (is != (domains[i].domain != NULL) || (is && strcmp(domain, domains[i].domain) != 0))
			fail_msg("%s and %s: got %s", domains[i].machine, domains[i].claimed,
				 is ? domain : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qemu),          cmocka_unit_test(test_others),
		cmocka_unit_test(test_hostile_bytes), cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
