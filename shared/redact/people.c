/* Persons behind a title or a label.  What no label announces is prose.c's. */
#include "shared/redact/lexicon.h"

enum {
	TITLE_WORDS_MAX = 4,
};

static size_t word_end(const struct scan *s, size_t at)
{
	return prose_word_end(s, at);
}

bool capitalised(const struct scan *s, size_t start, size_t end)
{
	return end > start && capital_at(s, start);
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
		if (at == stop || at - stop > 2) /* more blanks divide columns */
			break;
	}
	return end;
}

/* "氏名:佐藤花子", "姓名：王秀英", "성명: 김민수": from such a label's end on; the name's end, and where it begins, or
 * 0. */
size_t match_eastern_label(const struct scan *s, struct chunk c, size_t *ret_start)
{
	static const char *const labels[] = {"\xe6\xb0\x8f\xe5\x90\x8d", "\xe5\xa7\x93\xe5\x90\x8d",
	    "\xe5\x90\x8d\xe5\x89\x8d", "\xe6\x82\xa3\xe8\x80\x85", "\xec\x84\xb1\xeb\xaa\x85",
	    "\xec\x9d\xb4\xeb\xa6\x84", "\xed\x99\x98\xec\x9e\x90"};
	static const char wide_colon[] = "\xef\xbc\x9a";
	enum { LETTER = 3, NAME_MOST = 8 * LETTER };
	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		const uint8_t *found = memmem(s->text + c.start, c.end - c.start, labels[i], 2 * LETTER);
		if (!found)
			continue;
		size_t at = (size_t)(found - s->text) + 2 * LETTER, colon = 0;
		if (byte_at(s, at) == ':')
			colon = 1;
		else if (left(s, at) > LETTER && memcmp(s->text + at, wide_colon, LETTER) == 0)
			colon = LETTER;
		*ret_start = skip_spaces(s, at + colon);
		size_t end = *ret_start;
		while (end - *ret_start < NAME_MOST && byte_at(s, end) >= 0xe3 && byte_at(s, end) <= 0xed &&
		       left(s, end) >= LETTER)
			end += LETTER;
		if (colon && end - *ret_start >= 2 * LETTER)
			return end;
	}
	return 0;
}

/* A name in Han or Kana [at, stop) before an honorific, with or without a blank between them; the name's end, or 0. */
size_t match_honoured(const struct scan *s, size_t at, size_t stop)
{
	static const char *const honorifics[] = {"\xe6\xa7\x98" /* -sama */, "\xe3\x81\x95\xe3\x82\x93" /* -san */,
	    "\xe6\xae\xbf" /* -dono */, "\xe6\xb0\x8f" /* -shi */, "\xe5\x85\x88\xe7\x94\x9f" /* -sensei */,
	    "\xe5\x85\x88\xe7\x94\x9f" /* xiansheng */, "\xe5\xa5\xb3\xe5\xa3\xab" /* nushi */};
	enum { SHI = 3 /* of them */, LETTER = 3, NAME_MOST = 8 * LETTER };
	for (size_t end = at; end <= stop && end - at <= NAME_MOST; end += LETTER) {
		size_t mark = skip_spaces(s, end);
		for (size_t i = 0; end > at && i < sizeof honorifics / sizeof honorifics[0]; i++)
			if (left(s, mark) >= strlen(honorifics[i]) &&
			    memcmp(s->text + mark, honorifics[i], strlen(honorifics[i])) == 0 &&
			    !(i == SHI && left(s, mark) > 2 * LETTER &&
				memcmp(s->text + mark + LETTER, "\xe5\x90\x8d", LETTER) ==
				    0)) /* "shimei" is a name's label */
				return end;
		uint8_t b = byte_at(s, end);
		if (b < 0xe3 || b > 0xe9)
			return 0;
	}
	return 0;
}

/* "dr. rosen": what is no ordinary word; the end, or 0. */
static size_t small_name(const struct scan *s, size_t at)
{
	size_t end = prose_word_end(s, at);
	unsigned lex = lexicon_find(s->text + at, end - at);
	bool ordinary = lex & (LEX_PLAIN | LEX_MEDICAL) ||
			word_kinds_of(s->text + at, end - at) & ~(unsigned)(WORD_GIVEN | WORD_FAMILY);
	if (end - at < 3 || !is_lower(byte_at(s, at)) || ordinary)
		return 0;
	size_t next = skip_spaces(s, end), stop = prose_word_end(s, next); /* "mr abdi warsame" */
	bool second = s->small && next == end + 1 && stop - next >= 4 && is_lower(byte_at(s, next)) &&
		      !lexicon_find(s->text + next, stop - next) && !word_kinds_of(s->text + next, stop - next);
	return second ? stop : end;
}

/* "de", "van der" that lead a name. */
static size_t particles_end(const struct scan *s, size_t at)
{
	for (int i = 0; i < 3; i++) {
		size_t end = word_end(s, at), next = skip_spaces(s, end);
		if (!is_particle(s, at, end) || next == end)
			break;
		at = next;
	}
	return at;
}

/* "Dr. Smith", "Mrs Jones": the title itself tells nothing, and stays where lines are read for diagnosis. */
size_t rule_title(struct scan *s, struct chunk c)
{
	if (!is_upper(s->text[c.start]) && !clinical(s))
		return 0;
	if (c.start > 1 && s->text[c.start - 1] == ' ' && c.letters == 2 && s->text[c.start + 1] == 's' &&
	    is_digit(s->text[c.start - 2]))
		return 0; /* "470 ms. Otherwise" */
	size_t at = c.end + (byte_at(s, c.end) == '.');
	size_t name = skip_spaces(s, at);
	if (name == at && byte_at(s, c.end) != '.')
		return 0;
	size_t end = match_name(s, particles_end(s, name), TITLE_WORDS_MAX);
	if (!end && clinical(s) && name > at)
		end = small_name(s, name);
	if (!end || (end - name == 1 && !clinical(s)))
		return 0;
	if (kinds_at(s, name, word_end(s, name)) & (WORD_COMMON | WORD_NO_VALUE) && word_end(s, name) == end)
		return 0;
	return emit(s, clinical(s) ? c.start : name, end, REDACT_NAME);
}
