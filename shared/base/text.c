/* shared/base/text.c: comparing, copying, UTF-8, hex and base64.  Numbers, time and globs have files of their own. */
#include "shared/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool text_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* RFC 3629 §4: only the second byte has a range that depends on the first. */
size_t text_utf8_length(const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	if (size_bytes == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (n == 0 || n > size_bytes)
		return 0;
	uint8_t least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80; /* overlong below */
	uint8_t most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;  /* surrogates; beyond U+10FFFF */
	if (p[1] < least || p[1] > most)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool text_utf8_valid(const void *data, size_t size_bytes)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < size_bytes;) {
		size_t n = text_utf8_length(p + i, size_bytes - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool text_format(char *out, size_t size_bytes, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out, size_bytes, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size_bytes;
}

void text_copy(char *out, size_t size_bytes, const char *s)
{
	if (size_bytes == 0)
		return;
	size_t n = strnlen(s, size_bytes);
	if (n == size_bytes) {
		n--;
		/* The first byte left out must not continue a character; no character has more than three such bytes.
		 */
		for (int back = 0; back < 3 && n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80; back++)
			n--;
	}
	memmove(out, s, n);
	out[n] = '\0';
}

char *text_hex(const void *data, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum err_code text_unhex(const char *s, void *out, size_t n, struct err *reterr)
{
	size_t given = strlen(s);
	if (given % 2 != 0 || given / 2 != n)
		return err_set(reterr, ERR_INVALID, "%zu hex digits where %zu are wanted", given, 2 * n);
	for (size_t i = 0; i < given; i++)
		if (hex_digit(s[i]) < 0)
			return err_set(reterr, ERR_INVALID, "no hex digit at position %zu", i);
	uint8_t *p = out;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
	return ERR_OK;
}

void text_base64(struct buf *out, const void *data, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16;
		v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= left > 2 ? p[i + 2] : 0;
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
		    left > 2 ? digits[v & 63] : '='};
		buf_append(out, four, sizeof(four));
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four into *ret (24 bits); digits is 4, or 3 or 2 in a padded last group.  False when it is no base64, or
 * when bits that padding leaves over are set: one value has one spelling. */
static bool base64_group(const char four[4], int digits, uint32_t *ret)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) {
		int d = i < digits ? base64_digit(four[i]) : four[i] == '=' ? 0 : -1;
		if (d < 0)
			return false;
		v = v << 6 | (uint32_t)d;
	}
	if ((digits == 3 && (v & 0xff)) || (digits == 2 && (v & 0xffff)))
		return false;
	*ret = v;
	return true;
}

static void cut(struct buf *b, size_t size)
{
	b->size = size;
	if (b->data)
		b->data[size] = '\0';
}

enum err_code text_unbase64(struct buf *out, const char *s, size_t n, struct err *reterr)
{
	if (n % 4 != 0)
		return err_set(reterr, ERR_INVALID, "base64 of %zu characters, not a multiple of four", n);
	size_t before = out->size;
	for (size_t i = 0; i < n; i += 4) {
		int digits = 4;
		if (i + 4 == n)
			digits = s[i + 3] != '=' ? 4 : s[i + 2] != '=' ? 3 : 2;
		uint32_t v;
		if (!base64_group(s + i, digits, &v)) {
			cut(out, before);
			return err_set(reterr, ERR_INVALID, "no base64 at position %zu", i);
		}
		uint8_t three[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
		buf_append(out, three, (size_t)digits - 1);
	}
	if (out->failed) {
		cut(out, before);
		return err_set(reterr, ERR_NOMEM, "no room for %zu decoded bytes", n / 4 * 3);
	}
	return ERR_OK;
}
