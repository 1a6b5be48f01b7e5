#include "agent/snapshot/git.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/repository/seal.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

enum {
	SMALL_MAX = 4096,
	PACKED_MAX = 16 << 20,
	LINKS_MAX = 5,
	SUBMODULES_DEEP_MAX = 8, /* one in another; what lies deeper counts as dirty */
	FLAG_EXTENDED = 0x4000,
	FLAG_NAME = 0xfff,
	FLAG2_SKIP = 0x4000
};

/* ---- refs ---- */

/* First line without its end. */
static enum err_code read_line(const char *path, char out[PATH_LIMIT], struct err *reterr)
{
	struct buf text = BUF_INIT;
	enum err_code rc = file_read(path, SMALL_MAX, &text, reterr);
	if (!rc) {
		char *end = strchr(buf_str(&text), '\n');
		if (end)
			*end = 0;
		if (!text_format(out, PATH_LIMIT, "%s", buf_str(&text)))
			rc = err_set(reterr, ERR_CORRUPT, "%s: too long", path);
	}
	buf_done(&text);
	return rc;
}

static bool join(char out[PATH_LIMIT], const char *folder, const char *path)
{
	return *path == '/' ? text_format(out, PATH_LIMIT, "%s", path)
			    : text_format(out, PATH_LIMIT, "%s/%s", folder, path);
}

/* git: what belongs to this work tree; common: what it shares with others (the same but for linked ones). */
static enum err_code find_folders(
    const char *worktree, char git[PATH_LIMIT], char common[PATH_LIMIT], struct err *reterr)
{
	char path[PATH_LIMIT], line[PATH_LIMIT];
	struct stat st;
	if (!join(path, worktree, ".git"))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", worktree);
	if (lstat(path, &st))
		return err_sys(reterr, errno, "%s is not a git work tree", worktree);
	if (S_ISDIR(st.st_mode)) {
		strcpy(git, path);
	} else {
		enum err_code rc = read_line(path, line, reterr);
		if (rc)
			return rc;
		if (!text_starts(line, "gitdir: ") || !join(git, worktree, line + strlen("gitdir: ")))
			return err_set(reterr, ERR_CORRUPT, "%s does not name a git folder", path);
	}
	strcpy(common, git);
	if (join(path, git, "commondir") && !read_line(path, line, NULL) && !join(common, git, line))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
	return ERR_OK;
}

static bool is_hex(const char *s, size_t n)
{
	return (n == 40 || n == 64) && strspn(s, "0123456789abcdef") >= n;
}

static bool packed_ref(const char *common, const char *ref, char out[GIT_COMMIT_MAX + 1])
{
	char path[PATH_LIMIT];
	struct buf text = {.limit = PACKED_MAX};
	bool found = false;
	if (join(path, common, "packed-refs") && !file_read(path, PACKED_MAX, &text, NULL)) {
		for (const char *line = buf_str(&text); *line && !found;) {
			size_t n = strcspn(line, "\n"), hex = strcspn(line, " \n");
			found = hex < n && is_hex(line, hex) && n - hex - 1 == strlen(ref) &&
				!memcmp(line + hex + 1, ref, n - hex - 1);
			if (found)
				text_copy(out, hex + 1, line);
			line += n + (line[n] == '\n');
		}
	}
	buf_done(&text);
	return found;
}

/* A ref's name becomes part of a path. */
static bool ref_safe(const char *ref)
{
	return text_starts(ref, "refs/") && !strstr(ref, "..") && !strstr(ref, "//");
}

enum err_code git_commit(const char *worktree, char out[GIT_COMMIT_MAX + 1], struct err *reterr)
{
	char git[PATH_LIMIT], common[PATH_LIMIT], path[PATH_LIMIT], line[PATH_LIMIT], ref[PATH_LIMIT];
	enum err_code rc = find_folders(worktree, git, common, reterr);
	if (!rc && !join(path, git, "HEAD"))
		rc = err_set(reterr, ERR_LIMIT, "%s: the path is too long", worktree);
	if (!rc)
		rc = read_line(path, line, reterr);
	for (int i = 0; !rc && i < LINKS_MAX; i++) {
		if (is_hex(line, strlen(line))) {
			text_copy(out, GIT_COMMIT_MAX + 1, line);
			return ERR_OK;
		}
		if (!text_starts(line, "ref: ") || !ref_safe(line + 5))
			break;
		strcpy(ref, line + 5);
		if ((join(path, git, ref) && !read_line(path, line, NULL)) ||
		    (join(path, common, ref) && !read_line(path, line, NULL)))
			continue;
		if (!packed_ref(common, ref, out))
			*out = 0; /* a branch without commits */
		return ERR_OK;
	}
	return rc ? rc : err_set(reterr, ERR_CORRUPT, "%s: HEAD cannot be understood", worktree);
}

/* ---- index ---- */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct index_cursor {
	const uint8_t *at, *end;
	uint32_t version;
	char path[PATH_LIMIT]; /* version 4 shares the beginning with the entry before */
	size_t path_size;
};

static bool take_path(struct index_cursor *c, const uint8_t *entry)
{
	size_t kept = 0;
	if (c->version == 4) { /* how many bytes to drop from the path before: offset varint */
		size_t drop = 0;
		for (unsigned i = 0;; i++) {
			if (c->at == c->end || i > 4)
				return false;
			uint8_t byte = *c->at++;
			drop = i ? ((drop + 1) << 7) | (byte & 0x7f) : (size_t)(byte & 0x7f);
			if (!(byte & 0x80))
				break;
		}
		if (drop > c->path_size)
			return false;
		kept = c->path_size - drop;
	}
	const uint8_t *nul = memchr(c->at, 0, (size_t)(c->end - c->at));
	if (!nul || kept + (size_t)(nul - c->at) >= PATH_LIMIT)
		return false;
	memcpy(c->path + kept, c->at, (size_t)(nul - c->at) + 1);
	c->path_size = kept + (size_t)(nul - c->at);
	c->at = nul + 1;
	if (c->version < 4) { /* one to eight NULs, so that entries are multiples of eight */
		size_t size = (size_t)(nul - entry), padded_size = (size + 8) & ~(size_t)7;
		if (padded_size > (size_t)(c->end - entry))
			return false;
		c->at = entry + padded_size;
	}
	return true;
}

static bool take_entry(struct index_cursor *c, struct git_entry *ret)
{
	const uint8_t *p = c->at;
	if (c->end - p < 62)
		return false;
	*ret = (struct git_entry){.path = c->path,
	    .mtime = be32(p + 8),
	    .mtime_ns = be32(p + 12),
	    .inode = be32(p + 20),
	    .mode = be32(p + 24),
	    .size = be32(p + 36),
	    .flags = (uint32_t)p[60] << 8 | p[61]};
	memcpy(ret->blob, p + 40, 20);
	c->at += 62;
	if (ret->flags & FLAG_EXTENDED) {
		if (c->version < 3 || c->end - c->at < 2)
			return false;
		ret->flags |= ((uint32_t)c->at[0] << 8 | c->at[1]) << 16;
		c->at += 2;
	}
	return take_path(c, p);
}

enum err_code git_index_parse(const uint8_t *data, size_t size, git_entry_fn *visit, void *ctx, struct err *reterr)
{
	if (size < 12 + 20 || memcmp(data, "DIRC", 4))
		return err_set(reterr, ERR_CORRUPT, "not a git index");
	struct index_cursor c = {.at = data + 12, .end = data + size - 20, .version = be32(data + 4)};
	if (c.version < 2 || c.version > 4)
		return err_set(reterr, ERR_UNSUPPORTED, "git index version %u", c.version);
	uint32_t count = be32(data + 8);
	for (uint32_t i = 0; i < count; i++) {
		struct git_entry e;
		if (!take_entry(&c, &e))
			return err_set(reterr, ERR_CORRUPT, "malformed git index");
		if (!visit(ctx, &e))
			break;
	}
	return ERR_OK;
}

/* ---- dirty ---- */

struct comparing {
	const char *worktree;
	int worktree_fd;
	unsigned deep; /* in how many others this one lies as a submodule */
	uint32_t index_mtime;
	bool dirty;
};
struct blob_reader {
	int fd; /* a file's, or -1: size bytes of the block are all there is */
	size_t size;
	uint8_t block[32 << 10];
};

static int next_block(void *ctx, const void **data, size_t *size)
{
	struct blob_reader *r = ctx;
	ssize_t n = r->fd < 0 ? (ssize_t)r->size : read(r->fd, r->block, sizeof r->block);
	r->size = 0;
	if (n <= 0)
		return 0;
	*data = r->block;
	*size = (size_t)n;
	return 1;
}

static bool same_blob(const struct comparing *c, const struct git_entry *e, const struct stat *st)
{
	uint8_t name[20];
	char head[32];
	struct blob_reader r = {.fd = -1};
	CLEANUP(cleanup_fd) int fd = -1;
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(c->worktree_fd, e->path, (char *)r.block, sizeof r.block);
		if (n < 0)
			return false;
		r.size = (size_t)n;
	} else {
		r.fd = fd = openat(c->worktree_fd, e->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return false;
	}
	(void)text_format(head, sizeof head, "blob %lld", (long long)st->st_size);
	sha1_of(head, strlen(head) + 1, next_block, &r, name);
	return !memcmp(name, e->blob, sizeof name);
}

static bool is_dirty(const char *worktree, unsigned deep);

/* Its own HEAD against the commit that is staged, and its own files.  One that is not checked out is an empty folder:
 * nothing of it is deployed. */
static bool same_submodule(const struct comparing *c, const struct git_entry *e)
{
	char path[PATH_LIMIT], git[PATH_LIMIT], commit[GIT_COMMIT_MAX + 1], staged[2 * sizeof e->blob + 1];
	struct stat st;
	if (!join(path, c->worktree, e->path) || lstat(path, &st) || !S_ISDIR(st.st_mode))
		return false;
	if (!join(git, path, ".git") || (lstat(git, &st) && errno == ENOENT))
		return true;
	if (c->deep == SUBMODULES_DEEP_MAX || git_commit(path, commit, NULL))
		return false;
	text_hex(e->blob, sizeof e->blob, staged);
	return text_equal(commit, staged) && !is_dirty(path, c->deep + 1);
}

static bool compare_entry(void *ctx, const struct git_entry *e)
{
	struct comparing *c = ctx;
	struct stat st;
	uint32_t kind = e->mode & S_IFMT;
	if ((e->flags >> 16 & FLAG2_SKIP) || kind == S_IFDIR)
		return true;
	if (kind == 0160000) /* submodule */
		c->dirty = !same_submodule(c, e);
	else if (fstatat(c->worktree_fd, e->path, &st, AT_SYMLINK_NOFOLLOW) || (st.st_mode & S_IFMT) != kind) {
		c->dirty = true;
	} else if (kind == S_IFREG && ((e->mode ^ st.st_mode) & 0100)) {
		c->dirty = true;
	} else if (e->size != (uint32_t)st.st_size || e->mtime != (uint32_t)st.st_mtim.tv_sec ||
		   e->mtime >= c->index_mtime || (e->mtime_ns && e->mtime_ns != (uint32_t)st.st_mtim.tv_nsec)) {
		/* Touched, or changed within the second that the index was written (git then writes size 0): only the
		 * content tells. */
		c->dirty = !same_blob(c, e, &st);
	}
	return !c->dirty;
}

static bool is_dirty(const char *worktree, unsigned deep)
{
	char git[PATH_LIMIT], common[PATH_LIMIT], path[PATH_LIMIT];
	struct buf data = {.limit = GIT_INDEX_SIZE_MAX};
	if (find_folders(worktree, git, common, NULL) || !join(path, git, "index"))
		return true;
	CLEANUP(cleanup_fd) int fd = open(worktree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	struct comparing c = {.worktree = worktree, .worktree_fd = fd, .deep = deep, .dirty = fd < 0};
	if (!stat(path, &st))
		c.index_mtime = (uint32_t)st.st_mtim.tv_sec;
	enum err_code rc = fd < 0 ? ERR_IO : file_read(path, GIT_INDEX_SIZE_MAX, &data, NULL);
	if (!rc)
		rc = git_index_parse(data.data, data.size, compare_entry, &c, NULL);
	buf_done(&data);
	if (rc == ERR_NOT_FOUND) /* nothing was ever added */
		return false;
	return c.dirty || rc;
}

bool git_dirty(const char *worktree)
{
	return is_dirty(worktree, 0);
}
