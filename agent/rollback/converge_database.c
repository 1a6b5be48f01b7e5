/* Converging, the look at a database: a restore point of it against the one of what lies there now. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/contents.h"
#include "agent/rollback/converge_internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

/* ---- its places ---- */

size_t converge_database_sites(const struct converge *c)
{
	return c->spec.database ? c->spec.database->places.count : 0;
}

enum err_code converge_database_add(struct converge *c, struct err *reterr)
{
	const struct list *places = &c->spec.database->places;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < places->count; i++) {
		const struct database_place *place = &LIST_AT(*places, struct database_place, i);
		struct site *p = &c->sites[c->site_count];
		rc = site_init(
		    p, snapshot_about(c->spec.snapshot), COMPONENT_DATABASE, place->path, c->spec.token, reterr);
		if (rc != ERR_OK)
			return rc;
		c->site_count++;
		p->root = place->root;
		p->now_root = place->now_root;
		p->absent = place->root == DATABASE_NO_ROOT;
		if (!place->over)
			continue;
		p->over = p - 1; /* one that is staged apart */
		size_t n = strlen(p->stage);
		text_copy(p->stage + n, sizeof p->stage - n, "-over");
	}
	return rc;
}

static struct site *site_of(struct converge *c, uint32_t root)
{
	for (size_t i = 0; i < c->site_count; i++)
		if (c->sites[i].root == root && !c->sites[i].absent)
			return &c->sites[i];
	return NULL;
}

static struct site *over_of(struct converge *c, const struct site *p)
{
	for (size_t i = 0; i < c->site_count; i++)
		if (c->sites[i].over == p)
			return &c->sites[i];
	return NULL;
}

/* ---- what is known to lie there ---- */

bool converge_known(const struct converge *c, const struct change *ch, struct snapshot_entry *ret)
{
	if (c->spec.database)
		return ch->site->now_root != DATABASE_NO_ROOT &&
		       snapshot_lookup(c->spec.database->now, COMPONENT_DATABASE, ch->site->now_root, ch->path, ret);
	return c->taking && snapshot_taking_lookup(c->taking, ch->site->component, ch->site->root, ch->path, ret);
}

bool converge_still(const struct converge *c, const struct change *ch, int dirfd, const char *name)
{
	if (c->spec.database)
		return ch->site->now_root != DATABASE_NO_ROOT &&
		       snapshot_as_read(
			   c->spec.database->now, COMPONENT_DATABASE, ch->site->now_root, ch->path, dirfd, name);
	return c->taking &&
	       snapshot_taking_still(c->taking, ch->site->component, ch->site->root, ch->path, dirfd, name);
}

/* ---- what the restore point does not have ---- */

static bool is_wanted(struct converge *c, const struct site *p, const char *path)
{
	struct snapshot_entry e;
	const struct site *over = over_of(c, p);
	return snapshot_lookup(c->spec.snapshot, COMPONENT_DATABASE, p->root, path, &e) ||
	       (over && snapshot_lookup(c->spec.snapshot, COMPONENT_DATABASE, over->root, path, &e));
}

static bool is_spared(const char *folder, const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       (!*folder && (strcmp(name, "lost+found") == 0 || text_starts(name, CONTENTS_PREFIX)));
}

static enum err_code look_below(struct converge *c, struct site *p, int dirfd, const char *path, struct err *reterr);

static enum err_code look_at(
    struct converge *c, struct site *p, int dirfd, const char *path, const char *name, struct err *reterr)
{
	char shown[PATH_LIMIT];
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(reterr, errno, "%.400s cannot be looked at", site_text(p, path, shown));
	if (!is_wanted(c, p, path)) {
		struct change *ch = changes_add(&c->changes, p, path);
		if (!ch)
			return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		ch->kind = CHANGE_ADDED;
		ch->was_directory = S_ISDIR(st.st_mode);
	}
	if (!S_ISDIR(st.st_mode))
		return ERR_OK;
	CLEANUP(cleanup_fd) int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(reterr, errno, "%.400s cannot be opened", site_text(p, path, shown))
		      : look_below(c, p, fd, path, reterr);
}

static enum err_code look_below(struct converge *c, struct site *p, int dirfd, const char *path, struct err *reterr)
{
	CLEANUP(cleanup_fd) int again = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	char inner[PATH_LIMIT], shown[PATH_LIMIT];
	enum err_code rc = ERR_OK;
	if (!dir)
		return err_sys(reterr, errno, "%.400s cannot be listed", site_text(p, path, shown));
	again = -1; /* the stream's now */
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));) {
		if (is_spared(path, e->d_name))
			continue;
		if (!text_format(inner, sizeof inner, "%s%s%s", path, *path ? "/" : "", e->d_name))
			return err_set(reterr, ERR_LIMIT, "%.400s: too long a path", site_text(p, path, shown));
		rc = look_at(c, p, dirfd, inner, e->d_name, reterr);
	}
	return rc;
}

static enum err_code collect_added(struct converge *c, struct site *p, struct err *reterr)
{
	if (p->over)
		return ERR_OK;
	CLEANUP(cleanup_fd) int fd = open(p->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s cannot be opened", p->path);
	if (!p->absent)
		return look_below(c, p, fd, "", reterr);
	struct change *ch = changes_add(&c->changes, p, "");
	if (!ch)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	ch->kind = CHANGE_ADDED;
	ch->was_directory = true;
	return ERR_OK;
}

/* ---- what it has ---- */

/* Entries that lie over others go before them; folders that both have are those of the data directory. */
static bool is_hidden(struct converge *c, struct site *p, const struct snapshot_entry *e)
{
	const struct site *over = over_of(c, p);
	struct snapshot_entry other;
	if (p->over)
		return !*e->path ||
		       (e->type == ENTRY_DIRECTORY &&
			   snapshot_lookup(c->spec.snapshot, COMPONENT_DATABASE, p->over->root, e->path, &other) &&
			   other.type == ENTRY_DIRECTORY);
	return over && *e->path && snapshot_lookup(c->spec.snapshot, COMPONENT_DATABASE, over->root, e->path, &other) &&
	       (other.type != ENTRY_DIRECTORY || e->type != ENTRY_DIRECTORY);
}

static bool differs(const struct snapshot_entry *e, const struct snapshot_entry *now, enum change_kind *ret)
{
	*ret = !now                              ? CHANGE_REMOVED
	       : !snapshot_same_content(e, now)  ? CHANGE_CONTENT
	       : !snapshot_same_metadata(e, now) ? CHANGE_METADATA
						 : CHANGE_KIND_COUNT;
	return *ret != CHANGE_KIND_COUNT;
}

static enum err_code collect_one(struct converge *c, struct site *p, const struct snapshot_entry *e, struct err *reterr)
{
	struct change like = {.site = p, .path = (char *)(uintptr_t)e->path};
	struct snapshot_entry found;
	const struct snapshot_entry *now = converge_known(c, &like, &found) ? &found : NULL;
	enum change_kind kind;
	bool last = p == &c->sites[0] || p->over == &c->sites[0] ? strcmp(e->path, c->spec.database->last) == 0 : false;
	if (!differs(e, now, &kind) && !last)
		return ERR_OK;
	struct change *ch = changes_add(&c->changes, p, e->path);
	if (!ch)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	ch->kind = last ? CHANGE_CONTENT : kind;
	ch->last = last;
	change_describe(ch, e, now);
	ch->link = 0;
	ch->patch = !last && converge_may_patch(ch, e, now);
	return ERR_OK;
}

enum err_code converge_database_collect(struct converge *c, struct err *reterr)
{
	struct snapshot_cursor cursor = SNAPSHOT_CURSOR(COMPONENT_DATABASE);
	struct snapshot_entry e;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		rc = collect_added(c, &c->sites[i], reterr);
	while (rc == ERR_OK && snapshot_next(c->spec.snapshot, &cursor, &e)) {
		struct site *p = site_of(c, e.root);
		if (!p)
			rc = err_set(reterr, ERR_UNSUPPORTED, "the restore point holds %s, which belongs nowhere here",
			    e.root_path);
		else if (!is_hidden(c, p, &e))
			rc = collect_one(c, p, &e, reterr);
	}
	snapshot_cursor_done(c->spec.snapshot, &cursor);
	if (rc == ERR_OK && cursor.failed)
		rc = err_set(
		    reterr, ERR_CORRUPT, "the restore point cannot be read whole; run `kedge-agent repo check`");
	return rc == ERR_OK ? converge_measure_patches(c, reterr) : rc;
}
