/* shared/redact/scan.h: what the rules of this folder share.  Private to shared/redact.
 *
 * The text is walked once, chunk by chunk; a chunk is a run of bytes that are no delimiters.  A rule looks at the chunk
 * at hand, and ahead of it at most REDACT_LOOK_MAX bytes, and either emits a span and says where the walk goes on, or
 * declines.  Nothing looks back further than the last few words' hashes. */
#ifndef KEDGE_SHARED_REDACT_SCAN_H
#define KEDGE_SHARED_REDACT_SCAN_H

#include <string.h>

#include "shared/redact/redact.h"

enum byte_class {
	BYTE_DELIM = 1u << 0, /* ends a chunk */
	BYTE_LOWER = 1u << 1,
	BYTE_UPPER = 1u << 2,
	BYTE_DIGIT = 1u << 3,
	BYTE_SPACE = 1u << 4, /* also a delimiter */
	BYTE_AT = 1u << 5,
	BYTE_COLON = 1u << 6,
	BYTE_HIGH = 1u << 7, /* part of a character beyond ASCII: taken for a letter */
	BYTE_DOT = 1u << 9,
	BYTE_JOIN = 1u << 8,  /* . - _ / inside words */
	BYTE_MARK = 1u << 10, /* ! */
};
extern const uint16_t byte_classes[256];
static inline unsigned class_of(uint8_t c)
{
	return byte_classes[c];
}
static inline bool is_digit(uint8_t c)
{
	return (unsigned)c - '0' < 10u;
}
static inline bool is_alpha(uint8_t c)
{
	return (c | 32u) - 'a' < 26u;
}
static inline bool is_upper(uint8_t c)
{
	return (unsigned)c - 'A' < 26u;
}
static inline bool is_lower(uint8_t c)
{
	return (unsigned)c - 'a' < 26u;
}
static inline bool is_alnum(uint8_t c)
{
	return is_digit(c) || is_alpha(c);
}
static inline bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
static inline bool is_hex(uint8_t c)
{
	return is_digit(c) || (c | 32u) - 'a' < 6u;
}
static inline bool word_byte(uint8_t c)
{
	return is_alnum(c) || c == '_' || c >= 0x80;
}
static inline bool is_letter(uint8_t c)
{
	return is_alpha(c) || c >= 0x80;
}
static inline uint8_t lower(uint8_t c)
{
	return is_upper(c) ? c | 32 : c;
}

/* What a word of the tables is; words.c. */
enum word_kind {
	WORD_PASSWORD = 1u << 0, /* label of a password */
	WORD_SECRET = 1u << 1,   /* label of a token or key */
	WORD_NAME = 1u << 2,     /* label of a person's name */
	WORD_BIRTH = 1u << 3,    /* label of a date of birth, admission … */
	WORD_MRN = 1u << 4,
	WORD_SSN = 1u << 5,
	WORD_ID = 1u << 6, /* label of another identifying number */
	WORD_PHONE = 1u << 7,
	WORD_ADDRESS = 1u << 8, /* label of a postal address */
	WORD_USER = 1u << 9,
	WORD_TITLE = 1u << 10,  /* Mr, Dr: a name follows */
	WORD_GIVEN = 1u << 11,  /* a common given name */
	WORD_FAMILY = 1u << 12, /* a common family name */
	WORD_MONTH = 1u << 13,
	WORD_STREET = 1u << 14,     /* ends a street's name */
	WORD_HOUSE = 1u << 15,      /* hospital, clinic: makes the capitalised words around it an institution */
	WORD_TOWN = 1u << 16,       /* a well-known town, state or country */
	WORD_PLACE_PREP = 1u << 17, /* at, from: an institution or town may follow */
	WORD_COMMON = 1u << 18,     /* an ordinary word that prose capitalises at times */
	WORD_NO_VALUE = 1u << 19,   /* yes, null: never a secret */
	WORD_SUFFIX = 1u << 20,     /* as a label also at the end of a compound (db_password) */
	WORD_SCHEME = 1u << 21,     /* Bearer, Basic */
	WORD_KEY_ONLY = 1u << 22,   /* a label only as a quoted key or before '=' */
	WORD_LINKER = 1u << 23,     /* number, no, is: may stand between a label and its value */
	WORD_EMAIL = 1u << 24,      /* label of an e-mail address */
	WORD_INTRODUCES = 1u << 25, /* clinical: a name often follows (like, named, patient) */
	WORD_VISIT = 1u << 26,      /* clinical: where a person was (lives, admitted, seen) */
	WORD_SITE = 1u << 27,       /* clinic, branch: may end a place in small letters */
	WORD_PROSE = 1u << 30,      /* a label in clinical mode only: programs mean other things by it */
	WORD_ZIP = 1u << 31,        /* clinical: a postal code follows */
	WORD_AGE = 1u << 29,        /* aged, age: an age follows */
	WORD_DAY = WORD_MONTH,      /* the days of the week are treated alike */
	WORD_CARE = 1u << 28,       /* hospital, clinic: an institution whatever stands before it */
};
/* The label kinds, which take a value. */
enum {
	WORD_LABELS = WORD_PASSWORD | WORD_SECRET | WORD_NAME | WORD_BIRTH | WORD_MRN | WORD_SSN | WORD_ID |
		      WORD_PHONE | WORD_ADDRESS | WORD_USER | WORD_EMAIL
};

/* What a word in small letters needs to be looked at by any rule. */
enum {
	WORD_SMALL = WORD_LABELS | WORD_SCHEME | WORD_TITLE | WORD_MONTH | WORD_SITE | WORD_CARE | WORD_GIVEN,
};

typedef uint64_t word_hash;
#define WORD_HASH_STEP 0x9e3779b97f4a7c15ull
static inline word_hash word_hash_add(word_hash h, uint8_t c)
{
	return (h + c) * WORD_HASH_STEP;
}
enum { WORD_POWERS = 64 }; /* of the hash's step: longer than any word of the tables */
extern word_hash word_powers[WORD_POWERS];
static inline word_hash word_hash_join(word_hash a, word_hash b, size_t b_letters) /* of both words written as one */
{
	return a * word_powers[b_letters < WORD_POWERS ? b_letters : WORD_POWERS - 1] + b;
}
/* A bit for the upper bits of each word's hash: most words of a text are in no table, and are told from it alone. */
enum { WORD_BITS = 15 };
extern uint64_t word_bits[1 << (WORD_BITS - 6)];
unsigned word_kinds_known(word_hash h);
static inline unsigned word_kinds(word_hash h) /* 0: not in the tables */
{
	bool may = word_bits[h >> (70 - WORD_BITS)] >> (h >> (64 - WORD_BITS) & 63) & 1;
	return may ? word_kinds_known(h) : 0;
}
/* Likewise for words that a label of several words may end with ("birth" of "date of birth"). */
extern uint64_t label_ends[1 << (WORD_BITS - 6)];
static inline bool may_end_label(word_hash h)
{
	return label_ends[h >> (70 - WORD_BITS)] >> (h >> (64 - WORD_BITS) & 63) & 1;
}
unsigned word_kinds_of(const uint8_t *s, size_t n); /* of a word's letters, any case; other bytes skipped */

/* Eight bytes at once, the first one lowest. */
static inline uint64_t load_eight(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}
/* How many of the eight, from the first on, are small letters. */
static inline size_t small_of_eight(uint64_t v)
{
	const uint64_t each = 0x0101010101010101ull;
	uint64_t low = v & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'a') * each, past_z = low + (0x80 - 'z' - 1) * each;
	uint64_t others = ~(from_a & ~past_z & ~v) & 0x80 * each;
	return others ? (size_t)__builtin_ctzll(others) / 8 : 8;
}

/* small.c: words in small letters that no rule takes an interest in, which are most of any text, told by a bit. */
enum { SMALL_BITS = 11, SMALL_LETTERS_MOST = 16 };
struct small_words {
	uint64_t bits[1 << SMALL_BITS]; /* of those that some rule may want to see */
};
extern struct small_words small_words[2]; /* by mode; filled by words.c and lexicon.c */
void small_add(struct small_words *w, const char *word, size_t letters);

struct recent {         /* a word that was walked past */
	word_hash hash; /* 0, and letters: not looked at yet (recent_hash()); 0 and none: no word */
	size_t letters, end;
};

enum {
	WORDS_LOOKED_AT = 3,
	WORDS_KEPT = WORDS_LOOKED_AT + 1, /* so that those before a chunk are known once its own word is remembered */
	DOUBTS_MAX = 64,                  /* of one text; more, and it is looked at again as a whole */
};

/* A part of the text that was not taken out though rules looked at it: the only ones that may be, once there are
 * placeholders beside them (again.c). */
struct doubt {
	size_t start, end;
	struct recent words[WORDS_LOOKED_AT]; /* those before it */
};
struct doubts {
	size_t count;
	bool over; /* there were more */
	struct doubt at[DOUBTS_MAX];
};

struct scan {
	const uint8_t *text;
	size_t size;
	const struct redact_options *options;
	struct redact_stream *stream;
	struct redact_span *spans;
	size_t count, max;
	struct recent words[WORDS_KEPT]; /* the last ones, newest first */
	bool full;
	bool firm;      /* clinical: an identifier that leaves no doubt was found, here or before in the stream */
	bool weak_next; /* the next span is not one */
	uint64_t weak[REDACT_SPANS_MAX / 64]; /* by span; cleared as spans are made */
	bool small;                           /* clinical: no capital letter in it, so that names have none either */
	struct doubts *doubts;                /* NULL: not gathered */
	size_t chunk;                         /* where what is looked at begins */
	size_t passed;                        /* up to here a chunk was read of which a rule only passed over a part */
	bool remembered;                      /* its own word is words[0] */
	bool meant;                           /* a part of another text, as it is meant: encoded.c */
};

struct chunk {
	size_t start, end; /* without trailing . : ! ? */
	size_t whole;      /* with them */
	unsigned seen;     /* byte classes in it */
	word_hash hash;    /* of its letters, in small */
	size_t letters;
	unsigned inner; /* byte classes in it but for its last byte */
	bool camel;     /* a capital right behind a small letter */
};

/* Of the n-th word back; 0: there is none. */
static inline word_hash recent_hash(const struct scan *s, size_t n)
{
	const struct recent *w = &s->words[n];
	word_hash h = w->hash;
	if (!h)
		for (size_t i = 0; i < w->letters; i++)
			h += s->text[w->end - w->letters + i] * word_powers[w->letters - i];
	return h;
}
static inline bool clinical(const struct scan *s)
{
	return s->options->mode == REDACT_CLINICAL;
}
static inline size_t left(const struct scan *s, size_t at)
{
	return at < s->size ? s->size - at : 0;
}
static inline size_t look_end(const struct scan *s, size_t at)
{
	return left(s, at) < REDACT_LOOK_MAX ? s->size : at + REDACT_LOOK_MAX;
}
static inline uint8_t byte_at(const struct scan *s, size_t at)
{
	return at < s->size ? s->text[at] : 0;
}

/* Of ASCII letters alone, at most WORD_POWERS - 1; as word_hash_add() letter by letter. */
static inline word_hash word_hash_of(const uint8_t *p, size_t n)
{
	word_hash h = 0;
	for (size_t i = 0; i < n; i++)
		h += (p[i] | 32u) * word_powers[n - i];
	return h;
}
/* Small letters from `at` on. */
static inline size_t small_letters(const struct scan *s, size_t at)
{
	size_t end = at, n = 8;
	while (n == 8 && end + 8 <= s->size) {
		n = small_of_eight(load_eight(s->text + end));
		end += n;
	}
	if (n == 8)
		while (end < s->size && is_lower(s->text[end]))
			end++;
	return end - at;
}
/* Walks past such words from `at` on; where the walk goes on, which is `at` if there is none. */
size_t pass_small_words(struct scan *s, size_t at);

/* Emits [start, end) and returns end (or the text's end, once full). */
size_t emit(struct scan *s, size_t start, size_t end, enum redact_type type);
struct chunk chunk_at(const struct scan *s, size_t at);
/* walk.c: from `at` on until `stop` is reached or passed; one step, which small words are not passed by, and where the
 * walk goes on. */
void walk(struct scan *s, size_t at, size_t stop);
size_t walk_step(struct scan *s, size_t at);
static inline void forget_words(struct scan *s)
{
	memset(s->words, 0, sizeof s->words);
}
/* again.c: notes what is being looked at, or what of it stands before a span that begins at `start`. */
void doubt(struct scan *s, size_t start, size_t end);
void doubt_before(struct scan *s, size_t start);
/* Whether the text that came of replacing a text's spans holds anything to be taken out: as redact_find() would tell,
 * from the doubts about the other text. */
bool finds_again(const struct redact_options *o, const struct doubts *doubts, const struct redact_span *spans,
    size_t count, const uint8_t *text, size_t size);
void scan_begin(struct scan *s);    /* redact.c */
size_t scan_find(struct scan *s);   /* redact.c; how many spans there are then */
void scan_encoded(struct scan *s);  /* encoded.c */
void scan_rows(struct scan *s);     /* rows.c */
void scan_segments(struct scan *s); /* segments.c */
/* In order; with those that it meets it becomes one.  Where there is no room for one more all that is left goes. */
void scan_add(struct scan *s, struct redact_span n);
size_t skip_spaces(const struct scan *s, size_t at);
/* The length of a placeholder that stands at `at`, or 0. */
size_t placeholder_at(const struct scan *s, size_t at);

/* Each rule: where the walk goes on after what it emitted, or 0 when it declines. */
size_t rule_label(struct scan *s, struct chunk c, unsigned kinds); /* labels.c */
size_t rule_secret(struct scan *s, struct chunk c);                /* secrets.c: tokens known by their look */
size_t rule_url(struct scan *s, struct chunk c);                   /* secrets.c */
size_t rule_option(struct scan *s, struct chunk c);                /* secrets.c: -u name:password */
size_t rule_domain(struct scan *s, struct chunk c);                /* secrets.c */
size_t rule_pem(struct scan *s, size_t at);                        /* secrets.c */
size_t rule_email(struct scan *s, struct chunk c);                 /* network.c */
size_t rule_network(struct scan *s, size_t at, size_t stop);       /* network.c */
size_t rule_number(struct scan *s, struct chunk c);                /* numbers.c: anything that holds a digit */
size_t rule_phone_paren(struct scan *s, size_t at);                /* numbers.c: "(555) …" */
size_t rule_month(struct scan *s, struct chunk c);                 /* dates.c: "April 12, 2023" */
size_t rule_holiday(struct scan *s, struct chunk c);               /* dates.c: "Christmas Eve" */
extern uint32_t holiday_starts[26];                                /* by the first letter: bits of the second ones */
static inline bool may_be_holiday(const struct scan *s, const struct chunk *c)
{
	uint8_t first = s->text[c->start], second = byte_at(s, c->start + 1);
	return c->letters >= 3 && is_upper(first) && is_lower(second) &&
	       holiday_starts[first - 'A'] >> (second - 'a') & 1;
}
size_t rule_title(struct scan *s, struct chunk c);                 /* people.c */
size_t rule_prose(struct scan *s, struct chunk c, unsigned kinds); /* prose.c: unlabelled names and places */
bool is_lone_word(
    const struct scan *s, struct chunk c, unsigned kinds); /* prose.c: an ordinary word, and no run of them */

/* identifiers.c; ends, or 0: */
size_t match_card(const struct scan *s, size_t at);
size_t match_iban(const struct scan *s, size_t at);
size_t match_ssn(const struct scan *s, size_t at, size_t *ret_end);
bool is_wallet(const struct scan *s, struct chunk c);
size_t match_groups(const struct scan *s, size_t at); /* "699 956 915" */
size_t match_small_shape(const struct scan *s, size_t at);
size_t match_shape(const struct scan *s, size_t at); /* plates and registers' groups */
/* coordinates.c; the end, or 0 */
size_t match_coordinates(const struct scan *s, size_t at);

size_t match_plus_code(const struct scan *s, size_t at);
size_t match_travel_lines(const struct scan *s, size_t at); /* machine readable lines of a passport */
size_t rule_elements(struct scan *s, size_t at);            /* "(01)00643169007222(17)241130": GS1 element strings */
size_t rule_named_file(struct scan *s, struct chunk c);
size_t rule_identifier(struct scan *s, struct chunk c);

struct groups { /* numbers.c: digits in groups with one or two separators between */
	size_t size[8], count, digits, end;
	bool spaces, parens, mixed;
	uint8_t separator;
};
void read_groups(const struct scan *s, size_t at, struct groups *ret);
bool separates(uint8_t b); /* may stand between them */

size_t match_date(const struct scan *s, size_t at);      /* dates.c: the end of a date that begins at `at`, or 0 */
size_t time_end(const struct scan *s, size_t end);       /* dates.c: of the time behind a date that ends at `end` */
size_t match_day_month(const struct scan *s, size_t at); /* dates.c: "5/21", where dated() says that one stands there */
size_t match_phone(const struct scan *s, size_t at, bool labelled); /* numbers.c: likewise */
size_t match_postcode(const struct scan *s, size_t at);             /* numbers.c: SW1A 1AA, B0J 2H0 */
size_t match_zip(const struct scan *s, size_t at);                  /* places.c: 90210, 340 12, K1A 0B1 */
size_t match_honoured(
    const struct scan *s, size_t at, size_t stop); /* people.c: before an honorific of Japan or China */
size_t match_eastern_label(const struct scan *s, struct chunk c, size_t *ret_start); /* people.c: or 0 */
size_t match_name(const struct scan *s, size_t at, unsigned most); /* people.c: capitalised words; the end, or 0 */
size_t given_after(const struct scan *s, size_t end);              /* prose.c: ", Grace N" behind a surname; or 0 */
bool names_day(const struct scan *s);        /* somebody.c: likewise to a weekday or a month alone */
bool speaks_of_things(const struct scan *s); /* terms.c; looks at the whole text */
bool dated(const struct scan *s);            /* somebody.c: does the word before lead to a date ("on", "since")? */
bool capitalised(const struct scan *s, size_t start, size_t end); /* people.c: "Smith", "O'Neil", "J.", "Öz" */
size_t prose_word_end(const struct scan *s, size_t at);           /* run.c: letters, inner apostrophes and hyphens */
bool capital_at(const struct scan *s, size_t at);                 /* run.c: a Latin, Greek or Cyrillic capital */
/* places.c; ends, or 0: */
size_t town_end(const struct scan *s, size_t at);         /* a town that begins at `at` */
size_t place_end(const struct scan *s, size_t end);       /* of a place with what follows it (", MA") */
size_t match_address(const struct scan *s, size_t at);    /* 12 Elm Street, Apt 4, Springfield, IL 62704 */
size_t match_coded_town(const struct scan *s, size_t at); /* 75008 Paris */
size_t match_box(const struct scan *s, size_t at);        /* P.O. Box 12 */
size_t match_street_first(const struct scan *s, size_t start, size_t end); /* Via Garibaldi 14 */
size_t address_after(const struct scan *s, size_t start, size_t end); /* a capitalised run and the number behind it */

#endif
