/* A base copy of a running cluster, straight from its data directory into the repository.
 *
 * pg_backup_start makes a checkpoint; from there on the log holds whole images of every page that changes.  Then the
 * data directory is read as it lies, page by page: what tears or is half written there is made whole by the log when
 * the copy starts.  pg_backup_stop comes when everything was read; what it says, the control file, and the log from
 * start to stop make up the second root.
 *
 * What is left out is what the manual says (Continuous Archiving, "Making a Base Backup Using the Low Level API" and
 * "Backing Up The Data Directory").  A session that breaks, or an agent that dies, ends the backup by itself: there is
 * nothing to thaw. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/database/contents.h"
#include "agent/database/internal.h"
#include "agent/database/tablespaces.h"
#include "agent/repository/io.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

enum {
	COLUMNS_MAX = 8,
	CONTROL_MAX = 64 << 10, /* pg_control has 8 KiB */
	CONTROL_TRIES = 20,     /* two readings that are the same are whole */
	COPY_ROOM = 256 << 10,
	SEGMENTS_MAX = 1 << 16, /* a terabyte of log within one backup */
	SLOT_MAX = 64,
};

/* Relative to the data directory; folders stay, empty. */
static const char *const left_out[] = {"pg_wal/**", "pg_replslot/**", "pg_dynshmem/**", "pg_notify/**", "pg_serial/**",
    "pg_snapshots/**", "pg_stat_tmp/**", "pg_subtrans/**", "**/pgsql_tmp*", "**/pg_internal.init*", "postmaster.pid",
    "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles*", "backup_label*", "tablespace_map*",
    "backup_manifest*", "global/pg_control", "recovery.signal", "recovery.done", CONTENTS_PREFIX "*"};

struct base {
	const struct service_config *service;
	const struct postgres_config *pg;
	const char *data;
	char end[PATH_LIMIT]; /* the second root, while it is made */
	struct stat owner;
	struct list tablespaces; /* when it began */
	struct arena *arena;
	struct postgres_session *session;
	uint64_t start, stop; /* LSNs */
	uint32_t timeline, segment_bytes;
	struct snapshot_version versions[SNAPSHOT_VERSIONS_MAX]; /* the caller's, then ours */
	size_t version_count;
	struct snapshot_options *with; /* what the snapshot is taken by: learns the versions when they are known */
};

/* ---- asking ---- */

/* One row of exactly count columns, in the arena. */
static enum err_code row(
    struct base *b, const char *sql, uint64_t timeout_ms, size_t count, char *columns[COLUMNS_MAX], struct err *reterr)
{
	struct buf answer = BUF_INIT;
	enum err_code rc = postgres_ask(b->session, sql, timeout_ms, &answer, reterr);
	char *text = rc == ERR_OK ? arena_strdup(b->arena, buf_str(&answer)) : NULL;
	buf_done(&answer);
	if (rc != ERR_OK)
		return rc;
	size_t n = 0;
	for (char *at = text, *next; at && n < COLUMNS_MAX; at = next) {
		next = strchr(at, '|');
		if (next)
			*next++ = '\0';
		columns[n++] = at;
	}
	return n == count ? ERR_OK
			  : err_set(reterr, ERR_UNSUPPORTED, "the server's answer has %zu columns, not %zu", n, count);
}

static enum err_code number(const char *text, uint64_t *ret, struct err *reterr)
{
	enum err_code rc = text_u64(text, ret, reterr);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "the server's answer");
}

static enum err_code lsn(const char *text, uint64_t *ret, struct err *reterr)
{
	return wal_lsn_parse(text, ret) ? ERR_OK
					: err_set(reterr, ERR_UNSUPPORTED, "\"%.40s\" is no place in a log", text);
}

static enum err_code note(struct base *b, const char *name, const char *value, struct err *reterr)
{
	char *copy = arena_strdup(b->arena, value);
	if (!copy || b->version_count == SNAPSHOT_VERSIONS_MAX)
		return err_set(reterr, copy ? ERR_LIMIT : ERR_NOMEM, "no room for a fact about versions");
	b->versions[b->version_count++] = (struct snapshot_version){name, copy};
	return ERR_OK;
}

/* ---- before ---- */

/* The server that answers must be the one that writes in this data directory. */
static enum err_code check_identity(struct base *b, const char *system, struct err *reterr)
{
	struct postgres_control control;
	uint64_t theirs;
	enum err_code rc = postgres_control_read(b->data, &control, reterr);
	if (rc == ERR_OK)
		rc = number(system, &theirs, reterr);
	if (rc == ERR_OK && theirs != control.system)
		rc = err_set(reterr, ERR_INVALID,
		    "the server on port %u is not that of %s: correct `port`, `socket_directory` or `data_directory` "
		    "in agent.yaml",
		    b->pg->port, b->data);
	return rc;
}

/* One that was made meanwhile would be made again in its live place by whoever replays the log elsewhere. */
static enum err_code check_tablespaces(struct base *b, struct err *reterr)
{
	struct list now;
	enum err_code rc = tablespaces_of(b->data, "", b->arena, &now, reterr);
	bool same = rc == ERR_OK && now.count == b->tablespaces.count;
	for (size_t i = 0; same && i < now.count; i++) {
		bool found = false;
		for (size_t k = 0; k < now.count; k++)
			found |= text_equal(LIST_AT(now, struct tablespace, i).folder,
			    LIST_AT(b->tablespaces, struct tablespace, k).folder);
		same = found;
	}
	return rc == ERR_OK && !same
		   ? err_set(reterr, ERR_BUSY, "a tablespace was made or dropped while it was copied: take it again")
		   : rc;
}

static enum err_code learn(struct base *b, struct err *reterr)
{
	char *c[COLUMNS_MAX];
	uint64_t v;
	enum err_code rc = row(b,
	    "SELECT system_identifier, current_setting('server_version'), pg_is_in_recovery(), "
	    "pg_size_bytes(current_setting('wal_segment_size')), timeline_id, current_setting('server_version_num') "
	    "FROM pg_control_system(), pg_control_checkpoint()",
	    POSTGRES_ANSWER_MS, 6, c, reterr);
	if (rc == ERR_OK)
		rc = check_identity(b, c[0], reterr);
	if (rc == ERR_OK && c[2][0] != 'f')
		rc = err_set(reterr, ERR_STATE,
		    "the cluster is in recovery: a restore point is taken from a server that writes");
	if (rc == ERR_OK)
		rc = number(c[3], &v, reterr);
	if (rc == ERR_OK)
		b->segment_bytes = (uint32_t)v;
	if (rc == ERR_OK)
		rc = number(c[5], &v, reterr);
	if (rc == ERR_OK && v < 150000)
		rc = err_set(reterr, ERR_UNSUPPORTED, "PostgreSQL %s: restore points need 15 or newer", c[1]);
	if (rc == ERR_OK)
		rc = note(b, "postgres", c[1], reterr);
	if (rc == ERR_OK)
		rc = note(b, "postgres_system", c[0], reterr);
	return rc;
}

/* It holds the log back while we copy; a cluster without room for one goes on without. */
static void hold_log(struct base *b)
{
	struct buf answer = BUF_INIT;
	struct err why = ERR_INIT;
	char sql[SLOT_MAX * 4];
	text_format(sql, sizeof sql,
	    "DO $$ BEGIN PERFORM pg_create_physical_replication_slot('kedge_' || pg_backend_pid(), true, true); "
	    "EXCEPTION WHEN OTHERS THEN NULL; END $$");
	if (postgres_ask(b->session, sql, POSTGRES_ANSWER_MS, &answer, &why) != ERR_OK)
		log_debug("database", "service=%s no slot: %s", b->service->name, why.msg);
	buf_done(&answer);
}

static enum err_code begin(struct base *b, struct err *reterr)
{
	char *c[COLUMNS_MAX];
	struct wal_name name;
	enum err_code rc = postgres_session_new(b->pg, &b->session, reterr);
	if (rc == ERR_OK)
		rc = learn(b, reterr);
	if (rc == ERR_OK)
		rc = tablespaces_of(b->data, "", b->arena, &b->tablespaces, reterr);
	if (rc != ERR_OK)
		return rc;
	hold_log(b);
	rc = row(b, "SELECT l, pg_walfile_name(l) FROM pg_backup_start('kedge', true) AS l", POSTGRES_CHECKPOINT_MS, 2,
	    c, reterr);
	if (rc == ERR_OK)
		rc = lsn(c[0], &b->start, reterr);
	if (rc == ERR_OK && !wal_name_parse(c[1], &name))
		rc = err_set(reterr, ERR_UNSUPPORTED, "\"%.40s\" is no name of a segment", c[1]);
	if (rc != ERR_OK)
		return rc;
	b->timeline = name.timeline;
	return note(b, "postgres_start", c[0], reterr);
}

/* ---- after: the second root ---- */

static enum err_code put(struct base *b, const char *name, const void *data, size_t size, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(b->end, name, path, reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "%s", path);
	rc = file_write_all(fd, data, size, reterr);
	if (rc == ERR_OK && geteuid() == 0 && fchown(fd, b->owner.st_uid, b->owner.st_gid) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	return rc;
}

static enum err_code put_folder(struct base *b, const char *name, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = tree_join(b->end, name, path, reterr);
	if (rc == ERR_OK &&
	    (mkdir(path, 0700) != 0 || (geteuid() == 0 && chown(path, b->owner.st_uid, b->owner.st_gid) != 0)))
		rc = err_sys(reterr, errno, "%s", path);
	return rc;
}

static enum err_code put_hex(struct base *b, const char *name, const char *hex, struct err *reterr)
{
	size_t n = strlen(hex) / 2;
	uint8_t *bytes = n <= POSTGRES_LABEL_MAX ? arena_alloc(b->arena, n + 1) : NULL;
	if (!n)
		return ERR_OK;
	if (!bytes)
		return err_set(reterr, ERR_LIMIT, "%s has %zu bytes", name, n);
	enum err_code rc = text_unhex(hex, bytes, n, reterr);
	return rc == ERR_OK ? put(b, name, bytes, n, reterr) : rc;
}

/* The server writes it in one piece, which a reader may see half of: what is read twice the same is whole. */
static enum err_code put_control(struct base *b, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf one = BUF_INIT, two = BUF_INIT;
	enum err_code rc = tree_join(b->data, "global/pg_control", path, reterr);
	bool same = false;
	for (int i = 0; rc == ERR_OK && !same && i < CONTROL_TRIES; i++) {
		buf_clear(&one);
		buf_clear(&two);
		rc = file_read(path, CONTROL_MAX, &one, reterr);
		if (rc == ERR_OK)
			rc = file_read(path, CONTROL_MAX, &two, reterr);
		same = rc == ERR_OK && one.size == two.size && !memcmp(one.data, two.data, one.size);
	}
	if (rc == ERR_OK && !same)
		rc = err_set(reterr, ERR_BUSY, "%s never stood still", path);
	if (rc == ERR_OK)
		rc = put_folder(b, "global", reterr);
	if (rc == ERR_OK)
		rc = put(b, "global/pg_control", one.data, one.size, reterr);
	buf_done(&one);
	buf_done(&two);
	return rc;
}

/* Up to until; what follows in the file is of a time that is over, and becomes a hole. */
static enum err_code copy_segment(
    struct base *b, const char *from, const char *name, uint64_t until, struct err *reterr)
{
	CLEANUP(cleanup_free) uint8_t *room = malloc(COPY_ROOM);
	CLEANUP(cleanup_fd) int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char path[PATH_LIMIT];
	if (in < 0)
		return err_sys(reterr, errno, "the log of the backup is incomplete: %s", from);
	enum err_code rc = room ? tree_join(b->end, name, path, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return err_sys(reterr, errno, "%s", path);
	for (uint64_t at = 0; rc == ERR_OK && at < until;) {
		size_t n = until - at < COPY_ROOM ? (size_t)(until - at) : COPY_ROOM;
		rc = io_pread_exact(in, room, n, at, reterr);
		if (rc == ERR_OK)
			rc = io_pwrite(out, room, n, at, reterr);
		at += n;
	}
	if (rc == ERR_OK && (ftruncate(out, b->segment_bytes) != 0 ||
				(geteuid() == 0 && fchown(out, b->owner.st_uid, b->owner.st_gid) != 0)))
		rc = err_sys(reterr, errno, "%s", path);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "%s", from);
}

static enum err_code put_log(struct base *b, struct err *reterr)
{
	uint64_t first = b->start / b->segment_bytes, last = (b->stop - 1) / b->segment_bytes;
	if (last - first >= SEGMENTS_MAX)
		return err_set(reterr, ERR_LIMIT, "the cluster wrote more than %d segments of log while it was copied",
		    SEGMENTS_MAX);
	enum err_code rc = put_folder(b, "pg_wal", reterr);
	for (uint64_t i = first; rc == ERR_OK && i <= last; i++) {
		char segment[WAL_NAME_MAX], from[PATH_LIMIT], name[WAL_NAME_MAX + 8];
		text_format(
		    name, sizeof name, "pg_wal/%s", wal_segment_name(b->timeline, i, b->segment_bytes, segment));
		rc = tree_join(b->data, name, from, reterr);
		if (rc == ERR_OK)
			rc = copy_segment(
			    b, from, name, i < last ? b->segment_bytes : b->stop - last * b->segment_bytes, reterr);
	}
	return rc;
}

/* Which timelines lie behind this one is not in the log. */
static enum err_code put_histories(struct base *b, struct err *reterr)
{
	char path[PATH_LIMIT], name[WAL_NAME_MAX + 8];
	struct wal_name n;
	enum err_code rc = tree_join(b->data, "pg_wal", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));) {
		struct buf text = BUF_INIT;
		if (!wal_name_parse(e->d_name, &n) || n.kind != WAL_HISTORY || n.timeline > b->timeline)
			continue;
		text_format(name, sizeof name, "pg_wal/%s", e->d_name);
		rc = tree_join(b->data, name, path, reterr);
		if (rc == ERR_OK)
			rc = file_read(path, WAL_HISTORY_MAX, &text, reterr);
		if (rc == ERR_OK)
			rc = put(b, name, text.data, text.size, reterr);
		buf_done(&text);
	}
	return rc;
}

static enum err_code tell_stop(struct base *b, const char *stop, const char *at_ms, struct err *reterr)
{
	char text[TEXT_TIME_MAX];
	uint64_t ms;
	enum err_code rc = number(at_ms, &ms, reterr);
	if (rc == ERR_OK)
		rc = note(b, "postgres_stop", stop, reterr);
	if (rc == ERR_OK)
		rc = note(b, "postgres_stopped_at", text_time(ms, text), reterr);
	text_format(text, sizeof text, "%u", b->timeline);
	if (rc == ERR_OK)
		rc = note(b, "postgres_timeline", text, reterr);
	text_format(text, sizeof text, "%u", b->segment_bytes);
	return rc == ERR_OK ? note(b, "postgres_segment", text, reterr) : rc;
}

static enum err_code finish(void *ctx, struct err *reterr)
{
	struct base *b = ctx;
	char *c[COLUMNS_MAX];
	enum err_code rc = row(b,
	    "SELECT lsn, encode(convert_to(labelfile, 'UTF8'), 'hex'), coalesce(encode(convert_to(spcmapfile, 'UTF8'), "
	    "'hex'), ''), "
	    "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM pg_backup_stop(false)",
	    POSTGRES_CHECKPOINT_MS, 4, c, reterr);
	if (rc == ERR_OK)
		rc = lsn(c[0], &b->stop, reterr);
	if (rc == ERR_OK)
		rc = check_tablespaces(b, reterr);
	if (rc == ERR_OK)
		rc = tell_stop(b, c[0], c[3], reterr);
	if (rc == ERR_OK)
		rc = put_hex(b, "backup_label", c[1], reterr);
	if (rc == ERR_OK)
		rc = put_hex(b, "tablespace_map", c[2], reterr);
	if (rc == ERR_OK)
		rc = put_control(b, reterr);
	if (rc == ERR_OK)
		rc = put_log(b, reterr);
	if (rc == ERR_OK)
		rc = put_histories(b, reterr);
	postgres_session_free(TAKE_PTR(b->session)); /* its slot lets go of the log */
	b->with->version_count = b->version_count;
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "the backup cannot be ended");
}

/* ---- the whole ---- */

static enum err_code take(
    struct base *b, struct repo *r, const struct snapshot_options *o, struct snapshot_summary *ret, struct err *reterr)
{
	struct list exclude = {(void *)(uintptr_t)left_out, sizeof left_out / sizeof left_out[0]};
	struct snapshot_source *sources;
	const struct snapshot_source own[] = {
	    {.component = COMPONENT_DATABASE,
		.root = b->data,
		.label = DATABASE_LABEL,
		.exclude = &exclude,
		.pages = POSTGRES_PAGES,
		.live = true},
	    {.component = COMPONENT_DATABASE,
		.root = b->end,
		.label = POSTGRES_END_LABEL,
		.pages = POSTGRES_PAGES,
		.late = finish,
		.late_ctx = b},
	};
	struct snapshot_options with = *o;
	for (size_t i = 0; i < o->version_count && i < SNAPSHOT_VERSIONS_MAX; i++)
		b->versions[b->version_count++] = o->versions[i];
	enum err_code rc = begin(b, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "the database cannot be copied");
	rc = postgres_sources(own, 2, &b->tablespaces, &exclude, b->arena, &sources, &with.source_count, reterr);
	if (rc != ERR_OK)
		return rc;
	with.sources = sources;
	with.versions = b->versions;
	with.version_count = b->version_count;
	b->with = &with;
	return snapshot_create(r, b->service, &with, b->arena, ret, reterr);
}

enum err_code postgres_snapshot(const struct adapter_job *j, struct snapshot_summary *ret, struct err *reterr)
{
	const struct postgres_config *pg = postgres_of(j->service);
	struct base b = {.service = j->service, .pg = pg, .data = pg->data_directory, .arena = j->arena};
	CLEANUP(cleanup_fd) int lock = -1;
	enum err_code rc = adapter_folder(j, b.data, b.end, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	if (stat(b.data, &b.owner) != 0)
		rc = err_sys(reterr, errno, "%s", b.data);
	if (rc == ERR_OK)
		rc = take(&b, j->repo, j->o, ret, reterr);
	postgres_session_free(b.session);
	return adapter_done(rc, b.end, reterr);
}

static enum err_code trial(
    const struct service_config *s, const char *box, const atomic_bool *cancel, struct err *reterr)
{
	return postgres_trial(postgres_of(s), box, cancel, reterr);
}

static enum err_code trial_end(const struct service_config *s, const char *box, struct err *reterr)
{
	return postgres_trial_end(postgres_of(s), box, reterr);
}

static enum err_code stage_else(struct snapshot *s, const char *place, const char *other, struct arena *arena,
    const char *const **ret_paths, struct err *reterr)
{
	const struct snapshot_component *c = snapshot_summary_component(snapshot_about(s), COMPONENT_DATABASE);
	const char **paths = arena_array(arena, c->roots.count + 1, sizeof *paths);
	size_t n = 0;
	if (!paths)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < c->roots.count; i++) {
		const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, i);
		if (!r->label || !text_starts(r->label, TABLESPACE_LABEL))
			paths[n++] = r->path;
	}
	paths[n] = NULL;
	*ret_paths = paths;
	return tablespaces_stage(s, place, other, arena, reterr);
}

const struct adapter adapter_postgres = {.label = DATABASE_LABEL,
    .by_contents = true,
    .program = "postgres",
    .snapshot = postgres_snapshot,
    .snapshot_still = postgres_snapshot_still,
    .assemble = postgres_assemble,
    .stage_else = stage_else,
    .else_listed = tablespaces_listed,
    .swap_else = tablespaces_swap,
    .else_back = tablespaces_back,
    .room = postgres_room,
    .discard = tablespaces_discard,
    .places = postgres_places,
    .last = "global/pg_control",
    .outline_files = postgres_outline_files,
    .outline_catalogues = postgres_outline_catalogues,
    .trial = trial,
    .trial_end = trial_end};
