/* Trees that are ours. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "agent/database/internal.h"
#include "shared/base/text.h"

enum { REMOVE_FDS = 32 };

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

enum err_code tree_remove(const char *path, struct err *reterr)
{
	if (nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
		return err_sys(reterr, errno, "%s cannot be removed", path);
	return ERR_OK;
}

void tree_parent(const char *path, char out[PATH_LIMIT])
{
	text_copy(out, PATH_LIMIT, path);
	char *slash = strrchr(out, '/');
	if (slash)
		slash[slash == out] = '\0';
}

enum err_code tree_join(const char *folder, const char *name, char out[PATH_LIMIT], struct err *reterr)
{
	if (!text_format(out, PATH_LIMIT, "%s/%s", folder, name))
		return err_set(reterr, ERR_LIMIT, "%s is too long a path", folder);
	return ERR_OK;
}
