/* agent/offhost/ledger.h: what is known to be in the store: a file of lines that only grows, and is written anew when
 * most of it is old, or when names are forgotten (place.h says which: it holds what is needed, the inventories that a
 * restore reads, and what became unneeded lately).
 *
 *   first line   JSON "ledger_head": for which store, which repository, which generation
 *   then         JSON "copied", a later one of a name in place of an earlier
 * A last line without its end is what a crash left and is dropped.  Every put is on the disk when it returns.  It is a
 * cache of what the inventories say: lost or damaged, it is made again from them.  One thread; one process at a time
 * (the caller holds a lock). */
#ifndef KEDGE_AGENT_OFFHOST_LEDGER_H
#define KEDGE_AGENT_OFFHOST_LEDGER_H

#include "agent/offhost/copied.h"
#include "shared/base/cleanup.h"

struct ledger_head {
	uint32_t version, generation;
	const char *destination, *host;
	struct bytes repository; /* its id */
};
extern const struct record_type ledger_head_type;

struct ledger;
/* change: to be put into; by who holds the lock alone.  Else only read, and the file is left as it is, also while
 * another process puts. ERR_NOT_FOUND: there is none.  ERR_CORRUPT: not what was written. */
ERR_CHECK enum err_code ledger_open(const char *path, bool change, struct ledger **ret, struct err *reterr);
/* An empty one in the place of any other. */
ERR_CHECK enum err_code ledger_create(
    const char *path, const struct ledger_head *head, struct ledger **ret, struct err *reterr);
void ledger_close(struct ledger *l); /* NULL is a no-op */
CLEANUP_DEFINE(struct ledger, ledger_cleanup, ledger_close)

const struct ledger_head *ledger_about(const struct ledger *l);
const struct copied *ledger_find(
    const struct ledger *l, const char *name); /* NULL: not there; valid until the ledger is closed */
/* Copied; durable on return.  After an error the ledger is done with: close it. */
ERR_CHECK enum err_code ledger_put(struct ledger *l, const struct copied *c, struct err *reterr);
ERR_CHECK enum err_code ledger_put_all(
    struct ledger *l, const struct copied *all, size_t count, struct err *reterr); /* with one sync */
/* Those of which drop is true are forgotten, and the file is written anew; drop sees each, in the order in which names
 * came first. */
ERR_CHECK enum err_code ledger_forget(
    struct ledger *l, const char *path, bool (*drop)(void *ctx, const struct copied *c), void *ctx, struct err *reterr);
/* The file goes by another name from now on. */
ERR_CHECK enum err_code ledger_rename(struct ledger *l, const char *from, const char *to, struct err *reterr);
size_t ledger_count(const struct ledger *l);
/* for (size_t at = 0; (c = ledger_next(l, &at));): in the order in which names came first; what is put meanwhile may be
 * seen or not. */
const struct copied *ledger_next(const struct ledger *l, size_t *at);

#endif
