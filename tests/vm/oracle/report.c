// SPDX-License-Identifier: GPL-2.0-or-later

/* What the oracles say, and their memory. */

#include "oracle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

unsigned n_differences;

void differ(const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	n_differences++;
}

void die(const char *format, ...)
{
	int error = errno;
	va_list ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	errno = error;
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Room for one item more than n; doubles at powers of two. */
void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, size);
	if (!array)
		die("out of memory");
	return array;
}
