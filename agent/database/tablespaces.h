/* agent/database/tablespaces.h: the tablespaces of a PostgreSQL cluster: folders elsewhere that pg_tblspc/<oid> of the
 * data directory points to.
 *
 * What belongs to a cluster there is one folder, LOCATION/PG_<major>_<catalogue>; what else lies beside it is somebody
 * else's and stays.  In a restore point it is a root of its own, labelled TABLESPACE_LABEL<oid>/<that folder's name>;
 * where it belongs, the restore point's own symlink tells.  Where a cluster is put back by an exchange, so is each of
 * these folders, with one beside it (its name and a suffix), by a list that is durable before the first of them
 * (`<staged data directory>.spaces`) and after the data directory's own rules: killed anywhere, the same call goes on.
 * Blocking; one thread. */
#ifndef KEDGE_AGENT_DATABASE_TABLESPACES_H
#define KEDGE_AGENT_DATABASE_TABLESPACES_H

#include "agent/snapshot/snapshot.h"

#define TABLESPACE_LABEL "postgres-tablespaces/"
enum {
	TABLESPACES_MAX = 200,          /* of one cluster: roots of a restore point are at most 260 */
	TABLESPACES_FILE_MAX = 2 << 20, /* the list of an exchange: two of these, of the longest paths */
	TABLESPACE_MAP_MAX = 64 << 10,  /* bytes of tablespace_map */
};

struct tablespace { /* strings in an arena */
	const char *oid, *location;
	const char *folder; /* LOCATION/PG_15_202209061, with the suffix that was asked for */
	const char *label;
	uint32_t root; /* in a restore point */
	uint64_t bytes, entries;
};

/* Those of the data directory at data, whose own folders end with suffix ("": as the server has them); *ret: struct
 * tablespace.  ERR_UNSUPPORTED: one lies in the data directory; ERR_NOT_FOUND: one is not there (is its disk mounted?).
 */
ERR_CHECK enum err_code tablespaces_of(
    const char *data, const char *suffix, struct arena *arena, struct list *ret, struct err *reterr);
/* Those of a restore point, as it says itself; s NULL: none.  ERR_CORRUPT: one without a symlink. */
ERR_CHECK enum err_code tablespaces_in(
    const struct snapshot *s, struct arena *arena, struct list *ret, struct err *reterr);
/* ".kedge-TOKEN" of the path of a staged data directory; "" of any other. */
const char *tablespaces_suffix(const char *data);

/* ---- beside, and exchanged ---- */

/* What the restore point has is put beside, whole and durable, and the list of what will be exchanged with what is
 * made.  other: where its data directory is going to be staged. */
ERR_CHECK enum err_code tablespaces_stage(
    struct snapshot *s, const char *data, const char *other, struct arena *arena, struct err *reterr);
/* There is something to exchange. */
bool tablespaces_listed(const char *other);
/* In the same direction as the data directory, which follows: here and there are the inodes that tell the two apart,
 * now.  No list: done.  After an error: the same again, or tablespaces_back(). */
ERR_CHECK enum err_code tablespaces_swap(const char *other, uint64_t here, uint64_t there, struct err *reterr);
/* Each is as it was when the exchange began; *ret_theirs: the data directory (inode here) is not, yet. */
ERR_CHECK enum err_code tablespaces_back(const char *other, uint64_t here, bool *ret_theirs, struct err *reterr);
/* What stands beside goes, and the list. */
ERR_CHECK enum err_code tablespaces_discard(const char *other, struct err *reterr);

/* ---- elsewhere ---- */

/* box/postgres and box/postgres-tablespaces/<oid> were restored there: the one points to the other. */
ERR_CHECK enum err_code tablespaces_relocate(const char *box, struct err *reterr);
/* A map as pg_backup_stop() gives it, with each location that is below box now; pure.  ERR_CORRUPT: no such map. */
ERR_CHECK enum err_code tablespaces_map(const char *map, const char *box, struct buf *out, struct err *reterr);
/* Locations that had to be made belong to the cluster's user. */
ERR_CHECK enum err_code tablespaces_own(const char *data, struct err *reterr);

#endif
