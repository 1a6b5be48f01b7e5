/* agent/snapshot/snapshot.h: restore points: take one, find one, look into it, prove it, compare it, put it somewhere.
 *
 * A restore point is one signed manifest for one service of this host with all its components together.  Names on disk
 * are bytes, not text: paths here need not be UTF-8 (snapshot_path_text makes them printable).
 *
 * Blocking; any thread; work is spread over at most SNAPSHOT_WORKERS_MAX threads that are gone on return.  Memory: some
 * 4 MiB a worker, never by file sizes; trees are walked page by page, so that the number of files does not count either
 * (the widest folder and hard-linked names do, and with a rollback what differs). Times are unix milliseconds but for
 * *_ns. */
#ifndef KEDGE_AGENT_SNAPSHOT_SNAPSHOT_H
#define KEDGE_AGENT_SNAPSHOT_SNAPSHOT_H

#include "agent/repository/repo.h"
#include "agent/snapshot/limits.h"

/* ---- what a restore point says about itself (also `snapshot list -o json`) ---- */

enum root_kind {
	ROOT_PLAIN,        /* a declared path */
	ROOT_GIT,          /* a git work tree, .git included */
	ROOT_RELEASE_LINK, /* the symlink that chooses the release */
	ROOT_RELEASE,      /* the folder that it chose */
	ROOT_PREPARED,     /* made by a database adapter for this snapshot; is no place to compare with or restore to */
	ROOT_KIND_COUNT
};
extern const struct enum_type root_kind_enum; /* plain git release-link release prepared */

struct snapshot_root {
	const char *path;  /* absolute */
	const char *label; /* what the adapter calls it; NULL for declared ones */
	uint32_t kind;
};
struct snapshot_component {
	uint32_t component;
	struct digest
	    digest; /* content and metadata of all roots; comparable within one repository, live trees included */
	uint64_t entries, files, size_bytes;
	uint64_t torn;       /* files that kept changing while they were read; flagged in the tree */
	uint64_t vanished;   /* names that were gone before they could be read: not an error, not in the tree */
	const char *version; /* git commit, or the release's folder name; NULL: has none */
	bool dirty;          /* git: the work tree differs from what its index says was checked out */
	struct list roots;   /* struct snapshot_root */
	struct list exclude; /* globs that were left out, relative to each root */
};
struct snapshot_absent {
	uint32_t component;
	const char *path;
};
struct snapshot_version {
	const char *name, *value;
}; /* "config_schema": "12"; "database_schema"; "os" */

struct snapshot_marks {
	uint64_t verified_ms;      /* every chunk was read back and authenticated then; 0: never */
	uint64_t sampled_ms;       /* a sample was */
	uint64_t healthy_since_ms; /* the service ran healthy on exactly this state since then; 0: not known to */
	bool suspect;              /* learnt later: of a new make that failed at once */
	const char *hold;          /* why it must not be pruned; NULL: no hold */
	const char *damage;        /* the last verification failed: what it found; NULL: none known */
};
struct snapshot_summary {
	struct id snapshot;
	const char *host, *service;
	uint32_t reason; /* enum snapshot_reason */
	bool suspect;    /* when it was taken; see also marks.suspect */
	uint64_t taken_ms, took_ms;
	uint64_t size_bytes;   /* of all components, as restored */
	uint64_t stored_bytes; /* that it added to the repository */
	uint64_t read_files;   /* files that had to be read; the others were known by their metadata */
	const char *agent_version;
	struct list versions;   /* struct snapshot_version */
	struct list components; /* struct snapshot_component, in the order of enum component */
	struct list absent;     /* struct snapshot_absent: roots that were not there (snapshot_options.like) */
	struct snapshot_marks marks;
};
extern const struct record_type snapshot_root_type, snapshot_component_type, snapshot_absent_type,
    snapshot_version_type, snapshot_marks_type, snapshot_summary_type;
extern const struct record_type *const snapshot_types[]; /* all of this folder, NULL-ended */

const struct snapshot_component *snapshot_summary_component(
    const struct snapshot_summary *s, enum component which);                          /* NULL: not in it */
bool snapshot_summary_absent(const struct snapshot_summary *s, enum component which); /* a root of it was not there */
/* Not suspect in either way, not an emergency or safety one, verified, healthy since some time, no damage known. */
bool snapshot_is_good(const struct snapshot_summary *s);

/* ---- taking one ---- */

struct snapshot_progress {
	uint64_t entries;       /* of a verification: chunks */
	uint64_t entries_total; /* 0: not known before the end */
	uint64_t files_read, bytes_read, bytes_stored;
};
/* Called on the calling thread, at most ten times a second and once at the end. */
typedef void snapshot_progress_fn(void *ctx, const struct snapshot_progress *p);

struct snapshot;

/* A folder that a database adapter has prepared; taken as a root of its component beside (for a database: instead of)
 * declared paths. */
struct snapshot_source {
	enum component component;
	const char *root, *label;
	const struct list *exclude; /* globs below it that are left out beside the component's; NULL: none */
	uint16_t pages; /* > 0: its large files are cut into chunks of so many pages of CHUNK_PAGE_SIZE bytes */
	/* Files may change while they are read, and the adapter knows how to make them whole again: each is read once
	 * and never called torn. */
	bool live;
	/* Its content is made by late(late_ctx) once everything else of its component was read; the folder itself must
	 * be there before. */
	enum err_code (*late)(void *ctx, struct err *reterr);
	void *late_ctx;
};

struct snapshot_aside {
	const char *root, *from;
};

struct snapshot_options {
	uint32_t components; /* bits (1u << component); 0: all that are declared */
	uint32_t reason;     /* enum snapshot_reason; emergency and safety ones are suspect by themselves */
	bool suspect;
	uint64_t now_ms;
	const struct snapshot_source *sources;
	size_t source_count;
	/* Take the roots of that restore point, and what was absent in it, instead of those that are declared now,
	 * whatever has become of them: the safety net under a rollback to it.  What is not there is noted as absent; a
	 * component of which nothing is there is left out. */
	const struct snapshot *like;
	/* Components of that restore point which are not taken here become part of this one too, as they are there. */
	struct snapshot *carry;
	/* Beside those that the service declares, and the operating system's (versions.h). */
	const struct snapshot_version *versions; /* read when the rest is taken: late() may fill them in */
	size_t version_count;
	unsigned workers; /* 0: one a processor, at most SNAPSHOT_WORKERS_MAX */
	snapshot_progress_fn *progress;
	void *progress_ctx;
	const atomic_bool *cancel; /* ERR_CANCELLED, nothing is kept */
	struct id id;              /* the name it gets, promised before it could be taken; zero: a new one */
	/* With `like`: roots of that restore point that are read from elsewhere, because something else lies in their
	 * place by now. */
	const struct snapshot_aside *asides;
	size_t aside_count;
};
/* Takes a restore point.  Its strings live in arena.  Any failure leaves no manifest: ERR_NOT_FOUND (a component that
 * is not there), ERR_DENIED or ERR_IO (a path that cannot be read), ERR_FULL, ERR_INVALID (a declared path that is a
 * symlink to somewhere undeclared, roots inside one another, a database without source), each naming the path.  The
 * repository itself is left out where it lies below a root. */
ERR_CHECK enum err_code snapshot_create(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_summary *ret, struct err *reterr);

/* The same in two halves, for a rollback: what it reads to save it is what it compares with, so that the trees are
 * walked once.  The first half reads everything and makes nothing durable; the second keeps it.  What o and service
 * point to, and the arena, are borrowed until the end. Freed without the second half, no restore point was taken. */
struct snapshot_taking;
ERR_CHECK enum err_code snapshot_begin(struct repo *r, const struct service_config *service,
    const struct snapshot_options *o, struct arena *arena, struct snapshot_taking **ret, struct err *reterr);
/* Once; errors as of snapshot_create(). */
ERR_CHECK enum err_code snapshot_finish(struct snapshot_taking *t, struct snapshot_summary *ret, struct err *reterr);
void snapshot_taking_free(struct snapshot_taking *t); /* NULL is a no-op */
/* Is what lies there now under that name, by all that its inode tells, what was read of that path?  Also true where
 * neither is there.  Roots are numbered as in the restore point that it was taken like, so ask only after
 * snapshot_diff_taking() could compare. */
bool snapshot_taking_still(const struct snapshot_taking *t, enum component component, uint32_t root, const char *path,
    int dirfd, const char *name);

/* ---- finding one ---- */

struct snapshot_damaged {
	const char *file, *text;
};
/* Newest first (struct snapshot_summary in *ret).  service NULL: all.  A manifest that does not authenticate is never
 * listed as a restore point; it is named in *ret_damaged (struct snapshot_damaged; may be NULL). */
ERR_CHECK enum err_code snapshot_list(struct repo *r, const char *service, struct arena *arena, struct list *ret,
    struct list *ret_damaged, struct err *reterr);
/* selector: an id or its beginning ("snap-01j…", at least 4 characters after the hyphen), "last" (the newest that is no
 * safety net and no emergency's), "last-good", or a time (the newest taken then or earlier).  ERR_NOT_FOUND says what
 * there is; ERR_INVALID when a beginning fits several. */
ERR_CHECK enum err_code snapshot_find(struct repo *r, const char *service, const char *selector, struct arena *arena,
    struct snapshot_summary *ret, struct err *reterr);
ERR_CHECK enum err_code snapshot_get(
    struct repo *r, struct id id, struct arena *arena, struct snapshot_summary *ret, struct err *reterr);

/* Change what is known about a restore point: `change` edits the current marks (strings it sets are copied) and is
 * called once, under this process's lock; the file is replaced atomically. */
typedef void snapshot_marks_fn(void *ctx, struct snapshot_marks *marks);
ERR_CHECK enum err_code snapshot_mark(
    struct repo *r, struct id id, snapshot_marks_fn *change, void *ctx, struct err *reterr);

/* ---- looking into one ---- */

struct snapshot; /* one restore point, opened: signature checked, trees authenticated */
ERR_CHECK enum err_code snapshot_open(struct repo *r, struct id id, struct snapshot **ret, struct err *reterr);
/* In two steps: what it says about itself, then the trees of these components (bits; what is in memory already stays;
 * what it does not hold is passed over). */
ERR_CHECK enum err_code snapshot_open_about(struct repo *r, struct id id, struct snapshot **ret, struct err *reterr);
ERR_CHECK enum err_code snapshot_load(struct snapshot *s, uint32_t components, struct err *reterr);
void snapshot_close(struct snapshot *s); /* NULL is a no-op */
const struct snapshot_summary *snapshot_about(const struct snapshot *s);

enum entry_type {
	ENTRY_FILE,
	ENTRY_DIRECTORY,
	ENTRY_SYMLINK,
	ENTRY_FIFO,
	ENTRY_SOCKET,
	ENTRY_CHARACTER,
	ENTRY_BLOCK,
	ENTRY_TYPE_COUNT
};
extern const struct enum_type entry_type_enum; /* file directory symlink fifo socket character block */

/* Borrowed from the snapshot; path from the cursor (until its next step) or the caller. */
struct snapshot_entry {
	enum component component;
	uint32_t root; /* index into the component's roots */
	const char *root_path;
	const char *path; /* below the root, without leading slash; "" is the root itself */
	enum entry_type type;
	uint32_t mode; /* permission bits, with set-id and sticky */
	uint32_t uid, gid;
	uint64_t size; /* files: bytes; symlinks: length of target */
	int64_t mtime_ns;
	uint64_t device;    /* st_rdev of device nodes */
	uint64_t link;      /* entries of a component with the same number (> 0) are one file with several names */
	const char *target; /* symlinks; not NUL-ended: size bytes */
	bool sparse, torn;
	const void *raw; /* for this folder */
};

/* Tree order: a directory's children sorted by name bytes, each directory before what is in it.  An entry is there
 * until the cursor's next step, or its end; a cursor that is not walked to its end must be done with. */
struct snapshot_cursor {
	enum component component;
	bool failed; /* a part of the tree could not be read any more: it ended early */
	void *slot;
	size_t page, block;
	const uint8_t *entry;
	uint32_t left, roots;
	char path[PATH_LIMIT];
};
#define SNAPSHOT_CURSOR(COMPONENT) ((struct snapshot_cursor){.component = (COMPONENT)})
bool snapshot_next(const struct snapshot *s, struct snapshot_cursor *c, struct snapshot_entry *ret);
void snapshot_cursor_done(const struct snapshot *s, struct snapshot_cursor *c);
/* path below that root; "" is the root itself.  False: not there. */
bool snapshot_lookup(
    const struct snapshot *s, enum component component, uint32_t root, const char *path, struct snapshot_entry *ret);

/* Is what lies there now under that name, by all that its inode tells, what was read there when s was taken?  Of what
 * nobody was writing to any more: a change within the same tick of the clock is not looked for. */
bool snapshot_as_read(
    const struct snapshot *s, enum component component, uint32_t root, const char *path, int dirfd, const char *name);
/* Of entries of one repository, cut in one way: the same type and content; the same owner, mode, xattrs and mtime. */
bool snapshot_same_content(const struct snapshot_entry *a, const struct snapshot_entry *b);
bool snapshot_same_metadata(const struct snapshot_entry *a, const struct snapshot_entry *b);

/* What was read of it.  Borrowed from t; roots are numbered as snapshot_taking_still() says. */
bool snapshot_taking_lookup(const struct snapshot_taking *t, enum component component, uint32_t root, const char *path,
    struct snapshot_entry *ret);

/* Printable form of a path: bytes that are not UTF-8, control bytes and backslashes as \xNN.  Returns out. */
char *snapshot_path_text(const char *path, char *out, size_t size);

/* ---- getting contents out ---- */

struct snapshot_reader; /* one thread's way to contents: it remembers what it decoded last, so go in the order of
			   snapshot_place */
ERR_CHECK enum err_code snapshot_reader_new(const struct snapshot *s, struct snapshot_reader **ret, struct err *reterr);
void snapshot_reader_free(struct snapshot_reader *r);
/* Where the content begins in the repository; files sorted by it are read fastest.  0 for what has no content. */
uint64_t snapshot_place(struct snapshot_reader *r, const struct snapshot_entry *e);
/* A file's content into an empty regular file: authenticated chunk by chunk before it is written, holes as they were,
 * exact size. On ERR_CORRUPT the descriptor may hold a beginning. */
ERR_CHECK enum err_code snapshot_write_content(
    struct snapshot_reader *r, const struct snapshot_entry *e, int fd, struct err *reterr);
/* Only what now, the same path as it was read, does not have at the same place: each such stretch goes to its place in
 * an empty file, authenticated, and is told in *ranges (struct snapshot_range, appended, in order).  Neither may be
 * sparse; now's restore point must be finished before the reader is made.  fd -1: authenticated and told, written
 * nowhere. */
struct snapshot_range {
	uint64_t at, size;
};
ERR_CHECK enum err_code snapshot_write_changes(struct snapshot_reader *r, const struct snapshot_entry *e,
    const struct snapshot_entry *now, int fd, struct buf *ranges, struct err *reterr);
/* Authenticate everything that these entries need without writing anything (preflight). */
ERR_CHECK enum err_code snapshot_check_content(
    struct snapshot_reader *r, const struct snapshot_entry *e, struct err *reterr);
/* Make the entry under name in dirfd, where nothing of that name may be (ERR_EXISTS): content and all metadata.  Not
 * made durable. A directory is made empty; set its metadata again once it is filled.  On failure nothing of that name
 * is left. */
ERR_CHECK enum err_code snapshot_make(
    struct snapshot_reader *r, const struct snapshot_entry *e, int dirfd, const char *name, struct err *reterr);
/* Owner, mode, xattrs (those that are not in the snapshot go), times, on what is there under that name, of the same
 * type.  Sets nothing that is as it should be (so an unchanged ctime stays), times last. */
ERR_CHECK enum err_code snapshot_set_metadata(
    const struct snapshot_entry *e, int dirfd, const char *name, struct err *reterr);

struct restore_options {
	uint32_t components;      /* bits; 0: all */
	const char *const *paths; /* absolute paths: these and what is below them; NULL-ended; NULL: everything */
	bool sync;                /* durable on return */
	bool passing; /* nothing reads it right away: large files do not stay in the page cache, whose frames others
			 need */
	unsigned workers;
	snapshot_progress_fn *progress;
	void *progress_ctx;
	const atomic_bool *cancel;
};
struct restore_result {
	uint64_t entries, files, bytes;
};
/* Below dir (made if missing), each root at its absolute path: dir/etc/nginx/nginx.conf.  Prepared roots go to
 * dir/<label>. Never overwrites: ERR_EXISTS names what is in the way.  ERR_NOT_FOUND: one of the paths is not in it;
 * nothing was made.  Corruption stops it with the path and the pack named. */
ERR_CHECK enum err_code snapshot_restore_into(struct snapshot *s, const char *dir, const struct restore_options *o,
    struct restore_result *ret, struct err *reterr);

/* ---- proving one ---- */

struct verify_options {
	bool sample;     /* VERIFY_SAMPLE_CHUNKS chunks by chance instead of all */
	uint64_t now_ms; /* for the mark; 0: leave the marks alone */
	unsigned workers;
	repo_finding_fn *on_finding;
	void *ctx;
	snapshot_progress_fn *progress;
	void *progress_ctx;
	const atomic_bool *cancel;
};
struct verify_result {
	uint64_t chunks, chunks_total, bytes, findings;
};
/* Reads and authenticates chunks and trees, and recomputes each component's digest.  ERR_CORRUPT with the first finding
 * as message when anything is wrong; the mark `damage` (or `verified_ms`, `sampled_ms`) is then set. */
ERR_CHECK enum err_code snapshot_verify(
    struct repo *r, struct id id, const struct verify_options *o, struct verify_result *ret, struct err *reterr);

/* ---- comparing ---- */

enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CONTENT, CHANGE_METADATA, CHANGE_KIND_COUNT };
extern const struct enum_type change_kind_enum; /* added removed content metadata */

/* before: in the first; after: in the second (a snapshot or the live tree).  NULL where it is not there. CHANGE_CONTENT
 * also stands for another type, another symlink target, another hard link structure.  Valid during the call. */
struct snapshot_change {
	enum change_kind kind;
	enum component component;
	uint32_t root; /* index into the first snapshot's roots (ADDED: too, roots are matched by path) */
	const char *root_path, *path;
	const struct snapshot_entry *before, *after;
	uint64_t changed_ms; /* live: newest of ctime and mtime; two snapshots: mtime; 0: unknown (REMOVED: its folder's
				change tells) */
};
/* Called on the calling thread, in tree order.  Returning false ends the comparison early (counts are then partial). */
typedef bool snapshot_change_fn(void *ctx, const struct snapshot_change *change);

struct diff_options {
	uint32_t components; /* bits; 0: all of the first snapshot */
	bool exact;          /* live: read every file; else a file with the same size, mtime, ctime and inode counts as
			      * unchanged,	  and one that only differs in ctime or inode is read to see */
	bool stat_only;      /* live: read nothing at all; a file whose mtime and size are the same is at most
				CHANGE_METADATA */
	/* live: what looks as it did when this was read is taken to have the content that was read then, beside what
	 * looks as in the first snapshot.  NULL: nothing more is known. */
	const struct snapshot_taking *known;
	bool likely_same; /* live: nothing is kept of the walk; only where its digest is another one they are walked
			     once more, and compared */
	unsigned workers;
	const atomic_bool *cancel;
};
struct diff_component {
	bool compared; /* false: not in both, or prepared roots only */
	uint64_t added, removed, content, metadata;
	uint64_t newest_change_ms;
	struct digest digest;         /* of the second; zero with stat_only */
	uint64_t entries, size_bytes; /* of the second */
	char version_before[VERSION_MAX_BYTES + 1], version_now[VERSION_MAX_BYTES + 1]; /* "" when it has none */
};
struct diff_result {
	struct diff_component component[COMPONENT_COUNT];
};

ERR_CHECK enum err_code snapshot_diff(struct snapshot *first, struct snapshot *second, const struct diff_options *o,
    snapshot_change_fn *on_change, void *ctx, struct diff_result *ret, struct err *reterr);
/* Against the live tree at the snapshot's own roots, leaving out what the snapshot left out and what service (may be
 * NULL) excludes now. A root that is not there counts as removed whole. */
ERR_CHECK enum err_code snapshot_diff_live(struct snapshot *s, const struct service_config *service,
    const struct diff_options *o, snapshot_change_fn *on_change, void *ctx, struct diff_result *ret,
    struct err *reterr);
/* The same against what was just read.  *ret_comparable false: the two cannot be compared entry by entry (another set
 * of roots, large files cut in another way), and what was told counts for nothing; look at the live tree. */
ERR_CHECK enum err_code snapshot_diff_taking(struct snapshot *s, const struct snapshot_taking *taken,
    const struct diff_options *o, snapshot_change_fn *on_change, void *ctx, bool *ret_comparable,
    struct diff_result *ret, struct err *reterr);
/* The live digest of one component, to be compared with snapshot_component.digest.  reference (may be NULL) spares
 * reading what is known by its metadata.  ret_entries, ret_bytes may be NULL. */
ERR_CHECK enum err_code snapshot_digest_live(struct repo *r, const struct service_config *service,
    enum component component, struct snapshot *reference, struct digest *ret, uint64_t *ret_entries,
    uint64_t *ret_bytes, struct err *reterr);

#endif
