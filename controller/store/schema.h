/* controller/store/schema.h: which layout a store has, and how it gets to the one of this program.
 *
 * A store says its version; steps lead from each version to the next; a store of a newer program is refused.  Indexes
 * are looked at apart from that: one that is declared but not yet built is built, one that is no longer declared is
 * taken away, so that adding FIELD_INDEXED to a field needs no step.  All of it runs before the center starts, in
 * commits of STORE_SCHEMA_CHUNK records; every step may be run again after a crash in its middle. */
#ifndef KEDGE_CONTROLLER_STORE_SCHEMA_H
#define KEDGE_CONTROLLER_STORE_SCHEMA_H

#include "controller/store/store.h"

enum {
	SCHEMA_VERSION = 1,
	SCHEMA_INDEX_FORMAT = 1, /* how record_field_key writes: another number builds every index again */
};

/* Make a new store ready, or bring an old one up.  tables is NULL-ended (those of the turn are added). ERR_UNSUPPORTED:
 * the store is newer. */
ERR_CHECK enum err_code schema_open(
    struct store *s, const struct table *const *tables, uint64_t now_ms, struct random *random, struct err *reterr);
/* 0 for a store from before versions; *ret_found is false for an empty store. */
ERR_CHECK enum err_code schema_version(
    const struct turn_view *view, uint32_t *ret, bool *ret_found, struct err *reterr);

/* One turn and its commit, for tools and tests; never beside a running center. */
ERR_CHECK enum err_code store_apply(
    struct store *s, uint64_t now_ms, struct random *random, batch_fn fn, void *ctx, struct err *reterr);

#endif
