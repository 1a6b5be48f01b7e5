/* controller/api/api.h: the operators' door: HTTPS with client certificates, JSON by the record types.
 *
 *   GET  /api/v1/status                        the fleet in one record
 *   GET  /api/v1/<noun>?field=value&limit=&after=&order=desc   a page of a table: {"items":[…],"next":"…"}
 *   GET  /api/v1/<noun>/<key>                  one record, by key, id, id's beginning, or number (INC-3)
 *   GET  /api/v1/audit/verify                  recompute the trail
 *   GET  /api/v1/event/watch                   server-sent events from now on (Last-Event-ID: after that one; numbers
 *                                              rise over restarts; a change of operators ends every stream)
 *   POST /api/v1/<noun>/<verb>                 controller/center/requests.h; Idempotency-Key is honoured
 *
 * Reads are answered from a snapshot of the store by a thread of their own (query.h), changes by the center.  Every
 * answer has a deadline. Errors: {"error":{"code":"denied","text":"…"}} with the status that fits.  Loop thread only,
 * but for the functions marked so. */
#ifndef KEDGE_CONTROLLER_API_API_H
#define KEDGE_CONTROLLER_API_API_H

#include "controller/center/center.h"
#include "shared/ws/http.h"

enum {
	API_READS_MAX = 256,          /* reads that wait for the reader thread; beyond: 503 */
	API_WAITING_MAX = 1024,       /* requests that wait for the center; beyond: 503 */
	API_WATCHERS_MAX = 64,        /* open streams */
	API_EVENTS_KEPT = 1024,       /* so that a watcher that lost its connection misses nothing recent */
	API_HEARTBEAT_MS = 10 * 1000, /* a comment line to watchers, so that both ends notice a dead connection */
};

struct api_config {
	struct ws_port port;
	struct store *store;                    /* borrowed */
	const struct workflow_config *workflow; /* borrowed */
	void *ctx;
	enum err_code (*submit)(void *ctx, struct input *in, bool *ret_congested, struct err *reterr);
	/* Run fn(arg) on the loop thread soon; any thread.  False: no room. */
	bool (*post)(void *ctx, void (*fn)(void *arg), void *arg);
};
struct api;

ERR_CHECK enum err_code api_new(struct ws_loop *loop, const struct api_config *c, struct api **ret, struct err *reterr);
void api_free(struct api *a); /* ends the reader thread; before the loop; NULL is a no-op */
struct ws_http *api_http(struct api *a);

/* A reply or an event of the center, already on the loop thread.  body: JSON (or NULL), borrowed for the call. */
void api_reply(struct api *a, uint64_t token, enum err_code code, const char *body, size_t size);
void api_event(struct api *a, const char *json); /* one line */

/* Center's thread: what api_reply and api_event take, made there because records live in the turn. */
ERR_CHECK enum err_code api_encode_reply(const struct center_reply *r, struct buf *out, struct err *reterr);
void api_encode_event(const struct center_event *e, struct buf *out);

#endif
