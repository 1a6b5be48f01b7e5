/* A text is redacted until nothing more is found in it.  What was found once leaves placeholders, and they are other
 * neighbours than what stood there; but only parts that a rule looked at and left alone can be told otherwise by them,
 * so that only these are looked at again. */
#include "shared/redact/scan.h"

void doubt(struct scan *s, size_t start, size_t end)
{
	struct doubts *all = s->doubts;
	if (all->count == DOUBTS_MAX) {
		all->over = true;
		return;
	}
	struct doubt *d = &all->at[all->count++];
	d->start = start;
	d->end = end;
	memcpy(d->words, s->words + s->remembered, sizeof d->words);
}

/* A label before its value, or what stands between two values of one label. */
void doubt_before(struct scan *s, size_t start)
{
	struct doubts *all = s->doubts;
	size_t from = s->chunk, last = s->count ? s->spans[s->count - 1].end : 0;
	if (last > from) { /* its words are forgotten by then */
		from = last;
		s->remembered = false;
	}
	if (start > from)
		doubt(s, from, start);
	while (all->count && all->at[all->count - 1].start >= start)
		all->count--;
	if (all->count && all->at[all->count - 1].end > start)
		all->at[all->count - 1].end = start;
}

/* One part, that stands at [start, end) now.  As it was once walked in a step or up to a span, so it must be again. */
static bool is_settled(struct scan *s, const struct doubt *d, size_t moved)
{
	size_t start = d->start + moved, end = d->end + moved;
	for (size_t i = 0; i < WORDS_LOOKED_AT; i++) {
		s->words[i] = d->words[i];
		s->words[i].end += moved;
	}
	size_t at = walk_step(s, start);
	if (at < end && placeholder_at(s, end))
		walk(s, at, end);
	else if (at != end)
		return false;
	return s->count == 0;
}

bool finds_again(const struct redact_options *o, const struct doubts *doubts, const struct redact_span *spans,
    size_t count, const uint8_t *text, size_t size)
{
	struct redact_span found[1];
	struct scan s = {.text = text, .size = size, .options = o, .spans = found, .max = 1};
	if (doubts->over)
		return true;
	scan_begin(&s);
	size_t moved = 0, next = 0; /* modulo 2^64 */
	for (size_t i = 0; i < doubts->count; i++) {
		const struct doubt *d = &doubts->at[i];
		for (; next < count && spans[next].end <= d->start; next++)
			moved += strlen(redact_placeholder(spans[next].type)) - (spans[next].end - spans[next].start);
		if (!is_settled(&s, d, moved))
			return true;
	}
	return false;
}
