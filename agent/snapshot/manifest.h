/* agent/snapshot/manifest.h: the file that makes a restore point exist.
 *
 *   header     64 bytes: "KEDGEMF1", u32 version 1, u32 key number, repository id (16), snapshot id (16), u32 sealed
 * size (with tag), u32 raw size, zeros sealed     AES-256-GCM under a key of this snapshot's own (nonce 0), associated
 * data: the header; inside a zstd frame with the msgpack record "manifest": the summary, and for each component the ids
 * and sizes of its tree pages signature  Ed25519 (64) over all before it, domain "kedge manifest 1", by the host's key
 *
 * A manifest is good only under its own file name (the id is authenticated), in its own repository and for the host
 * that signed it; service and components stand inside.  Written last: temporary file, fsync, rename, fsync of
 * snapshots/. */
#ifndef KEDGE_AGENT_SNAPSHOT_MANIFEST_H
#define KEDGE_AGENT_SNAPSHOT_MANIFEST_H

#include "agent/repository/repo_internal.h"
#include "agent/snapshot/snapshot.h"

enum { MANIFEST_HEADER_SIZE = 64, MANIFEST_VERSION = 1, MANIFEST_NAME_MAX = ID_TEXT_MAX + 16 };

struct manifest_tree {
	uint32_t component;
	uint64_t bytes;     /* of its pages */
	struct bytes pages; /* references (tree.h) to them in order */
};
struct manifest {
	struct snapshot_summary summary; /* marks are not in the file */
	struct list trees;               /* struct manifest_tree, as summary.components */
};
extern const struct record_type manifest_type;

struct manifest_header {
	uint32_t key_number, sealed_size, raw_size;
	uint8_t repo[REPO_ID_SIZE];
	struct id snapshot;
};
/* Pure: sizes fit the file. */
ERR_CHECK enum err_code manifest_header_parse(
    const uint8_t *data, size_t size, struct manifest_header *ret, struct err *reterr);
/* Pure: the record inside, with its rules (a tree for each component, references well formed). */
ERR_CHECK enum err_code manifest_body_parse(
    const uint8_t *data, size_t size, struct arena *arena, struct manifest *ret, struct err *reterr);

ERR_CHECK enum err_code manifest_seal(
    const struct keys *k, const struct manifest *m, struct buf *out, struct err *reterr);
/* ERR_CORRUPT says in which way it is not what this host wrote. */
ERR_CHECK enum err_code manifest_unseal(const struct keys *k, struct id id, const uint8_t *data, size_t size,
    struct arena *arena, struct manifest *ret, struct err *reterr);

/* ERR_NOT_FOUND when there is none.  Errors name the file. */
ERR_CHECK enum err_code manifest_read(
    const struct repo *r, struct id id, struct arena *arena, struct manifest *ret, struct err *reterr);
/* And lists it in the catalogue (catalogue.h), or says in the log why not.  Durable on return. */
ERR_CHECK enum err_code manifest_write(const struct repo *r, const struct manifest *m, struct err *reterr);
/* ERR_NOT_FOUND when there is no such file. */
ERR_CHECK enum err_code manifest_exists(const struct repo *r, struct id id, struct err *reterr);
ERR_CHECK enum err_code manifest_remove(const struct repo *r, struct id id, struct err *reterr);
/* Unless a hold is on it, looked at under the lock that puts holds on. */
ERR_CHECK enum err_code manifest_remove_unheld(const struct repo *r, struct id id, bool *ret_held, struct err *reterr);
/* Ids of all manifest files, newest first; names that are none are skipped (temporary files, marks).  The caller frees
 * *ret. */
ERR_CHECK enum err_code manifest_ids(const struct repo *r, struct id **ret, size_t *ret_count, struct err *reterr);

/* Beside it, JSON, replaced atomically; missing marks are zero marks.  Strings live in arena. */
ERR_CHECK enum err_code marks_read(
    const struct repo *r, struct id id, struct arena *arena, struct snapshot_marks *ret, struct err *reterr);
ERR_CHECK enum err_code marks_write(
    const struct repo *r, struct id id, const struct snapshot_marks *marks, struct err *reterr);

#endif
