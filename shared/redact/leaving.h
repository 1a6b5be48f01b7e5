/* shared/redact/leaving.h: what goes from a host to the controller, redacted one way.
 *
 * The keeper applies it to every report before the link sees it, the controller again to every frame at its door, and
 * whoever puts words of a service's own programs into an error applies it there, so that they reach no log either.
 * Pure; any thread. */
#ifndef KEDGE_SHARED_REDACT_LEAVING_H
#define KEDGE_SHARED_REDACT_LEAVING_H

#include "shared/base/arena.h"
#include "shared/base/err.h"
#include "shared/record/record.h"
#include "shared/redact/redact.h"

/* Log mode; addresses of the site's own networks stay, for they name machines. */
extern const struct redact_options redact_leaving;

/* Redacted, valid UTF-8 (else every byte beyond ASCII is a '?'), at most max bytes, in arena; NULL: out of memory.  A
 * text that comes out as it went in is given back itself. */
const char *redact_leaving_text(struct arena *arena, const char *text, size_t max);
/* In place, every text that FIELD_PHI marks; *record must be its own to change, as record_rewrite() says. */
ERR_CHECK enum err_code redact_leaving_record(
    const struct record_type *t, void *record, struct arena *arena, struct err *reterr);

#endif
