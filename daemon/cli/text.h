/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_CLI_TEXT_H
#define VFIOWATCH_CLI_TEXT_H

/* Text on its way to a terminal or file: safe bytes, display width, sizes, times. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/*
 * A copy of @text without anything that a terminal would act on, as text_escape() makes it, but backslashes
 * stay: text from the daemon is escaped already. Where the locale is not UTF-8, bytes above 0x7e become \xNN
 * too. The caller frees; NULL: out of memory.
 */
char *text_safe(const char *text);

/* The same for every string and key in @value, which is given up. NULL: out of memory (or @value is JSON
 * null). */
struct json_object *json_safe(struct json_object *value);

/* Columns on a terminal in the locale's encoding; a byte that is no character counts as one. */
size_t text_width(const char *text);

/* Bytes of the longest prefix of @text that is at most @columns wide. */
size_t text_prefix(const char *text, size_t columns);

/* What stands for text that is cut: "…", or "~" where the locale lacks it. One column. */
const char *text_ellipsis(void);

/*
 * Writes @text to @out in lines of at most @width columns (0: no limit), cut at spaces only: a longer word
 * stays whole. The first line begins with @label, the following ones with as many spaces. Makes @text safe.
 * Returns 0 or -ENOMEM.
 */
int text_wrap(const char *label, const char *text, size_t width, FILE *out);

#define SIZE_TEXT_MAX 32

/* "16M", "1.5K", "512": units of 1024, rounded to at most one decimal. Returns @out (SIZE_TEXT_MAX bytes). */
char *size_text(uint64_t bytes, char *out);

#define DURATION_TEXT_MAX 48

/* "3d 4h", "12min 3s": the two largest units. Returns @out (DURATION_TEXT_MAX bytes). */
char *duration_text(uint64_t seconds, char *out);

#endif
