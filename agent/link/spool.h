/* agent/link/spool.h: the reports that the controller has not acknowledged yet, durable and in order.
 *
 * A spool holds the sequences first to next - 1 without a hole.  Appending gives each report the next sequence of this
 * host, which is never given again, also after everything was acknowledged and the program was started anew.  Over its
 * limit it drops what has the least importance (metrics, then health, events, results last), oldest first; a run of
 * dropped reports stays as one item without a frame.
 * One suite of tests runs over both kinds (tests/contract/agent/link): one in LMDB, with default sync, and one in
 * memory for simulations.  One thread.  Sizes are bytes. */
#ifndef KEDGE_AGENT_LINK_SPOOL_H
#define KEDGE_AGENT_LINK_SPOOL_H

#include "agent/link/limits.h"
#include "shared/message/message.h"

struct spool;

/* What the keeper said last before it was made durable: its run and the token of its report (agent/channel). */
struct spool_mark {
	struct id run;
	uint64_t token;
};

struct spool_item { /* borrowed for the call */
	uint64_t sequence;
	uint64_t through; /* 0; else sequence to through were dropped: importance is meaningless, frame empty */
	uint64_t at_ms;   /* as the report says; of the newest that was dropped */
	uint32_t importance;
	struct bytes frame; /* a whole FRAME_REPORT, ready to be sent */
};

struct spool_state {
	uint64_t first;   /* oldest sequence that is not acknowledged; next when empty */
	uint64_t next;    /* the next report's */
	uint64_t count;   /* reports that are there: dropped ones are not */
	uint64_t bytes;   /* what they count against the limit */
	uint64_t dropped; /* since it was opened */
	struct spool_mark mark;
};

/* The folder is made if missing (mode 0700).  Everything is opened here: afterwards the program may give up its
 * privileges.  ERR_BUSY: another program has it open.  ERR_FULL, ERR_IO, ERR_CORRUPT; ERR_LIMIT: limit_bytes is not
 * within SPOOL_LIMIT_LEAST_BYTES and _MAX_. */
ERR_CHECK enum err_code spool_open(const char *folder, uint64_t limit_bytes, struct spool **ret, struct err *reterr);
/* The one that forgets.  Its limit may be any. */
ERR_CHECK enum err_code spool_open_memory(uint64_t limit_bytes, struct spool **ret, struct err *reterr);
void spool_close(struct spool *s); /* NULL is a no-op */

/* Durable once it returns ERR_OK, all or (ERR_FULL, ERR_NOMEM) nothing; mark, unless NULL, with them.  The reports'
 * own sequences are ignored.  count is at most SPOOL_BATCH_MAX.  One that cannot be a frame (too large, not valid)
 * takes its sequence as a dropped one.
 * ERR_FULL: the disk has no room, or the sequences are used up; what is there stays usable.
 * Any other error, here and below, and the spool must not be trusted: it answers ERR_STATE until it is opened anew. */
ERR_CHECK enum err_code spool_append(struct spool *s, const struct report *const *reports, size_t count,
    const struct spool_mark *mark, struct err *reterr);
/* Calls visit for each item from sequence `from` on, in order, until it returns false.  A run of dropped reports that
 * begins before `from` is shown from there.  visit must not call the spool. */
ERR_CHECK enum err_code spool_read(struct spool *s, uint64_t from,
    bool (*visit)(void *ctx, const struct spool_item *item), void *ctx, struct err *reterr);
/* Forgets everything up to through; beyond the newest, the next report's sequence follows it (through is at most
 * LINK_SEQUENCE_MAX).  Durable.  May be cut short by a crash: then some are acknowledged again. */
ERR_CHECK enum err_code spool_acknowledge(struct spool *s, uint64_t through, struct err *reterr);
void spool_state(const struct spool *s, struct spool_state *ret);

/* ---- of the memory spool, for tests ---- */

/* The next-but-`after` append or acknowledgement fails with code and changes nothing; as on disk, anything but
 * ERR_FULL then breaks the spool until spool_memory_restart(). */
void spool_memory_fail(struct spool *s, unsigned after, enum err_code code);
void spool_memory_restart(struct spool *s); /* as if the program had been killed and opened it again */

static inline void spool_cleanup(struct spool **s)
{
	spool_close(*s);
}

#endif
