/* One directory of a scan: list, sort, merge with the base, encode. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "agent/snapshot/scan_internal.h"
#include "agent/snapshot/xattrs.h"
#include "shared/base/text.h"

enum { LISTING_SIZE = 64 << 10, NANO = 1000000000 };

struct linux_dirent64 { /* getdents64(2) */
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};

/* ---- listing ---- */

static enum err_code add_name(struct scan_worker *w, const char *name, size_t *count, struct err *reterr)
{
	if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
		return ERR_OK;
	if (*count == w->sorted_room) {
		size_t room = w->sorted_room ? w->sorted_room * 2 : 256;
		struct name *more = realloc(w->sorted, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		w->sorted = more;
		w->sorted_room = room;
	}
	w->sorted[(*count)++].at = (uint32_t)w->names.size;
	buf_append(&w->names, name, strlen(name) + 1);
	return w->names.failed ? err_set(reterr, ERR_LIMIT, "the directory holds more names than can be listed")
			       : ERR_OK;
}

static int compare_names(const void *a, const void *b, void *names)
{
	const char *base = names;
	return strcmp(base + ((const struct name *)a)->at, base + ((const struct name *)b)->at);
}

static enum err_code list_directory(struct scan_worker *w, int fd, size_t *ret_count, struct err *reterr)
{
	size_t count = 0;
	buf_clear(&w->names);
	w->names.limit = (size_t)1 << 30;
	if (!w->listing && !(w->listing = malloc(LISTING_SIZE)))
		return err_set(reterr, ERR_NOMEM, "out of memory");
	for (;;) {
		long n = syscall(SYS_getdents64, fd, w->listing, LISTING_SIZE);
		if (n < 0)
			return err_sys(reterr, errno, "list");
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const struct linux_dirent64 *d = (const void *)(w->listing + at);
			enum err_code rc = add_name(w, d->d_name, &count, reterr);
			if (rc)
				return rc;
			at += d->d_reclen;
		}
	}
	if (count)
		qsort_r(w->sorted, count, sizeof *w->sorted, compare_names, w->names.data);
	*ret_count = count;
	return ERR_OK;
}

/* The roots are listed as they were given, sorted already. */
static enum err_code list_roots(struct scan_worker *w, size_t *ret_count, struct err *reterr)
{
	size_t count = 0;
	buf_clear(&w->names);
	for (size_t i = 0; i < w->scan->o.root_count; i++) {
		enum err_code rc = add_name(w, w->scan->o.roots[i].path, &count, reterr);
		if (rc)
			return rc;
	}
	*ret_count = count;
	return ERR_OK;
}

/* ---- the base's side of the merge ---- */

static void begin_base(struct paged_cursor *c, struct paged *base, const uint16_t *roots, const struct scan_node *n)
{
	uint16_t root = n->root == TREE_ROOTS ? TREE_ROOTS : roots[n->root];
	bool none = root == TREE_ROOTS && n->root != TREE_ROOTS;
	paged_begin(none ? NULL : base, root, n->path, c);
}

/* What a directory's names are merged with. */
struct merge {
	struct paged_cursor base, cut;
	bool cut_begun; /* looked for only when something in the directory is not as in the base */
};

/* The entry that says how the file was cut. */
static const uint8_t *cut_of(
    const struct scan *s, const struct scan_node *n, struct merge *m, const uint8_t *base, const char *name)
{
	if (s->o.cut == s->o.base)
		return base;
	if (!m->cut_begun)
		begin_base(&m->cut, s->o.cut, s->cut_roots, n);
	m->cut_begun = true;
	return paged_find(&m->cut, name, strlen(name));
}

/* ---- one name ---- */

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * NANO + t.tv_nsec;
}

static bool type_of(mode_t mode, enum entry_type *ret)
{
	static const struct {
		mode_t mode;
		enum entry_type type;
	} all[] = {{S_IFREG, ENTRY_FILE}, {S_IFDIR, ENTRY_DIRECTORY}, {S_IFLNK, ENTRY_SYMLINK}, {S_IFIFO, ENTRY_FIFO},
	    {S_IFSOCK, ENTRY_SOCKET}, {S_IFCHR, ENTRY_CHARACTER}, {S_IFBLK, ENTRY_BLOCK}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if ((mode & S_IFMT) == all[i].mode) {
			*ret = all[i].type;
			return true;
		}
	return false;
}

static bool known_by_metadata(const uint8_t *e, enum entry_type type, const struct stat *st)
{
	if (entry_kind(e) != type || (entry_flags(e) & (ENTRY_TORN | ENTRY_RACY)))
		return false;
	if ((type == ENTRY_FILE || type == ENTRY_SYMLINK) && entry_length(e) != (uint64_t)st->st_size)
		return false;
	return entry_mtime(e) == nanoseconds(st->st_mtim) && entry_ctime(e) == nanoseconds(st->st_ctim) &&
	       entry_inode(e) == st->st_ino;
}

static enum err_code remember_link(struct scan_node *n, size_t at, const struct stat *st, struct err *reterr)
{
	if (n->link_count == n->link_room) {
		size_t room = n->link_room ? n->link_room * 2 : 8;
		struct scan_link *more = realloc(n->links, room * sizeof *more);
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory");
		n->links = more;
		n->link_room = room;
	}
	n->links[n->link_count++] = (struct scan_link){at, st->st_dev, st->st_ino};
	return ERR_OK;
}

static bool may_have_links(enum entry_type type)
{
	return type != ENTRY_DIRECTORY && type != ENTRY_CHARACTER && type != ENTRY_BLOCK;
}

static enum err_code take_over(struct scan_node *n, const uint8_t *base, const struct stat *st, struct err *reterr)
{
	size_t at = n->entries.size;
	buf_append(&n->entries, base, entry_size(base));
	if (n->entries.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	if (!may_have_links(entry_kind(base)))
		return ERR_OK;
	entry_set_link(n->entries.data + at, 0);
	return st->st_nlink > 1 ? remember_link(n, at, st, reterr) : ERR_OK;
}

static enum err_code read_symlink(
    int dirfd, const char *name, char target[PATH_LIMIT], struct entry_fields *f, bool *ret_gone, struct err *reterr)
{
	ssize_t n = readlinkat(dirfd, name, target, PATH_LIMIT - 1);
	if (n < 0 && (errno == ENOENT || errno == EINVAL)) {
		*ret_gone = true;
		return ERR_OK;
	}
	if (n <= 0)
		return err_sys(reterr, n ? errno : EINVAL, "read symlink");
	f->target = target;
	f->length = (uint64_t)n;
	return ERR_OK;
}

/* xattrs of what is not opened: through the directory's descriptor, so that no other path can be meant. */
static enum err_code read_closed_xattrs(struct scan_worker *w, int dirfd, const char *name, struct err *reterr)
{
	char path[PATH_LIMIT + 64];
	bool fits = dirfd == AT_FDCWD ? text_format(path, sizeof path, "%s", name)
				      : text_format(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
	if (!fits)
		return err_set(reterr, ERR_LIMIT, "the path is too long");
	return xattrs_read(-1, path, &w->xattrs, reterr);
}

/* What a comparison by metadata alone can say of a file. */
static void content_by_metadata(const uint8_t *base, const struct stat *st, struct entry_fields *f)
{
	bool same = base && entry_kind(base) == ENTRY_FILE && entry_length(base) == (uint64_t)st->st_size &&
		    entry_mtime(base) == nanoseconds(st->st_mtim);
	f->flags |= same ? entry_flags(base) & ENTRY_SPARSE : ENTRY_UNREAD;
	if (!same)
		return;
	f->chunking = entry_chunking(base);
	f->pages = entry_pages(base);
	f->depth = entry_depth(base);
	f->references = entry_reference(base, 0);
	f->reference_count = entry_references(base);
}

static enum err_code fill_content(struct scan_worker *w, int dirfd, const char *name, const uint8_t *base,
    struct stat *st, char target[PATH_LIMIT], struct entry_fields *f, bool *ret_gone, struct err *reterr)
{
	struct scan_content content = {0};
	enum err_code rc = ERR_OK;
	buf_clear(&w->xattrs);
	f->length = 0;
	if (f->type == ENTRY_FILE && w->scan->o.mode == SCAN_READ) {
		rc = scan_read_file(w, dirfd, name, base, st, &content, ret_gone, reterr);
		f->length = content.length;
		f->chunking = content.chunking;
		f->pages = content.pages;
		f->depth = content.depth;
		f->flags = content.flags;
		f->references = w->references.data;
		f->reference_count = (uint32_t)(w->references.size / REFERENCE_SIZE);
		return rc; /* its xattrs came from the open file */
	}
	if (f->type == ENTRY_FILE) {
		f->length = (uint64_t)st->st_size;
		content_by_metadata(base, st, f);
	} else if (f->type == ENTRY_SYMLINK) {
		rc = read_symlink(dirfd, name, target, f, ret_gone, reterr);
	}
	return rc || *ret_gone ? rc : read_closed_xattrs(w, dirfd, name, reterr);
}

static enum err_code encode(struct scan_worker *w, struct scan_node *n, const char *stored_name, struct entry_fields *f,
    const struct stat *st, struct err *reterr)
{
	size_t at = n->entries.size;
	f->mode = st->st_mode & 07777;
	f->uid = st->st_uid;
	f->gid = st->st_gid;
	f->mtime_ns = nanoseconds(st->st_mtim);
	f->ctime_ns = nanoseconds(st->st_ctim);
	f->inode = st->st_ino;
	f->link = f->type == ENTRY_CHARACTER || f->type == ENTRY_BLOCK ? st->st_rdev : 0;
	f->name = stored_name;
	f->name_size = strlen(stored_name);
	f->xattrs = w->xattrs.data;
	f->xattrs_size = w->xattrs.size;
	entry_write(f, &n->entries);
	if (n->entries.failed)
		return err_set(reterr, ERR_LIMIT, "the directory holds too many names");
	return may_have_links(f->type) && st->st_nlink > 1 ? remember_link(n, at, st, reterr) : ERR_OK;
}

static enum err_code add_child(struct scan_worker *w, struct scan_node *n, uint16_t root, const char *name,
    const struct stat *st, struct err *reterr)
{
	struct scan_node *c = NULL;
	if (n->root == TREE_ROOTS) {
		c = scan_node_new(n, root, "");
	} else {
		buf_clear(&w->path);
		buf_printf(&w->path, "%s%s%s", n->path, *n->path ? "/" : "", name);
		if (w->path.size >= PATH_LIMIT)
			return err_set(
			    reterr, ERR_LIMIT, "deeper than the kernel's longest path (%d bytes)", PATH_LIMIT);
		c = w->path.failed ? NULL : scan_node_new(n, n->root, buf_str(&w->path));
	}
	if (!c)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	c->device = st->st_dev;
	c->crossed = n->root != TREE_ROOTS && st->st_dev != n->device;
	c->late = n->root == TREE_ROOTS && w->scan->o.roots[root].source && w->scan->o.roots[root].source->late;
	if (n->last_child)
		n->last_child->sibling = c;
	else
		n->child = c;
	n->last_child = c;
	return ERR_OK;
}

/* A pattern of any folder's own names asks for the last name alone, whose first letter must be the pattern's.  Most
 * names are none of such. */
static bool cannot_match(const char *glob, const char *name)
{
	if (strncmp(glob, "**/", 3) != 0 || strchr(glob + 3, '/') || strstr(glob + 3, "**"))
		return false;
	return !strchr("*?[\\", glob[3]) && glob[3] != *name;
}

static bool may_match(const struct list *globs, const char *name)
{
	for (size_t i = 0; globs && i < globs->count; i++)
		if (!cannot_match(LIST_AT(*globs, const char *, i), name))
			return true;
	return false;
}

static bool excluded_by(const struct list *globs, const char *path)
{
	for (size_t i = 0; globs && i < globs->count; i++)
		if (text_glob(LIST_AT(*globs, const char *, i), path))
			return true;
	return false;
}

static bool is_excluded(struct scan_worker *w, const struct scan_node *n, const char *name)
{
	const struct scan_options *o = &w->scan->o;
	const struct list *own = w->source ? w->source->exclude : NULL;
	if (n->root != TREE_ROOTS && strncmp(name, PREPARED_PREFIX, sizeof PREPARED_PREFIX - 1) == 0)
		return true;
	if (n->root == TREE_ROOTS ||
	    (!may_match(o->exclude, name) && !may_match(o->exclude_too, name) && !may_match(own, name)))
		return false;
	buf_clear(&w->path);
	buf_printf(&w->path, "%s%s%s", n->path, *n->path ? "/" : "", name);
	return excluded_by(o->exclude, buf_str(&w->path)) || excluded_by(o->exclude_too, buf_str(&w->path)) ||
	       excluded_by(own, buf_str(&w->path));
}

static enum err_code gone(struct scan_worker *w, const struct scan_node *n, struct err *reterr)
{
	if (n->root != TREE_ROOTS) {
		atomic_fetch_add_explicit(&w->scan->vanished, 1, memory_order_relaxed);
		return ERR_OK;
	}
	if (w->scan->o.missing_ok)
		return ERR_OK;
	return err_set(reterr, ERR_NOT_FOUND, "is not there; correct agent.yaml or bring it back");
}

static enum err_code stat_name(int dirfd, const char *name, struct stat *ret, bool *ret_gone, struct err *reterr)
{
	if (!fstatat(dirfd, name, ret, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return ERR_OK;
	if (errno == ENOENT || errno == ENOTDIR) {
		*ret_gone = true;
		return ERR_OK;
	}
	return err_sys(reterr, errno, "cannot be looked at");
}

static enum err_code scan_name(struct scan_worker *w, struct scan_node *n, int dirfd, const char *name, uint16_t root,
    struct merge *m, struct err *reterr)
{
	const char *stored_name = n->root == TREE_ROOTS ? w->scan->o.roots[root].name : name;
	const uint8_t *base = paged_find(&m->base, stored_name, strlen(stored_name));
	char target[PATH_LIMIT];
	for (int tries = 0; tries < SNAPSHOT_READ_TRIES; tries++) { /* again when it turns into something else */
		struct stat st;
		struct entry_fields f = {0};
		bool is_gone = false;
		enum err_code rc = stat_name(dirfd, name, &st, &is_gone, reterr);
		if (rc)
			return rc;
		if (is_gone)
			break;
		if (st.st_ino == w->scan->repo_inode && st.st_dev == w->scan->repo_device)
			return ERR_OK;
		if (!type_of(st.st_mode, &f.type))
			return err_set(reterr, ERR_UNSUPPORTED, "is of a kind that is not known here");
		if (base && w->scan->o.trust_base && known_by_metadata(base, f.type, &st)) {
			rc = take_over(n, base, &st, reterr);
		} else {
			const uint8_t *cut = cut_of(w->scan, n, m, base, stored_name);
			rc = fill_content(w, dirfd, name, cut, &st, target, &f, &is_gone, reterr);
			if (!rc && is_gone)
				continue;
			if (!rc)
				rc = encode(w, n, stored_name, &f, &st, reterr);
		}
		if (!rc && f.type == ENTRY_DIRECTORY)
			rc = add_child(w, n, root, name, &st, reterr);
		atomic_fetch_add_explicit(&w->scan->entries, 1, memory_order_relaxed);
		return rc;
	}
	return gone(w, n, reterr);
}

/* ---- one directory ---- */

/* A kernel's view of itself is no data: such mounts are taken as empty directories. */
static bool is_pseudo(int fd)
{
	static const long magics[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, DEVPTS_SUPER_MAGIC, CGROUP_SUPER_MAGIC,
	    CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, BPF_FS_MAGIC};
	struct statfs fs;
	if (fstatfs(fd, &fs))
		return false;
	for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
		if ((long)fs.f_type == magics[i])
			return true;
	return false;
}

static int open_beneath(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	for (;;) {
		int fd = (int)syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
}

/* The root's descriptor is opened by whoever scans the root itself, before its children are on the stack. */
static int open_node(struct scan_worker *w, struct scan_node *n)
{
	struct scan *s = w->scan;
	if (!*n->path)
		s->root_fds[n->root] = open(s->o.roots[n->root].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->root_fds[n->root] < 0 ? -1 : open_beneath(s->root_fds[n->root], n->path);
}

static enum err_code scan_names(struct scan_worker *w, struct scan_node *n, int fd, size_t count, struct err *reterr)
{
	struct merge m = {0};
	enum err_code rc = ERR_OK;
	begin_base(&m.base, w->scan->o.base, w->scan->base_roots, n);
	for (size_t i = 0; i < count && !rc && !scan_stopped(w->scan); i++) {
		const char *name = (const char *)w->names.data + w->sorted[i].at;
		if (is_excluded(w, n, name))
			continue;
		uint16_t root = n->root == TREE_ROOTS ? (uint16_t)i : n->root;
		rc = scan_name(w, n, fd, name, root, &m, reterr);
		if (rc)
			rc = scan_error(w, n, name, rc, reterr);
	}
	paged_end(&m.base);
	if (m.cut_begun)
		paged_end(&m.cut);
	return rc;
}

enum err_code scan_directory(struct scan_worker *w, struct scan_node *n, struct err *reterr)
{
	size_t count = 0;
	enum err_code rc;
	w->source = n->root == TREE_ROOTS ? NULL : w->scan->o.roots[n->root].source;
	if (n->root == TREE_ROOTS) {
		rc = list_roots(w, &count, reterr);
		return rc ? rc : scan_names(w, n, AT_FDCWD, count, reterr);
	}
	CLEANUP(cleanup_fd) int fd = open_node(w, n);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
		/* It was there a moment ago, and stays as an empty directory. */
		atomic_fetch_add_explicit(&w->scan->vanished, 1, memory_order_relaxed);
		return ERR_OK;
	}
	if (fd < 0)
		rc = err_sys(reterr, errno, "cannot be opened");
	else if (n->crossed && is_pseudo(fd))
		return ERR_OK;
	else
		rc = list_directory(w, fd, &count, reterr);
	if (rc)
		return scan_error(w, n, "", rc, reterr);
	return scan_names(w, n, fd, count, reterr);
}
