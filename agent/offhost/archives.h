/* agent/offhost/archives.h: the archives of databases' logs (agent/database/wal.h) as what is copied, and as what comes
 * back: one folder a service below one folder.  Blocking; any thread. */
#ifndef KEDGE_AGENT_OFFHOST_ARCHIVES_H
#define KEDGE_AGENT_OFFHOST_ARCHIVES_H

#include "agent/database/wal.h"
#include "agent/offhost/limits.h"
#include "agent/repository/key.h"

struct archive { /* valid within a visit */
	const char *service;
	const struct wal_area *area;
	struct bytes about; /* wal_area_describe() */
};
typedef enum err_code archives_fn(void *ctx, const struct archive *a, struct err *reterr);
typedef enum err_code archives_file_fn(void *ctx, const struct archive *a, const char *file, struct err *reterr);

/* Each archive below folder (NULL, or not there: none).  What visit returns ends it. */
ERR_CHECK enum err_code archives_each(const char *folder, archives_fn *visit, void *ctx, struct err *reterr);
/* Each file of the log: by timeline and place; a timeline's history comes before its segments. */
ERR_CHECK enum err_code archives_files(const struct archive *a, archives_file_fn *visit, void *ctx, struct err *reterr);
/* All of a file opens.  ERR_CORRUPT; ERR_NOT_FOUND. */
ERR_CHECK enum err_code archives_sound(const struct archive *a, const char *file, struct err *reterr);

/* Where the object "wal/SERVICE/NAME" has its file; false: it is no file of a log, or folder is NULL. */
bool archives_path(const char *folder, const char *name, char out[PATH_LIMIT]);
/* It is a file of a log that lies before everything that its archive still holds.  One that is missing in between is
 * not swept: then the copy is all there is. */
bool archives_swept(const char *folder, const char *name);

/* The folders of an archive; then, when its files are there, the archive itself. */
ERR_CHECK enum err_code archives_begin(const char *folder, const char *service, struct err *reterr);
ERR_CHECK enum err_code archives_make(
    const char *folder, const char *service, struct bytes about, const struct keys *k, struct err *reterr);

#endif
