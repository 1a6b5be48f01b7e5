#include "agent/rollback/search.h"

#include <assert.h>

void search_begin(struct search *s, unsigned count)
{
	assert(count <= SEARCH_PLACES_MAX);
	*s = (struct search){.count = count, .bad = count + 1};
}

void search_learn(struct search *s, unsigned place, bool good)
{
	assert(place >= 1 && place <= s->count);
	if (good && place > s->good)
		s->good = place;
	s->known_bad[place] = !good;
}

static unsigned choose(const struct search *s)
{
	if (s->count <= SEARCH_WALK_MAX)
		return s->good ? 0 : s->bad - 1;
	return s->bad - s->good > 1 ? (s->good + s->bad + 1) / 2 : 0;
}

/* What is known already answers where it would have been asked: the way through the places stays the same. */
unsigned search_next(struct search *s)
{
	unsigned at;
	while ((at = choose(s)) && s->known_bad[at])
		s->bad = at;
	return at;
}
