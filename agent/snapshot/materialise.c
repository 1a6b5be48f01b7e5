/* One entry onto the disk: content, then owner, mode, xattrs and, last, times. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/repository/io.h"
#include "agent/snapshot/opened.h"
#include "agent/snapshot/trail.h"
#include "agent/snapshot/xattrs.h"
#include "shared/base/text.h"

enum {
	NANO = 1000000000,
	FCHMODAT2 = 452, /* on every architecture; headers of before Linux 6.6 do not name it */
};

struct snapshot_reader {
	const struct snapshot *snapshot;
	struct reader *reader;
	snapshot_share_fn *share; /* NULL: large files are written by this thread alone */
	void *share_ctx;
	bool plain;   /* see snapshot_reader_plain() */
	bool passing; /* see snapshot_reader_passing() */
	struct trail trail;
	uid_t uid;
	gid_t gid;
};

enum err_code snapshot_reader_new(const struct snapshot *s, struct snapshot_reader **ret, struct err *reterr)
{
	struct snapshot_reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	r->snapshot = s;
	r->uid = geteuid();
	r->gid = getegid();
	enum err_code rc = reader_new(s->repo, &r->reader, reterr);
	if (rc) {
		free(r);
		return rc;
	}
	*ret = r;
	return ERR_OK;
}

void snapshot_reader_free(struct snapshot_reader *r)
{
	if (!r)
		return;
	trail_end(&r->trail);
	reader_free(r->reader);
	free(r);
}

void snapshot_reader_share(struct snapshot_reader *r, snapshot_share_fn *share, void *ctx)
{
	r->share = share;
	r->share_ctx = ctx;
}

void snapshot_reader_passing(struct snapshot_reader *r)
{
	r->passing = true;
}

void snapshot_reader_plain(struct snapshot_reader *r, bool plain)
{
	r->plain = plain;
}

uint64_t snapshot_place(struct snapshot_reader *r, const struct snapshot_entry *e)
{
	struct place place;
	struct chunk_id id;
	if (e->type != ENTRY_FILE || !entry_references(e->raw))
		return 0;
	memcpy(id.b, entry_reference(e->raw, 0), CHUNK_ID_SIZE);
	return reader_place(r->reader, &id, &place) ? (uint64_t)place.pack << 32 | place.offset : 0;
}

/* "of /etc/nginx/nginx.conf: …": which file could not be brought back. */
static enum err_code about(const struct snapshot_entry *e, enum err_code rc, struct err *reterr)
{
	char path[PATH_LIMIT * 2], text[TEXT_LINE_MAX / 2];
	(void)text_format(path, sizeof path, "%s%s%s", e->root_path, *e->path ? "/" : "", e->path);
	return err_prefix(reterr, rc, "%s", snapshot_path_text(path, text, sizeof text));
}

/* ---- content ---- */

struct writing {
	struct reader *reader;
	int fd; /* -1: only check */
	uint64_t at;
	/* Chunks that lie side by side in the file and in their segment are written together. */
	const uint8_t *held;
	size_t held_size;
	struct place last; /* of the last chunk held */
};

static enum err_code let_go(struct writing *w, struct err *reterr)
{
	enum err_code rc =
	    w->held_size ? io_pwrite(w->fd, w->held, w->held_size, w->at - w->held_size, reterr) : ERR_OK;
	w->held_size = 0;
	return rc;
}

static bool follows(const struct writing *w, const struct place *p)
{
	return w->held_size && p->pack == w->last.pack && p->offset == w->last.offset &&
	       p->at == w->last.at + w->last.size;
}

static enum err_code write_reference(void *ctx, const struct chunk_id *id, uint32_t size, bool hole, struct err *reterr)
{
	struct writing *w = ctx;
	struct place place;
	const uint8_t *data;
	if (!hole && !reader_place(w->reader, id, &place))
		return err_set(reterr, ERR_CORRUPT, "a chunk is in no pack; run `kedge-agent repo check`");
	/* The next segment may take the place in memory of what is held. */
	enum err_code rc = !hole && follows(w, &place) ? ERR_OK : let_go(w, reterr);
	if (!rc && !hole)
		rc = reader_placed(w->reader, &place, id, size, &data, reterr);
	if (rc)
		return rc;
	w->at += size;
	if (hole || w->fd < 0)
		return ERR_OK;
	if (!w->held_size)
		w->held = data;
	w->held_size += size;
	w->last = place;
	return ERR_OK;
}

static enum err_code write_references(
    struct snapshot_reader *r, const uint8_t *references, size_t size, int fd, uint64_t *at, struct err *reterr)
{
	struct writing w = {.reader = r->reader, .fd = fd, .at = *at};
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < size && !rc; i += REFERENCE_SIZE) {
		struct chunk_id id;
		memcpy(id.b, references + i, CHUNK_ID_SIZE);
		rc =
		    write_reference(&w, &id, reference_size(references + i), reference_is_hole(references + i), reterr);
	}
	if (!rc)
		rc = let_go(&w, reterr);
	if (!rc && fd >= 0 && r->passing)
		trail_add(&r->trail, fd, *at, w.at - *at);
	else if (!rc &&
		 fd >= 0) /* let the disk work while the rest is decoded: whoever syncs then has less to wait for */
		(void)sync_file_range(fd, (off_t)*at, (off_t)(w.at - *at), SYNC_FILE_RANGE_WRITE);
	*at = w.at;
	return rc;
}

enum err_code snapshot_write_part(
    struct snapshot_reader *r, const uint8_t *references, size_t size, int fd, uint64_t at, struct err *reterr)
{
	return write_references(r, references, size, fd, &at, reterr);
}

static enum err_code keep_reference(void *ctx, const struct chunk_id *id, uint32_t size, bool hole, struct err *reterr)
{
	struct buf *all = ctx;
	(void)hole;
	reference_write(all, id, size);
	return all->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* A large file of which others may write a part each. */
static enum err_code share_content(
    struct snapshot_reader *r, const struct snapshot_entry *e, int fd, uint64_t *ret_size, struct err *reterr)
{
	struct buf all = {.limit = SIZE_MAX};
	enum err_code rc = reader_references(r->reader, e->raw, keep_reference, NULL, &all, reterr);
	if (!rc)
		rc = r->share(r->share_ctx, r, all.data, all.size, fd, reterr);
	*ret_size = 0;
	for (size_t i = 0; i < all.size; i += REFERENCE_SIZE)
		*ret_size += reference_size(all.data + i);
	buf_done(&all);
	return rc;
}

static enum err_code move_content(struct snapshot_reader *r, const struct snapshot_entry *e, int fd, struct err *reterr)
{
	struct writing w = {.reader = r->reader, .fd = fd};
	enum err_code rc;
	if (r->share && fd >= 0 && e->size >= RESTORE_SHARE_LEAST) {
		rc = share_content(r, e, fd, &w.at, reterr);
	} else {
		rc = reader_references(r->reader, e->raw, write_reference, NULL, &w, reterr);
		if (!rc)
			rc = let_go(&w, reterr);
		if (!rc && fd >= 0 && r->passing)
			trail_add(&r->trail, fd, 0, w.at);
	}
	if (!rc && w.at != e->size)
		rc = err_set(reterr, ERR_CORRUPT, "its chunks add up to %llu bytes, not to %llu",
		    (unsigned long long)w.at, (unsigned long long)e->size);
	if (!rc && fd >= 0 && e->sparse && ftruncate(fd, (off_t)e->size))
		rc = err_sys(reterr, errno, "set size");
	return rc;
}

enum err_code snapshot_write_content(
    struct snapshot_reader *r, const struct snapshot_entry *e, int fd, struct err *reterr)
{
	if (e->type != ENTRY_FILE)
		return err_set(reterr, ERR_INVALID, "only files have content");
	enum err_code rc = move_content(r, e, fd, reterr);
	return rc ? about(e, rc, reterr) : ERR_OK;
}

/* ---- changes ---- */

static uint64_t stretch_size(const struct buf *references, size_t from, size_t to)
{
	uint64_t size = 0;
	for (; from < to; from += REFERENCE_SIZE)
		size += reference_size(references->data + from);
	return size;
}

static enum err_code write_stretch(struct snapshot_reader *r, const struct buf *want, size_t from, size_t to,
    uint64_t at, int fd, struct buf *ranges, struct err *reterr)
{
	struct snapshot_range range = {at, stretch_size(want, from, to)};
	enum err_code rc = write_references(r, want->data + from, to - from, fd, &at, reterr);
	if (rc)
		return rc;
	buf_append(ranges, &range, sizeof range);
	return ranges->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* Places in the file where both have a chunk begin; what is the same there stays. */
static enum err_code write_changes(struct snapshot_reader *r, const struct buf *want, const struct buf *have, int fd,
    struct buf *ranges, struct err *reterr)
{
	uint64_t at = 0, there = 0, begin = 0;
	size_t j = 0, first = SIZE_MAX;
	enum err_code rc = ERR_OK;
	for (size_t i = 0; i < want->size && !rc; i += REFERENCE_SIZE) {
		for (; there < at && j < have->size; j += REFERENCE_SIZE)
			there += reference_size(have->data + j);
		bool same = there == at && j < have->size && !memcmp(want->data + i, have->data + j, REFERENCE_SIZE);
		if (!same && first == SIZE_MAX) {
			first = i;
			begin = at;
		} else if (same && first != SIZE_MAX) {
			rc = write_stretch(r, want, first, i, begin, fd, ranges, reterr);
			first = SIZE_MAX;
		}
		at += reference_size(want->data + i);
	}
	return rc || first == SIZE_MAX ? rc : write_stretch(r, want, first, want->size, begin, fd, ranges, reterr);
}

enum err_code snapshot_write_changes(struct snapshot_reader *r, const struct snapshot_entry *e,
    const struct snapshot_entry *now, int fd, struct buf *ranges, struct err *reterr)
{
	if (e->type != ENTRY_FILE || now->type != ENTRY_FILE || e->sparse || now->sparse)
		return err_set(reterr, ERR_INVALID, "only files without holes have changes");
	struct buf want = {.limit = SIZE_MAX}, have = {.limit = SIZE_MAX};
	enum err_code rc = reader_references(r->reader, e->raw, keep_reference, NULL, &want, reterr);
	if (!rc)
		rc = reader_references(r->reader, now->raw, keep_reference, NULL, &have, reterr);
	if (!rc && stretch_size(&want, 0, want.size) != e->size)
		rc = err_set(reterr, ERR_CORRUPT, "its chunks do not add up to its size");
	if (!rc)
		rc = write_changes(r, &want, &have, fd, ranges, reterr);
	buf_done(&want);
	buf_done(&have);
	return rc ? about(e, rc, reterr) : ERR_OK;
}

enum err_code snapshot_check_content(struct snapshot_reader *r, const struct snapshot_entry *e, struct err *reterr)
{
	enum err_code rc = e->type == ENTRY_FILE ? move_content(r, e, -1, reterr) : ERR_OK;
	return rc ? about(e, rc, reterr) : ERR_OK;
}

/* ---- metadata ---- */

/* What is meant: an open file, or a name in a folder. */
struct target {
	int fd, dirfd;
	const char *name;
	bool plain; /* just made, and without extended attributes */
};

static enum err_code stat_target(const struct target *t, struct stat *ret, struct err *reterr)
{
	if (t->fd >= 0 ? fstat(t->fd, ret) : fstatat(t->dirfd, t->name, ret, AT_SYMLINK_NOFOLLOW))
		return err_sys(reterr, errno, "stat");
	return ERR_OK;
}

static enum err_code set_owner(const struct target *t, const struct snapshot_entry *e, struct err *reterr)
{
	if (t->fd >= 0 ? fchown(t->fd, e->uid, e->gid)
		       : fchownat(t->dirfd, t->name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW))
		return err_sys(reterr, errno, "set owner %u:%u", e->uid, e->gid);
	return ERR_OK;
}

/* One call where the kernel (6.6) has it; the C library opens, looks and goes through /proc. */
static int chmod_name(int dirfd, const char *name, uint32_t mode)
{
	if (syscall(FCHMODAT2, dirfd, name, mode, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOSYS || errno == EPERM ? fchmodat(dirfd, name, mode, AT_SYMLINK_NOFOLLOW) : -1;
}

static enum err_code set_mode(const struct target *t, const struct snapshot_entry *e, struct err *reterr)
{
	if (t->fd >= 0 ? fchmod(t->fd, e->mode) : chmod_name(t->dirfd, t->name, e->mode))
		return err_sys(reterr, errno, "set mode %04o", e->mode);
	return ERR_OK;
}

static enum err_code set_xattrs(const struct target *t, const struct snapshot_entry *e, struct err *reterr)
{
	char path[PATH_LIMIT + 64];
	size_t size;
	const uint8_t *wanted = entry_xattrs(e->raw, &size);
	if (t->plain && !size)
		return ERR_OK;
	bool fits = t->fd >= 0 ||
		    (t->dirfd == AT_FDCWD ? text_format(path, sizeof path, "%s", t->name)
					  : text_format(path, sizeof path, "/proc/self/fd/%d/%s", t->dirfd, t->name));
	if (!fits)
		return err_set(reterr, ERR_LIMIT, "the path is too long");
	return xattrs_apply(t->fd, t->fd >= 0 ? NULL : path, wanted, size, reterr);
}

static enum err_code set_times(const struct target *t, const struct snapshot_entry *e, struct err *reterr)
{
	int64_t seconds = e->mtime_ns / NANO, rest = e->mtime_ns % NANO;
	if (rest < 0) {
		rest += NANO;
		seconds--;
	}
	const struct timespec times[2] = {{0, UTIME_OMIT}, {seconds, rest}};
	if (t->fd >= 0 ? futimens(t->fd, times) : utimensat(t->dirfd, t->name, times, AT_SYMLINK_NOFOLLOW))
		return err_sys(reterr, errno, "set time");
	return ERR_OK;
}

/* Owner first, for it clears set-id bits and capabilities; then mode, then ACLs and capabilities; times last. */
static enum err_code apply_metadata(const struct target *t, const struct snapshot_entry *e, struct err *reterr)
{
	struct stat st;
	enum err_code rc = stat_target(t, &st, reterr);
	bool owner = !rc && (st.st_uid != e->uid || st.st_gid != e->gid);
	if (!rc && owner)
		rc = set_owner(t, e, reterr);
	if (!rc && e->type != ENTRY_SYMLINK && (owner || (st.st_mode & 07777) != e->mode))
		rc = set_mode(t, e, reterr);
	if (!rc)
		rc = set_xattrs(t, e, reterr);
	if (!rc && (int64_t)st.st_mtim.tv_sec * NANO + st.st_mtim.tv_nsec != e->mtime_ns)
		rc = set_times(t, e, reterr);
	return rc;
}

enum err_code snapshot_set_metadata(const struct snapshot_entry *e, int dirfd, const char *name, struct err *reterr)
{
	return snapshot_set_metadata_of(e, dirfd, name, false, reterr);
}

enum err_code snapshot_set_metadata_of(
    const struct snapshot_entry *e, int dirfd, const char *name, bool plain, struct err *reterr)
{
	struct target t = {-1, dirfd, name, plain};
	enum err_code rc = apply_metadata(&t, e, reterr);
	return rc ? about(e, rc, reterr) : ERR_OK;
}

/* ---- making ---- */

/* With its last mode at once where the owner is right from the beginning: one call less a file. */
static mode_t first_mode(const struct snapshot_reader *r, const struct snapshot_entry *e)
{
	return e->mode & (e->uid == r->uid && e->gid == r->gid ? 0777 : 0700);
}

static enum err_code make_file(struct snapshot_reader *r, const struct snapshot_entry *e, int dirfd, const char *name,
    bool *ret_made, struct err *reterr)
{
	CLEANUP(cleanup_fd)
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, first_mode(r, e));
	if (fd < 0)
		return err_sys(reterr, errno, "create");
	*ret_made = true;
	enum err_code rc = move_content(r, e, fd, reterr);
	return rc ? rc : apply_metadata(&(struct target){fd, -1, NULL, r->plain}, e, reterr);
}

static enum err_code make_other(struct snapshot_reader *r, const struct snapshot_entry *e, int dirfd, const char *name,
    bool *ret_made, struct err *reterr)
{
	static const mode_t kinds[] = {
	    [ENTRY_FIFO] = S_IFIFO, [ENTRY_SOCKET] = S_IFSOCK, [ENTRY_CHARACTER] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK};
	char target[PATH_LIMIT];
	int failed;
	if (e->type == ENTRY_DIRECTORY) {
		failed = mkdirat(dirfd, name, 0700);
	} else if (e->type == ENTRY_SYMLINK) {
		if (!text_format(target, sizeof target, "%.*s", (int)e->size, e->target))
			return err_set(reterr, ERR_LIMIT, "the symlink's target is too long");
		failed = symlinkat(target, dirfd, name);
	} else {
		failed = mknodat(dirfd, name, kinds[e->type] | 0600, e->device);
	}
	if (failed)
		return err_sys(reterr, errno, "create %s", enum_name(&entry_type_enum, e->type));
	*ret_made = true;
	return apply_metadata(&(struct target){-1, dirfd, name, r->plain}, e, reterr);
}

enum err_code snapshot_make(
    struct snapshot_reader *r, const struct snapshot_entry *e, int dirfd, const char *name, struct err *reterr)
{
	bool made = false;
	enum err_code rc = e->type == ENTRY_FILE ? make_file(r, e, dirfd, name, &made, reterr)
						 : make_other(r, e, dirfd, name, &made, reterr);
	if (!rc)
		return ERR_OK;
	if (made)
		(void)unlinkat(dirfd, name, e->type == ENTRY_DIRECTORY ? AT_REMOVEDIR : 0);
	return about(e, rc, reterr);
}
