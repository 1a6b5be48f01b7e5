/* controller/incident/internal.h: between the files of this folder. */
#ifndef KEDGE_CONTROLLER_INCIDENT_INTERNAL_H
#define KEDGE_CONTROLLER_INCIDENT_INTERNAL_H

#include "controller/incident/incident.h"

static const struct id no_id = {{0}};

/* Put *i. */
ERR_CHECK enum err_code incident_save(struct turn *t, const struct incident *i, struct err *reterr);
/* ERR_NOT_FOUND names it. */
ERR_CHECK enum err_code incident_need(struct turn *t, struct id incident, struct incident *ret, struct err *reterr);
/* A line of the timeline; counts in *i, which the caller saves. */
ERR_CHECK enum err_code incident_say(struct turn *t, struct incident *i, const struct actor *who, uint64_t at_ms,
    const char *kind, struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
ERR_CHECK enum err_code incident_audit(struct turn *t, const struct actor *who, const char *action,
    const struct incident *i, struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Into another state: times, deadline, timeline, watchers.  An illegal move is our bug.  The caller saves. */
ERR_CHECK enum err_code incident_enter(struct turn *t, const struct incident_config *c, const struct actor *who,
    struct incident *i, enum incident_state to, struct err *reterr);
/* Deadline of the present state, doubled by each escalation. */
uint64_t incident_patience(const struct incident_config *c, const struct incident *i);
ERR_CHECK enum err_code incident_deadline(
    struct turn *t, const struct incident_config *c, const struct incident *i, struct err *reterr);
/* The incident of a dependency that explains this one, or zero. */
ERR_CHECK enum err_code incident_cause(struct turn *t, const struct incident *i, struct id *ret, struct err *reterr);
/* Open incidents of services that lean on i's are explained by it. */
ERR_CHECK enum err_code incident_gather(struct turn *t, const struct incident *i, struct err *reterr);
/* What i explained must heal now: their RELEASE timers. */
ERR_CHECK enum err_code incident_release_later(
    struct turn *t, const struct incident_config *c, const struct incident *i, struct err *reterr);

/* Sorted lists of names and lists of ids, in the turn's arena.  A full list stays as it is. */
bool list_has_name(const struct list *l, const char *name);
ERR_CHECK enum err_code list_add_name(struct turn *t, struct list *l, const char *name, size_t max, struct err *reterr);
ERR_CHECK enum err_code list_drop_name(struct turn *t, struct list *l, const char *name, struct err *reterr);
ERR_CHECK enum err_code list_add_id(struct turn *t, struct list *l, struct id id, size_t max, struct err *reterr);

#endif
