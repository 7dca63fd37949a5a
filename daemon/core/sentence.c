/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/sentence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/snapshot.h"

struct sentence sentence_new(char *out, size_t size)
{
	out[0] = '\0';
	return (struct sentence){.out = out, .size = size};
}

/* Takes away a character of which not all bytes are there. */
static void drop_partial(struct sentence *sentence)
{
	size_t at = sentence->length, wanted;
	unsigned char lead;

	while (at > 0 && ((unsigned char)sentence->out[at - 1] & 0xc0) == 0x80)
		at--;
	if (!at)
		return;
	lead = sentence->out[at - 1];
	wanted = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (sentence->length - (at - 1) < wanted)
		sentence->length = at - 1;
	sentence->out[sentence->length] = '\0';
}

void sentence_add(struct sentence *sentence, const char *format, ...)
{
	size_t left = sentence->size - sentence->length;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(sentence->out + sentence->length, left, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	if ((size_t)n < left) {
		sentence->length += n;
		return;
	}
	sentence->length = sentence->size - 1;
	drop_partial(sentence);
	/* Nothing may follow what was cut. */
	sentence->size = sentence->length + 1;
}

void sentence_text(struct sentence *sentence, const char *text, size_t length)
{
	char escaped[4 * EVENT_PATH_LEN + 1];

	length = strnlen(text, length < EVENT_PATH_LEN ? length : EVENT_PATH_LEN);
	sentence_add(sentence, "%s", text_escape(text, length, escaped, sizeof(escaped)));
}

void sentence_process(struct sentence *sentence, const struct process_key *process, const char *comm)
{
	if (!process->tgid) {
		sentence_add(sentence, "an unknown process");
		return;
	}
	sentence_add(sentence, "PID %" PRIu64, process->tgid);
	if (!comm[0])
		return;
	sentence_add(sentence, " (");
	sentence_text(sentence, comm, EVENT_COMM_LEN);
	sentence_add(sentence, ")");
}

void sentence_identity(struct sentence *sentence, const struct process *process)
{
	const struct event_identity *identity = &process->identity;
	enum machine_source source;
	const char *machine = process_machine(process, &source), *before = " of";

	if (process->unit[0]) {
		sentence_add(sentence, "%s unit ", before);
		sentence_text(sentence, process->unit, sizeof(process->unit));
		before = ",";
	}
	if (identity->user_unit[0]) {
		sentence_add(sentence, "%s unit ", before);
		sentence_text(sentence, identity->user_unit, sizeof(identity->user_unit));
		sentence_add(sentence, " of the user's manager");
		before = ",";
	}
	if (machine && source == MACHINE_COMMAND_LINE) {
		sentence_add(sentence, "%s a command line that names machine ", before);
		sentence_text(sentence, machine, SIZE_MAX);
	} else if (machine) {
		sentence_add(sentence, "%s machine ", before);
		sentence_text(sentence, machine, SIZE_MAX);
	}
	if (identity->domain[0]) {
		sentence_add(sentence, " (libvirt domain ");
		sentence_text(sentence, identity->domain, sizeof(identity->domain));
		sentence_add(sentence, ")");
	}
}

void sentence_bytes(struct sentence *sentence, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	sentence_add(sentence, "%" PRIu64 " %s", bytes, units[unit]);
}

static const char *does(enum memtype type)
{
	switch (type) {
	case MEMTYPE_UC:
	case MEMTYPE_UC_MINUS:
	case MEMTYPE_DEVICE:
		return "uncached";
	case MEMTYPE_WC:
		return "write-combining";
	case MEMTYPE_WT:
		return "cached, write-through";
	case MEMTYPE_WP:
		return "cached, write-protected";
	case MEMTYPE_WB:
		return "cached, write-back";
	default:
		return "an unknown memory type";
	}
}

void sentence_type(struct sentence *sentence, enum memtype_arch arch, enum memtype type)
{
	const char *name = memtype_arch_name(arch, type);

	sentence_add(sentence, "%s", does(type));
	if (name)
		sentence_add(sentence, " (%s)", name);
}

void sentence_source(struct sentence *sentence, enum mapping_source source, uint32_t region,
		     enum memtype requested)
{
	switch (source) {
	case SOURCE_VFIO:
		sentence_add(sentence, "VFIO");
		return;
	case SOURCE_DMABUF:
		sentence_add(sentence, "a DMABUF");
		return;
	case SOURCE_DEVMEM:
		sentence_add(sentence, "/dev/mem");
		return;
	case SOURCE_SYSFS:
		sentence_add(sentence, "sysfs");
		if (region < EVENT_BARS)
			sentence_add(sentence, " resource%" PRIu32 "%s", region,
				     requested == MEMTYPE_WC ? "_wc" : "");
		return;
	default:
		sentence_add(sentence, "another driver");
	}
}

void sentence_bar(struct sentence *sentence, const char *device, uint32_t region)
{
	if (!device[0]) {
		sentence_add(sentence, "an unknown device");
		return;
	}
	sentence_text(sentence, device, EVENT_NAME_LEN);
	if (region < EVENT_BARS)
		sentence_add(sentence, " BAR %" PRIu32, region);
	else if (region != EVENT_REGION_UNKNOWN)
		sentence_add(sentence, " region %" PRIu32, region);
}
