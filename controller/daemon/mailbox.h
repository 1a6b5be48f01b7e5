/* controller/daemon/mailbox.h: from any thread to the loop thread.  Bounded; a post that does not fit is refused, never
 * waits. */
#ifndef KEDGE_CONTROLLER_DAEMON_MAILBOX_H
#define KEDGE_CONTROLLER_DAEMON_MAILBOX_H

#include "shared/ws/loop.h"

struct mailbox;
struct mailbox *mailbox_new(size_t limit_count, size_t limit_bytes); /* NULL: out of memory */
void mailbox_free(struct mailbox *m); /* drops what waits: mailbox_drain first where it must not be lost */
void mailbox_bind(struct mailbox *m, struct ws_loop *loop); /* before the first post */
/* fn(arg) will run on the loop thread.  False: no room (fn is not called). */
bool mailbox_post(struct mailbox *m, void (*fn)(void *arg), void *arg, size_t weight_bytes);
void mailbox_drain(struct mailbox *m); /* loop thread: from on_wake */

#endif
