/* certs/files.h: files that are made together and never overwrite anything.  Blocking.  For this folder alone. */
#ifndef KEDGE_CERTS_FILES_H
#define KEDGE_CERTS_FILES_H

#include <sys/types.h>

#include "shared/base/err.h"
#include "shared/base/limits.h"
#include "shared/tls/certificate.h"
#include "shared/tls/key.h"

enum { NEW_FILES_MAX = 5 }; /* an authority's folder has five */

struct new_files { /* begins with the folder alone set; borrowed */
	const char *folder;
	char paths[NEW_FILES_MAX][PATH_LIMIT];
	size_t count;
};

/* Each is durable once it returns ERR_OK, with exactly this mode.  ERR_EXISTS: the name is taken, and stays as it is.
 */
ERR_CHECK enum err_code new_files_add(
    struct new_files *f, const char *name, const void *data, size_t size, mode_t mode, struct err *reterr);
ERR_CHECK enum err_code new_files_key(
    struct new_files *f, const char *name, EVP_PKEY *key, struct err *reterr); /* 0600 */
ERR_CHECK enum err_code new_files_certificate(
    struct new_files *f, const char *name, X509 *x, struct err *reterr); /* 0644 */
/* rc ERR_OK: their names are durable too.  Otherwise every one that was made is taken back, and rc is returned. */
ERR_CHECK enum err_code new_files_settle(struct new_files *f, enum err_code rc, struct err *reterr);

#endif
