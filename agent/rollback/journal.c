/* agent/rollback/journal.c */
#include "agent/rollback/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

static const char *const phase_names[] = {[JOURNAL_PLANNED] = "planned",
    [JOURNAL_STOPPING] = "stopping",
    [JOURNAL_APPLYING] = "applying",
    [JOURNAL_PROVING] = "proving",
    [JOURNAL_UNDOING] = "undoing",
    [JOURNAL_ENDED] = "ended"};
const struct enum_type journal_phase_enum = ENUM_TYPE("journal_phase", phase_names);

static const char *const database_names[] = {[JOURNAL_DATABASE_AS_IT_WAS] = "as-it-was",
    [JOURNAL_DATABASE_BETWEEN] = "between",
    [JOURNAL_DATABASE_PUT_BACK] = "put-back"};
const struct enum_type journal_database_enum = ENUM_TYPE("journal_database", database_names);

#define S struct journal
static const struct field journal_fields[] = {
    F_ID(S, order, ORDER, FIELD_KEY | FIELD_REQUIRED, "the order"),
    F_STRING(S, service, NAME_MAX_BYTES, FIELD_REQUIRED, "the service"),
    F_U64(S, components, 0, FIELD_REQUIRED, "bits of enum component"),
    F_ID(S, snapshot, SNAPSHOT, FIELD_REQUIRED, "the restore point it goes to"),
    F_ID(S, safety, SNAPSHOT, 0, "the restore point of what was there before"),
    F_ENUM(S, phase, &journal_phase_enum, FIELD_ALWAYS, "how far it is"),
    F_TIME(S, began_ms, 0, "when it began"),
    F_BOOL(S, in_place, 0, "its database is put back in place, for want of room"),
    F_ENUM(S, database_state, &journal_database_enum, 0,
	"and how far that is; between: it does not start until the next run has gone on"),
    F_STRING(S, database_settings, JOURNAL_SETTINGS_MAX, 0,
	"what its server is told about the recovery that it begins with"),
    F_U64(S, database_inode, 0, 0, "of the staged data directory, once its exchange was begun"),
    F_U64(S, exchanged, 0, 0, "bits of components whose trees were staged beforehand"),
    F_IDS(S, prepared, RUN, COMPONENT_COUNT, 0, "the records of those trees"),
    F_ID(S, aside, SNAPSHOT, 0, "the restore point that will be made of what they replace"),
    F_ENUM(S, outcome, &order_outcome_enum, 0, "how it ended"),
    F_STRING(S, text, TEXT_LINE_MAX, 0, "why, for people"),
    F_BOOL(S, digests_match, 0, "the live state equals the restore point"),
    F_BOOL(S, healthy, 0, "its probes passed"),
    F_LIST(S, points, &component_point_type, COMPONENT_COUNT, 0, "the live state afterwards"),
};
#undef S
const struct record_type journal_type =
    RECORD_TYPE("rollback_journal", struct journal, journal_fields, "how far one rollback on this host is");

static bool path_of(const char *folder, struct id order, char out[PATH_LIMIT])
{
	char id[ID_TEXT_MAX];
	return text_format(out, PATH_LIMIT, "%s/%s.json", folder, id_format(ID_ORDER, order, id));
}

enum err_code rollback_journal_write(const char *folder, const struct journal *j, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf text = BUF_INIT;
	enum err_code rc = path_of(folder, j->order, path)
			       ? record_to_json(&journal_type, j, 0, &text, reterr)
			       : err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
	if (rc == ERR_OK)
		rc = file_make_dirs(folder, 0700, reterr);
	if (rc == ERR_OK)
		rc = file_replace(path, text.data, text.size, 0600, reterr);
	buf_done(&text);
	return err_prefix(reterr, rc, "journal");
}

static enum err_code read_file(const char *path, struct arena *arena, struct journal *ret, struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, JOURNAL_FILE_MAX, &text, reterr);
	if (rc == ERR_OK)
		rc = record_from_json(&journal_type, buf_str(&text), text.size, 0, arena, ret, reterr);
	buf_done(&text);
	return rc;
}

enum err_code rollback_journal_read(
    const char *folder, struct id order, struct arena *arena, struct journal *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!path_of(folder, order, path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
	enum err_code rc = read_file(path, arena, ret, reterr);
	return rc == ERR_OK ? ERR_OK : err_prefix(reterr, rc, "%s", path);
}

enum err_code rollback_journal_remove(const char *folder, struct id order, struct err *reterr)
{
	char path[PATH_LIMIT];
	if (!path_of(folder, order, path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
	return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s cannot be removed", path);
}

/* Calls fn for each journal of the folder. */
static enum err_code each(const char *folder, enum err_code (*fn)(void *ctx, const char *path, struct err *reterr),
    void *ctx, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	char path[PATH_LIMIT];
	if (!dir)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s cannot be read", folder);
	enum err_code rc = ERR_OK;
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (e->d_name[0] != '.' && text_ends(e->d_name, ".json") &&
		    text_format(path, sizeof path, "%s/%s", folder, e->d_name))
			rc = fn(ctx, path, reterr);
	return rc;
}

struct collect {
	struct arena *arena;
	struct journal *all;
	size_t count;
};

static enum err_code collect_open(void *ctx, const char *path, struct err *reterr)
{
	struct collect *c = ctx;
	struct journal j;
	enum err_code rc = read_file(path, c->arena, &j, reterr);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "%s", path);
	if (j.phase == JOURNAL_ENDED)
		return ERR_OK;
	if (c->count == JOURNAL_OPEN_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d interrupted rollbacks", JOURNAL_OPEN_MAX);
	c->all[c->count++] = j;
	return ERR_OK;
}

enum err_code rollback_journal_open(const char *folder, struct arena *arena, struct list *ret, struct err *reterr)
{
	struct collect c = {arena, arena_array(arena, JOURNAL_OPEN_MAX, sizeof *c.all), 0};
	if (!c.all)
		return err_set(reterr, ERR_NOMEM, "out of memory for journals");
	enum err_code rc = each(folder, collect_open, &c, reterr);
	if (rc == ERR_OK)
		*ret = (struct list){c.all, c.count};
	return rc;
}

struct search_prepared {
	struct arena *arena;
	struct id id, snapshot;
	struct journal *ret;
	bool found;
};

static enum err_code look_for_prepared(void *ctx, const char *path, struct err *reterr)
{
	struct search_prepared *s = ctx;
	struct journal j;
	(void)reterr;
	if (s->found || read_file(path, s->arena, &j, NULL) != ERR_OK || id_is_zero(j.aside) ||
	    !id_equal(j.snapshot, s->snapshot)) /* or no journal at all */
		return ERR_OK;
	for (size_t i = 0; i < j.prepared.count && !s->found; i++)
		s->found = id_equal(LIST_AT(j.prepared, struct id, i), s->id);
	if (s->found)
		*s->ret = j;
	return ERR_OK;
}

enum err_code rollback_journal_of_prepared(const char *folder, struct id prepared, struct id snapshot,
    struct arena *arena, struct journal *ret, struct err *reterr)
{
	struct search_prepared s = {arena, prepared, snapshot, ret, false};
	enum err_code rc = each(folder, look_for_prepared, &s, reterr);
	return rc != ERR_OK || s.found ? rc : err_set(reterr, ERR_NOT_FOUND, "no rollback has exchanged it");
}

struct sweep {
	struct arena *arena;
	uint64_t before_ms;
};

static enum err_code sweep_one(void *ctx, const char *path, struct err *reterr)
{
	struct sweep *s = ctx;
	struct journal j;
	arena_reset(s->arena);
	if (read_file(path, s->arena, &j, NULL) == ERR_OK && j.phase == JOURNAL_ENDED && j.began_ms < s->before_ms &&
	    unlink(path) != 0 && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be removed", path);
	return ERR_OK;
}

/* What somebody was writing, to put it in a journal's place, when he was killed. */
static void sweep_unfinished(const char *folder, uint64_t now_ms)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	struct stat st;
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (text_starts(e->d_name, ".ord-") && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && (uint64_t)st.st_mtim.tv_sec * 1000 + JOURNAL_UNFINISHED_MS < now_ms)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
}

enum err_code rollback_journal_sweep(const char *folder, uint64_t now_ms, uint64_t keep_ms, struct err *reterr)
{
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(1 << 20);
	struct sweep s = {arena, now_ms > keep_ms ? now_ms - keep_ms : 0};
	sweep_unfinished(folder, now_ms);
	return arena ? each(folder, sweep_one, &s, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
}
