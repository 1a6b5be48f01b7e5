/* shared/ws/fd.c: descriptors that the loop watches: its own listening sockets and HTTP connections, and the program's
 * (ws_watch). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "shared/ws/internal.h"

struct ws_fd {
	struct ws_loop *loop;
	struct lws *wsi;
	const struct ws_fd_ops *ops;
	void *ctx;
	lws_sorted_usec_list_t rearm;
};

struct ws_watch {
	struct ws_fd *fd;
	struct lws_dll2 list;
	void (*on_ready)(void *user);
	void *user;
};

enum err_code ws_fd_add(
    struct ws_loop *loop, int fd, const struct ws_fd_ops *ops, void *ctx, struct ws_fd **ret, struct err *reterr)
{
	struct ws_fd *f = calloc(1, sizeof(*f));
	if (!f) {
		close(fd);
		return err_set(reterr, ERR_NOMEM, "out of memory for a descriptor");
	}
	lws_sock_file_fd_type desc = {.filefd = fd};
	f->loop = loop;
	f->ops = ops;
	f->ctx = ctx;
	f->wsi = lws_adopt_descriptor_vhost(loop->base, LWS_ADOPT_RAW_FILE_DESC, desc, "kedge-base", NULL);
	if (!f->wsi) {
		free(f);
		close(fd);
		return err_set(reterr, ERR_LIMIT, "libwebsockets does not take a descriptor: too many are open");
	}
	lws_set_opaque_user_data(f->wsi, f);
	*ret = f;
	return ERR_OK;
}

static void rearm(lws_sorted_usec_list_t *sul)
{
	struct ws_fd *f = lws_container_of(sul, struct ws_fd, rearm);
	lws_callback_on_writable(f->wsi);
}

void ws_fd_want_write(struct ws_fd *f)
{
	/* For descriptors the library forgets what is asked for during its writable callback: ask right after it. */
	lws_sul_schedule(f->loop->context, 0, &f->rearm, rearm, 1);
}

void ws_fd_reading(struct ws_fd *f, bool on)
{
	lws_rx_flow_control(f->wsi, on);
}

/* The library closes the descriptor with its own end of it, before it waits again. */
void ws_fd_remove(struct ws_fd *f)
{
	if (!f)
		return;
	lws_sul_cancel(&f->rearm);
	if (f->wsi) {
		lws_set_opaque_user_data(f->wsi, NULL);
		lws_set_timeout(f->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	}
	free(f);
}

int ws_fd_callback(struct lws *wsi, enum lws_callback_reasons reason)
{
	struct ws_fd *f = lws_get_opaque_user_data(wsi);
	if (!f)
		return -1;
	switch (reason) {
	case LWS_CALLBACK_RAW_RX_FILE:
		f->ops->on_read(f->ctx);
		return lws_get_opaque_user_data(wsi) ? 0 : -1;
	case LWS_CALLBACK_RAW_WRITEABLE_FILE:
		f->ops->on_write(f->ctx);
		return lws_get_opaque_user_data(wsi) ? 0 : -1;
	default: /* the library closes it */
		f->wsi = NULL;
		lws_sul_cancel(&f->rearm);
		lws_set_opaque_user_data(wsi, NULL);
		f->ops->on_hangup(f->ctx);
		return 0;
	}
}

static void watch_ready(void *ctx)
{
	struct ws_watch *w = ctx;
	w->on_ready(w->user);
}

static const struct ws_fd_ops watch_ops = {.on_read = watch_ready, .on_hangup = watch_ready};

enum err_code ws_watch_new(
    struct ws_loop *loop, int fd, void (*on_ready)(void *user), void *user, struct ws_watch **ret, struct err *reterr)
{
	struct ws_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(reterr, ERR_NOMEM, "out of memory for a watch");
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the library closes what it is given; this one is the caller's */
	if (own < 0) {
		free(w);
		return err_sys(reterr, errno, "watching a descriptor");
	}
	w->on_ready = on_ready;
	w->user = user;
	enum err_code rc = ws_fd_add(loop, own, &watch_ops, w, &w->fd, reterr);
	if (rc != ERR_OK) {
		free(w);
		return rc;
	}
	lws_dll2_add_tail(&w->list, &loop->watches);
	*ret = w;
	return ERR_OK;
}

void ws_watch_free(struct ws_watch *watch)
{
	if (!watch)
		return;
	ws_fd_remove(watch->fd);
	lws_dll2_remove(&watch->list);
	free(watch);
}

void ws_watch_free_all(struct ws_loop *loop)
{
	while (loop->watches.head)
		ws_watch_free(lws_container_of(loop->watches.head, struct ws_watch, list));
}
