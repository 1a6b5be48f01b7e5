/* controller/store/backup.h: whole copies of a store, taken while it runs, and the way back.
 *
 * A backup is a folder with data.mdb (compacted, consistent as of one commit) and manifest.json.  It is written beside
 * its name, read back from the first entry to the last, synced and renamed: a folder of that name is a whole backup.
 *
 * A restored store is marked (controller/turn/system.h): the controller that starts on it commands nothing until an
 * operator confirms, for it knows nothing of what came after the backup.  Blocking; any thread. */
#ifndef KEDGE_CONTROLLER_STORE_BACKUP_H
#define KEDGE_CONTROLLER_STORE_BACKUP_H

#include "controller/store/schema.h"

struct backup_manifest {
	uint32_t format;
	struct id store;
	uint64_t taken_ms;
	uint32_t schema;
	uint64_t entries, size_bytes;
	struct digest sha256; /* of data.mdb */
	const char *version;  /* of the program */
};
extern const struct record_type backup_manifest_type;

/* folder must not exist.  ERR_EXISTS, ERR_FULL (the disk of the backup), ERR_IO.  Nothing is left behind on failure. */
ERR_CHECK enum err_code store_backup(
    struct store *s, const char *folder, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr);
/* The same from another process: store_folder may belong to a running controller. */
ERR_CHECK enum err_code store_backup_folder(
    const char *store_folder, const char *folder, uint64_t now_ms, struct backup_manifest *ret, struct err *reterr);
/* Whole and as its manifest says?  ERR_CORRUPT says what is wrong.  *ret lives in arena. */
ERR_CHECK enum err_code backup_check(
    const char *folder, struct arena *arena, struct backup_manifest *ret, struct err *reterr);
/* Make store_folder (missing or empty: ERR_EXISTS otherwise, nothing is ever overwritten) from a checked backup and
 * mark it. */
ERR_CHECK enum err_code store_restore(const char *backup, const char *store_folder, uint64_t now_ms,
    struct random *random, struct backup_manifest *ret, struct err *reterr);

#endif
