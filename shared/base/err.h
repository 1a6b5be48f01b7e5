/* shared/base/err.h: how an error travels.
 *
 * Functions that can fail return an enum err_code and take a struct err as their last parameter.
 * The code is for programs, the message for people.  A struct err lives on the caller's stack, is written
 * only on failure, and never allocates.  Messages are always valid UTF-8: other bytes become '?'.  An expected
 * outcome (missing, refused by a rule, not yet) is a result enum of its own, not an error.  An error is logged
 * once, where it stops travelling.
 *
 * Any thread.  Passing NULL for reterr is allowed everywhere: the message is then dropped. */
#ifndef KEDGE_SHARED_BASE_ERR_H
#define KEDGE_SHARED_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define ERR_CODES(X)                                                                                                   \
	X(OK, "ok")                                                                                                    \
	X(INVALID, "invalid")         /* the input breaks a rule that its sender could know */                         \
	X(NOMEM, "no-memory")         /* an allocation failed or an arena's limit is reached */                        \
	X(IO, "io")                   /* the kernel said no; sys_errno tells which no */                               \
	X(NOT_FOUND, "not-found")     /* a named thing is not there */                                                 \
	X(EXISTS, "exists")           /* a thing of that name is already there */                                      \
	X(STATE, "state")             /* out of turn: the object is not in a state that allows this */                 \
	X(LIMIT, "limit")             /* a named limit would be exceeded */                                            \
	X(CORRUPT, "corrupt")         /* stored bytes are not what was stored */                                       \
	X(DENIED, "denied")           /* identity, policy or approval does not allow it */                             \
	X(TIMEOUT, "timeout")         /* a deadline passed */                                                          \
	X(UNREACHABLE, "unreachable") /* the peer cannot be reached */                                                 \
	X(FULL, "full")               /* disk, map, queue or spool has no room */                                      \
	X(CANCELLED, "cancelled")     /* somebody with the right to do so stopped it */                                \
	X(BUSY, "busy")               /* another holder has it; later may work */                                      \
	X(UNSUPPORTED, "unsupported") /* a version, kind or capability that is not known here */                       \
	X(INTERNAL, "internal")       /* a library broke its contract */

enum err_code {
#define X(NAME, text) ERR_##NAME,
	ERR_CODES(X)
#undef X
	    ERR_CODE_COUNT
};

enum { ERR_MSG_MAX = 512 };

struct err {
	enum err_code code;
	int sys_errno; /* 0 when the kernel had no part in it */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT  ((struct err){.code = ERR_OK})
#define ERR_CHECK __attribute__((warn_unused_result))

const char *err_code_name(enum err_code code); /* "not-found"; "unknown" outside the enum */

/* Fill *reterr and return code, so that a failing function ends with `return err_set(reterr, ERR_…, "…")`.
 * The message says what happened, to what; an operator's error also says what to do next. */
enum err_code err_set(struct err *reterr, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum err_code err_vset(struct err *reterr, enum err_code code, const char *fmt, va_list ap);

/* As err_set with the code that fits sys_errno (ENOENT: NOT_FOUND, ENOSPC and EDQUOT: FULL, EACCES and EPERM: DENIED,
 * ENOMEM: NOMEM, EEXIST: EXISTS, ETIMEDOUT: TIMEOUT, ECONNREFUSED and its kin: UNREACHABLE, else IO); ": strerror" is
 * added. */
enum err_code err_sys(struct err *reterr, int sys_errno, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before the message on its way up; returns the code unchanged.  ERR_OK: *reterr stays as it is. */
enum err_code err_prefix(struct err *reterr, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
