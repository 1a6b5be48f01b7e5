/* shared/base/file.h: small files, whole, safely.  Blocking; any thread.  Descriptors are born O_CLOEXEC. */
#ifndef KEDGE_SHARED_BASE_FILE_H
#define KEDGE_SHARED_BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"

/* Append the file's bytes to out.  ERR_LIMIT beyond limit_bytes. */
ERR_CHECK enum err_code file_read(const char *path, size_t limit_bytes, struct buf *out, struct err *reterr);
/* Old or new, never half: temporary file beside it (".name.XXXXXX"), write, fsync, rename, fsync of the folder.
 * mode is exact, whatever the umask.  After an error the old file stands, but for an error of the last step. */
ERR_CHECK enum err_code file_replace(
    const char *path, const void *data, size_t size_bytes, mode_t mode, struct err *reterr);
ERR_CHECK enum err_code file_write_all(int fd, const void *data, size_t size_bytes, struct err *reterr);
ERR_CHECK enum err_code file_sync_dir(const char *path, struct err *reterr);
/* Every missing folder of path is made with mode (exactly) and durable on return; those that are there are left as they
 * are. */
ERR_CHECK enum err_code file_make_dirs(const char *path, mode_t mode, struct err *reterr);
bool file_exists(const char *path);
/* Where a program of this name lies that was installed with the running one: in the same folder, looked for nowhere
 * else.  out: PATH_LIMIT bytes.  Whether it is there is not asked. */
ERR_CHECK enum err_code file_beside_program(const char *name, char *out, struct err *reterr);
/* Exclusive lock on path (made if missing) for the life of the returned descriptor; ERR_BUSY names the holder's pid. */
ERR_CHECK enum err_code file_lock(const char *path, int *ret_fd, struct err *reterr);

#endif
