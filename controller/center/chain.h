/* controller/center/chain.h: from a moved health to a closed incident, step by step.  Internal to center; pure. */
#ifndef KEDGE_CONTROLLER_CENTER_CHAIN_H
#define KEDGE_CONTROLLER_CENTER_CHAIN_H

#include "controller/center/workflow.h"

/* Placements moved: incidents open, grow, heal; rollbacks that prove go on. */
enum err_code chain_on_transitions(
    struct turn *t, const struct workflow_config *c, const struct health_transitions *moved, struct err *reterr);
/* Evidence of health of a service came, moved or not. */
enum err_code chain_on_evidence(
    struct turn *t, const struct workflow_config *c, const char *service, struct err *reterr);
enum err_code chain_on_incident(struct turn *t, const struct workflow_config *c, const struct incident *i,
    enum incident_event event, struct err *reterr);
/* Something new is known about a service that may fail: look again, unless a remedy is at work already. */
enum err_code chain_look_again(struct turn *t, const char *service, struct err *reterr);
/* The chain's own timers; *ret_mine false for others. */
enum err_code chain_on_timer(struct turn *t, const struct timer *timer, bool *ret_mine, struct err *reterr);
enum err_code chain_on_diagnosis(
    struct turn *t, const struct workflow_config *c, const struct diagnosis *d, struct err *reterr);
enum err_code chain_on_recovery(struct turn *t, const struct workflow_config *c, const struct rollback *r,
    enum recovery_event event, struct err *reterr);
/* An approved change begins, and its incident with it. */
enum err_code chain_begin_change(struct turn *t, const struct workflow_config *c, const struct change *change,
    bool automatic, struct rollback *ret, struct err *reterr);

enum err_code chain_event(struct turn *t, const char *topic, struct id id, enum severity severity, struct err *reterr,
    const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#endif
