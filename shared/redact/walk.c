/* The walk over the text: chunk by chunk, and which rule is asked about each. */
#include "shared/redact/lexicon.h"

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
	if (s->doubts)
		doubt_before(s, start);
	s->spans[s->count++] = (struct redact_span){start, end, type};
	forget_words(s); /* as behind the placeholder */
	return end;
}

size_t skip_spaces(const struct scan *s, size_t at)
{
	size_t stop = look_end(s, at);
	while (at < stop && (s->text[at] == ' ' || s->text[at] == '\t'))
		at++;
	return at;
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

/* A word of one capital at most and letters of ASCII alone, which most chunks are; false: it is another. */
static bool plain_chunk(const struct scan *s, size_t at, struct chunk *ret)
{
	uint8_t first = s->text[at];
	if (!is_alpha(first))
		return false;
	size_t end = at + 1 + small_letters(s, at + 1), n = end - at;
	bool ends = end == s->size || (class_of(s->text[end]) & BYTE_DELIM && s->text[end] != '\'');
	if (!ends || n >= WORD_POWERS)
		return false;
	unsigned own = is_upper(first) ? BYTE_UPPER : BYTE_LOWER;
	*ret = (struct chunk){.start = at,
	    .end = end,
	    .whole = end,
	    .seen = n > 1 ? own | BYTE_LOWER : own,
	    .inner = n > 2   ? own | BYTE_LOWER
		     : n > 1 ? own
			     : 0,
	    .hash = word_hash_of(s->text + at, n),
	    .letters = n};
	return true;
}

/* What is left of a chunk is read again, but never as a whole: thousands of addresses may be joined in one. */
static size_t chunk_limit(const struct scan *s, size_t at)
{
	return at < s->passed ? look_end(s, at) : s->size;
}

struct chunk chunk_at(const struct scan *s, size_t at)
{
	struct chunk plain;
	if (plain_chunk(s, at, &plain))
		return plain;
	const uint8_t *text = s->text;
	size_t start = at, size = chunk_limit(s, at), letters = 0;
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
	s->words[3] = s->words[2];
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

/* A small letter between blanks ends no label ("66r x 000000"): such words are passed by (small.c), where there is
 * room. */
static bool is_lone_letter(const struct scan *s, struct recent word, size_t start)
{
	return word.letters == 1 && is_lower(s->text[start]) && byte_at(s, word.end) == ' ';
}

/* The word alone, or with one or two before it ("date of birth"). */
static unsigned kinds_with_recent(const struct scan *s, struct recent word, size_t start)
{
	unsigned own = word_kinds(word.hash), kinds = own;
	word_hash h = word.hash;
	size_t letters = word.letters, at = start;
	bool ends = may_end_label(word.hash) && !is_lone_letter(s, word, start);
	for (size_t i = 0; i < 2 && ends; i++) {
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
		if (!may_end_label(h))
			break;
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

/* A word that no rule looks at: in small letters, and in none of the lists; or a mark that joins nothing. */
static bool is_idle(const struct scan *s, const struct chunk *c, unsigned kinds)
{
	if (kinds & (WORD_SCHEME | WORD_LABELS | WORD_TITLE | WORD_MONTH))
		return false;
	if (c->seen != BYTE_LOWER)
		return !(c->seen & ~(unsigned)(BYTE_JOIN | BYTE_DOT | BYTE_MARK)) && s->text[c->start] != '-';
	if (!clinical(s))
		return true;
	if (c->letters < 3)
		return !(kinds & (WORD_SITE | WORD_CARE)) &&
		       !(byte_at(s, c->end) == ' ' && is_digit(byte_at(s, c->end + 1)) &&
			   match_small_shape(s, c->start));
	return !(kinds & (WORD_SITE | WORD_CARE | WORD_GIVEN)) && !lexicon_may_be_given(c->hash);
}

static size_t clinical_chunk(struct scan *s, const struct chunk *c, unsigned kinds)
{
	size_t next;
	if (c->inner & BYTE_JOIN && c->letters >= 6 && (next = rule_named_file(s, *c)))
		return next;
	if (c->inner & BYTE_DOT && (next = rule_domain(s, *c)))
		return next;
	if (kinds & WORD_MONTH && (next = rule_month(s, *c)))
		return next;
	if (c->seen & BYTE_UPPER && byte_at(s, c->end) == '<' && (next = match_travel_lines(s, c->start)))
		return emit(s, c->start, next, REDACT_ID);
	if (may_be_holiday(s, c) && (next = rule_holiday(s, *c)))
		return next;
	return c->seen & (BYTE_UPPER | BYTE_LOWER | BYTE_HIGH) ? rule_prose(s, *c, kinds) : 0;
}

static size_t on_chunk(struct scan *s, const struct chunk *c, unsigned kinds)
{
	size_t next;
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
	return clinical(s) ? clinical_chunk(s, c, kinds) : 0;
}

/* A capitalised word alone that the lists know as ordinary. */
static bool is_plain_capital(const struct scan *s, const struct chunk *c, unsigned kinds)
{
	return c->seen & BYTE_UPPER && !(c->seen & ~(unsigned)(BYTE_UPPER | BYTE_LOWER)) && clinical(s) &&
	       is_upper(s->text[c->start]) && !(kinds & (WORD_SCHEME | WORD_LABELS | WORD_TITLE | WORD_MONTH)) &&
	       !may_be_holiday(s, c) && is_lone_word(s, *c, kinds);
}

static size_t walk_chunk(struct scan *s, size_t at)
{
	struct chunk c = chunk_at(s, at);
	bool word = c.seen & (BYTE_LOWER | BYTE_UPPER);
	unsigned kinds = word ? chunk_kinds(s, &c) : 0;
	if (is_idle(s, &c, kinds) || is_plain_capital(s, &c, kinds))
		return c.whole;
	size_t found = s->count;
	s->remembered = word;
	size_t next = on_chunk(s, &c, kinds);
	next = next > at ? next : c.whole > at ? c.whole : at + 1;
	if (s->count == found && next < c.whole && s->passed < c.whole)
		s->passed = c.whole;
	if (s->doubts && s->count == found)
		doubt(s, at, next);
	return next;
}

static size_t walk_delimiter(struct scan *s, size_t at)
{
	size_t next;
	uint8_t b = s->text[at];
	if (b == '[' && (next = placeholder_at(s, at))) {
		s->firm = true;
		forget_words(s);
		return at + next;
	}
	if (b == '(' && is_digit(byte_at(s, at + 1))) {
		if ((next = rule_phone_paren(s, at)) || (clinical(s) && (next = rule_elements(s, at))))
			return next;
		if (s->doubts)
			doubt(s, at, at + 1);
	}
	if (b == '\n')
		forget_words(s);
	return at + 1;
}

size_t walk_step(struct scan *s, size_t at)
{
	size_t next;
	unsigned k = class_of(s->text[at]);
	s->chunk = at;
	s->remembered = false;
	if (k & BYTE_DELIM)
		return walk_delimiter(s, at);
	if (s->text[at] == '-' && (next = rule_pem(s, at)))
		return next;
	return walk_chunk(s, at);
}

void walk(struct scan *s, size_t at, size_t stop)
{
	while (at < stop && !s->full) {
		uint8_t b = s->text[at];
		if (b == ' ') {
			at++;
			continue;
		}
		size_t next = is_lower(b) ? pass_small_words(s, at) : at;
		at = next > at ? next : walk_step(s, at);
	}
}
