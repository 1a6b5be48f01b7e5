/* Whether a run names somebody, an institution or a spot, by its words and by what stands beside it. */
#include "shared/redact/run.h"

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
	    "received", "developed", "began", "begins", "wrote", "gave", "left", "made", "agreed", "refused",
	    "declined", "tolerated", "weighs", "walked", "walks", "fell", "slept", "ate", "died", "smokes", "drinks",
	    "married", "speaks", "sleeps", "eats", "lost", "gained", "requested", "requests", "appears", "looks",
	    "seems", "returned", "returns", "felt", "feels", "started", "stopped", "continues", NULL};
	size_t at = p->end;
	if (p->possessive || byte_at(s, at) == ',' || byte_at(s, at) == ':')
		return true;
	size_t before = p->start;
	while (before > 0 && s->text[before - 1] == ' ')
		before--;
	if (before > 1 && s->text[before - 1] == '.' && is_digit(s->text[before - 2]) && left(s, at) > 3 &&
	    memcmp(s->text + at, " - ", 3) == 0)
		return true;                          /* "2. Akhtar - await echo" */
	if (before > 0 && s->text[before - 1] == ':') /* "Caretaker: Obiageli." */
		return at == s->size || s->text[at] == '.' || s->text[at] == '\n' || s->text[at] == '\r';
	size_t next = skip_spaces(s, at), end = prose_word_end(s, next);
	return next > at && text_is_any(s, next, end, verbs);
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

/* "at Banner Desert", "near Window Rock": two or three ordinary words that nothing but a place's name capitalises; not
 * those of a department. */
size_t names_spot(const struct scan *s, const struct run *r, size_t count)
{
	static const char *const departments[] = {"Medicine", "Department", "Dept", "Service", "Services", "Unit",
	    "Therapy", "Room", "Care", "Team", "Ward", "Clinic", "Program", "Level", "Stage", "Grade", "Type", "Day",
	    "Week", "Month", "Phase", "Step", "Appendix", "Table", "Figure", "Section", "Page", "Chapter", "Part",
	    "Box", "Line", "Item", NULL};
	if (count < 2 || count > 3 || !leads_to(s, 1, LEX_TO_HOUSE))
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct piece *p = &r->p[i];
		if (p->caps || p->initial || p->mixed || p->joiner || p->lex & (LEX_MEDICAL | LEX_TERM) ||
		    p->end - p->start < 3 || p->base & (WORD_LABELS | WORD_TITLE | WORD_MONTH) ||
		    text_is_any(s, p->start, p->end, departments))
			return 0;
	}
	return count;
}

bool names_house(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens)
{
	if (count - first < 2)
		return false;
	struct weigh w = weigh(r, first, count);
	if (is_saint(s, &r->p[first]) && (w.names || w.doubtful))
		return !is_term(s, r, count - 1);
	if (w.weak_house && !opens && place_follows(s))
		return true;
	return (w.strong_house && (!opens || w.names || w.doubtful)) || (w.weak_house && w.names + w.doubtful);
}

bool names_somebody(const struct scan *s, const struct run *r, size_t first, size_t count, bool opens)
{
	const struct piece *p = &r->p[first], *last = &r->p[count - 1];
	if (count - first == 1) {
		size_t next = skip_spaces(s, p->end);
		bool scale = byte_at(s, next) == 'I' && byte_at(s, next + 1) == 'I'; /* Denver II */
		scale |= is_digit(byte_at(s, next)) && byte_at(s, next + 1) == '.' &&
			 is_digit(byte_at(s, next + 2)); /* Lille 0.3 */
		if (p->initial || (p->lex & LEX_PLACE && scale))
			return false;
		if (is_name(p)) {
			if (p->lex & LEX_NAMES || !opens)
				return !(p->lex == LEX_NATION &&
					 (is_term(s, r, first) || lex_at(s, skip_spaces(s, p->end)) & LEX_MEDICAL));
			return acts(s, p) || introduced(s);
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
	struct weigh w = weigh(r, first, count);
	if (w.names)
		return true;
	if (w.initials >= 2 && w.initials == count - first && introduced(s))
		return true; /* "initials J.R.M." */
	if (w.initials && w.doubtful)
		return true; /* "Rose S." */
	return w.doubtful >= 2 && !opens && p->lex & LEX_GIVEN && last->lex & (LEX_FAMILY | LEX_GIVEN);
}

/* ", 44F", ", 7 yo", " (34M)": an age behind a word shows that it is somebody's name. */
bool age_follows(const struct scan *s, size_t at)
{
	at = skip_spaces(s, at + (byte_at(s, at) == ','));
	at += byte_at(s, at) == '(';
	size_t end = at;
	while (end - at < 3 && is_digit(byte_at(s, end)))
		end++;
	if (end == at)
		return false;
	size_t next = skip_spaces(s, end + (byte_at(s, end) == '-'));
	uint8_t b = lower(byte_at(s, next)), after = byte_at(s, next + 1);
	return (b == 'y' && (after == 'o' || after == 'e' || after == '/')) ||
	       ((b == 'f' || b == 'm') && next == end && !word_byte(after));
}

/* One word that is in no list, or a surname (many a sign bears one), and nothing beside it to say that it names
 * anybody: in a text without any other identifier it is rather a term that the lists lack. */
bool is_weak(const struct scan *s, const struct run *r, size_t first, size_t count)
{
	const struct piece *p = &r->p[first];
	if (age_follows(s, p->end))
		return false;
	if (first > 0 && lexicon_word_at(s, r->p[first - 1].start) & LEX_TO_NAME)
		return false; /* Cousin Desta */
	static const char *const human[] = {"says", "said", "asks", "asked", "told", "tells", "lives", "lived", "works",
	    "worked", "wants", "wanted", "went", "flew", "came", "denies", "denied", "complains", "complained",
	    "shouted", "smokes", "drinks", "died", "fell", "slept", "ate", "married", "walks", "drives", "speaks",
	    "thinks", "moved", "presented", "presents", "arrived", NULL};
	size_t verb = skip_spaces(s, p->end);
	if (count - first == 1 && !p->possessive && text_is_any(s, verb, prose_word_end(s, verb), human))
		return false;
	if (p->possessive &&
	    lexicon_word_at(s, skip_spaces(s, p->end + (byte_at(s, p->end) == '\'' ? 2 : 4))) & LEX_TO_NAME)
		return false; /* Nkechi's mother */
	return count - first == 1 && !(p->lex & LEX_NAMES & ~(unsigned)(LEX_FAMILY | LEX_NATION)) && !introduced(s) &&
	       !leads_to(s, 1, LEX_TO_HOUSE) && s->text[p->start] < 0x80;
}
