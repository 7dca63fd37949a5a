/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes through text_escape(): only safe text comes out, whole characters only, and nothing twice the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/snapshot.h"
#include "fuzz.h"

static bool steers_terminal(const unsigned char *text)
{
	return text[0] < 0x20 || text[0] == 0x7f || (text[0] == 0xc2 && text[1] < 0xa1) ||
	       (text[0] == 0xe2 && text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xaf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole_size = 4 * size + 1, cut_size = size ? data[0] : 0, length = 0;
	char *whole = malloc(whole_size), *cut = malloc(cut_size + 1);

	REQUIRE(text_escape((const char *)data, size, whole, whole_size) == whole);
	length = strlen(whole);
	for (size_t i = 0; i < length; i++)
		REQUIRE(!steers_terminal((const unsigned char *)whole + i));
	REQUIRE(length >= size);

	/* A result is printable: escaped once more only its backslashes change. */
	for (size_t i = 0; i < length; i++) {
		if (whole[i] != '\\')
			continue;
		REQUIRE(i + 3 < length && whole[i + 1] == 'x');
	}
	if (cut_size) {
		text_escape((const char *)data, size, cut, cut_size);
		REQUIRE(strlen(cut) < cut_size);
		REQUIRE(memcmp(cut, whole, strlen(cut)) == 0);
	}
	free(whole);
	free(cut);
	return 0;
}
