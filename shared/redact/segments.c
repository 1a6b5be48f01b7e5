/* Segments of HL7 version 2 messages, as interface engines log them ("PID|1||123^^^H^MR||DOE^JANE||19700101|F"): what
 * a field is tells its place alone.  Nobody needs a person's to see why a message was not taken: they go (HL7 2.5.1,
 * chapters 2.5, 3.4, 4.5). */
#include "shared/redact/scan.h"

enum { FIELDS_LEAST = 4 };

struct segment {
	char name[4];
	bool whole;      /* from its second field on */
	uint64_t fields; /* otherwise: those with persons in them */
};
#define F(n) (1ull << (n))
static const struct segment segments[] = {
    {"PID", true, 0},
    {"NK1", true, 0},
    {"GT1", true, 0},
    {"IN1", true, 0},
    {"IN2", true, 0},
    {"MRG", true, 0},
    {"PV1", false, F(7) | F(8) | F(9) | F(17) | F(52)},
    {"PD1", false, F(4)},
    {"ORC", false, F(10) | F(11) | F(12) | F(19)},
    {"OBR", false, F(10) | F(16) | F(28) | F(32) | F(33) | F(34) | F(35)},
    {"OBX", false, F(16)},
    {"DG1", false, F(16)},
    {"PR1", false, F(8) | F(11) | F(12)},
    {"TXA", false, F(5) | F(9) | F(10) | F(11) | F(22)},
};

/* A segment ends with its line, with a carriage return as programs write it out ("\r"), or with the string around it;
 * two quotes are an empty value. */
static bool ends_segment(const struct scan *s, size_t at)
{
	uint8_t b = s->text[at], next = byte_at(s, at + 1);
	if (b == '\\')
		return next == 'r' || next == 'n';
	if (b == '"')
		return next != '"' && s->text[at - 1] != '"' && s->text[at - 1] != '\\';
	return b == '\r' || b == '\n';
}

static size_t segment_end(const struct scan *s, size_t at, size_t *ret_bars, bool *ret_components)
{
	*ret_bars = 0;
	*ret_components = false;
	for (; at < s->size && !ends_segment(s, at); at++) {
		*ret_bars += s->text[at] == '|';
		*ret_components |= s->text[at] == '^';
	}
	return at;
}

static void take(struct scan *s, size_t start, size_t end)
{
	if (s->doubts)
		s->doubts->over = true;
	if (end <= start || s->full || placeholder_at(s, start) == end - start)
		return;
	for (size_t i = s->count; i-- > 0 && s->spans[i].end > start;) /* what the field is goes before its parts */
		s->spans[i].type = s->spans[i].start < end ? REDACT_ID : s->spans[i].type;
	scan_add(s, (struct redact_span){start, end, REDACT_ID});
}

/* `at`: its first bar. */
static void take_fields(struct scan *s, const struct segment *kind, size_t at, size_t end)
{
	for (size_t field = 1; at < end && field < 64; field++) {
		size_t start = at + 1;
		for (at = start; at < end && s->text[at] != '|';)
			at++;
		if (!kind->whole && kind->fields >> field & 1)
			take(s, start, at);
		if (kind->whole && field > 1 && at > start) {
			take(s, start, end);
			return;
		}
	}
}

/* Where its name ends, if one of ours does there. */
static const struct segment *segment_before(const struct scan *s, size_t bar)
{
	if (bar < 3 || !is_upper(s->text[bar - 3]))
		return NULL;
	uint8_t before = bar > 3 ? s->text[bar - 4] : '\n', escape = bar > 4 ? s->text[bar - 5] : 0;
	if (word_byte(before) && !(escape == '\\' && (before == 'r' || before == 'n')))
		return NULL;
	for (size_t i = 0; i < sizeof segments / sizeof segments[0]; i++)
		if (memcmp(s->text + bar - 3, segments[i].name, 3) == 0)
			return &segments[i];
	return NULL;
}

void scan_segments(struct scan *s)
{
	for (size_t at = 0; at < s->size && !s->full;) {
		const uint8_t *bar = memchr(s->text + at, '|', s->size - at);
		if (!bar)
			return;
		at = (size_t)(bar - s->text);
		const struct segment *kind = segment_before(s, at);
		bool components;
		size_t bars, end = kind ? segment_end(s, at, &bars, &components) : at + 1;
		if (kind && components && bars >= FIELDS_LEAST)
			take_fields(s, kind, at, end);
		at = end > at ? end : at + 1;
	}
}
