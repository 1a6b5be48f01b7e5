/* agent/offhost/store.h: the store as the parts of this folder use it: with trying again, and within one generation.
 * Blocking; one thread. */
#ifndef KEDGE_AGENT_OFFHOST_STORE_H
#define KEDGE_AGENT_OFFHOST_STORE_H

#include "agent/offhost/inventory.h"
#include "agent/offhost/offhost.h"

struct generation { /* one repository in the store */
	const struct offhost *o;
	uint32_t number;
};

/* What keys/, inventory/ and the rest hang from. */
struct place_statement { /* the object "repository" */
	uint32_t version;
	const char *host;
	struct bytes repository; /* id */
	struct bytes public_key;
};
extern const struct record_type place_statement_type;

void store_say(const struct offhost *o, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* progress */
void store_finding(const struct offhost *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

ERR_CHECK enum err_code store_put_fd(const struct generation *g, const char *name, int fd, uint64_t size,
    const struct digest *sha256, uint64_t lock_until_ms, enum bucket_outcome *ret, struct err *reterr);
/* As bucket_io.put_begin: not tried again. */
ERR_CHECK enum err_code store_put_begin(const struct generation *g, const char *name, int fd, uint64_t size,
    const struct digest *sha256, uint64_t lock_until_ms, uint32_t number, struct err *reterr);
bool store_again(const struct offhost *o, enum err_code rc); /* is it worth another try?  If so, waits first */
/* Up to limit bytes, appended to out, which is empty but for BUCKET_DONE. */
ERR_CHECK enum err_code store_get(const struct generation *g, const char *name, size_t limit, struct buf *out,
    enum bucket_outcome *ret, struct err *reterr);
/* The SHA-256 and size of what the store gives back; into fd too, unless it is -1 (emptied before each try). */
ERR_CHECK enum err_code store_digest(const struct generation *g, const char *name, uint64_t limit, int fd,
    struct digest *ret, uint64_t *ret_size, enum bucket_outcome *ret_outcome, struct err *reterr);
ERR_CHECK enum err_code store_head(
    const struct generation *g, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr);
ERR_CHECK enum err_code store_retain(
    const struct generation *g, const char *name, uint64_t until_ms, enum bucket_outcome *ret, struct err *reterr);

/* Which repository a generation is.  BUCKET_MISSING and BUCKET_HIDDEN: none that can be seen. */
ERR_CHECK enum err_code store_statement(const struct generation *g, struct arena *arena, struct place_statement *ret,
    enum bucket_outcome *ret_outcome, struct err *reterr);
/* The highest number of the row that folder names ("inventory/", "keys/"), which has no gaps; 0: none.  at_least: known
 * to be there. */
ERR_CHECK enum err_code store_newest(const struct generation *g, char *(*name_of)(uint32_t, char *), uint32_t at_least,
    uint32_t most, uint32_t *ret, struct err *reterr);
/* Every inventory from newest's base on, authenticated, and that each follows from the one before it.  visit gets them
 * in order, with the object's size and digest. */
typedef enum err_code store_inventory_fn(
    void *ctx, const struct inventory *c, uint64_t size, const struct digest *sha256, struct err *reterr);
ERR_CHECK enum err_code store_inventories(const struct generation *g, const struct keys *k, uint32_t newest,
    store_inventory_fn *visit, void *ctx, struct err *reterr);

/* SHA-256 of a file from its beginning, and how long it is. */
ERR_CHECK enum err_code store_file_digest(int fd, struct digest *ret, uint64_t *ret_size, struct err *reterr);
void store_bytes_digest(const void *data, size_t size, struct digest *ret);
/* A file in memory alone. */
ERR_CHECK enum err_code store_memory_file(const void *data, size_t size, int *ret_fd, struct err *reterr);

#endif
