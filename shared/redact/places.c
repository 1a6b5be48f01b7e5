/* Places: towns and what follows them, and postal addresses as they are written in many countries. */
#include "shared/redact/lexicon.h"

enum {
	STREET_WORDS_MAX = 5,
	HOUSE_DIGITS_MAX = 6,
	TAIL_PARTS_MAX = 8, /* apartment, town, region, postal code, country … */
	TAIL_WORDS_MAX = 4,
};

static bool text_is(const struct scan *s, size_t start, size_t end, const char *word)
{
	while (start < end && *word && lower(s->text[start]) == (uint8_t)*word) {
		start++;
		word++;
	}
	return start == end && !*word;
}

static bool is_any(const struct scan *s, size_t start, size_t end, const char *const *words)
{
	uint8_t first = lower(byte_at(s, start));
	for (; *words && end > start; words++)
		if ((uint8_t) * *words == first && text_is(s, start, end, *words))
			return true;
	return false;
}

static size_t digits_at(const struct scan *s, size_t at)
{
	size_t n = 0;
	while (n < 12 && is_digit(byte_at(s, at + n)))
		n++;
	return n;
}

/* ---- towns ---- */

static bool is_state(const struct scan *s, size_t start, size_t end)
{
	return end - start == 2 && is_upper(s->text[start]) && is_upper(s->text[start + 1]);
}

/* The end of a town of up to three words that begins at `at` ("San Francisco"), or 0. */
size_t town_end(const struct scan *s, size_t at)
{
	size_t end = at, found = 0;
	if (!capital_at(s, at))
		return 0;
	for (int words = 0; words < 3; words++) {
		size_t from = words ? skip_spaces(s, end) : at;
		if (words && from == end)
			break;
		end = prose_word_end(s, from);
		if (end == from)
			break;
		if (lexicon_word(s->text + at, end - at) & LEX_PLACE)
			found = end;
	}
	size_t city = found ? skip_spaces(s, found) : 0;
	return found && left(s, city) >= 4 && memcmp(s->text + city, "City", 4) == 0 ? city + 4 : found;
}

/* "62704", "62704-1234", "3000" behind a state */
static size_t zip_after(const struct scan *s, size_t end)
{
	size_t at = skip_spaces(s, end), n = digits_at(s, at);
	if (at == end || n < 4 || n > 5 || word_byte(byte_at(s, at + n)))
		return end;
	at += n;
	if (byte_at(s, at) == '-' && digits_at(s, at + 1) == 4)
		at += 5;
	return at;
}

static bool is_ward(const struct scan *s, size_t start, size_t end)
{
	static const char *const wards[] = {"er", "ed", "icu", "ccu", "mc", "umc", "nicu", "picu", "hq", "va", "snf",
	    "ltac", "alf", "irf", "cdc", "med", NULL};
	return is_upper(s->text[start]) && is_upper(byte_at(s, start + 1)) && is_any(s, start, end, wards);
}

/* ---- streets ---- */

static bool is_street(const struct scan *s, size_t start, size_t end)
{
	static const char *const words[] = {"via", "viale", "vicolo", "piazza", "piazzale", "corso", "largo", "rue",
	    "chemin", "impasse", "quai", "calle", "avenida", "avda", "carrera", "paseo", "plaza", "camino", "rua",
	    "travessa", "bd", "bvd", "boul", "estrada", "alameda", "ul", "ulica", "ulitsa", "aleja", "nam", "utca",
	    "ut", "ter", "tér", "út", "u", "sokak", "caddesi", "weg", "allee", "platz", "str", "strasse", "terrasse",
	    "torv", "plads", "tun", "jalan", "strada", "bulevardul", "bulevar", NULL};
	static const char *const endings[] = {"strasse",
	    "stra\xc3\x9f"
	    "e",
	    "straat", "gasse", "gatan", "gata", "gaten", "veien", "vegen", "vagen", "v\xc3\xa4gen", "v\xc3\xa6nget",
	    "vej", "gade", "laan", "plein", "gracht", "kade", "dijk", "platz", "allee", "damm", "ufer", "katu", "kuja",
	    "polku", "tie", "weg", "stien", "brekka", "braut", "utca", "street", NULL};
	if (is_any(s, start, end, words) || word_kinds_of(s->text + start, end - start) & WORD_STREET)
		return true;
	for (const char *const *e = endings; *e && end - start > 5; e++) {
		size_t n = strlen(*e);
		if (end - start > n + 2 && s->text[end - 1] == (uint8_t)(*e)[n - 1] && text_is(s, end - n, end, *e))
			return true;
	}
	return false;
}

/* "Apt. 4", "Suite 282", "#12", "Box 8144": the end, or 0. */
static size_t unit_at(const struct scan *s, size_t at)
{
	static const char *const units[] = {"apt", "apartment", "suite", "ste", "unit", "flat", "floor", "fl", "room",
	    "rm", "box", "bldg", "building", "lot", "apto", "appt", "stiege", "top", NULL};
	size_t next = at;
	if (byte_at(s, at) == '#') {
		next = at + 1;
	} else {
		size_t end = prose_word_end(s, at);
		if (end == at || !is_any(s, at, end, units))
			return 0;
		next = skip_spaces(s, end + (byte_at(s, end) == '.'));
		if (byte_at(s, next) == '#')
			next++;
	}
	size_t end = next;
	bool digit = false;
	while (end - next < 8 && (is_alnum(byte_at(s, end)) || byte_at(s, end) == '-'))
		digit |= is_digit(s->text[end++]);
	if (is_alnum(byte_at(s, end)))
		return 0;
	return digit || (end == next + 1 && is_upper(s->text[next])) ? end : 0;
}

/* What follows a number in an address is no unit of measure and no further digits. */
static bool ends_number(const struct scan *s, size_t at)
{
	uint8_t b = byte_at(s, at);
	if (word_byte(b) || b == '%' || b == ':' || b == '/' ||
	    ((b == '.' || b == '-') && is_digit(byte_at(s, at + 1))))
		return false;
	static const char *const measures[] = {"mg", "ml", "mcg", "g", "kg", "cm", "mm", "l", "dl", "units", "iu",
	    "meq", "years", "year", "yo", "days", "day", "weeks", "week", "months", "month", "hours", "hour", "minutes",
	    "times", "percent", "patients", "tablets", "doses", "am", "pm", NULL};
	size_t next = skip_spaces(s, at), end = prose_word_end(s, next);
	return end == next || !is_any(s, next, end, measures);
}

static size_t house_number(const struct scan *s, size_t at)
{
	size_t n = digits_at(s, at);
	if (n == 0 || n > HOUSE_DIGITS_MAX)
		return 0;
	at += n;
	if (byte_at(s, at) == '/' && n <= 3 && digits_at(s, at + 1) && digits_at(s, at + 1) <= 3 &&
	    is_upper(byte_at(s, at + 2 + digits_at(s, at + 1))))
		at += 1 + digits_at(s, at + 1); /* 14/2 Gandhi Nagar */
	if (is_alpha(byte_at(s, at)) && !word_byte(byte_at(s, at + 1)))
		at++;
	return ends_number(s, at) ? at : 0;
}

/* ---- the rest of an address: apartment, town, region, postal code, country ---- */

/* Over a comma, blanks and line ends with a quote's mark; says what it went over. */
static size_t skip_break(const struct scan *s, size_t at, bool *ret_comma, bool *ret_line)
{
	size_t stop = look_end(s, at), lines = 0;
	*ret_comma = *ret_line = false;
	if (byte_at(s, at) == '.' && (byte_at(s, at + 1) == ',' || byte_at(s, at + 1) == '\n'))
		at++;
	if (byte_at(s, at) == ',') {
		*ret_comma = true;
		at++;
	}
	for (; at < stop; at++) {
		uint8_t b = s->text[at];
		if (b == '\n' && ++lines > 2)
			break;
		*ret_comma |= b == ',' && lines;
		if (!is_space(b) && !(lines && (b == '>' || b == '?' || b == ',')))
			break;
	}
	*ret_line = lines > 0;
	return at;
}

/* "53650", "340 12", "53-320", "B0J 2H0", "02115-1234" */
size_t match_zip(const struct scan *s, size_t at)
{
	size_t n = digits_at(s, at), second;
	if (n >= 3 && n <= 6) {
		at += n;
		second = digits_at(s, at + 1);
		if ((byte_at(s, at) == ' ' || byte_at(s, at) == '-') && second >= 2 && second <= 4 && n <= 5)
			at += 1 + second;
		return ends_number(s, at) ? at : 0;
	}
	return n ? 0 : match_postcode(s, at);
}

/* Behind a place: ", MA 02115", ", Boston", " in Rochester", " clinic", " downtown clinic", " ER". */
size_t place_end(const struct scan *s, size_t end)
{
	size_t number = skip_spaces(s, end), code = digits_at(s, number) >= 4 ? match_zip(s, number) : 0;
	bool year =
	    code - number == 4 && (memcmp(s->text + number, "19", 2) == 0 || memcmp(s->text + number, "20", 2) == 0);
	if (code && number > end && !year)
		return code;
	for (int i = 0; i < 4; i++) {
		size_t at = skip_spaces(s, end + (byte_at(s, end) == ','));
		size_t stop = prose_word_end(s, at), town;
		if (at == end || stop == at)
			break;
		if (byte_at(s, end) == ',') {
			if (is_state(s, at, stop))
				end = zip_after(s, stop);
			else if ((town = town_end(s, at)))
				end = town;
			else
				break;
			continue;
		}
		if (text_is(s, at, stop, "in") && (town = town_end(s, skip_spaces(s, stop)))) {
			end = town;
			continue;
		}
		if (is_ward(s, at, stop)) {
			end = stop;
			continue;
		}
		size_t second = skip_spaces(s, stop), second_end = prose_word_end(s, second);
		if (word_kinds_of(s->text + at, stop - at) & WORD_SITE)
			end = stop;
		else if (second_end > second && is_lower(s->text[at]) && stop - at > 3 &&
			 word_kinds_of(s->text + second, second_end - second) & WORD_SITE)
			end = second_end;
		break;
	}
	return end;
}

/* ", OR 97701": what stands before it is a town, whatever else the word means. */
static bool state_follows(const struct scan *s, size_t at)
{
	size_t state = skip_spaces(s, at + 1), zip = skip_spaces(s, state + 2);
	return byte_at(s, at) == ',' && is_state(s, state, prose_word_end(s, state)) && zip > state + 2 &&
	       digits_at(s, zip) == 5;
}

static size_t tail_words(const struct scan *s, size_t at, bool alone)
{
	size_t end = at, found = 0;
	for (int words = 0; words < TAIL_WORDS_MAX; words++) {
		size_t from = words ? skip_spaces(s, end) : at, stop = prose_word_end(s, from);
		if (stop == from || is_digit(byte_at(s, stop)) ||
		    (!capital_at(s, from) && (words == 0 || stop - from > 3)))
			break;
		unsigned lex = lexicon_find(s->text + from, stop - from);
		size_t town = town_end(s, from);
		if (town > stop)
			stop = town;
		else if (lex & (LEX_PLAIN | LEX_MEDICAL) && !(lex & LEX_PLACE) && !is_state(s, from, stop) &&
			 !(words && word_kinds_of(s->text + from, stop - from) & WORD_STREET) &&
			 !state_follows(s, stop))
			break;
		end = stop;
		if (capital_at(s, from))
			found = stop;
	}
	if (!found || !alone)
		return found;
	size_t next = skip_spaces(s, found);
	uint8_t b = byte_at(s, next);
	return !b || strchr("\n\r,.", b) || is_digit(b) ? found : 0;
}

/* "PSC 0413", "P.O. Box 12": the end, or 0. */
static size_t box_number(const struct scan *s, size_t at)
{
	static const char *const forms[] = {"RR ", "HC ", "PSC ", "CMR ", "Unit ", "P.O. Box ", "PO Box ", "P.O.Box ",
	    "P.O.BOX ", "PO BOX ", "USNS ", "USS "};
	uint8_t first = byte_at(s, at), second = byte_at(s, at + 1);
	if (!(first == 'P' && (second == 'S' || second == '.' || second == 'O')) && !(first == 'C' && second == 'M') &&
	    !(first == 'U' && (second == 'n' || second == 'S')) && !(first == 'R' && second == 'R') &&
	    !(first == 'H' && second == 'C'))
		return 0;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		size_t n = strlen(forms[i]);
		if (left(s, at) <= n || memcmp(s->text + at, forms[i], n) != 0)
			continue;
		size_t digits = digits_at(s, at + n);
		bool route = n == 3; /* RR 2 Box 118; an RR of 18 is a patient's breathing */
		if (route && !(left(s, at) > n + digits + 5 && memcmp(s->text + at + n + digits, " Box ", 5) == 0))
			return 0;
		if (digits >= 1 && digits <= 6)
			return at + n + digits +
			       (is_upper(byte_at(s, at + n + digits)) && !word_byte(byte_at(s, at + n + digits + 1)));
	}
	return 0;
}

static size_t tail(const struct scan *s, size_t end)
{
	bool number = true; /* behind one, words may follow without a comma */
	for (int i = 0; i < TAIL_PARTS_MAX; i++) {
		bool comma, line;
		size_t at = skip_break(s, end, &comma, &line), next;
		if (at == end || at >= s->size)
			break;
		if ((next = unit_at(s, at)) || (next = match_zip(s, at)) || (next = box_number(s, at))) {
			number = true;
		} else {
			bool may = comma || line || number || is_state(s, at, prose_word_end(s, at));
			if (!may || !(next = tail_words(s, at, line)))
				break;
			number = false;
		}
		end = next;
	}
	return end;
}

/* ---- whole addresses ---- */

struct street {
	size_t end;
	bool known, named; /* a word for streets in it; any word that is no ordinary one */
};

static struct street street_words(const struct scan *s, size_t at)
{
	static const char *const small[] = {"de", "la", "del", "della", "di", "da", "do", "dos", "das", "des", "du",
	    "van", "von", "der", "den", "al", "le", "ul", "u", "y", "e", "na", "nad", NULL};
	struct street r = {0};
	size_t end = at;
	for (int words = 0; words < STREET_WORDS_MAX; words++) {
		size_t from = words ? skip_spaces(s, end) : at;
		if (words && from == end)
			break;
		size_t stop = prose_word_end(s, from);
		bool capital = capital_at(s, from), street = stop > from && is_street(s, from, stop);
		if (stop == from || unit_at(s, from) || !(capital || street || is_any(s, from, stop, small)))
			break;
		unsigned lex = lexicon_find(s->text + from, stop - from);
		r.known |= street && (words > 0 || stop - from > 2);
		bool acronym = stop - from <= 4 && is_upper(byte_at(s, from + 1)) && is_upper(s->text[stop - 1]);
		r.named |= capital && !acronym && !(lex & (LEX_PLAIN | LEX_MEDICAL));
		end = stop + (byte_at(s, stop) == '.');
		r.end = end;
	}
	return r;
}

/* "4880 Betburweg 74 Suite 967, Lascano, Uruguay 80694" from its number on; the end, or 0. */
size_t match_address(const struct scan *s, size_t at)
{
	size_t end = house_number(s, at);
	if (!end || byte_at(s, end) != ' ')
		return 0;
	size_t next = skip_spaces(s, end), second = house_number(s, next);
	if (second && byte_at(s, second) == ' ')
		next = skip_spaces(s, second); /* 846 31 Rue … */
	size_t box = box_number(s, next);
	if (box)
		return tail(s, box);
	struct street street = street_words(s, next);
	if (!street.end)
		return 0;
	end = street.end;
	size_t number = house_number(s, skip_spaces(s, end));
	bool sure = street.known;
	if (number && (street.named || street.known)) {
		end = number;
		sure = true;
	} else if (street.known) {
		end = street.end - (s->text[street.end - 1] == '.' && !capital_at(s, skip_spaces(s, street.end)));
	}
	size_t unit = unit_at(s, skip_spaces(s, end + (byte_at(s, end) == ',')));
	if (unit) {
		end = unit;
		sure |= street.named;
	}
	return sure ? tail(s, end) : 0;
}

/* A run of capitalised words [start, end) that a house number follows: the address's end, or 0. */
size_t address_after(const struct scan *s, size_t start, size_t end)
{
	size_t next = skip_spaces(s, end), number = house_number(s, next);
	if (next == end || !number || number - next > 5)
		return 0;
	struct street street = street_words(s, start);
	uint8_t b = byte_at(s, number);
	bool year =
	    number - next == 4 && (memcmp(s->text + next, "19", 2) == 0 || memcmp(s->text + next, "20", 2) == 0);
	bool closes = !b || strchr(",.;\n\r", b) || unit_at(s, skip_spaces(s, number));
	if (!street.known && (year || !closes || (number - next == 1 && prose_word_end(s, start) >= end)))
		return 0;
	size_t all = tail(s, number), after = skip_spaces(s, all);
	bool values = !street.known && after > all && is_digit(byte_at(s, after)); /* "Maddrey 41, Lille 0.3" */
	return values ? 0 : all;
}

/* "Via Garibaldi 14, 20121 Milano": a run [start, end) with a street's word in it and the house number behind it. */
size_t match_street_first(const struct scan *s, size_t start, size_t end)
{
	size_t next = skip_spaces(s, end + (byte_at(s, end) == ','));
	if (next == end || !is_digit(byte_at(s, next)))
		return 0;
	size_t number = house_number(s, next);
	struct street street = number && number - next <= 5 ? street_words(s, start) : (struct street){0};
	bool known = street.known || lexicon_exact(recent_hash(s, 1)) & LEX_TO_STREET;
	return known && street.named && street.end >= end ? tail(s, number) : 0;
}

/* A post office box with what follows it: "PSC 0413, Box 8144\nAPO AA 42323", or 0. */
size_t match_box(const struct scan *s, size_t at)
{
	size_t end = box_number(s, at);
	if (!end && !is_upper(byte_at(s, at + 1)) && strchr("ASF", byte_at(s, at)) && byte_at(s, at)) { /* Apt. 675 */
		static const char *const units[] = {"apt", "apartment", "suite", "ste", "flat", NULL};
		end = is_any(s, at, prose_word_end(s, at), units) ? unit_at(s, at) : 0;
	}
	if (!end)
		return 0;
	size_t street = byte_at(s, end) == ',' ? match_address(s, skip_spaces(s, end + 1)) : 0;
	return street ? street : tail(s, end);
}

/* "75008 Paris": the end, or 0. */
size_t match_coded_town(const struct scan *s, size_t at)
{
	size_t n = digits_at(s, at);
	return n >= 4 && n <= 5 && byte_at(s, at + n) == ' ' ? town_end(s, skip_spaces(s, at + n)) : 0;
}
