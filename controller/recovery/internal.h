/* controller/recovery/internal.h: what the files of this folder share. */
#ifndef KEDGE_CONTROLLER_RECOVERY_INTERNAL_H
#define KEDGE_CONTROLLER_RECOVERY_INTERNAL_H

#include "controller/recovery/recovery.h"

/* orders.c: make the order's record, send it, watch it. */
enum err_code order_issue(struct turn *t, const struct recovery_config *c, struct order *order, const char *asked_by,
    struct order_record *ret, struct err *reterr);
enum err_code order_get(struct turn *t, struct id order, struct order_record *ret, bool *ret_found, struct err *reterr);
/* End it (outcome is not OPEN): clears its timers, keeps the restoration. */
enum err_code order_end(
    struct turn *t, struct order_record *o, enum order_outcome outcome, const char *text, struct err *reterr);
/* Tell the host to drop it if it has not begun, until it answers. */
enum err_code order_cancel(struct turn *t, struct order_record *o, const char *reason, struct err *reterr);

/* rollback.c: an order of the rollback ended, or health moved: go on as far as it goes. */
enum err_code rollback_advance(struct turn *t, const struct recovery_config *c, struct rollback *r,
    enum recovery_event *ret_event, struct err *reterr);
enum err_code rollback_order_ended(struct turn *t, const struct recovery_config *c, const struct order_record *o,
    struct rollback *ret, enum recovery_event *ret_event, struct err *reterr);
/* PROVING: its hosts whose bake is over without proof are asked to look now.  *ret_waits: there are hosts without
 * proof.
 */
enum err_code rollback_ask(
    struct turn *t, const struct recovery_config *c, const struct rollback *r, bool *ret_waits, struct err *reterr);
/* Its deadline passed: evidence of health did not come in time, or the brakes were never released. */
enum err_code rollback_overdue(struct turn *t, struct rollback *r, enum recovery_event *ret_event, struct err *reterr);

#endif
