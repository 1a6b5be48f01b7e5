/* Lines of an outline about files: what any database's folder has. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/database/internal.h"
#include "shared/base/cleanup.h"
#include "shared/base/text.h"

enum { MODES_MAX = 4, VALUE_MAX = 512 };

static uint64_t changed_at(const struct stat *st)
{
	return (uint64_t)st->st_ctim.tv_sec * 1000 + (uint64_t)st->st_ctim.tv_nsec / 1000000;
}

enum err_code outline_file(
    struct outline_files *f, const char *name, const char *content, const struct stat *st, struct err *reterr)
{
	char key[PATH_LIMIT + 8], value[VALUE_MAX];
	if (!text_format(key, sizeof key, "data/%s", name))
		return ERR_OK; /* a longer path than there are */
	(void)text_format(value, sizeof value, "%s %04o:%u:%u", content, st->st_mode & 07777, st->st_uid, st->st_gid);
	return outline_add(f->o, key, value, changed_at(st), reterr);
}

struct modes { /* the different owners and modes of a folder's files */
	struct stat of[MODES_MAX];
	size_t count;
	uint64_t newest_ms;
};

static void note_mode(struct modes *m, const struct stat *st)
{
	size_t i = 0;
	while (i < m->count &&
	       (m->of[i].st_mode != st->st_mode || m->of[i].st_uid != st->st_uid || m->of[i].st_gid != st->st_gid))
		i++;
	if (i < m->count || m->count == MODES_MAX)
		return;
	for (i = m->count++; i && m->of[i - 1].st_mode > st->st_mode; i--)
		m->of[i] = m->of[i - 1];
	m->of[i] = *st;
	if (m->count > 1 && changed_at(st) > m->newest_ms)
		m->newest_ms = changed_at(st);
}

static enum err_code add_modes(struct outline_files *f, const char *name, const struct modes *m, struct err *reterr)
{
	char key[PATH_LIMIT + 8], value[VALUE_MAX];
	size_t at = (size_t)snprintf(value, sizeof value, "%s ", m->count ? "some" : "none");
	for (size_t i = 0; i < m->count; i++)
		at += (size_t)snprintf(value + at, sizeof value - at, "%s%06o:%u:%u", i ? "," : "", m->of[i].st_mode,
		    m->of[i].st_uid, m->of[i].st_gid);
	return text_format(key, sizeof key, "data/%s/*", name) ? outline_add(f->o, key, value, m->newest_ms, reterr)
							       : ERR_OK;
}

static bool is_one_of(const char *const *names, const char *name)
{
	while (*names && !text_equal(*names, name))
		names++;
	return *names != NULL;
}

enum err_code outline_folder(struct outline_files *f, const char *name, const char *const *needed, struct err *reterr)
{
	char path[PATH_LIMIT], below[PATH_LIMIT];
	struct modes modes = {0};
	enum err_code rc = tree_join(f->data, name, path, reterr);
	CLEANUP(cleanup_dir) DIR *dir = rc == ERR_OK ? opendir(path) : NULL;
	for (struct dirent *e; rc == ERR_OK && dir && (e = readdir(dir)) && f->looked_at < OUTLINE_FILES_MAX;) {
		struct stat st;
		if (text_equal(e->d_name, ".") || text_equal(e->d_name, "..") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		f->looked_at++;
		if (!S_ISREG(st.st_mode))
			continue;
		note_mode(&modes, &st);
		if (is_one_of(needed, e->d_name) && text_format(below, sizeof below, "%s/%s", name, e->d_name))
			rc = outline_file(f, below, "-", &st, reterr);
	}
	return rc == ERR_OK && dir ? add_modes(f, name, &modes, reterr) : rc;
}
