/* controller/outbox/outbox.h: carries notifications out: mail, webhooks, a file.
 *
 * A thread of its own reads the outbox record that the center names, delivers it once, and hands the outcome back as
 * INPUT_DELIVERED; the domain decides whether it is tried again.  The notification's id goes along as idempotency key,
 * so that a repetition is known as one. */
#ifndef KEDGE_CONTROLLER_OUTBOX_OUTBOX_H
#define KEDGE_CONTROLLER_OUTBOX_OUTBOX_H

#include "controller/center/input.h"
#include "controller/notify/notify.h"
#include "controller/store/store.h"

enum {
	OUTBOX_WAITING_MAX = 1024,     /* beyond, a notification waits for its retry timer */
	OUTBOX_TIMEOUT_MS = 10 * 1000, /* one delivery */
};

struct outbox_config {
	struct store *store; /* borrowed */
	const struct notify_config *notify;
	const char *controller; /* its name */
	void *ctx;
	enum err_code (*submit)(void *ctx, struct input *in, bool *ret_congested, struct err *reterr);
};
struct outbox_sender;

ERR_CHECK enum err_code outbox_start(const struct outbox_config *c, struct outbox_sender **ret, struct err *reterr);
void outbox_stop(struct outbox_sender *o); /* ends the delivery in hand at its deadline; frees; NULL is a no-op */
void outbox_deliver(struct outbox_sender *o, struct id notification); /* any thread */

#endif
