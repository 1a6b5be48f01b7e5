#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/lib/unit.h"

static void comparing(void **state)
{
	(void)state;
	assert_true(text_equal(NULL, NULL));
	assert_false(text_equal(NULL, ""));
	assert_false(text_equal("", NULL));
	assert_true(text_equal("ab", "ab"));
	assert_false(text_equal("ab", "abc"));
	assert_true(text_starts("abc", ""));
	assert_true(text_starts("abc", "abc"));
	assert_false(text_starts("abc", "abcd"));
	assert_false(text_starts("abc", "b"));
	assert_true(text_ends("abc", ""));
	assert_true(text_ends("abc", "abc"));
	assert_true(text_ends("abc", "bc"));
	assert_false(text_ends("abc", "xabc"));
	assert_false(text_ends("abc", "b"));
}

/* Encodes by the arithmetic of the code point alone. */
static size_t encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	out[0] = (uint8_t)(lead[n] | c);
	return n;
}

static void utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x140000; c++) {
		uint8_t bytes[4];
		size_t n = encode(c, bytes);
		bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		if (text_utf8_valid(bytes, n) != valid || text_utf8_length(bytes, n) != (valid ? n : 0))
			fail_msg("U+%04X", c);
		if (valid && n > 1 && text_utf8_length(bytes, n - 1) != 0)
			fail_msg("U+%04X cut short", c);
	}
}

/* Every pair of bytes; and, for each lead of three or four, the bytes that a decoder without care would take. */
static void utf8_rejects(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			uint8_t two[2] = {(uint8_t)a, (uint8_t)b};
			bool valid = (a < 0x80 && b < 0x80) || (a >= 0xc2 && a <= 0xdf && (b & 0xc0) == 0x80);
			assert_int_equal(text_utf8_valid(two, 2), valid);
		}
	static const char *const wrong[] = {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
	    "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
	    "\x80", "\xe2\x82", "\xe2\x82\x41", "\xe2\x28\xa1", "\xf0\x90\x80", "\xf0\x90\x80\x41",
	    "\xf8\x88\x80\x80\x80", "ok\xc3"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (text_utf8_valid(wrong[i], strlen(wrong[i])))
			fail_msg("case %zu was taken", i);
	assert_true(text_utf8_valid("", 0));
	assert_true(text_utf8_valid("a\0b\xc3\xa9", 5));
	assert_int_equal(text_utf8_length("", 0), 0);
}

static void format_tells_what_fits(void **state)
{
	(void)state;
	char out[4];
	assert_true(text_format(out, sizeof(out), "%s", "abc"));
	assert_string_equal(out, "abc");
	const char *volatile four = "abcd";
	assert_false(text_format(out, sizeof(out), "%s", four));
	assert_string_equal(out, "abc");
}

static void copy_cuts_at_a_character(void **state)
{
	(void)state;
	static const char s[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4 and 1 bytes */
	static const size_t ends[] = {0, 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
	for (size_t size = 1; size <= 13; size++) {
		char out[16];
		memset(out, 'X', sizeof(out));
		text_copy(out, size, s);
		assert_int_equal(strlen(out), ends[size]);
		assert_memory_equal(out, s, ends[size]);
		assert_int_equal(out[size], 'X');
	}
	char one = 'X';
	text_copy(&one, 0, s);
	assert_int_equal(one, 'X');
	char junk[4]; /* what is no UTF-8 is cut somewhere, within bounds */
	text_copy(junk, sizeof(junk), "\x80\x80\x80\x80\x80\x80");
	assert_true(strlen(junk) < sizeof(junk));
}

static void hex(void **state)
{
	(void)state;
	char text[9];
	uint8_t out[4] = {9, 9, 9, 9};
	assert_string_equal(text_hex("\x00\x7f\xab\xff", 4, text), "007fabff");
	assert_string_equal(text_hex("", 0, text), "");
	assert_int_equal(text_unhex("007fABff", out, 4, NULL), ERR_OK);
	assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
	assert_int_equal(text_unhex("", out, 0, NULL), ERR_OK);
	static const char *const wrong[] = {"", "0", "0011223", "001122334", "0011223344", "0011223g", "g0112233",
	    "0x112233", "00 11223", "001122:3", "0011223/", "0011223@", "0011223`", "0011223G", "+0112233"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (text_unhex(wrong[i], out, 4, NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_memory_equal(out, "\x00\x7f\xab\xff", 4);
	}
}

/* The examples of RFC 4648 §10. */
static void base64_examples(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf out = BUF_INIT;
		text_base64(&out, pairs[i][0], strlen(pairs[i][0]));
		assert_string_equal(buf_str(&out), pairs[i][1]);
		buf_clear(&out);
		assert_int_equal(text_unbase64(&out, pairs[i][1], strlen(pairs[i][1]), NULL), ERR_OK);
		assert_string_equal(buf_str(&out), pairs[i][0]);
		buf_done(&out);
	}
}

static void base64_round_trips(void **state)
{
	(void)state;
	struct random r;
	random_init_seed(&r, 4);
	for (size_t size = 0; size < 300; size++) {
		uint8_t bytes[300];
		random_fill(&r, bytes, size);
		struct buf text = BUF_INIT, back = BUF_INIT;
		text_base64(&text, bytes, size);
		assert_int_equal(text.size, (size + 2) / 3 * 4);
		assert_int_equal(text_unbase64(&back, buf_str(&text), text.size, NULL), ERR_OK);
		assert_int_equal(back.size, size);
		assert_memory_equal(buf_str(&back), bytes, size);
		buf_done(&text);
		buf_done(&back);
	}
}

static void base64_rejects(void **state)
{
	(void)state;
	static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zg===", "Zg== ", " Zg==", "Zm9v\n", "Zm9\n",
	    "Z===", "====", "Zg==Zg==", "Zm8=Zm8=", "Zm-_", "Zm9vZh==", "Zm9=", "Zg=v", "=m9v",
	    "Zm9v====", "Zm\xc3\xa9", "Zm9*", "Z=9v"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct buf out = BUF_INIT;
		buf_text(&out, "before");
		if (text_unbase64(&out, wrong[i], strlen(wrong[i]), NULL) != ERR_INVALID)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_string_equal(buf_str(&out), "before");
		buf_done(&out);
	}
	struct buf out = BUF_INIT;
	for (size_t n = 1; n < 8; n++) /* the size counts, not what stands behind */
		assert_int_equal(text_unbase64(&out, "Zm9vZm9v", n, NULL), n == 4 ? ERR_OK : ERR_INVALID);
	assert_int_equal(text_unbase64(&out, "Zm\0v", 4, NULL), ERR_INVALID);
	buf_done(&out);
	struct buf small = {.limit = 8};
	buf_text(&small, "before");
	assert_int_equal(text_unbase64(&small, "Zm9v", 4, NULL), ERR_NOMEM);
	assert_string_equal(buf_str(&small), "before");
	buf_done(&small);
}

/* Of all last characters, only those whose spare bits are zero spell a value. */
static void base64_has_one_spelling(void **state)
{
	(void)state;
	int taken[2] = {0, 0};
	for (int c = 1; c < 256; c++) {
		char two[5] = {'Z', (char)c, '=', '=', 0}, three[5] = {'Z', 'm', (char)c, '=', 0};
		struct buf out = BUF_INIT;
		taken[0] += text_unbase64(&out, two, 4, NULL) == ERR_OK;
		taken[1] += text_unbase64(&out, three, 4, NULL) == ERR_OK;
		buf_done(&out);
	}
	assert_int_equal(taken[0], 4);
	assert_int_equal(taken[1], 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comparing),
	    cmocka_unit_test(utf8_every_code_point),
	    cmocka_unit_test(utf8_rejects),
	    cmocka_unit_test(format_tells_what_fits),
	    cmocka_unit_test(copy_cuts_at_a_character),
	    cmocka_unit_test(hex),
	    cmocka_unit_test(base64_examples),
	    cmocka_unit_test(base64_round_trips),
	    cmocka_unit_test(base64_rejects),
	    cmocka_unit_test(base64_has_one_spelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
