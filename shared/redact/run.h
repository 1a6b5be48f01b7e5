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

/* firms.c; of a run's first `count` pieces, count > 0. */
size_t names_firm(
    const struct scan *s, const struct run *r, size_t count, bool opens); /* how many are the firm's; or 0 */
bool names_street(const struct scan *s, const struct run *r, size_t count);
bool state_behind(const struct scan *s, size_t end); /* ", KY" */

#endif
