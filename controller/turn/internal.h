/* controller/turn/internal.h: what the files of this folder share. */
#ifndef KEDGE_CONTROLLER_TURN_INTERNAL_H
#define KEDGE_CONTROLLER_TURN_INTERNAL_H

#include "controller/turn/tree.h"

struct turn {
	struct batch *batch; /* NULL: read-only */
	const struct turn_view *view;
	uint64_t now_ms;
	struct arena *arena;
	struct tree overlay;
	struct effect *effects;
	size_t effect_count, effect_capacity;
	struct buf key, old_key, value; /* scratch */
	bool failed;                    /* a write stopped half way: must not be kept */
};

struct batch {
	const struct turn_view *view;
	uint64_t now_ms;
	struct random *random;
	struct tree tree;
	struct turn *open;
	struct arena *scratch; /* for what lives no longer than one call */
	struct arena **arenas; /* of kept turns */
	size_t arena_count, arena_capacity;
	size_t used; /* bytes in arenas */
	struct effect *effects;
	size_t effect_count, effect_capacity;
	struct turn_write *writes;
};

/* Append "T NUL" or "T/F NUL". */
void key_head(struct buf *out, const struct table *table, const struct field *index);
ERR_CHECK enum err_code key_of(struct buf *out, const struct table *table, const void *record, struct err *reterr);
ERR_CHECK enum err_code key_check(const struct buf *key, const struct table *table, struct err *reterr);
ERR_CHECK enum err_code table_decode(
    const struct table *table, struct bytes value, struct arena *arena, void *ret, struct err *reterr);

#endif
