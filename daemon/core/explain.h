/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_EXPLAIN_H
#define VFIOWATCH_CORE_EXPLAIN_H

/*
 * `vfiowatch explain`: everything the ledger knows of one byte: who maps it, through which cookie, the type
 * asked for and the effective one, by which way of the kernel, what else overlaps, and what that means.
 */

#include <json-c/json.h>

#include "core/model.h"
#include "core/snapshot.h"

/*
 * What is asked for, as the command line has it: "PID ADDR" (an address of a process) or "BDF", "BDF:BAR",
 * "BDF:BAR+OFF" (a device, one of its BARs, a byte of it; OFF and ADDR in C notation, BDF also without
 * domain).
 */
enum explain_kind { EXPLAIN_ADDRESS, EXPLAIN_DEVICE };

struct explain_subject {
	enum explain_kind kind;
	uint32_t pid;
	uint64_t address;
	char device[EVENT_NAME_LEN + 1];
	uint32_t region; /* EVENT_REGION_UNKNOWN: the whole device */
	uint64_t offset; /* in the BAR */
	bool offset_given;
};

/*
 * Parses @words, n of them. Returns NULL, or what is wrong and what to write instead (static text).
 */
const char *explain_parse(char *const *words, size_t n, struct explain_subject *ret);

/*
 * The answer as one JSON object:
 *   `subject`   the question in its normal form
 *   `device`, `region`, `offset`, `phys`  of the byte asked for; null if not known or not one byte
 *   `mappings`  rows of snapshot_mappings() that cover it, each with `piece` {start, end, phys_start, type,
 * populated} at that byte and `path` (the way through the kernel, a sentence) `cookies`   rows of the cookies
 * through which they were made, or that name the region `conflicts` rows of active findings that concern it
 *   `lint`      rows of the same device and region
 *   `reservations` [{phys_start, phys_end, requested, given, pid, comm, time}]
 *   `text`      array of sentences for people, in order; they tell all of the above
 * NULL: out of memory. A subject that nothing is known of is an answer too: its text says so, and why.
 */
struct json_object *explain(const struct model *model, const struct snapshot_clock *clock,
			    const struct explain_subject *subject);

#endif
