/* The service's own check over what is staged, before anything is stopped: it sees the trees as they would be. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/rollback/converge_internal.h"
#include "agent/rollback/prepared_internal.h"
#include "agent/rollback/view.h"
#include "agent/rollback/walk.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

#define LAYER "view" /* in the staging folder of a root; what is staged has numbers */

struct preview {
	struct converge *c;
	struct arena *arena;
	struct view_tree *trees;
	size_t count;
};

static bool matters(const struct site *p)
{
	return !p->absent && (p->component == COMPONENT_CONFIG || p->component == COMPONENT_CODE);
}

/* ---- one layer: what differs, at its place ---- */

/* A folder of the layer looks as the one that it is laid over, or as the one that is to be made. */
static bool make_folder(const struct preview *v, const struct site *p, int layer, const char *path)
{
	char live[2 * PATH_LIMIT];
	struct snapshot_entry e;
	struct stat st;
	if (mkdirat(layer, path, 0700) != 0)
		return errno == EEXIST;
	if (snapshot_lookup(v->c->spec.snapshot, p->component, p->root, path, &e) && e.type == ENTRY_DIRECTORY)
		return fchownat(layer, path, e.uid, e.gid, 0) == 0 && fchmodat(layer, path, e.mode, 0) == 0;
	return text_format(live, sizeof live, "%s/%s", p->path, path) && lstat(live, &st) == 0 &&
	       fchownat(layer, path, st.st_uid, st.st_gid, 0) == 0 && fchmodat(layer, path, st.st_mode & 07777, 0) == 0;
}

/* *ret_hidden: a folder above is hidden already, and this with it. */
static bool make_parents(const struct preview *v, const struct site *p, int layer, const char *path, bool *ret_hidden)
{
	char part[PATH_LIMIT];
	struct stat st;
	*ret_hidden = false;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		if (!make_folder(v, p, layer, part))
			return false;
		if (fstatat(layer, part, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return false;
		if (!S_ISDIR(st.st_mode)) {
			*ret_hidden = S_ISCHR(st.st_mode);
			return *ret_hidden;
		}
	}
	return true;
}

static bool lay(const struct preview *v, const struct change *ch, int layer)
{
	char staged[24];
	bool hidden;
	if (ch->kind == CHANGE_METADATA || !*ch->path)
		return true;
	if (!make_parents(v, ch->site, layer, ch->path, &hidden))
		return false;
	if (hidden)
		return true;
	if (ch->kind == CHANGE_ADDED) /* overlayfs: a character device 0:0 hides what is of its name below */
		return mknodat(layer, ch->path, S_IFCHR, makedev(0, 0)) == 0 || errno == EEXIST;
	if (ch->directory)
		return make_folder(v, ch->site, layer, ch->path);
	text_format(staged, sizeof staged, "%llu", (unsigned long long)ch->staged);
	return linkat(ch->site->stage_fd, staged, layer, ch->path, 0) == 0;
}

/* ---- the trees ---- */

static const struct change *root_change(const struct converge *c, const struct site *p)
{
	const struct change *ch = changes_find(&c->changes, p, "");
	return ch && ch->kind != CHANGE_METADATA ? ch : NULL;
}

static bool has_changes(const struct converge *c, const struct site *p)
{
	for (size_t i = 0; i < c->changes.count; i++)
		if (c->changes.items[i].site == p && c->changes.items[i].kind != CHANGE_METADATA)
			return true;
	return false;
}

/* A root that is one file, or a folder that is not there now, or stands where a file was. */
static bool add_file(struct preview *v, struct site *p, const struct change *root)
{
	struct stat st;
	char *from = arena_printf(v->arena, "%s/%llu", p->stage, (unsigned long long)root->staged);
	if (root->directory || !root->staged || !from || lstat(p->path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	v->trees[v->count++] = (struct view_tree){.from = from, .at = p->path};
	return true;
}

static bool add_folder(struct preview *v, struct site *p)
{
	char *from = arena_printf(v->arena, "%s/" LAYER, p->stage);
	if (!from || site_open_stage(p, NULL) != ERR_OK || mkdirat(p->stage_fd, LAYER, 0700) != 0)
		return false;
	CLEANUP(cleanup_fd) int layer = openat(p->stage_fd, LAYER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (layer < 0 || lstat(p->path, &st) != 0 || !S_ISDIR(st.st_mode) || fchown(layer, st.st_uid, st.st_gid) != 0 ||
	    fchmod(layer, st.st_mode & 07777) != 0)
		return false;
	for (size_t i = 0; i < v->c->changes.count; i++)
		if (v->c->changes.items[i].site == p && !lay(v, &v->c->changes.items[i], layer))
			return false;
	v->trees[v->count++] = (struct view_tree){.from = from, .at = p->path, .over = true};
	return true;
}

static bool add_tree(struct preview *v, struct site *p)
{
	const struct change *root = root_change(v->c, p);
	if (v->count == VIEW_TREES_MAX)
		return false;
	return root ? add_file(v, p, root) : add_folder(v, p);
}

/* A whole tree that was staged beforehand, as it is. */
static bool add_staged(struct preview *v, const struct prepared *p)
{
	for (size_t i = 0; i < p->roots.count; i++) {
		const struct prepared_root *r = &LIST_AT(p->roots, struct prepared_root, i);
		char *from = arena_printf(v->arena, "%s/" PREPARED_TREE, r->folder);
		if (v->count == VIEW_TREES_MAX || !from)
			return false;
		v->trees[v->count++] = (struct view_tree){.from = from, .at = r->path};
	}
	return true;
}

static enum err_code clear(struct converge *c, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; rc == ERR_OK && i < c->site_count; i++)
		if (matters(&c->sites[i]) && c->sites[i].stage_fd >= 0)
			rc = remove_below(c->sites[i].stage_fd, LAYER, reterr);
	return rc;
}

static enum err_code look(struct preview *v, const struct walk *w, bool *ret_seen, struct err *reterr)
{
	bool possible = true;
	for (size_t i = 0; possible && i < w->exchange_count; i++)
		possible = add_staged(v, w->exchange[i]);
	for (size_t i = 0; possible && i < v->c->site_count; i++)
		if (matters(&v->c->sites[i]) && has_changes(v->c, &v->c->sites[i]))
			possible = add_tree(v, &v->c->sites[i]);
	*ret_seen = false;
	if (!possible || !v->count)
		return ERR_OK;
	const struct steps_config *steps = &w->r->service->steps;
	return view_run(v->trees, v->count, &steps->check, steps->timeout_ms, ret_seen, reterr);
}

enum err_code preview_check(struct walk *w, struct converge *c, struct err *reterr)
{
	struct preview v = {.c = c, .arena = w->arena};
	struct err cleared = ERR_INIT;
	bool seen = false, any = w->exchange_count > 0;
	for (size_t i = 0; i < c->site_count; i++)
		any = any || (matters(&c->sites[i]) && has_changes(c, &c->sites[i]));
	if (!w->r->service->steps.check.count || !any)
		return ERR_OK;
	v.trees = arena_array(w->arena, VIEW_TREES_MAX, sizeof *v.trees);
	if (!v.trees)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	struct step_timer t = step_begin(w, STEP_CHECK);
	enum err_code rc = look(&v, w, &seen, reterr);
	if (rc != ERR_OK)
		rc = err_prefix(reterr, rc, "its own check refuses what would be put back");
	if (clear(c, &cleared) != ERR_OK && rc == ERR_OK)
		rc = err_set(reterr, cleared.code, "%s", cleared.msg);
	return step_end(w, t, rc, reterr,
	    seen ? "passes, as it would be"
		 : "cannot be shown the staged trees here: it is asked when they are in place");
}
