#include "shared/redact/redact.h"

#include "shared/redact/lexicon.h"
#include "shared/redact/scan.h"

enum {
	STACK_SPANS = 256,
	CAPITAL_LOOK = 4096, /* bytes that show whether a text has capitals */
	PASSES_MAX = 8,      /* each finds something that the one before did not; two are usual */
};

#define D BYTE_DELIM
#define S (BYTE_DELIM | BYTE_SPACE)
const uint16_t byte_classes[256] = {
    [0 ... 8] = D,
    [9] = S,
    [10] = S,
    [11] = D,
    [12] = D,
    [13] = S,
    [14 ... 31] = D,
    [' '] = S,
    ['!'] = BYTE_MARK,
    ['"'] = D,
    ['#'] = D,
    ['&'] = D,
    ['\''] = D,
    ['('] = D,
    [')'] = D,
    [','] = D,
    [';'] = D,
    ['<'] = D,
    ['='] = D,
    ['>'] = D,
    ['?'] = D,
    ['['] = D,
    ['\\'] = D,
    [']'] = D,
    ['^'] = D,
    ['`'] = D,
    ['{'] = D,
    ['|'] = D,
    ['}'] = D,
    [127] = D,
    ['-'] = BYTE_JOIN,
    ['.'] = BYTE_JOIN | BYTE_DOT,
    ['/'] = BYTE_JOIN,
    ['_'] = BYTE_JOIN,
    ['0' ... '9'] = BYTE_DIGIT,
    [':'] = BYTE_COLON,
    ['@'] = BYTE_AT,
    ['A' ... 'Z'] = BYTE_UPPER,
    ['a' ... 'z'] = BYTE_LOWER,
    [128 ... 255] = BYTE_HIGH,
};
#undef D
#undef S

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

/* Components of one field: DOE^JANET^Q, 22 OAK LANE^^DAYTON (HL7 version 2, 2.5.3). */
static size_t field_end(const struct scan *s, size_t at)
{
	size_t stop = look_end(s, at);
	while (at < stop && s->text[at] != '|' && s->text[at] != '~' && s->text[at] != '\n' && s->text[at] != '\r')
		at++;
	return at;
}

size_t emit(struct scan *s, size_t start, size_t end, enum redact_type type)
{
	if (byte_at(s, end) == '^' && clinical(s))
		end = field_end(s, end);
	if (s->count + 1 == s->max) { /* the last one takes all that is left */
		end = s->size;
		s->full = true;
	}
	uint64_t bit = 1ull << (s->count % 64), *weak = &s->weak[s->count / 64 % (REDACT_SPANS_MAX / 64)];
	*weak = s->weak_next ? *weak | bit : *weak & ~bit;
	s->firm |= !s->weak_next;
	s->weak_next = false;
	s->spans[s->count++] = (struct redact_span){start, end, type};
	return end;
}

size_t skip_spaces(const struct scan *s, size_t at)
{
	size_t stop = look_end(s, at);
	while (at < stop && (s->text[at] == ' ' || s->text[at] == '\t'))
		at++;
	return at;
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

/* ---- chunks ---- */

/* A delimiter that is part of a chunk after all: the apostrophe of O'Neil. */
static bool joins(const struct scan *s, size_t at, size_t start)
{
	return s->text[at] == '\'' && at > start && is_letter(s->text[at - 1]) && is_letter(byte_at(s, at + 1));
}

/* A colon after letters ends a chunk ("mrn:12"), but not in a URL or an IPv6 address. */
static bool colon_ends(const struct scan *s, size_t at, size_t start, unsigned seen)
{
	if (seen & (BYTE_DIGIT | BYTE_AT | BYTE_COLON) || at == start)
		return false;
	uint8_t next = byte_at(s, at + 1);
	if (next == '/' && byte_at(s, at + 2) == '/')
		return false;
	if (at - start > 4)
		return true;
	for (size_t i = start; i < at; i++)
		if (!is_hex(s->text[i]))
			return true;
	return !is_hex(next) && next != ':';
}

struct chunk chunk_at(const struct scan *s, size_t at)
{

	const uint8_t *text = s->text;
	size_t start = at, size = s->size, letters = 0;
	unsigned seen = 0, before = 0, inner = 0;
	word_hash hash = 0;
	bool camel = false;
	for (; at < size; at++) {
		unsigned k = class_of(text[at]);
		if (k & (BYTE_DELIM | BYTE_COLON)) {
			if (k & BYTE_DELIM && !joins(s, at, start))
				break;
			if (k & BYTE_COLON && colon_ends(s, at, start, seen))
				break;
		}
		seen |= k;
		if (k & (BYTE_LOWER | BYTE_UPPER)) {
			hash = word_hash_add(hash, text[at] | 32);
			letters++;
			camel |= k & BYTE_UPPER && before & BYTE_LOWER;
		}
		inner |= before;
		before = k;
	}
	struct chunk c = {.start = start,
	    .whole = at,
	    .seen = seen,
	    .inner = inner,
	    .hash = hash,
	    .letters = letters,
	    .camel = camel};
	if (before & (BYTE_DOT | BYTE_COLON | BYTE_MARK))
		while (at > start && (text[at - 1] == '.' || text[at - 1] == ':' || text[at - 1] == '!'))
			at--;
	c.end = at;
	return c;
}

/* ---- words ---- */

static void remember(struct scan *s, struct recent word)
{
	s->words[2] = s->words[1];
	s->words[1] = s->words[0];
	s->words[0] = word;
}

/* Is `next` right behind `end`, but for a space or two? */
static bool adjacent(const struct scan *s, size_t end, size_t next)
{
	for (; end < next; end++)
		if (s->text[end] != ' ' && s->text[end] != '\t' && s->text[end] != '\'' && s->text[end] != '.')
			return false;
	return true;
}

/* The word alone, or with one or two before it ("date of birth"). */
static unsigned kinds_with_recent(const struct scan *s, struct recent word, size_t start)
{
	unsigned own = word_kinds(word.hash), kinds = own;
	word_hash h = word.hash;
	size_t letters = word.letters, at = start;
	for (size_t i = 0; i < 2; i++) {
		const struct recent *before = &s->words[i];
		word_hash first = recent_hash(s, i);
		bool blank = before->end + 1 == at && s->text[before->end] == ' ';
		if (!first || (!blank && (start - before->end > 8 || !adjacent(s, before->end, at))))
			break;
		h = word_hash_join(first, h, letters);
		letters += before->letters;
		at = before->end - (before->letters < before->end ? before->letters : before->end);
		unsigned joined = word_kinds(h);
		if (joined & WORD_LABELS)
			kinds = (kinds & ~(unsigned)(WORD_LABELS | WORD_KEY_ONLY | WORD_PROSE | WORD_ZIP)) |
				(joined & (WORD_LABELS | WORD_PROSE | WORD_ZIP));
	}
	return kinds;
}

/* The last part, or the last two, of a compound such as db_password or awsSecretAccessKey. */
static unsigned kinds_of_suffix(const struct scan *s, const struct chunk *c)
{
	size_t least = c->end - c->start > REDACT_WORD_MAX ? c->end - REDACT_WORD_MAX : c->start;
	unsigned found = 0;
	word_hash h = 0;
	size_t letters = 0;
	for (size_t at = c->end; at-- > least;) { /* the hash grows at its front */
		uint8_t b = s->text[at];
		if (is_alpha(b)) {
			h = word_hash_join(word_hash_add(0, lower(b)), h, letters);
			letters++;
		}
		bool boundary =
		    at == c->start || !is_alpha(s->text[at - 1]) || (is_upper(b) && is_lower(s->text[at - 1]));
		if (!boundary || !letters)
			continue;
		unsigned k = word_kinds(h);
		if (k & WORD_SUFFIX)
			found = k;
	}
	return found;
}

static unsigned chunk_kinds(struct scan *s, const struct chunk *c)
{
	struct recent word = {.end = c->end};
	if (c->end - c->start <= REDACT_WORD_MAX + 8) {
		word.hash = c->hash;
		word.letters = c->letters;
	}
	unsigned kinds = 0;
	if (word.letters)
		kinds = kinds_with_recent(s, word, c->start);
	if (!(kinds & WORD_LABELS) && c->letters >= 3 &&
	    (c->camel || c->inner & BYTE_JOIN || c->seen & (BYTE_DIGIT | BYTE_HIGH)))
		kinds |= kinds_of_suffix(s, c);
	remember(s, word);
	return kinds;
}

/* ---- the walk ---- */

static size_t on_chunk(struct scan *s, const struct chunk *c)
{
	size_t next;
	unsigned kinds = c->seen & (BYTE_LOWER | BYTE_UPPER) ? chunk_kinds(s, c) : 0;
	if (c->seen == BYTE_COLON && c->whole - c->start == 2 && clinical(s))
		return emit(s, c->start, c->whole, REDACT_IP); /* the address "::" */
	if (c->seen & BYTE_COLON && (next = rule_url(s, *c)))
		return next;
	if (c->seen & BYTE_AT && (next = rule_email(s, *c)))
		return next;
	if (kinds & WORD_SCHEME || kinds & WORD_LABELS)
		if ((next = rule_label(s, *c, kinds)))
			return next;
	if (s->text[c->start] == '-' && (next = rule_option(s, *c)))
		return next;
	bool mixed = c->seen & BYTE_DIGIT || (c->seen & BYTE_UPPER && c->seen & BYTE_LOWER);
	if (mixed && c->end - c->start >= 12 && (next = rule_secret(s, *c)))
		return next;
	if (c->seen & BYTE_DIGIT && (next = rule_number(s, *c)))
		return next;
	if (kinds & WORD_TITLE && (next = rule_title(s, *c)))
		return next;
	if (clinical(s)) {
		if (c->inner & BYTE_JOIN && c->letters >= 6 && (next = rule_named_file(s, *c)))
			return next;
		if (c->inner & BYTE_DOT && (next = rule_domain(s, *c)))
			return next;
		if (kinds & WORD_MONTH && (next = rule_month(s, *c)))
			return next;
		if (c->seen & BYTE_UPPER && byte_at(s, c->end) == '<' && (next = match_travel_lines(s, c->start)))
			return emit(s, c->start, next, REDACT_ID);
		if (c->seen & BYTE_UPPER && c->letters >= 3 && is_upper(s->text[c->start]) &&
		    (next = rule_holiday(s, *c)))
			return next;
		bool small = c->seen == BYTE_LOWER && c->letters >= 3;
		if (small && !(kinds & (WORD_SITE | WORD_CARE | WORD_GIVEN)) && !lexicon_may_be_given(c->hash))
			return 0; /* the most words */
		if (c->seen & (BYTE_UPPER | BYTE_LOWER | BYTE_HIGH) && (next = rule_prose(s, *c, kinds)))
			return next;
	}
	return 0;
}

static size_t on_delimiter(struct scan *s, size_t at)
{
	size_t next;
	uint8_t b = s->text[at];
	if (b == '[' && (next = placeholder_at(s, at))) {
		s->firm = true;
		return at + next;
	}
	if (b == '(' && is_digit(byte_at(s, at + 1)) &&
	    ((next = rule_phone_paren(s, at)) || (clinical(s) && (next = rule_elements(s, at)))))
		return next;
	if (b == '\n')
		memset(s->words, 0, sizeof s->words);
	return at + 1;
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

size_t redact_find(const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size,
    struct redact_span *spans, size_t max)
{
	struct scan s = {
	    .text = (const uint8_t *)text, .size = size, .options = o, .stream = stream, .spans = spans, .max = max};
	if (clinical(&s))
		lexicon_ready();
	s.small = clinical(&s) && !has_capital(s.text, size < CAPITAL_LOOK ? size : CAPITAL_LOOK);
	size_t at = stream && stream->in_pem ? rule_pem(&s, 0) : 0;
	while (at < size && !s.full) {
		unsigned k = class_of(s.text[at]);
		size_t next = 0;
		if (s.text[at] == ' ') {
			at++;
			continue;
		}
		if (k & BYTE_LOWER && (next = pass_small_words(&s, at)) > at) {
			at = next;
			continue;
		}
		if (k & BYTE_DELIM) {
			at = on_delimiter(&s, at);
			continue;
		}
		if (s.text[at] == '-' && (next = rule_pem(&s, at))) {
			at = next;
			continue;
		}
		struct chunk c = chunk_at(&s, at);
		next = on_chunk(&s, &c);
		at = next > at ? next : c.whole > at ? c.whole : at + 1;
	}
	if (clinical(&s) && s.count && !s.firm && !(stream && stream->firm) && !s.full)
		drop_weak(&s);
	if (stream)
		stream->firm |= s.firm;
	return s.count;
}

static size_t replace(
    const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size, struct buf *out)
{
	struct redact_span spans[STACK_SPANS];
	size_t done = 0, found = redact_find(o, stream, text, size, spans, STACK_SPANS);
	for (size_t i = 0; i < found; i++) {
		buf_append(out, text + done, spans[i].start - done);
		buf_text(out, placeholders[spans[i].type]);
		done = spans[i].end;
	}
	buf_append(out, text + done, size - done);
	return found;
}

/* A placeholder is another neighbour than what stood there, so what stands beside it is looked at again, until nothing
 * is found. */
size_t redact_text(
    const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size, struct buf *out)
{
	size_t begin = out->size, count = replace(o, stream, text, size, out);
	for (size_t found = count, pass = 1; found && pass < PASSES_MAX && !out->failed; pass++) {
		struct buf next = BUF_INIT;
		found = replace(o, NULL, (const char *)out->data + begin, out->size - begin, &next);
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
