#include "agent/probe/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/text.h"

enum { STACK_BYTES = 256 << 10 };

/* Shared by the asker and its thread; the last one frees it. */
struct question {
	char host[256], port[8];
	struct resolved answer;
	int ready; /* eventfd, wakes the asker */
	atomic_bool answered;
	atomic_int owners;
};

struct resolution {
	struct question *question;
	struct loop_fd *watch;
	void (*done)(void *ctx, const struct resolved *r);
	void *ctx;
};

static atomic_int threads;

static void keep(struct resolved *ret, const struct addrinfo *list)
{
	for (; list && ret->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
		if (list->ai_addrlen > sizeof ret->address[0])
			continue;
		memcpy(&ret->address[ret->count], list->ai_addr, list->ai_addrlen);
		ret->size[ret->count++] = list->ai_addrlen;
	}
}

static void look_up(const char *host, const char *port, int flags, struct resolved *ret)
{
	struct addrinfo *list = NULL;
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	int rc = getaddrinfo(host, port, &hints, &list);
	if (rc == 0) {
		keep(ret, list);
		freeaddrinfo(list);
	}
	if (ret->count == 0)
		(void)text_format(ret->problem, sizeof ret->problem, "cannot resolve %.60s: %s", host,
		    rc ? gai_strerror(rc) : "no address");
}

static bool unix_path(const char *path, struct resolved *ret)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof un.sun_path) {
		(void)text_format(ret->problem, sizeof ret->problem, "the socket's path is too long");
		return true;
	}
	memcpy(un.sun_path, path, strlen(path) + 1);
	memcpy(&ret->address[0], &un, sizeof un);
	ret->size[0] = sizeof un;
	ret->count = 1;
	return true;
}

bool resolve_now(const char *host, const char *port, struct resolved *ret)
{
	*ret = (struct resolved){0};
	if (host[0] == '/')
		return unix_path(host, ret);
	if (strcmp(host, "localhost") == 0) { /* both families, whatever /etc/hosts says */
		look_up("127.0.0.1", port, AI_NUMERICHOST, ret);
		look_up("::1", port, AI_NUMERICHOST, ret);
		return true;
	}
	look_up(host, port, AI_NUMERICHOST, ret);
	return ret->count > 0;
}

static void let_go(struct question *q)
{
	if (atomic_fetch_sub(&q->owners, 1) != 1)
		return;
	close(q->ready);
	free(q);
}

static void *answer(void *arg)
{
	struct question *q = arg;
	uint64_t one = 1;
	look_up(q->host, q->port, 0, &q->answer);
	atomic_store(&q->answered, true);
	ssize_t n = write(q->ready, &one, sizeof one);
	(void)n;
	let_go(q);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

static void on_ready(void *ctx, unsigned events)
{
	struct resolution *r = ctx;
	(void)events;
	if (!atomic_load(&r->question->answered))
		return;
	struct resolved answer_copy = r->question->answer;
	void (*done)(void *, const struct resolved *) = r->done;
	void *done_ctx = r->ctx;
	resolve_cancel(r);
	done(done_ctx, &answer_copy);
}

static enum err_code start_thread(struct question *q, struct err *reterr)
{
	pthread_t thread;
	pthread_attr_t attributes;
	if (atomic_fetch_add(&threads, 1) >= RESOLVE_THREADS_MAX) {
		atomic_fetch_sub(&threads, 1);
		return err_set(reterr, ERR_BUSY, "%d name lookups hang already", RESOLVE_THREADS_MAX);
	}
	atomic_fetch_add(&q->owners, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int rc = pthread_create(&thread, &attributes, answer, q);
	pthread_attr_destroy(&attributes);
	if (rc == 0)
		return ERR_OK;
	atomic_fetch_sub(&threads, 1);
	atomic_fetch_sub(&q->owners, 1);
	return err_sys(reterr, rc, "cannot start a name lookup");
}

enum err_code resolve_start(struct loop *l, const char *host, const char *port,
    void (*done)(void *ctx, const struct resolved *r), void *ctx, struct resolution **ret, struct err *reterr)
{
	struct resolution *r = calloc(1, sizeof *r);
	struct question *q = calloc(1, sizeof *q);
	if (!r || !q) {
		free(r);
		free(q);
		return err_set(reterr, ERR_NOMEM, "no memory for a name lookup");
	}
	*r = (struct resolution){.question = q, .done = done, .ctx = ctx};
	text_copy(q->host, sizeof q->host, host);
	text_copy(q->port, sizeof q->port, port);
	atomic_init(&q->owners, 1);
	q->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	enum err_code rc = q->ready < 0 ? err_sys(reterr, errno, "cannot start a name lookup") : ERR_OK;
	if (rc == ERR_OK)
		rc = loop_add_fd(l, q->ready, LOOP_READ, on_ready, r, &r->watch, reterr);
	if (rc == ERR_OK)
		rc = start_thread(q, reterr);
	if (rc != ERR_OK) {
		resolve_cancel(r);
		return rc;
	}
	*ret = r;
	return ERR_OK;
}

void resolve_cancel(struct resolution *r)
{
	if (!r)
		return;
	loop_remove_fd(r->watch);
	let_go(r->question);
	free(r);
}
