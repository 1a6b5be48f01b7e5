/* agent/rollback/converge.h: make live trees equal a restore point, writing only what differs.
 *
 * Staging reads and authenticates everything that will be needed and writes it beside the live trees (a folder
 * `.kedge-…` on the file system of each root, named after token and root), while the service still runs; nothing live
 * changes.  Applying renames it into place, file by file, removes what was added, sets metadata that differs, and makes
 * it durable.  An interrupted apply is repaired by doing both again, towards the same restore point or another: the
 * difference is always computed anew, so the way there does not matter.
 *
 * Large files of data of which only a part differs are not written anew: that part is staged, and written over what it
 * replaces once nobody has the file open and nobody can open it (a lease; whoever has it open makes it be replaced
 * whole).  No log of the overwritten pages is kept, for both ends are in the repository, durable, before the first of
 * them is written: the restore point, and the one of what was there.  A crash half way leaves a file that is neither,
 * and the journal that says so; the difference is then computed anew and leads to one of the two.  Until then nobody
 * must use it, which is why code and configuration, that start by themselves at boot, are never written to in this way.
 *
 * Left alone: what the restore point left out, what agent.yaml excludes or never restores, who this host is
 * (machine-id, SSH host keys, /etc/kedge and the agent's own folder with its identity and journals), and folders that
 * only stay because they hold such.  Nothing is ever removed that was not seen by the comparison, but below a root that
 * the restore point names as absent. Paths are walked from each root with openat2(RESOLVE_BENEATH |
 * RESOLVE_NO_SYMLINKS): a symlink planted meanwhile leads nowhere. Blocking; one thread. */
#ifndef KEDGE_AGENT_ROLLBACK_CONVERGE_H
#define KEDGE_AGENT_ROLLBACK_CONVERGE_H

#include "agent/database/database.h"

enum {
	CONVERGE_CHANGES_MAX = 8 << 20, /* entries that differ: a whole tree of eight million can be put back */
	CONVERGE_EXCEPTIONS_KEPT = 8,   /* paths named in a result: a person reads them */
	CONVERGE_TOKEN_MAX = 64,        /* an order's id */
	CONVERGE_PATCH_LEAST = 1 << 20, /* bytes: a smaller file is written whole in the time that a lease takes */
};

struct converge; /* one staged difference */

struct converge_counts {
	uint64_t made, replaced, removed, metadata; /* as they were done, or (converge_compare) are to be done */
	uint64_t bytes;                             /* staged, or to be */
	uint64_t left;                              /* differ, and are left alone */
};

/* The folders of a database that stands still, in place of its exchange: where there is no room for a second one.  What
 * is there is in the repository, whole and durable (now), and is what the restore point is compared with: nothing is
 * read twice.  Whatever of large files differs is written into them; all that the restore point does not have goes. One
 * file without which the database does not start (last) goes first and comes last, when all else is durable: what lies
 * there half way is started by nobody. */
struct converge_database {
	const struct snapshot *now;
	struct list places; /* struct database_place: the data directory first */
	const char *last;   /* in the data directory */
	enum err_code (*before_last)(void *ctx, struct err *reterr); /* all else is in place, not yet durable */
	void *ctx;
};

/* Where and towards what; borrowed while the call, and for converge_stage() while its result lives. */
struct converge_spec {
	struct snapshot *snapshot;
	const struct service_config *service;
	uint32_t components; /* bits; a database is passed over (agent/database does those) but for: */
	const struct converge_database
	    *database;     /* only this is meant, and nothing else of components; NULL: all else */
	const char *token; /* names the staging folders */
	const char *own;   /* the agent's own folder: never put back; NULL: none */
	/* converge_stage(): what is there is saved on the same walk that compares: the first half of a restore point
	 * with these options (snapshot_begin()), in repo.  NULL: it is only looked at. */
	const struct snapshot_options *save;
	struct repo *repo;
	struct arena *arena; /* of save's result; lives on */
	/* What looks as it did when this was read needs no reading.  NULL: only the restore point tells. */
	const struct snapshot_taking *known;
	bool likely_same; /* converge_verify(): nothing is left alone, so that a digest may well tell all */
	snapshot_change_fn *on_change; /* every difference that will be dealt with; may be NULL */
	void *ctx;
};

/* Only look: *ret as in converge_counts. */
ERR_CHECK enum err_code converge_compare(
    const struct converge_spec *spec, struct converge_counts *ret, struct err *reterr);

/* Compare and stage; that it becomes durable may still be under way (converge_wait()).  ERR_FULL: not enough room (1.2
 * times what is needed).  ERR_CORRUPT names what cannot be trusted. After any error nothing was changed and nothing is
 * left behind. */
ERR_CHECK enum err_code converge_stage(const struct converge_spec *spec, struct converge **ret, struct err *reterr);
/* Compare once more (the service has stopped now) and stage what has come to differ since.  After an error:
 * converge_free(). */
ERR_CHECK enum err_code converge_refresh(struct converge *c, struct err *reterr);
/* Keep what spec.save began: the second half; then stage the parts of large files.  ERR_STATE: nothing was begun. */
ERR_CHECK enum err_code converge_save(struct converge *c, struct snapshot_summary *ret, struct err *reterr);
/* What was read then, for spec.known; the caller's from now on.  NULL: nothing that could be compared with. */
struct snapshot_taking *converge_take_known(struct converge *c);
/* Is everything that will be touched still as it was saved?  By all that inodes tell, so this is quick; what will not
 * be touched is left to the proof.  False also where this cannot be told. */
bool converge_is_still(const struct converge *c);
/* Until what was staged, or applied, is durable. */
ERR_CHECK enum err_code converge_wait(struct converge *c, struct err *reterr);
const struct converge_counts *converge_counts(const struct converge *c);
const struct diff_result *converge_live(const struct converge *c); /* of the last comparison */
/* The service as it is compared: our own staging folders left out. */
const struct service_config *converge_service(const struct converge *c);
bool converge_is_empty(const struct converge *c); /* there is nothing to do */
/* After an error the live trees are in between: stage and apply again, here or towards another restore point.  They are
 * durable, and what was replaced is gone, only after converge_wait(). */
ERR_CHECK enum err_code converge_apply(struct converge *c, struct err *reterr);
/* What an apply replaced or removed goes by way of the staging folders, where whoever still uses it is seen to use it:
 * its path, below the root, by its name there.  NULL: it is no such. */
const char *converge_replaced(const struct converge *c, const char *folder, const char *name);
/* Removes the staging folders, applied or not. */
void converge_free(struct converge *c); /* NULL is a no-op */
/* Remove what an interrupted run of this token left beside the roots of the restore point. */
ERR_CHECK enum err_code converge_clean(const struct converge_spec *spec, struct err *reterr);

/* Do the live trees equal the restore point in everything that is not left alone?  Every file is one of two: read and
 * digested now (all that was written is, for its inode is new or its change time is), or known by size, mtime, ctime
 * and inode to be what was read when spec.known was (or, in turn, the restore point that that leant on). */
struct converge_check {
	bool equal;
	uint64_t differences, left;
	char difference[TEXT_LINE_MAX]; /* the first one */
	char exceptions[TEXT_LINE_MAX]; /* those left alone that never_restore names, up to CONVERGE_EXCEPTIONS_KEPT; ""
					   for none */
	struct diff_result live;
};
ERR_CHECK enum err_code converge_verify(
    const struct converge_spec *spec, struct converge_check *ret, struct err *reterr);

#endif
