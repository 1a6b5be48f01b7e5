#include "shared/redact/redact.h"

#include "shared/redact/lexicon.h"
#include "shared/redact/scan.h"

enum {
	STACK_SPANS = 256,
	CAPITAL_LOOK = 4096, /* bytes that show whether a text has capitals */
	PASSES_MAX = 8,      /* each finds something that the one before did not; two are usual */
};

static const char *const names[] = {
    [REDACT_NAME] = "name",
    [REDACT_EMAIL] = "email",
    [REDACT_PHONE] = "phone",
    [REDACT_SSN] = "ssn",
    [REDACT_MRN] = "mrn",
    [REDACT_ID] = "id",
    [REDACT_DATE] = "date",
    [REDACT_AGE] = "age",
    [REDACT_ADDRESS] = "address",
    [REDACT_PLACE] = "place",
    [REDACT_IP] = "ip",
    [REDACT_MAC] = "mac",
    [REDACT_URL] = "url",
    [REDACT_CARD] = "card",
    [REDACT_ACCOUNT] = "account",
    [REDACT_PASSWORD] = "password",
    [REDACT_SECRET] = "secret",
    [REDACT_USER] = "user",
};
static const char *const placeholders[] = {
#define X(NAME, placeholder) placeholder,
    REDACT_TYPES(X)
#undef X
};
static const uint8_t placeholder_sizes[] = {
#define X(NAME, placeholder) sizeof placeholder - 1,
    REDACT_TYPES(X)
#undef X
};

const char *redact_type_name(enum redact_type type)
{
	return names[type];
}
const char *redact_placeholder(enum redact_type type)
{
	return placeholders[type];
}

size_t placeholder_at(const struct scan *s, size_t at)
{
	if (byte_at(s, at) != '[' || !is_upper(byte_at(s, at + 1)))
		return 0;
	size_t end = at + 2;
	while (end - at < REDACT_WORD_MAX && is_upper(byte_at(s, end)))
		end++;
	if (byte_at(s, end++) != ']')
		return 0;
	for (size_t i = 0; i < REDACT_TYPE_COUNT; i++)
		if (placeholder_sizes[i] == end - at && memcmp(s->text + at, placeholders[i], end - at) == 0)
			return end - at;
	return 0;
}

static void drop_weak(struct scan *s)
{
	size_t kept = 0;
	bool any = false;
	for (size_t i = 0; i < s->count && i < REDACT_SPANS_MAX; i++)
		any |= s->weak[i / 64] >> (i % 64) & 1;
	if (!any || !speaks_of_things(s))
		return;
	for (size_t i = 0; i < s->count; i++)
		if (i >= REDACT_SPANS_MAX || !(s->weak[i / 64] >> (i % 64) & 1))
			s->spans[kept++] = s->spans[i];
	s->count = kept;
}

static bool has_capital(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (is_upper(text[i]))
			return true;
	return false;
}

void scan_begin(struct scan *s)
{
	if (!clinical(s))
		return;
	lexicon_ready();
	s->small = !has_capital(s->text, s->size < CAPITAL_LOOK ? s->size : CAPITAL_LOOK);
}

size_t scan_find(struct scan *s)
{
	struct redact_stream *stream = s->stream;
	scan_begin(s);
	walk(s, stream && stream->in_pem ? rule_pem(s, 0) : 0, s->size);
	if (clinical(s) && s->count && !s->firm && !(stream && stream->firm) && !s->full)
		drop_weak(s);
	if (stream)
		stream->firm |= s->firm;
	if (s->meant)
		return s->count;
	if (!s->full)
		scan_encoded(s);
	if (!s->full)
		scan_rows(s);
	if (!s->full && !clinical(s)) /* where that knows their fields one by one */
		scan_segments(s);
	return s->count;
}

size_t redact_find(const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size,
    struct redact_span *spans, size_t max)
{
	struct scan s = {
	    .text = (const uint8_t *)text, .size = size, .options = o, .stream = stream, .spans = spans, .max = max};
	return scan_find(&s);
}

/* *ret_again: what came of it may hold something yet. */
static size_t replace(const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size,
    struct buf *out, bool *ret_again)
{
	struct redact_span spans[STACK_SPANS];
	struct doubts doubts;
	struct scan s = {.text = (const uint8_t *)text,
	    .size = size,
	    .options = o,
	    .stream = stream,
	    .spans = spans,
	    .max = STACK_SPANS};
	doubts.count = 0;
	doubts.over = false;
	if (clinical(&s)) /* in logs it is seldom that anything is found at all */
		s.doubts = &doubts;
	size_t done = 0, found = scan_find(&s), begin = out->size;
	for (size_t i = 0; i < found; i++) {
		buf_append(out, text + done, spans[i].start - done);
		buf_append(out, placeholders[spans[i].type], placeholder_sizes[spans[i].type]);
		done = spans[i].end;
	}
	buf_append(out, text + done, size - done);
	*ret_again =
	    found && (!s.doubts || s.full || out->failed ||
			 finds_again(o, &doubts, spans, found, (const uint8_t *)out->data + begin, out->size - begin));
	return found;
}

/* A placeholder is another neighbour than what stood there, so what stands beside it is looked at again, until nothing
 * is found. */
size_t redact_text(
    const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size, struct buf *out)
{
	bool again;
	size_t begin = out->size, count = replace(o, stream, text, size, out, &again);
	for (size_t pass = 1; again && pass < PASSES_MAX && !out->failed; pass++) {
		struct buf next = BUF_INIT;
		size_t found = replace(o, NULL, (const char *)out->data + begin, out->size - begin, &next, &again);
		if (found) {
			out->size = begin;
			buf_append(out, next.data, next.size);
			out->failed |= next.failed;
			count += found;
		}
		buf_done(&next);
	}
	return count;
}
