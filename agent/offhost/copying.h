/* agent/offhost/copying.h: what a run of copying is made of, shared by copy.c (which restore points, logs and marks),
 * put.c (objects into the store) and tell.c (the inventory of what was put).  Blocking; one thread. */
#ifndef KEDGE_AGENT_OFFHOST_COPYING_H
#define KEDGE_AGENT_OFFHOST_COPYING_H

#include "agent/offhost/place.h"
#include "agent/offhost/status.h"

struct flight {                     /* a pack that is on its way */
	char name[COPIED_NAME_MAX]; /* "": none */
	struct copied e;
	int fd;
	bool late; /* it came down otherwise than stored */
	struct bucket_ended ended;
};

struct copying {
	const struct offhost *o;
	struct repo *r;
	struct ledger *ledger;
	struct generation g;
	struct copy_result *result;
	struct random random;
	uint64_t logs_bad, logs_told; /* damaged files of logs: seen in this pass; told in this run */
	uint64_t inventory_ms;        /* when the last one was made in this run; 0: none was */
	struct flight flights[BUCKET_FLIGHTS];
	unsigned flying; /* of them: in the air */
};

static inline uint64_t copying_now(const struct copying *c)
{
	return c->o->now_ms(c->o->ctx);
}

/* ---- put.c ----
 *
 * An object is begun in the ledger, put, and stored in the ledger; what is stored already is not put again.  want: its
 * name, and of a manifest its packs.  ERR_STATE: somebody else writes there. */

/* Is what the ledger calls begun, or the store calls there, the same as what we have? */
ERR_CHECK enum err_code copying_has_arrived(struct copying *c, const struct copied *e, bool *ret, struct err *reterr);
ERR_CHECK enum err_code copying_put_bytes(
    struct copying *c, const struct copied *want, const void *data, size_t size, struct err *reterr);
/* A file of the repository, or of an archive, by its name there.  ERR_NOT_FOUND: pruned meanwhile. */
ERR_CHECK enum err_code copying_put_file(struct copying *c, const struct copied *want, struct err *reterr);
/* Several fly at a time: it is stored when copying_land_all() has succeeded.  ERR_CORRUPT: damaged here. */
ERR_CHECK enum err_code copying_put_pack(struct copying *c, struct pack_id pack, struct err *reterr);
/* All that fly, also after an error: what arrived is remembered. */
ERR_CHECK enum err_code copying_land_all(struct copying *c, struct err *reterr);

/* ---- tell.c ---- */

/* Is anything stored that no inventory tells? */
bool copying_any_new(const struct copying *c);
ERR_CHECK enum err_code copying_put_inventory(struct copying *c, struct err *reterr);

#endif
