/* Terms of medicine that bear a name: "Babinski sign", "Ann Arbor stage", "St. John's wort"; and texts that speak of
 * things rather than of somebody. */
#include "shared/redact/run.h"

enum { MACHINE_WORDS_LEAST = 2 }; /* one alone ("process", "files") stands in letters about people, too */

/* "IV", "2" between a name and what it is the name of. */
static size_t skip_numeral(const struct scan *s, size_t at)
{
	size_t end = at;
	while (end - at < 4 && (is_digit(byte_at(s, end)) || (byte_at(s, end) && strchr("IVX", s->text[end]))))
		end++;
	end += end > at && byte_at(s, end) >= 'a' && byte_at(s, end) <= 'c'; /* "Ib" */
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

/* "Boston | bowel preparation scale": two or three words on. */
static bool scale_follows(const struct scan *s, size_t at)
{
	for (int words = 0; words < 3; words++) {
		size_t end = prose_word_end(s, at), next = skip_spaces(s, end);
		if (end == at || next == end)
			return false;
		at = next;
		if (words && lex_at(s, at) & LEX_STRONG)
			return true;
	}
	return false;
}

/* What the run that ends with its piece `last` is a term by: "Babinski sign", "Crohn's disease", "Glasgow coma scale".
 * LEX_TERM, with LEX_STRONG where the noun leaves no doubt; 0: it is none. */
unsigned term_of(const struct scan *s, const struct run *r, size_t last)
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
	if (lex & LEX_MEDICAL && !(lex & LEX_TERM) && scale_follows(s, next))
		return LEX_TERM | LEX_STRONG;
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

bool is_term(const struct scan *s, const struct run *r, size_t last)
{
	return term_of(s, r, last) != 0;
}

bool is_saint(const struct scan *s, const struct piece *p)
{
	return (s->text[p->start] == 'S' || s->text[p->start] == 'M') && byte_at(s, p->start + 1) == 't' &&
	       p->end - p->start <= 3;
}

/* No name of a person's or a place's in it but such as belong to a term: "Frank-Starling mechanism", "Edinburgh
 * Postnatal Depression Scale". */
bool all_terms(const struct scan *s, const struct run *r, size_t first, size_t count)
{
	unsigned term = term_of(s, r, count - 1), allowed = 0;
	bool titled = count - first >= 2 && r->p[count - 1].lex & LEX_TERM;
	if (titled || term & LEX_STRONG)
		allowed = LEX_FAMILY | LEX_PLACE | LEX_NATION;
	bool alone = count - first == 1 && !introduced(s), town = town_end(s, r->p[first].start) == r->p[count - 1].end;
	if (term && (town || (term & LEX_STRONG && (alone || is_saint(s, &r->p[first])))))
		allowed = LEX_NAMES; /* St. John's wort, Ross procedure, Ann Arbor stage */
	for (size_t i = first; term && i < count; i++) {
		const struct piece *p = &r->p[i];
		bool compound = memchr(s->text + p->start, '-', p->end - p->start) != NULL;
		if (!p->joiner && !compound && p->lex & LEX_NAMES & ~allowed && !(p->lex & LEX_MEDICAL))
			return false;
	}
	return term != 0;
}

bool speaks_of_things(const struct scan *s)
{
	unsigned machines = 0;
	for (size_t at = 0; at < s->size;) {
		size_t end = prose_word_end(s, at);
		unsigned lex = end - at >= 2 ? lexicon_word(s->text + at, end - at) : 0;
		if (lex & (LEX_MEDICAL | LEX_STRONG | LEX_CLINIC))
			return true;
		machines += (lex & (LEX_MACHINE | LEX_TERM)) != 0;
		if (machines >= MACHINE_WORDS_LEAST)
			return true;
		at = end > at ? end : at + 1;
	}
	return false;
}
