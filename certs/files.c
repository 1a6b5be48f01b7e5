/* certs/files.c: all of them, or none. */
#include "certs/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

enum err_code new_files_add(
    struct new_files *f, const char *name, const void *data, size_t size, mode_t mode, struct err *reterr)
{
	assert(f->count < NEW_FILES_MAX);
	char *path = f->paths[f->count];
	if (!text_format(path, PATH_LIMIT, "%s/%s", f->folder, name))
		return err_set(reterr, ERR_LIMIT, "the path of %s is too long", f->folder);
	CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(
		    reterr, ERR_EXISTS, "%s is there already: choose another folder, nothing was changed", path);
	if (fd < 0)
		return err_sys(reterr, errno, "%s", path);
	f->count++;
	enum err_code rc = file_write_all(fd, data, size, reterr);
	if (rc == ERR_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		rc = err_sys(reterr, errno, "%s", path);
	return rc;
}

enum err_code new_files_key(struct new_files *f, const char *name, EVP_PKEY *key, struct err *reterr)
{
	CLEANUP(secret_cleanup) struct secret *pem = NULL;
	enum err_code rc = tls_key_to_pem(key, &pem, reterr);
	return rc == ERR_OK ? new_files_add(f, name, secret_data(pem), secret_size(pem), 0600, reterr) : rc;
}

enum err_code new_files_certificate(struct new_files *f, const char *name, X509 *x, struct err *reterr)
{
	CLEANUP(buf_done) struct buf pem = BUF_INIT;
	enum err_code rc = tls_certificate_to_pem(x, &pem, reterr);
	return rc == ERR_OK ? new_files_add(f, name, pem.data, pem.size, 0644, reterr) : rc;
}

enum err_code new_files_settle(struct new_files *f, enum err_code rc, struct err *reterr)
{
	if (rc == ERR_OK)
		return file_sync_dir(f->folder, reterr);
	while (f->count > 0)
		unlink(f->paths[--f->count]);
	return rc;
}
