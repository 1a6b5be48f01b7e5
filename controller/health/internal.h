/* controller/health/internal.h: between the files of this folder. */
#ifndef KEDGE_CONTROLLER_HEALTH_INTERNAL_H
#define KEDGE_CONTROLLER_HEALTH_INTERNAL_H

#include "controller/health/health.h"

static const struct id no_id = {{0}};

/* The evidence says v (since since_ms): store *s, show what is to be shown, tell a transition when that changed. */
ERR_CHECK enum err_code health_settle(struct turn *t, const struct health_config *c, struct service_health *s,
    const struct health_verdict *v, uint64_t since_ms, struct health_transitions *out, struct err *reterr);
/* What the stored results say now, with or without the agent lagging. */
ERR_CHECK enum err_code health_rejudge(struct turn *t, const struct health_config *c, struct service_health *s,
    bool lagging, struct health_transitions *out, struct err *reterr);
ERR_CHECK enum err_code transitions_add(
    struct turn *t, struct health_transitions *out, const struct health_transition *tr, struct err *reterr);
/* "service/host"; NULL: out of memory. */
const char *health_place(struct turn *t, const char *service, const char *host);
/* Cut to what a reason may hold, in the arena; NULL in, NULL out (and when out of memory). */
const char *health_reason(struct arena *arena, const char *text);

/* Inserts by time, drops the oldest.  *ret_before: state before at_ms. */
ERR_CHECK enum err_code history_add(struct turn *t, const char *service, const char *host,
    const struct health_change *change, enum health *ret_before, struct err *reterr);
/* Those whose forecast comes near go to out->near. */
struct metrics_from {
	const char *service, *host, *probe; /* probe NULL: of the host itself */
	uint64_t at_ms;
};
ERR_CHECK enum err_code metrics_keep(struct turn *t, const struct health_config *c, const struct metrics_from *from,
    const struct list *metrics, struct health_transitions *out, struct err *reterr);

ERR_CHECK enum err_code health_deadline(
    struct turn *t, const char *service, const char *host, uint64_t due_ms, struct err *reterr);
/* A new record for a placement, UNKNOWN, with its deadlines (when it has probes). */
ERR_CHECK enum err_code health_begin(struct turn *t, const struct health_config *c, const struct placement *p,
    struct service_health *ret, struct err *reterr);
/* HEALTH_TIMER_MAINTENANCE */
ERR_CHECK enum err_code maintenance_due(struct turn *t, const struct health_config *c, const char *place,
    struct health_transitions *out, struct err *reterr);

#endif
