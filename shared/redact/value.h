/* shared/redact/value.h: values behind labels.  Private to shared/redact; pure.
 *
 * labels.c asks where the value of a label is (value.c) and takes it by what the label says: label_secrets.c passwords
 * and keys, label_names.c persons, labels.c itself numbers, dates, addresses and logins. */
#ifndef KEDGE_SHARED_REDACT_VALUE_H
#define KEDGE_SHARED_REDACT_VALUE_H

#include "shared/redact/lexicon.h"

struct value {
	size_t start, end; /* end is only set for quoted ones */
	uint8_t separator; /* '=', ':', '>', '#', '|', or 0 */
	bool quoted, quoted_key, linked, option, in_array;
};

/* false: none stands there. */
bool find_value(const struct scan *s, struct chunk c, struct value *ret);
/* "password for the lab share is …": where the value begins, or 0. */
size_t phrase_value(const struct scan *s, size_t at);
/* A quote, with the backslashes that nesting put before it; the length, or 0. */
size_t quote_at(const struct scan *s, size_t at);
/* Of a quoted value that begins at `at` behind such a quote; the text's or line's end if it is not closed. */
size_t quoted_end(const struct scan *s, size_t at, size_t quote_size);
size_t unquoted_end(const struct scan *s, size_t at);
/* "****", "${VAR}", "<none>": nothing stands there that could be taken out. */
bool is_blank(const struct scan *s, size_t start, size_t end);
/* In [start, end), or in the token at `start` when end is 0. */
bool digit_in(const struct scan *s, size_t start, size_t end);
/* What else is in the array whose first string, which ends at `end`, was emitted; where the walk goes on. */
size_t take_array(struct scan *s, struct value v, size_t end, enum redact_type type);

/* As rules do: where the walk goes on, or 0. */
size_t take_secret(struct scan *s, struct chunk c, struct value v, unsigned kinds);
size_t take_scheme(struct scan *s, struct chunk c); /* Bearer eyJ… without a label before it */
size_t take_name(struct scan *s, struct chunk c, struct value v, unsigned kinds);
/* "?name=Mary+Miller": in a query even a label that programs use for other things, too, is one before a known name. */
size_t take_query_name(struct scan *s, struct chunk c);

#endif
