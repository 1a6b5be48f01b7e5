/* shared/redact/run.h: runs of capitalised words, word by word.  Private to shared/redact. */
#ifndef KEDGE_SHARED_REDACT_RUN_H
#define KEDGE_SHARED_REDACT_RUN_H

#include "shared/redact/lexicon.h"

enum {
	RUN_WORDS_MAX = 8,
	RUN_ACRONYM_MOST = 6, /* letters: a longer word in capitals is a word */
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
};

/* The capitalised words from `at` on, with particles and joiners between them; count 0: none. */
void read_run(const struct scan *s, size_t at, struct run *ret);
/* Of the word at `at`. */
unsigned lex_at(const struct scan *s, size_t at);
/* Behind "of", "van" at [at, end): where the capitalised word that it leads to begins; 0: it stands in no run. */
size_t joined_at(const struct scan *s, size_t at, size_t end);
bool text_is_any(const struct scan *s, size_t start, size_t end, const char *const *words); /* NULL at their end */
/* What the n-th word back leads to. */
static inline bool leads_to(const struct scan *s, size_t n, unsigned what)
{
	word_hash h = recent_hash(s, n);
	return h && lexicon_exact(h) & what;
}

/* run.c; of one word: */
bool is_ordinary(const struct piece *p); /* or a term or an acronym: nothing that names anybody */
bool is_doubtful(const struct piece *p); /* both that and somebody's name */
bool is_name(const struct piece *p);
bool starts_sentence(const struct scan *s, size_t at);
unsigned lexicon_word_at(const struct scan *s, size_t at); /* lexicon_word() of the word that begins there */
/* Does the word before the one at hand lead to a name, to a place? */
bool introduced(const struct scan *s);
bool place_follows(const struct scan *s);

/* terms.c: what the run that ends with its piece `last` is a term by: LEX_TERM, with LEX_STRONG where the noun leaves
 * no doubt; 0: it is none. */
unsigned term_of(const struct scan *s, const struct run *r, size_t last);
bool is_term(const struct scan *s, const struct run *r, size_t last);
bool is_saint(const struct scan *s, const struct piece *p); /* St, Mt */
bool all_terms(
    const struct scan *s, const struct run *r, size_t first, size_t count); /* no name but such as belong to one */

/* somebody.c; of a run's pieces [first, count): */
bool names_house(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens);
bool names_somebody(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens);
size_t names_spot(const struct scan *s, const struct run *r, size_t count); /* "at Banner Desert"; how many, or 0 */
bool is_weak(
    const struct scan *s, const struct run *r, size_t first, size_t count); /* may be a term that no list has */
bool age_follows(const struct scan *s, size_t at);                          /* ", 44F" */

/* firms.c; of a run's first `count` pieces, count > 0. */
size_t names_firm(
    const struct scan *s, const struct run *r, size_t count, bool opens); /* how many are the firm's; or 0 */
bool names_street(const struct scan *s, const struct run *r, size_t count);
bool state_behind(const struct scan *s, size_t end); /* ", KY" */

#endif
