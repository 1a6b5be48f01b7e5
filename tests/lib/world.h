/* tests/lib/world.h: a controller's store in memory, and one turn after another on virtual time, for tests of the
 * domain.
 *
 *   struct world w;
 *   world_open(&w);
 *   struct turn *t = world_at(&w, 1000);   // commits the turn before, begins one at that time
 *   …
 *   world_close(&w);
 *
 * What a turn returned lives until the next world_at().  Effects of the present turn: world_effects(). */
#ifndef KEDGE_TESTS_LIB_WORLD_H
#define KEDGE_TESTS_LIB_WORLD_H

#include <string.h>

#include "controller/store/store.h"
#include "controller/turn/batch.h"
#include "tests/lib/unit.h"

struct world {
	struct store *store;
	struct store_view *view;
	struct batch *batch;
	struct turn *turn;
	struct random random;
	uint64_t now_ms;
};

static struct err world_err;

/* assert that a call of the domain works, with its message when it does not */
#define ok(CALL)                                                                                                       \
	do {                                                                                                           \
		world_err = ERR_INIT;                                                                                  \
		if ((CALL) != ERR_OK)                                                                                  \
			fail_msg("%s: %s", #CALL, world_err.msg);                                                      \
	} while (0)
#define refused(CODE, CALL)                                                                                            \
	do {                                                                                                           \
		world_err = ERR_INIT;                                                                                  \
		enum err_code code_ = (CALL);                                                                          \
		if (code_ != (CODE))                                                                                   \
			fail_msg(                                                                                      \
			    "%s: %s, wanted %s: %s", #CALL, err_code_name(code_), err_code_name(CODE), world_err.msg); \
	} while (0)
#define ERR_HERE &world_err

static inline void world_commit(struct world *w)
{
	const struct turn_write *writes;
	size_t count;
	if (!w->turn)
		return;
	ok(batch_end(w->batch, w->turn, true, ERR_HERE));
	ok(batch_writes(w->batch, &writes, &count, ERR_HERE));
	ok(store_commit(w->store, writes, count, ERR_HERE));
	batch_free(w->batch);
	store_view_close(w->view);
	w->turn = NULL;
}

static inline struct turn *world_at(struct world *w, uint64_t now_ms)
{
	world_commit(w);
	w->now_ms = now_ms;
	ok(store_view_open(w->store, "test", &w->view, ERR_HERE));
	ok(batch_new(store_view_turn(w->view), now_ms, &w->random, &w->batch, ERR_HERE));
	ok(batch_begin(w->batch, &w->turn, ERR_HERE));
	return w->turn;
}

static inline struct turn *world_after(struct world *w, uint64_t ms)
{
	return world_at(w, w->now_ms + ms);
}

static inline void world_open(struct world *w)
{
	*w = (struct world){.now_ms = 1700000000000};
	random_init_seed(&w->random, 1);
	ok(store_open_memory(&w->store, ERR_HERE));
	world_at(w, w->now_ms);
}

static inline void world_close(struct world *w)
{
	world_commit(w);
	store_close(w->store);
}

/* The earliest timer that is due at until_ms or before: time goes on to it, and it is deleted, as the center does. *ret
 * lives in the new turn. */
static inline bool world_timer(struct world *w, uint64_t until_ms, struct timer *ret)
{
	struct turn_scan scan;
	struct timer first;
	bool found;
	ok(turn_scan_index(w->turn, &timer_table, "due_ms", NULL, false, &scan, ERR_HERE));
	ok(turn_scan_next(&scan, &first, &found, ERR_HERE));
	turn_scan_done(&scan);
	if (!found || first.due_ms > until_ms)
		return false;
	uint64_t due = first.due_ms > w->now_ms ? first.due_ms : w->now_ms;
	struct turn *t = world_at(w, due); /* the timer may have been set in the turn that ended here */
	ok(turn_scan_index(t, &timer_table, "due_ms", NULL, false, &scan, ERR_HERE));
	ok(turn_scan_next(&scan, ret, &found, ERR_HERE));
	turn_scan_done(&scan);
	assert_true(found);
	ok(turn_delete(t, &timer_table, ret, ERR_HERE));
	return true;
}

static inline const struct effect *world_effects(struct world *w, size_t *ret_count)
{
	return turn_effects(w->turn, ret_count);
}

static inline size_t world_effect_count(struct world *w, enum effect_kind kind)
{
	size_t count, of_kind = 0;
	const struct effect *e = turn_effects(w->turn, &count);
	for (size_t i = 0; i < count; i++)
		of_kind += e[i].kind == kind;
	return of_kind;
}

static inline size_t world_record_count(struct world *w, const struct table *table)
{
	uint8_t record[4096];
	struct turn_scan scan;
	size_t count = 0;
	bool more = true;
	assert_true(table->type->size <= sizeof(record));
	ok(turn_scan_key(w->turn, table, NULL, 0, false, &scan, ERR_HERE));
	while (more) {
		ok(turn_scan_next(&scan, record, &more, ERR_HERE));
		count += more;
	}
	turn_scan_done(&scan);
	return count;
}

#endif
