/* agent/database/internal.h: what the files of this folder share. */
#ifndef KEDGE_AGENT_DATABASE_INTERNAL_H
#define KEDGE_AGENT_DATABASE_INTERNAL_H

#include "agent/database/database.h"
#include "agent/database/wal.h"
#include "agent/io/process.h"

enum {
	POSTGRES_ANSWER_MS = 60 * 1000,       /* a question that reads no table */
	POSTGRES_CHECKPOINT_MS = 3600 * 1000, /* a fast checkpoint of very much memory on a very slow disk */
	POSTGRES_PAGES = 2,                   /* of 8 KiB in a chunk: what one changed page costs, against what a chunk costs */
	POSTGRES_LABEL_MAX = 64 << 10,        /* bytes of a backup label or a map of tablespaces */
};
#define POSTGRES_END_LABEL "postgres-end" /* the second root: what was made when everything else had been read */

/* NULL: this service has none. */
const struct postgres_config *postgres_of(const struct service_config *s);

/* ---- tree.c ---- */

ERR_CHECK enum err_code tree_remove(const char *path, struct err *reterr); /* that of a path that is not there is done */
void tree_parent(const char *path, char out[PATH_LIMIT]);
/* "%s/%s"; ERR_LIMIT. */
ERR_CHECK enum err_code tree_join(const char *folder, const char *name, char out[PATH_LIMIT], struct err *reterr);

/* ---- postgres_session.c: programs of a cluster, and a conversation with its server ---- */

/* A spec for program of its bin_directory with these arguments (NULL-ended): who it runs as, and through what. */
struct postgres_call {
	const char *argv[PROCESS_ARGV_MAX];
	char path[PATH_LIMIT];
	struct process_spec spec;
};
ERR_CHECK enum err_code postgres_call(const struct postgres_config *pg, const char *program, const char *const *args, struct postgres_call *ret,
    struct err *reterr);

struct postgres_session;
/* ERR_UNREACHABLE with the server's or psql's own words. */
ERR_CHECK enum err_code postgres_session_new(const struct postgres_config *pg, struct postgres_session **ret, struct err *reterr);
void postgres_session_free(struct postgres_session *s); /* NULL is a no-op */
CLEANUP_DEFINE(struct postgres_session, postgres_session_cleanup, postgres_session_free)
/* The first row's columns, separated by '|', without the end of the line; "" for none. */
ERR_CHECK enum err_code postgres_ask(struct postgres_session *s, const char *sql, uint64_t timeout_ms, struct buf *ret, struct err *reterr);

/* ---- postgres_control.c: the control file of a data directory ---- */

struct postgres_control {
	uint64_t system, redo; /* redo: where recovery would begin */
	uint32_t timeline;
	bool shut_down;        /* cleanly, as a server that writes */
};
/* ERR_UNSUPPORTED: of a version whose control file is laid out otherwise. */
ERR_CHECK enum err_code postgres_control_read(const char *data_directory, struct postgres_control *ret, struct err *reterr);
/* The size of the segments in its pg_wal. */
ERR_CHECK enum err_code postgres_segment_size(const char *data_directory, uint32_t *ret, struct err *reterr);

/* ---- postgres_base.c ---- */

ERR_CHECK enum err_code postgres_snapshot(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    const char *work_directory, struct arena *arena, struct snapshot_summary *ret, struct err *reterr);
/* data: the data directory, or one that was set aside. */
ERR_CHECK enum err_code postgres_snapshot_stopped(struct repo *r, const struct service_config *service, const struct snapshot_options *o,
    const char *data, struct arena *arena, struct snapshot_summary *ret, struct err *reterr);
/* The two roots of a base copy, restored into box, become the one data directory box/postgres. */
ERR_CHECK enum err_code postgres_assemble(const char *box, struct err *reterr);

#endif
