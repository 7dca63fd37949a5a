// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "cleanup.h"
#include "core/claim.h"
#include "identity.h"

/* Command lines of libvirt have some 10 KiB. */
#define COMMAND_LINE_MAX 65536

/* How often it is looked again while the process executes one program after the other. */
#define TRIES 3

/* What is too long is cut. */
static void keep_text(char *field, size_t size, const char *text)
{
	memcpy(field, text, strnlen(text, size));
}

/* What is too long is unknown. */
static void keep_whole(char *field, size_t size, const char *text)
{
	if (strlen(text) < size)
		memcpy(field, text, strlen(text));
}

/* Kernel threads and processes that are gone have none. */
static void read_exe(uint32_t tgid, char exe[EVENT_PATH_LEN])
{
	char path[64];
	ssize_t n;

	memset(exe, 0, EVENT_PATH_LEN);
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/exe", tgid);
	n = readlink(path, exe, EVENT_PATH_LEN);
	if (n < 0)
		exe[0] = 0;
}

/* Bytes of the command line; 0: none, or too long. */
static size_t read_command_line(uint32_t tgid, char line[COMMAND_LINE_MAX])
{
	_cleanup_(closefd) int fd = -1;
	size_t size = 0;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/cmdline", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (size < COMMAND_LINE_MAX && (n = read(fd, line + size, COMMAND_LINE_MAX - size)) > 0)
		size += n;
	return size < COMMAND_LINE_MAX ? size : 0;
}

/* A path that fills its field may have been cut. Else what the process calls itself tells how it reads its
 * arguments. */
static void read_claim(uint32_t tgid, const char exe[EVENT_PATH_LEN], struct claim *claim)
{
	static char line[COMMAND_LINE_MAX + 1];
	size_t size = read_command_line(tgid, line);
	const char *program = line, *slash;
	char path[EVENT_PATH_LEN + 1] = {};

	line[size] = '\0';
	memcpy(path, exe, EVENT_PATH_LEN);
	if (path[0] && strlen(path) < EVENT_PATH_LEN)
		program = path;
	slash = strrchr(program, '/');
	claim_read(slash ? slash + 1 : program, line, size, claim);
}

/* The program, and what it was told to do: of one and the same exec. */
static void read_program(const struct event_process_id *who, struct event_identity *identity,
			 char exe[EVENT_PATH_LEN])
{
	struct claim claim = {};
	uint64_t image, after;

	for (unsigned int i = 0; i < TRIES; i++) {
		process_image(who->tgid, who->start_ns, &image);
		read_exe(who->tgid, exe);
		read_claim(who->tgid, exe, &claim);
		identity->image = image;
		if (!process_image(who->tgid, who->start_ns, &after) || after == image)
			break;
		memset(&claim, 0, sizeof(claim));
	}
	keep_whole(identity->claimed, sizeof(identity->claimed), claim.name);
	keep_whole(identity->uuid, sizeof(identity->uuid), claim.uuid);
}

/* What the system manager and systemd-machined say of the cgroup that the process is in. */
static void read_cgroup(uint32_t tgid, struct event_identity *identity, struct event_process *process)
{
	_cleanup_(freep) char *unit = NULL, *slice = NULL, *user_unit = NULL, *machine = NULL;
	char scope[MACHINE_NAME_MAX + 1] = {};
	bool libvirt = false;

	if (sd_pid_get_unit(tgid, &unit) >= 0) {
		keep_text(process->unit, sizeof(process->unit), unit);
		libvirt = libvirt_scope(unit, scope);
	}
	if (sd_pid_get_slice(tgid, &slice) >= 0)
		keep_whole(identity->slice, sizeof(identity->slice), slice);
	if (sd_pid_get_user_unit(tgid, &user_unit) >= 0)
		keep_whole(identity->user_unit, sizeof(identity->user_unit), user_unit);
	if (sd_pid_get_machine_name(tgid, &machine) >= 0 && machine[0]) {
		keep_text(process->machine, sizeof(process->machine), machine);
		identity->machine_source = MACHINE_MACHINED;
	} else if (libvirt) {
		keep_text(process->machine, sizeof(process->machine), scope);
		identity->machine_source = MACHINE_LIBVIRT_SCOPE;
	}
	if (libvirt)
		libvirt_domain(scope, identity->claimed, identity->domain);
}

int process_read(const struct event_process_id *who, uint64_t now_ns, struct event *identity,
		 struct event *ret)
{
	event_scanned(identity, EVENT_IDENTITY, now_ns);
	event_scanned(ret, EVENT_PROCESS, now_ns);
	identity->header.who = ret->header.who = *who;
	read_program(who, &identity->identity, ret->process.exe);
	read_cgroup(who->tgid, &identity->identity, &ret->process);
	return process_is_still(who->tgid, who->start_ns) ? 0 : -ESRCH;
}

bool process_machine_changed(uint32_t tgid, const char *machine)
{
	_cleanup_(freep) char *unit = NULL, *now = NULL;
	char scope[MACHINE_NAME_MAX + 1] = {};

	if (sd_pid_get_machine_name(tgid, &now) >= 0 && now[0])
		return strncmp(now, machine, EVENT_NAME_LEN) != 0;
	if (sd_pid_get_unit(tgid, &unit) >= 0 && libvirt_scope(unit, scope))
		return strcmp(scope, machine) != 0;
	return machine[0];
}
