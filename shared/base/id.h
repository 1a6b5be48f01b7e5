/* shared/base/id.h: 128-bit identities that sort by time (the layout of UUID version 7, RFC 9562 §5.7).
 *
 * Text form: a type prefix, a hyphen and 26 characters of lower-case Crockford base32 ("snap-01jd…"), so that an id of
 * one kind cannot be passed where another is wanted.  Byte order equals text order equals time order. */
#ifndef KEDGE_SHARED_BASE_ID_H
#define KEDGE_SHARED_BASE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/err.h"
#include "shared/base/random.h"

struct id {
	uint8_t b[16];
};

/* X(NAME, prefix): the kinds of thing that have an id. */
#define ID_KINDS(X)                                                                                                    \
	X(HOST, "host")                                                                                                \
	X(SNAPSHOT, "snap")                                                                                            \
	X(INCIDENT, "inc")                                                                                             \
	X(CHANGE, "chg")                                                                                               \
	X(ROLLBACK, "rb")                                                                                              \
	X(ORDER, "ord")                                                                                                \
	X(DIAGNOSIS, "diag")                                                                                           \
	X(EVENT, "ev")                                                                                                 \
	X(NOTIFICATION, "note")                                                                                        \
	X(REQUEST, "req")                                                                                              \
	X(BOOT, "boot")                                                                                                \
	X(POLICY, "pol")                                                                                               \
	X(PLAN, "plan")                                                                                                \
	X(ENROLMENT, "enr")                                                                                            \
	X(RUN, "run")                                                                                                  \
	X(PATTERN, "pat")

enum id_kind {
#define X(NAME, prefix) ID_##NAME,
	ID_KINDS(X)
#undef X
	    ID_KIND_COUNT
};

enum { ID_TEXT_MAX = 40 }; /* prefix, hyphen, 26 characters, NUL, and room */

/* now_ms (unix) goes into the upper 48 bits, the rest is random but for the version and variant bits. */
struct id id_new(uint64_t now_ms, struct random *random);
bool id_is_zero(struct id id);
bool id_equal(struct id a, struct id b);
int id_compare(struct id a, struct id b); /* <0, 0, >0, as memcmp */
uint64_t id_time_ms(struct id id);
const char *id_kind_prefix(enum id_kind kind);

/* Writes at most ID_TEXT_MAX bytes with NUL, returns out. */
char *id_format(enum id_kind kind, struct id id, char out[ID_TEXT_MAX]);
/* ERR_INVALID names the kind that was wanted and what was given. */
ERR_CHECK enum err_code id_parse(enum id_kind kind, const char *text, struct id *ret, struct err *reterr);

/* For logs: up to four ids can be formatted in one expression (a small rotating thread-local store). */
const char *id_text(enum id_kind kind, struct id id);

#endif
