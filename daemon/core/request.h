/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CORE_REQUEST_H
#define VFIOWATCH_CORE_REQUEST_H

/* A request that the enforcer decided (EVENT_REQUEST), in words. */

#include "core/ledger.h"

/* Whether all its numbers are in their ranges; what ledger_apply() takes. */
bool request_is_good(const struct event_request *request);

/* Words of the JSON contract: "deny", "kill" (denied by a rule that says so), "log", "allow". */
const char *request_verdict_name(const struct event_request *request);

/* "mmap", "cookie"; NULL outside the enum. */
const char *request_what_name(unsigned int what);

/* The device file that was mapped, or that the DMABUF was exported from; NULL: unknown or none. */
const struct device_file *request_file(const struct ledger *ledger, const struct event_request *request);

/* The device as the event names it, else as @ledger knows the file; empty: unknown. */
void request_device(const struct ledger *ledger, const struct event_request *request,
		    char name[EVENT_NAME_LEN + 1]);

/*
 * One or two sentences for an operator: who asked for what, what became of it, and why. All text in it is
 * safe (text_escape()). Cut at @size. Returns @out.
 */
char *request_explain(const struct ledger *ledger, const struct event *event, char *out, size_t size);

#endif
