/* Making, opening and closing a repository. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/repository/repo_internal.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/text.h"

static const char format_line[] = "kedge-repository 1\n";

static enum err_code path_in(const char *path, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/%s", path, name))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
	return ERR_OK;
}

static enum err_code folder_is_empty(const char *path, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "open %s", path);
	for (struct dirent *e; (e = readdir(dir));)
		if (!text_equal(e->d_name, ".") && !text_equal(e->d_name, ".."))
			return err_set(reterr, ERR_EXISTS,
			    "%s is not empty: choose an empty or a new folder for the repository", path);
	return ERR_OK;
}

static enum err_code make_folders(const char *path, struct err *reterr)
{
	static const char *const names[] = {"keys", "packs", "index", "snapshots"};
	enum err_code rc = file_make_dirs(path, 0700, reterr);
	for (size_t i = 0; !rc && i < sizeof names / sizeof names[0]; i++) {
		char folder[PATH_LIMIT];
		rc = path_in(path, names[i], folder, reterr);
		if (!rc)
			rc = file_make_dirs(folder, 0700, reterr);
	}
	return rc;
}

/* FORMAT comes last: a repository without it was never finished. */
enum err_code repo_init(const char *path, const char *host, struct err *reterr)
{
	CLEANUP(keys_cleanup) struct keys *keys = NULL;
	char file[PATH_LIMIT], hex[2 * 32 + 2];
	enum err_code rc = folder_is_empty(path, reterr);
	if (!rc)
		rc = keys_new(host, &keys, reterr);
	if (!rc)
		rc = make_folders(path, reterr);
	if (!rc)
		rc = path_in(path, "keys/repository", file, reterr);
	if (!rc)
		rc = keys_store(keys, file, reterr);
	if (!rc)
		rc = path_in(path, "keys/host.pub", file, reterr);
	if (rc)
		return rc;
	strcat(text_hex(keys_public(keys), 32, hex), "\n");
	rc = file_replace(file, hex, strlen(hex), 0644, reterr);
	if (!rc)
		rc = path_in(path, "FORMAT", file, reterr);
	if (!rc)
		rc = file_replace(file, format_line, strlen(format_line), 0644, reterr);
	return rc;
}

void repo_close(struct repo *r)
{
	if (!r)
		return;
	index_close(r->index);
	pthread_mutex_destroy(&r->index_mutex);
	keys_free(r->keys);
	if (r->packs_fd >= 0)
		close(r->packs_fd);
	if (r->snapshots_fd >= 0)
		close(r->snapshots_fd);
	free(r);
}
CLEANUP_DEFINE(struct repo, repo_cleanup, repo_close)

static enum err_code check_format(const char *path, struct err *reterr)
{
	char file[PATH_LIMIT];
	struct buf text = BUF_INIT;
	enum err_code rc = path_in(path, "FORMAT", file, reterr);
	if (!rc)
		rc = file_read(file, 256, &text, reterr);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(reterr, rc, "%s is not a repository; make one with `kedge-agent repo init`", path);
	else if (!rc && !text_equal(buf_str(&text), format_line))
		rc = err_set(reterr, text_starts(buf_str(&text), "kedge-repository ") ? ERR_UNSUPPORTED : ERR_CORRUPT,
		    "%s: not the format that this version knows (%.18s)", file, format_line);
	buf_done(&text);
	return rc;
}

static enum err_code open_folder(const char *path, const char *name, int *ret, struct err *reterr)
{
	char folder[PATH_LIMIT];
	enum err_code rc = path_in(path, name, folder, reterr);
	if (rc)
		return rc;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", folder);
	*ret = fd;
	return ERR_OK;
}

static enum err_code open_keys(struct repo *r, const char *host, struct err *reterr)
{
	char file[PATH_LIMIT];
	enum err_code rc = path_in(r->path, "keys/repository", file, reterr);
	if (!rc)
		rc = keys_load(file, &r->keys, reterr);
	if (rc == ERR_NOT_FOUND)
		return err_prefix(reterr, rc,
		    "%s cannot be read without its key: put the key file back, or open it with a recovery key "
		    "(`kedge-agent "
		    "repo unlock`)",
		    r->path);
	if (!rc && host && !text_equal(host, keys_host(r->keys)))
		rc = err_set(reterr, ERR_DENIED, "%s belongs to host %s, not to %s", r->path, keys_host(r->keys), host);
	if (!rc)
		rc = chunker_init(&r->chunker, r->keys, reterr);
	if (!rc)
		rc = keys_derive_naming(r->keys, "tree cut", (uint8_t *)r->page_key, sizeof r->page_key, reterr);
	return rc;
}

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_warn("snapshot", "%s", text);
}

/* Packs without an index: somebody removed the index folder's content. */
static enum err_code fill_if_empty(struct repo *r, struct index *x, struct err *reterr)
{
	CLEANUP(index_reader_cleanup) struct index_reader *reader = NULL;
	CLEANUP(cleanup_free) struct index_pack *known = NULL;
	CLEANUP(cleanup_free) struct pack_id *files = NULL;
	size_t known_count = 0, file_count = 0;
	uint64_t chunks;
	enum err_code rc = index_reader_new(x, &reader, reterr);
	if (!rc)
		rc = index_packs(reader, &known, &known_count, reterr);
	if (rc || known_count)
		return rc;
	index_reader_free(TAKE_PTR(reader));
	rc = repo_pack_files(r, &files, &file_count, reterr);
	return rc || !file_count ? rc : repo_fill_index(r, x, log_finding, NULL, &chunks, reterr);
}

static enum err_code open_anew(struct repo *r, const char *folder, struct index **ret, struct err *reterr)
{
	uint64_t chunks;
	enum err_code rc = index_reset(folder, reterr);
	if (!rc)
		rc = index_open(folder, r->keys, ret, reterr);
	return rc ? rc : repo_fill_index(r, *ret, log_finding, NULL, &chunks, reterr);
}

static enum err_code open_index(struct repo *r, struct index **ret, struct err *reterr)
{
	char folder[PATH_LIMIT];
	struct err why = ERR_INIT;
	CLEANUP(index_cleanup) struct index *x = NULL;
	enum err_code rc = path_in(r->path, "index", folder, reterr);
	if (!rc)
		rc = file_make_dirs(folder, 0700, reterr);
	if (rc)
		return rc;
	rc = index_open(folder, r->keys, &x, &why);
	if (rc == ERR_CORRUPT) {
		log_warn("snapshot", "%s: rebuilding it from the packs", why.msg);
		rc = open_anew(r, folder, &x, &why);
	}
	if (rc == ERR_OK)
		rc = fill_if_empty(r, x, &why);
	if (rc != ERR_OK) {
		if (reterr)
			*reterr = why;
		return rc;
	}
	*ret = TAKE_PTR(x);
	return ERR_OK;
}

enum err_code repo_index(struct repo *r, struct index **ret, struct err *reterr)
{
	pthread_mutex_lock(&r->index_mutex);
	enum err_code rc = r->index ? ERR_OK : open_index(r, &r->index, reterr);
	if (!rc)
		*ret = r->index;
	pthread_mutex_unlock(&r->index_mutex);
	return rc;
}

enum err_code repo_index_reader(struct repo *r, struct index_reader **ret, struct err *reterr)
{
	struct index *x;
	enum err_code rc = repo_index(r, &x, reterr);
	return rc ? rc : index_reader_new(x, ret, reterr);
}

enum err_code repo_open(const char *path, const char *host, struct repo **ret, struct err *reterr)
{
	CLEANUP(repo_cleanup) struct repo *r = calloc(1, sizeof *r);
	if (!r)
		return err_set(reterr, ERR_NOMEM, "out of memory");
	r->packs_fd = r->snapshots_fd = -1;
	pthread_mutex_init(&r->index_mutex, NULL);
	if (!text_format(r->path, sizeof r->path, "%s", path))
		return err_set(reterr, ERR_LIMIT, "%s: the path is too long", path);
	enum err_code rc = check_format(path, reterr);
	if (!rc)
		rc = open_keys(r, host, reterr);
	if (!rc)
		rc = open_folder(path, "packs", &r->packs_fd, reterr);
	if (!rc)
		rc = open_folder(path, "snapshots", &r->snapshots_fd, reterr);
	if (rc)
		return rc;
	*ret = TAKE_PTR(r);
	return ERR_OK;
}

const char *repo_path(const struct repo *r)
{
	return r->path;
}
const char *repo_host(const struct repo *r)
{
	return keys_host(r->keys);
}

/* ---- for the other files ---- */

enum err_code repo_lock_folder(int folder_fd, int operation, int *ret_fd, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open the folder for its lock");
	while (flock(fd, operation))
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? err_set(reterr, ERR_BUSY, "somebody else is at work there")
						    : err_sys(reterr, errno, "lock the folder");
	*ret_fd = TAKE_FD(fd);
	return ERR_OK;
}

enum err_code repo_sync_folder(int fd, const char *name, struct err *reterr)
{
	return fsync(fd) ? err_sys(reterr, errno, "sync folder %s", name) : ERR_OK;
}

static DIR *open_listing(int folder_fd)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

enum err_code repo_pack_files(const struct repo *r, struct pack_id **ret, size_t *ret_count, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = open_listing(r->packs_fd);
	CLEANUP(cleanup_free) struct pack_id *ids = NULL;
	size_t count = 0, room = 0;
	if (!dir)
		return err_sys(reterr, errno, "list %s/packs", r->path);
	for (struct dirent *e; (errno = 0, e = readdir(dir));) {
		struct pack_id id;
		if (!pack_name_parse(e->d_name, ".pack", &id))
			continue;
		if (count == room) {
			room = room ? room * 2 : 64;
			struct pack_id *more = realloc(ids, room * sizeof *more);
			if (!more)
				return err_set(reterr, ERR_NOMEM, "out of memory");
			ids = more;
		}
		ids[count++] = id;
	}
	if (errno)
		return err_sys(reterr, errno, "list %s/packs", r->path);
	*ret = TAKE_PTR(ids);
	*ret_count = count;
	return ERR_OK;
}

void repo_sweep(const struct repo *r)
{
	CLEANUP(cleanup_dir) DIR *dir = open_listing(r->packs_fd);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));) {
		struct pack_id id;
		if (!pack_name_parse(e->d_name, ".tmp", &id))
			continue;
		CLEANUP(cleanup_fd) int fd = openat(r->packs_fd, e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
			(void)unlinkat(r->packs_fd, e->d_name, 0);
	}
}
