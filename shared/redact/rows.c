/* What databases say of the rows that they could not take: PostgreSQL writes whole rows, keys, parameters and
 * statements into its log as it is shipped ("Failing row contains (17, Mary Miller, …)"), MariaDB the key.  Nobody
 * needs the values to see what went wrong, and no label tells what they are: they go. */
#include "shared/redact/scan.h"

/* Behind the phrase in [at, end); 0: it is not there. */
static size_t behind(const struct scan *s, size_t at, size_t end, const char *phrase)
{
	size_t n = strlen(phrase);
	const uint8_t *found = end > at ? memmem(s->text + at, end - at, phrase, n) : NULL;
	return found ? (size_t)(found - s->text) + n : 0;
}

static size_t last_of(const struct scan *s, size_t at, size_t end, uint8_t b)
{
	const uint8_t *found = end > at ? memrchr(s->text + at, b, end - at) : NULL;
	return found ? (size_t)(found - s->text) : end;
}

static void take(struct scan *s, size_t start, size_t end)
{
	size_t done = placeholder_at(s, start);
	if (s->doubts)
		s->doubts->over = true;
	if (end > start && (!done || start + done != end) && !s->full)
		scan_add(s, (struct redact_span){start, end, REDACT_ID});
}

/* The end of a literal whose quote opened before `at`; two quotes are one of its own. */
static size_t literal_end(const struct scan *s, size_t at, size_t end)
{
	while (at < end && (s->text[at] != '\'' || (at + 1 < end && s->text[at + 1] == '\'')))
		at += s->text[at] == '\'' ? 2 : 1;
	return at < end ? at : end;
}

static void take_literals(struct scan *s, size_t at, size_t end)
{
	while ((at = behind(s, at, end, "'")) && at < end) {
		size_t stop = literal_end(s, at, end);
		take(s, at, stop);
		at = stop + 1;
	}
}

static void look_at_line(struct scan *s, size_t at, size_t end)
{
	static const char *const statements[] = {
	    "STATEMENT:  ", "statement: ", "execute <", " parameters: $", "parameter $"};
	size_t start = behind(s, at, end, "Failing row contains (");
	if (start)
		take(s, start, last_of(s, start, end, ')'));
	start = behind(s, at, end, "Key (");
	if (start && (start = behind(s, start, end, ")=(")))
		take(s, start, last_of(s, start, end, ')'));
	start = behind(s, at, end, "Duplicate entry '");
	if (start) {
		size_t key = behind(s, start, end, "' for key ");
		take(s, start, key ? key - strlen("' for key ") : literal_end(s, start, end));
	}
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
		if ((start = behind(s, at, end, statements[i]))) {
			take_literals(s, start, end);
			break;
		}
}

void scan_rows(struct scan *s)
{
	for (size_t at = 0, end; at < s->size && !s->full; at = end + 1) {
		const uint8_t *newline = memchr(s->text + at, '\n', s->size - at);
		end = newline ? (size_t)(newline - s->text) : s->size;
		look_at_line(s, at, end);
	}
}
