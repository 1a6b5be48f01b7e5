/* agent/database/wal.h: the archive of a PostgreSQL cluster's write-ahead log.
 *
 * One folder a service, <state>/wal/<service>, that belongs to the cluster's system user, because archive_command and
 * restore_command run as that user and must not see the rest of the repository:
 *   area    0600: which cluster (system identifier), segment size, and the keys (made from the repository's, so that
 * the repository's key alone reads the archive; the newest seals) log/    one sealed file (agent/repository/envelope.h)
 * a segment, history, backup or partial file, under its own name
 *
 * A file is there whole and durable or not at all: temporary file, fsync, link under its name, fsync of the folder. The
 * same content pushed twice is done already; other content under a name that is there is refused, and so is a segment
 * of another cluster.  Any number of processes may push, fetch and look at once; there is no lock.
 *
 * Blocking; any thread.  LSNs are bytes, times unix milliseconds. */
#ifndef KEDGE_AGENT_DATABASE_WAL_H
#define KEDGE_AGENT_DATABASE_WAL_H

#include "agent/repository/envelope.h"

enum {
	WAL_NAME_MAX = 64, /* 24 hex digits, a dot, 8 more, ".backup" */
	WAL_KEYS_MAX = 16, /* masters that a repository has had while the archive lives */
	WAL_AREA_FILE_MAX = 8 << 10,
	WAL_NAMES_MAX = 4 << 20,     /* files of one archive: 64 TiB of segments */
	WAL_HISTORY_MAX = 1 << 20,   /* bytes of a history file: some forty a recovery */
	WAL_TIMELINES_MAX = 1024,    /* recoveries of one cluster */
	WAL_SEGMENT_LEAST = 1 << 20, /* initdb's own limits */
	WAL_SEGMENT_MOST = 1 << 30,
	WAL_LEFTOVER_MS = 24 * 3600 * 1000, /* a temporary file as old as this was left by a crash */
};

/* ---- names; pure ---- */

enum wal_kind { WAL_SEGMENT, WAL_PARTIAL, WAL_BACKUP, WAL_HISTORY };
struct wal_name {
	enum wal_kind kind;
	uint32_t timeline, high, low; /* high, low: of a segment's number, as its name has them; 0 for a history */
};
/* As PostgreSQL writes them, upper-case hex and nothing else; false: no name of its log. */
bool wal_name_parse(const char *name, struct wal_name *ret);
uint64_t wal_number(const struct wal_name *n, uint32_t segment_bytes);
char *wal_segment_name(uint32_t timeline, uint64_t number, uint32_t segment_bytes, char out[WAL_NAME_MAX]);
/* "16/B374D848"; false: none. */
bool wal_lsn_parse(const char *s, uint64_t *ret);
enum { WAL_LSN_TEXT = 24 };
char *wal_lsn_text(uint64_t lsn, char out[WAL_LSN_TEXT]);

/* A history file: the timelines that lie behind one, oldest first, each up to where it was left. */
struct wal_ancestor {
	uint32_t timeline;
	uint64_t until;
};
/* Pure.  ERR_CORRUPT: not as PostgreSQL writes it.  *ret lives in arena: struct wal_ancestor. */
ERR_CHECK enum err_code wal_history_parse(
    const char *text, size_t size, struct arena *arena, struct list *ret, struct err *reterr);

/* What the first page of a segment says of itself; pure.  ERR_INVALID: another cluster, another place, or no segment.
 */
ERR_CHECK enum err_code wal_page_check(
    const uint8_t *page, size_t size, uint64_t system, uint32_t segment_bytes, uint64_t number, struct err *reterr);
enum { WAL_PAGE_HEAD = 40 };

/* ---- the archive ---- */

struct wal_area {
	char path[PATH_LIMIT];
	uint64_t system;
	uint32_t segment_bytes;
	struct envelope_key keys[WAL_KEYS_MAX];
	size_t key_count; /* > 0; the last one seals */
};

/* ERR_NOT_FOUND: it was never made. */
ERR_CHECK enum err_code wal_area_open_at(const char *path, struct wal_area *ret, struct err *reterr);
ERR_CHECK enum err_code wal_area_open(
    const char *state_directory, const char *service, struct wal_area *ret, struct err *reterr);
/* Makes it for the cluster that service declares, or adds the repository's newest key to one that is there; the owner
 * is that of the data directory.  ERR_STATE: it was made for another cluster. */
ERR_CHECK enum err_code wal_area_make(struct repo *r, const char *state_directory, const struct service_config *service,
    struct wal_area *ret, struct err *reterr);
/* Whose log it is, without the keys, for a copy elsewhere; and the archive made of that at path (whose folder log/ is
 * there), with the keys that k gives it.  ERR_CORRUPT: about is not such a text. */
ERR_CHECK enum err_code wal_area_describe(const struct wal_area *a, struct buf *out, struct err *reterr);
ERR_CHECK enum err_code wal_area_rebuild(
    const char *path, const char *service, struct bytes about, const struct keys *k, struct err *reterr);
/* An archive that came from elsewhere becomes that of who owns like: a data directory.  One that is theirs already is
 * left as it is. */
ERR_CHECK enum err_code wal_area_give(const struct wal_area *a, const char *like, struct err *reterr);
void wal_area_wipe(struct wal_area *a);

/* *ret_already: it was there.  ERR_INVALID: no file of this cluster's log; ERR_EXISTS: another content goes by this
 * name. */
ERR_CHECK enum err_code wal_push(const struct wal_area *a, const char *path, const char *name, uint64_t now_ms,
    bool *ret_already, struct err *reterr);
/* ERR_NOT_FOUND: not in the archive.  path appears whole or not at all. */
ERR_CHECK enum err_code wal_fetch(const struct wal_area *a, const char *name, const char *path, struct err *reterr);
/* Into out, at most limit bytes. */
ERR_CHECK enum err_code wal_read(const struct wal_area *a, const char *name, size_t limit, struct buf *out,
    struct envelope_about *ret, struct err *reterr);
/* Its content to sink, block by block of ENVELOPE_BLOCK bytes. */
ERR_CHECK enum err_code wal_visit(const struct wal_area *a, const char *name, envelope_sink_fn *sink, void *ctx,
    struct envelope_about *ret, struct err *reterr);
/* When it was pushed, and when it was last written to before; authenticated. */
ERR_CHECK enum err_code wal_about(
    const struct wal_area *a, const char *name, struct envelope_about *ret, struct err *reterr);

/* ---- what is there ---- */

struct wal_segment {
	uint32_t timeline;
	uint64_t number, stored_bytes;
};
struct wal_timeline {
	uint32_t timeline, parent; /* parent 0: the first one, or its history is not there */
	uint64_t begins;           /* LSN at which it left its parent */
	uint64_t born_ms;          /* when its history was written; 0: unknown */
	size_t first, count;       /* its segments */
};
struct wal_holding { /* in an arena; segments by timeline and number */
	struct wal_segment *segments;
	size_t segment_count;
	struct wal_timeline *timelines; /* ascending */
	size_t timeline_count;
	uint64_t stored_bytes;
};
ERR_CHECK enum err_code wal_list(
    const struct wal_area *a, struct arena *arena, struct wal_holding *ret, struct err *reterr);
const struct wal_timeline *wal_timeline_of(const struct wal_holding *h, uint32_t timeline); /* NULL: nothing of it */
/* The last number of an unbroken run of this timeline that begins at number; number - 1 when number itself is not
 * there. */
uint64_t wal_run_end(const struct wal_holding *h, uint32_t timeline, uint64_t number);

enum wal_state { WAL_STATE_EMPTY, WAL_STATE_OK, WAL_STATE_LATE, WAL_STATE_GAP, WAL_STATE_COUNT };
struct wal_status {
	const char *service;
	uint32_t state;         /* enum wal_state */
	uint64_t rpo_ms;        /* what would be lost now: since the newest segment, if anything was written since */
	uint64_t newest_age_ms; /* since the newest segment was last written to */
	uint64_t oldest_ms, newest_ms;
	const char *first, *last; /* segments, of the newest timeline last */
	uint64_t segments, stored_bytes;
	uint32_t timeline;
	uint64_t waiting; /* segments that the server has not handed over yet */
	const char *text; /* what is wrong; NULL: nothing */
};
extern const struct record_type wal_status_type;
extern const struct record_type *const database_types[]; /* all of this folder, NULL-ended */
/* data_directory: to see what was not handed over (NULL: do not look).  rpo_ms: what is late is more than this. Strings
 * live in arena. */
ERR_CHECK enum err_code wal_status_of(const struct wal_area *a, const char *service, const char *data_directory,
    uint64_t rpo_ms, uint64_t now_ms, struct arena *arena, struct wal_status *ret, struct err *reterr);
/* There is a restore point that the archive is to go on from: from the first time on, an archive into which nothing
 * comes is late. */
ERR_CHECK enum err_code wal_area_based(const struct wal_area *a, uint64_t now_ms, struct err *reterr);

/* What is kept: every segment from the base copy on that lies before the moments that are to be reached (the newest one
 * that was taken at least keep_ms ago; keep_ms 0, or none is so old: the oldest there is).  Older restore points need
 * none of it: what makes them whole is in them.  So an archive holds keep_ms and the time between two restore points,
 * however long these are kept.  False: there is no base.  Pure. */
struct wal_base {
	uint64_t start, taken_ms;
}; /* start: LSN; taken_ms: when it was whole */
bool wal_needed_from(const struct wal_base *bases, size_t count, uint64_t now_ms, uint64_t keep_ms, uint64_t *ret);
/* Removes segments that lie before number on any timeline (and backup and partial files of them): no kept base needs
 * them.  Histories stay. */
struct wal_swept {
	uint64_t files, bytes;
};
ERR_CHECK enum err_code wal_sweep(
    const struct wal_area *a, uint64_t number, uint64_t now_ms, bool apply, struct wal_swept *ret, struct err *reterr);

#endif
