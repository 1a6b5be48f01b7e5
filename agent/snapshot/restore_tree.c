/* The names of a restore: where each entry goes, directories, further names of hard links. */
#include "agent/snapshot/restore_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/snapshot/apart.h"
#include "shared/base/text.h"

enum { OFFSET_BITS = 20 }; /* of an entry in its page */

/* ---- which ---- */

bool restore_is_at_or_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);
	while (n > 1 && folder[n - 1] == '/')
		n--;
	return !strncmp(path, folder, n) && (path[n] == 0 || path[n] == '/');
}

/* Directories above a wanted path are made too. */
static bool is_wanted(const struct restoring *r, const struct snapshot_entry *e)
{
	char path[PATH_LIMIT * 2];
	if (!r->o->paths)
		return true;
	(void)text_format(path, sizeof path, "%s%s%s", e->root_path, *e->path ? "/" : "", e->path);
	for (const char *const *p = r->o->paths; *p; p++)
		if (restore_is_at_or_below(path, *p) ||
		    (e->type == ENTRY_DIRECTORY && restore_is_at_or_below(*p, path)))
			return true;
	return false;
}

/* ---- where ---- */

static int open_beneath(int dirfd, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, dirfd, *path ? path : ".", &how, sizeof how);
}

/* Below dir: the root's absolute path, or the label that a database adapter gave it. */
static const char *place_of(const struct restoring *r, uint32_t root)
{
	const struct snapshot_root *x = &LIST_AT(r->about->roots, struct snapshot_root, root);
	const char *place = x->kind == ROOT_PREPARED && x->label ? x->label : x->path;
	while (*place == '/')
		place++;
	return place;
}

/* The folder in which the root itself is made; its parents get made where they are missing. */
static enum err_code open_parent(
    const struct restoring *r, uint32_t root, int *ret_fd, const char **ret_name, struct err *reterr)
{
	char path[PATH_LIMIT];
	const char *place = place_of(r, root), *slash = strrchr(place, '/');
	text_copy(path, sizeof path, place);
	path[slash ? (size_t)(slash - place) : 0] = 0;
	for (char *at = path; *at;) {
		char *end = strchr(at, '/');
		if (end)
			*end = 0;
		if (mkdirat(r->dir_fd, path, 0755) && errno != EEXIST)
			return err_sys(reterr, errno, "make %s/%s", r->dir, path);
		if (!end)
			break;
		*end = '/';
		at = end + 1;
	}
	int fd = open_beneath(r->dir_fd, path);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s/%s", r->dir, path);
	*ret_fd = fd;
	*ret_name = slash ? slash + 1 : place;
	return ERR_OK;
}

/* ---- entries ---- */

bool restore_fill(const struct restoring *r, const struct tree_block *b, const uint8_t *raw, uint32_t *roots,
    char path[PATH_LIMIT], struct snapshot_entry *ret)
{
	uint32_t root = b->root == TREE_ROOTS ? (*roots)++ : b->root;
	return tree_entry_path(b, raw, path) &&
	       snapshot_entry_fill(r->about, r->about->component, root, path, raw, ret) && is_wanted(r, ret);
}

enum err_code restore_open_folder(
    const struct restoring *r, const struct snapshot_entry *e, int *ret_fd, char name[PATH_LIMIT], struct err *reterr)
{
	char folder[PATH_LIMIT];
	const char *last;
	if (!*e->path) {
		enum err_code rc = open_parent(r, e->root, ret_fd, &last, reterr);
		if (!rc)
			text_copy(name, PATH_LIMIT, last);
		return rc;
	}
	const char *slash = strrchr(e->path, '/');
	memcpy(folder, e->path, slash ? (size_t)(slash - e->path) : 0);
	folder[slash ? slash - e->path : 0] = 0;
	int fd = open_beneath(r->root_fds[e->root], folder);
	if (fd < 0)
		return err_sys(reterr, errno, "open the folder of %s", e->path);
	strcpy(name, slash ? slash + 1 : e->path);
	*ret_fd = fd;
	return ERR_OK;
}

/* Where the entry is in the tree, as a key that is never NULL. */
static void *place_in_tree(const struct paged_slot *slot, const uint8_t *raw)
{
	return (void *)((slot->page + 1) << OFFSET_BITS | (uintptr_t)(raw - slot->tree.pages[0]));
}

bool restore_is_first_name(struct restoring *r, const struct snapshot_entry *e, const struct paged_slot *slot)
{
	if (!e->link)
		return true;
	pthread_mutex_lock(&r->mutex);
	const void *first = map_get(r->links, &e->link, sizeof e->link);
	pthread_mutex_unlock(&r->mutex);
	return first == place_in_tree(slot, e->raw);
}

/* Every wanted entry in order; visit's error ends it. */
typedef enum err_code visit_fn(
    struct restoring *r, void *ctx, const struct snapshot_entry *e, const struct paged_slot *slot, struct err *reterr);

static enum err_code visit_all(struct restoring *r, visit_fn *visit, void *ctx, struct err *reterr)
{
	struct paged_walk w = PAGED_WALK(r->tree);
	char path[PATH_LIMIT];
	uint32_t roots = 0;
	enum err_code rc;
	while ((rc = paged_walk_next(&w, reterr)) == ERR_OK && w.block) {
		const uint8_t *raw = w.block->entries;
		for (uint32_t i = 0; i < w.block->count && !rc; i++, raw += entry_size(raw)) {
			struct snapshot_entry e;
			if (restore_fill(r, w.block, raw, &roots, path, &e))
				rc = visit(r, ctx, &e, w.slot, reterr);
		}
		if (rc)
			break;
	}
	paged_walk_end(&w);
	return rc;
}

/* A root itself lies in a folder that is not ours. */
bool restore_is_plain(const struct restoring *r, const struct snapshot_entry *e)
{
	return *e->path && !atomic_load(&r->hands_down);
}

/* ---- directories ---- */

static enum err_code make_directory(struct restoring *r, const struct snapshot_entry *e, struct err *reterr)
{
	char name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = restore_open_folder(r, e, &fd, name, reterr);
	if (rc)
		return rc;
	/* Only the owner may look in while it is filled. */
	if (*e->path ? mkdirat(fd, name, 0700) : apart_mkdirat(fd, name, 0700))
		return err_sys(
		    reterr, errno, "make %s/%s%s%s", r->dir, place_of(r, e->root), *e->path ? "/" : "", e->path);
	atomic_fetch_add(&r->entries, 1);
	if (*e->path)
		return ERR_OK;
	int root = r->root_fds[e->root] = open_beneath(fd, name);
	if (root < 0)
		return err_sys(reterr, errno, "open %s", name);
	if (flistxattr(root, NULL, 0) != 0)
		atomic_store(&r->hands_down, true);
	return ERR_OK;
}

/* Whoever waits for these pages may go on.  ERR_CANCELLED: nobody wants to. */
static enum err_code tell_made(struct restoring *r, size_t pages, struct err *reterr)
{
	pthread_mutex_lock(&r->mutex);
	r->made = pages;
	pthread_cond_broadcast(&r->wake);
	bool stopped = restore_is_stopped(r);
	pthread_mutex_unlock(&r->mutex);
	return stopped ? err_set(reterr, ERR_CANCELLED, "cancelled; %s holds a part", r->dir) : ERR_OK;
}

static enum err_code note_link(
    struct restoring *r, const struct snapshot_entry *e, const struct paged_slot *slot, struct err *reterr)
{
	pthread_mutex_lock(&r->mutex);
	bool noted = map_get(r->links, &e->link, sizeof e->link) ||
		     map_put(r->links, &e->link, sizeof e->link, place_in_tree(slot, e->raw));
	pthread_mutex_unlock(&r->mutex);
	return noted ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory");
}

static enum err_code make_directory_or_note(
    struct restoring *r, void *ctx, const struct snapshot_entry *e, const struct paged_slot *slot, struct err *reterr)
{
	size_t *page = ctx;
	enum err_code rc = slot->page == *page ? ERR_OK : tell_made(r, slot->page, reterr);
	if (rc)
		return rc;
	*page = slot->page;
	if (e->type == ENTRY_DIRECTORY)
		return make_directory(r, e, reterr);
	return e->link ? note_link(r, e, slot, reterr) : ERR_OK;
}

enum err_code restore_make_directories(struct restoring *r, struct err *reterr)
{
	size_t page = 0;
	enum err_code rc = visit_all(r, make_directory_or_note, &page, reterr);
	return rc ? rc : tell_made(r, paged_count(r->tree), reterr);
}

/* The directories among one block's entries.  first_root: number of its first entry, if it is one of roots. */
static enum err_code finish_block(
    struct restoring *r, const struct tree_block *b, uint32_t first_root, struct err *reterr)
{
	char path[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int fd = -1;
	const uint8_t *raw = b->entries;
	for (uint32_t j = 0; j < b->count; j++, raw += entry_size(raw)) {
		struct snapshot_entry e;
		if (entry_kind(raw) != ENTRY_DIRECTORY && b->root != TREE_ROOTS)
			continue;
		if (!restore_fill(r, b, raw, &first_root, path, &e) || e.type != ENTRY_DIRECTORY)
			continue;
		enum err_code rc = ERR_OK;
		if (fd >= 0 && b->root != TREE_ROOTS) {
			text_copy(name, sizeof name, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
		} else {
			if (fd >= 0)
				close(TAKE_FD(fd));
			rc = restore_open_folder(r, &e, &fd, name, reterr);
		}
		if (!rc)
			rc = snapshot_set_metadata_of(&e, fd, name, restore_is_plain(r, &e), reterr);
		if (rc)
			return rc;
	}
	return ERR_OK;
}

/* From the last to the first: making a child changes its parent's time. */
enum err_code restore_finish_directories(struct restoring *r, struct err *reterr)
{
	uint32_t roots = (uint32_t)r->about->roots.count;
	enum err_code rc = ERR_OK;
	for (size_t page = paged_count(r->tree); page-- > 0 && !rc;) {
		struct paged_slot *slot = NULL;
		rc = paged_hold(r->tree, page, &slot, reterr);
		for (size_t i = rc ? 0 : slot->tree.block_count; i-- > 0 && !rc;) {
			const struct tree_block *b = &slot->tree.blocks[i];
			if (b->root == TREE_ROOTS)
				roots -= b->count;
			rc = finish_block(r, b, roots, reterr);
		}
		paged_let_go(r->tree, slot);
	}
	return rc;
}

/* ---- further names ---- */

static enum err_code link_entry(
    struct restoring *r, const struct snapshot_entry *first, const struct snapshot_entry *e, struct err *reterr)
{
	char first_name[PATH_LIMIT], name[PATH_LIMIT];
	CLEANUP(cleanup_fd) int first_fd = -1;
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = restore_open_folder(r, first, &first_fd, first_name, reterr);
	if (!rc)
		rc = restore_open_folder(r, e, &fd, name, reterr);
	if (!rc && linkat(first_fd, first_name, fd, name, 0))
		rc = err_sys(reterr, errno, "link %s to %s", e->path, first->path);
	if (!rc)
		atomic_fetch_add(&r->entries, 1);
	return rc;
}

struct linking {
	struct map *firsts; /* link number -> struct first_name */
	struct arena *arena;
};
struct first_name {
	struct snapshot_entry e;
	char path[];
};

/* Where the first name is, is found on the way: it comes before the others. */
static enum err_code link_or_note(
    struct restoring *r, void *ctx, const struct snapshot_entry *e, const struct paged_slot *slot, struct err *reterr)
{
	struct linking *l = ctx;
	(void)slot;
	if (e->type == ENTRY_DIRECTORY || !e->link)
		return ERR_OK;
	struct first_name *first = map_get(l->firsts, &e->link, sizeof e->link);
	if (first)
		return link_entry(r, &first->e, e, reterr);
	first = arena_alloc(l->arena, sizeof *first + strlen(e->path) + 1);
	if (!first || !map_put(l->firsts, &e->link, sizeof e->link, first))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	strcpy(first->path, e->path);
	first->e = *e;
	first->e.path = first->path;
	first->e.raw = NULL; /* its page goes */
	return ERR_OK;
}

enum err_code restore_make_links(struct restoring *r, struct err *reterr)
{
	if (!map_count(r->links))
		return ERR_OK;
	CLEANUP(arena_cleanup) struct arena *arena = arena_new((size_t)1 << 30);
	struct linking l = {map_new(), arena};
	enum err_code rc =
	    arena && l.firsts ? visit_all(r, link_or_note, &l, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	map_free(l.firsts);
	return rc;
}
