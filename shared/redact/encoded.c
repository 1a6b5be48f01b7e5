/* What addresses of pages carry is written in another form there ("mary%40clinic.org", "John%20Smith",
 * "?q=078-05-1120+Miller": RFC 3986 section 2.1, and forms of HTML), and so is what is put into strings
 * ("mary\u0040clinic.org": RFC 8259 section 7; "\x22": access logs), and a telephone number may be a part of a path
 * ("/sms/+49…").  Such parts are read once more as what they mean; what is found there, and was not found before, goes
 * where it stands. */
#include "shared/redact/scan.h"

enum {
	BACK_MOST =
	    200, /* bytes before the first of its signs that are read with it: a label, the beginning of a name */
	PART_MOST = 512, /* of one part; a longer one is read piece by piece, cut where its fields are */
	PART_SPANS = 16, /* found in one part; beyond, all that is left of it goes */
};

/* A part as it is meant. */
struct meant {
	uint8_t text[PART_MOST];
	size_t from[PART_MOST + 1]; /* where each byte stands; then where the part ends */
	bool sign[PART_MOST];       /* it is meant otherwise than it stands */
	size_t size;
};

static unsigned hex_value(uint8_t b)
{
	return (unsigned)(is_digit(b) ? b - '0' : lower(b) - 'a' + 10);
}

/* "%40", "\x40" or "\u0040" at `at`, and what it means; the length, or 0. */
static size_t escape_at(const struct scan *s, size_t at, uint8_t *ret)
{
	uint8_t mark = byte_at(s, at), kind = byte_at(s, at + 1);
	size_t digits = at + 1;
	if (mark == '\\' && kind == 'u' && byte_at(s, at + 2) == '0' && byte_at(s, at + 3) == '0')
		digits = at + 4;
	else if (mark == '\\' && kind == 'x')
		digits = at + 2;
	else if (mark != '%')
		return 0;
	if (!is_hex(byte_at(s, digits)) || !is_hex(byte_at(s, digits + 1)))
		return 0;
	unsigned v = hex_value(s->text[digits]) << 4 | hex_value(s->text[digits + 1]);
	if (mark == '\\' && v >= 0x80)
		return 0;
	*ret = v < ' ' || v == 0x7f ? ' ' : (uint8_t)v;
	return digits + 2 - at;
}

/* A blank, in a query. */
static bool is_blank(const struct scan *s, size_t at)
{
	return byte_at(s, at) == '+' && at > 0 && is_alnum(s->text[at - 1]) && is_alnum(byte_at(s, at + 1));
}

/* "/+49": what stands before a number that begins so divides. */
static bool divides(uint8_t mark, uint8_t plus, uint8_t digit)
{
	return plus == '+' && is_digit(digit) && mark && strchr("/:!~_", mark);
}

static bool ends_part(uint8_t b)
{
	return class_of(b) & BYTE_SPACE || b == '"' || b == '<' || b == '>';
}

/* "+" is a blank in a query only. */
static bool in_query(const struct scan *s, size_t from, size_t at)
{
	return at > from && memchr(s->text + from, '?', at - from);
}

static size_t part_start(const struct scan *s, size_t least, size_t at)
{
	size_t start = at;
	while (start > least && at - start < BACK_MOST && !ends_part(s->text[start - 1]))
		start--;
	return start;
}

static size_t part_end(const struct scan *s, size_t start, size_t at)
{
	size_t end = at + 1, field = 0;
	while (end < s->size && end - start < PART_MOST && !ends_part(s->text[end])) {
		if (s->text[end] == '&' || s->text[end] == ';' || s->text[end] == ',')
			field = end;
		end++;
	}
	bool whole = end == s->size || ends_part(s->text[end]);
	return whole || !field ? end : field;
}

static void read_part(const struct scan *s, size_t start, size_t end, struct meant *ret)
{
	bool query = false, sign = false;
	ret->size = 0;
	for (size_t at = start; at < end;) {
		uint8_t means = s->text[at];
		size_t escape = escape_at(s, at, &means);
		if (at + escape > end) {
			escape = 0;
			means = s->text[at];
		}
		query |= means == '?';
		if (query && !sign && is_blank(s, at))
			means = ' ';
		sign = escape || means != s->text[at];
		ret->from[ret->size] = at;
		ret->sign[ret->size] = sign;
		ret->text[ret->size++] = means;
		at += escape ? escape : 1;
	}
	ret->from[ret->size] = end;
	for (size_t i = 0; i + 2 < ret->size; i++)
		if (divides(ret->text[i], ret->text[i + 1], ret->text[i + 2])) {
			ret->text[i] = ' ';
			ret->sign[i] = true;
		}
}

/* What stands as it is meant was judged before. */
static bool is_new(const struct meant *m, const struct redact_span *f)
{
	size_t from = f->start ? f->start - 1 : 0, to = f->end < m->size ? f->end + 1 : m->size;
	for (size_t i = from; i < to; i++)
		if (m->sign[i])
			return true;
	return false;
}

void scan_add(struct scan *s, struct redact_span n)
{
	size_t first = s->count, behind;
	while (first > 0 && s->spans[first - 1].end > n.start)
		first--;
	for (behind = first; behind < s->count && s->spans[behind].start < n.end; behind++) {
		n.start = n.start < s->spans[behind].start ? n.start : s->spans[behind].start;
		n.end = n.end > s->spans[behind].end ? n.end : s->spans[behind].end;
		n.type = s->spans[first].type;
	}
	if (behind == first && s->count + 1 >= s->max) {
		n.end = s->size;
		behind = s->count;
		s->full = true;
	}
	memmove(s->spans + first + 1, s->spans + behind, (s->count - behind) * sizeof *s->spans);
	s->count += first + 1 - behind;
	s->spans[first] = n;
}

static void read_again(struct scan *s, size_t start, size_t end)
{
	struct redact_span found[PART_SPANS];
	struct meant m;
	read_part(s, start, end, &m);
	struct scan part = {
	    .text = m.text, .size = m.size, .options = s->options, .spans = found, .max = PART_SPANS, .meant = true};
	size_t count = scan_find(&part);
	for (size_t i = 0; i < count && !s->full; i++) {
		if (!is_new(&m, &found[i]))
			continue;
		scan_add(s, (struct redact_span){m.from[found[i].start], m.from[found[i].end], found[i].type});
	}
}

/* The first byte from `at` on that is b; the size: there is none.  *seen: where it was found last. */
static size_t next_byte(const struct scan *s, size_t at, uint8_t b, size_t *seen)
{
	if (*seen < at && at < s->size) {
		const uint8_t *found = memchr(s->text + at, b, s->size - at);
		*seen = found ? (size_t)(found - s->text) : s->size;
	}
	return at < s->size ? *seen : s->size;
}

/* Where the bytes stand that may be signs. */
struct signs {
	size_t percent, plus, backslash;
};

/* The next from `least` on that is meant otherwise than it stands; the size: there is none. */
static size_t next_sign(struct scan *s, size_t least, struct signs *seen)
{
	for (size_t at = least; at < s->size; at++) {
		uint8_t means;
		size_t a = next_byte(s, at, '%', &seen->percent), b = next_byte(s, at, '+', &seen->plus),
		       c = next_byte(s, at, '\\', &seen->backslash);
		at = a < b ? a : b;
		at = c < at ? c : at;
		bool escape = escape_at(s, at, &means), sign = escape || is_blank(s, at),
		     division = at > least && divides(s->text[at - 1], byte_at(s, at), byte_at(s, at + 1));
		if ((sign || division) && s->doubts) /* beside placeholders parts are others */
			s->doubts->over = true;
		if (at == s->size || escape || (sign && in_query(s, part_start(s, least, at), at)))
			return at;
		if (division)
			return at - 1;
	}
	return s->size;
}

static size_t first_byte(const struct scan *s, uint8_t b)
{
	const uint8_t *found = memchr(s->text, b, s->size);
	return found ? (size_t)(found - s->text) : s->size;
}

void scan_encoded(struct scan *s)
{
	size_t least = 0, at;
	if (!s->size)
		return;
	struct signs seen = {first_byte(s, '%'), first_byte(s, '+'), first_byte(s, '\\')};
	while (!s->full && (at = next_sign(s, least, &seen)) < s->size) {
		size_t start = part_start(s, least, at), end = part_end(s, start, at);
		read_again(s, start, end);
		least = end;
	}
}
