/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "core/snapshot.h"

struct range {
	uint32_t first, last;
};

/*
 * Valid code points that show nothing, move the cursor, change the direction of what follows, or mean
 * something else on every terminal: general categories Cc, Cf, Zs (but the ASCII space), Zl, Zp, Cs
 * (surrogates, no characters at all) and Co, the property Default_Ignorable_Code_Point, noncharacters, and
 * the blank letters of Hangul and Braille. In rising order.
 */
static const struct range unprintable[] = {
	{0x0000, 0x001f},   {0x005c, 0x005c},   {0x007f, 0x00a0},   {0x00ad, 0x00ad},    {0x034f, 0x034f},
	{0x0600, 0x0605},   {0x061c, 0x061c},   {0x06dd, 0x06dd},   {0x070f, 0x070f},    {0x0890, 0x0891},
	{0x08e2, 0x08e2},   {0x115f, 0x1160},   {0x1680, 0x1680},   {0x17b4, 0x17b5},    {0x180b, 0x180f},
	{0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},   {0x2800, 0x2800},    {0x3000, 0x3000},
	{0x3164, 0x3164},   {0xd800, 0xf8ff},   {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff},
	{0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd},  {0x110cd, 0x110cd},
	{0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

static bool is_printable(uint32_t code)
{
	/* The last two code points of every plane are noncharacters. */
	if ((code & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]) && unprintable[i].first <= code;
	     i++)
		if (code <= unprintable[i].last)
			return false;
	return true;
}

/* Bytes of the sequence that a lead byte opens, and the least code point it may carry (RFC 3629); 0: no lead
 * byte. */
static size_t sequence_length(unsigned char lead, uint32_t *bits, uint32_t *least)
{
	*bits = lead;
	*least = 0;
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf) {
		*bits = lead & 0x1f;
		*least = 0x80;
		return 2;
	}
	if (lead >= 0xe0 && lead <= 0xef) {
		*bits = lead & 0x0f;
		*least = 0x800;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*bits = lead & 0x07;
		*least = 0x10000;
		return 4;
	}
	return 0;
}

/* Length of the character at @text, and whether it may pass as it is. An invalid byte is a character by
 * itself. */
static size_t next_character(const unsigned char *text, size_t left, bool *passes)
{
	uint32_t code, least;
	size_t length = sequence_length(text[0], &code, &least);

	*passes = false;
	if (!length || length > left)
		return 1;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 1;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff)
		return 1;
	*passes = is_printable(code);
	return length;
}

char *text_escape(const char *text, size_t length, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = (const unsigned char *)text;
	size_t at = 0;

	if (!size)
		return out;
	for (size_t i = 0; i < length;) {
		bool passes;
		size_t n = next_character(bytes + i, length - i, &passes);

		if ((passes ? n : 4 * n) >= size - at)
			break;
		for (; n > 0; n--, i++) {
			if (passes) {
				out[at++] = text[i];
				continue;
			}
			out[at++] = '\\';
			out[at++] = 'x';
			out[at++] = digits[bytes[i] >> 4];
			out[at++] = digits[bytes[i] & 15];
		}
	}
	out[at] = '\0';
	return out;
}
