/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a command line of each program, and as the names of a unit and a machine: only bytes of the
 * input come out, whole, within their fields, and the same ones again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/claim.h"
#include "fuzz.h"

static const char *const programs[] = {"qemu-system-x86_64", "kvm (deleted)", "cloud-hypervisor", "crosvm",
				       "spdk_tgt",           "dpdk-testpmd"};

/* Words that random bytes would not find; a byte of the input picks one. */
static const char *const words[] = {
	"-name",
	"-uuid",
	"guest=",
	"-smbios",
	"type=1,uuid=",
	"--api-socket",
	"path=",
	"--platform",
	"run",
	"--name",
	"-s",
	"--socket",
	"-i",
	"--shm-id",
	"--file-prefix",
	"--",
	"0b4d2c5e-7a31-4d57-9d0a-1c2b3a4f5e60",
	"clh-api.sock",
	"-S",
	",,",
};

#define WORDS    (sizeof(words) / sizeof(words[0]))
#define LINE_MAX 65536

static bool is_uuid(const char *text)
{
	return !text[0] ||
	       (strlen(text) == CLAIM_UUID_LEN && strspn(text, "0123456789abcdef-") == CLAIM_UUID_LEN);
}

/* Bytes from 0x80 on stand for a word, the odd ones with a zero behind it. */
static size_t expand(const uint8_t *data, size_t size, char *line)
{
	size_t used = 0;

	for (size_t i = 0; i < size; i++) {
		const char *word = words[data[i] / 2 % WORDS];

		if (used + 64 > LINE_MAX)
			break;
		if (data[i] < 0x80) {
			line[used++] = data[i];
			continue;
		}
		memcpy(line + used, word, strlen(word));
		used += strlen(word);
		if (data[i] & 1)
			line[used++] = '\0';
	}
	return used;
}

static void check_line(const char *program, const char *line, size_t size)
{
	struct claim claim, again;

	memset(&claim, 0xff, sizeof(claim));
	memset(&again, 0, sizeof(again));
	claim_read(program, line, size, &claim);
	claim_read(program, line, size, &again);
	REQUIRE(memcmp(&claim, &again, sizeof(claim)) == 0);
	REQUIRE(memchr(claim.name, 0, sizeof(claim.name)) && memchr(claim.uuid, 0, sizeof(claim.uuid)));
	REQUIRE(is_uuid(claim.uuid));
	/* Only a comma that was doubled and the prefix of SPDK are not as they are in the line. */
	if (claim.name[0] && !strchr(claim.name, ',') && strncmp(claim.name, "spdk", 4) != 0)
		REQUIRE(memmem(line, size, claim.name, strlen(claim.name)));
}

static void check_names(const char *unit, const char *claimed)
{
	char machine[MACHINE_NAME_MAX + 1], domain[2 * EVENT_NAME_LEN];

	if (libvirt_scope(unit, machine)) {
		REQUIRE(strlen(machine) <= MACHINE_NAME_MAX);
		REQUIRE(strspn(machine, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
			strlen(machine));
	}
	if (libvirt_domain(unit, claimed, domain))
		REQUIRE(strcmp(domain, claimed) == 0 || strstr(unit, domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LINE_MAX];
	char *exact, unit[512] = "machine-qemu\\x2d3\\x2d", machine[256] = "qemu-3-";
	size_t length = expand(data, size, line);

	/* of that size on the heap, so that the sanitizer sees a byte too far */
	exact = malloc(length + 1);
	REQUIRE(exact);
	memcpy(exact, line, length);
	exact[length] = '\0';
	exact = realloc(exact, length ? length : 1);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		check_line(programs[i], exact, length);
	free(exact);

	length = size < 200 ? size : 200;
	memcpy(unit + strlen(unit), data, length);
	strcat(unit, ".scope");
	memcpy(machine + strlen(machine), data, length);
	check_names(unit, machine);
	check_names(machine, machine + 7);
	return 0;
}
