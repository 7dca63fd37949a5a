/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How libvirt names machines: virDomainDriverGenerateMachineName(). */
#include "core/claim.h"

#include <string.h>

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a unit's name as systemd escapes it; 0: it can be none of a machine's. */
static char next_character(const char **at, const char *end)
{
	const char *text = *at;
	char c = text[0];

	*at = text + 1;
	if (c == '\\') {
		if (end - text < 4 || text[1] != 'x' || hex_value(text[2]) < 0 || hex_value(text[3]) < 0)
			return 0;
		c = hex_value(text[2]) << 4 | hex_value(text[3]);
		*at = text + 4;
		return c == '-' ? c : 0;
	}
	return is_letter_or_digit(c) || c == '.' ? c : 0;
}

/* Behind "DRIVER-ID-"; NULL: not of libvirt. */
static const char *name_part(const char *machine)
{
	static const char *const drivers[] = {"qemu-", "lxc-", "ch-"};

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		size_t length = strlen(drivers[i]), digits;

		if (strncmp(machine, drivers[i], length) != 0)
			continue;
		digits = strspn(machine + length, "0123456789");
		if (digits && machine[length + digits] == '-' && machine[length + digits + 1])
			return machine + length + digits + 1;
	}
	return NULL;
}

bool libvirt_scope(const char *unit, char machine[MACHINE_NAME_MAX + 1])
{
	static const char prefix[] = "machine-", suffix[] = ".scope";
	size_t length = strlen(unit), n = 0;
	const char *at, *end;

	memset(machine, 0, MACHINE_NAME_MAX + 1);
	if (length < sizeof(prefix) + sizeof(suffix) || strncmp(unit, prefix, sizeof(prefix) - 1) != 0)
		return false;
	at = unit + sizeof(prefix) - 1;
	end = unit + length - (sizeof(suffix) - 1);
	if (strcmp(end, suffix) != 0)
		return false;
	while (at < end) {
		char c = next_character(&at, end);

		if (!c || n == MACHINE_NAME_MAX)
			return false;
		machine[n++] = c;
	}
	machine[n] = '\0';
	return name_part(machine);
}

/*
 * Whether libvirt makes @machine of @name behind the first @prefix bytes. Up to version 8 a character that is
 * left out ended a run of dots and hyphens all the same (@loose).
 */
static bool makes(const char *machine, size_t prefix, const char *name, bool loose)
{
	char made[MACHINE_NAME_MAX + 1] = {};
	size_t n = prefix;
	bool skip = true;

	memcpy(made, machine, prefix);
	for (; *name && n < MACHINE_NAME_MAX; name++) {
		if (*name == '.' || *name == '-') {
			if (!skip)
				made[n++] = *name;
			skip = true;
		} else if (is_letter_or_digit(*name)) {
			made[n++] = *name;
			skip = false;
		} else if (loose) {
			skip = false;
		}
	}
	while (n > 0 && (made[n - 1] == '-' || made[n - 1] == '.'))
		made[--n] = '\0';
	return strcmp(made, machine) == 0;
}

bool libvirt_domain(const char *machine, const char *claimed, char domain[2 * EVENT_NAME_LEN])
{
	size_t length = strnlen(machine, MACHINE_NAME_MAX + 1);
	const char *name = length <= MACHINE_NAME_MAX ? name_part(machine) : NULL;

	memset(domain, 0, 2 * EVENT_NAME_LEN);
	if (!name)
		return false;
	if (claimed[0] && strlen(claimed) < 2 * EVENT_NAME_LEN &&
	    (makes(machine, name - machine, claimed, false) ||
	     makes(machine, name - machine, claimed, true))) {
		strcpy(domain, claimed);
		return true;
	}
	/* Of one that may have been cut only the beginning is known. */
	if (length >= MACHINE_NAME_MAX - 1)
		return false;
	strcpy(domain, name);
	return true;
}
