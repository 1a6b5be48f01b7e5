/* controller/turn/system.h: what the controller knows about its store.
 *
 * One record, made with the store.  A restore from a backup marks it: the turn of INPUT_BOOT must then put the
 * controller into observe mode (it commands nothing until an operator confirms, and the epoch rises) and take the mark
 * away with system_restore_seen(), both in that one turn, before any other input is applied. */
#ifndef KEDGE_CONTROLLER_TURN_SYSTEM_H
#define KEDGE_CONTROLLER_TURN_SYSTEM_H

#include "controller/turn/turn.h"

struct system_state {
	const char *name; /* KEY; always SYSTEM_NAME */
	struct id store;  /* made with the store; a restored copy keeps it */
	uint64_t created_ms;
	uint64_t restored_ms;       /* 0: never restored */
	uint64_t restored_taken_ms; /* when that backup was taken: what came after it is not known here */
	const char *restored_from;  /* its folder */
	bool restored_unseen;       /* restored, and no INPUT_BOOT has dealt with it yet */
	bool low_space;             /* the disk is nearly full: no new work */
};
#define SYSTEM_NAME "controller"
extern const struct record_type system_state_type, timer_type, number_type;
extern const struct table system_table, number_table;
extern const struct table *const turn_tables[]; /* of this folder: system, timer, number; NULL-ended */

/* A store without the record (a test's) is a new one that was never restored. */
ERR_CHECK enum err_code system_get(struct turn *t, struct system_state *ret, struct err *reterr);
ERR_CHECK enum err_code system_restore_seen(struct turn *t, struct err *reterr);
/* *ret_news: it was otherwise before. */
ERR_CHECK enum err_code system_low_space(struct turn *t, bool low, bool *ret_news, struct err *reterr);

#endif
