/* agent/rollback/progressive.h: a rollback that goes on until the service is well.
 *
 * Cheapest first, and never less than before, so that nothing is left half way:
 *   configuration alone, then configuration and code, to the restore point that was asked for;
 *   configuration and code to older restore points (search.h: a walk, or a bisection where there are many);
 *   only if none of those helps: data too, then everything that was allowed, again from the newest to older ones.
 * What would change nothing is not tried, and is known to be bad.  Each try is a whole rollback with a journal of its
 * own (rollback.h), judged by the same probes; the deep ones too when asked for.  Never tried: suspect and damaged
 * ones, safety nets, more than PROGRESSIVE_TRIES_MAX, and nothing at or beyond a schema barrier: a restore point that
 * was taken under another schema (its versions `database_schema`, `config_schema`, …) of a component that is not itself
 * put back.
 *
 * It ends on the newest restore point that is proven good (ORDER_OK, ORDER_OK_WITH_EXCEPTIONS), or back where it began
 * (ORDER_REVERTED; ORDER_REFUSED and ORDER_CANCELLED when nothing had been changed).  ORDER_FAILED_DIRTY: not even
 * that. A journal (<state>/rollback/<order>.search) is written before each try: an interrupted one goes on from there.
 */
#ifndef KEDGE_AGENT_ROLLBACK_PROGRESSIVE_H
#define KEDGE_AGENT_ROLLBACK_PROGRESSIVE_H

#include "agent/rollback/rollback.h"
#include "agent/rollback/search.h"

enum {
	PROGRESSIVE_TRIES_MAX = 16, /* ladders of four components and two bisections of five questions each */
};

/* As rollback_run(); r->snapshot: the newest restore point that may be gone to (zero: the newest there is that is no
 * safety net); r->run_limit_ms is for all of it.  Also goes on with one that was interrupted, and answers one that has
 * ended.  ret->snapshot is where it ended, ret->tries how often it was tried. */
ERR_CHECK enum err_code rollback_progressive(struct repo *repo, const char *state_directory,
    const struct rollback_request *r, const struct rollback_io *io, struct arena *arena, struct rollback_result *ret,
    struct err *reterr);
/* Was one of that order begun here? */
bool rollback_is_progressive(const char *state_directory, struct id order);
/* Those that have not ended, as rollback_pending() tells others. */
ERR_CHECK enum err_code rollback_progressive_pending(
    const char *state_directory, struct arena *arena, struct list *ret, struct err *reterr);

#endif
