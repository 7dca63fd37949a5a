/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_WHEN_H
#define VFIOWATCH_CLI_WHEN_H

/* Points in time, as people write them and as rows carry them. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Parses "-5min" (also us, ms, s, h, d, w, and sums such as "-1h 30min") before @now_ns, "@UNIX[.fraction]",
 * "now", or RFC 3339 ("2026-11-20T09:28:57.5Z", also with a space for the T; without a zone: local time;
 * without a time: midnight). Returns false for anything else. *ret is CLOCK_REALTIME in ns.
 */
bool when_parse(const char *text, int64_t now_ns, int64_t *ret);

/* RFC 3339 only, zone included: what rows carry. */
bool when_parse_row(const char *text, int64_t *ret);

#define WHEN_TEXT_MAX 48

/* "2026-11-20 09:28:57.123456" in local time. Returns @out (WHEN_TEXT_MAX bytes). */
char *when_text(int64_t realtime_ns, char *out);

#endif
