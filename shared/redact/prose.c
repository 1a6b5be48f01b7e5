/* Clinical prose: persons, places and institutions that no label announces.
 *
 * English capitalises names and little else.  So a run of capitalised words is read, what is an ordinary word, a
 * medical term or an acronym is set aside (lexicon.h), and what is left is somebody's or something's name, unless a
 * noun behind it shows that it is a term ("Babinski sign").  Words that are both ("Rose", "Wilson", "Turkey") need a
 * sign that a name is meant. */
#include "shared/redact/lexicon.h"

enum {
	RUN_WORDS_MAX = 8,
	ACRONYM_MOST = 6, /* letters: a longer word in capitals is a word */
	LEX_NAMES = LEX_GIVEN | LEX_FAMILY | LEX_PLACE | LEX_NATION,
};

struct piece {
	size_t start, end;
	unsigned lex, base;
	bool joiner;     /* of, the, and, &: between two others */
	bool caps;       /* no small letter in it */
	bool initial;    /* "J." */
	bool possessive; /* end is before the 's */
	bool mixed;      /* a capital inside, other than in McIsaac and DeLuca */
};
struct run {
	struct piece p[RUN_WORDS_MAX];
	size_t count;
	bool opens; /* at the beginning of a sentence */
};

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
	while (end < stop) {
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

static bool is_any(const struct scan *s, size_t start, size_t end, const char *const *words)
{
	uint8_t first = byte_at(s, start);
	for (; *words && end > start; words++)
		if ((uint8_t) * *words == first && text_is(s, start, end, *words))
			return true;
	return false;
}

static const char *const particles[] = {"de", "van", "von", "der", "den", "la", "le", "da", "di", "bin", "ibn", "al",
    "el", "ter", "del", "dos", "das", "do", "du", "des", "zu", "af", "av", "y", "e", "st", NULL};
static const char *const joiners[] = {"of", "the", "and", "for", "at", NULL};

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

static void look_inside(const struct scan *s, struct piece *p)
{
	size_t capitals = 0, smalls = 0, allowed = inner_capital(s, p);
	for (size_t i = p->start; i < p->end; i++) {
		uint8_t b = s->text[i];
		p->mixed |= is_upper(b) && i > p->start && is_lower(s->text[i - 1]) && i - p->start != allowed;
		capitals += is_upper(b);
		smalls += is_lower(b) || b >= 0x80;
	}
	if (p->end - p->start > 1 && s->text[p->start] >= 0x80)
		smalls = capitals ? 0 : smalls; /* ÅSTRÖM and Åström */
	p->caps = !smalls && capitals > 1;
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
		bool acronym = stop - at <= ACRONYM_MOST && is_upper(byte_at(s, at + 1));
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
	look_inside(s, &p);
	p.lex = lex_of(s, p.start, p.end);
	p.base = word_kinds_of(s->text + p.start, p.end - p.start);
	return p;
}

/* "J.", "St.", "Med.": the full stop belongs to the word. */
static bool abbreviates(const struct scan *s, const struct piece *p)
{
	static const char *const short_words[] = {"St", "Mt", "Ft", "Dr", "Jr", "Sr", "Med", "Hosp", "Ctr", "Univ",
	    "Mr", "Mrs", "Ms", "Gen", "Reg", "Mem", "Wm", "Chas", NULL};
	size_t n = p->end - p->start;
	return byte_at(s, p->end) == '.' && (n == letter_at(s, p->start) || is_any(s, p->start, p->end, short_words));
}

/* A joiner or particle at `at` that leads to another capitalised word: where that begins, or 0. */
static size_t joined_at(const struct scan *s, size_t at, size_t end)
{
	bool sign = byte_at(s, at) == '&';
	if (end - at > 4 || (!sign && end == at))
		return 0;
	if (!sign && !is_any(s, at, end, particles) && !is_any(s, at, end, joiners))
		return 0;
	size_t next = skip_spaces(s, sign ? at + 1 : end);
	if (capital_at(s, next))
		return next;
	size_t second = prose_word_end(s, next); /* "van der", "of the" */
	if (!is_any(s, next, second, particles) && !text_is(s, next, second, "the"))
		return 0;
	size_t after = skip_spaces(s, second);
	return capital_at(s, after) ? after : 0;
}

static void read_run(const struct scan *s, size_t at, struct run *r)
{
	*r = (struct run){0};
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
			bool particle = is_any(s, at, end, particles);
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
		if (next == end && !p->initial)
			return;
		at = next;
	}
}

/* ---- what the words of a run are ---- */

/* An ordinary word, a term or an acronym: nothing that names anybody. */
static bool is_ordinary(const struct piece *p)
{
	if (p->initial)
		return false;
	if (p->lex & (LEX_PLAIN | LEX_MEDICAL))
		return true;
	if (p->base & (WORD_LABELS | WORD_TITLE | WORD_MONTH | WORD_LINKER) && !(p->lex & LEX_NAMES))
		return true;
	if (p->lex & LEX_NAMES)
		return p->caps && p->end - p->start <= 2;
	return p->mixed || (p->caps && p->end - p->start <= ACRONYM_MOST);
}

/* Both an ordinary word and somebody's name. */
static bool is_doubtful(const struct piece *p)
{
	return is_ordinary(p) && p->lex & LEX_NAMES;
}

static bool is_name(const struct piece *p)
{
	return !p->joiner && !is_ordinary(p) && !p->initial;
}

static bool starts_sentence(const struct scan *s, size_t at)
{
	while (at > 0 && (s->text[at - 1] == ' ' || s->text[at - 1] == '\t'))
		at--;
	if (at == 0)
		return true;
	uint8_t b = s->text[at - 1];
	return strchr("!?\n\r\"*>", b) || b == ':' || (b == '.' && !(at > 2 && is_upper(s->text[at - 2])));
}

static unsigned lex_at(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at);
	return end > at ? lexicon_find(s->text + at, end - at) : 0;
}

/* "IV", "2" between a name and what it is the name of. */
static size_t skip_numeral(const struct scan *s, size_t at)
{
	size_t end = at;
	while (end - at < 4 && (is_digit(byte_at(s, end)) || (byte_at(s, end) && strchr("IVX", s->text[end]))))
		end++;
	return end > at && byte_at(s, end) == ' ' ? skip_spaces(s, end) : at;
}

/* A dose: the word before it is a drug's. */
static bool is_dose(const struct scan *s, size_t at)
{
	size_t end = at;
	while (is_digit(byte_at(s, end)) || byte_at(s, end) == '.' || byte_at(s, end) == ',')
		end++;
	end = skip_spaces(s, end);
	return end > at && (byte_at(s, end) == '%' || (left(s, end) > 2 && (memcmp(s->text + end, "mg", 2) == 0 ||
									       memcmp(s->text + end, "mc", 2) == 0 ||
									       memcmp(s->text + end, "ml", 2) == 0)));
}

/* What the run that ends with its piece `last` is a term by: "Babinski sign", "Crohn's disease", "Glasgow coma scale".
 * LEX_TERM, with LEX_STRONG where the noun leaves no doubt; 0: it is none. */
static unsigned term_of(const struct scan *s, const struct run *r, size_t last)
{
	const struct piece *p = &r->p[last];
	if (p->lex & LEX_TERM && last > 0)
		return p->lex & (LEX_TERM | LEX_STRONG);
	size_t at = p->end;
	if (p->possessive)
		at += byte_at(s, at) == '\'' ? 2 : 4;
	size_t next = skip_spaces(s, at);
	if (next == at)
		return 0;
	if (is_digit(byte_at(s, next)) && is_dose(s, next))
		return LEX_TERM;
	next = skip_numeral(s, next);
	unsigned lex = lex_at(s, next);
	if (!(lex & LEX_TERM) && lex & (LEX_MEDICAL | LEX_TERM | LEX_PLAIN)) {
		size_t second = skip_spaces(s, prose_word_end(s, next));
		unsigned after = lex_at(s, second);
		bool leads = lex & LEX_MEDICAL || after & LEX_STRONG;
		bool small =
		    word_kinds_of(s->text + next, prose_word_end(s, next) - next) & (WORD_LINKER | WORD_PLACE_PREP);
		lex = leads && !small && !(lexicon_word(s->text + next, prose_word_end(s, next) - next) & LEX_TO_DATE)
			  ? after
			  : 0;
	}
	return lex & LEX_TERM ? lex & (LEX_TERM | LEX_STRONG) : 0;
}

static bool is_term(const struct scan *s, const struct run *r, size_t last)
{
	return term_of(s, r, last) != 0;
}

/* ---- what stands before ---- */

/* What the n-th word back leads to. */
static bool leads_to(const struct scan *s, size_t n, unsigned what)
{
	return s->words[n].hash && lexicon_exact(s->words[n].hash) & what;
}

static bool introduced(const struct scan *s)
{
	return leads_to(s, 1, LEX_TO_NAME);
}

static bool place_follows(const struct scan *s)
{
	return leads_to(s, 1, LEX_TO_PLACE);
}

bool names_day(const struct scan *s)
{
	return leads_to(s, 1, LEX_TO_DAY);
}

bool dated(const struct scan *s)
{
	return leads_to(s, 0, LEX_TO_DATE);
}

/* "Marrero and Murphy": the word before was a name. */
static bool follows_name(const struct scan *s, size_t start)
{
	if (s->count == 0)
		return false;
	const struct redact_span *last = &s->spans[s->count - 1];
	size_t gap = start - last->end;
	return last->type == REDACT_NAME && ((gap == 5 && memcmp(s->text + last->end, " and ", 5) == 0) ||
						(gap == 3 && memcmp(s->text + last->end, " & ", 3) == 0));
}

/* At the beginning of a sentence any word is capitalised; a verb or a mark behind it shows a name. */
static bool acts(const struct scan *s, const struct piece *p)
{
	static const char *const verbs[] = {"is", "was", "has", "had", "says", "said", "asks", "asked", "told", "tells",
	    "lives", "lived", "works", "worked", "went", "flew", "came", "wants", "wanted", "will", "would", "can",
	    "could", "did", "does", "reports", "reported", "presents", "presented", "denies", "denied", "states",
	    "stated", "complains", "complained", "shouted", "called", "called", "needs", "needed", "takes", "took",
	    "visited", "visits", "arrived", "moved", "moves", "and", "should", "must", "may", "might", "underwent",
	    "received", "developed", "returned", "returns", "felt", "feels", "started", "stopped", "continues", NULL};
	size_t at = p->end;
	if (p->possessive || byte_at(s, at) == ',')
		return true;
	size_t next = skip_spaces(s, at), end = prose_word_end(s, next);
	return next > at && is_any(s, next, end, verbs);
}

/* ---- decisions ---- */

/* "New York", "Mount Sinai", "South Africa": words that begin a place's name. */
static bool leads_place(const struct scan *s, const struct run *r, size_t i, bool opens)
{
	static const char *const words[] = {"New", "Mount", "Mt", "North", "South", "East", "West", "Fort", "Port",
	    "Lake", "Cape", "Saint", "San", "Santa", "Los", "Las", "El", "Upper", "Lower", "Great", "Grand", "Old",
	    "Rio", "Northern", "Southern", "Eastern", "Western", "Central", NULL};
	const struct piece *p = &r->p[i];
	return i + 1 < r->count && is_any(s, p->start, p->end, words) &&
	       (opens ? r->p[i + 1].lex & LEX_PLACE : is_name(&r->p[i + 1]) || r->p[i + 1].lex & LEX_NAMES);
}

static bool ends_sentence_start(const struct scan *s, const struct run *r, size_t first)
{
	return first == 0 && starts_sentence(s, r->p[0].start);
}

struct weigh {
	size_t names, doubtful, given, strong_house, weak_house, org, initials;
};

static struct weigh weigh(const struct run *r, size_t first, size_t count)
{
	static const unsigned weak = WORD_HOUSE;
	struct weigh w = {0};
	for (size_t i = first; i < count; i++) {
		const struct piece *p = &r->p[i];
		w.names += is_name(p);
		w.doubtful += is_doubtful(p);
		w.given += (p->lex & LEX_GIVEN) != 0;
		w.initials += p->initial;
		w.strong_house += i > first && (p->base & WORD_CARE) != 0;
		w.weak_house += i > first && (p->base & weak) != 0;
		w.org += i > first && (p->lex & LEX_ORG) != 0;
	}
	return w;
}

/* Without a house or a firm at its end, a run ends before "of", "and", "&". */
static size_t cut_at_joiner(const struct scan *s, const struct run *r, size_t first)
{
	bool tied = false;
	size_t count = first;
	for (size_t i = first; i < r->count; i++) {
		const struct piece *p = &r->p[i];
		tied |= (p->base & WORD_HOUSE) != 0 || p->lex & LEX_ORG || (p->joiner && s->text[p->start] == '&');
	}
	for (; count < r->count; count++)
		if (r->p[count].joiner && !tied)
			break;
	return count;
}

/* Ordinary words at its end are not the run's, but for those that name what it is. */
static size_t cut_ordinary(const struct run *r, size_t first, size_t count, bool place)
{
	while (count > first + 1) {
		const struct piece *p = &r->p[count - 1];
		bool surname = r->p[count - 2].lex & LEX_GIVEN && !(p->lex & (LEX_TERM | LEX_MEDICAL));
		if (!is_ordinary(p) || p->base & WORD_HOUSE || p->lex & (LEX_ORG | LEX_NAMES) || surname ||
		    p->possessive)
			break;
		if (place && !(p->lex & (LEX_TERM | LEX_MEDICAL)) && !(p->base & (WORD_MONTH | WORD_TITLE)) && !p->caps)
			break; /* Sioux Falls, Kestrel Valley Nursing Home */
		count--;
		while (count > first + 1 && r->p[count - 1].joiner)
			count--;
	}
	return count;
}

static bool is_saint(const struct scan *s, const struct piece *p)
{
	return (s->text[p->start] == 'S' || s->text[p->start] == 'M') && byte_at(s, p->start + 1) == 't' &&
	       p->end - p->start <= 3;
}

static bool names_house(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens)
{
	struct weigh w = weigh(r, first, count);
	if (count - first < 2)
		return false;
	if (is_saint(s, &r->p[first]) && (w.names || w.doubtful))
		return !is_term(s, r, count - 1);
	if (w.weak_house && !opens && place_follows(s))
		return true;
	return (w.strong_house && (!opens || w.names || w.doubtful)) || (w.weak_house && w.names + w.doubtful);
}

static bool names_somebody(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens)
{
	const struct piece *p = &r->p[first], *last = &r->p[count - 1];
	struct weigh w = weigh(r, first, count);
	if (count - first == 1) {
		if (p->initial)
			return false;
		if (is_name(p)) {
			if (p->lex & LEX_NAMES || !opens)
				return !(p->lex == LEX_NATION && is_term(s, r, first));
			return acts(s, p);
		}
		if (!is_doubtful(p) || is_term(s, r, first))
			return false;
		if (follows_name(s, p->start))
			return true;
		if (p->lex & LEX_PLACE && !(p->lex & LEX_TERM) && !opens && place_follows(s))
			return true;
		if (!(p->lex & LEX_PLAIN) && p->lex & LEX_GIVEN && !opens && !p->possessive)
			return !is_digit(byte_at(s, skip_spaces(s, p->end)));
		return introduced(s) && !opens && !(p->possessive && p->lex & LEX_MEDICAL);
	}
	if (w.names)
		return true;
	if (w.initials && w.doubtful)
		return true; /* "Rose S." */
	return w.doubtful >= 2 && !opens && p->lex & LEX_GIVEN && last->lex & (LEX_FAMILY | LEX_GIVEN);
}

/* With the full stop of "Ltd.", and the 's of "St. Vincent's". */
static size_t end_of(const struct scan *s, const struct run *r, size_t count)
{
	const struct piece *p = &r->p[count - 1];
	if (p->possessive)
		return p->end + (byte_at(s, p->end) == '\'' ? 2 : 4);
	return p->end + (p->lex & LEX_ORG && byte_at(s, p->end) == '.' && p->end - p->start <= 4);
}

/* "II", "Jr.", "MD" behind a name. */
static size_t suffix_end(const struct scan *s, size_t end)
{
	static const char *const suffixes[] = {
	    "II", "III", "IV", "Jr", "Sr", "MD", "DDS", "PhD", "DO", "RN", "NP", "PA", "DVM", "Esq", NULL};
	size_t at = skip_spaces(s, end + (byte_at(s, end) == ',')), stop = prose_word_end(s, at);
	if (at == end || !is_any(s, at, stop, suffixes))
		return end;
	return stop + (byte_at(s, stop) == '.');
}

/* ", Grace N" behind a surname; the end, or 0. */
static size_t given_after(const struct scan *s, size_t end)
{
	size_t at = skip_spaces(s, end + 1), stop = prose_word_end(s, at);
	if (byte_at(s, end) != ',' || at == end + 1 || !capital_at(s, at))
		return 0;
	unsigned lex = lexicon_word(s->text + at, stop - at);
	if (!(lex & LEX_GIVEN) || lex & LEX_PLACE)
		return 0;
	size_t initial = skip_spaces(s, stop);
	if (initial > stop && is_upper(byte_at(s, initial)) && prose_word_end(s, initial) == initial + 1)
		stop = initial + 1;
	return stop;
}

static size_t emit_run(struct scan *s, const struct run *r, size_t first, size_t count, bool place)
{
	size_t end = end_of(s, r, count), start = r->p[first].start, address;
	place |= (r->p[first].lex & (LEX_PLACE | LEX_GIVEN | LEX_FAMILY)) == LEX_PLACE;
	if ((address = address_after(s, start, end)))
		return emit(s, start, address, REDACT_ADDRESS);
	size_t given = count - first == 1 && !(r->p[first].lex & LEX_PLACE) ? given_after(s, end) : 0;
	size_t further = given ? given : place ? place_end(s, end) : end;
	s->weak_next &= further == end; /* what follows leaves no doubt */
	if (given || place)
		return emit(s, start, further, given ? REDACT_NAME : REDACT_PLACE);
	end = r->p[count - 1].possessive ? r->p[count - 1].end : suffix_end(s, end);
	return emit(s, start, end, r->p[first].lex & LEX_NATION ? REDACT_PLACE : REDACT_NAME);
}

/* No name of a person's or a place's in it but such as belong to a term: "Frank-Starling mechanism", "Edinburgh
 * Postnatal Depression Scale". */
static bool all_terms(const struct scan *s, const struct run *r, size_t first, size_t count)
{
	unsigned term = term_of(s, r, count - 1), allowed = 0;
	bool titled = count - first >= 2 && r->p[count - 1].lex & LEX_TERM;
	if (titled || term & LEX_STRONG)
		allowed = LEX_FAMILY | LEX_PLACE | LEX_NATION;
	if (term & LEX_STRONG && is_saint(s, &r->p[first]))
		allowed = LEX_NAMES; /* St. John's wort */
	for (size_t i = first; term && i < count; i++) {
		const struct piece *p = &r->p[i];
		bool compound = memchr(s->text + p->start, '-', p->end - p->start) != NULL;
		if (!p->joiner && !compound && p->lex & LEX_NAMES & ~allowed && !(p->lex & LEX_MEDICAL))
			return false;
	}
	return term != 0;
}

/* One word that is in no list, and nothing beside it to say that it names anybody: in a text without any other
 * identifier it is rather a term that the lists lack. */
static bool is_weak(const struct scan *s, const struct run *r, size_t first, size_t count)
{
	const struct piece *p = &r->p[first];
	return count - first == 1 && !(p->lex & LEX_NAMES) && !introduced(s) && !leads_to(s, 1, LEX_TO_HOUSE) &&
	       s->text[p->start] < 0x80;
}

static size_t rule_capitals(struct scan *s, struct chunk c)
{
	struct run r;
	size_t box = match_box(s, c.start);
	if (box)
		return emit(s, c.start, box, REDACT_ADDRESS);
	if ((box = match_shape(s, c.start)))
		return emit(s, c.start, box, REDACT_ID);
	read_run(s, c.start, &r);
	if (r.count == 0)
		return 0;
	size_t first = 0;
	bool opens = starts_sentence(s, r.p[0].start);
	size_t whole = cut_at_joiner(s, &r, 0);
	if (names_house(s, &r, 0, cut_ordinary(&r, 0, whole, false), opens))
		return emit_run(s, &r, 0, cut_ordinary(&r, 0, whole, false), true);
	size_t town = r.count > 1 && is_ordinary(&r.p[0]) ? town_end(s, r.p[0].start) : 0;
	if (town && !(opens && r.p[0].lex & LEX_NAMES) && town > r.p[0].end)
		return emit(s, r.p[0].start, place_end(s, town), REDACT_PLACE); /* United Kingdom */
	while (first < whole && (is_ordinary(&r.p[first]) || r.p[first].joiner) &&
	       !(is_doubtful(&r.p[first]) && whole - first > 1) && !leads_place(s, &r, first, opens && first == 0))
		first++;
	if (first == whole && whole == 1 && is_doubtful(&r.p[0]))
		first = 0;
	if (first == whole)
		return 0;
	opens = ends_sentence_start(s, &r, first);
	bool place = first == 0 && !opens && place_follows(s);
	size_t count = cut_ordinary(&r, first, whole, place);
	if (first > 0 && names_house(s, &r, first, count, false))
		return emit_run(s, &r, first, count, true);
	if (all_terms(s, &r, first, whole) || (whole < r.count && all_terms(s, &r, first, r.count)))
		return end_of(s, &r, whole);
	if (!names_somebody(s, &r, first, count, opens))
		return 0;
	s->weak_next = is_weak(s, &r, first, count);
	return emit_run(s, &r, first, count, place);
}

/* ---- small letters ---- */

/* "maria lopez", "named maria": names that are nothing else. */
static size_t rule_small(struct scan *s, struct chunk c)
{
	unsigned lex = lexicon_exact(s->words[0].hash);
	size_t end = prose_word_end(s, c.start);
	if (!(lex & LEX_GIVEN) || lex & (LEX_PLAIN | LEX_MEDICAL) || end - c.start < 3)
		return 0;
	size_t next = skip_spaces(s, end), stop = prose_word_end(s, next);
	if (byte_at(s, stop) == '.' && stop - next == 1) { /* an initial */
		next = skip_spaces(s, stop + 1);
		size_t third = prose_word_end(s, next);
		stop = third > next && lex_at(s, next) & LEX_FAMILY ? third : stop + 1;
		return emit(s, c.start, stop, REDACT_NAME);
	}
	unsigned after = next > end && stop > next ? lex_at(s, next) : 0;
	bool surname = stop - next > 3 && next > end && is_letter(byte_at(s, next)) &&
		       !(after & (LEX_PLAIN | LEX_MEDICAL)) &&
		       !(word_kinds_of(s->text + next, stop - next) & (WORD_LABELS | WORD_LINKER | WORD_TITLE));
	if (surname)
		return emit(s, c.start, stop, REDACT_NAME);
	return introduced(s) || s->small ? emit(s, c.start, end, REDACT_NAME) : 0;
}

size_t rule_prose(struct scan *s, struct chunk c, unsigned kinds)
{
	if (capital_at(s, c.start))
		return rule_capitals(s, c);
	if (!is_lower(s->text[c.start]) || s->words[0].letters < 3)
		return 0;
	return kinds & WORD_GIVEN || lexicon_may_be_given(s->words[0].hash) ? rule_small(s, c) : 0;
}

bool speaks_of_medicine(const struct scan *s)
{
	for (size_t at = 0; at < s->size;) {
		size_t end = prose_word_end(s, at);
		if (end - at >= 2 && lexicon_word(s->text + at, end - at) & (LEX_MEDICAL | LEX_STRONG | LEX_CLINIC))
			return true;
		at = end > at ? end : at + 1;
	}
	return false;
}
