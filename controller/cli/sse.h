/* controller/cli/sse.h: server-sent events (HTML Living Standard §9.2.6), as far as the API sends them: id and data.
 * Pure. */
#ifndef KEDGE_CONTROLLER_CLI_SSE_H
#define KEDGE_CONTROLLER_CLI_SSE_H

#include "controller/cli/limits.h"
#include "shared/base/buf.h"

struct sse {
	struct buf line, data;    /* of the event that is being read */
	char id[64], next_id[64]; /* of the last whole event, "" before the first; of the one that is being read */
	bool has_data, too_long;
	/* One whole event; data is borrowed and valid for the call.  False: enough. */
	bool (*on_event)(void *ctx, const char *id, const char *data);
	void *ctx;
};
/* Begins with on_event and ctx set, all else zero. */
bool sse_feed(struct sse *s, const char *bytes, size_t size); /* false: on_event said so */
void sse_break(struct sse *s); /* the connection ended: what was half read is forgotten, the id is not */
void sse_done(struct sse *s);

#endif
