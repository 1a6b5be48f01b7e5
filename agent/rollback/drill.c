#include "agent/rollback/drill.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/database/database.h"
#include "agent/rollback/site.h"
#include "agent/rollback/view.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

struct drill {
	struct repo *repo;
	const struct service_config *service;
	struct arena *arena;
	const atomic_bool *cancel;
	char folder[PATH_LIMIT]; /* <state>/drill */
	char root[PATH_LIMIT];   /* <state>/drill/<service>: what is restored */
	char box[PATH_LIMIT];    /* <state>/drill/<service>.database: the database, where its own user can come to */
	struct drill_report r;
	struct component_drill components[COMPONENT_COUNT];
};

static bool paths_of(struct drill *d, const char *state_directory, char file[PATH_LIMIT], char lock[PATH_LIMIT])
{
	const char *name = d->service->name;
	return text_format(d->folder, sizeof d->folder, "%s/drill", state_directory) &&
	       text_format(d->root, sizeof d->root, "%s/%s", d->folder, name) &&
	       text_format(d->box, sizeof d->box, "%s.database", d->root) &&
	       text_format(file, PATH_LIMIT, "%s/%s.json", d->folder, name) &&
	       text_format(lock, PATH_LIMIT, "%s/%s.lock", d->folder, name);
}

/* ---- which one, and is there room ---- */

static enum err_code choose(struct drill *d, struct snapshot **ret, struct err *reterr)
{
	struct list all;
	enum err_code rc = snapshot_list(d->repo, d->service->name, d->arena, &all, NULL, reterr);
	for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
		const struct snapshot_summary *s = &LIST_AT(all, struct snapshot_summary, i);
		if (s->reason == SNAPSHOT_SAFETY || s->marks.damage)
			continue;
		d->r.snapshot = s->snapshot;
		return snapshot_open(d->repo, s->snapshot, ret, reterr);
	}
	return rc == ERR_OK ? err_set(reterr, ERR_NOT_FOUND, "there is no restore point") : rc;
}

static enum err_code check_room(const struct drill *d, const struct snapshot *s, struct err *reterr)
{
	struct statvfs fs;
	char need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
	uint64_t bytes = snapshot_about(s)->size_bytes / 100 * DRILL_ROOM_PERCENT;
	if (statvfs(d->folder, &fs) != 0)
		return err_sys(reterr, errno, "%s", d->folder);
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes <= free_bytes)
		return ERR_OK;
	return err_set(reterr, ERR_FULL, "no room for a drill in %s: %s are needed, %s are free", d->folder,
	    text_size_human(bytes, need), text_size_human(free_bytes, have));
}

static enum err_code clear(const struct drill *d, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err_code rc =
	    fd < 0 ? err_sys(reterr, errno, "%s", d->folder) : remove_below(fd, d->service->name, reterr);
	if (rc == ERR_OK)
		rc = database_try_end(d->service, d->box, reterr);
	return rc == ERR_OK ? remove_below(fd, strrchr(d->box, '/') + 1, reterr) : rc;
}

/* ---- restoring ---- */

static enum err_code restore_component(
    struct drill *d, struct snapshot *s, const struct snapshot_component *c, struct err *reterr)
{
	char dir[PATH_LIMIT];
	struct restore_options o = {
	    .components = 1u << c->component, .sync = true, .passing = true, .cancel = d->cancel};
	struct restore_result done;
	uint64_t began = clock_mono_ms();
	bool database = c->component == COMPONENT_DATABASE;
	if (!text_format(dir, sizeof dir, "%s/%s", d->root, enum_name(&component_enum, c->component)))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", d->root);
	if (database && (mkdir(d->box, 0711) != 0 || chmod(d->box, 0711) != 0))
		return err_sys(reterr, errno, "%s", d->box);
	enum err_code rc = snapshot_restore_into(s, database ? d->box : dir, &o, &done, reterr);
	if (rc == ERR_OK && done.entries < c->entries)
		rc = err_set(reterr, ERR_CORRUPT, "%s: %llu of %llu entries came back",
		    enum_name(&component_enum, c->component), (unsigned long long)done.entries,
		    (unsigned long long)c->entries);
	if (rc == ERR_OK && database)
		rc = database_try(d->service, d->box, d->cancel, &d->r.started, reterr);
	if (rc == ERR_OK)
		d->components[d->r.components.count++] =
		    (struct component_drill){c->component, done.entries, done.bytes, clock_mono_ms() - began};
	return rc;
}

static enum err_code restore_all(struct drill *d, struct snapshot *s, struct err *reterr)
{
	const struct snapshot_summary *about = snapshot_about(s);
	enum err_code rc = mkdir(d->root, 0700) == 0 ? ERR_OK : err_sys(reterr, errno, "%s", d->root);
	for (size_t i = 0; rc == ERR_OK && i < about->components.count; i++)
		rc = restore_component(d, s, &LIST_AT(about->components, struct snapshot_component, i), reterr);
	return rc;
}

/* ---- its own check, over what came back ---- */

/* Where the live path is not there or is something else, nothing can be laid over it: then the check is left out. */
static bool same_type(const char *a, const char *b)
{
	struct stat x, y;
	return lstat(a, &x) == 0 && lstat(b, &y) == 0 && (x.st_mode & S_IFMT) == (y.st_mode & S_IFMT) &&
	       (S_ISDIR(x.st_mode) || S_ISREG(x.st_mode));
}

static bool trees_of(struct drill *d, const struct snapshot_summary *about, struct view_tree *trees, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *c = &LIST_AT(about->components, struct snapshot_component, i);
		for (size_t k = 0; k < c->roots.count; k++) {
			const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, k);
			if (r->kind == ROOT_PREPARED)
				continue;
			char *from = arena_printf(
			    d->arena, "%s/%s%s", d->root, enum_name(&component_enum, c->component), r->path);
			if (!from || *ret_count == VIEW_TREES_MAX || !same_type(from, r->path))
				return false;
			trees[(*ret_count)++] = (struct view_tree){.from = from, .at = r->path};
		}
	}
	return *ret_count > 0;
}

static enum err_code run_check(struct drill *d, const struct snapshot *s, struct err *reterr)
{
	const struct steps_config *steps = &d->service->steps;
	struct view_tree *trees = arena_array(d->arena, VIEW_TREES_MAX, sizeof *trees);
	size_t count;
	bool seen = false;
	if (!steps->check.count)
		return ERR_OK;
	if (!trees)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	enum err_code rc = trees_of(d, snapshot_about(s), trees, &count)
			       ? view_run(trees, count, &steps->check, steps->timeout_ms, &seen, reterr)
			       : ERR_OK;
	d->r.checked = seen;
	if (rc == ERR_OK && !seen)
		d->r.text = "restored and authenticated; its own check could not be run over it here";
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "its own check");
}

/* ---- the whole ---- */

static enum err_code practise(struct drill *d, struct err *reterr)
{
	struct snapshot *s = NULL;
	uint64_t began = clock_mono_ms();
	enum err_code rc = choose(d, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = check_room(d, s, reterr);
	if (rc == ERR_OK)
		rc = clear(d, reterr);
	if (rc == ERR_OK)
		rc = restore_all(d, s, reterr);
	if (rc == ERR_OK)
		rc = run_check(d, s, reterr);
	d->r.took_ms = clock_mono_ms() - began;
	snapshot_close(s);
	return rc;
}

static enum err_code write_down(const char *file, const struct drill_report *r, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	enum err_code rc = record_to_json(&drill_report_type, r, 0, &text, reterr);
	return rc == ERR_OK ? file_replace(file, text.data, text.size, 0600, reterr) : rc;
}

static enum err_code read_file(const char *file, struct arena *arena, struct drill_report *ret, struct err *reterr)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	enum err_code rc = file_read(file, DRILL_FILE_MAX, &text, reterr);
	return rc == ERR_OK ? record_from_json(&drill_report_type, buf_str(&text), text.size, 0, arena, ret, reterr)
			    : rc;
}

enum err_code drill_run(struct repo *repo, const char *state_directory, const struct service_config *service,
    uint64_t now_ms, const atomic_bool *cancel, struct arena *arena, struct drill_report *ret, struct err *reterr)
{
	struct drill d = {.repo = repo, .service = service, .arena = arena, .cancel = cancel};
	struct drill_report before;
	struct err why = ERR_INIT, cleared = ERR_INIT;
	char file[PATH_LIMIT], lock_path[PATH_LIMIT];
	CLEANUP(cleanup_fd) int lock = -1;
	if (!paths_of(&d, state_directory, file, lock_path))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	enum err_code rc = file_make_dirs(d.folder, 0711, reterr);
	if (rc == ERR_OK && chmod(d.folder, 0711) != 0) /* it was closed once; what else is in it closes itself */
		rc = err_sys(reterr, errno, "%s", d.folder);
	if (rc == ERR_OK)
		rc = file_lock(lock_path, &lock, reterr);
	if (rc != ERR_OK)
		return rc;
	d.r = (struct drill_report){.service = service->name, .at_ms = now_ms, .components = {d.components, 0}};
	if (read_file(file, arena, &before, NULL) == ERR_OK)
		d.r.proven_ms = before.proven_ms;
	d.r.ok = practise(&d, &why) == ERR_OK;
	if (d.r.ok)
		d.r.proven_ms = now_ms;
	else
		d.r.text = arena_strdup(arena, why.msg);
	if (clear(&d, &cleared) != ERR_OK && d.r.ok)
		d.r.text = arena_strdup(arena, cleared.msg);
	d.r.components.items = arena_dup(arena, d.components, sizeof d.components);
	rc = why.code == ERR_CANCELLED && !d.r.ok ? ERR_OK : write_down(file, &d.r, reterr);
	if (rc == ERR_OK && why.code == ERR_CANCELLED && !d.r.ok)
		return err_set(reterr, ERR_CANCELLED, "cancelled");
	if (rc == ERR_OK)
		*ret = d.r;
	return rc;
}

enum err_code drill_last(
    const char *state_directory, const char *service, struct arena *arena, struct drill_report *ret, struct err *reterr)
{
	char file[PATH_LIMIT];
	if (!text_format(file, sizeof file, "%s/drill/%s.json", state_directory, service))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", state_directory);
	return read_file(file, arena, ret, reterr);
}

bool drill_is_overdue(
    const struct service_config *service, const struct drill_report *last, uint64_t since_ms, uint64_t now_ms)
{
	uint64_t every_ms = service->snapshots.drill_every_ms;
	uint64_t proven_ms = last && last->proven_ms > since_ms ? last->proven_ms : since_ms;
	return every_ms && now_ms > proven_ms && now_ms - proven_ms > 2 * every_ms;
}
