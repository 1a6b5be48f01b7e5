/* shared/http/http.h: ask an HTTPS server, or hand a mail to an SMTP server.  The only folder that sees libcurl.
 *
 * Blocking, with a deadline; any thread, one call at a time on one struct http_client (it keeps its connection).
 * Redirects are never followed, only http, https, smtp and smtps are spoken, the answer is bounded, and only the given
 * authorities are believed where they are given.  Nothing of a body is ever logged here. */
#ifndef KEDGE_SHARED_HTTP_HTTP_H
#define KEDGE_SHARED_HTTP_HTTP_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum {
	HTTP_ANSWER_MAX = 32 << 20, /* a page of a thousand records with their evidence */
	HTTP_TIMEOUT_MS = 30 * 1000,
	HTTP_CONNECT_TIMEOUT_MS = 5 * 1000,
	HTTP_HEADERS_MAX = 16,
	HTTP_UPLOAD_PIECE = 256 << 10, /* of a body that is read as it is sent */
	HTTP_ALERT_MS = 1000,          /* for a server to say why it ended a connection */
};

struct http_options {
	const char *authority;   /* PEM file of the only authorities believed; NULL: the system's */
	const char *certificate; /* PEM files of our own identity, or NULL */
	const char *key;
	const char
	    *peer_uri; /* URI that the server's certificate must carry ("spiffe://…/controller/main"); the name check of
			* the host is then off: it is this one that counts.  NULL: the usual name check */
	uint32_t timeout_ms; /* 0: HTTP_TIMEOUT_MS */
};

struct http_client;
ERR_CHECK enum err_code http_client_new(const struct http_options *o, struct http_client **ret, struct err *reterr);
void http_client_free(struct http_client *c); /* NULL is a no-op */

struct http_request {
	const char *method; /* "GET", "POST", … */
	const char *url;
	const char *const *headers; /* "name: value", NULL-ended, or NULL */
	const void *body;
	size_t body_size;
	/* A stream (server-sent events): called with each piece as it comes; false ends the call with ERR_CANCELLED.
	 * The deadline is then for silence, not for the whole.  NULL: the answer is collected. */
	bool (*on_data)(void *ctx, const char *data, size_t size);
	/* A body too large for memory: called for up to size of the body_size bytes, from offset on (again from an
	 * earlier one when the connection broke before an answer); returns how many it gave, 0 to end the call.  The
	 * deadline is then for silence.  NULL: body. */
	size_t (*read_body)(void *ctx, uint64_t offset, char *out, size_t size);
	/* Each header line of the answer without its line end, before any data; may be NULL. */
	void (*on_header)(void *ctx, long status, const char *line, size_t size);
	void *ctx;
	size_t answer_max;       /* an answer that is collected: ERR_LIMIT beyond; 0: HTTP_ANSWER_MAX */
	const atomic_bool *stop; /* once it is true the call ends within a second or so, ERR_CANCELLED; may be NULL */
};
struct http_answer {
	long status;
	struct buf body; /* the caller's: buf_done */
};
/* ERR_UNREACHABLE (no connection, or it broke before an answer), ERR_DENIED (TLS: one side refused the other's
 * certificate), ERR_TIMEOUT, ERR_LIMIT, ERR_CANCELLED.  Any HTTP status is ERR_OK. */
ERR_CHECK enum err_code http_ask(
    struct http_client *c, const struct http_request *r, struct http_answer *ret, struct err *reterr);

struct mail {
	const char *url;             /* smtp://host:port or smtps://… */
	const char *user, *password; /* or NULL */
	const char *from, *to;
	const struct buf *message; /* headers and body, CRLF lines */
};
/* ERR_OK: the server took it. */
ERR_CHECK enum err_code http_mail(struct http_client *c, const struct mail *m, struct err *reterr);

#endif
