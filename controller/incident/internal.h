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
/* The same for what leans on another service than i's, of faults since then. */
ERR_CHECK enum err_code incident_gather_of(
    struct turn *t, const struct incident *i, const char *service, uint64_t since_ms, struct err *reterr);
/* What i explained must heal now: their RELEASE timers. */
ERR_CHECK enum err_code incident_release_later(
    struct turn *t, const struct incident_config *c, const struct incident *i, struct err *reterr);

/* ---- transition.c: what a transition does to one incident ---- */

/* A new one of that service, unless an open one explains it. */
ERR_CHECK enum err_code incident_begin(struct turn *t, const struct incident_config *c, const char *service,
    const struct health_transition *tr, enum severity severity, struct id earlier, struct incident *ret,
    enum incident_event *ret_event, struct err *reterr);
ERR_CHECK enum err_code incident_take_bad(struct turn *t, struct incident *i, const struct health_transition *tr,
    enum severity severity, enum incident_event *ret_event, struct err *reterr);
ERR_CHECK enum err_code incident_relapse(struct turn *t, const struct incident_config *c, struct incident *i,
    const struct health_transition *tr, enum severity severity, struct err *reterr);
ERR_CHECK enum err_code incident_take_good(struct turn *t, const struct incident_config *c, struct incident *i,
    const struct health_transition *tr, enum incident_event *ret_event, struct err *reterr);

/* ---- hosts.c: incidents of hosts ---- */

ERR_CHECK enum err_code incident_hosts_title(
    struct turn *t, const struct incident *i, const char **ret, struct err *reterr);
/* The open incident of a host that the service runs on, when nothing is known of the service on any host. */
ERR_CHECK enum err_code incident_hosts_below(
    struct turn *t, const char *service, struct incident *ret, bool *ret_found, struct err *reterr);
/* A prolonged UNKNOWN because its host is not heard belongs to the host's incident; *ret_mine false: it is the
 * service's own. */
ERR_CHECK enum err_code incident_host_unheard(struct turn *t, const struct incident_config *c,
    const struct health_transition *tr, struct incident *ret, enum incident_event *ret_event, bool *ret_mine,
    struct err *reterr);
/* Something is known again of what a host runs: *ret_event NOTHING or RECOVERED. */
ERR_CHECK enum err_code incident_host_heard(struct turn *t, const struct incident_config *c,
    const struct health_transition *tr, struct incident *ret, enum incident_event *ret_event, struct err *reterr);

/* ---- summary.c ---- */

/* It is over: ask for a summary, where there is anybody to ask. */
ERR_CHECK enum err_code incident_summary_want(
    struct turn *t, const struct incident_config *c, struct incident *i, struct err *reterr);
/* It is not over after all. */
ERR_CHECK enum err_code incident_summary_forget(struct turn *t, struct incident *i, struct err *reterr);
/* INCIDENT_TIMER_SUMMARY */
ERR_CHECK enum err_code incident_summary_due(
    struct turn *t, const struct incident_config *c, struct incident *i, struct err *reterr);

/* Sorted lists of names and lists of ids, in the turn's arena.  A full list stays as it is. */
bool list_has_name(const struct list *l, const char *name);
ERR_CHECK enum err_code list_add_name(struct turn *t, struct list *l, const char *name, size_t max, struct err *reterr);
ERR_CHECK enum err_code list_drop_name(struct turn *t, struct list *l, const char *name, struct err *reterr);
ERR_CHECK enum err_code list_add_id(struct turn *t, struct list *l, struct id id, size_t max, struct err *reterr);

#endif
