/* controller/turn/turn.h: one transaction of the controller, as the domain sees it.
 *
 * A turn applies one input to an overlay over the store (the overlay of its predecessors in the same batch, then the
 * committed state).  The domain folders take a struct turn and arguments and touch nothing else: no clock, no
 * randomness, no file, no socket of their own.  The same inputs at the same times over the same store give the same
 * bytes.
 *
 * If the input is refused (its handler returns an error) its overlay is dropped whole; else the overlay joins the
 * batch's write-set. The write-set of all inputs of a batch commits once, with one sync; only then are effects carried
 * out.
 *
 * Memory: everything a turn returns lives in the turn's arena, until the batch is over.  Center thread (or the
 * simulator) only. */
#ifndef KEDGE_CONTROLLER_TURN_TURN_H
#define KEDGE_CONTROLLER_TURN_TURN_H

#include "controller/turn/effect.h"
#include "shared/base/cleanup.h"
#include "shared/record/record.h"

/* A table holds records of one type.  Primary key: the FIELD_KEY fields in order.  The store keeps an index for every
 * FIELD_INDEXED field; the turn maintains it.  Tables are declared by the folder that owns them and listed in
 * controller/center/tables.c. */
struct table {
	const char *name; /* stable: stands in the store */
	const struct record_type *type;
};

struct turn;

uint64_t turn_now_ms(const struct turn *t); /* wall clock of the batch; never goes back from one batch to the next */
struct arena *turn_arena(struct turn *t);
struct random *turn_random(struct turn *t);
struct id turn_id(struct turn *t); /* a fresh id of turn_now_ms */

/* *ret is filled when *ret_found; key holds the key fields of the record wanted, others are ignored.  key and ret may
 * be the same. */
ERR_CHECK enum err_code turn_get(
    struct turn *t, const struct table *table, const void *key, void *ret, bool *ret_found, struct err *reterr);
/* Insert or replace; indexes follow. */
ERR_CHECK enum err_code turn_put(struct turn *t, const struct table *table, const void *record, struct err *reterr);
/* No-op when it is not there. */
ERR_CHECK enum err_code turn_delete(struct turn *t, const struct table *table, const void *key, struct err *reterr);

/* A scan sees the table as it is when each step is taken; putting and deleting while scanning is allowed (what was
 * already passed is not seen again; by an index, a record whose field is moved ahead of the scan is met again there).
 * Order: by key, or by (index field, key). */
struct turn_scan {
	struct turn *turn;
	const struct table *table;
	const struct field *index; /* NULL: by primary key */
	struct buf prefix, position;
	bool descending, started;
};
/* prefix_fields: how many leading key fields of *key must match (0: the whole table). */
ERR_CHECK enum err_code turn_scan_key(struct turn *t, const struct table *table, const void *key,
    unsigned prefix_fields, bool descending, struct turn_scan *ret, struct err *reterr);
/* All records whose FIELD_INDEXED field equals that of *like; NULL like: all, in the order of the field. */
ERR_CHECK enum err_code turn_scan_index(struct turn *t, const struct table *table, const char *field, const void *like,
    bool descending, struct turn_scan *ret, struct err *reterr);
ERR_CHECK enum err_code turn_scan_next(struct turn_scan *s, void *ret, bool *ret_found, struct err *reterr);
/* Where the scan stands: behind the record that it gave last.  Borrowed until the next step; empty before the first. */
struct bytes turn_scan_position(const struct turn_scan *s);
/* A fresh scan of the same kind goes on from there, whether that record still exists or not.  ERR_INVALID: it is no
 * position of such a scan. */
ERR_CHECK enum err_code turn_scan_resume(struct turn_scan *s, struct bytes position, struct err *reterr);
/* The loop over a scan: `while (turn_scan_step(&scan, &record, &rc, reterr))`.  False at the end, and whenever *rc is
 * not ERR_OK: when the scan could not be begun, the body failed, or this step does.  Leaves *ret as it is then. */
bool turn_scan_step(struct turn_scan *s, void *ret, enum err_code *rc, struct err *reterr);
/* Appends what is left of the scan to *list, which began empty and has at most max records then, in the turn's arena.
 * As it was on failure. */
ERR_CHECK enum err_code turn_scan_take(struct turn_scan *s, size_t max, struct list *list, struct err *reterr);
/* Also for CLEANUP, where an empty scan ({0}) is nothing to do. */
void turn_scan_done(struct turn_scan *s);
/* The first record of turn_scan_index. */
ERR_CHECK enum err_code turn_find(struct turn *t, const struct table *table, const char *field, const void *like,
    bool descending, void *ret, bool *ret_found, struct err *reterr);

/* The next number of a series ("incident" -> 1, 2, 3, …), for names that people say aloud: INC-12. */
ERR_CHECK enum err_code turn_number(struct turn *t, const char *series, uint64_t *ret, struct err *reterr);

/* Carried out after the commit, in order.  What must not be lost is also a record (outbox, order, timer). */
ERR_CHECK enum err_code turn_emit(struct turn *t, const struct effect *e, struct err *reterr);

/* ---- timers: every wait has a deadline, held in the store ----
 * At most one timer for (kind, id); setting it again moves it.  When due, the center makes an INPUT_TIMER of it and
 * deletes it in the same turn. */
struct timer {
	const char *kind;
	struct id id;
	const char *name;
	uint64_t due_ms;
}; /* kind and (id or name) are the key */
extern const struct table timer_table;
ERR_CHECK enum err_code turn_timer_set(
    struct turn *t, const char *kind, struct id id, const char *name, uint64_t due_ms, struct err *reterr);
ERR_CHECK enum err_code turn_timer_clear(
    struct turn *t, const char *kind, struct id id, const char *name, struct err *reterr);

#endif
