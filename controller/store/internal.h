/* controller/store/internal.h: what a backend is. */
#ifndef KEDGE_CONTROLLER_STORE_INTERNAL_H
#define KEDGE_CONTROLLER_STORE_INTERNAL_H

#include "controller/store/store.h"

struct store_ops {
	enum err_code (*view_open)(struct store *s, const char *who, struct store_view **ret, struct err *reterr);
	void (*view_close)(struct store_view *v);
	enum err_code (*commit)(struct store *s, const struct turn_write *writes, size_t count, struct err *reterr);
	void (*check)(struct store *s, struct store_stats *ret);
	/* Write a whole copy of the committed state to fd.  NULL: cannot. */
	enum err_code (*copy)(struct store *s, int fd, struct err *reterr);
	void (*close)(struct store *s);
};
struct store {
	const struct store_ops *ops;
	bool broken; /* a commit failed: nothing is believed any more */
};
struct store_view {
	struct turn_view turn;
	struct store *store;
};

/* How much of the disk is free, and the reserve in `folder`. */
struct space {
	uint64_t free_bytes; /* UINT64_MAX: it cannot be seen */
	bool low;
};
void space_look(struct space *s, const char *folder);

/* A copy of the store in `folder`, which a running controller may hold: for `kedge-controller backup` from another
 * process. */
ERR_CHECK enum err_code lmdb_copy_folder(const char *folder, int fd, struct err *reterr);
/* A backup's data.mdb, to be read only: takes no lock and writes nothing, not even readers.  Nobody may be writing it.
 */
ERR_CHECK enum err_code lmdb_open_still(const char *folder, struct store **ret, struct err *reterr);

#endif
