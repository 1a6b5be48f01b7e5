/* agent/database/database.h: restore points of databases by the database's own tools, and the way back.
 *
 * First version: PostgreSQL.  A copy is made by pg_basebackup into a work folder and snapshotted from there
 * (ROOT_PREPARED, label "postgres"); the way back puts the tree beside the data directory, and swaps the two folders
 * while the server is stopped. Blocking; the worker's thread.  Every program has a deadline. */
#ifndef KEDGE_AGENT_DATABASE_DATABASE_H
#define KEDGE_AGENT_DATABASE_DATABASE_H

#include "agent/snapshot/snapshot.h"

#define DATABASE_LABEL "postgres"
enum {
	DATABASE_COPY_TIMEOUT_MS = 4 * 3600 * 1000, /* a terabyte at 70 MB/s */
};

/* snapshot_create() with databases: prepares what the service declares among o->components (o's sources must be empty),
 * takes the restore point, and removes the prepared copies.  work_directory is made if missing and is this function's
 * alone; the system user of the cluster must be able to reach it.  ERR_BUSY: another copy is being made. */
ERR_CHECK enum err_code database_snapshot(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, const char *work_directory, struct arena *arena, struct snapshot_summary *ret,
    struct err *reterr);
/* The same of a stopped database: its data directory as it lies there (a safety snapshot before it is replaced). */
ERR_CHECK enum err_code database_snapshot_stopped(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_summary *ret, struct err *reterr);

/* Put the database of a restore point beside the data directory, whole and durable; token tells several apart.
 * Repeating removes what an interrupted call left.  ERR_FULL: no room (1.2 times its size); ERR_UNSUPPORTED: the data
 * directory is a mount point.  After an error nothing is left behind. */
ERR_CHECK enum err_code database_stage(
    struct snapshot *s, const struct service_config *service, const char *token, struct err *reterr);
/* Is a server of this data directory running?  (a process of the server works in it, whatever the pid file says) */
bool database_running(const struct service_config *service);
/* Exchange data directory and staged tree, durably; where one of them is not there, the other takes its place.  The
 * server must be stopped: ERR_STATE.  Called again, it changes them back. */
ERR_CHECK enum err_code database_swap(const struct service_config *service, const char *token, struct err *reterr);
/* Remove what stands beside the data directory under this token. */
ERR_CHECK enum err_code database_discard(const struct service_config *service, const char *token, struct err *reterr);
bool database_staged(const struct service_config *service, const char *token);
/* Inode of the data directory (token NULL) or of what stands beside it; 0: not there. */
uint64_t database_inode(const struct service_config *service, const char *token);

#endif
