/* shared/ws/loop.c: the context of libwebsockets, its thread, wake-ups and timers. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/ws/internal.h"

enum {
	DESCRIPTORS_SANE = 1 << 17, /* libwebsockets allocates two arrays for the whole RLIMIT_NOFILE: 16 bytes each */
};

struct ws_timer {
	lws_sorted_usec_list_t sul;
	struct lws_dll2 list;
	struct ws_loop *loop;
	void (*on_timer)(void *user);
	void *user;
};

uint64_t ws_now_ms(void)
{
	return (uint64_t)lws_now_usecs() / 1000;
}

/* Its errors are worth a line; at its other levels it names peers and their certificates. */
static void log_line(int level, const char *line)
{
	char text[256];
	text_copy(text, sizeof(text), line);
	text[strcspn(text, "\r\n")] = '\0';
	if (level & LLL_ERR)
		log_debug("ws", "libwebsockets: %s", text);
}

static pthread_once_t log_once = PTHREAD_ONCE_INIT;
static void set_log(void)
{
	lws_set_log_level(LLL_ERR, log_line);
}

/* Woken by another thread, or by the library for its own ends. */
static void on_cancelled(struct ws_loop *loop)
{
	if (atomic_exchange(&loop->woken, false)) {
		ws_resolver_deliver(loop);
		if (loop->config.on_wake)
			loop->config.on_wake(loop->config.user);
	}
	if (atomic_load(&loop->stopping) && loop->uv)
		ws_loop_uv_stop(loop);
}

static int base_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
	(void)user, (void)in, (void)size;
	switch (reason) {
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED: {
		struct ws_loop *loop = lws_context_user(lws_get_context(wsi));
		if (!loop->freeing)
			on_cancelled(loop);
		return 0; /* anything else would close the library's own pipe */
	}
	case LWS_CALLBACK_RAW_RX_FILE:
	case LWS_CALLBACK_RAW_WRITEABLE_FILE:
	case LWS_CALLBACK_RAW_CLOSE_FILE:
		return ws_fd_callback(wsi, reason);
	default:
		return 0;
	}
}

static const struct lws_protocols base_protocols[] = {
    {.name = "kedge-base", .callback = base_callback},
    {.name = NULL},
};

static void fill_info(struct lws_context_creation_info *info, struct ws_loop *loop)
{
	/* fd_limit_per_thread stays 0: anything else makes every event a linear search over all descriptors. */
	info->options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
			LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME;
	info->port = CONTEXT_PORT_NO_LISTEN;
	info->alpn = "http/1.1";
	info->timeout_secs = WS_HANDSHAKE_TIMEOUT_MS / 1000;
	info->user = loop;
	info->gid = -1; /* changes no identity */
	info->uid = -1;
	if (loop->config.libuv)
		ws_loop_uv_make(info, loop);
}

static enum err_code make_context(struct ws_loop *loop, struct err *reterr)
{
	struct lws_context_creation_info info = {0};
	fill_info(&info, loop);
	if (loop->config.libuv && !loop->uv)
		return err_set(reterr, ERR_NOMEM, "out of memory for the event loop");
	/* Without one the library makes a client's SSL_CTX for every vhost, and leaks it if two contexts live at once.
	 */
	loop->nobody = SSL_CTX_new(TLS_client_method());
	if (!loop->nobody)
		return err_set(reterr, ERR_NOMEM, "out of memory for TLS");
	loop->context = lws_create_context(&info);
	if (!loop->context)
		return err_set(reterr, ERR_UNSUPPORTED, "libwebsockets does not start%s",
		    loop->config.libuv ? " (is the package libwebsockets-evlib-uv installed?)" : "");
	struct lws_context_creation_info base = {0};
	base.options = info.options;
	base.port = CONTEXT_PORT_NO_LISTEN;
	base.vhost_name = "kedge-base";
	base.protocols = base_protocols;
	base.provided_client_ssl_ctx = loop->nobody;
	base.http_proxy_address = ""; /* else the environment's http_proxy would be obeyed */
	loop->base = lws_create_vhost(loop->context, &base);
	return loop->base ? ERR_OK : err_set(reterr, ERR_INTERNAL, "libwebsockets makes no vhost");
}

enum err_code ws_loop_new(const struct ws_loop_config *config, struct ws_loop **ret, struct err *reterr)
{
	struct rlimit limit;
	pthread_once(&log_once, set_log);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > DESCRIPTORS_SANE)
		return err_set(reterr, ERR_LIMIT,
		    "the limit of open files is %llu: set it to at most %d (LimitNOFILE=), memory is taken for all of "
		    "it",
		    (unsigned long long)limit.rlim_cur, DESCRIPTORS_SANE);
	struct ws_loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return err_set(reterr, ERR_NOMEM, "out of memory for an event loop");
	loop->config = *config;
	atomic_init(&loop->woken, false);
	atomic_init(&loop->stopping, false);
	pthread_mutex_init(&loop->waking, NULL);
	enum err_code rc = make_context(loop, reterr);
	if (rc != ERR_OK) {
		ws_loop_free(loop);
		return rc;
	}
	*ret = loop;
	return ERR_OK;
}

/* With libuv, handles close only in a running loop: begin, let it run dry, finish. */
static void destroy_context(struct ws_loop *loop)
{
	if (loop->context)
		lws_context_destroy(loop->context);
	if (!loop->uv)
		return;
	if (loop->context) {
		ws_loop_uv_run(loop);
		lws_context_destroy(loop->context);
	}
	ws_loop_uv_free(loop);
}

static void free_timers(struct ws_loop *loop)
{
	while (loop->timers.head)
		ws_timer_free(lws_container_of(loop->timers.head, struct ws_timer, list));
}

void ws_loop_free(struct ws_loop *loop)
{
	if (!loop)
		return;
	loop->freeing = true;
	ws_http_free_all(loop);
	if (loop->listening)
		ws_listener_free(loop->listening->owner);
	lws_start_foreach_dll_safe(struct lws_dll2 *, p, next, loop->channels.head)
	{
		ws_channel_close(lws_container_of(p, struct ws_channel, list));
	}
	lws_end_foreach_dll_safe(p, next);
	ws_resolver_free(loop);
	ws_watch_free_all(loop);
	free_timers(loop);
	destroy_context(loop);
	SSL_CTX_free(loop->nobody);
	pthread_mutex_destroy(&loop->waking);
	free(loop);
}

enum err_code ws_loop_run(struct ws_loop *loop, struct err *reterr)
{
	enum err_code rc = ERR_OK;
	while (!atomic_load(&loop->stopping)) {
		if (loop->uv)
			ws_loop_uv_run(loop);
		else if (lws_service(loop->context, 0) < 0) {
			rc = err_set(reterr, ERR_INTERNAL, "libwebsockets stops serving");
			break;
		}
	}
	/* Whoever stopped it may still be inside ws_loop_stop(); the caller may free the loop next. */
	pthread_mutex_lock(&loop->waking);
	atomic_store(&loop->stopping, false);
	pthread_mutex_unlock(&loop->waking);
	return rc;
}

void ws_loop_stop(struct ws_loop *loop)
{
	pthread_mutex_lock(&loop->waking);
	atomic_store(&loop->stopping, true);
	lws_cancel_service(loop->context); /* the one function of the library that other threads may call */
	pthread_mutex_unlock(&loop->waking);
}

void ws_loop_wake(struct ws_loop *loop)
{
	if (atomic_exchange(&loop->woken, true))
		return; /* one is on its way */
	pthread_mutex_lock(&loop->waking);
	lws_cancel_service(loop->context);
	pthread_mutex_unlock(&loop->waking);
}

static void timer_fires(lws_sorted_usec_list_t *sul)
{
	struct ws_timer *t = lws_container_of(sul, struct ws_timer, sul);
	t->on_timer(t->user);
}

struct ws_timer *ws_timer_new(struct ws_loop *loop, void (*on_timer)(void *user), void *user)
{
	struct ws_timer *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->loop = loop;
	t->on_timer = on_timer;
	t->user = user;
	lws_dll2_add_tail(&t->list, &loop->timers);
	return t;
}

void ws_timer_set(struct ws_timer *timer, uint64_t delay_ms)
{
	/* One microsecond at least: 0 would mean "cancel". */
	uint64_t us = delay_ms > (uint64_t)INT64_MAX / 2000 ? (uint64_t)INT64_MAX / 2 : delay_ms * 1000;
	lws_sul_schedule(timer->loop->context, 0, &timer->sul, timer_fires, us ? (lws_usec_t)us : 1);
}

void ws_timer_stop(struct ws_timer *timer)
{
	lws_sul_cancel(&timer->sul);
}

void ws_timer_free(struct ws_timer *timer)
{
	if (!timer)
		return;
	lws_sul_cancel(&timer->sul);
	lws_dll2_remove(&timer->list);
	free(timer);
}
