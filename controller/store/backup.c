/* Write order of both ways: everything into a folder of another name, each file synced, that folder synced, renamed,
 * the folder above synced.  A crash before the rename leaves a "….partial-XXXXXX" that nobody takes for a backup or a
 * store. */
#include "controller/store/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/store/internal.h"
#include "controller/turn/system.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#include "shared/base/openssl.h"

#include <openssl/evp.h>

enum { BACKUP_FORMAT = 1 };

static const struct field manifest_fields[] = {
    F_U32(struct backup_manifest, format, 0, FIELD_REQUIRED | FIELD_COLUMN, "layout of the folder"),
    F_ID(struct backup_manifest, store, RUN, FIELD_COLUMN, "identity of the store"),
    F_TIME(struct backup_manifest, taken_ms, FIELD_REQUIRED | FIELD_COLUMN, "when it was taken"),
    F_U32(struct backup_manifest, schema, 0, FIELD_ALWAYS | FIELD_COLUMN, "the store's schema"),
    F_U64(struct backup_manifest, entries, 0, FIELD_ALWAYS | FIELD_COLUMN, "records and index entries"),
    F_SIZE(struct backup_manifest, size_bytes, 0, FIELD_REQUIRED | FIELD_COLUMN, "size of data.mdb"),
    F_DIGEST(struct backup_manifest, sha256, FIELD_REQUIRED, "SHA-256 of data.mdb"),
    F_STRING(struct backup_manifest, version, NAME_MAX_BYTES, FIELD_COLUMN, "the program that took it"),
};
const struct record_type backup_manifest_type =
    RECORD_TYPE("backup_manifest", struct backup_manifest, manifest_fields, "what a backup of the store holds");

static enum err_code path_in(char out[PATH_LIMIT], const char *folder, const char *name, struct err *reterr)
{
	if (text_format(out, PATH_LIMIT, "%s/%s", folder, name))
		return ERR_OK;
	return err_set(reterr, ERR_INVALID, "%s/%s: the path is too long", folder, name);
}

/* ---- a folder that is not there yet ---- */

static enum err_code partial_make(const char *folder, char partial[PATH_LIMIT], struct err *reterr)
{
	char above[PATH_LIMIT];
	if (!text_format(partial, PATH_LIMIT, "%s.partial-XXXXXX", folder) || folder[strlen(folder) - 1] == '/')
		return err_set(reterr, ERR_INVALID, "%s: not a usable folder name", folder);
	text_copy(above, sizeof(above), folder);
	char *slash = strrchr(above, '/');
	if (slash && slash != above) {
		*slash = 0;
		enum err_code rc = file_make_dirs(above, 0700, reterr);
		if (rc != ERR_OK)
			return rc;
	}
	if (!mkdtemp(partial))
		return err_sys(reterr, errno, "make %s", partial);
	return ERR_OK;
}

/* Only what this file puts there is removed. */
static void partial_drop(const char *partial)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "manifest.json", "controller.lock"};
	char path[PATH_LIMIT];
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (path_in(path, partial, names[i], NULL) == ERR_OK)
			unlink(path);
	rmdir(partial);
}

static enum err_code partial_rename(const char *partial, const char *folder, struct err *reterr)
{
	enum err_code rc = file_sync_dir(partial, reterr);
	if (rc != ERR_OK)
		return rc;
	if (rename(partial, folder) != 0) /* onto a missing or an empty folder only */
		return errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
			   ? err_set(
				 reterr, ERR_EXISTS, "%s is there already and not empty: it is not overwritten", folder)
			   : err_sys(reterr, errno, "rename %s to %s", partial, folder);
	char above[PATH_LIMIT];
	text_copy(above, sizeof(above), folder);
	char *slash = strrchr(above, '/');
	if (slash)
		slash[slash == above] = 0;
	return file_sync_dir(slash ? above : ".", reterr);
}

static enum err_code must_be_free(const char *folder, bool empty_will_do, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	if (!dir && errno == ENOENT)
		return ERR_OK;
	if (!dir && errno != ENOTDIR)
		return err_sys(reterr, errno, "look at %s", folder);
	struct dirent *e = NULL;
	while (dir && (e = readdir(dir)) != NULL && (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")))
		;
	if (dir && empty_will_do && !e)
		return ERR_OK;
	return err_set(reterr, ERR_EXISTS,
	    "%s is there already: it is not overwritten; move it aside or choose another name", folder);
}

/* ---- data.mdb ---- */

static enum err_code digest_and_copy(int from, int to, struct digest *ret, uint64_t *ret_size, struct err *reterr)
{
	static const size_t step = 1 << 20;
	CLEANUP(cleanup_free) uint8_t *block = malloc(step);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	enum err_code rc = ERR_OK;
	uint64_t size = 0;
	if (!block || !md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		rc = err_set(reterr, ERR_NOMEM, "out of memory for a digest");
	while (rc == ERR_OK) {
		ssize_t n = read(from, block, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(reterr, errno, "read data.mdb");
		if (n <= 0)
			break;
		size += (uint64_t)n;
		if (EVP_DigestUpdate(md, block, (size_t)n) != 1)
			rc = err_set(reterr, ERR_INTERNAL, "digest of data.mdb failed");
		if (rc == ERR_OK && to >= 0)
			rc = file_write_all(to, block, (size_t)n, reterr);
	}
	if (rc == ERR_OK && EVP_DigestFinal_ex(md, ret->b, NULL) != 1)
		rc = err_set(reterr, ERR_INTERNAL, "digest of data.mdb failed");
	EVP_MD_CTX_free(md);
	if (rc == ERR_OK)
		*ret_size = size;
	return rc;
}

static enum err_code create(const char *folder, const char *name, int *ret_fd, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_in(path, folder, name, reterr);
	if (rc != ERR_OK)
		return rc;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(reterr, errno, "make %s", path);
	*ret_fd = fd;
	return ERR_OK;
}

/* Read every entry, so that a page that cannot be read shows now and not on the day it is needed. */
static enum err_code read_through(const struct turn_view *v, struct backup_manifest *m, struct err *reterr)
{
	bool found;
	enum err_code rc = schema_version(v, &m->schema, &found, reterr);
	struct bytes key = {0}, value;
	m->entries = 0;
	while (rc == ERR_OK) {
		rc = v->seek(v->ctx, key, SEEK_AFTER, &key, &value, &found, reterr);
		if (rc != ERR_OK || !found)
			break;
		m->entries++;
	}
	if (rc != ERR_OK)
		return rc;
	struct arena *arena = arena_new(0);
	struct turn *t = NULL;
	struct system_state s;
	rc = arena ? turn_open_read(v, 0, arena, &t, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = system_get(t, &s, reterr);
	if (rc == ERR_OK)
		m->store = s.store;
	turn_close_read(t);
	arena_free(arena);
	return rc;
}

static enum err_code inspect(const char *folder, struct backup_manifest *m, struct err *reterr)
{
	struct store *s = NULL;
	struct store_view *view = NULL;
	enum err_code rc = lmdb_open_still(folder, &s, reterr);
	if (rc == ERR_OK)
		rc = store_view_open(s, "backup", &view, reterr);
	if (rc == ERR_OK)
		rc = read_through(store_view_turn(view), m, reterr);
	store_view_close(view);
	store_close(s);
	return rc;
}

/* ---- backup ---- */

struct source { /* one of the two */
	struct store *store;
	const char *folder;
};

static enum err_code write_manifest(const char *folder, const struct backup_manifest *m, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf json = BUF_INIT;
	enum err_code rc = path_in(path, folder, "manifest.json", reterr);
	if (rc == ERR_OK)
		rc = record_to_json(&backup_manifest_type, m, RECORD_PRETTY, &json, reterr);
	if (rc == ERR_OK)
		rc = file_replace(path, json.data, json.size, 0600, reterr);
	buf_done(&json);
	return rc;
}

static enum err_code fill(
    const struct source *from, const char *partial, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = create(partial, "data.mdb", &fd, reterr);
	if (rc == ERR_OK)
		rc = from->store ? from->store->ops->copy(from->store, fd, reterr)
				 : lmdb_copy_folder(from->folder, fd, reterr);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "sync %s/data.mdb", partial);
	struct backup_manifest m = {.format = BACKUP_FORMAT, .taken_ms = now_ms, .version = KEDGE_VERSION};
	if (rc == ERR_OK)
		rc = inspect(partial, &m, reterr);
	if (rc == ERR_OK && lseek(fd, 0, SEEK_SET) != 0)
		rc = err_sys(reterr, errno, "read %s/data.mdb back", partial);
	if (rc == ERR_OK)
		rc = digest_and_copy(fd, -1, &m.sha256, &m.size_bytes, reterr);
	if (rc == ERR_OK)
		rc = write_manifest(partial, &m, reterr);
	if (rc == ERR_OK)
		*ret = m;
	return rc;
}

static enum err_code backup(
    const struct source *from, const char *folder, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr)
{
	char partial[PATH_LIMIT];
	struct backup_manifest m;
	enum err_code rc = must_be_free(folder, false, reterr);
	if (rc == ERR_OK)
		rc = partial_make(folder, partial, reterr);
	if (rc != ERR_OK)
		return rc;
	rc = fill(from, partial, now_ms, &m, reterr);
	if (rc == ERR_OK)
		rc = partial_rename(partial, folder, reterr);
	if (rc != ERR_OK)
		partial_drop(partial);
	else if (ret)
		*ret = m;
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "backup to %s", folder);
}

enum err_code store_backup(
    struct store *s, const char *folder, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr)
{
	if (!s->ops->copy)
		return err_set(reterr, ERR_UNSUPPORTED, "a store in memory has no backup");
	return backup(&(struct source){.store = s}, folder, now_ms, ret, reterr);
}

enum err_code store_backup_folder(
    const char *store_folder, const char *folder, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_in(path, store_folder, "data.mdb", reterr);
	if (rc != ERR_OK)
		return rc;
	if (!file_exists(path))
		return err_set(reterr, ERR_NOT_FOUND, "%s: there is no store here (no data.mdb)", store_folder);
	return backup(&(struct source){.folder = store_folder}, folder, now_ms, ret, reterr);
}

/* ---- restore ---- */

static enum err_code read_manifest(
    const char *folder, struct arena *arena, struct backup_manifest *ret, struct err *reterr)
{
	char path[PATH_LIMIT];
	struct buf json = BUF_INIT;
	enum err_code rc = path_in(path, folder, "manifest.json", reterr);
	if (rc == ERR_OK)
		rc = file_read(path, STORE_MANIFEST_MAX, &json, reterr);
	if (rc == ERR_OK)
		rc = record_from_json(&backup_manifest_type, buf_str(&json), json.size, 0, arena, ret, reterr);
	buf_done(&json);
	if (rc == ERR_OK && ret->format != BACKUP_FORMAT)
		rc = err_set(
		    reterr, ERR_UNSUPPORTED, "its format is %u; this program knows %d", ret->format, BACKUP_FORMAT);
	if (rc != ERR_OK)
		return err_prefix(reterr, rc, "backup %s", folder);
	return ERR_OK;
}

/* Digest data.mdb against the manifest, copying it to `to` on the way unless that is -1. */
static enum err_code check_data(const char *folder, const struct backup_manifest *m, int to, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_in(path, folder, "data.mdb", reterr);
	if (rc != ERR_OK)
		return rc;
	CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(reterr, errno, "open %s", path);
	struct digest d;
	uint64_t size;
	rc = digest_and_copy(fd, to, &d, &size, reterr);
	if (rc != ERR_OK)
		return rc;
	if (size != m->size_bytes)
		return err_set(reterr, ERR_CORRUPT,
		    "%s has %llu bytes, its manifest says %llu: this backup is damaged, use another", path,
		    (unsigned long long)size, (unsigned long long)m->size_bytes);
	if (memcmp(d.b, m->sha256.b, sizeof(d.b)) != 0)
		return err_set(reterr, ERR_CORRUPT,
		    "%s is not what its manifest says (SHA-256): this backup is damaged, use another", path);
	return ERR_OK;
}

enum err_code backup_check(const char *folder, struct arena *arena, struct backup_manifest *ret, struct err *reterr)
{
	struct backup_manifest m, seen = {0};
	enum err_code rc = read_manifest(folder, arena, &m, reterr);
	if (rc == ERR_OK)
		rc = check_data(folder, &m, -1, reterr);
	if (rc == ERR_OK)
		rc = inspect(folder, &seen, reterr);
	if (rc == ERR_OK && (seen.entries != m.entries || seen.schema != m.schema || !id_equal(seen.store, m.store)))
		rc = err_set(
		    reterr, ERR_CORRUPT, "backup %s: its store is not the one that its manifest tells of", folder);
	if (rc == ERR_OK)
		*ret = m;
	return rc;
}

struct restoring {
	const char *from;
	uint64_t taken_ms;
};

static enum err_code mark_restored(struct turn *t, void *ctx, struct err *reterr)
{
	const struct restoring *r = ctx;
	struct system_state s;
	enum err_code rc = system_get(t, &s, reterr);
	if (rc != ERR_OK)
		return rc;
	s.restored_ms = turn_now_ms(t);
	s.restored_taken_ms = r->taken_ms;
	s.restored_from = r->from;
	s.restored_unseen = true;
	return turn_put(t, &system_table, &s, reterr);
}

static enum err_code copy_and_mark(const char *backup_folder, const struct backup_manifest *m, const char *partial,
    uint64_t now_ms, struct random *random, struct err *reterr)
{
	CLEANUP(cleanup_fd) int fd = -1;
	enum err_code rc = create(partial, "data.mdb", &fd, reterr);
	if (rc == ERR_OK)
		rc = check_data(backup_folder, m, fd, reterr);
	if (rc == ERR_OK && fsync(fd) != 0)
		rc = err_sys(reterr, errno, "sync %s/data.mdb", partial);
	struct store *s = NULL;
	if (rc == ERR_OK)
		rc = store_open(&(struct store_options){.folder = partial}, &s, reterr);
	if (rc == ERR_OK)
		rc = store_apply(
		    s, now_ms, random, mark_restored, &(struct restoring){backup_folder, m->taken_ms}, reterr);
	store_close(s);
	return rc;
}

enum err_code store_restore(const char *backup_folder, const char *store_folder, uint64_t now_ms, struct random *random,
    struct backup_manifest *ret, struct err *reterr)
{
	char partial[PATH_LIMIT];
	struct backup_manifest m = {0};
	struct arena *arena = arena_new(0);
	enum err_code rc =
	    arena ? must_be_free(store_folder, true, reterr) : err_set(reterr, ERR_NOMEM, "out of memory");
	if (rc == ERR_OK)
		rc = backup_check(backup_folder, arena, &m, reterr);
	if (rc == ERR_OK && m.schema > SCHEMA_VERSION)
		rc = err_set(reterr, ERR_UNSUPPORTED,
		    "backup %s has schema %u and this program knows up to %d: use the newer kedge-controller",
		    backup_folder, m.schema, SCHEMA_VERSION);
	if (rc == ERR_OK)
		rc = partial_make(store_folder, partial, reterr);
	if (rc == ERR_OK) {
		rc = copy_and_mark(backup_folder, &m, partial, now_ms, random, reterr);
		if (rc == ERR_OK)
			rc = partial_rename(partial, store_folder, reterr);
		if (rc != ERR_OK)
			partial_drop(partial);
	}
	m.version = NULL; /* lived in the arena */
	if (rc == ERR_OK && ret)
		*ret = m;
	arena_free(arena);
	return rc == ERR_OK ? rc : err_prefix(reterr, rc, "restore");
}
