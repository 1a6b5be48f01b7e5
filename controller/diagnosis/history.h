/* controller/diagnosis/history.h: past incidents beside a new one, within this folder.  Pure: only the turn. */
#ifndef KEDGE_CONTROLLER_DIAGNOSIS_HISTORY_H
#define KEDGE_CONTROLLER_DIAGNOSIS_HISTORY_H

#include "controller/diagnosis/internal.h"
#include "controller/diagnosis/learning.h"

/* What an incident is compared by: its failing probes, what they say with digits left out, templates of
 * its warnings and errors since then, new or not: what failed an hour ago in the same way has nothing new to say.
 * evidence: of its diagnosis, for one that is over; NULL: what its probes say now. */
ERR_CHECK enum err_code history_signs(
    struct turn *t, const struct incident *i, const struct list *evidence, struct list *ret, struct err *reterr);
/* Past incidents like this one: into l->remembered and l->evidence. */
ERR_CHECK enum err_code history_look_back(
    struct turn *t, const struct incident *i, struct learned *l, struct err *reterr);
void learned_add(struct learned *l, enum evidence_kind kind, const char *service, const char *text, double weight,
    uint64_t at_ms); /* text NULL is nothing */

/* What people said of a past incident that looked like this one moves the suspects: what it was then gains, what it was
 * not loses.  After all suspects are there. */
ERR_CHECK enum err_code history_weigh(struct inquiry *q, struct err *reterr);

#endif
