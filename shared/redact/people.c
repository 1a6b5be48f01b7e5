/* Persons and places: after a title in any mode; from the shape of prose in clinical mode. */
#include "shared/redact/scan.h"

enum {
	TITLE_WORDS_MAX = 4,
	PROSE_WORDS_MAX = 6,
};

/* One word from at: letters, inner apostrophes and hyphens. */
static size_t word_end(const struct scan *s, size_t at)
{
	size_t stop = left(s, at) > 40 ? at + 40 : s->size, end = at;
	while (end < stop && (is_letter(s->text[end]) || ((s->text[end] == '\'' || s->text[end] == '-') && end > at &&
							     is_letter(byte_at(s, end + 1)))))
		end++;
	return end;
}

/* A capital at its front; beyond ASCII the case is not looked at. */
bool capitalised(const struct scan *s, size_t start, size_t end)
{
	return end > start && (is_upper(s->text[start]) || s->text[start] >= 0x80);
}

static unsigned kinds_at(const struct scan *s, size_t start, size_t end)
{
	if (end - start > 2 && s->text[end - 2] == '\'' && lower(s->text[end - 1]) == 's')
		end -= 2; /* Vincent's */
	return word_kinds_of(s->text + start, end - start);
}

static bool is_particle(const struct scan *s, size_t start, size_t end)
{
	static const char particles[][4] = {
	    "de", "van", "von", "der", "den", "la", "le", "da", "di", "bin", "al", "el", "ter", "del", "dos"};
	for (size_t i = 0; i < sizeof particles / sizeof particles[0]; i++)
		if (strlen(particles[i]) == end - start && memcmp(s->text + start, particles[i], end - start) == 0)
			return true;
	return false;
}

/* Up to `most` capitalised words and initials ("John Q. O'Neil", "DOE, JOHN"). */
size_t match_name(const struct scan *s, size_t at, unsigned most)
{
	size_t end = 0;
	for (unsigned words = 0; words < most;) {
		size_t stop = word_end(s, at);
		if (stop == at)
			break;
		bool particle = end && is_particle(s, at, stop), letter = stop - at == 1 && byte_at(s, stop) == '.';
		if (!particle &&
		    (!capitalised(s, at, stop) ||
			(end && !letter && kinds_at(s, at, stop) & (WORD_COMMON | WORD_LABELS | WORD_HOUSE))))
			break;
		if (!particle) {
			end = stop;
			words++;
		}
		bool initial = stop - at == 1 || (stop - at == 2 && lower(s->text[stop - 1]) == 'r');
		if (initial && byte_at(s, stop) == '.') {
			end = ++stop;
			at = is_letter(byte_at(s, stop)) ? stop : skip_spaces(s, stop);
			continue;
		}
		if (byte_at(s, stop) == ',' && words == 1 && byte_at(s, stop + 1) == ' ' &&
		    is_upper(byte_at(s, stop + 2)) && stop - at > 1 && is_upper(s->text[at + 1]))
			stop++; /* DOE, JOHN */
		at = skip_spaces(s, stop);
		if (at == stop)
			break;
	}
	return end;
}

/* "Dr. Smith", "Mrs Jones": the title itself tells nothing, and stays where lines are read for diagnosis. */
size_t rule_title(struct scan *s, struct chunk c)
{
	if (!is_upper(s->text[c.start]) && !clinical(s))
		return 0;
	size_t at = c.end + (byte_at(s, c.end) == '.');
	size_t name = skip_spaces(s, at);
	if (name == at && byte_at(s, c.end) != '.')
		return 0;
	size_t end = match_name(s, name, TITLE_WORDS_MAX);
	if (!end || (end - name == 1 && !clinical(s)))
		return 0;
	if (kinds_at(s, name, word_end(s, name)) & (WORD_COMMON | WORD_NO_VALUE) && word_end(s, name) == end)
		return 0;
	return emit(s, clinical(s) ? c.start : name, end, REDACT_NAME);
}

/* ---- clinical prose ---- */

struct run { /* capitalised words in a row, with "of", "the" … between them */
	size_t end;
	unsigned any; /* kinds of all its words together */
	unsigned words;
	bool initial; /* "Anna S." */
};

static bool is_connector(const struct scan *s, size_t start, size_t end)
{
	size_t n = end - start;
	return (n == 2 && memcmp(s->text + start, "of", 2) == 0) ||
	       (n == 3 && memcmp(s->text + start, "the", 3) == 0) ||
	       (n == 3 && memcmp(s->text + start, "and", 3) == 0) || (n == 3 && memcmp(s->text + start, "for", 3) == 0);
}

static struct run read_run(const struct scan *s, size_t at)
{
	struct run r = {0};
	while (r.words < PROSE_WORDS_MAX) {
		size_t stop = word_end(s, at);
		bool connector = r.words > 0 && stop > at && is_connector(s, at, stop);
		if (stop == at || (!connector && !capitalised(s, at, stop)))
			break;
		unsigned kinds = kinds_at(s, at, stop);
		bool letter = stop - at == 1 && byte_at(s, stop) == '.';
		if (!connector) {
			bool name = kinds & (WORD_HOUSE | WORD_GIVEN | WORD_FAMILY) && !(kinds & WORD_MONTH);
			if (r.words > 0 && kinds & WORD_COMMON && !letter && !name)
				break;
			r.any |= kinds;
			r.end = stop;
			r.words++;
			bool dot = byte_at(s, stop) == '.';
			if (letter && r.words > 1) {
				r.initial = true;
				r.end = ++stop;
				break;
			}
			if (dot && stop - at <= 2)
				r.end = ++stop; /* St. Vincent, Mt. Sinai, J. Smith */
		}
		at = skip_spaces(s, stop);
		if (at == stop)
			break;
	}
	return r;
}

static bool starts_sentence(const struct scan *s, size_t at)
{
	while (at > 0 && s->text[at - 1] == ' ')
		at--;
	return at == 0 || strchr(".!?\n\"", s->text[at - 1]) != NULL;
}

static unsigned word_before(const struct scan *s)
{
	return s->words[1].hash ? word_kinds(s->words[1].hash) : 0;
}

static bool short_saint(const struct scan *s, size_t at)
{
	return left(s, at) > 4 && (s->text[at] == 'S' || s->text[at] == 'M') && s->text[at + 1] == 't' &&
	       (s->text[at + 2] == '.' || s->text[at + 2] == ' ');
}

/* The end of a town of up to three words that begins at `at` ("San Francisco"), or 0. */
static size_t town_end(const struct scan *s, size_t at)
{
	size_t end = at, found = 0;
	for (int words = 0; words < 3; words++) {
		size_t from = words ? skip_spaces(s, end) : at;
		size_t stop = word_end(s, from);
		if (stop == from || !is_upper(s->text[from]))
			break;
		end = stop;
		if (kinds_at(s, at, end) & WORD_TOWN)
			found = end;
	}
	size_t city = found ? skip_spaces(s, found) : 0;
	return found && left(s, city) >= 4 && memcmp(s->text + city, "City", 4) == 0 ? city + 4 : found;
}

/* Behind a place: ", MA", ", Boston", " in Rochester", " clinic", " downtown clinic". */
static size_t place_end(const struct scan *s, size_t end)
{
	for (int i = 0; i < 3; i++) {
		size_t at = skip_spaces(s, end + (byte_at(s, end) == ','));
		size_t stop = word_end(s, at), town = town_end(s, at);
		if (at == end || stop == at)
			break;
		if (byte_at(s, end) == ',') {
			bool state = stop - at == 2 && is_upper(s->text[at]) && is_upper(s->text[at + 1]);
			if (!state && !town)
				break;
			end = state ? stop : town;
			continue;
		}
		if (stop - at == 2 && memcmp(s->text + at, "in", 2) == 0 &&
		    (town = town_end(s, skip_spaces(s, stop)))) {
			end = town;
			continue;
		}
		size_t second = skip_spaces(s, stop), second_end = word_end(s, second);
		if (kinds_at(s, at, stop) & WORD_SITE)
			end = stop;
		else if (second_end > second && is_lower(s->text[at]) && stop - at > 3 &&
			 kinds_at(s, second, second_end) & WORD_SITE)
			end = second_end;
		break;
	}
	return end;
}

static size_t emit_place(struct scan *s, size_t start, size_t end)
{
	return emit(s, start, place_end(s, end), REDACT_PLACE);
}

static bool small_prep(const struct scan *s)
{
	word_hash h = s->words[1].hash;
	static const char *const preps[] = {"in", "to", "our", "of"};
	for (size_t i = 0; i < sizeof preps / sizeof preps[0]; i++) {
		word_hash p = 0;
		for (const char *c = preps[i]; *c; c++)
			p = word_hash_add(p, (uint8_t)*c);
		if (p == h)
			return true;
	}
	return false;
}

/* "admitted to X", "lives in X", "seen at X" */
static bool after_visit(const struct scan *s)
{
	return s->words[2].hash && word_kinds(s->words[2].hash) & WORD_VISIT && s->words[1].hash &&
	       s->words[1].letters <= 4;
}

size_t rule_prose(struct scan *s, struct chunk c, unsigned kinds)
{
	if (!capitalised(s, c.start, c.end))
		return 0;
	struct run r = read_run(s, c.start);
	if (!r.end)
		return 0;
	unsigned before = word_before(s);
	bool common = kinds & WORD_COMMON, opens = starts_sentence(s, c.start);
	if (common && r.words == 1)
		return 0;
	if (r.words > 1 && r.any & WORD_HOUSE && !common)
		return emit_place(s, c.start, r.end);
	if (short_saint(s, c.start) && r.words > 1)
		return emit_place(s, c.start, r.end);
	size_t town = town_end(s, c.start);
	if (town && !(kinds & WORD_GIVEN))
		return emit_place(s, c.start, town > r.end ? town : r.end);
	if (kinds & WORD_GIVEN && !common)
		return emit(s, c.start, r.end, REDACT_NAME);
	if (r.initial && !common)
		return emit(s, c.start, r.end, REDACT_NAME);
	if (r.any & WORD_FAMILY && r.words > 1 && !common)
		return emit(s, c.start, r.end, REDACT_NAME);
	if (before & WORD_PLACE_PREP && !opens && !common && (c.seen & BYTE_LOWER || r.words > 1))
		return emit_place(s, c.start, r.end);
	if (after_visit(s) && !opens && !common && c.seen & BYTE_LOWER && (before & WORD_PLACE_PREP || small_prep(s)))
		return emit_place(s, c.start, r.end);
	if (before & WORD_INTRODUCES && !opens && r.words >= 2 && !common)
		return emit(s, c.start, r.end, REDACT_NAME);
	return 0;
}
