/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_CLAIM_H
#define VFIOWATCH_CORE_CLAIM_H

/*
 * What names say of a machine: the command line of a process, which says whatever the process wants (a claim,
 * to be shown as one and to decide nothing), and the scope of a libvirt domain, which the system manager
 * made.
 */

#include <stdbool.h>
#include <stddef.h>

#include "vfiowatch/event.h"

#define CLAIM_UUID_LEN 36

struct claim {
	char name[2 * EVENT_NAME_LEN]; /* raw bytes, terminated; empty: none, or too long for a name */
	char uuid[CLAIM_UUID_LEN + 1]; /* in lower case; empty: none */
};

/*
 * Reads the @size bytes of a command line as /proc/PID/cmdline has them, each argument with a zero behind it,
 * the way @program would: the file name of the executable. What is no argument to @program is none here.
 *
 *   qemu-system-*, qemu-kvm, kvm   -name [guest=]NAME[,..]; -uuid, or uuid= of -smbios type=1
 *   cloud-hypervisor               --api-socket [path=]PATH, and uuid= of --platform
 *   crosvm                         run --name NAME, else --socket or -s PATH
 *   spdk_*, nvmf_tgt, iscsi_tgt, vhost
 *                                  --shm-id or -i ID: "spdkID", the prefix of its files
 *   anything else (DPDK)           --file-prefix NAME, before "--"
 *
 * The name by a socket is its file name without .sock, .socket or -socket; if that is only what the program
 * or its API is called, the name of the directory (Kata: /run/vc/vm/ID/clh-api.sock).
 */
void claim_read(const char *program, const char *line, size_t size, struct claim *ret);

/* Names of machines, as systemd-machined takes them: of letters, digits, dots and hyphens. */
#define MACHINE_NAME_MAX 64

/*
 * True if @unit is the scope of a libvirt domain, "machine-qemu\x2dID\x2dNAME.scope" (also lxc and ch):
 * @machine is then the name by which libvirt registers it, "qemu-ID-NAME".
 */
bool libvirt_scope(const char *unit, char machine[MACHINE_NAME_MAX + 1]);

/*
 * The domain that libvirt registered as @machine (which may be of anything). That name leaves out what a host
 * name cannot have, and its end if it is too long: so @claimed, the name by the command line, is taken if
 * libvirt would register it like that, else the part in @machine, if it can be whole. False: not one of
 * libvirt's, or unknown.
 */
bool libvirt_domain(const char *machine, const char *claimed, char domain[2 * EVENT_NAME_LEN]);

#endif
