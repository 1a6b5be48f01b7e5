/* controller/turn/system.h: what the controller knows about itself and its store.
 *
 * One record.  The store makes it when it is new and marks it when it was restored from a backup; an operator confirms.
 * Nothing that observes sends an order: every order carries the epoch, and a controller that came back from the past
 * must not command with an old one. */
#ifndef KEDGE_CONTROLLER_TURN_SYSTEM_H
#define KEDGE_CONTROLLER_TURN_SYSTEM_H

#include "controller/turn/turn.h"

struct system_state {
	const char *name; /* KEY; always SYSTEM_NAME */
	struct id store;  /* made with the store; a restored copy keeps it */
	uint64_t created_ms;
	uint64_t epoch;             /* fencing epoch of orders, from 1 */
	bool observing;             /* commands nothing until an operator confirms */
	const char *observing_why;  /* for people */
	uint64_t restored_ms;       /* 0: never restored */
	uint64_t restored_taken_ms; /* when that backup was taken: what came after it is not known here */
	const char *restored_from;  /* its folder */
	const char *confirmed_by;
	uint64_t confirmed_ms;
};
#define SYSTEM_NAME "controller"
extern const struct record_type system_state_type, timer_type, number_type;
extern const struct table system_table, number_table;
extern const struct table *const turn_tables[]; /* of this folder: system, timer, number; NULL-ended */

/* A store without the record (a test's) is a new one: epoch 1, not observing. */
ERR_CHECK enum err_code system_get(struct turn *t, struct system_state *ret, struct err *reterr);
/* Command nothing from now on; why is for people.  No-op when already observing. */
ERR_CHECK enum err_code system_observe(struct turn *t, const char *why, struct err *reterr);
/* An operator says that commanding is right: the epoch becomes greater than it was and than epoch_seen, the highest
 * that any host reported.  ERR_STATE when not observing. */
ERR_CHECK enum err_code system_confirm(
    struct turn *t, const char *operator_name, uint64_t epoch_seen, struct err *reterr);

#endif
