/* What databases say of the rows that they could not take: PostgreSQL writes whole rows, keys, parameters and
 * statements into its log as it is shipped ("Failing row contains (17, Mary Miller, …)"), MariaDB the key.  Nobody
 * needs the values to see what went wrong, and no label tells what they are: they go.  An entry of PostgreSQL may go on
 * over lines, which begin with a tab then (its log_destination stderr). */
#include "shared/redact/scan.h"

enum { NAME_MOST = 64 }; /* bytes of a prepared statement's name: NAMEDATALEN */

static size_t find(const struct scan *s, size_t at, size_t end, uint8_t b) /* end: there is none */
{
	const uint8_t *found = at < end ? memchr(s->text + at, b, end - at) : NULL;
	return found ? (size_t)(found - s->text) : end;
}

static size_t find_last(const struct scan *s, size_t at, size_t end, uint8_t b)
{
	const uint8_t *found = at < end ? memrchr(s->text + at, b, end - at) : NULL;
	return found ? (size_t)(found - s->text) : end;
}

/* Does the word end at `end`, and begin at `least` or later? */
static inline bool before(const struct scan *s, size_t least, size_t end, const char *word)
{
	size_t n = strlen(word);
	return end - least >= n && memcmp(s->text + end - n, word, n) == 0;
}

static bool stands(const struct scan *s, size_t at, size_t end, const char *word)
{
	size_t n = strlen(word);
	return end > at && end - at >= n && memcmp(s->text + at, word, n) == 0;
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
	while ((at = find(s, at, end, '\'')) + 1 < end && s->text[at + 1] == '\'')
		at += 2;
	return at < end ? at : end;
}

/* From within one, or from before the first one; true: the last one is open yet at the end. */
static bool take_literals(struct scan *s, size_t at, size_t end, bool inside)
{
	for (;; inside = true) {
		size_t start = inside ? at : find(s, at, end, '\'') + 1, stop;
		if (start > end)
			return false;
		stop = literal_end(s, start, end);
		take(s, start, stop);
		if (stop == end)
			return true;
		at = stop + 1;
		if ((at = find(s, at, end, '\'') + 1) > end)
			return false;
	}
}

/* Behind the "execute" of "execute find_one: "; 0: it is another word. */
static size_t execute_end(const struct scan *s, size_t least, size_t colon)
{
	size_t from = colon - least > NAME_MOST ? colon - NAME_MOST : least, blank = find_last(s, from, colon, ' ');
	return blank < colon && before(s, least, blank, "execute") ? blank : 0;
}

/* Behind the words before a statement, or values by number, of which there is a colon at `colon`; 0: it is none.
 * *ret_whole: in the form that PostgreSQL writes, so that it may go on in the next line. */
static size_t behind_colon(const struct scan *s, size_t least, size_t colon, size_t end, bool *ret_whole)
{
	uint8_t last = colon > least ? s->text[colon - 1] : 0, next = colon + 2 < end ? s->text[colon + 2] : 0;
	size_t execute;
	*ret_whole = true;
	if (last == 'T' && stands(s, colon, end, ":  SQL statement \"") && before(s, least, colon, "CONTEXT"))
		return colon + 3;
	if (next == ' ' && ((last == 'T' && before(s, least, colon, "STATEMENT")) ||
			       (last == 'Y' && before(s, least, colon, "QUERY"))))
		return colon + 3;
	if (last == 's' && next == '$' && before(s, least, colon, "arameters"))
		return colon + 2;
	if (last == 't' && before(s, least, colon, "statement"))
		*ret_whole = before(s, least, colon, "  statement");
	else if ((execute = execute_end(s, least, colon)))
		*ret_whole = before(s, least, execute, "  execute");
	else
		return 0;
	return colon + 2;
}

/* Where a statement or values by number begin; 0: none do. */
static size_t statement_in(const struct scan *s, size_t at, size_t end, bool *ret_whole)
{
	size_t found;
	for (size_t colon = find(s, at, end, ':'); colon + 1 < end; colon = find(s, colon + 1, end, ':'))
		if (s->text[colon + 1] == ' ' && (found = behind_colon(s, at, colon, end, ret_whole)))
			return found;
	*ret_whole = false;
	for (size_t mark = find(s, at, end, '$'); mark < end; mark = find(s, mark + 1, end, '$'))
		if (before(s, at, mark, "parameter "))
			return mark + 1;
	return 0;
}

/* A row ends with ")." or where its line does, or in another line: then `end`. */
static size_t row_end(const struct scan *s, size_t start, size_t end)
{
	if (end > start && s->text[end - 1] == ')')
		return end - 1;
	for (size_t at = end, last; (last = find_last(s, start, at, ')')) < at; at = last)
		if (byte_at(s, last + 1) == '.')
			return last;
	return end;
}

/* true: the row goes on in the next line. */
static bool take_row(struct scan *s, size_t start, size_t end)
{
	size_t last = row_end(s, start, end);
	take(s, start, last);
	return last == end;
}

/* true: likewise. */
static bool take_groups(struct scan *s, size_t at, size_t end)
{
	bool open = false, row = false, key = false;
	for (size_t group = find(s, at, end, '('); group < end; group = find(s, group + 1, end, '(')) {
		if (!row && before(s, at, group, "Failing row contains ")) {
			row = true;
			open |= take_row(s, group + 1, end);
		} else if (!key && before(s, at, group, "Key ")) {
			const uint8_t *value = memmem(s->text + group, end - group, ")=(", 3);
			size_t start = value ? (size_t)(value - s->text) + 3 : end;
			key = true;
			take(s, start, find_last(s, start, end, ')'));
		}
	}
	return open;
}

static void take_duplicate(struct scan *s, size_t at, size_t end)
{
	static const char behind_it[] = "' for key ";
	for (size_t quote = find(s, at, end, '\''); quote < end; quote = find(s, quote + 1, end, '\'')) {
		if (!before(s, at, quote, "Duplicate entry "))
			continue;
		size_t start = quote + 1;
		const uint8_t *key = memmem(s->text + start, end - start, behind_it, sizeof behind_it - 1);
		take(s, start, key ? (size_t)(key - s->text) : literal_end(s, start, end));
		return;
	}
}

static enum redact_entry look_at_line(struct scan *s, size_t at, size_t end)
{
	bool whole, row = take_groups(s, at, end);
	take_duplicate(s, at, end);
	size_t start = statement_in(s, at, end, &whole);
	bool literal = start && take_literals(s, start, end, false);
	return row       ? REDACT_ENTRY_ROW
	       : !whole  ? REDACT_ENTRY_NONE
	       : literal ? REDACT_ENTRY_LITERAL
			 : REDACT_ENTRY_STATEMENT;
}

static enum redact_entry go_on(struct scan *s, enum redact_entry entry, size_t at, size_t end)
{
	if (entry == REDACT_ENTRY_ROW)
		return take_row(s, at, end) ? entry : REDACT_ENTRY_NONE;
	return take_literals(s, at, end, entry == REDACT_ENTRY_LITERAL) ? REDACT_ENTRY_LITERAL : REDACT_ENTRY_STATEMENT;
}

void scan_rows(struct scan *s)
{
	enum redact_entry entry = s->stream ? s->stream->entry : REDACT_ENTRY_NONE;
	for (size_t at = 0, end; at < s->size && !s->full; at = end + 1) {
		end = find(s, at, s->size, '\n');
		bool further = entry && s->text[at] == '\t';
		entry = further ? go_on(s, entry, at + 1, end) : look_at_line(s, at, end);
	}
	if (s->stream)
		s->stream->entry = s->size ? entry : REDACT_ENTRY_NONE;
}
