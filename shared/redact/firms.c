/* Institutions, streets and towns that are told by what stands before or behind their words. */
#include "shared/redact/run.h"

/* Nothing else stands on its line. */
static bool is_line(const struct scan *s, size_t start, size_t end)
{
	return (start == 0 || s->text[start - 1] == '\n') && end < s->size &&
	       (s->text[end] == '\n' || s->text[end] == '\r');
}

/* "at Mercy General", "by Blue Ridge Mutual": words of a firm's, behind a word that somebody goes or answers by. */
size_t names_firm(const struct scan *s, const struct run *r, size_t count, bool opens)
{
	static const char *const places[] = {"General", "Presbyterian", "Mercy", "Memorial", "Methodist", "Mutual",
	    "Imaging", "Radiology", "Surgery", "Chiropractic", "Optometry", "Apothecary", "Chemist", "Chemists", "Drug",
	    "Drugs", "Hospice", "Manor", "Lodge", "Gardens", "Medical", "Practice", "Logistics", "Elementary",
	    "Academy", "Hall", "House", "Wellness", "Physicians", "Associates", "Foods", "Farms", "Industries", "Steel",
	    "Motors", "Electric", "Children", "Women", NULL};
	while (count > 2 && r->p[count - 1].caps && r->p[count - 1].end - r->p[count - 1].start <= 3)
		count--; /* "Mercy General ED" */
	const struct piece *last = &r->p[count - 1];
	if (count < 2 || r->p[0].caps || r->p[0].base & (WORD_LABELS | WORD_MONTH) ||
	    !text_is_any(s, last->start, last->end, places))
		return 0;
	for (size_t i = 0; i + 1 < count; i++)
		if (r->p[i].lex & LEX_MEDICAL && !(r->p[i].lex & LEX_NAMES))
			return 0; /* at Cardiac Imaging */
	if (is_line(s, r->p[0].start, last->end))
		return count;
	return leads_to(s, 1, opens ? LEX_TO_FIRM : LEX_TO_HOUSE | LEX_TO_FIRM | LEX_TO_PLACE) ? count : 0;
}

/* "on Halsted Street": no number, and yet where somebody was. */
bool names_street(const struct scan *s, const struct run *r, size_t count)
{
	static const char *const before[] = {"on", "at", "near", "along", "off", "of", NULL};
	const struct recent *w = &s->words[1];
	const struct piece *last = &r->p[count - 1];
	return count >= 2 && last->base & WORD_STREET && last->end - last->start >= 4 && !last->caps &&
	       !r->p[0].joiner && w->letters && w->letters <= 5 && w->end >= w->letters &&
	       text_is_any(s, w->end - w->letters, w->end, before);
}

/* ", KY" behind a run: a state, where it cannot be a degree or a word. */
bool state_behind(const struct scan *s, size_t end)
{
	static const char states[] =
	    " AK AZ CA CO CT FL GA IA IL KS KY MI MN MO MT NC ND NE NH NJ NM NV NY OH RI SC SD TN TX "
	    "UT VA VT WA WI WV WY ON QC BC AB NSW VIC QLD ";
	size_t at = end + 2, n = 0;
	char code[6] = " ";
	if (byte_at(s, end) != ',' || byte_at(s, end + 1) != ' ')
		return false;
	for (; n < 3 && is_upper(byte_at(s, at + n)); n++)
		code[n + 1] = (char)s->text[at + n];
	code[n + 1] = ' ';
	return n >= 2 && !word_byte(byte_at(s, at + n)) && strstr(states, code);
}
