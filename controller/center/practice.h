/* controller/center/practice.h: people are told when what protects a service does not: a practised restore that failed,
 * none that went well for too long, a log or a copy that cannot be used.
 *
 * An archive that has a gap or is late, copies that keep failing and a practised restore that failed are troubles
 * (recovery.h): told when they begin, every day while they last, and when they are over, which is seen in what the host
 * reports anyway.  What else a host says of it is told once a day for each host, service and kind, in our own words: a
 * host's text stays off. What is replayed after an hour is history and tells nobody.  That nothing was proven is looked
 * for here, every hour: a host that has fallen silent, or practises no more, says nothing of it.  Pure: only the turn.
 */
#ifndef KEDGE_CONTROLLER_CENTER_PRACTICE_H
#define KEDGE_CONTROLLER_CENTER_PRACTICE_H

#include "controller/center/workflow.h"

#define PRACTICE_TIMER "practice.proven"

ERR_CHECK enum err_code practice_on_boot(struct turn *t, struct err *reterr);
ERR_CHECK enum err_code practice_on_timer(
    struct turn *t, const struct workflow_config *c, const struct timer *timer, bool *ret_mine, struct err *reterr);
/* Drills and notices; others are passed over. */
ERR_CHECK enum err_code practice_on_report(
    struct turn *t, const struct workflow_config *c, const struct host *h, const struct report *r, struct err *reterr);

#endif
