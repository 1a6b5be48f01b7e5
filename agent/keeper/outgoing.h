/* agent/keeper/outgoing.h: reports on their way to the link's spool.
 *
 * This is where reports leave the keeper, so this is where every text in them that may be a host's own is redacted,
 * whoever made it (shared/redact/leaving.h).  A report is kept here, copied, until the link says that it is durable;
 * when the link is restarted they are all handed over again (the controller applies each sequence once; what is spooled
 * twice is told twice, so orders carry ids and health is idempotent).  Bounded: beyond the bounds the least important
 * and oldest go, and are counted.  Pure but for the send callback.  Loop thread only. */
#ifndef KEDGE_AGENT_KEEPER_OUTGOING_H
#define KEDGE_AGENT_KEEPER_OUTGOING_H

#include "shared/message/message.h"

enum {
	OUTGOING_MAX = 1024, /* reports that wait while the link is being restarted */
	OUTGOING_BYTES_MAX = 8 << 20,
};

struct outgoing;
struct outgoing_io {
	void *ctx;
	/* ERR_OK: handed to the link.  Else it is kept and handed over by outgoing_resend(). */
	enum err_code (*send)(void *ctx, uint64_t token, const struct report *r);
	void (*spooled)(void *ctx, const struct report *r); /* it is durable now */
};
struct outgoing *outgoing_new(const struct outgoing_io *io); /* NULL: out of memory */
void outgoing_free(struct outgoing *o);
/* ERR_FULL: more important reports fill it. */
ERR_CHECK enum err_code outgoing_add(struct outgoing *o, const struct report *r, struct err *reterr);
void outgoing_on_spooled(struct outgoing *o, uint64_t token);
void outgoing_resend(struct outgoing *o);
size_t outgoing_count(const struct outgoing *o);
uint64_t outgoing_take_dropped(struct outgoing *o); /* since the last call */

#endif
