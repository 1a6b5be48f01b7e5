/* shared/redact/redact.h: takes identifiers and secrets out of text before it leaves a host.
 *
 * Owns the rules.  Pure: no clock, file or lock; any thread.  One pass over the bytes, linear time, no allocation but
 * the output's; every look around is bounded (REDACT_LOOK_MAX).  Bytes that are not UTF-8 pass through as they are and
 * never stop the scan. Idempotent: placeholders such as [EMAIL] are left alone, so redacting twice gives the same text.
 *
 * Parts in the form of addresses of pages ("mary%40clinic.org", "?q=a+b") or of escapes ("\u0040") are judged by what
 * they mean, too: encoded.c. Rows, keys, parameters and statements that a database writes into its log lose their
 * values, over all lines of an entry where there is a stream: rows.c.  In log mode segments of HL7 lose their fields
 * with persons: segments.c.
 *
 * Clinical mode knows what is an ordinary word and what a medical term (shared/redact/lexicon.h), and takes other
 * capitalised words for names; a lone one that is in no list stays where the text speaks of medicine and holds no other
 * identifier, for then it is rather a drug or a method. Ages below 90, years alone and states of health stay.
 *
 * When in doubt about a secret it is removed; when in doubt about an ordinary word it stays (diagnosis needs the line).
 */
#ifndef KEDGE_SHARED_REDACT_REDACT_H
#define KEDGE_SHARED_REDACT_REDACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/buf.h"

enum {
	REDACT_LOOK_MAX =
	    256, /* how far a rule looks for the end of a label's value: names and addresses are shorter */
	REDACT_SPANS_MAX =
	    4096,             /* of one text; past it the rest of the text is one span: fail closed, memory bounded */
	REDACT_WORD_MAX = 24, /* longest label or title in the tables */
};

/* X(NAME, placeholder) */
#define REDACT_TYPES(X)                                                                                                \
	X(NAME, "[NAME]") /* a person */                                                                               \
	X(EMAIL, "[EMAIL]")                                                                                            \
	X(PHONE, "[PHONE]")                                                                                            \
	X(SSN, "[SSN]")         /* national identity and tax numbers too */                                            \
	X(MRN, "[MRN]")         /* medical record number */                                                            \
	X(ID, "[ID]")           /* account, member, policy, licence, passport, device and other labelled numbers */    \
	X(DATE, "[DATE]")       /* of birth in any mode, any date in clinical mode */                                  \
	X(AGE, "[AGE]")         /* 90 and above (45 CFR 164.514) */                                                    \
	X(ADDRESS, "[ADDRESS]") /* street, postal code */                                                              \
	X(PLACE, "[PLACE]")     /* clinical mode: institutions, towns after a preposition */                           \
	X(IP, "[IP]")                                                                                                  \
	X(MAC, "[MAC]")                                                                                                \
	X(URL, "[URL]")         /* clinical mode: whole addresses of pages */                                          \
	X(CARD, "[CARD]")       /* Luhn-valid payment card */                                                          \
	X(ACCOUNT, "[ACCOUNT]") /* IBAN, wallet, bank account */                                                       \
	X(PASSWORD, "[PASSWORD]")                                                                                      \
	X(SECRET, "[SECRET]") /* token, key, JWT, PEM block, high-entropy string */                                    \
	X(USER, "[USER]")     /* a login name after its label (option) */

enum redact_type {
#define X(NAME, placeholder) REDACT_##NAME,
	REDACT_TYPES(X)
#undef X
	    REDACT_TYPE_COUNT
};

enum redact_mode {
	REDACT_LOG, /* lines of programs: labelled identifiers and secrets; plain dates, times and host names stay */
	REDACT_CLINICAL, /* prose about people: every date, place, institution and unlabelled name that can be told too
			  */
};
enum redact_ips {
	REDACT_IPS_DEFAULT, /* log mode: keep all (they name machines); clinical mode: remove all */
	REDACT_IPS_KEEP,
	REDACT_IPS_PUBLIC, /* remove those outside loopback, link-local, private, unique-local and documentation ranges
			    */
	REDACT_IPS_ALL,    /* loopback stays all the same */
};
struct redact_options {
	enum redact_mode mode;
	enum redact_ips ips;
	bool users; /* remove login names after "user=" and its like */
};

/* An entry of a database that may go on in the next line: rows.c. */
enum redact_entry { REDACT_ENTRY_NONE, REDACT_ENTRY_STATEMENT, REDACT_ENTRY_LITERAL, REDACT_ENTRY_ROW };

/* What has to be remembered from line to line of one stream; zero at its start. */
struct redact_stream {
	bool in_pem;             /* between BEGIN and END of a key */
	bool firm;               /* clinical: identifiers were found, so that doubtful words are likelier names */
	enum redact_entry entry; /* and where in it the line before ended */
	uint32_t pem_lines;      /* bounded: a BEGIN without its END must not eat the log */
};

struct redact_span {
	size_t start, end; /* bytes, half open */
	enum redact_type type;
};

const char *redact_type_name(enum redact_type type);   /* "email" */
const char *redact_placeholder(enum redact_type type); /* "[EMAIL]" */

/* Finds what must go, in order, not overlapping.  Returns how many of at most max (<= REDACT_SPANS_MAX is enough; >= 1)
 * were written; when they would be more, the last one reaches to the end.  stream may be NULL. */
size_t redact_find(const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size,
    struct redact_span *spans, size_t max);
/* Appends text with placeholders to out (out->failed as ever).  Returns how many spans were replaced. */
size_t redact_text(
    const struct redact_options *o, struct redact_stream *stream, const char *text, size_t size, struct buf *out);

#endif
