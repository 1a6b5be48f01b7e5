/* controller/recovery/internal.h: what the files of this folder share. */
#ifndef KEDGE_CONTROLLER_RECOVERY_INTERNAL_H
#define KEDGE_CONTROLLER_RECOVERY_INTERNAL_H

#include "controller/recovery/recovery.h"

/* orders.c: make the order's record, send it, watch it. */
enum err_code order_issue(struct turn *t, const struct recovery_config *c, struct order *order, const char *asked_by,
    struct order_record *ret, struct err *reterr);
/* What all orders of a change have in common; its record holds them, each order does not. */
struct order_authority {
	const struct plan *plan;
	struct list approvals; /* struct approval */
	const struct signed_policy *policy;
};
enum err_code order_authority(
    struct turn *t, const struct change *change, struct order_authority *ret, struct err *reterr);
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
/* RECOVERY_TIMER_ROOM: a storage that hosts of its wave wait for has room again. */
enum err_code rollback_room(struct turn *t, const struct recovery_config *c, struct id rollback, struct rollback *ret,
    enum recovery_event *ret_event, struct err *reterr);
/* Its deadline passed: evidence of health did not come in time, or the brakes were never released. */
enum err_code rollback_overdue(struct turn *t, struct rollback *r, enum recovery_event *ret_event, struct err *reterr);

/* release.c: the orders of r->wave that are not out yet go out, as far as the storages that their hosts share have
 * room. */
enum err_code rollback_release(struct turn *t, const struct recovery_config *c, struct rollback *r, struct err *reterr);

/* evidence.c */
bool rollback_is_action(const struct rollback *r);
static inline struct rollback_host *rollback_host_at(const struct rollback *r, size_t i)
{
	return &LIST_AT(r->hosts, struct rollback_host, i);
}
bool rollback_host_ended_well(const struct rollback_host *h);
/* What was put back must still do well this long after. */
uint64_t rollback_bake_ms(const struct recovery_config *c, const struct rollback *r);
struct rollback_wave { /* ended: every host of it that has an order; well, proven: every host */
	bool ended, well, proven;
	bool better; /* every host is proven, or was looked at and is better than it was */
	bool waits;  /* there are hosts without an order */
};
/* How r->wave stands; notes which of its hosts are proven. */
enum err_code rollback_look(
    struct turn *t, const struct recovery_config *c, struct rollback *r, struct rollback_wave *ret, struct err *reterr);
/* PROVING: its hosts whose bake is over without proof are asked to look now.  *ret_waits: there are hosts without
 * proof.
 */
enum err_code rollback_ask(
    struct turn *t, const struct recovery_config *c, const struct rollback *r, bool *ret_waits, struct err *reterr);
/* Does what the host did speak against its restore point? */
bool order_is_judged_bad(const struct order_record *o);

/* storage.c: does an order of that kind read from the storage of its host? */
bool storage_counts(enum order_kind kind);
/* What the host restores from and others share; NULL: nobody shares it.  In the turn's arena. */
enum err_code storage_of(struct turn *t, const char *service, const char *host, const char **ret, struct err *reterr);
/* What is left of storages while orders of one rollback go out. */
struct storage_rooms {
	struct storage_room {
		const char *storage;
		uint32_t room;
	} * items;
	size_t count, capacity;
};
/* *ret_now: one more order of r may go out to a host that restores from it, and is counted.  rooms begins zero, and
 * grows in the turn's arena. */
enum err_code storage_take(struct turn *t, const struct recovery_config *c, const struct rollback *r,
    const char *storage, struct storage_rooms *rooms, bool *ret_now, struct err *reterr);
/* An order that counted has ended: the other rollbacks that wait for room look again. */
enum err_code storage_freed(struct turn *t, struct id by, struct err *reterr);
/* It was given up, and its host may have begun it, or begin it still: its place is kept, and the host is told to drop
 * it if it can.  *ret_text: the same for people, after o->text; NULL: that time is over, and nothing is kept. */
enum err_code storage_hold(
    struct turn *t, const struct order_record *o, const char *storage, const char **ret_text, struct err *reterr);
/* The host said how it ended, or RECOVERY_TIMER_HELD fell due.  Nothing when nothing was kept. */
enum err_code storage_unhold(struct turn *t, struct id order, struct err *reterr);
enum err_code storage_on_hello(struct turn *t, const char *host, struct err *reterr);

#endif
