/* A log line that is one JSON object: its own message, level, time and so on.  A scanner, not a parser: what is not
 * understood is skipped, nesting is only counted. */
#include <string.h>
#include <strings.h>

#include "shared/mining/line_internal.h"

struct cursor {
	const char *p, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->p < c->end && strchr(" \t\r\n", *c->p) && *c->p)
		c->p++;
}

/* The raw inside of a string; the cursor goes behind it. */
static bool take_string(struct cursor *c, struct line_part *ret)
{
	if (c->p >= c->end || *c->p != '"')
		return false;
	const char *start = ++c->p;
	while (c->p < c->end && *c->p != '"')
		c->p += *c->p == '\\' && c->end - c->p > 1 ? 2 : 1;
	if (c->p >= c->end)
		return false;
	*ret = (struct line_part){start, (size_t)(c->p - start)};
	c->p++;
	return true;
}

/* Any value; *ret is a string's inside, or a number or word as it stands, or nothing for objects and arrays. */
static bool take_value(struct cursor *c, struct line_part *ret)
{
	size_t depth = 0;
	struct line_part ignored;
	*ret = (struct line_part){0};
	skip_space(c);
	if (c->p < c->end && *c->p == '"')
		return take_string(c, ret);
	const char *start = c->p;
	while (c->p < c->end) {
		char b = *c->p;
		if (b == '"') {
			if (!take_string(c, &ignored))
				return false;
			continue;
		}
		if (b == '{' || b == '[')
			depth++;
		else if (b == '}' || b == ']') {
			if (depth == 0)
				break;
			depth--;
		} else if (b == ',' && depth == 0)
			break;
		c->p++;
	}
	if (c->p > start && *start != '{' && *start != '[') {
		*ret = (struct line_part){start, (size_t)(c->p - start)};
		while (ret->size && strchr(" \t\r\n", ret->text[ret->size - 1]))
			ret->size--;
	}
	return c->p < c->end;
}

static bool one_of(struct line_part key, const char *names)
{
	for (const char *p = names; *p;) {
		size_t n = strcspn(p, " ");
		if (n == key.size && strncasecmp(p, key.text, n) == 0)
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		char b = p[i];
		unsigned d = line_is_digit(b)                       ? (unsigned)(b - '0')
			     : ((b | 32) >= 'a' && (b | 32) <= 'f') ? (unsigned)((b | 32) - 'a') + 10
								    : 16;
		if (d == 16)
			return '?';
		v = v << 4 | d;
	}
	return v;
}

static void append_code(struct buf *out, unsigned v)
{
	if (v < 0x20 || (v >= 0xd800 && v < 0xe000))
		v = v == '\n' || v == '\t' ? ' ' : '?'; /* halves of pairs are of no use to a miner */
	if (v < 0x80) {
		buf_byte(out, (uint8_t)v);
	} else if (v < 0x800) {
		buf_byte(out, (uint8_t)(0xc0 | v >> 6));
		buf_byte(out, (uint8_t)(0x80 | (v & 0x3f)));
	} else {
		buf_byte(out, (uint8_t)(0xe0 | v >> 12));
		buf_byte(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
		buf_byte(out, (uint8_t)(0x80 | (v & 0x3f)));
	}
}

static void unescape(struct line_part raw, struct buf *out)
{
	const char *end = raw.text + raw.size;
	for (const char *p = raw.text; p < end; p++) {
		if (*p != '\\' || end - p < 2) {
			buf_byte(out, (uint8_t)*p);
			continue;
		}
		switch (*++p) {
		case 'n':
		case 'r':
		case 't':
		case 'b':
		case 'f':
			buf_byte(out, ' ');
			break;
		case 'u':
			if (end - p > 4) {
				append_code(out, hex4(p + 1));
				p += 4;
				break;
			} /* fall through */
		default:
			buf_byte(out, (uint8_t)*p);
		}
	}
}

static uint32_t number_of(struct line_part v)
{
	uint32_t n = 0;
	for (size_t i = 0; i < v.size && i < 9 && line_is_digit(v.text[i]); i++)
		n = n * 10 + (uint32_t)(v.text[i] - '0');
	return n;
}

/* A word, syslog's 0..7 or the tens of bunyan and pino. */
static enum line_level level_of(struct line_part v)
{
	static const enum line_level syslog[] = {
	    LINE_FATAL, LINE_FATAL, LINE_FATAL, LINE_ERROR, LINE_WARNING, LINE_INFO, LINE_INFO, LINE_DEBUG};
	if (v.size == 0)
		return LINE_NONE;
	if (!line_is_digit(v.text[0]))
		return line_level_word(v.text, v.size);
	uint32_t n = number_of(v);
	if (n < 8)
		return syslog[n];
	return n < 30 ? LINE_DEBUG : n < 40 ? LINE_INFO : n < 50 ? LINE_WARNING : n < 60 ? LINE_ERROR : LINE_FATAL;
}

static void use(struct line_part key, struct line_part v, uint64_t now_ms, struct line_parts *r)
{
	uint64_t ms;
	if (v.size == 0)
		return;
	if (one_of(key, "message msg log short_message body text"))
		r->message = r->message.size ? r->message : v;
	else if (one_of(key, "error err exception") && r->message.size == 0)
		r->message = v;
	else if (one_of(key, "level severity lvl loglevel log.level levelname priority log_level severity_text"))
		r->level = level_of(v);
	else if (one_of(key, "time ts timestamp @timestamp datetime date asctime t"))
		r->time_ms = line_time(v.text, v.size, now_ms, &ms) ? ms : r->time_ms;
	else if (one_of(key, "logger component module service app logger_name unit"))
		r->component = v;
	else if (one_of(key, "host hostname"))
		r->host = v;
	else if (one_of(key, "pid process_id"))
		r->pid = number_of(v);
}

bool line_json(const char *p, size_t n, uint64_t now_ms, struct buf *scratch, struct line_parts *ret)
{
	struct cursor c = {p, p + n};
	struct line_parts r = {.format = LINE_FORMAT_JSON};
	skip_space(&c);
	if (c.p >= c.end || *c.p++ != '{')
		return false;
	for (size_t i = 0; i < LINE_JSON_KEYS; i++) {
		struct line_part key, value;
		skip_space(&c);
		if (!take_string(&c, &key))
			break;
		skip_space(&c);
		if (c.p >= c.end || *c.p++ != ':' || !take_value(&c, &value))
			break;
		use(key, value, now_ms, &r);
		skip_space(&c);
		if (c.p >= c.end || *c.p != ',')
			break;
		c.p++;
	}
	if (r.message.size == 0)
		return false;
	if (memchr(r.message.text, '\\', r.message.size)) {
		unescape(r.message, scratch);
		if (scratch->failed)
			return false;
		r.message = (struct line_part){buf_str(scratch), scratch->size};
	}
	*ret = r;
	return true;
}
