/* controller/gate/gate.h: the agents' door.
 *
 * Owns the websocket port and one session a connection: who it is (by certificate), which run of the agent (by its
 * hello).  Frames become inputs; effects become frames.  A frame that is malformed, too large, unknown or not the
 * sender's to send ends its connection with a reason and an audit entry, and disturbs nobody else.  When the center is
 * behind, agents are made to wait: reading pauses, their spools hold.  Loop thread only (shared/ws/loop.h). */
#ifndef KEDGE_CONTROLLER_GATE_GATE_H
#define KEDGE_CONTROLLER_GATE_GATE_H

#include "controller/center/input.h"
#include "shared/ws/listener.h"

enum {
	GATE_HELLO_MS = 10 * 1000, /* a connection that has not said hello by then is closed */
	GATE_SWEEP_MS = 1000,
	GATE_HELD_MAX = 4,     /* inputs that wait for room of one connection: one in hand and what was read already */
	GATE_GONE_MAX = 20000, /* ended connections whose end is not told yet: as many as there are descriptors */
	GATE_INPUT_ARENA = 8 << 20, /* one decoded frame of MESSAGE_SIZE_MAX with its structs */
};

struct gate_config {
	struct ws_port port;
	uint32_t ping_ms; /* 0: the library's */
	void *ctx;
	/* Takes `in` on ERR_OK; ERR_FULL: try again after gate_drained().  *ret_congested: pause. */
	enum err_code (*submit)(void *ctx, struct input *in, bool *ret_congested, struct err *reterr);
};
struct gate;

ERR_CHECK enum err_code gate_new(
    struct ws_loop *loop, const struct gate_config *c, struct gate **ret, struct err *reterr);
void gate_free(struct gate *g); /* before the loop; NULL is a no-op */
struct ws_listener *gate_listener(struct gate *g);

/* Send an encoded frame to the connection of (host, boot); boot zero: whichever run of the host said hello last. Nobody
 * there: dropped.  So is what comes before the connection's welcome (an order that is sent again while its hello still
 * waits in the queue: the welcome brings it), and a second welcome (for a hello over a connection that is gone). */
void gate_send(struct gate *g, const char *host, struct id boot, enum frame_type type, struct bytes frame);
void gate_close(struct gate *g, const char *host, struct id boot, enum bye_reason why, const char *text);
void gate_drained(struct gate *g);                    /* the center takes again */
void gate_goodbye(struct gate *g, uint64_t retry_ms); /* SIGTERM: say so to everybody */

#endif
