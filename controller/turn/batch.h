/* controller/turn/batch.h: turns from the side of those who run them (center, store, simulator, tests).
 *
 * A batch stands over a read view of the committed state.  Each input gets a turn of its own: an overlay and an arena
 * over the batch's write-set over the view.  Kept, the overlay joins the write-set and its effects the list; dropped,
 * neither leaves a trace.
 *
 * The store knows only bytes.  A record of table T stands at key   T NUL <key fields>                   value: the
 * record in msgpack and every FIELD_INDEXED field F of it at                          T/F NUL <field> <key fields>
 * value: <key fields> so that byte order is the order of scans.  Names of tables and fields hold neither NUL nor '/'.
 * Records are decoded by the type as it is now: a field that is added later must not be FIELD_REQUIRED without a
 * migration.
 *
 * Pure, but for the view.  One thread at a time. */
#ifndef KEDGE_CONTROLLER_TURN_BATCH_H
#define KEDGE_CONTROLLER_TURN_BATCH_H

#include "controller/turn/limits.h"
#include "controller/turn/turn.h"

enum turn_seek { SEEK_AT_OR_AFTER, SEEK_AFTER, SEEK_BEFORE };

/* The committed state at one moment.  Bytes that it hands out stay valid as long as it is open. */
struct turn_view {
	void *ctx;
	enum err_code (*get)(void *ctx, struct bytes key, struct bytes *ret_value, bool *ret_found, struct err *reterr);
	/* The nearest entry from `key` in byte order. */
	enum err_code (*seek)(void *ctx, struct bytes key, enum turn_seek how, struct bytes *ret_key,
	    struct bytes *ret_value, bool *ret_found, struct err *reterr);
};

/* One line of a write-set. */
struct turn_write {
	struct bytes key, value;
	bool deleted;
};

struct batch;

/* view and random are borrowed until batch_free.  now_ms must not be below that of the batch before. */
ERR_CHECK enum err_code batch_new(
    const struct turn_view *view, uint64_t now_ms, struct random *random, struct batch **ret, struct err *reterr);
void batch_free(struct batch *b); /* NULL is a no-op; ends the life of all writes and effects */

/* Run fn in a turn of its own: kept when it returns ERR_OK (and nothing failed under it), else dropped.  Returns fn's
 * code. */
typedef enum err_code (*batch_fn)(struct turn *t, void *ctx, struct err *reterr);
ERR_CHECK enum err_code batch_apply(struct batch *b, batch_fn fn, void *ctx, struct err *reterr);

/* The same in two halves.  One turn of a batch at a time.  A turn that failed inside (out of memory in the middle of a
 * write) is dropped even if it was to be kept, and the error returned. */
ERR_CHECK enum err_code batch_begin(struct batch *b, struct turn **ret, struct err *reterr);
ERR_CHECK enum err_code batch_end(struct batch *b, struct turn *t, bool keep, struct err *reterr);

/* Sorted by key, each key once.  They and the effects (in the order of emission) live until batch_free; call these when
 * no turn is open. */
ERR_CHECK enum err_code batch_writes(
    struct batch *b, const struct turn_write **ret, size_t *ret_count, struct err *reterr);
const struct effect *batch_effects(const struct batch *b, size_t *ret_count);
size_t batch_used(const struct batch *b); /* bytes of the arenas that it holds */

/* What the turn emitted so far. */
const struct effect *turn_effects(const struct turn *t, size_t *ret_count);

/* A turn that only reads, over a view, for the API and the analyst; writes and emits in it are bugs and assert.  All of
 * it, the turn too, lives in the arena (borrowed).  May be used from the thread that owns view and arena.
 * turn_scan_done is still due; turn_close_read frees the turn's scratch memory. */
ERR_CHECK enum err_code turn_open_read(
    const struct turn_view *view, uint64_t now_ms, struct arena *arena, struct turn **ret, struct err *reterr);
void turn_close_read(struct turn *t); /* NULL is a no-op */

/* ---- for the store's schema steps: entries as bytes ---- */
ERR_CHECK enum err_code turn_raw_get(
    struct turn *t, struct bytes key, struct bytes *ret, bool *ret_found, struct err *reterr);
ERR_CHECK enum err_code turn_raw_seek(struct turn *t, struct bytes key, enum turn_seek how, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found, struct err *reterr);
ERR_CHECK enum err_code turn_raw_put(struct turn *t, struct bytes key, struct bytes value, struct err *reterr);
ERR_CHECK enum err_code turn_raw_delete(struct turn *t, struct bytes key, struct err *reterr);
/* Write the index entry of `record` for one field (which need not be known to be there). */
ERR_CHECK enum err_code turn_index_put(
    struct turn *t, const struct table *table, const struct field *field, const void *record, struct err *reterr);

#endif
