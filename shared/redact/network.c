/* Addresses of machines and of mailboxes. */
#include "shared/redact/scan.h"

/* ---- network addresses ---- */

/* Four numbers up to 255; the end, or 0. */
static size_t match_ipv4(const struct scan *s, size_t at, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		size_t n = 0;
		while (n < 4 && is_digit(byte_at(s, at + n)))
			v = v * 10 + (unsigned)(s->text[at + n++] - '0');
		if (n == 0 || n > 3 || v > 255)
			return 0;
		out[i] = (uint8_t)v;
		at += n;
		if (i < 3 && byte_at(s, at++) != '.')
			return 0;
	}
	if (word_byte(byte_at(s, at)) || (byte_at(s, at) == '.' && is_digit(byte_at(s, at + 1))))
		return 0;
	return at;
}

static bool ipv4_is_public(const uint8_t a[4])
{
	if (a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254) ||
	    (a[0] == 192 && a[1] == 168))
		return false;
	if ((a[0] == 172 && a[1] >= 16 && a[1] < 32) || (a[0] == 100 && a[1] >= 64 && a[1] < 128))
		return false;
	return !(a[0] == 192 && a[1] == 0 && a[2] == 2) && !(a[0] == 198 && a[1] == 51 && a[2] == 100) &&
	       !(a[0] == 203 && a[1] == 0 && a[2] == 113);
}

/* RFC 4291 text, loosely: groups of hex and at least two colons, "::" at most once, perhaps with an IPv4 address at its
 * end, whose bytes then go to quad. */
static size_t match_ipv6(const struct scan *s, size_t at, uint8_t quad[4], bool *ret_quad)
{
	size_t groups = 0, colons = 0, digits = 0, end = at, last = at;
	bool gap = false;
	*ret_quad = false;
	for (size_t i = at;; i++) {
		uint8_t b = byte_at(s, i);
		if (is_hex(b) && digits < 4) {
			last = digits ? last : i;
			groups += digits++ == 0;
			end = i + 1;
			continue;
		}
		if (b != ':')
			break;
		colons++;
		if (byte_at(s, i + 1) == ':') {
			if (gap)
				return 0;
			gap = true;
			colons++;
			end = i + 2;
			i++;
		} else if (digits == 0 || !is_hex(byte_at(s, i + 1)))
			break;
		digits = 0;
	}
	size_t four = digits && byte_at(s, end) == '.' ? match_ipv4(s, last, quad) : 0;
	if (digits && !four && byte_at(s, end) == '.' && is_digit(byte_at(s, end + 1)))
		return 0; /* ::ffff:256.0.0.1 */
	if (four) {
		end = four;
		groups++;
		*ret_quad = true;
	}
	if (is_alnum(byte_at(s, end)) || colons < 2 || groups > 8 || (!gap && groups != 8) ||
	    (gap && groups < 1 && byte_at(s, end) != '/'))
		return 0;
	if (byte_at(s, end) == '%') /* the zone */
		for (end++; is_alnum(byte_at(s, end));)
			end++;
	return end;
}

/* "/24" behind an address. */
static size_t prefix_end(const struct scan *s, size_t at)
{
	size_t n = 0;
	while (byte_at(s, at) == '/' && n < 3 && is_digit(byte_at(s, at + 1 + n)))
		n++;
	return n && !word_byte(byte_at(s, at + 1 + n)) ? at + 1 + n : at;
}

/* 00:1b:44:11:3a:b7, 00-1b-…, 001b.4411.3ab7 */
static size_t match_mac(const struct scan *s, size_t at)
{
	uint8_t separator = byte_at(s, at + 2);
	size_t width = 2, pairs = 6;
	if (separator != ':' && separator != '-') {
		separator = '.';
		width = 4;
		pairs = 3;
	}
	for (size_t i = 0; i < pairs; i++) {
		for (size_t k = 0; k < width; k++)
			if (!is_hex(byte_at(s, at++)))
				return 0;
		if (i + 1 < pairs && byte_at(s, at++) != separator)
			return 0;
	}
	return word_byte(byte_at(s, at)) || byte_at(s, at) == separator ? 0 : at;
}

static bool hides_ip(const struct scan *s, bool is_public, bool loopback)
{
	switch (s->options->ips) {
	case REDACT_IPS_KEEP:
		return false;
	case REDACT_IPS_PUBLIC:
		return is_public;
	case REDACT_IPS_ALL:
		return !loopback;
	case REDACT_IPS_DEFAULT:
		break;
	}
	return clinical(s);
}

static bool ipv6_is_local(const struct scan *s, size_t at)
{
	uint8_t first = lower(s->text[at]), second = lower(byte_at(s, at + 1));
	return first == ':' || (first == 'f' && (second == 'c' || second == 'd' || second == 'e' || second == 'f'));
}

size_t rule_network(struct scan *s, size_t at, size_t stop)
{
	uint8_t a[4];
	bool quad;
	size_t end = match_mac(s, at);
	if (end)
		return clinical(s) || s->options->ips == REDACT_IPS_ALL ? emit(s, at, end, REDACT_MAC) : end;
	if ((end = match_ipv4(s, at, a))) {
		end = prefix_end(s, end);
		return hides_ip(s, ipv4_is_public(a), a[0] == 127) ? emit(s, at, end, REDACT_IP) : end;
	}
	if (memchr(s->text + at, ':', stop - at) && (end = match_ipv6(s, at, a, &quad))) {
		bool is_public = quad ? ipv4_is_public(a) : !ipv6_is_local(s, at),
		     loopback = quad ? a[0] == 127 : end - at == 3;
		end = prefix_end(s, end);
		return hides_ip(s, is_public, loopback && s->text[at] == ':') ? emit(s, at, end, REDACT_IP) : end;
	}
	return 0;
}

/* ---- e-mail ---- */

static bool local_byte(uint8_t b)
{
	return is_alnum(b) || b >= 0x80 || (b && strchr("._%+-!*/$~", b));
}

size_t rule_email(struct scan *s, struct chunk c)
{
	const uint8_t *sign = memchr(s->text + c.start, '@', c.end - c.start);
	if (!sign)
		return 0;
	size_t at = (size_t)(sign - s->text), start = at, end = at + 1, dot = 0;
	if (clinical(s) && at == c.start && c.letters >= 3 && is_alpha(byte_at(s, at + 1)))
		return emit(s, at, c.end, REDACT_USER); /* @name */
	while (start > c.start && local_byte(s->text[start - 1]))
		start--;
	while (start < at && (s->text[start] == '/' || s->text[start] == '-' || s->text[start] == '.'))
		start++;
	while (end < c.end &&
	       (is_alnum(s->text[end]) || s->text[end] == '-' || s->text[end] == '.' || s->text[end] >= 0x80)) {
		if (s->text[end] == '.' && end > at + 1)
			dot = end;
		end++;
	}
	while (end > at && (s->text[end - 1] == '.' || s->text[end - 1] == '-'))
		end--;
	bool named = dot && dot + 2 < end + 1 && dot < end - 2 && is_letter(s->text[dot + 1]);
	if (!named && clinical(s) && at + 1 < c.end) { /* user@2001:db8::1 */
		size_t far = rule_network(s, at + 1, c.end);
		if (far)
			return far;
	}
	if (start == at || !named)
		return 0;
	return emit(s, start, end, REDACT_EMAIL);
}
