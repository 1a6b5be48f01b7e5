/* shared/base/file_together.h: small files of one folder, replaced together. */
#ifndef KEDGE_SHARED_BASE_FILE_TOGETHER_H
#define KEDGE_SHARED_BASE_FILE_TOGETHER_H

#include <stddef.h>
#include <sys/types.h>

#include "shared/base/err.h"

enum { FILES_TOGETHER_MAX = 4 };

struct file_new {
	const char *path;
	const void *data;
	size_t size_bytes;
};

/* As file_replace() each (file.h), 1 to FILES_TOGETHER_MAX of one folder, but with one wait for the disk before the
 * renames and one behind them, however many they are.  They are put in place in this order: none is there without those
 * before it.  All are durable once it returns; on failure the first ones may be in place, each whole. */
ERR_CHECK enum err_code file_replace_together(
    const struct file_new *files, size_t count, mode_t mode, struct err *reterr);

#endif
