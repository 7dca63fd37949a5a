/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text_escape() against hostile text. */
#include "events.h"

#include "core/snapshot.h"

struct sample {
	const char *what, *in, *out;
	size_t length; /* 0: strlen(in) */
};

static const struct sample samples[] = {
	{"empty", "", "", 0},
	{"plain", "qemu-system-x86", "qemu-system-x86", 0},
	{"every printable ASCII", " !\"#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~",
	 " !\"#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~", 0},
	{"backslash", "a\\b", "a\\x5cb", 0},
	{"looks escaped", "\\x1b", "\\x5cx1b", 0},
	{"zero inside", "a\0b", "a\\x00b", 3},
	{"C0", "\a\b\t\n\v\f\r", "\\x07\\x08\\x09\\x0a\\x0b\\x0c\\x0d", 0},
	{"DEL", "\x7f", "\\x7f", 0},
	{"colour", "\033[31mred", "\\x1b[31mred", 0},
	{"window title", "\033]0;x\007", "\\x1b]0;x\\x07", 0},
	{"journal field", "x\nMESSAGE=forged", "x\\x0aMESSAGE=forged", 0},
	{"C1 as a byte",
	 "\x9b"
	 "31m",
	 "\\x9b31m", 0},
	{"C1 as UTF-8",
	 "\xc2\x9b"
	 "31m",
	 "\\xc2\\x9b31m", 0},
	{"no-break space", "a\xc2\xa0z", "a\\xc2\\xa0z", 0},
	{"soft hyphen", "\xc2\xad", "\\xc2\\xad", 0},
	{"two bytes", "\xc3\xa9", "\xc3\xa9", 0},
	{"three bytes", "\xe2\x82\xac", "\xe2\x82\xac", 0},
	{"four bytes", "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7", 0},
	{"overlong slash, 2", "\xc0\xaf", "\\xc0\\xaf", 0},
	{"overlong slash, 3", "\xe0\x80\xaf", "\\xe0\\x80\\xaf", 0},
	{"overlong slash, 4", "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf", 0},
	{"overlong zero", "\xc0\x80", "\\xc0\\x80", 0},
	{"largest overlong, 2", "\xc1\xbf", "\\xc1\\xbf", 0},
	{"largest overlong, 3", "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", 0},
	{"largest overlong, 4", "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf", 0},
	{"first surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80", 0},
	{"last surrogate", "\xed\xbf\xbf", "\\xed\\xbf\\xbf", 0},
	{"before the surrogates", "\xed\x9f\xbb", "\xed\x9f\xbb", 0},
	{"above U+10FFFF", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 0},
	{"five bytes", "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80", 0},
	{"never a byte", "\xfe\xff", "\\xfe\\xff", 0},
	{"lone continuation", "a\x80z", "a\\x80z", 0},
	{"cut after 1 of 2", "\xc3", "\\xc3", 0},
	{"cut after 2 of 3", "\xe2\x82", "\\xe2\\x82", 0},
	{"cut after 3 of 4", "\xf0\x9f\x90", "\\xf0\\x9f\\x90", 0},
	{"cut by ASCII",
	 "\xe2\x82"
	 "A",
	 "\\xe2\\x82A", 0},
	{"cut by another lead", "\xe2\xc3\xa9", "\\xe2\xc3\xa9", 0},
	{"right-to-left override",
	 "a\xe2\x80\xae"
	 "b",
	 "a\\xe2\\x80\\xaeb", 0},
	{"right-to-left isolate", "\xe2\x81\xa7", "\\xe2\\x81\\xa7", 0},
	{"Arabic letter mark", "\xd8\x9c", "\\xd8\\x9c", 0},
	{"zero width space", "\xe2\x80\x8b", "\\xe2\\x80\\x8b", 0},
	{"zero width joiner", "\xe2\x80\x8d", "\\xe2\\x80\\x8d", 0},
	{"byte order mark", "\xef\xbb\xbf", "\\xef\\xbb\\xbf", 0},
	{"line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8", 0},
	{"paragraph separator", "\xe2\x80\xa9", "\\xe2\\x80\\xa9", 0},
	{"wide space", "\xe3\x80\x80", "\\xe3\\x80\\x80", 0},
	{"Hangul filler", "\xe3\x85\xa4", "\\xe3\\x85\\xa4", 0},
	{"blank Braille", "\xe2\xa0\x80", "\\xe2\\xa0\\x80", 0},
	{"variation selector", "\xef\xb8\x8f", "\\xef\\xb8\\x8f", 0},
	{"tag letter", "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81", 0},
	{"private use", "\xee\x80\x80", "\\xee\\x80\\x80", 0},
	{"noncharacter U+FFFE", "\xef\xbf\xbe", "\\xef\\xbf\\xbe", 0},
	{"noncharacter U+1FFFF", "\xf0\x9f\xbf\xbf", "\\xf0\\x9f\\xbf\\xbf", 0},
	{"noncharacter U+FDD0", "\xef\xb7\x90", "\\xef\\xb7\\x90", 0},
	{"replacement character", "\xef\xbf\xbd", "\xef\xbf\xbd", 0},
	{"right-to-left letters are letters", "\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c", 0},
};

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *sample = &samples[i];
		size_t length = sample->length ? sample->length : strlen(sample->in);
		char *in = malloc(length ? length : 1), *out = malloc(4 * length + 1);

		/* Exactly as long as they are, so that reading or writing over an end is seen. */
		memcpy(in, sample->in, length);
		assert_ptr_equal(text_escape(in, length, out, 4 * length + 1), out);
		if (strcmp(out, sample->out) != 0)
			fail_msg("%s: got %s, expected %s", sample->what, out, sample->out);
		free(in);
		free(out);
	}
}

/* Whatever the size, the result is a terminated beginning of the whole that ends at a character. */
static void test_every_cut(void **state)
{
	static const char in[] = "a\xe2\x82\xac\033\xe2\x80\xae"
				 "b";
	static const size_t ends[] = {0, 1, 4, 8, 20, 21};
	char whole[64];

	(void)state;
	text_escape(in, sizeof(in) - 1, whole, sizeof(whole));
	assert_string_equal(whole, "a\xe2\x82\xac\\x1b\\xe2\\x80\\xaeb");
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char *out = malloc(size);
		size_t end = 0;

		text_escape(in, sizeof(in) - 1, out, size);
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			if (ends[i] < size)
				end = ends[i];
		assert_int_equal(strlen(out), end);
		assert_memory_equal(out, whole, end);
		free(out);
	}
}

static void test_no_room(void **state)
{
	char out = 'x';

	(void)state;
	assert_ptr_equal(text_escape("abc", 3, &out, 0), &out);
	assert_int_equal(out, 'x');
}

/* Every code point: what passes is unchanged, what does not is hexadecimal, and nothing that steers a
 * terminal passes. */
static void test_every_code_point(void **state)
{
	size_t passed = 0;

	(void)state;
	for (uint32_t code = 0x80; code < 0x110000; code++) {
		char in[5] = "", out[17];
		size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

		for (size_t i = n - 1; i > 0; i--)
			in[i] = 0x80 | (code >> 6 * (n - 1 - i) & 0x3f);
		in[0] = leads[n] | code >> 6 * (n - 1);
		text_escape(in, n, out, sizeof(out));
		if (strcmp(in, out) == 0) {
			passed++;
			assert_false(code < 0xa1 || (code >= 0xd800 && code < 0xf900) || code >= 0xe0000);
			assert_false(code >= 0x2028 && code <= 0x202f);
		} else {
			assert_int_equal(strlen(out), 4 * n);
			assert_memory_equal(out, "\\x", 2);
		}
	}
	assert_true(passed > 800000);
}

static void test_every_byte_alone(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char in = byte, out[5], expected[5];

		text_escape(&in, 1, out, sizeof(out));
		if (byte >= 0x20 && byte < 0x7f && byte != '\\')
			snprintf(expected, sizeof(expected), "%c", byte);
		else
			snprintf(expected, sizeof(expected), "\\x%02x", byte);
		assert_string_equal(out, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),          cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_room),          cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_every_byte_alone),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
