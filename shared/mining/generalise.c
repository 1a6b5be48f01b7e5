/* When do different words in one place mean that the place varies?
 *
 * Ordinary words are what events are made of: "connection opened", "connection lost" are two events, however many there
 * are, unless so many stand in the same place that it must be a list of something.  Names and identifiers are what
 * events are about: a few suffice, fewer still where the place announces a value ("user …", "key=…"). */
#include "shared/mining/template.h"

enum {
	NAMES_PLAIN = 4,  /* distinct names in a place that announces nothing */
	NAMES_CUED = 2,   /* behind "user", "from" … */
	NAMES_VALUED = 2, /* behind '=' or in quotes */
	WORDS_CUED = 6,   /* ordinary words behind a cue: an enumeration */
	WORDS_VALUED = 3,
	WORDS_PLAIN = 16,
	WORDS_FOREIGN = 8, /* where no word is known, and so many stay the same: */
	FOREIGN_FIXED = 3,
	NAMES_FIRST = 10, /* at a line's beginning stands what the event is about */
};

bool values_vary(const struct values *v)
{
	size_t names = v->count - v->known - v->variable;
	if (v->count < 2 || v->fixed_words == 0)
		return false;
	bool foreign = v->known_words == 0 && !v->valued; /* all words are alike strange */
	if (foreign && v->count < (v->fixed_words >= FOREIGN_FIXED ? WORDS_FOREIGN : WORDS_PLAIN))
		return false;
	if (v->first && (v->count < NAMES_FIRST || v->known_words < 2))
		return false;
	if (v->variable) /* numbers stand there too */
		return v->known == 0 ? names >= 1 : v->count >= NAMES_PLAIN && names >= v->known;
	if (v->valued)
		return names >= NAMES_VALUED || v->count >= WORDS_VALUED;
	if (v->cued)
		return (names >= NAMES_CUED && v->known <= names) || v->count >= WORDS_CUED;
	if (v->known == 0)
		return names >= (v->odd == v->count ? NAMES_PLAIN - 1 : NAMES_PLAIN);
	return v->count >= WORDS_PLAIN || (names >= 2 * NAMES_PLAIN && names > v->known);
}
