/* agent/logwatch/positions.h: what logwatch remembers over a restart, in one file: where each source was read to, and
 * which templates it has already told of.  The file is replaced atomically; one that cannot be understood is as good as
 * none (sources then begin at their end). */
#ifndef KEDGE_AGENT_LOGWATCH_POSITIONS_H
#define KEDGE_AGENT_LOGWATCH_POSITIONS_H

#include "agent/logwatch/tail.h"
#include "shared/base/arena.h"
#include "shared/record/record.h"

enum { POSITIONS_FILE_MAX = 16 << 20, POSITIONS_VERSION = 1 };

struct saved_position {
	const char *path;
	uint64_t device, inode, offset, head_size, head_hash;
};
struct saved_source {
	const char *service, *source;
	const char *cursor;    /* journald's, or NULL */
	struct list positions; /* struct saved_position */
	struct list templates; /* texts */
};
struct saved_positions {
	uint32_t version;
	struct list sources; /* struct saved_source */
};
extern const struct record_type saved_positions_type;

/* ERR_OK with an empty *ret when there is no file.  ERR_CORRUPT: not ours, or damaged. */
ERR_CHECK enum err_code positions_load(
    const char *path, struct arena *arena, struct saved_positions *ret, struct err *reterr);
ERR_CHECK enum err_code positions_save(const char *path, const struct saved_positions *p, struct err *reterr);
const struct saved_source *positions_find(
    const struct saved_positions *p, const char *service, const char *source); /* NULL: none */

#endif
