/* agent/database/database.h: restore points of databases by the database's own means, and the way back.
 *
 * PostgreSQL, SQLite, Redis, MariaDB, and any other by hooks: one adapter a kind (internal.h).  A copy is read in a
 * state that the database can be started from, without stopping it.  The way back puts the copy beside the live files,
 * whole and durable, and exchanges the two while nothing runs; what was there stays beside until it is saved or put
 * back.  A PostgreSQL cluster whose log is archived (wal.h) can be brought to any moment between.  Blocking; the
 * worker's thread.  Every program and every question has a deadline. */
#ifndef KEDGE_AGENT_DATABASE_DATABASE_H
#define KEDGE_AGENT_DATABASE_DATABASE_H

#include <stdatomic.h>

#include "agent/snapshot/snapshot.h"

#define DATABASE_LABEL "postgres"
enum {
	DATABASE_SETTLE_MS = 4 * 3600 * 1000, /* replaying a very long log */
	DATABASE_FLUSH_MS = 30 * 1000,        /* until the server has archived what it has written so far */
};

/* ---- a moment: what a database may be brought back to between two restore points ---- */

enum moment_kind { MOMENT_TIME, MOMENT_LSN, MOMENT_XID, MOMENT_NAME };
struct database_moment {
	enum moment_kind kind;
	uint64_t value;    /* unix milliseconds, LSN, or transaction */
	const char *name;  /* of a restore point that pg_create_restore_point() made */
	uint32_t timeline; /* 0: that which was live at the time; of other kinds that which is live now */
};
struct database_recovery { /* in an arena */
	struct id base;    /* the restore point that it begins with */
	uint32_t timeline;
	const char *settings; /* for database_stage */
	const char *text;     /* for people */
};
/* Which restore point and which timeline lead there, after asking a server that runs to archive what it has written.
 * Nothing is stopped or changed.  ERR_NOT_FOUND: it cannot be reached, and why (before the first restore point, beyond
 * the end of the archive, in a gap); ERR_UNSUPPORTED: no archive is declared. */
ERR_CHECK enum err_code database_reach(struct repo *r, const char *state_directory,
    const struct service_config *service, const struct database_moment *moment, uint64_t now_ms, struct arena *arena,
    struct database_recovery *ret, struct err *reterr);

/* snapshot_create() with databases: prepares what the service declares among o->components (o's sources must be empty),
 * takes the restore point, and removes the prepared copies.  work_directory is made if missing and is this function's
 * alone; the system user of the cluster must be able to reach it.  ERR_BUSY: another copy is being made. */
ERR_CHECK enum err_code database_snapshot(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr);
/* The same of a stopped database: its data directory as it lies there (a safety snapshot before it is replaced). */
ERR_CHECK enum err_code database_snapshot_stopped(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr);
/* The same of what stands beside the data directory under this token: after a swap what was there before, while the
 * server runs again. */
ERR_CHECK enum err_code database_snapshot_aside(struct repo *r, const struct service_config *service, const char *token,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr);
/* A database that was frozen by its hooks, and whose watchdog died with everything else: thaw it.  At every start, and
 * before every copy. */
ERR_CHECK enum err_code database_thaw_leftover(
    const char *work_directory, const struct service_config *service, struct err *reterr);

/* ---- the archive of its log (wal.h); a service without one is done at once ---- */

struct wal_status;
/* Made at the first call, which must be by somebody who may read the repository; its files belong to the cluster's
 * user. */
ERR_CHECK enum err_code database_archive_make(
    struct repo *r, const char *state_directory, const struct service_config *service, struct err *reterr);
/* There is a restore point of it now: what is not archived from here on is missed. */
ERR_CHECK enum err_code database_archive_based(
    const char *state_directory, const struct service_config *service, uint64_t now_ms, struct err *reterr);
/* ERR_UNSUPPORTED: it declares none; ERR_NOT_FOUND: not made yet. */
ERR_CHECK enum err_code database_archive_status(const char *state_directory, const struct service_config *service,
    uint64_t now_ms, struct arena *arena, struct wal_status *ret, struct err *reterr);
/* After a prune: segments that nothing needs any more (wal_needed_from()). */
ERR_CHECK enum err_code database_archive_sweep(struct repo *r, const char *state_directory,
    const struct service_config *service, uint64_t now_ms, struct arena *arena, struct err *reterr);

/* ---- there and back ---- */

/* Put the database of a restore point beside the data directory, whole and durable; token tells several apart.
 * settings (database_recovery; NULL: none): replay the archive from there.  Without, a cluster with an archive begins a
 * new timeline where the restore point ends, for what the old one wrote later is archived under the old one's names
 * already. Where the data directory is a mount point it is put into it, and what is in the two is exchanged
 * (contents.h): PostgreSQL only. Repeating removes what an interrupted call left.  ERR_FULL: no room (1.2 times its
 * size); ERR_UNSUPPORTED: the data directory of another kind is a mount point.  After an error nothing is left behind.
 */
ERR_CHECK enum err_code database_stage(struct snapshot *s, const char *state_directory,
    const struct service_config *service, const char *token, const char *settings, struct err *reterr);
/* After the start: wait until the server has replayed what it was told to and writes again, and take back what it was
 * told.  ERR_STATE: it stopped before, or lost its target. */
ERR_CHECK enum err_code database_settle(const struct service_config *service, struct err *reterr);
/* Somebody started it while we were not looking, and it replays what we had told it to: it is let come to the end of
 * that (as database_settle()).  Stopped in the last moment of it, PostgreSQL starts without its target, and replays
 * whatever of the log lies there. */
void database_before_stop(const struct service_config *service);
/* One that stands still and was stopped in that moment all the same (a start that nobody waited for any more went on
 * behind our back) is told its target again. */
ERR_CHECK enum err_code database_before_start(const struct service_config *service, struct err *reterr);
/* Is a server of this data directory running?  (a process of the server works in it, whatever the pid file says) */
bool database_running(const struct service_config *service);
/* Exchange data directory and staged tree, durably; where one of them is not there, the other takes its place.  The
 * server must be stopped: ERR_STATE.  Called again, it changes them back.  Where that takes more than one rename no
 * server starts from it meanwhile, whoever starts it (guard.h); killed, the same call goes on in the same direction;
 * after an error all is as it was, or, if even that fails, still guarded: database_swap_undo(), or the same again. */
ERR_CHECK enum err_code database_swap(const struct service_config *service, const char *token, struct err *reterr);
/* Of a swap that was not gone through with: what was in place before is, and may start.  Not begun: ERR_OK. */
ERR_CHECK enum err_code database_swap_undo(const struct service_config *service, const char *token, struct err *reterr);
/* A swap stands half way: no server starts there until it is ended, or undone. */
bool database_is_shut(const struct service_config *service);
/* Remove what stands beside the data directory under this token. */
ERR_CHECK enum err_code database_discard(const struct service_config *service, const char *token, struct err *reterr);
bool database_staged(const struct service_config *service, const char *token);
/* Inode of the data directory (token NULL) or of what stands beside it; 0: not there. */
uint64_t database_inode(const struct service_config *service, const char *token);

/* ---- in place, where there is no room for a second one ---- */

#define DATABASE_NO_ROOT UINT32_MAX
/* Where a root of a restore point of a database belongs.  The data directory's is the first. */
struct database_place {
	const char *path;
	uint32_t root; /* of the restore point; DATABASE_NO_ROOT: it has none there, and what is there goes */
	uint32_t
	    now_root; /* of the restore point of what is there now, with the same content; DATABASE_NO_ROOT: none */
	bool over;    /* its entries go before those of the place before it */
};
enum database_way { DATABASE_BESIDE, DATABASE_IN_PLACE };
/* How it can be put back: beside, and exchanged, where there is room for that; else in place, and why (text, of
 * TEXT_LINE_MAX bytes). Errors as of database_stage(); ERR_STATE: it follows another server now, and would become a
 * second one that writes. */
ERR_CHECK enum err_code database_choose(const struct snapshot *s, const struct service_config *service,
    enum database_way *ret, char *text, struct err *reterr);
/* It was exchanged with what stands beside under this token: whole, and yet not where it was.  text: of TEXT_LINE_MAX
 * bytes, for people; "": all is. */
void database_moved(const struct service_config *service, const char *token, char *text);
/* *ret: struct database_place.  now: a restore point of what is there, or NULL. */
ERR_CHECK enum err_code database_places(const struct snapshot *s, const struct snapshot *now,
    const struct service_config *service, struct arena *arena, struct list *ret, struct err *reterr);
/* What it does not start without, in its first place. */
const char *database_last(const struct service_config *service);
/* What database_stage() would tell the server without settings; *ret NULL: nothing. */
ERR_CHECK enum err_code database_settings(const struct snapshot *s, const char *state_directory,
    const struct service_config *service, struct arena *arena, const char **ret, struct err *reterr);
/* Its files are in place: what it is told goes with them.  settings NULL: nothing. */
ERR_CHECK enum err_code database_settle_in_place(
    const char *state_directory, const struct service_config *service, const char *settings, struct err *reterr);

/* ---- elsewhere ---- */

/* The database component of a restore point was restored into box, whole: what of it is not yet what its server can be
 * started from becomes that, durably; its tablespaces lie in box.  What runs elsewhere is not touched. */
ERR_CHECK enum err_code database_assemble(const char *box, struct err *reterr);

/* ---- practised ---- */

/* The database component of a restore point was restored into box, which is in nobody's way and which its system user
 * can come to: start it there, out of everybody's reach (no network, no archiving, no replication), ask it what the
 * service declares (`prove`), end it. *ret_tried: false for a kind that is not tried.  What is in box is changed by it.
 * ERR_STATE: it does not run, or answers wrongly. */
ERR_CHECK enum err_code database_try(const struct service_config *service, const char *box, const atomic_bool *cancel,
    bool *ret_tried, struct err *reterr);
/* Before box is removed: ends what a killed database_try() left running there.  ERR_BUSY: it did not end. */
ERR_CHECK enum err_code database_try_end(const struct service_config *service, const char *box, struct err *reterr);

#endif
