/* agent/database/internal.h: what the files of this folder share. */
#ifndef KEDGE_AGENT_DATABASE_INTERNAL_H
#define KEDGE_AGENT_DATABASE_INTERNAL_H

#include <stdatomic.h>

#include "agent/database/database.h"
#include "agent/database/outline.h"
#include "agent/database/wal.h"
#include "agent/io/process.h"

struct stat;
struct outline;

enum {
	POSTGRES_ANSWER_MS = 60 * 1000,       /* a question that reads no table */
	POSTGRES_CHECKPOINT_MS = 3600 * 1000, /* a fast checkpoint of very much memory on a very slow disk */
	POSTGRES_PAGES = 2, /* of 8 KiB in a chunk: what one changed page costs, against what a chunk costs */
	POSTGRES_LABEL_MAX = 64 << 10, /* bytes of a backup label or a map of tablespaces */
};
#define POSTGRES_END_LABEL "postgres-end" /* the second root: what was made when everything else had been read */

/* ---- one kind of database; everything in database.c is the same for all ---- */

struct adapter_job { /* what a copy is made by; borrowed */
	struct repo *repo;
	const struct service_config *service;
	const struct snapshot_options *o;
	const char *work; /* a folder of the adapters' own */
	struct arena *arena;
};
struct adapter {
	const char *label;   /* of the root that becomes the database's place */
	bool by_contents;    /* where its folder is a mount point, what is in it is exchanged (contents.h) */
	const char *program; /* how the names of its server's processes begin; NULL: any process counts */
	/* Of one that may be running. */
	enum err_code (*snapshot)(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr);
	/* Of one that stands still, at path: its place, or what was set aside from there. */
	enum err_code (*snapshot_still)(
	    const struct adapter_job *j, const char *path, struct snapshot_summary *ret, struct err *reterr);
	/* box/<label> is restored: make it what can take the place.  NULL: it is. */
	enum err_code (*assemble)(const char *box, struct err *reterr);
	/* Which roots of it go into box with it, by path (paths, NULL-ended, in arena); and all else of it beside its
	 * own places.  NULL: all do. */
	enum err_code (*stage_else)(struct snapshot *s, const char *place, const char *other, struct arena *arena,
	    const char *const **ret_paths, struct err *reterr);
	/* All else of it, and its way back (tablespaces.h): is there anything; in the direction in which the two are
	 * about to be exchanged, by their inodes; as it was.  NULL: nothing. */
	bool (*else_listed)(const char *other);
	enum err_code (*swap_else)(const char *other, uint64_t here, uint64_t there, struct err *reterr);
	enum err_code (*else_back)(const char *other, uint64_t here, bool *ret_theirs, struct err *reterr);
	/* Bytes and entries of it on other file systems than place's are not counted.  NULL: all are there. */
	enum err_code (*room)(
	    const struct snapshot *s, const char *place, uint64_t *bytes, uint64_t *entries, struct err *reterr);
	/* Nothing runs: make place ready to be exchanged with what stands at other, and after the exchange clean up.
	 * NULL: nothing to do. */
	enum err_code (*before_swap)(const char *place, const char *other, struct err *reterr);
	enum err_code (*after_swap)(const char *place, const char *other, struct err *reterr);
	/* box/<label> is restored, in nobody's way: does it run there?  And the end of what an earlier one left
	 * running.  NULL: not done. */
	enum err_code (*trial)(
	    const struct service_config *s, const char *box, const atomic_bool *cancel, struct err *reterr);
	enum err_code (*trial_end)(const struct service_config *s, const char *box, struct err *reterr);
	/* Where its roots belong (database_places()), and what comes last; NULL: it is never put back in place. */
	enum err_code (*places)(const struct snapshot *s, const struct snapshot *now,
	    const struct service_config *service, struct arena *arena, struct list *ret, struct err *reterr);
	const char *last;
	/* Its outline (outline.h): files, and what it says of itself within OUTLINE_ASK_MS (some lines may have been
	 * added when that ends with an error).  NULL: it has none. */
	enum err_code (*outline_files)(const struct service_config *s, struct outline *o, struct err *reterr);
	enum err_code (*outline_catalogues)(const struct service_config *s, struct outline *o, struct err *reterr);
	/* Removes what goes with what was set aside; NULL: nothing. */
	enum err_code (*discard)(const char *other, struct err *reterr);
};
extern const struct adapter adapter_postgres, adapter_sqlite, adapter_redis, adapter_mariadb, adapter_exec;
/* NULL: this service has no database. */
const struct adapter *adapter_of(const struct service_config *s);
const char *adapter_place(const struct service_config *s);
/* Its folder is a mount point, and what is in it is exchanged (contents.h). */
bool adapter_by_contents(const struct service_config *s);
/* Where a tree of this token stands beside it. */
ERR_CHECK enum err_code adapter_beside(
    const struct service_config *s, const char *token, char out[PATH_LIMIT], struct err *reterr);

/* <work>/<service>, empty, owned as like is; the lock keeps others out while *ret_lock is open. */
ERR_CHECK enum err_code adapter_folder(
    const struct adapter_job *j, const char *like, char out[PATH_LIMIT], int *ret_lock, struct err *reterr);
/* The options of j with these sources. */
ERR_CHECK enum err_code adapter_take(const struct adapter_job *j, const struct snapshot_source *sources, size_t count,
    struct snapshot_summary *ret, struct err *reterr);
/* Removes folder after rc; an error of that is an error only after ERR_OK. */
ERR_CHECK enum err_code adapter_done(enum err_code rc, const char *folder, struct err *reterr);

/* NULL: this service has none. */
const struct postgres_config *postgres_of(const struct service_config *s);

/* ---- hooks.c: what stood frozen when its watchdog died too ---- */

ERR_CHECK enum err_code hooks_thaw_leftover(const char *work, const struct service_config *service, struct err *reterr);

/* ---- tree.c ---- */

ERR_CHECK enum err_code tree_remove(
    const char *path, struct err *reterr); /* that of a path that is not there is done */
void tree_parent(const char *path, char out[PATH_LIMIT]);
/* "%s/%s"; ERR_LIMIT. */
ERR_CHECK enum err_code tree_join(const char *folder, const char *name, char out[PATH_LIMIT], struct err *reterr);
/* file_read() below a data directory, whose owner may put anything there at any moment: a regular file only, and nobody
 * is waited for.  ERR_UNSUPPORTED: it is none. */
ERR_CHECK enum err_code tree_read(const char *path, size_t limit_bytes, struct buf *out, struct err *reterr);
/* file_replace() where nobody sweeps (beside a data directory, or in it): by the one name PATH.new, so that what an
 * interrupted call left is taken by the next one, and goes with tree_unname().  It belongs to whom owner says, from its
 * first moment under this name; NULL: to us. */
ERR_CHECK enum err_code tree_replace(
    const char *path, const void *data, size_t size_bytes, const struct stat *owner, struct err *reterr);
/* A file that tree_replace() made, or was making; its being gone is not durable. */
ERR_CHECK enum err_code tree_unname(const char *path, struct err *reterr);

/* ---- postgres_session.c: programs of a cluster, and a conversation with its server ---- */

/* A spec for program of its bin_directory with these arguments (NULL-ended): who it runs as, and through what. */
struct postgres_call {
	const char *argv[PROCESS_ARGV_MAX];
	char path[PATH_LIMIT];
	struct process_spec spec;
};
ERR_CHECK enum err_code postgres_call(const struct postgres_config *pg, const char *program, const char *const *args,
    struct postgres_call *ret, struct err *reterr);

struct postgres_session;
/* ERR_UNREACHABLE with the server's or psql's own words. */
ERR_CHECK enum err_code postgres_session_new(
    const struct postgres_config *pg, struct postgres_session **ret, struct err *reterr);
/* In another database than `postgres`: its name without blanks, quotes and backslashes. */
ERR_CHECK enum err_code postgres_session_in(
    const struct postgres_config *pg, const char *database, struct postgres_session **ret, struct err *reterr);
void postgres_session_free(struct postgres_session *s); /* NULL is a no-op */
CLEANUP_DEFINE(struct postgres_session, postgres_session_cleanup, postgres_session_free)
/* The first row's columns, separated by '|', without the end of the line; "" for none. */
ERR_CHECK enum err_code postgres_ask(
    struct postgres_session *s, const char *sql, uint64_t timeout_ms, struct buf *ret, struct err *reterr);

/* ---- postgres_control.c: the control file of a data directory ---- */

struct postgres_control {
	uint64_t system, redo; /* redo: where recovery would begin */
	uint32_t timeline;
	bool shut_down; /* cleanly, as a server that writes */
	bool writes;    /* it has ended whatever it had to replay, and runs; or did when it was lost */
};
/* ERR_UNSUPPORTED: of a version whose control file is laid out otherwise. */
ERR_CHECK enum err_code postgres_control_read(
    const char *data_directory, struct postgres_control *ret, struct err *reterr);
/* The size of the segments in its pg_wal. */
ERR_CHECK enum err_code postgres_segment_size(const char *data_directory, uint32_t *ret, struct err *reterr);

/* ---- postgres_base.c, postgres_cold.c ---- */

enum err_code postgres_snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr);
enum err_code postgres_snapshot_still(
    const struct adapter_job *j, const char *data, struct snapshot_summary *ret, struct err *reterr);
/* The two roots of a base copy, restored into box, become the one data directory box/postgres, which
 * finds its tablespaces in box where they were restored into it too. */
enum err_code postgres_assemble(const char *box, struct err *reterr);
/* A base copy in data brings the log that it needs along, its last segment only as far as that.  Nobody archives these
 * under the names of the server that wrote them, which does so itself: they are marked as done (as pg_basebackup marks
 * them).  Of anything else nothing is marked. */
ERR_CHECK enum err_code postgres_log_is_archived(const char *data, struct err *reterr);
/* These, and one a tablespace (struct tablespace), as live as the first. */
ERR_CHECK enum err_code postgres_sources(const struct snapshot_source *own, size_t own_count,
    const struct list *tablespaces, const struct list *exclude, struct arena *arena, struct snapshot_source **ret,
    size_t *ret_count, struct err *reterr);

/* ---- postgres_places.c ---- */

ERR_CHECK enum err_code postgres_places(const struct snapshot *s, const struct snapshot *now,
    const struct service_config *service, struct arena *arena, struct list *ret, struct err *reterr);

/* How much of it comes to lie on place's file system; ERR_FULL: a tablespace has no room on its own. */
ERR_CHECK enum err_code postgres_room(
    const struct snapshot *s, const char *place, uint64_t *bytes, uint64_t *entries, struct err *reterr);

/* ---- outline_files.c: lines of files ---- */

#define OUTLINE_CATALOGUES "sql/" /* keys of lines that a server told begin with this */
struct outline_files {
	const char *data; /* the folder that they lie in */
	struct outline *o;
	size_t looked_at;
};
/* "data/NAME", "CONTENT SPACE owner and mode". */
ERR_CHECK enum err_code outline_file(
    struct outline_files *f, const char *name, const char *content, const struct stat *st, struct err *reterr);
/* A folder of files that change: whether there are any, those (names: NULL-ended) that it cannot do without, and all
 * their owners and modes. */
ERR_CHECK enum err_code outline_folder(
    struct outline_files *f, const char *name, const char *const *needed, struct err *reterr);

/* ---- postgres_outline.c ---- */

ERR_CHECK enum err_code postgres_outline_files(const struct service_config *s, struct outline *o, struct err *reterr);
ERR_CHECK enum err_code postgres_outline_catalogues(
    const struct service_config *s, struct outline *o, struct err *reterr);

/* ---- sqlite_outline.c, mariadb_outline.c ---- */

ERR_CHECK enum err_code sqlite_outline_files(const struct service_config *s, struct outline *o, struct err *reterr);
/* ERR_BUSY: it was written to meanwhile. */
ERR_CHECK enum err_code sqlite_outline_catalogues(
    const struct service_config *s, struct outline *o, struct err *reterr);
ERR_CHECK enum err_code mariadb_outline_files(const struct service_config *s, struct outline *o, struct err *reterr);
ERR_CHECK enum err_code mariadb_outline_catalogues(
    const struct service_config *s, struct outline *o, struct err *reterr);

/* ---- postgres_trial.c ---- */

ERR_CHECK enum err_code postgres_trial(
    const struct postgres_config *pg, const char *box, const atomic_bool *cancel, struct err *reterr);
ERR_CHECK enum err_code postgres_trial_end(const struct postgres_config *pg, const char *box, struct err *reterr);

#endif
