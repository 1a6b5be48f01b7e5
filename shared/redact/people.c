/* Persons behind a title or a label.  What no label announces is prose.c's. */
#include "shared/redact/scan.h"

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
