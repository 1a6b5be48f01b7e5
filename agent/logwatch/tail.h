/* agent/logwatch/tail.h: one path that is followed, whatever is done to the file behind it.
 *
 * Rename and create, copy and truncate, delete and create, a new file with the old inode, a path that is not there yet:
 * each is noticed at the next tail_read().  A renamed file is read to its end and for TAIL_GRACE_MS more, because its
 * writer may not have reopened yet; one that was deleted for TAIL_NAMELESS_MS only. A file is known by device, inode
 * and a hash of its first bytes.  Blocking calls on local files only; one thread. */
#ifndef KEDGE_AGENT_LOGWATCH_TAIL_H
#define KEDGE_AGENT_LOGWATCH_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

enum {
	TAIL_HEAD_MAX = 256, /* bytes by which a file is known again */
	TAIL_GRACE_MS = 30000,
	TAIL_NAMELESS_MS = 1000, /* the same of one that was deleted: it takes room as long as we have it open */
	TAIL_SEARCH_MAX = 4096,  /* names of a folder that are looked through for a renamed file */
};

/* Where the next unread line begins.  inode 0: nowhere. */
struct tail_position {
	uint64_t device, inode, offset;
	uint64_t head_size, head_hash; /* of the first head_size (<= offset) bytes */
};

struct tail;
struct tail_events { /* borrowed; called from tail_read only */
	void *ctx;
	/* One line without its newline; cut: it was longer than LOGWATCH_LINE_MAX, the rest is gone. */
	void (*on_line)(void *ctx, const char *line, size_t size, bool cut);
	/* bytes of the file were passed over (LOGWATCH_BACKLOG_MAX). */
	void (*on_skipped)(void *ctx, uint64_t bytes);
};

/* known: positions from before a restart (current first, then a renamed one still being read); count 0: from_start says
 * where to begin in a file that is there already. */
ERR_CHECK enum err_code tail_new(const char *path, const struct tail_events *events, const struct tail_position *known,
    size_t count, bool from_start, struct tail **ret, struct err *reterr);
void tail_free(struct tail *t); /* NULL is a no-op */

/* Reads at most budget_bytes.  true: there is more at once. */
bool tail_read(struct tail *t, size_t budget_bytes, uint64_t now_ms);
/* At most two, current first; how many. */
size_t tail_positions(const struct tail *t, struct tail_position ret[2]);
const char *tail_path(const struct tail *t);
/* Counts each time another file stands behind the path: watch it anew. */
uint64_t tail_generation(const struct tail *t);
bool tail_reads(const struct tail *t, uint64_t device, uint64_t inode); /* is it this file? */

#endif
