/* shared/redact/lexicon.h: the words of clinical prose: what is an ordinary word, a medical term, a name, a place.
 * Private to shared/redact.
 *
 * General knowledge, written for this project; nothing in it comes from one text or one data set.  The table is built
 * at first use (log mode never needs it) and only read from then on, from any thread. */
#ifndef KEDGE_SHARED_REDACT_LEXICON_H
#define KEDGE_SHARED_REDACT_LEXICON_H

#include "shared/redact/scan.h"

enum { LEXICON_WORD_MAX = 32 }; /* letters that are looked at: longer words are none of a person's names */

enum lexicon_kind {
	LEX_PLAIN = 1u << 0,   /* an ordinary word */
	LEX_MEDICAL = 1u << 1, /* a term, drug, organism, or a name that became a term */
	LEX_TERM = 1u << 2,    /* a noun behind such a name: sign, score, disease */
	LEX_GIVEN = 1u << 3,
	LEX_FAMILY = 1u << 4,
	LEX_PLACE = 1u << 5,
	LEX_NATION = 1u << 6,
	LEX_ORG = 1u << 7,
	LEX_WORDS = (1u << 8) - 1, /* all of these; LEX_STRONG comes with them */
	LEX_ENDING = 1u << 8,      /* of learned words; the table's own */
	LEX_TO_NAME = 1u << 9,     /* a name often follows ("named") */
	LEX_TO_PLACE = 1u << 10,
	LEX_TO_DAY = 1u << 11,
	LEX_TO_DATE = 1u << 12,
	LEX_TO_HOUSE = 1u << 13,  /* at, from: what follows is hardly a drug or a disease */
	LEX_CLINIC = 1u << 15,    /* a text with this word speaks of medicine */
	LEX_STRONG = 1u << 14,    /* a LEX_TERM that leaves no doubt (sign, score) */
	LEX_MACHINE = 1u << 16,   /* a text with such words speaks of machines */
	LEX_CODE = 1u << 17,      /* the number behind it is a code of a classification, nobody's */
	LEX_TO_ANGLE = 1u << 18,  /* a geographic coordinate follows */
	LEX_TO_STREET = 1u << 19, /* a street's name follows */
	LEX_TO_FIRM = 1u << 20,   /* a firm's name may follow */
	LEX_LEARNED = 1u << 21,   /* by its ending alone, as names end as well; never in the table */
	LEX_BITS = 21,
};

/* Of a word's letters (other bytes are passed over), as it stands, without a regular ending, or by a learned ending. */
unsigned lexicon_find(const uint8_t *word, size_t size);
/* lexicon_find() of a word of ASCII letters alone, given its hash and what word_kinds() says of it. */
unsigned lexicon_hashed(const uint8_t *word, size_t size, word_hash h, unsigned base);
/* Before any of the others, in each text. */
void lexicon_ready(void);
/* false: it is none of these given names (those in words.c not counted). */
enum { LEXICON_GIVEN_BITS = 15 };
extern uint64_t lexicon_given_bits[1 << (LEXICON_GIVEN_BITS - 6)];
static inline bool lexicon_may_be_given(word_hash h)
{
	return lexicon_given_bits[h >> (70 - LEXICON_GIVEN_BITS)] >> (h >> (64 - LEXICON_GIVEN_BITS) & 63) & 1;
}
/* As it stands only; the hash is as word_kinds() takes it. */
unsigned lexicon_exact(word_hash h);
unsigned lexicon_word(const uint8_t *word, size_t size);

extern const char lexicon_plain[], lexicon_medical[], lexicon_bedside[], lexicon_term_noun[], lexicon_term_strong[],
    lexicon_endings[];
extern const char lexicon_common[], lexicon_more_given[], lexicon_more_family[];
extern const char lexicon_given[], lexicon_family[], lexicon_place[], lexicon_nation[], lexicon_org[];

#endif
