/* Tablespaces in another place than they were taken from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/database/internal.h"
#include "agent/database/tablespaces.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

/* As the server reads it: what ends a line is escaped (do_pg_backup_start). */
static void put_path(struct buf *out, const char *path)
{
	for (; *path; path++) {
		if (*path == '\n' || *path == '\r' || *path == '\\')
			buf_byte(out, '\\');
		buf_byte(out, (uint8_t)*path);
	}
}

/* Behind the end of the line at text. */
static const char *line_end(const char *text)
{
	for (; *text && *text != '\n'; text++)
		if (*text == '\\' && text[1])
			text++;
	return *text ? text + 1 : text;
}

enum err_code tablespaces_map(const char *map, const char *box, struct buf *out, struct err *reterr)
{
	while (*map) {
		size_t n = strspn(map, "0123456789");
		if (!n || map[n] != ' ' || n > 10)
			return err_set(reterr, ERR_CORRUPT, "the map of tablespaces is not as the server writes it");
		buf_printf(out, "%.*s ", (int)n, map);
		put_path(out, box);
		buf_printf(out, "/" TABLESPACE_LABEL "%.*s\n", (int)n, map);
		map = line_end(map);
	}
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory") : ERR_OK;
}

static enum err_code relink(int folder, const char *oid, const char *box, const struct stat *owner, struct err *reterr)
{
	char target[PATH_LIMIT];
	struct stat st;
	if (fstatat(folder, oid, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(st.st_mode))
		return ERR_OK; /* . and .. among others */
	if (!text_format(target, sizeof target, "%s/" TABLESPACE_LABEL "%s", box, oid))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", box);
	if (!file_exists(target))
		return err_set(reterr, ERR_NOT_FOUND, "tablespace %s was not restored", oid);
	if (unlinkat(folder, oid, 0) != 0 || symlinkat(target, folder, oid) != 0 ||
	    (geteuid() == 0 && (fchownat(folder, oid, owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
				   chown(target, owner->st_uid, owner->st_gid) != 0)))
		return err_sys(reterr, errno, "pg_tblspc/%s cannot point to %s", oid, target);
	return ERR_OK;
}

static enum err_code rewrite_map(const char *data, const char *box, const struct stat *owner, struct err *reterr)
{
	char path[PATH_LIMIT];
	CLEANUP(buf_done) struct buf map = BUF_INIT;
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	struct err none = ERR_INIT;
	enum err_code rc = tree_join(data, "tablespace_map", path, reterr);
	if (rc != ERR_OK || (rc = file_read(path, TABLESPACE_MAP_MAX, &map, &none)) == ERR_NOT_FOUND)
		return rc == ERR_NOT_FOUND ? ERR_OK : rc;
	if (rc != ERR_OK)
		return err_set(reterr, rc, "%s", none.msg);
	rc = tablespaces_map(buf_str(&map), box, &out, reterr);
	if (rc == ERR_OK)
		rc = file_replace(path, out.data, out.size, 0600, reterr);
	if (rc == ERR_OK && geteuid() == 0 && chown(path, owner->st_uid, owner->st_gid) != 0)
		rc = err_sys(reterr, errno, "%s", path);
	return rc;
}

enum err_code tablespaces_relocate(const char *box, struct err *reterr)
{
	char real[PATH_LIMIT], data[PATH_LIMIT], path[PATH_LIMIT];
	struct stat owner;
	if (!realpath(box, real))
		return err_sys(reterr, errno, "%s", box);
	enum err_code rc = tree_join(real, DATABASE_LABEL, data, reterr);
	if (rc == ERR_OK)
		rc = tree_join(data, "pg_tblspc", path, reterr);
	if (rc == ERR_OK && stat(data, &owner) != 0)
		rc = err_sys(reterr, errno, "%s", data);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir));)
		rc = relink(dirfd(dir), e->d_name, real, &owner, reterr);
	return rc == ERR_OK ? rewrite_map(data, real, &owner, reterr) : rc;
}

enum err_code tablespaces_own(const char *data, struct err *reterr)
{
	char path[PATH_LIMIT], link[PATH_LIMIT];
	struct stat owner, st;
	enum err_code rc = tree_join(data, "pg_tblspc", path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK && geteuid() == 0 ? opendir(path) : NULL;
	if (!dir || stat(data, &owner) != 0)
		return rc;
	for (struct dirent *e; rc == ERR_OK && (e = readdir(dir));)
		if (e->d_name[0] != '.' && text_format(link, sizeof link, "%s/%s", path, e->d_name) &&
		    stat(link, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 &&
		    chown(link, owner.st_uid, owner.st_gid) != 0)
			rc = err_sys(reterr, errno, "%s", link);
	return rc;
}
