/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_SENTENCE_H
#define VFIOWATCH_CORE_SENTENCE_H

/*
 * Text for people, put together piece by piece into a buffer of the caller. What does not fit is cut at a
 * whole character. Names of processes and the like go through text_escape(), so all of it is safe for a
 * terminal.
 */

#include <stddef.h>
#include <stdint.h>

#include "core/ledger.h"

struct sentence {
	char *out;
	size_t size, length;
};

/* Begins with an empty text. @size is above 0. */
struct sentence sentence_new(char *out, size_t size);

/* Appends; of the arguments only numbers and text that is safe. */
void sentence_add(struct sentence *sentence, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Any bytes, up to the first zero. */
void sentence_text(struct sentence *sentence, const char *text, size_t length);

/* "PID 812 (qemu)"; "an unknown process" for tgid 0. */
void sentence_process(struct sentence *sentence, const struct process_key *process, const char *comm);

/* " of unit vm.scope, machine web": after sentence_process(), as far as known. */
void sentence_identity(struct sentence *sentence, const struct process *process);

/* "64 KiB": in the largest unit that leaves a whole number. */
void sentence_bytes(struct sentence *sentence, uint64_t bytes);

/* "write-combining (WC)": what it does and the architecture's own name. */
void sentence_type(struct sentence *sentence, enum memtype_arch arch, enum memtype type);

/* The file or interface a mapping was made through: "sysfs resource2_wc", "VFIO", "/dev/mem". */
void sentence_source(struct sentence *sentence, enum mapping_source source, uint32_t region,
		     enum memtype requested);

/* "0000:00:01.0 BAR 2", as far as known. */
void sentence_bar(struct sentence *sentence, const char *device, uint32_t region);

#endif
