#include "controller/daemon/mailbox.h"

#include <stdlib.h>

#include "shared/base/queue.h"

enum { DRAIN_MAX = 256 };

struct post {
	void (*fn)(void *arg);
	void *arg;
};
struct mailbox {
	struct queue *queue;
	struct ws_loop *loop;
};

struct mailbox *mailbox_new(size_t limit_count, size_t limit_bytes)
{
	struct mailbox *m = calloc(1, sizeof *m);
	if (m && !(m->queue = queue_new(limit_count, limit_bytes))) {
		free(m);
		m = NULL;
	}
	return m;
}

void mailbox_free(struct mailbox *m)
{
	void *item;
	if (!m)
		return;
	queue_close(m->queue);
	while (queue_pop(m->queue, &item, 1, 0) == 1)
		free(item);
	queue_free(m->queue);
	free(m);
}

void mailbox_bind(struct mailbox *m, struct ws_loop *loop)
{
	m->loop = loop;
}

bool mailbox_post(struct mailbox *m, void (*fn)(void *arg), void *arg, size_t weight_bytes)
{
	struct post *p = malloc(sizeof *p);
	if (!p)
		return false;
	*p = (struct post){fn, arg};
	if (queue_push(m->queue, p, weight_bytes + sizeof *p, NULL) != ERR_OK) {
		free(p);
		return false;
	}
	ws_loop_wake(m->loop);
	return true;
}

void mailbox_drain(struct mailbox *m)
{
	void *items[DRAIN_MAX];
	size_t n = queue_pop(m->queue, items, DRAIN_MAX, 0);
	for (size_t i = 0; i < n; i++) {
		struct post p = *(struct post *)items[i];
		free(items[i]);
		p.fn(p.arg);
	}
	if (n == DRAIN_MAX) /* sockets get their turn in between */
		ws_loop_wake(m->loop);
}
