/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VFIOWATCH_TESTS_FAILING_H
#define VFIOWATCH_TESTS_FAILING_H

/*
 * The malloc(), calloc() and reallocarray() of a test program, to be included once: the `fail_at`-th call
 * from now on fails. Under a sanitizer the real ones are its interceptors, else those of the C library.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static size_t fail_at;

void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);

static bool must_fail(void)
{
	return fail_at && --fail_at == 0;
}

void *malloc(size_t size)
{
	if (must_fail())
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	if (must_fail())
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *reallocarray(void *array, size_t n, size_t size)
{
	size_t bytes;

	if (must_fail() || __builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(array, bytes);
}

#endif
