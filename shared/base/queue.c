/* shared/base/queue.c: a ring under one lock.  The ring starts small and doubles up to limit_count. */
#include "shared/base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { FIRST_CAPACITY = 16 };

struct slot {
	void *item;
	size_t weight;
};

struct queue {
	pthread_mutex_t lock; /* covers all below */
	pthread_cond_t there; /* an item came, or the queue was closed */
	size_t limit_count, limit_bytes;
	struct slot *ring;
	size_t capacity, first, count, bytes;
	bool closed;
};

static bool init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	if (pthread_condattr_init(&attr) != 0)
		return false;
	bool ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attr) == 0;
	pthread_condattr_destroy(&attr);
	return ok;
}

struct queue *queue_new(size_t limit_count, size_t limit_bytes)
{
	assert(limit_count > 0);
	struct queue *q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->limit_count = limit_count;
	q->limit_bytes = limit_bytes;
	if (pthread_mutex_init(&q->lock, NULL) != 0) {
		free(q);
		return NULL;
	}
	if (!init_cond(&q->there)) {
		pthread_mutex_destroy(&q->lock);
		free(q);
		return NULL;
	}
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->there);
	pthread_mutex_destroy(&q->lock);
	free(q->ring);
	free(q);
}

static bool grow(struct queue *q)
{
	size_t capacity = q->capacity ? q->capacity * 2 : FIRST_CAPACITY;
	if (capacity > q->limit_count)
		capacity = q->limit_count;
	struct slot *ring = calloc(capacity, sizeof(*ring));
	if (!ring)
		return false;
	for (size_t i = 0; i < q->count; i++)
		ring[i] = q->ring[(q->first + i) % q->capacity];
	free(q->ring);
	q->ring = ring;
	q->capacity = capacity;
	q->first = 0;
	return true;
}

static enum err_code push_locked(struct queue *q, void *item, size_t weight, struct err *reterr)
{
	if (q->closed)
		return err_set(reterr, ERR_STATE, "queue is closed");
	if (q->count == q->limit_count)
		return err_set(reterr, ERR_FULL, "queue is full: %zu items", q->count);
	/* Were the first item refused for its weight, it could never pass. */
	if (q->count > 0 && (q->bytes > q->limit_bytes || weight > q->limit_bytes - q->bytes))
		return err_set(reterr, ERR_FULL, "queue is full: %zu bytes of %zu", q->bytes, q->limit_bytes);
	if (q->count == q->capacity && !grow(q))
		return err_set(reterr, ERR_NOMEM, "no memory for a queue of %zu items", q->count + 1);
	q->ring[(q->first + q->count) % q->capacity] = (struct slot){item, weight};
	q->count++;
	q->bytes += weight;
	return ERR_OK;
}

enum err_code queue_push(struct queue *q, void *item, size_t weight_bytes, struct err *reterr)
{
	pthread_mutex_lock(&q->lock);
	enum err_code rc = push_locked(q, item, weight_bytes, reterr);
	if (rc == ERR_OK && q->count == 1)
		pthread_cond_signal(&q->there);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

static struct timespec deadline_after(int timeout_ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

static void wait_locked(struct queue *q, int timeout_ms)
{
	if (timeout_ms == 0)
		return;
	struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
	int rc = 0;
	while (q->count == 0 && !q->closed && rc != ETIMEDOUT)
		rc = timeout_ms < 0 ? pthread_cond_wait(&q->there, &q->lock)
				    : pthread_cond_timedwait(&q->there, &q->lock, &deadline);
}

size_t queue_pop(struct queue *q, void **items, size_t max, int timeout_ms)
{
	pthread_mutex_lock(&q->lock);
	wait_locked(q, timeout_ms);
	size_t n = 0;
	for (; n < max && q->count > 0; n++) {
		struct slot *slot = &q->ring[q->first];
		items[n] = slot->item;
		q->bytes -= slot->weight;
		q->first = (q->first + 1) % q->capacity;
		q->count--;
	}
	pthread_mutex_unlock(&q->lock);
	return n;
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->there);
	pthread_mutex_unlock(&q->lock);
}

bool queue_closed(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool closed = q->closed;
	pthread_mutex_unlock(&q->lock);
	return closed;
}

size_t queue_count(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	size_t count = q->count;
	pthread_mutex_unlock(&q->lock);
	return count;
}

bool queue_congested(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool congested =
	    q->count > q->limit_count - q->limit_count / 4 || q->bytes > q->limit_bytes - q->limit_bytes / 4;
	pthread_mutex_unlock(&q->lock);
	return congested;
}
