/* controller/audit/event.h: one line for whoever watches (kedge watch, the console).  Forgotten by a crash; the trail
 * is what stays. */
#ifndef KEDGE_CONTROLLER_AUDIT_EVENT_H
#define KEDGE_CONTROLLER_AUDIT_EVENT_H

#include "controller/turn/turn.h"

/* topic: incident change rollback host service notification audit.  The line holds names, states and numbers; no text
 * of a host. */
ERR_CHECK enum err_code event_tell(struct turn *t, const char *topic, const char *host, enum severity severity,
    struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#endif
