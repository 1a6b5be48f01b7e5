/* agent/rollback/converge.c */
#include "agent/rollback/converge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { REMOVE_DEPTH_MAX = 2048, NAME_TEXT = 24 };

struct change {
	enum change_kind kind;
	enum component component;
	uint32_t root;
	char *path;       /* below the root; "" is the root itself */
	bool directory;   /* what the restore point has there */
	uint64_t link;    /* hard link group, or 0 */
	uint64_t place;   /* where its content begins in the repository */
	size_t staged;    /* 1 + its name in the staging folder; 0: nothing is staged */
	uint64_t size;
};

struct root {
	enum component component;
	uint32_t index;
	char path[PATH_LIMIT];
	char stage[PATH_LIMIT]; /* its staging folder */
	int stage_fd;
	bool used;
};

struct converge {
	struct snapshot *s;
	const struct service_config *service;
	uint32_t components;
	char token[64];
	struct root *roots;
	size_t root_count;
	struct change *changes;
	size_t count, room;
	struct converge_counts counts;
	bool failed; /* out of memory while collecting */
};

/* ---- roots and their staging folders ---- */

static struct root *root_of(struct converge *c, enum component component, uint32_t index)
{
	for (size_t i = 0; i < c->root_count; i++)
		if (c->roots[i].component == component && c->roots[i].index == index)
			return &c->roots[i];
	return NULL;
}

/* Next to the root where that is the same file system, else (the root is a mount point) inside it. */
static enum err_code stage_path(struct root *r, const char *token, struct err *reterr)
{
	char parent[PATH_LIMIT];
	struct stat above, here;
	text_copy(parent, sizeof parent, r->path);
	char *slash = strrchr(parent, '/');
	if (slash)
		*(slash == parent ? slash + 1 : slash) = '\0';
	bool inside = stat(parent, &above) == 0 && lstat(r->path, &here) == 0 && S_ISDIR(here.st_mode) && above.st_dev != here.st_dev;
	if (!text_format(r->stage, sizeof r->stage, "%s/.kedge-%s-%s-%u", inside ? r->path : parent, token, enum_name(&component_enum, r->component), r->index))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", r->path);
	return ERR_OK;
}

static enum err_code collect_roots(struct converge *c, struct err *reterr)
{
	const struct snapshot_summary *about = snapshot_about(c->s);
	size_t total = 0;
	for (size_t i = 0; i < about->components.count; i++)
		total += LIST_AT(about->components, struct snapshot_component, i).roots.count;
	c->roots = calloc(total + 1, sizeof *c->roots);
	if (!c->roots)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; i < about->components.count; i++) {
		const struct snapshot_component *sc = &LIST_AT(about->components, struct snapshot_component, i);
		for (uint32_t k = 0; k < sc->roots.count; k++) {
			const struct snapshot_root *sr = &LIST_AT(sc->roots, struct snapshot_root, k);
			if (!(c->components & 1u << sc->component) || sr->kind == ROOT_PREPARED)
				continue;
			struct root *r = &c->roots[c->root_count++];
			r->component = (enum component)sc->component;
			r->index = k;
			r->stage_fd = -1;
			text_copy(r->path, sizeof r->path, sr->path);
			enum err_code rc = stage_path(r, c->token, reterr);
			if (rc != ERR_OK)
				return rc;
		}
	}
	return ERR_OK;
}

/* ---- removing, without following anything ---- */

static enum err_code remove_at(int dirfd, const char *name, unsigned depth, struct err *reterr)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return ERR_OK;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(reterr, errno, "%s cannot be removed", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return ERR_OK;
	if ((errno != ENOTEMPTY && errno != EEXIST) || depth >= REMOVE_DEPTH_MAX)
		return err_sys(reterr, errno, "%s cannot be removed", name);
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP(cleanup_dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		return err_sys(reterr, errno, "%s cannot be opened", name);
	enum err_code rc = ERR_OK;
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_at(fd, e->d_name, depth + 1, reterr);
	if (rc == ERR_OK && unlinkat(dirfd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		rc = err_sys(reterr, errno, "%s cannot be removed", name);
	return rc;
}

static enum err_code remove_stage(const struct root *r, struct err *reterr) { return remove_at(AT_FDCWD, r->stage, 0, reterr); }

/* ---- comparing ---- */

static bool spared(const struct converge *c, const struct snapshot_change *ch)
{
	const struct component_config *cc = components_get(&c->service->components, ch->component);
	char full[PATH_LIMIT];
	if (!cc || !text_format(full, sizeof full, "%s%s%s", ch->root_path, ch->path[0] ? "/" : "", ch->path))
		return false;
	for (size_t i = 0; i < cc->never_restore.count; i++) {
		const char *never = LIST_AT(cc->never_restore, const char *, i);
		size_t n = strlen(never);
		if (strncmp(full, never, n) == 0 && (full[n] == '\0' || full[n] == '/'))
			return true;
	}
	return false;
}

static struct change *add_change(struct converge *c)
{
	if (c->count == c->room) {
		size_t room = c->room ? 2 * c->room : 256;
		struct change *more = room <= CONVERGE_CHANGES_MAX ? realloc(c->changes, room * sizeof *more) : NULL;
		if (!more)
			return NULL;
		c->changes = more;
		c->room = room;
	}
	struct change *ch = &c->changes[c->count++];
	*ch = (struct change){ 0 };
	return ch;
}

static bool on_change(void *ctx, const struct snapshot_change *d)
{
	struct converge *c = ctx;
	if (spared(c, d)) {
		c->counts.skipped++;
		return true;
	}
	if (strncmp(d->path, ".kedge-", 7) == 0) /* our own folder, where a root is a mount point */
		return true;
	struct change *ch = add_change(c);
	if (!ch || !(ch->path = strdup(d->path))) {
		c->failed = true;
		return false;
	}
	ch->kind = d->kind;
	ch->component = d->component;
	ch->root = d->root;
	if (d->before) {
		ch->directory = d->before->type == ENTRY_DIRECTORY;
		ch->link = d->before->type == ENTRY_DIRECTORY ? 0 : d->before->link;
		ch->size = d->before->type == ENTRY_FILE ? d->before->size : 0;
	}
	return true;
}

static bool is_known(const struct converge *c, const struct snapshot_entry *e)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->changes[i].component == e->component && c->changes[i].root == e->root && strcmp(c->changes[i].path, e->path) == 0)
			return true;
	return false;
}

static bool group_changes(const struct converge *c, const struct snapshot_entry *e, size_t known)
{
	for (size_t i = 0; i < known; i++)
		if (c->changes[i].link == e->link && c->changes[i].component == e->component && c->changes[i].kind != CHANGE_METADATA)
			return true;
	return false;
}

/* A file with several names is put back with all of its names, or the names would come apart. */
static bool complete_links(struct converge *c)
{
	size_t known = c->count, linked = 0;
	for (size_t i = 0; i < known; i++)
		linked += c->changes[i].link != 0 && c->changes[i].kind != CHANGE_METADATA;
	for (unsigned which = 0; linked && which < COMPONENT_COUNT; which++) {
		struct snapshot_cursor cursor = { .component = (enum component)which };
		struct snapshot_entry e;
		if (!(c->components & 1u << which))
			continue;
		while (snapshot_next(c->s, &cursor, &e)) {
			if (!e.link || e.type == ENTRY_DIRECTORY || !group_changes(c, &e, known) || is_known(c, &e))
				continue;
			struct change *ch = add_change(c);
			if (!ch || !(ch->path = strdup(e.path)))
				return false;
			*ch = (struct change){ .kind = CHANGE_CONTENT, .component = e.component, .root = e.root, .path = ch->path, .link = e.link,
				.size = e.type == ENTRY_FILE ? e.size : 0 };
		}
	}
	return true;
}

/* ---- staging ---- */

static enum err_code open_stage(struct root *r, struct err *reterr)
{
	if (r->stage_fd >= 0)
		return ERR_OK;
	enum err_code rc = remove_stage(r, reterr); /* of an interrupted run */
	if (rc != ERR_OK)
		return rc;
	if (mkdir(r->stage, 0700) != 0)
		return err_sys(reterr, errno, "%s cannot be made", r->stage);
	r->used = true;
	r->stage_fd = open(r->stage, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r->stage_fd >= 0 ? ERR_OK : err_sys(reterr, errno, "%s cannot be opened", r->stage);
}

static bool needs_stage(const struct change *ch)
{
	return (ch->kind == CHANGE_REMOVED || ch->kind == CHANGE_CONTENT) && !ch->directory;
}

static enum err_code check_room(struct converge *c, struct err *reterr)
{
	for (size_t i = 0; i < c->root_count; i++) {
		struct statvfs fs;
		char parent[PATH_LIMIT];
		uint64_t bytes = 0, files = 0;
		for (size_t k = 0; k < c->count; k++)
			if (c->changes[k].component == c->roots[i].component && c->changes[k].root == c->roots[i].index && needs_stage(&c->changes[k])) {
				bytes += c->changes[k].size;
				files++;
			}
		text_copy(parent, sizeof parent, c->roots[i].stage);
		*strrchr(parent, '/') = '\0';
		if (!files || statvfs(parent[0] ? parent : "/", &fs) != 0)
			continue;
		char need[TEXT_TIME_MAX], have[TEXT_TIME_MAX];
		uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		if (free_bytes < bytes + bytes / 5)
			return err_set(reterr, ERR_FULL, "not enough room beside %s: %s are needed, %s are free; nothing was changed", c->roots[i].path,
			    text_size_human(bytes + bytes / 5, need), text_size_human(free_bytes, have));
		if (fs.f_files && fs.f_favail < files + files / 5)
			return err_set(reterr, ERR_FULL, "not enough inodes beside %s: %llu are needed; nothing was changed", c->roots[i].path,
			    (unsigned long long)(files + files / 5));
	}
	return ERR_OK;
}

static bool entry_of(const struct converge *c, const struct change *ch, struct snapshot_entry *ret)
{
	return snapshot_lookup(c->s, ch->component, ch->root, ch->path, ret);
}

/* An earlier staged name of the same file. */
static const struct change *staged_twin(const struct converge *c, const struct change *ch)
{
	for (size_t i = 0; ch->link && i < c->count; i++)
		if (c->changes[i].staged && c->changes[i].link == ch->link && c->changes[i].component == ch->component && c->changes[i].root == ch->root)
			return &c->changes[i];
	return NULL;
}

static char *stage_name(size_t staged, char out[NAME_TEXT])
{
	text_format(out, NAME_TEXT, "%zu", staged);
	return out;
}

static enum err_code stage_one(struct converge *c, struct snapshot_reader *reader, size_t i, struct err *reterr)
{
	struct change *ch = &c->changes[i];
	struct root *r = root_of(c, ch->component, ch->root);
	const struct change *twin = staged_twin(c, ch);
	struct snapshot_entry e;
	char name[NAME_TEXT], other[NAME_TEXT], shown[PATH_LIMIT];
	enum err_code rc = open_stage(r, reterr);
	if (rc != ERR_OK)
		return rc;
	if (twin) {
		if (linkat(r->stage_fd, stage_name(twin->staged, other), r->stage_fd, stage_name(i + 1, name), 0) != 0)
			return err_sys(reterr, errno, "%s/%s cannot be linked", r->stage, name);
	} else {
		if (!entry_of(c, ch, &e))
			return err_set(reterr, ERR_CORRUPT, "%s is not in the restore point any more", snapshot_path_text(ch->path, shown, sizeof shown));
		if ((rc = snapshot_make(reader, &e, r->stage_fd, stage_name(i + 1, name), reterr)) != ERR_OK)
			return err_prefix(reterr, rc, "%s", snapshot_path_text(ch->path, shown, sizeof shown));
	}
	ch->staged = i + 1;
	c->counts.bytes += ch->size;
	return ERR_OK;
}

static enum err_code stage_all(struct converge *c, struct err *reterr)
{
	struct snapshot_reader *reader = NULL;
	enum err_code rc = snapshot_reader_new(c->s, &reader, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->count; i++)
		if (needs_stage(&c->changes[i]))
			rc = stage_one(c, reader, i, reterr);
	snapshot_reader_free(reader);
	for (size_t i = 0; rc == ERR_OK && i < c->root_count; i++)
		if (c->roots[i].stage_fd >= 0 && syncfs(c->roots[i].stage_fd) != 0)
			rc = err_sys(reterr, errno, "%s cannot be made durable", c->roots[i].stage);
	return rc;
}

enum err_code converge_stage(struct snapshot *s, const struct service_config *service, uint32_t components, const char *token, struct converge **ret,
    struct err *reterr)
{
	struct converge *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	c->s = s;
	c->service = service;
	c->components = components & ~(1u << COMPONENT_DATABASE);
	text_copy(c->token, sizeof c->token, token);
	struct diff_options options = { .components = c->components };
	struct diff_result result;
	enum err_code rc = collect_roots(c, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->root_count; i++)
		rc = remove_stage(&c->roots[i], reterr); /* or the comparison would see it */
	if (rc == ERR_OK && c->components)
		rc = snapshot_diff_live(s, service, &options, on_change, c, &result, reterr);
	if (rc == ERR_OK && (c->failed || !complete_links(c)))
		rc = err_set(reterr, ERR_NOMEM, "out of memory: too much differs (%zu entries)", c->count);
	if (rc == ERR_OK)
		rc = check_room(c, reterr);
	if (rc == ERR_OK)
		rc = stage_all(c, reterr);
	if (rc == ERR_OK)
		*ret = c;
	else
		converge_free(c);
	return rc;
}

const struct converge_counts *converge_counts(const struct converge *c) { return &c->counts; }
bool converge_is_empty(const struct converge *c) { return c->count == 0; }

void converge_free(struct converge *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->root_count; i++) {
		if (c->roots[i].stage_fd >= 0)
			close(c->roots[i].stage_fd);
		if (c->roots[i].used && remove_stage(&c->roots[i], NULL) != ERR_OK)
			continue; /* the next run of any token, or converge_clean, takes it */
	}
	for (size_t i = 0; i < c->count; i++)
		free(c->changes[i].path);
	free(c->changes);
	free(c->roots);
	free(c);
}

enum err_code converge_clean(struct snapshot *s, uint32_t components, const char *token, struct err *reterr)
{
	struct converge c = { .s = s, .components = components & ~(1u << COMPONENT_DATABASE) };
	text_copy(c.token, sizeof c.token, token);
	enum err_code rc = collect_roots(&c, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c.root_count; i++)
		rc = remove_stage(&c.roots[i], reterr);
	free(c.roots);
	return rc;
}

/* ---- applying ---- */

/* The folder that holds path below the root, and the last name of it.  For the root itself: its parent folder. */
static enum err_code open_parent(const struct root *r, const char *path, int *ret_fd, const char **ret_name, struct err *reterr)
{
	char folder[PATH_LIMIT], shown[PATH_LIMIT];
	const char *slash = path[0] ? strrchr(path, '/') : strrchr(r->path, '/');
	if (!path[0]) {
		text_format(folder, sizeof folder, "%.*s", (int)(slash == r->path ? 1 : slash - r->path), r->path);
		*ret_name = slash + 1;
		*ret_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *ret_fd >= 0 ? ERR_OK : err_sys(reterr, errno, "%s cannot be opened", folder);
	}
	CLEANUP(cleanup_fd) int root = open(r->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(reterr, errno, "%s cannot be opened", r->path);
	text_format(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	*ret_fd = (int)syscall(SYS_openat2, root, folder, &how, sizeof how);
	*ret_name = slash ? slash + 1 : path;
	return *ret_fd >= 0 ? ERR_OK : err_sys(reterr, errno, "%s/%s cannot be opened", r->path, snapshot_path_text(folder, shown, sizeof shown));
}

static enum err_code failed_at(const struct root *r, const char *path, const char *what, struct err *reterr)
{
	char shown[PATH_LIMIT];
	int code = errno;
	return err_sys(reterr, code, "%s/%s cannot be %s", r->path, snapshot_path_text(path, shown, sizeof shown), what);
}

static enum err_code make_folder(struct root *r, int dirfd, const char *name, const struct change *ch, struct err *reterr)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) {
		enum err_code rc = remove_at(dirfd, name, 0, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return mkdirat(dirfd, name, 0700) == 0 || errno == EEXIST ? ERR_OK : failed_at(r, ch->path, "made", reterr);
}

static enum err_code put_file(struct root *r, int dirfd, const char *name, const struct change *ch, struct err *reterr)
{
	struct stat st;
	char staged[NAME_TEXT];
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) { /* a folder stands where a file was */
		enum err_code rc = remove_at(dirfd, name, 0, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	return renameat(r->stage_fd, stage_name(ch->staged, staged), dirfd, name) == 0 ? ERR_OK : failed_at(r, ch->path, "put in place", reterr);
}

static enum err_code set_metadata(struct converge *c, const struct change *ch, int dirfd, const char *name, struct err *reterr)
{
	struct snapshot_entry e;
	if (!entry_of(c, ch, &e))
		return ERR_OK; /* it is not in the restore point: it was removed */
	return snapshot_set_metadata(&e, dirfd, name, reterr);
}

static enum err_code apply_one(struct converge *c, struct change *ch, bool removals, struct err *reterr)
{
	struct root *r = root_of(c, ch->component, ch->root);
	CLEANUP(cleanup_fd) int dirfd = -1;
	const char *name;
	if ((ch->kind == CHANGE_ADDED) != removals)
		return ERR_OK;
	enum err_code rc = open_parent(r, ch->path, &dirfd, &name, reterr);
	if (rc == ERR_NOT_FOUND && removals)
		return ERR_OK; /* went with its folder */
	if (rc != ERR_OK)
		return rc;
	switch (ch->kind) {
	case CHANGE_ADDED:
		c->counts.removed++;
		return remove_at(dirfd, name, 0, reterr);
	case CHANGE_METADATA:
		c->counts.metadata++;
		return set_metadata(c, ch, dirfd, name, reterr);
	case CHANGE_REMOVED:
	case CHANGE_CONTENT:
		c->counts.made += ch->kind == CHANGE_REMOVED;
		c->counts.replaced += ch->kind == CHANGE_CONTENT;
		return ch->directory ? make_folder(r, dirfd, name, ch, reterr) : put_file(r, dirfd, name, ch, reterr);
	case CHANGE_KIND_COUNT:
		break;
	}
	return ERR_OK;
}

/* Folders get their own metadata last, the deepest first: changing what is in them touched their times. */
static enum err_code settle_folder(struct converge *c, enum component component, uint32_t root, const char *path, struct err *reterr)
{
	struct root *r = root_of(c, component, root);
	struct snapshot_entry e;
	CLEANUP(cleanup_fd) int dirfd = -1;
	const char *name;
	if (!snapshot_lookup(c->s, component, root, path, &e) || e.type != ENTRY_DIRECTORY)
		return ERR_OK;
	enum err_code rc = open_parent(r, path, &dirfd, &name, reterr);
	return rc == ERR_OK ? snapshot_set_metadata(&e, dirfd, name, reterr) : rc;
}

struct folder { enum component component; uint32_t root; char *path; };

static int deepest_first(const void *a, const void *b)
{
	const struct folder *x = a, *y = b;
	if (x->component != y->component)
		return x->component < y->component ? -1 : 1;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return strcmp(y->path, x->path); /* "a/b" before "a" */
}

static char *parent_text(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? strndup(path, (size_t)(slash - path)) : strdup("");
}

static enum err_code settle_folders(struct converge *c, struct err *reterr)
{
	struct folder *all = calloc(2 * c->count + 1, sizeof *all);
	size_t n = 0;
	enum err_code rc = all ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
	for (size_t i = 0; rc == ERR_OK && i < c->count; i++) {
		const struct change *ch = &c->changes[i];
		all[n] = (struct folder){ ch->component, ch->root, parent_text(ch->path) };
		rc = all[n++].path ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		if (rc == ERR_OK && ch->directory) {
			all[n] = (struct folder){ ch->component, ch->root, strdup(ch->path) };
			rc = all[n++].path ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a rollback");
		}
	}
	if (n)
		qsort(all, n, sizeof *all, deepest_first);
	for (size_t i = 0; rc == ERR_OK && i < n; i++)
		if (!i || deepest_first(&all[i - 1], &all[i]) != 0)
			rc = settle_folder(c, all[i].component, all[i].root, all[i].path, reterr);
	for (size_t i = 0; i < n; i++)
		free(all[i].path);
	free(all);
	return rc;
}

/* Write order: renames and removals, metadata, one syncfs a file system; only then does the caller's journal say that it is done. */
enum err_code converge_apply(struct converge *c, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	for (size_t i = c->count; rc == ERR_OK && i-- > 0;) /* what was added goes first: it may stand in the way */
		rc = apply_one(c, &c->changes[i], true, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->count; i++)
		rc = apply_one(c, &c->changes[i], false, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->root_count; i++)
		if (c->roots[i].used)
			rc = remove_stage(&c->roots[i], reterr);
	if (rc == ERR_OK)
		rc = settle_folders(c, reterr);
	for (size_t i = 0; rc == ERR_OK && i < c->root_count; i++) {
		CLEANUP(cleanup_fd) int dirfd = -1;
		const char *name;
		rc = open_parent(&c->roots[i], "", &dirfd, &name, reterr);
		if (rc == ERR_OK && syncfs(dirfd) != 0)
			rc = err_sys(reterr, errno, "%s cannot be made durable", c->roots[i].path);
	}
	return rc;
}
