/* shared/ws/resolve.c: names to addresses, on threads of their own: the system's resolver blocks, and cannot be
 * interrupted.
 *
 * A lookup that is cancelled is forgotten by the loop; its thread ends by itself when the resolver answers.  What both
 * share is counted and locked. */
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/ws/internal.h"

enum { LOOKUPS_MAX = 4 /* threads, the abandoned ones included: a resolver that hangs must not collect them */ };

struct ws_lookup {
	struct ws_lookup *next; /* in the resolver */
	void (*on_done)(void *ctx, const struct ws_addresses *);
	void *ctx;
	char host[WS_HOST_MAX];
	struct ws_addresses result;
	bool done, cancelled;
};

struct ws_resolver {
	pthread_mutex_t lock;
	struct ws_loop *loop; /* NULL: the loop is gone */
	struct ws_lookup *lookups;
	unsigned threads; /* each holds one reference to the resolver */
	unsigned references;
};

static void release(struct ws_resolver *r) /* under the lock, and drops it */
{
	bool last = --r->references == 0;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	while (r->lookups) {
		struct ws_lookup *next = r->lookups->next;
		free(r->lookups);
		r->lookups = next;
	}
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void look_up(const char *host, struct ws_addresses *ret)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
	int failed = getaddrinfo(host, NULL, &hints, &list);
	if (failed)
		snprintf(ret->error, sizeof(ret->error), "%.200s: %s", host, gai_strerror(failed));
	for (struct addrinfo *a = list; a && ret->count < WS_ADDRESSES_MAX; a = a->ai_next) {
		char *out = ret->text[ret->count];
		if (getnameinfo(a->ai_addr, a->ai_addrlen, out, WS_ADDRESS_MAX, NULL, 0, NI_NUMERICHOST) == 0)
			ret->count++;
	}
	if (list)
		freeaddrinfo(list);
	if (!failed && ret->count == 0)
		snprintf(ret->error, sizeof(ret->error), "%.200s has no address", host);
}

struct job {
	struct ws_resolver *resolver;
	struct ws_lookup *lookup;
};

static void *run(void *arg)
{
	struct job *job = arg;
	struct ws_resolver *r = job->resolver;
	struct ws_addresses found = {0};
	char host[WS_HOST_MAX];
	pthread_mutex_lock(&r->lock);
	memcpy(host, job->lookup->host, sizeof(host));
	pthread_mutex_unlock(&r->lock);
	look_up(host, &found);
	pthread_mutex_lock(&r->lock);
	job->lookup->result = found;
	job->lookup->done = true;
	r->threads--;
	if (r->loop)
		ws_loop_wake(r->loop); /* under the lock: the loop cannot go away meanwhile */
	release(r);
	free(job);
	return NULL;
}

static struct ws_resolver *resolver_of(struct ws_loop *loop)
{
	struct ws_resolver *r = loop->resolver;
	if (!r && (r = calloc(1, sizeof(*r)))) {
		pthread_mutex_init(&r->lock, NULL);
		r->loop = loop;
		r->references = 1;
		loop->resolver = r;
	}
	return r;
}

static enum err_code start_thread(struct ws_resolver *r, struct ws_lookup *lookup, struct err *reterr)
{
	struct job *job = malloc(sizeof(*job));
	pthread_t thread;
	if (!job)
		return err_set(reterr, ERR_NOMEM, "out of memory for a lookup");
	*job = (struct job){r, lookup};
	int failed = pthread_create(&thread, NULL, run, job);
	if (failed) {
		free(job);
		return err_sys(reterr, failed, "a thread for a lookup");
	}
	pthread_detach(thread);
	return ERR_OK;
}

enum err_code ws_lookup_start(struct ws_loop *loop, const char *host,
    void (*on_done)(void *ctx, const struct ws_addresses *), void *ctx, struct ws_lookup **ret, struct err *reterr)
{
	struct ws_resolver *r = resolver_of(loop);
	struct ws_lookup *lookup = calloc(1, sizeof(*lookup));
	if (!r || !lookup) {
		free(lookup);
		return err_set(reterr, ERR_NOMEM, "out of memory for a lookup");
	}
	text_copy(lookup->host, sizeof(lookup->host), host);
	lookup->on_done = on_done;
	lookup->ctx = ctx;
	pthread_mutex_lock(&r->lock);
	enum err_code rc =
	    r->threads >= LOOKUPS_MAX
		? err_set(reterr, ERR_BUSY, "the resolver has not answered %d earlier questions", LOOKUPS_MAX)
		: start_thread(r, lookup, reterr);
	if (rc == ERR_OK) {
		lookup->next = r->lookups;
		r->lookups = lookup;
		r->threads++;
		r->references++;
	}
	pthread_mutex_unlock(&r->lock);
	if (rc != ERR_OK)
		free(lookup);
	else
		*ret = lookup;
	return rc;
}

void ws_lookup_cancel(struct ws_lookup *lookup)
{
	if (lookup)
		lookup->cancelled = true; /* only the loop reads it */
}

static struct ws_lookup *take_done(struct ws_resolver *r)
{
	struct ws_lookup *found = NULL;
	pthread_mutex_lock(&r->lock);
	for (struct ws_lookup **p = &r->lookups; *p; p = &(*p)->next) {
		if ((*p)->done) {
			found = *p;
			*p = found->next;
			break;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

void ws_resolver_deliver(struct ws_loop *loop)
{
	struct ws_lookup *lookup;
	while (loop->resolver && (lookup = take_done(loop->resolver))) {
		if (!lookup->cancelled)
			lookup->on_done(lookup->ctx, &lookup->result);
		free(lookup);
	}
}

/* Lookups that are under way end by themselves; the last thread frees what is left. */
void ws_resolver_free(struct ws_loop *loop)
{
	struct ws_resolver *r = loop->resolver;
	if (!r)
		return;
	loop->resolver = NULL;
	pthread_mutex_lock(&r->lock);
	r->loop = NULL;
	release(r);
}
