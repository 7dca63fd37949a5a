// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/report.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "source/enforcer.h"
#include "source/kernel_facts.h"
#include "source/modules.h"
#include "source/targets.h"

enum answer { NO, YES, OPEN };

static void add_check(struct json_object *checks, const char *name, enum answer ok, const char *detail,
		      const char *remedy)
{
	struct json_object *check = json_object_new_object();

	json_object_object_add(check, "name", json_object_new_string(name));
	json_object_object_add(check, "ok", ok == OPEN ? NULL : json_object_new_boolean(ok == YES));
	json_object_object_add(check, "detail", json_object_new_string(detail));
	json_object_object_add(check, "remedy", ok == YES ? NULL : json_object_new_string(remedy));
	json_object_array_add(checks, check);
}

static void check_kernel(struct json_object *checks)
{
	struct utsname name;

	if (uname(&name) == 0)
		add_check(checks, "kernel", YES, name.release, "");
	add_check(checks, "root", geteuid() == 0 ? YES : NO,
		  geteuid() == 0 ? "running as root" : "not running as root",
		  "run as root, or as a service with CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN");
}

static void check_btf(struct json_object *checks, const char *sys)
{
	char path[PATH_MAX];
	bool there;

	snprintf(path, sizeof(path), "%s/kernel/btf/vmlinux", sys);
	there = access(path, R_OK) == 0;
	add_check(checks, "btf", there ? YES : NO, there ? "the kernel describes its types" : "no kernel BTF",
		  "use a kernel built with CONFIG_DEBUG_INFO_BTF=y and CONFIG_DEBUG_INFO_BTF_MODULES=y");
}

static void check_lockdown(struct json_object *checks, const char *sys)
{
	bool confidential = kernel_is_confidential(sys);

	add_check(checks, "lockdown", confidential ? NO : YES,
		  confidential ? "BPF programs may not read kernel memory: nothing can be recorded or denied"
			       : "BPF programs may read kernel memory",
		  LOCKDOWN_REMEDY);
}

static void check_bpffs(struct json_object *checks, const char *pin_directory)
{
	char copy[PATH_MAX], detail[PATH_MAX + 32];
	struct statfs fs;
	bool there;

	snprintf(copy, sizeof(copy), "%s", pin_directory);
	there = statfs(dirname(copy), &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
	snprintf(detail, sizeof(detail), "%s is %s BPF file system", copy, there ? "on a" : "not on a");
	add_check(checks, "bpffs", there ? YES : NO, detail, "mount -t bpf bpf /sys/fs/bpf");
}

static bool check_modules(struct json_object *checks, const char *sys)
{
	char name[64];
	bool all = true;

	for (size_t i = 0; i < N_TARGET_MODULES; i++) {
		bool live = module_presence(sys, &target_modules[i]) == MODULE_LIVE;

		snprintf(name, sizeof(name), "module %s", target_modules[i].name);
		add_check(checks, name, live ? YES : OPEN, live ? "loaded" : "not loaded",
			  "recording begins by itself when a VFIO driver is loaded, for example: modprobe "
			  "vfio-pci");
		all = all && live;
	}
	return all;
}

static void check_functions(struct json_object *checks, bool modules_loaded)
{
	bool exists[N_TARGETS] = {};
	char name[128], detail[192];
	int r;

	r = kernel_functions_find(targets, N_TARGETS, exists);
	for (size_t i = 0; i < N_TARGETS; i++) {
		bool found = r == 0 && exists[i];
		enum answer ok = found || !targets[i].required ? YES : NO;

		if (!found && !modules_loaded && strcmp(targets[i].module, "vmlinux") != 0)
			ok = OPEN;
		snprintf(name, sizeof(name), "%s/%s", targets[i].kind, targets[i].function);
		snprintf(detail, sizeof(detail), "%s: %s", targets[i].purpose,
			 found                 ? "can be seen"
			 : ok == OPEN          ? "its module is not loaded"
			 : targets[i].required ? "this kernel has no such function"
					       : "this kernel has no such function and does without it");
		add_check(checks, name, ok, detail,
			  ok == OPEN ? "load the module"
				     : "please report this kernel; it needs an attach point of its own");
	}
}

static void check_symbols(struct json_object *checks, bool modules_loaded)
{
	struct kernel_symbol symbols[] = {
		{"vfio", "vfio_device_fops_mmap", 0},
		{"vfio_pci_core", "vfio_pci_mmap_ops", 0},
	};
	static const char *const purpose[] = {"to tell VFIO files from others",
					      "to know the physical range of a mapping"};
	char name[128];

	if (kernel_symbols_find(KALLSYMS, symbols, 2) < 0)
		modules_loaded = false;
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "symbol %s", symbols[i].name);
		add_check(checks, name,
			  symbols[i].address ? YES
			  : modules_loaded   ? NO
					     : OPEN,
			  purpose[i],
			  modules_loaded ? "use a kernel with CONFIG_KALLSYMS_ALL=y, and run as root"
					 : "load the module, and run as root");
	}
}

/* A kernel does without BPF LSM if the other way works. */
static void check_enforcement(struct json_object *checks, const char *sys)
{
	const char *reason = LOCKDOWN_REMEDY;
	bool lsm = enforcer_lsm_active(),
	     works = !kernel_is_confidential(sys) && enforcer_probe(&reason) == 0;

	add_check(checks, "BPF LSM", lsm || works ? YES : NO,
		  lsm     ? "the kernel runs BPF LSM programs"
		  : works ? "the kernel runs no BPF LSM programs (lsm= without bpf) and does without them"
			  : "the kernel runs no BPF LSM programs",
		  "boot with bpf in lsm= (CONFIG_BPF_LSM=y); it is listed in /sys/kernel/security/lsm");
	add_check(checks, "enforcement", works ? YES : NO,
		  !works ? "requests cannot be denied: a policy with Mode=enforce is refused"
		  : lsm  ? "requests can be denied, by BPF LSM"
			 : "requests can be denied, by fmod_ret programs at the LSM hooks",
		  reason);
}

struct json_object *report_kernel(const char *sys, const char *pin_directory)
{
	struct json_object *report = json_object_new_object(), *checks = json_object_new_array();
	bool loaded;

	if (!report || !checks) {
		json_object_put(report);
		json_object_put(checks);
		return NULL;
	}
	json_object_object_add(report, "checks", checks);
	check_kernel(checks);
	check_btf(checks, sys);
	check_lockdown(checks, sys);
	check_bpffs(checks, pin_directory);
	loaded = check_modules(checks, sys);
	check_functions(checks, loaded);
	check_symbols(checks, loaded);
	check_enforcement(checks, sys);
	return report;
}
