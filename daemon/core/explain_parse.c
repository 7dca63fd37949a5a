/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/explain.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Domains are 32 bits wide, buses 8, devices 5, functions 3. */
#define DOMAIN_DIGITS 8

static const char usage[] =
	"what to explain is missing: write PID ADDR, or BDF[:BAR[+OFF]] such as 0000:3b:00.0:2+0x1000";
static const char bad_pid[] = "the first of two words is no process id: write PID ADDR, PID in decimal";
static const char bad_address[] = "ADDR is no number: write it in C notation with 0x, such as 0x7f1200000000";
static const char bad_device[] = "the device is no PCI address: write BDF such as 0000:3b:00.0 or 3b:00.0";
static const char bad_bar[] = "the BAR is not 0 to 5: write BDF:BAR such as 0000:3b:00.0:2";
static const char bad_offset[] =
	"OFF is no number: write BDF:BAR+OFF with OFF in C notation, such as 0000:3b:00.0:2+0x1000";

/* All of @text, in C notation. strtoull() would also take space and a sign. */
static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno == 0 && *end == '\0';
}

static bool parse_pid(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long long pid;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	pid = strtoull(text, &end, 10);
	*ret = pid;
	return errno == 0 && *end == '\0' && pid > 0 && pid <= INT32_MAX;
}

/* At most @digits hexadecimal digits, at least one, and then @after. Moves @text behind that. */
static bool parse_hex(const char **text, size_t digits, char after, unsigned long *ret)
{
	size_t n = strspn(*text, "0123456789abcdefABCDEF");

	if (n == 0 || n > digits || (*text)[n] != after)
		return false;
	*ret = strtoul(*text, NULL, 16);
	*text += n + (after != '\0');
	return true;
}

/* [DOMAIN:]BUS:DEVICE. and the digit of the function. */
static bool parse_bdf(const char **text, struct explain_subject *ret)
{
	const char *at = *text, *first_colon = strchr(at, ':'), *dot = strchr(at, '.'), *second_colon;
	unsigned long domain = 0, bus, device;

	if (!first_colon || !dot || first_colon > dot)
		return false;
	second_colon = strchr(first_colon + 1, ':');
	if (second_colon && second_colon < dot && !parse_hex(&at, DOMAIN_DIGITS, ':', &domain))
		return false;
	if (!parse_hex(&at, 2, ':', &bus) || !parse_hex(&at, 2, '.', &device) || device > 0x1f ||
	    at[0] < '0' || at[0] > '7')
		return false;
	snprintf(ret->device, sizeof(ret->device), "%04lx:%02lx:%02lx.%c", domain, bus, device, at[0]);
	*text = at + 1;
	return true;
}

static const char *parse_device(const char *text, struct explain_subject *ret)
{
	if (!parse_bdf(&text, ret))
		return bad_device;
	if (*text == '\0')
		return NULL;
	if (*text != ':')
		return bad_device;
	text++;
	if (text[0] < '0' || text[0] >= '0' + EVENT_BARS || (text[1] != '\0' && text[1] != '+'))
		return bad_bar;
	ret->region = text[0] - '0';
	if (text[1] == '\0')
		return NULL;
	ret->offset_given = true;
	return parse_number(text + 2, &ret->offset) ? NULL : bad_offset;
}

const char *explain_parse(char *const *words, size_t n, struct explain_subject *ret)
{
	*ret = (struct explain_subject){.region = EVENT_REGION_UNKNOWN};
	if (n == 1) {
		ret->kind = EXPLAIN_DEVICE;
		return parse_device(words[0], ret);
	}
	if (n != 2)
		return usage;
	ret->kind = EXPLAIN_ADDRESS;
	if (!parse_pid(words[0], &ret->pid))
		return bad_pid;
	return parse_number(words[1], &ret->address) ? NULL : bad_address;
}
