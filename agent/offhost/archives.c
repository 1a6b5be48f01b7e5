#include "agent/offhost/archives.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/offhost/copied.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

static enum err_code path_of(
    const char *folder, const char *service, const char *below, char out[PATH_LIMIT], struct err *reterr)
{
	return text_format(out, PATH_LIMIT, "%s/%s%s", folder, service, below)
		   ? ERR_OK
		   : err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
}

/* ---- what is there ---- */

static enum err_code visit_one(
    const char *folder, const char *service, archives_fn *visit, void *ctx, struct err *reterr)
{
	CLEANUP(buf_done) struct buf about = BUF_INIT;
	struct wal_area area;
	char path[PATH_LIMIT];
	enum err_code rc = path_of(folder, service, "", path, reterr);
	if (!rc)
		rc = wal_area_open_at(path, &area, reterr);
	if (rc)
		return rc == ERR_NOT_FOUND ? ERR_OK : rc; /* what a restore that was broken off left */
	rc = wal_area_describe(&area, &about, reterr);
	struct archive a = {service, &area, buf_bytes(&about)};
	if (!rc)
		rc = visit(ctx, &a, reterr);
	wal_area_wipe(&area);
	return rc;
}

enum err_code archives_each(const char *folder, archives_fn *visit, void *ctx, struct err *reterr)
{
	CLEANUP(cleanup_dir) DIR *dir = folder ? opendir(folder) : NULL;
	char name[COPIED_NAME_MAX], service[NAME_MAX_BYTES + 1];
	enum err_code rc = ERR_OK;
	if (!dir)
		return !folder || errno == ENOENT ? ERR_OK : err_sys(reterr, errno, "%s", folder);
	for (struct dirent *e; !rc && (errno = 0, e = readdir(dir));)
		if (text_format(name, sizeof name, "wal/%s/area", e->d_name) && copied_wal_area(name, service))
			rc = visit_one(folder, service, visit, ctx, reterr);
	return rc || !errno ? rc : err_sys(reterr, errno, "%s", folder);
}

struct names {
	char (*all)[WAL_NAME_MAX];
	size_t count, room;
};

static enum err_code add_name(struct names *n, const char *name, struct err *reterr)
{
	struct wal_name parsed;
	if (!wal_name_parse(name, &parsed) || strlen(name) >= WAL_NAME_MAX)
		return ERR_OK;
	if (n->count == n->room) {
		size_t room = n->room ? 2 * n->room : 256;
		void *more = n->count < WAL_NAMES_MAX ? realloc(n->all, room * sizeof *n->all) : NULL;
		if (!more)
			return err_set(reterr, ERR_NOMEM, "out of memory for the files of an archive");
		n->all = more;
		n->room = room;
	}
	strcpy(n->all[n->count++], name);
	return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum err_code read_names(const struct wal_area *area, struct names *n, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_of(area->path, "log", "", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc ? NULL : opendir(path);
	if (!rc && !dir)
		rc = err_sys(reterr, errno, "%s", path);
	for (struct dirent *e; !rc && (errno = 0, e = readdir(dir));)
		rc = add_name(n, e->d_name, reterr);
	if (!rc && errno)
		rc = err_sys(reterr, errno, "%s", path);
	if (!rc && n->count)
		qsort(n->all, n->count, sizeof *n->all, by_name);
	return rc;
}

enum err_code archives_files(const struct archive *a, archives_file_fn *visit, void *ctx, struct err *reterr)
{
	struct names n = {NULL, 0, 0};
	enum err_code rc = read_names(a->area, &n, reterr);
	for (size_t i = 0; !rc && i < n.count; i++)
		rc = visit(ctx, a, n.all[i], reterr);
	free(n.all);
	return rc;
}

static enum err_code ignore(void *ctx, uint64_t offset, const uint8_t *data, size_t size, struct err *reterr)
{
	(void)ctx;
	(void)offset;
	(void)data;
	(void)size;
	(void)reterr;
	return ERR_OK;
}

enum err_code archives_sound(const struct archive *a, const char *file, struct err *reterr)
{
	struct envelope_about about;
	return wal_visit(a->area, file, ignore, NULL, &about, reterr);
}

/* ---- names and files ---- */

bool archives_path(const char *folder, const char *name, char out[PATH_LIMIT])
{
	char service[NAME_MAX_BYTES + 1];
	const char *file = copied_wal_file(name, service);
	return folder && file && text_format(out, PATH_LIMIT, "%s/%s/log/%s", folder, service, file);
}

/* Its place, whatever the timeline; a history has none. */
static bool place_of(const char *file, uint64_t *ret)
{
	struct wal_name n;
	if (!wal_name_parse(file, &n) || n.kind == WAL_HISTORY)
		return false;
	*ret = (uint64_t)n.high << 32 | n.low;
	return true;
}

bool archives_swept(const char *folder, const char *name)
{
	char path[PATH_LIMIT], service[NAME_MAX_BYTES + 1];
	const char *file = copied_wal_file(name, service);
	uint64_t mine, other;
	bool later = false, earlier = false;
	if (!file || !place_of(file, &mine) || !archives_path(folder, name, path) || access(path, F_OK) == 0 ||
	    errno != ENOENT)
		return false;
	path[strlen(path) - strlen(file) - 1] = '\0';
	CLEANUP(cleanup_dir) DIR *dir = opendir(path);
	for (struct dirent *e; dir && !earlier && (e = readdir(dir));)
		if (place_of(e->d_name, &other)) {
			later |= other > mine;
			earlier = other <= mine;
		}
	return later && !earlier;
}

/* ---- coming back ---- */

enum err_code archives_begin(const char *folder, const char *service, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = file_make_dirs(folder, 0711, reterr);
	if (!rc)
		rc = path_of(folder, service, "", path, reterr);
	if (!rc)
		rc = file_make_dirs(path, 0700, reterr);
	if (!rc)
		rc = path_of(folder, service, "/log", path, reterr);
	return rc ? rc : file_make_dirs(path, 0700, reterr);
}

enum err_code archives_make(
    const char *folder, const char *service, struct bytes about, const struct keys *k, struct err *reterr)
{
	char path[PATH_LIMIT];
	enum err_code rc = path_of(folder, service, "/log", path, reterr);
	if (!rc)
		rc = file_sync_dir(path, reterr);
	if (!rc)
		rc = path_of(folder, service, "", path, reterr);
	return rc ? rc : wal_area_rebuild(path, service, about, k, reterr);
}
