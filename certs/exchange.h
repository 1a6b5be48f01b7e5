/* certs/exchange.h: one POST to a controller's port, and its answer.
 *
 * For a host that has no identity yet.  kedge_http would do, but it brings libcurl and the thirty libraries behind it
 * into the agent: 4 MiB of memory in each of its processes for a request that is made once in a host's life. Blocking,
 * with one deadline over all of it; any thread.  exchange_parse and exchange_url are pure. */
#ifndef KEDGE_CERTS_EXCHANGE_H
#define KEDGE_CERTS_EXCHANGE_H

#include "certs/limits.h"
#include "shared/tls/context.h"

struct exchange_url {
	char host[EXCHANGE_HOST_MAX]; /* without brackets */
	char port[8];
};
/* "https://host:port", "https://[v6]:port", nothing behind it but one '/'; the port is 443 unless said. */
ERR_CHECK enum err_code exchange_url(const char *text, struct exchange_url *ret, struct err *reterr);

struct exchange_answer {
	int status;
	struct bytes body; /* within what was parsed */
};
/* An HTTP/1.1 answer with a Content-Length, or one that lasts until the connection ends.  ended: nothing more comes.
 * *ret_whole false: read on.  ERR_INVALID, ERR_LIMIT, ERR_UNSUPPORTED (a transfer encoding). */
ERR_CHECK enum err_code exchange_parse(
    const void *data, size_t size, bool ended, struct exchange_answer *ret, bool *ret_whole, struct err *reterr);

struct exchange {
	const char *url, *path;
	struct tls_context *tls; /* a client's: whom it believes */
	const char *body;        /* JSON */
	uint32_t timeout_ms;
};
/* The whole answer, head and all, goes to out; *ret points into it.  ERR_UNREACHABLE, ERR_TIMEOUT, ERR_DENIED (the
 * server's certificate, or it refused us), and what exchange_parse says.  Any status is ERR_OK. */
ERR_CHECK enum err_code exchange_post(
    const struct exchange *x, struct buf *out, struct exchange_answer *ret, struct err *reterr);

#endif
