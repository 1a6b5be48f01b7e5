#include "agent/snapshot/roots.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "agent/snapshot/git.h"
#include "shared/base/text.h"

struct gathering {
	struct arena *arena;
	struct snapshot_root roots[SNAPSHOT_ROOTS_MAX + 1];
	size_t count;
	enum component which;
	const struct snapshot_source *sources;
	size_t source_count;
};

/* "/srv/a/" -> "/srv/a"; nothing that could mean another place. */
static enum err_code clean_path(struct arena *arena, const char *path, const char **ret, struct err *reterr)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	char *copy = arena_strndup(arena, path, n);
	if (!copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	bool good = *copy == '/' && n > 1 && n < PATH_LIMIT && !strstr(copy, "//") && !strstr(copy, "/./") &&
		    !strstr(copy, "/../") && !text_ends(copy, "/.") && !text_ends(copy, "/..");
	if (!good)
		return err_set(reterr, ERR_INVALID,
		    "%s: give an absolute path without . and .. (and not the whole file system)", path);
	*ret = copy;
	return ERR_OK;
}

static enum err_code add(
    struct gathering *g, const char *path, enum root_kind kind, const char *label, struct err *reterr)
{
	const char *clean;
	if (g->count == SNAPSHOT_ROOTS_MAX)
		return err_set(reterr, ERR_LIMIT, "more than %d paths in one component", SNAPSHOT_ROOTS_MAX);
	enum err_code rc = clean_path(g->arena, path, &clean, reterr);
	if (rc)
		return rc;
	const char *copy = arena_strdup(g->arena, label);
	if (label && !copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	g->roots[g->count++] = (struct snapshot_root){clean, copy, kind};
	return ERR_OK;
}

static const char *name_of(const struct snapshot_root *r)
{
	return r->kind == ROOT_PREPARED && r->label ? r->label : r->path;
}

static bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	return !strncmp(path, folder, n) && (path[n] == 0 || path[n] == '/');
}

/* ---- releases ---- */

static enum err_code add_release(struct gathering *g, const char *link, const char **ret_version, struct err *reterr)
{
	char target[PATH_LIMIT];
	struct stat st;
	enum err_code rc = add(g, link, ROOT_RELEASE_LINK, NULL, reterr);
	if (rc)
		return rc;
	const char *path = g->roots[g->count - 1].path;
	if (lstat(path, &st))
		return err_sys(reterr, errno, "release %s", path);
	if (!S_ISLNK(st.st_mode))
		return err_set(
		    reterr, ERR_INVALID, "release %s is no symlink to a release; declare it under paths", path);
	if (!realpath(path, target))
		return err_sys(reterr, errno, "release %s: the folder that it points to", path);
	*ret_version = arena_strdup(g->arena, strrchr(target, '/') + 1);
	if (!*ret_version)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	return add(g, target, ROOT_RELEASE, NULL, reterr);
}

static enum err_code add_git(struct gathering *g, const char *worktree, struct component_roots *ret, struct err *reterr)
{
	char commit[GIT_COMMIT_MAX + 1];
	enum err_code rc = add(g, worktree, ROOT_GIT, NULL, reterr);
	if (!rc)
		rc = git_commit(g->roots[g->count - 1].path, commit, reterr);
	if (rc)
		return rc;
	ret->git = g->roots[g->count - 1].path;
	ret->version = *commit ? arena_strdup(g->arena, commit) : NULL;
	return *commit && !ret->version ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* ---- rules ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(name_of(a), name_of(b));
}

/* A symlink is kept as a symlink; what it points to must be declared too, or a restore point would silently hold
 * nothing of it. */
static enum err_code check_symlink(const struct gathering *g, size_t at, struct err *reterr)
{
	const char *path = g->roots[at].path;
	char target[PATH_LIMIT];
	struct stat st;
	if (g->roots[at].kind == ROOT_RELEASE_LINK || lstat(path, &st) || !S_ISLNK(st.st_mode))
		return ERR_OK;
	if (!realpath(path, target))
		return err_sys(reterr, errno, "%s is a symlink to nowhere", path);
	for (size_t i = 0; i < g->count; i++)
		if (i != at && is_below(target, g->roots[i].path))
			return ERR_OK;
	return err_set(
	    reterr, ERR_INVALID, "%s is a symlink to %s, which is not declared: declare %s", path, target, target);
}

static enum err_code check(struct gathering *g, struct err *reterr)
{
	qsort(g->roots, g->count, sizeof g->roots[0], by_name);
	for (size_t i = 0; i < g->count; i++) {
		enum err_code rc = check_symlink(g, i, reterr);
		if (rc)
			return rc;
		for (size_t j = 0; j < g->count; j++)
			if (i != j && (is_below(g->roots[i].path, g->roots[j].path) ||
					  !strcmp(name_of(&g->roots[i]), name_of(&g->roots[j]))))
				return err_set(reterr, ERR_INVALID, "%s lies within %s: declare only one of them",
				    g->roots[i].path, g->roots[j].path);
	}
	return ERR_OK;
}

static const struct snapshot_source *source_of(const struct gathering *g, const struct snapshot_root *r)
{
	for (size_t i = 0; r->kind == ROOT_PREPARED && i < g->source_count; i++)
		if (g->sources[i].component == g->which && text_equal(g->sources[i].label, r->label))
			return &g->sources[i];
	return NULL;
}

static enum err_code finish(struct gathering *g, struct component_roots *ret, struct err *reterr)
{
	struct snapshot_root *roots = arena_dup(g->arena, g->roots, (g->count + 1) * sizeof *roots);
	struct scan_root *scan = arena_array(g->arena, g->count + 1, sizeof *scan);
	if (!roots || !scan)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < g->count; i++)
		scan[i] = (struct scan_root){roots[i].path, name_of(&roots[i]), source_of(g, &roots[i])};
	ret->roots = (struct list){roots, g->count};
	ret->scan = scan;
	return ERR_OK;
}

enum err_code roots_declared(const struct component_config *c, enum component which,
    const struct snapshot_source *sources, size_t source_count, struct arena *arena, struct component_roots *ret,
    struct err *reterr)
{
	struct gathering g = {.arena = arena, .which = which, .sources = sources, .source_count = source_count};
	struct component_roots roots = {.exclude = c ? &c->exclude : NULL};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; c && i < c->paths.count && !rc; i++)
		rc = add(&g, LIST_AT(c->paths, const char *, i), ROOT_PLAIN, NULL, reterr);
	if (!rc && c && c->git)
		rc = add_git(&g, c->git, &roots, reterr);
	if (!rc && c && c->release)
		rc = add_release(&g, c->release, &roots.version, reterr);
	for (size_t i = 0; i < source_count && !rc; i++)
		if (sources[i].component == which)
			rc = add(&g, sources[i].root, ROOT_PREPARED, sources[i].label, reterr);
	if (!rc && !g.count)
		rc = err_set(reterr, ERR_INVALID, "nothing to take: %s",
		    which == COMPONENT_DATABASE ? "the database adapter has prepared no copy"
						: "no paths are declared");
	if (!rc)
		rc = check(&g, reterr);
	if (!rc)
		rc = finish(&g, &roots, reterr);
	if (!rc)
		*ret = roots;
	return rc;
}

/* ---- by another restore point ---- */

static enum err_code add_absent(
    struct arena *arena, enum component which, const char *path, struct list *absent, struct err *reterr)
{
	struct snapshot_absent *all = arena_array(arena, absent->count + 1, sizeof *all);
	char *copy = arena_strdup(arena, path);
	if (!all || !copy)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (absent->count)
		memcpy(all, absent->items, absent->count * sizeof *all);
	all[absent->count] = (struct snapshot_absent){which, copy};
	*absent = (struct list){all, absent->count + 1};
	return ERR_OK;
}

static enum err_code add_if_there(struct gathering *g, enum component which, const char *path, enum root_kind kind,
    struct list *absent, struct err *reterr)
{
	struct stat st;
	if (lstat(path, &st) == 0)
		return add(g, path, kind, NULL, reterr);
	if (errno == ENOENT || errno == ENOTDIR)
		return add_absent(g->arena, which, path, absent, reterr);
	return err_sys(reterr, errno, "%s cannot be looked at", path);
}

static enum err_code gather_like(struct gathering *g, const struct snapshot_summary *like, enum component which,
    const struct snapshot_component *c, struct list *absent, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = 0; c && i < c->roots.count && !rc; i++) {
		const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, i);
		if (r->kind != ROOT_PREPARED)
			rc = add_if_there(g, which, r->path, (enum root_kind)r->kind, absent, reterr);
	}
	for (size_t i = 0; i < like->absent.count && !rc; i++) {
		const struct snapshot_absent *a = &LIST_AT(like->absent, struct snapshot_absent, i);
		if (a->component == (uint32_t)which)
			rc = add_if_there(g, which, a->path, ROOT_PLAIN, absent, reterr);
	}
	return rc;
}

enum err_code roots_like(const struct snapshot_summary *like, enum component which,
    const struct snapshot_source *sources, size_t source_count, struct arena *arena, struct component_roots *ret,
    struct list *absent, struct err *reterr)
{
	struct gathering g = {.arena = arena, .which = which, .sources = sources, .source_count = source_count};
	const struct snapshot_component *c = snapshot_summary_component(like, which);
	struct component_roots roots = {.exclude = c ? &c->exclude : NULL};
	struct snapshot_component now = {.component = which};
	char version[VERSION_MAX_BYTES + 1];
	enum err_code rc = gather_like(&g, like, which, c, absent, reterr);
	for (size_t i = 0; i < source_count && !rc; i++)
		if (sources[i].component == which)
			rc = add(&g, sources[i].root, ROOT_PREPARED, sources[i].label, reterr);
	if (rc)
		return rc;
	qsort(g.roots, g.count, sizeof g.roots[0], by_name);
	rc = finish(&g, &roots, reterr);
	if (rc)
		return rc;
	now.roots = roots.roots;
	roots_version_now(&now, version);
	if (*version && !(roots.version = arena_strdup(arena, version)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	*ret = roots;
	return ERR_OK;
}

static const char *aside_of(const struct snapshot_aside *asides, size_t count, const char *root)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(asides[i].root, root))
			return asides[i].from;
	return NULL;
}

enum err_code roots_read_aside(struct component_roots *roots, const struct snapshot_aside *asides, size_t count,
    struct arena *arena, struct err *reterr)
{
	struct snapshot_component there = {0};
	struct snapshot_root *all = arena_array(arena, roots->roots.count + 1, sizeof *all);
	char version[VERSION_MAX_BYTES + 1];
	if (!all)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (roots->roots.count)
		memcpy(all, roots->roots.items, roots->roots.count * sizeof *all);
	for (size_t i = 0; i < roots->roots.count; i++) {
		const char *from = aside_of(asides, count, all[i].path);
		if (from)
			all[i].path = roots->scan[i].path = from;
	}
	there.roots = (struct list){all, roots->roots.count};
	roots_version_now(&there, version);
	roots->version = *version ? arena_strdup(arena, version) : NULL;
	return !*version || roots->version ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

enum err_code roots_recorded(const struct snapshot_component *c, struct arena *arena, struct component_roots *ret,
    size_t *ret_count, struct err *reterr)
{
	struct scan_root *scan = arena_array(arena, c->roots.count + 1, sizeof *scan);
	if (!scan)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	size_t n = 0;
	for (size_t i = 0; i < c->roots.count; i++) {
		const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, i);
		if (r->kind != ROOT_PREPARED)
			scan[n++] = (struct scan_root){r->path, name_of(r), NULL};
	}
	*ret = (struct component_roots){.roots = c->roots, .scan = scan, .exclude = &c->exclude};
	*ret_count = n;
	return ERR_OK;
}

void roots_version_now(const struct snapshot_component *c, char *out)
{
	*out = 0;
	for (size_t i = 0; i < c->roots.count; i++) {
		const struct snapshot_root *r = &LIST_AT(c->roots, struct snapshot_root, i);
		char commit[GIT_COMMIT_MAX + 1], target[PATH_LIMIT];
		if (r->kind == ROOT_GIT && !git_commit(r->path, commit, NULL))
			text_copy(out, VERSION_MAX_BYTES + 1, commit);
		else if (r->kind == ROOT_RELEASE_LINK && realpath(r->path, target))
			text_copy(out, VERSION_MAX_BYTES + 1, strrchr(target, '/') + 1);
	}
}
