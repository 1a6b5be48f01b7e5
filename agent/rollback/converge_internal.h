/* agent/rollback/converge_internal.h: what converge*.c share. */
#ifndef KEDGE_AGENT_ROLLBACK_CONVERGE_INTERNAL_H
#define KEDGE_AGENT_ROLLBACK_CONVERGE_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "agent/rollback/converge.h"
#include "agent/rollback/site.h"
#include "shared/base/arena.h"
#include "shared/base/map.h"

struct change {
	enum change_kind kind;
	struct site *site;  /* its root */
	char *path;         /* below the root; "" is the root itself */
	bool directory;     /* what the restore point has there */
	bool was_directory; /* what is there now */
	bool sparse;
	uint64_t link; /* hard link group, or 0 */
	uint64_t size;
	uint64_t staged;   /* its name in the staging folder of its root; 0: nothing is staged */
	bool last;         /* out first, in when all else is durable */
	uint64_t part;     /* bytes of that part, where it was measured; 0: not */
	bool patch;        /* a large file of which a part may do; that part is staged once what is there is saved */
	struct buf ranges; /* the part (struct snapshot_range); not empty: what is staged is that, at its places */
};
struct changes {
	struct change *items;
	size_t count, room;
	struct map *by_path; /* key_of() -> 1 + index */
};

/* One syncfs a file system, on a thread of its own. */
struct sync_job {
	bool running, threaded;
	pthread_t thread;
	int *fds;
	uint64_t *mounts; /* of each */
	size_t count;
	int failed; /* errno; 0: none did */
};

/* Staging folders that nothing is needed of any more, on a thread of its own: giving back the room of what was replaced
 * takes a file system longer than all else. */
struct clear_job {
	bool running, threaded;
	pthread_t thread;
	struct site *sites; /* copies, without descriptors */
	size_t count;
	enum err_code rc;
	struct err err;
};

struct converge {
	struct converge_spec spec;
	struct arena *arena;           /* of service and its lists */
	struct service_config service; /* as configured, and leaving our own folders out */
	struct site *sites;
	size_t site_count;
	struct changes changes;
	struct snapshot_taking *taking;      /* what spec.save began */
	const struct snapshot_taking *known; /* that, or spec.known; NULL where it cannot be compared with */
	bool just_read;                      /* while the differences are those to what was just read */
	struct sync_job sync;
	struct clear_job clear;
	struct map *staged_links; /* link_key -> struct staged_link */
	uint64_t last_staged;
	struct converge_counts counts;
	struct diff_result live;
	char exceptions[TEXT_LINE_MAX]; /* paths that never_restore names and that differ */
	unsigned exception_count;
	bool failed; /* out of memory while collecting */
};

/* converge_compare.c */
ERR_CHECK enum err_code converge_new(const struct converge_spec *spec, struct converge **ret, struct err *reterr);
/* Collects what is to be dealt with into c->changes (names of hard links completed), counts what is left alone.
 * just_read: by what c->taking has read, where that can be compared with. */
ERR_CHECK enum err_code converge_collect(struct converge *c, bool just_read, struct err *reterr);
void changes_done(struct changes *all);
struct change *changes_add(struct changes *all, struct site *site, const char *path); /* NULL: out of memory */
void change_describe(struct change *ch, const struct snapshot_entry *before, const struct snapshot_entry *after);
/* converge_database.c: the sites of a database, and what differs. */
size_t converge_database_sites(const struct converge *c);
ERR_CHECK enum err_code converge_database_add(struct converge *c, struct err *reterr);
ERR_CHECK enum err_code converge_database_collect(struct converge *c, struct err *reterr);
/* What is known to lie there, by what was read; is it that still? */
bool converge_known(const struct converge *c, const struct change *ch, struct snapshot_entry *ret);
bool converge_still(const struct converge *c, const struct change *ch, int dirfd, const char *name);
struct change *changes_find(const struct changes *all, const struct site *site, const char *path);
/* The restore point's entry of a change. */
bool change_entry(const struct converge *c, const struct change *ch, struct snapshot_entry *ret);
static inline bool change_needs_stage(const struct change *ch)
{
	return (ch->kind == CHANGE_REMOVED || ch->kind == CHANGE_CONTENT) && !ch->directory;
}

/* converge_sync.c: begins to make the file systems of the sites durable: those of their staging folders, or of the
 * trees. An error: not begun. */
ERR_CHECK enum err_code converge_sync_begin(struct converge *c, bool stages, struct err *reterr);
/* Removes the staging folders that lie in what is put back: that shows in the time of what holds them. */
ERR_CHECK enum err_code converge_clear_inner(struct converge *c, struct err *reterr);
/* Begins to remove all others; ended in converge_wait(). */
ERR_CHECK enum err_code converge_clear_begin(struct converge *c, struct err *reterr);

/* converge_stage.c: room, then everything that is not staged yet, durable. */
ERR_CHECK enum err_code converge_stage_all(struct converge *c, struct err *reterr);
void converge_forget_staged(struct converge *c);
ERR_CHECK enum err_code converge_stage_one(
    struct converge *c, struct snapshot_reader *reader, struct change *ch, struct err *reterr);
enum { STAGED_NAME = 24 };
char *converge_staged_name(uint64_t staged, char out[STAGED_NAME]);

/* converge_patch.c */
/* Could a part of it do?  after: what is there. */
bool converge_may_patch(
    const struct change *ch, const struct snapshot_entry *before, const struct snapshot_entry *after);
/* What the parts come to, before anything is written. */
ERR_CHECK enum err_code converge_measure_patches(struct converge *c, struct err *reterr);
/* The parts of all of them; what differs in most of it, or is not as it was read any more, whole. */
ERR_CHECK enum err_code converge_stage_patches(struct converge *c, struct err *reterr);
/* *ret_done false: somebody has it open, or this file system knows no leases: it must be replaced whole. */
ERR_CHECK enum err_code converge_patch(
    struct converge *c, const struct change *ch, int dirfd, const char *name, bool *ret_done, struct err *reterr);

#endif
