/* tests/lib/wsrig/rig.c: the loop's thread, the record, the ready-made ports. */
#include "tests/lib/wsrig/rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/slowness.h"

enum { LINES_MAX = 20000, LINE_MAX_BYTES = 200, PATIENCE_S = 20 };

struct rig {
	struct ws_loop *loop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char (*lines)[LINE_MAX_BYTES];
	unsigned line_count;
	void (*fn)(void *arg); /* to be called on the loop's thread */
	void *arg;
	bool libuv, ready;
	struct ws_listener *listener;
	struct ws_conn *last;
};

static struct pki_authority *root, *issuing, *foreign;
static struct tls_trust *trust;
static struct tls_identity *controller;

static void fail(const char *what)
{
	fprintf(stderr, "rig: %s\n", what);
	abort();
}

static void free_authorities(void)
{
	tls_identity_free(controller);
	tls_trust_free(trust);
	pki_authority_free(foreign);
	pki_authority_free(issuing);
	pki_authority_free(root);
}

static void make_authorities(void)
{
	root = pki_authority_new("root", NULL);
	issuing = pki_authority_new("issuing", root);
	foreign = pki_authority_new("root", NULL);
	trust = pki_trust(root);
	controller = pki_identity(issuing, &(struct pki_spec){.role = TLS_ROLE_CONTROLLER, .name = "c1"});
	atexit(free_authorities);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
const struct pki_authority *rig_root(void)
{
	pthread_once(&once, make_authorities);
	return root;
}

const struct pki_authority *rig_issuing(void)
{
	pthread_once(&once, make_authorities);
	return issuing;
}

const struct pki_authority *rig_foreign(void)
{
	pthread_once(&once, make_authorities);
	return foreign;
}

struct tls_trust *rig_trust(void)
{
	pthread_once(&once, make_authorities);
	return trust;
}

struct tls_identity *rig_controller(void)
{
	pthread_once(&once, make_authorities);
	return controller;
}

static void on_wake(void *user)
{
	struct rig *r = user;
	pthread_mutex_lock(&r->lock);
	void (*fn)(void *) = r->fn;
	pthread_mutex_unlock(&r->lock);
	if (!fn)
		return;
	fn(r->arg);
	pthread_mutex_lock(&r->lock);
	r->fn = NULL;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void *run(void *arg)
{
	struct rig *r = arg;
	struct err e = ERR_INIT;
	struct ws_loop_config config = {.libuv = r->libuv, .user = r, .on_wake = on_wake};
	struct ws_loop *loop;
	if (ws_loop_new(&config, &loop, &e) != ERR_OK)
		fail(e.msg);
	pthread_mutex_lock(&r->lock);
	r->loop = loop;
	r->ready = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (ws_loop_run(loop, &e) != ERR_OK)
		fail(e.msg);
	ws_loop_free(loop);
	return NULL;
}

struct rig *rig_new(bool libuv)
{
	struct rig *r = calloc(1, sizeof(*r));
	signal(SIGPIPE, SIG_IGN);
	if (!r || !(r->lines = calloc(LINES_MAX, LINE_MAX_BYTES)))
		fail("out of memory");
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	r->libuv = libuv;
	pthread_mutex_lock(&r->lock);
	if (pthread_create(&r->thread, NULL, run, r) != 0)
		fail("no thread");
	while (!r->ready)
		pthread_cond_wait(&r->changed, &r->lock);
	pthread_mutex_unlock(&r->lock);
	return r;
}

void rig_free(struct rig *r)
{
	ws_loop_stop(r->loop);
	pthread_join(r->thread, NULL);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r->lines);
	free(r);
}

struct ws_loop *rig_loop(struct rig *r)
{
	return r->loop;
}

static struct timespec patience(void)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S * SLOWNESS;
	return until;
}

void rig_call(struct rig *r, void (*fn)(void *arg), void *arg)
{
	struct timespec until = patience();
	pthread_mutex_lock(&r->lock);
	r->fn = fn;
	r->arg = arg;
	ws_loop_wake(r->loop);
	while (r->fn) {
		if (pthread_cond_timedwait(&r->changed, &r->lock, &until) != 0)
			fail("the loop does not answer");
	}
	pthread_mutex_unlock(&r->lock);
}

void rig_note(struct rig *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&r->lock);
	if (r->line_count == LINES_MAX)
		fail("too many lines");
	vsnprintf(r->lines[r->line_count++], LINE_MAX_BYTES, fmt, ap);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	va_end(ap);
}

static unsigned count_locked(struct rig *r, const char *prefix, const char **ret_first)
{
	unsigned n = 0;
	for (unsigned i = 0; i < r->line_count; i++) {
		if (strncmp(r->lines[i], prefix, strlen(prefix)) != 0)
			continue;
		if (n++ == 0 && ret_first)
			*ret_first = r->lines[i];
	}
	return n;
}

unsigned rig_count(struct rig *r, const char *prefix)
{
	pthread_mutex_lock(&r->lock);
	unsigned n = count_locked(r, prefix, NULL);
	pthread_mutex_unlock(&r->lock);
	return n;
}

static void show_locked(struct rig *r)
{
	unsigned from = r->line_count > 40 ? r->line_count - 40 : 0;
	for (unsigned i = from; i < r->line_count; i++)
		fprintf(stderr, "  %u: %s\n", i, r->lines[i]);
}

void rig_show(struct rig *r)
{
	pthread_mutex_lock(&r->lock);
	show_locked(r);
	pthread_mutex_unlock(&r->lock);
}

static void wait_for(struct rig *r, const char *prefix, unsigned count, char *out, size_t size)
{
	struct timespec until = patience();
	const char *first = "";
	pthread_mutex_lock(&r->lock);
	while (count_locked(r, prefix, &first) < count) {
		if (pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
			continue;
		fprintf(stderr, "rig: waited for %u x \"%s\", got %u; the record:\n", count, prefix,
		    count_locked(r, prefix, NULL));
		show_locked(r);
		abort();
	}
	if (out)
		snprintf(out, size, "%s", first);
	pthread_mutex_unlock(&r->lock);
}

void rig_expect(struct rig *r, const char *prefix, char *out, size_t size)
{
	wait_for(r, prefix, 1, out, size);
}

void rig_expect_count(struct rig *r, const char *prefix, unsigned count)
{
	wait_for(r, prefix, count, NULL, 0);
}

void rig_forget(struct rig *r)
{
	pthread_mutex_lock(&r->lock);
	r->line_count = 0;
	pthread_mutex_unlock(&r->lock);
}

/* ---- a listener ---- */

static void on_open(void *user, struct ws_conn *conn)
{
	struct rig *r = user;
	r->last = conn;
	rig_note(r, "open %s", ws_peer(conn)->name);
}

static void on_message(void *user, struct ws_conn *conn, struct bytes m)
{
	(void)conn;
	rig_note(user, "message %zu %c", m.size, m.size ? m.data[0] : '-');
}

static void on_drained(void *user, struct ws_conn *conn)
{
	(void)conn;
	rig_note(user, "drained");
}

static void on_closed(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	struct rig *r = user;
	if (r->last == conn)
		r->last = NULL;
	rig_note(r, "closed %s %u %s", ws_end_word(ended->end), ended->close_code, ended->detail);
}

static void on_refused(void *user, const struct ws_refused *refused)
{
	rig_note(user, "refused %s %s %s %s", tls_verdict_word(refused->reason),
	    refused->peer ? refused->peer->name : "-",
	    strncmp(refused->address, "127.0.0.1:", 10) == 0 ? "local" : refused->address, refused->detail);
}

struct listen_args {
	struct rig *r;
	void (*change)(struct ws_listener_config *);
	uint16_t port;
};

static void listen_here(void *arg)
{
	struct listen_args *a = arg;
	struct err e = ERR_INIT;
	struct ws_listener_config config = {
	    .port = {.address = "127.0.0.1",
		.port = a->port,
		.identity = rig_controller(),
		.trust = rig_trust(),
		.domain = PKI_DOMAIN,
		.roles = TLS_ROLE_BIT(TLS_ROLE_HOST)},
	    .subprotocol = RIG_PROTOCOL,
	    .user = a->r,
	    .on_open = on_open,
	    .on_message = on_message,
	    .on_drained = on_drained,
	    .on_closed = on_closed,
	    .on_refused = on_refused,
	};
	if (a->change)
		a->change(&config);
	if (ws_listener_new(a->r->loop, &config, &a->r->listener, &e) != ERR_OK)
		fail(e.msg);
}

struct ws_listener *rig_listen(struct rig *r, void (*change)(struct ws_listener_config *), uint16_t port)
{
	struct listen_args a = {r, change, port};
	rig_call(r, listen_here, &a);
	return r->listener;
}

uint16_t rig_port(struct rig *r)
{
	return ws_listener_port(r->listener);
}

struct ws_conn *rig_last(struct rig *r)
{
	return r->last;
}

/* ---- a dialer ---- */

static void on_up(void *user, struct ws_conn *conn)
{
	rig_note(user, "up %s", ws_peer(conn)->name);
}

static void on_got(void *user, struct ws_conn *conn, struct bytes m)
{
	(void)conn;
	rig_note(user, "got %zu %c", m.size, m.size ? m.data[0] : '-');
}

static void on_flowing(void *user, struct ws_conn *conn)
{
	(void)conn;
	rig_note(user, "flowing");
}

static void on_down(void *user, struct ws_conn *conn, const struct ws_ended *ended)
{
	(void)conn;
	rig_note(user, "down %s %s %d %s", ws_end_word(ended->end), tls_verdict_word(ended->verdict),
	    ended->http_status ? ended->http_status : ended->close_code, ended->detail);
}

struct dial_args {
	struct rig *r;
	const struct pki_spec *who;
	void (*change)(struct ws_dialer_config *);
	struct ws_dialer *dialer;
	const char *url;
	struct ws_conn *conn;
};

static void make_dialer(void *arg)
{
	struct dial_args *a = arg;
	struct err e = ERR_INIT;
	struct tls_identity *identity = pki_identity(rig_issuing(), a->who);
	struct ws_dialer_config config = {
	    .identity = identity,
	    .trust = rig_trust(),
	    .domain = PKI_DOMAIN,
	    .controller = "c1",
	    .subprotocol = RIG_PROTOCOL,
	    .user = a->r,
	    .on_open = on_up,
	    .on_message = on_got,
	    .on_drained = on_flowing,
	    .on_ended = on_down,
	};
	if (a->change)
		a->change(&config);
	if (ws_dialer_new(a->r->loop, &config, &a->dialer, &e) != ERR_OK)
		fail(e.msg);
	tls_identity_free(identity);
}

struct ws_dialer *rig_dialer(struct rig *r, const struct pki_spec *who, void (*change)(struct ws_dialer_config *))
{
	struct dial_args a = {.r = r, .who = who, .change = change};
	rig_call(r, make_dialer, &a);
	return a.dialer;
}

static void connect_here(void *arg)
{
	struct dial_args *a = arg;
	struct err e = ERR_INIT;
	if (ws_connect(a->dialer, a->url, NULL, &a->conn, &e) != ERR_OK)
		fail(e.msg);
}

struct ws_conn *rig_connect(struct rig *r, struct ws_dialer *d, const char *url)
{
	struct dial_args a = {.r = r, .dialer = d, .url = url};
	rig_call(r, connect_here, &a);
	return a.conn;
}

struct ws_conn *rig_connect_port(struct rig *r, struct ws_dialer *d, uint16_t port)
{
	char url[64];
	snprintf(url, sizeof(url), "wss://127.0.0.1:%u/", port);
	return rig_connect(r, d, url);
}
