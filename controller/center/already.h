/* controller/center/already.h: is what would be done being done?
 *
 * Two incidents can have one cause: of a service, and of one that leans on it.  What another one's change does already,
 * or has just done, is not done a second time; what it did has to show first.  Pure; center thread. */
#ifndef KEDGE_CONTROLLER_CENTER_ALREADY_H
#define KEDGE_CONTROLLER_CENTER_ALREADY_H

#include "controller/change/change.h"

enum {
	ALREADY_SHOWS_MS = 3000,  /* what was done is seen this soon: each probe has run, its lines have come */
	ALREADY_CHANGES_MAX = 64, /* newest changes that are looked at */
};

/* *ret_there: a change that answers another incident does the same, or all of it and more, on these hosts: it waits for
 * a word, is at work, or went well less than ALREADY_SHOWS_MS ago. */
ERR_CHECK enum err_code already_done(struct turn *t, struct id incident, const struct policy_wish *wanted,
    struct change *ret, bool *ret_there, struct err *reterr);

#endif
