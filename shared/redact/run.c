/* Words and runs of them: letters of many scripts, initials, particles, possessives. */
#include <assert.h>

#include "shared/redact/run.h"

enum { GAP_MOST = 2 /* blanks behind a full stop within a run: elsewhere two divide columns */ };

/* ---- letters ---- */

/* Bytes of the letter at `at`, or 0.  Beyond ASCII all but punctuation is taken for letters. */
static size_t letter_at(const struct scan *s, size_t at)
{
	uint8_t b = byte_at(s, at);
	if (is_alpha(b))
		return 1;
	if (b < 0x80 || b == 0xc2 || (b == 0xe2 && byte_at(s, at + 1) == 0x80))
		return 0;
	size_t n = 1;
	while (n < 4 && (byte_at(s, at + n) & 0xc0) == 0x80)
		n++;
	return n;
}

/* An apostrophe of either kind, or a hyphen: bytes, or 0. */
static size_t inner_mark(const struct scan *s, size_t at)
{
	uint8_t b = byte_at(s, at);
	if (b == '\'' || b == '-')
		return 1;
	return b == 0xe2 && byte_at(s, at + 1) == 0x80 && byte_at(s, at + 2) == 0x99 ? 3 : 0;
}

size_t prose_word_end(const struct scan *s, size_t at)
{
	size_t stop = left(s, at) > 48 ? at + 48 : s->size, end = at;
	end += is_upper(byte_at(s, at));
	end += small_letters(s, end);
	if (end > stop)
		end = stop;
	while (end < stop) {
		if (is_alpha(s->text[end])) {
			end++;
			continue;
		}
		if (class_of(s->text[end]) & BYTE_SPACE)
			break;
		size_t n = letter_at(s, end), mark = 0;
		if (!n && end > at && (mark = inner_mark(s, end)))
			n = letter_at(s, end + mark);
		if (!n)
			break;
		end += mark + n;
	}
	return end;
}

/* Latin, Greek and Cyrillic capitals; other scripts know none. */
bool capital_at(const struct scan *s, size_t at)
{
	uint8_t a = byte_at(s, at), b = byte_at(s, at + 1);
	if (a < 0x80)
		return is_upper(a);
	unsigned code = (a & 0x1fu) << 6 | (b & 0x3fu);
	if (a == 0xc3)
		return b <= 0x9e && b != 0x97;
	if (a == 0xc4 || a == 0xc5)
		return (code > 0x138 && code < 0x149) || code > 0x178 ? code & 1 : !(code & 1);
	if (a == 0xce || a == 0xcf)
		return code >= 0x386 && code <= 0x3ab && code != 0x390;
	if (a == 0xd0 || a == 0xd1)
		return code <= 0x42f;
	return a == 0xe1 && (b == 0xb8 || b == 0xb9 || b == 0xba || b == 0xbb) && !(byte_at(s, at + 2) & 1);
}

/* ---- runs ---- */

static bool text_is(const struct scan *s, size_t start, size_t end, const char *word)
{
	while (start < end && *word && s->text[start] == (uint8_t)*word) {
		start++;
		word++;
	}
	return start == end && !*word;
}

bool text_is_any(const struct scan *s, size_t start, size_t end, const char *const *words)
{
	uint8_t first = byte_at(s, start);
	for (; *words && end > start; words++)
		if ((uint8_t) * *words == first && text_is(s, start, end, *words))
			return true;
	return false;
}

/* Words of at most three letters, each as a number. */
enum { SHORT_MOST = 3, SHORT_SLOTS = 128 };
enum short_kind { SHORT_PARTICLE = 1, SHORT_JOINER = 2 };
static uint32_t joining[SHORT_SLOTS];
static uint8_t short_kinds[SHORT_SLOTS];

static uint32_t packed(const uint8_t *p, size_t n)
{
	uint32_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}
static size_t short_slot(uint32_t v)
{
	return v * 2654435761u >> 25;
}

static void add_short(const char *words, enum short_kind kind)
{
	for (const char *p = words; *p; p += *p == ' ') {
		size_t n = strcspn(p, " ");
		uint32_t v = packed((const uint8_t *)p, n);
		size_t at = short_slot(v);
		assert(n <= SHORT_MOST);
		while (joining[at])
			at = (at + 1) % SHORT_SLOTS;
		joining[at] = v;
		short_kinds[at] = (uint8_t)kind;
		p += n;
	}
}
__attribute__((constructor)) static void fill_joining_words(void)
{
	add_short(
	    "de van von der den la le da di bin ibn al el ter del dos das do du des zu af av y e st", SHORT_PARTICLE);
	add_short("of the and for at", SHORT_JOINER);
}

/* Of a word that may stand between two capitalised ones; 0: it may not. */
static unsigned short_kind(const struct scan *s, size_t start, size_t end)
{
	if (end - start == 0 || end - start > SHORT_MOST || !is_lower(s->text[start]))
		return 0;
	uint32_t v = packed(s->text + start, end - start);
	for (size_t at = short_slot(v); joining[at]; at = (at + 1) % SHORT_SLOTS)
		if (joining[at] == v)
			return short_kinds[at];
	return 0;
}

/* The capital inside McIsaac, DeLuca, O'Neil: bytes before it, or 0. */
static size_t inner_capital(const struct scan *s, const struct piece *p)
{
	bool any = false;
	for (size_t i = p->start + 1; i < p->end && !any; i++)
		any = is_upper(s->text[i]);
	if (!any)
		return 0;
	static const char *const starts[] = {"Mac", "Mc", "De", "Di", "Da", "Du", "Del", "Des", "La", "Le", "Lo", "Van",
	    "Von", "Fitz", "San", "Al", "El", "Ben", "St"};
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		size_t n = strlen(starts[i]);
		if (p->end - p->start > n + 1 && memcmp(s->text + p->start, starts[i], n) == 0 &&
		    is_upper(s->text[p->start + n]))
			return n;
	}
	return 0;
}

/* Bits of what stands in a word besides its letters. */
enum { INSIDE_HIGH = 1, INSIDE_HYPHEN = 2 };

/* What its letters are like; ret_hash: of the letters, in small. */
static unsigned look_inside(const struct scan *s, struct piece *p, word_hash *ret_hash)
{
	size_t capitals = 0, smalls = 0, n = p->end - p->start;
	unsigned inside = 0, before = 0, second = 0;
	if (n < WORD_POWERS && is_upper(s->text[p->start]) && small_letters(s, p->start + 1) >= n - 1) {
		*ret_hash = word_hash_of(s->text + p->start, n);
		return 0; /* most names */
	}
	bool mixed = false;
	word_hash h = 0;
	for (size_t i = p->start; i < p->end; i++) {
		uint8_t b = s->text[i];
		unsigned k = class_of(b);
		if (k & (BYTE_UPPER | BYTE_LOWER))
			h = word_hash_add(h, b | 32);
		inside |= k & BYTE_HIGH ? INSIDE_HIGH : b == '-' ? INSIDE_HYPHEN : 0u;
		capitals += (k & BYTE_UPPER) != 0;
		smalls += (k & (BYTE_LOWER | BYTE_HIGH)) != 0;
		mixed |= (k & BYTE_UPPER && before & BYTE_LOWER) || (k & BYTE_LOWER && before & second & BYTE_UPPER);
		second = before;
		before = k;
	}
	if (mixed) { /* McIsaac is not; SELinux, GHz, eGFR are */
		size_t allowed = inner_capital(s, p);
		mixed = false;
		for (size_t i = p->start + 1; i < p->end; i++) {
			uint8_t b = s->text[i];
			mixed |= is_upper(b) && is_lower(s->text[i - 1]) && i - p->start != allowed;
			mixed |= !allowed && is_lower(b) && i > p->start + 1 && is_upper(s->text[i - 1]) &&
				 is_upper(s->text[i - 2]);
		}
	}
	if (p->end - p->start > 1 && s->text[p->start] >= 0x80)
		smalls = capitals ? 0 : smalls; /* ÅSTRÖM and Åström */
	p->caps = !smalls && capitals > 1;
	p->mixed = mixed;
	*ret_hash = h;
	return inside;
}

/* Of a compound: what each of its parts is, if all are ordinary; names, if one is a name. */
static unsigned lex_of(const struct scan *s, size_t start, size_t end)
{
	const uint8_t *hyphen = memchr(s->text + start, '-', end - start);
	unsigned whole = lexicon_find(s->text + start, end - start);
	if (!hyphen || whole)
		return whole;
	size_t at = start;
	unsigned names = 0, plain = LEX_PLAIN;
	for (size_t stop = start; stop <= end; stop++) {
		if (stop < end && s->text[stop] != '-')
			continue;
		bool acronym = stop - at <= RUN_ACRONYM_MOST && is_upper(byte_at(s, at + 1));
		unsigned part = stop - at <= 2 || acronym ? (unsigned)LEX_PLAIN : lexicon_find(s->text + at, stop - at);
		names |= part & LEX_NAMES;
		plain &= part & LEX_MEDICAL ? (unsigned)LEX_PLAIN : part;
		at = stop + 1;
	}
	return plain ? plain : names;
}

/* The bytes of 's at the end of a word, with either apostrophe, or 0. */
static size_t possessive_size(const struct scan *s, size_t start, size_t end)
{
	if (end - start > 2 && memcmp(s->text + end - 2, "'s", 2) == 0)
		return 2;
	return end - start > 4 && memcmp(s->text + end - 4, "\xe2\x80\x99s", 4) == 0 ? 4 : 0;
}

static struct piece piece_at(const struct scan *s, size_t start, size_t end)
{
	struct piece p = {.start = start, .end = end};
	size_t mark = possessive_size(s, start, end);
	p.end -= mark;
	p.possessive = mark > 0;
	word_hash h;
	unsigned inside = look_inside(s, &p, &h);
	p.base = word_kinds(h);
	p.lex = inside ? lex_of(s, p.start, p.end) : lexicon_hashed(s->text + p.start, p.end - p.start, h, p.base);
	return p;
}

/* "J.", "St.", "Med.": the full stop belongs to the word. */
static bool abbreviates(const struct scan *s, const struct piece *p)
{
	static const char *const abbreviations[] = {"St", "Mt", "Ft", "Dr", "Jr", "Sr", "Med", "Hosp", "Ctr", "Univ",
	    "Mr", "Mrs", "Ms", "Gen", "Reg", "Mem", "Wm", "Chas", NULL};
	size_t n = p->end - p->start;
	return byte_at(s, p->end) == '.' &&
	       (n == letter_at(s, p->start) || text_is_any(s, p->start, p->end, abbreviations));
}

/* A joiner or particle at `at` that leads to another capitalised word: where that begins, or 0. */
size_t joined_at(const struct scan *s, size_t at, size_t end)
{
	bool sign = byte_at(s, at) == '&' && (byte_at(s, at + 1) == ' ' || is_letter(byte_at(s, at + 2))); /* not O&P */
	if (end - at > SHORT_MOST || (!sign && !short_kind(s, at, end)))
		return 0;
	size_t next = skip_spaces(s, sign ? at + 1 : end);
	if (capital_at(s, next))
		return next;
	if (!is_lower(byte_at(s, next)))
		return 0;
	size_t second = prose_word_end(s, next); /* "van der", "of the" */
	if (!(short_kind(s, next, second) == SHORT_PARTICLE || text_is(s, next, second, "the")))
		return 0;
	size_t after = skip_spaces(s, second);
	return capital_at(s, after) ? after : 0;
}

void read_run(const struct scan *s, size_t at, struct run *r)
{
	r->count = 0;
	while (r->count < RUN_WORDS_MAX) {
		size_t end = prose_word_end(s, at);
		if (is_digit(byte_at(s, end)) || byte_at(s, end) == '_' ||
		    (byte_at(s, end) == '-' && is_digit(byte_at(s, end + 1))) ||
		    (byte_at(s, end) == '/' && end - at <= 3))
			return; /* part of an identifier, a ratio */
		if (!capital_at(s, at)) {
			size_t next = r->count ? joined_at(s, at, end) : 0;
			if (!next || r->count + 1 >= RUN_WORDS_MAX)
				return;
			bool particle = short_kind(s, at, end) == SHORT_PARTICLE;
			r->p[r->count++] = (struct piece){.start = at, .end = next, .joiner = !particle};
			if (particle) {
				r->count--; /* it is one with the word behind it */
				end = prose_word_end(s, next);
				r->p[r->count] = piece_at(s, next, end);
				r->p[r->count++].start = at;
			} else {
				at = next;
				continue;
			}
		} else {
			r->p[r->count] = piece_at(s, at, end);
			if (r->count && r->p[r->count].base & WORD_MONTH && is_digit(byte_at(s, skip_spaces(s, end))))
				return; /* "Orlando Health April 2023" */
			r->count++;
		}
		struct piece *p = &r->p[r->count - 1];
		if (abbreviates(s, p)) {
			p->initial = p->end - p->start <= 2 && !(p->base & WORD_TITLE);
			p->end = ++end;
		} else if (p->end - p->start == 1) {
			p->initial = true;
		}
		size_t next = skip_spaces(s, end);
		size_t most = s->text[end - 1] == '.' ? GAP_MOST : 1;
		if ((next == end && !p->initial) || next - end > most)
			return;
		at = next;
	}
}

unsigned lex_at(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at);
	return end > at ? lexicon_find(s->text + at, end - at) : 0;
}

/* ---- what the words of a run are ---- */

/* An ordinary word, a term or an acronym: nothing that names anybody. */
bool is_ordinary(const struct piece *p)
{
	if (p->initial)
		return false;
	if (p->lex & (LEX_PLAIN | LEX_MEDICAL))
		return true;
	if (p->base & (WORD_LABELS | WORD_TITLE | WORD_MONTH | WORD_LINKER) && !(p->lex & LEX_NAMES))
		return true;
	if (p->lex & LEX_NAMES)
		return p->caps && p->end - p->start <= 3; /* ASA, MAC */
	return p->mixed || p->end - p->start <= 2 /* Na, Cr */ || (p->caps && p->end - p->start <= RUN_ACRONYM_MOST);
}

/* Both an ordinary word and somebody's name. */
bool is_doubtful(const struct piece *p)
{
	return is_ordinary(p) && p->lex & LEX_NAMES;
}

bool is_name(const struct piece *p)
{
	return !p->joiner && !is_ordinary(p) && !p->initial;
}

bool starts_sentence(const struct scan *s, size_t at)
{
	while (at > 0 && (s->text[at - 1] == ' ' || s->text[at - 1] == '\t'))
		at--;
	if (at == 0)
		return true;
	uint8_t b = s->text[at - 1];
	bool letter = at > 2 && (is_upper(s->text[at - 2]) || s->text[at - 3] == ' '); /* "J.", "v." */
	return strchr("!?\n\r\"*>", b) || b == ':' || (b == '.' && !letter);
}

unsigned lexicon_word_at(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at);
	return end > at ? lexicon_word(s->text + at, end - at) : 0;
}

bool introduced(const struct scan *s)
{
	return leads_to(s, 1, LEX_TO_NAME);
}

bool place_follows(const struct scan *s)
{
	return leads_to(s, 1, LEX_TO_PLACE);
}
