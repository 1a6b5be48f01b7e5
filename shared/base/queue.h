/* shared/base/queue.h: a bounded queue of pointers between threads.
 *
 * Many producers, one consumer.  Bounded by count and by bytes, whichever is reached first; a full queue refuses and
 * the producer must make its own peer wait (a connection stops reading, an operator is told to try again): memory does
 * not grow. */
#ifndef KEDGE_SHARED_BASE_QUEUE_H
#define KEDGE_SHARED_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/err.h"

struct queue;

struct queue *queue_new(size_t limit_count, size_t limit_bytes); /* NULL: out of memory */
void queue_free(struct queue *q); /* must be empty, or what is left leaks: drain it first */
/* ERR_FULL: not taken.  ERR_STATE: closed.  weight_bytes is the item's share of limit_bytes; an empty queue takes any
 * weight. */
ERR_CHECK enum err_code queue_push(struct queue *q, void *item, size_t weight_bytes, struct err *reterr);
/* Take up to max items in order.  Waits until at least one is there, timeout_ms (< 0: no limit) passed, or the queue
 * was closed.  Returns how many. */
size_t queue_pop(struct queue *q, void **items, size_t max, int timeout_ms);
void queue_close(struct queue *q); /* later pushes fail; pops drain what is left, then return 0 at once */
bool queue_closed(struct queue *q);
size_t queue_count(struct queue *q);
bool queue_congested(struct queue *q); /* past three quarters of either bound */

#endif
