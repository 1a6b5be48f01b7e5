/* shared/ws/accept.c: listening sockets.  They are ours, not the library's: it would listen on for up to 30 s after a
 * port was closed, and turn in circles when descriptors run out. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "shared/base/log.h"
#include "shared/ws/internal.h"

enum {
	ACCEPT_AT_ONCE = 64,     /* then others have their turn */
	ACCEPT_PAUSE_MS = 200,   /* when descriptors ran out */
	DESCRIPTORS_SPARE = 256, /* for files, the store, and other ports */
	BACKLOG = 4096,
};

struct ws_accept {
	struct ws_fd *fd;
	int listening; /* the number; the descriptor is the library's to close */
	ws_accepted *on_accepted;
	void *ctx;
	struct ws_timer *pause;
	uint16_t port;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage room;
};

static void address_text(const union address *a, char out[WS_ADDRESS_MAX])
{
	char ip[INET6_ADDRSTRLEN] = "unknown";
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->v4.sin_addr, ip, sizeof(ip));
		snprintf(out, WS_ADDRESS_MAX, "%s:%u", ip, ntohs(a->v4.sin_port));
	} else if (a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr)) {
		inet_ntop(AF_INET, &a->v6.sin6_addr.s6_addr[12], ip, sizeof(ip));
		snprintf(out, WS_ADDRESS_MAX, "%s:%u", ip, ntohs(a->v6.sin6_port));
	} else if (a->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->v6.sin6_addr, ip, sizeof(ip));
		snprintf(out, WS_ADDRESS_MAX, "[%s]:%u", ip, ntohs(a->v6.sin6_port));
	} else {
		snprintf(out, WS_ADDRESS_MAX, "unknown");
	}
}

void ws_peer_address(int fd, char out[WS_ADDRESS_MAX])
{
	union address a = {0};
	socklen_t size = sizeof(a);
	if (getpeername(fd, &a.any, &size) != 0)
		a.any.sa_family = AF_UNSPEC;
	address_text(&a, out);
}

unsigned ws_descriptors_max(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * DESCRIPTORS_SPARE)
		return DESCRIPTORS_SPARE;
	return (unsigned)limit.rlim_cur - DESCRIPTORS_SPARE;
}

static void resume(void *user)
{
	struct ws_accept *a = user;
	ws_fd_reading(a->fd, true);
}

static void accept_some(void *ctx)
{
	struct ws_accept *a = ctx;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		union address peer = {0};
		socklen_t size = sizeof(peer);
		int fd = accept4(a->listening, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			/* The peer stays in the backlog, and the socket readable: wait, do not spin. */
			log_error("ws", "no connection can be accepted: %s", strerror(errno));
			ws_fd_reading(a->fd, false);
			ws_timer_set(a->pause, ACCEPT_PAUSE_MS);
			return;
		}
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd < 0)
			continue; /* it went away in the backlog */
		int on = 1;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		char address[WS_ADDRESS_MAX];
		address_text(&peer, address);
		a->on_accepted(a->ctx, fd, address);
	}
}

static void never_hangs_up(void *ctx)
{
	struct ws_accept *a = ctx;
	log_error("ws", "the listening socket of port %u was closed by the kernel", a->port);
}

static const struct ws_fd_ops accept_ops = {.on_read = accept_some, .on_hangup = never_hangs_up};

static bool address_parse(const char *text, uint16_t port, union address *ret, socklen_t *ret_size)
{
	*ret = (union address){0};
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		*ret_size = sizeof(ret->v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		*ret_size = sizeof(ret->v6);
		return true;
	}
	return false;
}

static enum err_code listen_on(const char *text, uint16_t port, int *ret_fd, uint16_t *ret_port, struct err *reterr)
{
	union address a;
	socklen_t size;
	if (!text || !address_parse(text, port, &a, &size))
		return err_set(reterr, ERR_INVALID, "\"%.60s\" is no address to listen on", text ? text : "");
	CLEANUP(cleanup_fd) int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(reterr, errno, "a listening socket");
	int on = 1; /* a restart must not wait for the old connections to be forgotten */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a.any, size) != 0 || listen(fd, BACKLOG) != 0) {
		if (errno == EADDRINUSE)
			return err_set(reterr, ERR_BUSY, "port %u of %s is taken", port, text);
		return err_sys(reterr, errno, "listening on port %u of %s", port, text);
	}
	size = sizeof(a);
	if (getsockname(fd, &a.any, &size) != 0)
		return err_sys(reterr, errno, "a listening socket");
	*ret_port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
	*ret_fd = TAKE_FD(fd);
	return ERR_OK;
}

enum err_code ws_accept_new(struct ws_loop *loop, const char *address, uint16_t port, ws_accepted *on_accepted,
    void *ctx, struct ws_accept **ret, struct err *reterr)
{
	struct ws_accept *a = calloc(1, sizeof(*a));
	if (!a || !(a->pause = ws_timer_new(loop, resume, a))) {
		free(a);
		return err_set(reterr, ERR_NOMEM, "out of memory for a listening socket");
	}
	a->on_accepted = on_accepted;
	a->ctx = ctx;
	int fd = -1;
	enum err_code rc = listen_on(address, port, &fd, &a->port, reterr);
	a->listening = fd;
	if (rc == ERR_OK)
		rc = ws_fd_add(loop, fd, &accept_ops, a, &a->fd, reterr);
	if (rc != ERR_OK) {
		ws_timer_free(a->pause);
		free(a);
		return rc;
	}
	*ret = a;
	return ERR_OK;
}

void ws_accept_free(struct ws_accept *a)
{
	if (!a)
		return;
	ws_timer_free(a->pause);
	shutdown(a->listening, SHUT_RDWR); /* the port is free at once */
	ws_fd_remove(a->fd);
	free(a);
}

uint16_t ws_accept_port(const struct ws_accept *a)
{
	return a->port;
}
