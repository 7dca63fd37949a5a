/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/claim.h"

#include <string.h>

struct text {
	const char *at;
	size_t length;
};

/* What is left of a command line. */
struct arguments {
	const char *at, *end;
};

static bool next_argument(struct arguments *arguments, struct text *ret)
{
	size_t left = arguments->end - arguments->at;

	if (!left)
		return false;
	*ret = (struct text){arguments->at, strnlen(arguments->at, left)};
	arguments->at += ret->length < left ? ret->length + 1 : left;
	return true;
}

static bool is(struct text text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.at, word, text.length) == 0;
}

static bool begins(struct text text, const char *word)
{
	return text.length >= strlen(word) && memcmp(text.at, word, strlen(word)) == 0;
}

static bool ends(struct text text, const char *word)
{
	size_t length = strlen(word);

	return text.length >= length && memcmp(text.at + text.length - length, word, length) == 0;
}

static struct text behind(struct text text, size_t length)
{
	return (struct text){text.at + length, text.length - length};
}

static bool is_one_of(struct text text, const char *const *words)
{
	for (; *words; words++)
		if (is(text, *words))
			return true;
	return false;
}

/* What does not fit is no name: a part of it would be another one. */
static void put_name(struct claim *claim, struct text name)
{
	memset(claim->name, 0, sizeof(claim->name));
	if (name.length < sizeof(claim->name))
		memcpy(claim->name, name.at, name.length);
}

/* "--name VALUE" or "--name=VALUE" */
static bool long_option(struct arguments *arguments, struct text argument, const char *name,
			struct text *value)
{
	if (is(argument, name))
		return next_argument(arguments, value);
	if (!begins(argument, name) || argument.at[strlen(name)] != '=')
		return false;
	*value = behind(argument, strlen(name) + 1);
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static void put_uuid(struct claim *claim, struct text text)
{
	char uuid[CLAIM_UUID_LEN + 1] = {};

	memset(claim->uuid, 0, sizeof(claim->uuid));
	if (text.length != CLAIM_UUID_LEN)
		return;
	for (size_t i = 0; i < text.length; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		uuid[i] = text.at[i] >= 'A' && text.at[i] <= 'F' ? text.at[i] - 'A' + 'a' : text.at[i];
		if (hyphen ? uuid[i] != '-' : !is_hex(uuid[i]))
			return;
	}
	memcpy(claim->uuid, uuid, sizeof(uuid));
}

/* The value of @key in "key=value,.."; brackets and quotes are not looked into. */
static bool take_key(struct text text, const char *key, struct text *value)
{
	while (text.length) {
		size_t length = 0;

		while (length < text.length && text.at[length] != ',')
			length++;
		*value = (struct text){text.at, length};
		if (begins(*value, key)) {
			*value = behind(*value, strlen(key));
			return true;
		}
		text = behind(text, length < text.length ? length + 1 : length);
	}
	return false;
}

/* -- QEMU -- */

/* A value of QemuOpts up to the next single comma, two are one. The text behind it is what is left. */
static struct text take_value(struct text *text, char *out, size_t size)
{
	size_t length = 0;

	while (text->length) {
		if (text->at[0] == ',') {
			if (text->length < 2 || text->at[1] != ',')
				break;
			*text = behind(*text, 1);
		}
		if (length < size)
			out[length] = text->at[0];
		length++;
		*text = behind(*text, 1);
	}
	if (text->length)
		*text = behind(*text, 1);
	return (struct text){out, length};
}

/* [guest=]NAME[,process=..][,debug-threads=..]: only the first may be without its key. */
static void read_qemu_name(struct text text, struct claim *claim)
{
	char value[sizeof(claim->name)];
	bool first = true;

	while (text.length) {
		size_t key = 0;
		bool guest;

		while (key < text.length && text.at[key] != '=' && text.at[key] != ',')
			key++;
		if (key < text.length && text.at[key] == '=') {
			guest = is((struct text){text.at, key}, "guest");
			text = behind(text, key + 1);
		} else {
			guest = first;
		}
		first = false;
		/* what is longer than value is not looked at by put_name() */
		if (guest)
			put_name(claim, take_value(&text, value, sizeof(value)));
		else
			take_value(&text, value, sizeof(value));
	}
}

/* Options of all versions of QEMU that are no HAS_ARG in qemu-options.hx: every other one has a value. */
static const char *const qemu_flags[] = {
	"S",
	"alt-grab",
	"async-teardown",
	"audio-help",
	"ctrl-grab",
	"curses",
	"daemonize",
	"enable-fips",
	"enable-hax",
	"enable-kvm",
	"enable-sync-profile",
	"full-screen",
	"h",
	"help",
	"localtime",
	"mem-prealloc",
	"no-acpi",
	"no-fd-bootchk",
	"no-frame",
	"no-hpet",
	"no-kvm",
	"no-kvm-irqchip",
	"no-kvm-pit",
	"no-kvm-pit-reinjection",
	"no-quit",
	"no-reboot",
	"no-shutdown",
	"no-user-config",
	"nodefaults",
	"nodefconfig",
	"nographic",
	"nouserconfig",
	"old-param",
	"one-insn-per-tb",
	"only-migratable",
	"portrait",
	"preconfig",
	"rtc-td-hack",
	"s",
	"sdl",
	"semihosting",
	"singlestep",
	"snapshot",
	"std-vga",
	"tdf",
	"usb",
	"version",
	"win2k-hack",
	"xen-attach",
	"xen-create",
	"xen-domid-restrict",
	NULL,
};

/* The last one of an option holds. Proxmox gives the UUID by SMBIOS. */
static void read_qemu(struct arguments *arguments, struct claim *claim)
{
	struct text option, value, type, uuid;

	while (next_argument(arguments, &option)) {
		/* a disk image */
		if (!begins(option, "-") || option.length < 2)
			continue;
		option = behind(option, option.at[1] == '-' ? 2 : 1);
		if (is_one_of(option, qemu_flags) || !next_argument(arguments, &value))
			continue;
		if (is(option, "name"))
			read_qemu_name(value, claim);
		else if (is(option, "uuid"))
			put_uuid(claim, value);
		else if (is(option, "smbios") && take_key(value, "type=", &type) && is(type, "1") &&
			 take_key(value, "uuid=", &uuid))
			put_uuid(claim, uuid);
	}
}

/* -- programs with a socket to control them -- */

static struct text file_name(struct text path)
{
	size_t at = path.length;

	while (at && path.at[at - 1] != '/')
		at--;
	return behind(path, at);
}

static struct text directory_of(struct text path)
{
	path.length -= file_name(path).length;
	while (path.length && path.at[path.length - 1] == '/')
		path.length--;
	return path;
}

static struct text without_end(struct text text, const char *end)
{
	if (ends(text, end))
		text.length -= strlen(end);
	return text;
}

static void put_socket(struct claim *claim, struct text path)
{
	/* what tells no machine from another */
	static const char *const files[] = {"api",
					    "ch",
					    "ch-api",
					    "clh",
					    "clh-api",
					    "cloud-hypervisor",
					    "cloud-hypervisor-api",
					    "control",
					    "crosvm",
					    "crosvm_control",
					    "vm",
					    "vmm",
					    NULL};
	static const char *const directories[] = {"", "/run", "/tmp", "/var/run", "/var/tmp", NULL};
	struct text name = file_name(path);

	name = without_end(without_end(without_end(name, ".sock"), ".socket"), "-socket");
	if (is_one_of(name, files)) {
		struct text directory = directory_of(path);

		name = is_one_of(directory, directories) ? (struct text){path.at, 0} : file_name(directory);
	}
	put_name(claim, name);
}

static void read_cloud_hypervisor(struct arguments *arguments, struct claim *claim)
{
	struct text argument, value, path;

	while (next_argument(arguments, &argument)) {
		if (long_option(arguments, argument, "--api-socket", &value)) {
			if (take_key(value, "path=", &path))
				put_socket(claim, path);
			else if (!begins(value, "fd="))
				put_socket(claim, value);
		} else if (long_option(arguments, argument, "--platform", &value) &&
			   take_key(value, "uuid=", &path)) {
			put_uuid(claim, path);
		}
	}
}

static void read_crosvm(struct arguments *arguments, struct claim *claim)
{
	struct text argument, value;
	bool run = false, named = false;

	while (next_argument(arguments, &argument)) {
		if (!run) {
			run = is(argument, "run");
			if (is(argument, "--log-level") || is(argument, "--syslog-tag"))
				next_argument(arguments, &value);
		} else if (long_option(arguments, argument, "--name", &value)) {
			put_name(claim, value);
			named = true;
		} else if ((is(argument, "-s") && next_argument(arguments, &value)) ||
			   long_option(arguments, argument, "--socket", &value)) {
			if (!named)
				put_socket(claim, value);
		}
	}
}

/* -- DPDK and SPDK -- */

static void read_dpdk(struct arguments *arguments, struct claim *claim)
{
	struct text argument, value;

	while (next_argument(arguments, &argument) && !is(argument, "--"))
		if (long_option(arguments, argument, "--file-prefix", &value))
			put_name(claim, value);
}

/* The prefix that SPDK gives DPDK; without an id, or with a negative one, it has the pid in it and names
 * nobody. */
static void put_shm_id(struct claim *claim, struct text id)
{
	char name[16] = "spdk";

	memset(claim->name, 0, sizeof(claim->name));
	while (id.length > 1 && id.at[0] == '0')
		id = behind(id, 1);
	if (!id.length || id.length > 10)
		return;
	for (size_t i = 0; i < id.length; i++)
		if (id.at[i] < '0' || id.at[i] > '9')
			return;
	memcpy(name + 4, id.at, id.length);
	put_name(claim, (struct text){name, 4 + id.length});
}

static void read_spdk(struct arguments *arguments, struct claim *claim)
{
	/* short options with a value, as SPDK's own (SPDK_APP_GETOPT_STRING) */
	static const char *const others[] = {"-c", "-e", "-m", "-n", "-p", "-r",
					     "-s", "-A", "-B", "-L", "-W", NULL};
	struct text argument, value;
	bool own_prefix = false;

	while (next_argument(arguments, &argument) && !is(argument, "--")) {
		if (is_one_of(argument, others))
			next_argument(arguments, &value);
		else if (long_option(arguments, argument, "--shm-id", &value) ||
			 (is(argument, "-i") && next_argument(arguments, &value)))
			put_shm_id(claim, value);
		else if (begins(argument, "-i"))
			put_shm_id(claim, behind(argument, 2));
		else if (long_option(arguments, argument, "--env-context", &value))
			own_prefix = own_prefix || memmem(value.at, value.length, "--file-prefix", 13);
	}
	if (own_prefix)
		memset(claim->name, 0, sizeof(claim->name));
}

void claim_read(const char *program, const char *line, size_t size, struct claim *ret)
{
	static const char *const spdk[] = {"nvmf_tgt", "iscsi_tgt", "vhost", NULL};
	static const char *const qemu[] = {"kvm", "qemu", "qemu-kvm", NULL};
	struct arguments arguments = {line, line + size};
	struct text name = {program, strlen(program)}, itself;

	memset(ret, 0, sizeof(*ret));
	/* an upgrade replaced the file */
	name = without_end(name, " (deleted)");
	if (!next_argument(&arguments, &itself))
		return;
	if (begins(name, "qemu-system-") || is_one_of(name, qemu))
		read_qemu(&arguments, ret);
	else if (is(name, "cloud-hypervisor"))
		read_cloud_hypervisor(&arguments, ret);
	else if (is(name, "crosvm"))
		read_crosvm(&arguments, ret);
	else if (begins(name, "spdk_") || is_one_of(name, spdk))
		read_spdk(&arguments, ret);
	else
		read_dpdk(&arguments, ret);
}
