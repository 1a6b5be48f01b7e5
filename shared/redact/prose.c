/* Clinical prose: persons, places and institutions that no label announces.
 *
 * English capitalises names and little else.  So a run of capitalised words is read, what is an ordinary word, a
 * medical term or an acronym is set aside (lexicon.h), and what is left is somebody's or something's name, unless a
 * noun behind it shows that it is a term ("Babinski sign").  Words that are both ("Rose", "Wilson", "Turkey") need a
 * sign that a name is meant. */
#include "shared/redact/run.h"

/* "New York", "Mount Sinai", "South Africa": words that begin a place's name. */
static bool leads_place(const struct scan *s, const struct run *r, size_t i, bool opens)
{
	static const char *const words[] = {"New", "Mount", "Mt", "North", "South", "East", "West", "Fort", "Port",
	    "Lake", "Cape", "Saint", "San", "Santa", "Los", "Las", "El", "Upper", "Lower", "Great", "Grand", "Old",
	    "Rio", "Northern", "Southern", "Eastern", "Western", "Central", NULL};
	const struct piece *p = &r->p[i];
	if (i == 0 && r->count > 1 && p->caps && p->end - p->start == 2 && is_name(&r->p[1]) && place_follows(s))
		return true; /* "at NY Presbyterian" */
	return i + 1 < r->count && text_is_any(s, p->start, p->end, words) &&
	       (opens ? r->p[i + 1].lex & LEX_PLACE : is_name(&r->p[i + 1]) || r->p[i + 1].lex & LEX_NAMES);
}

static bool ends_sentence_start(const struct scan *s, const struct run *r, size_t first)
{
	return first == 0 && starts_sentence(s, r->p[0].start);
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
		surname |= p->lex & LEX_LEARNED && !(p->lex & LEX_TERM) && is_name(&r->p[count - 2]);
		surname |= r->p[count - 2].initial && count >= first + 3 && !p->caps; /* Brad L Key */
		if (!is_ordinary(p) || p->base & WORD_HOUSE || p->lex & (LEX_ORG | LEX_NAMES) || surname ||
		    p->possessive)
			break;
		if (place && !(p->lex & LEX_TERM) && !(p->base & (WORD_MONTH | WORD_TITLE)) && !p->caps)
			break; /* Sioux Falls, Kestrel Valley Nursing Home */
		count--;
		while (count > first + 1 && r->p[count - 1].joiner)
			count--;
	}
	return count;
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
	if (at == end || !text_is_any(s, at, stop, suffixes))
		return end;
	return stop + (byte_at(s, stop) == '.');
}

/* ", Grace N", ", G. N." behind a surname; the end, or 0. */
size_t given_after(const struct scan *s, size_t end)
{
	size_t at = skip_spaces(s, end + 1), stop = prose_word_end(s, at);
	if (byte_at(s, end) != ',' || !capital_at(s, at))
		return 0;
	bool close = at == end + 1; /* Rourke,Declan */
	if (close && stop == at + 1 && !is_alnum(byte_at(s, stop)) && is_upper(s->text[end - 1]))
		return stop; /* LOWENSTEIN,H */
	if (close && is_digit(byte_at(s, stop)))
		return 0;
	if (stop == at + 1 && byte_at(s, stop) == '.') {
		size_t second = skip_spaces(s, stop + 1);
		bool two = is_upper(byte_at(s, second)) && byte_at(s, second + 1) == '.';
		return two ? second + 2 : stop + 1;
	}
	unsigned lex = lexicon_word(s->text + at, stop - at);
	bool unknown = stop - at >= 4 && lex == 0 && lexicon_find(s->text + at, stop - at) == 0 &&
		       word_kinds_of(s->text + at, stop - at) == 0;
	if (!(lex & LEX_GIVEN || unknown) || lex & LEX_PLACE)
		return 0;
	size_t initial = skip_spaces(s, stop);
	if (initial > stop && is_upper(byte_at(s, initial)) && prose_word_end(s, initial) == initial + 1)
		stop = initial + 1;
	while (is_upper(s->text[stop - 1]) && stop - at > 1) { /* GUTIERREZ,MARIA DEL CARMEN */
		size_t next = skip_spaces(s, stop), end_of_next = prose_word_end(s, next);
		bool caps = next == stop + 1 && end_of_next - next > 2 && is_upper(s->text[next]) &&
			    is_upper(s->text[next + 1]) && is_upper(s->text[end_of_next - 1]);
		unsigned more = caps ? lexicon_find(s->text + next, end_of_next - next) : LEX_PLAIN;
		if (more & (LEX_PLAIN | LEX_MEDICAL) && !(more & LEX_GIVEN))
			break;
		stop = end_of_next;
	}
	return stop;
}

/* With the title before it: "Dear Dr. Okoye". */
static size_t start_of(const struct run *r, size_t first)
{
	bool titled = first > 0 && r->p[first - 1].base & WORD_TITLE && !(r->p[first - 1].lex & LEX_NAMES) &&
		      !r->p[first - 1].caps;
	return r->p[titled ? first - 1 : first].start;
}

static size_t emit_run(struct scan *s, const struct run *r, size_t first, size_t count, bool place)
{
	size_t end = end_of(s, r, count), start = start_of(r, first), address;
	place |= (r->p[first].lex & (LEX_PLACE | LEX_GIVEN | LEX_FAMILY)) == LEX_PLACE;
	if ((address = address_after(s, start, end)))
		return emit(s, start, address, REDACT_ADDRESS);
	size_t given = count - first == 1 && !(r->p[first].lex & LEX_PLACE) ? given_after(s, end) : 0;
	size_t further = given ? given : place ? place_end(s, end) : end;
	s->weak_next &= further == end; /* what follows leaves no doubt */
	if (given || place)
		return emit(s, start, further, given ? REDACT_NAME : REDACT_PLACE);
	end = r->p[count - 1].possessive ? r->p[count - 1].end : suffix_end(s, end);
	if (r->p[first].caps && byte_at(s, end) == '/' && is_upper(byte_at(s, end + 1)) &&
	    is_upper(byte_at(s, end + 2)))
		end = prose_word_end(s, end + 1), s->weak_next = false; /* KOVALENKO/OLENA */
	return emit(s, start, end, r->p[first].lex & LEX_NATION ? REDACT_PLACE : REDACT_NAME);
}

/* CHUKWU, EMEKA: short enough for two acronyms, but no list has the first, and the second is a name. */
static size_t capitals_comma(const struct scan *s, const struct run *r)
{
	const struct piece *p = &r->p[0];
	size_t n = p->end - p->start, at = p->end + 2;
	if (r->count > 1 && r->count <= 3 && p->caps && !p->lex && !p->initial && r->p[r->count - 1].caps &&
	    !(r->p[r->count - 1].lex & (LEX_PLAIN | LEX_MEDICAL)) && byte_at(s, r->p[r->count - 1].end) == ',') {
		size_t given = given_after(s, r->p[r->count - 1].end);
		return given && is_upper(byte_at(s, skip_spaces(s, r->p[r->count - 1].end + 1) + 1)) ? given : 0;
	}
	if (r->count != 1 || !p->caps || n < 4 || !is_ordinary(p) || p->lex & ~(unsigned)LEX_NAMES ||
	    p->base & ~(unsigned)(WORD_GIVEN | WORD_FAMILY) || byte_at(s, p->end) != ',' ||
	    byte_at(s, p->end + 1) != ' ' || !is_upper(byte_at(s, at)))
		return 0;
	size_t end = prose_word_end(s, at);
	unsigned lex = lexicon_find(s->text + at, end - at);
	return is_upper(byte_at(s, at + 1)) && (lex & LEX_GIVEN || (!lex && end - at >= 5)) ? end : 0;
}

/* "Aldous Penhaligon": of a learned word it has but the ending, and a name follows. */
static bool is_learned_name(const struct run *r, size_t i, bool opens)
{
	const struct piece *next = &r->p[i + 1];
	if (!(r->p[i].lex & LEX_LEARNED) || i + 1 >= r->count || r->p[i].caps)
		return false;
	return opens && i == 0 ? next->lex & LEX_FAMILY && is_name(next) : is_name(next) || next->initial;
}

/* "Informant: Verity Lyle" and nothing else on the line. */
static bool is_value(const struct scan *s, const struct run *r)
{
	size_t before = r->p[0].start, last = r->p[r->count - 1].end;
	while (before > 0 && s->text[before - 1] == ' ')
		before--;
	return r->count == 2 && before > 0 && s->text[before - 1] == ':' &&
	       (last >= s->size || s->text[last] == '\n' || s->text[last] == '\r' || s->text[last] == ';');
}

/* "initials KJL" */
static bool follows_initials(const struct scan *s)
{
	const struct recent *w = &s->words[1];
	return w->letters == 8 && left(s, w->end - 8) > 8 && memcmp(s->text + w->end - 8, "initials", 8) == 0;
}

static size_t rule_capitals(struct scan *s, struct chunk c)
{
	struct run r;
	size_t box = strchr("ASFPCURH", s->text[c.start]) ? match_box(s, c.start) : 0;
	if (box)
		return emit(s, c.start, box, REDACT_ADDRESS);
	if (!is_lower(byte_at(s, c.start + 1)) && !(lexicon_exact(c.hash) & (LEX_CODE | LEX_MEDICAL)) &&
	    (box = match_shape(s, c.start)))
		return emit(s, c.start, box, REDACT_ID);
	read_run(s, c.start, &r);
	if (r.count == 0)
		return 0;
	if ((box = match_street_first(s, c.start, r.p[r.count - 1].end)))
		return emit(s, c.start, box, REDACT_ADDRESS);
	bool field = byte_at(s, r.p[0].end) == '^' && is_upper(byte_at(s, r.p[0].end + 1));
	if (r.count == 1 && field && (r.p[0].lex & LEX_NAMES || is_name(&r.p[0])))
		return emit(s, c.start, r.p[0].end, REDACT_NAME); /* DOE^JOHN */
	if ((box = capitals_comma(s, &r)))
		return emit(s, c.start, box, REDACT_NAME);
	size_t first = 0;
	bool opens = starts_sentence(s, r.p[0].start);
	size_t whole = cut_at_joiner(s, &r, 0);
	if (r.count == 1 && r.p[0].caps && r.p[0].end - r.p[0].start <= 4 && follows_initials(s))
		return emit(s, c.start, r.p[0].end, REDACT_NAME);
	size_t firm = names_firm(s, &r, whole, opens);
	if (firm)
		return emit_run(s, &r, 0, firm, true);
	if (!opens && names_street(s, &r, whole))
		return emit(s, c.start, end_of(s, &r, whole), REDACT_ADDRESS);
	if (whole == r.count && whole <= 3 && !r.p[0].caps && state_behind(s, r.p[whole - 1].end) &&
	    !(r.p[0].base & (WORD_LABELS | WORD_TITLE)))
		return emit(s, c.start, place_end(s, r.p[whole - 1].end), REDACT_PLACE); /* Hazard, KY */
	if (names_house(s, &r, 0, cut_ordinary(&r, 0, whole, false), opens))
		return emit_run(s, &r, 0, cut_ordinary(&r, 0, whole, false), true);
	size_t town = r.count > 1 && is_ordinary(&r.p[0]) ? town_end(s, r.p[0].start) : 0;
	if (town && !(opens && r.p[0].lex & LEX_NAMES) && town > r.p[0].end)
		return emit(s, r.p[0].start, place_end(s, town), REDACT_PLACE); /* United Kingdom */
	while (first < whole && (is_ordinary(&r.p[first]) || r.p[first].joiner) && !is_learned_name(&r, first, opens) &&
	       !(is_doubtful(&r.p[first]) && whole - first > 1) && !leads_place(s, &r, first, opens && first == 0))
		first++;
	if (first == whole && whole == 1 && is_doubtful(&r.p[0]))
		first = 0;
	if (first > 0 && !opens && names_spot(s, &r, whole)) {
		s->weak_next = first == whole;
		return emit(s, c.start, place_end(s, end_of(s, &r, whole)), REDACT_PLACE);
	}
	if (first == whole)
		return 0;
	if (first == 1 && opens && !r.p[0].caps && !r.p[0].possessive && is_name(&r.p[1]) &&
	    (age_follows(s, r.p[whole - 1].end) || is_value(s, &r)))
		first = 0; /* "Temperance Ashworth, 44F" */
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

/* A lone word that the lists know as ordinary, with nothing behind it that could belong to a run: what rule_capitals()
 * declines in most cases, told at once. */
bool is_lone_word(const struct scan *s, struct chunk c, unsigned kinds)
{
	size_t n = c.end - c.start, next = c.end + 1;
	if (c.seen & ~(unsigned)(BYTE_UPPER | BYTE_LOWER) || c.camel || n < 2 || n > LEXICON_WORD_MAX)
		return false;
	unsigned lex = lexicon_hashed(s->text + c.start, n, c.hash, kinds | word_kinds(c.hash));
	if (!(lex & (LEX_PLAIN | LEX_MEDICAL)) || lex & LEX_NAMES)
		return false;
	uint8_t last = byte_at(s, c.end), b = byte_at(s, next);
	if (last == ',' && b == ' ' && is_upper(byte_at(s, next + 1)) && is_upper(byte_at(s, next + 2)))
		return false; /* Hazard, KY */
	if (last != ' ')
		return last == ',' || last == ')' || last == ';' || last == '?' || last == 0;
	if (is_digit(b)) /* a box, an apartment, a plate */
		return is_lower(s->text[c.start + 1]) && !strchr("ASFPCURH", s->text[c.start]);
	if (!is_lower(b))
		return !is_letter(b) && b != '&' && b != ' ';
	size_t end = next;
	while (end - next < 4 && is_lower(byte_at(s, end)))
		end++;
	return end - next == 4 || !joined_at(s, next, end);
}

/* ---- small letters ---- */

/* "maria lopez", "named maria": names that are nothing else. */
static size_t rule_small(struct scan *s, struct chunk c)
{
	unsigned lex = lexicon_exact(recent_hash(s, 0));
	size_t end = prose_word_end(s, c.start);
	if (!(lex & LEX_GIVEN) || lex & (LEX_PLAIN | LEX_MEDICAL) || end - c.start < 3 || byte_at(s, end) == '=')
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

/* "at riverbend clinic": the word before is none that English has. */
static size_t rule_site(struct scan *s, struct chunk c)
{
	const struct recent *before = &s->words[1];
	if (before->letters < 4 || before->end < before->letters || before->end + 1 != c.start ||
	    !leads_to(s, 2, LEX_TO_HOUSE))
		return 0;
	size_t start = before->end - before->letters;
	if ((s->count && start < s->spans[s->count - 1].end) || prose_word_end(s, start) != before->end ||
	    !is_lower(s->text[start]) || lexicon_find(s->text + start, before->letters) ||
	    word_kinds_of(s->text + start, before->letters))
		return 0;
	return emit(s, start, c.end, REDACT_PLACE);
}

size_t rule_prose(struct scan *s, struct chunk c, unsigned kinds)
{
	if (capital_at(s, c.start))
		return is_lone_word(s, c, kinds) ? 0 : rule_capitals(s, c);
	if (kinds & (WORD_SITE | WORD_CARE))
		return rule_site(s, c);
	size_t end = c.end - c.start == 2 ? match_small_shape(s, c.start) : 0;
	if (end)
		return emit(s, c.start, end, REDACT_SSN);
	size_t named;
	if (c.seen & BYTE_HIGH && (end = match_eastern_label(s, c, &named)))
		return emit(s, named, end, REDACT_NAME);
	if (c.seen & BYTE_HIGH && (end = match_honoured(s, c.start, c.end)))
		return emit(s, c.start, end, REDACT_NAME);
	if (!is_lower(s->text[c.start]) || s->words[0].letters < 3)
		return 0;
	return kinds & WORD_GIVEN || lexicon_may_be_given(recent_hash(s, 0)) ? rule_small(s, c) : 0;
}
