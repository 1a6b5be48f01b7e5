/* shared/ws/http.h: the port of the operators' API: HTTPS/1.1 with client certificates, requests answered now or later,
 * streams.
 *
 * The life of a request: on_request hands it over; then exactly one of these ends it, and the pointer is dead after
 * that: ws_respond, ws_stream_end (by the program)   or   on_gone (by the peer, a time-out, or the end of the loop).
 * Every answer carries Strict-Transport-Security, nosniff, no-store and the like.  Loop thread only (loop.h). */
#ifndef KEDGE_SHARED_WS_HTTP_H
#define KEDGE_SHARED_WS_HTTP_H

#include "shared/ws/listener.h"

struct ws_request;

enum ws_method { WS_GET, WS_POST, WS_PUT, WS_PATCH, WS_DELETE, WS_HEAD, WS_OPTIONS, WS_METHOD_COUNT };
const char *ws_method_text(enum ws_method method); /* "GET" */

/* A file kept in memory and served to GET and HEAD without a call to the program, to peers with a certificate (or under
 * an anonymous prefix).  Everything is borrowed for the port's life. */
struct ws_file {
	const char *path; /* exactly "/console/app.js" */
	const char *content_type;
	struct bytes content;
};

struct ws_http_config {
	struct ws_port port;
	const char *const
	    *anonymous_prefixes; /* NULL-terminated: "/a" covers "/a" and "/a/b"; everything else needs a certificate */
	const struct ws_file *files;
	size_t file_count;
	size_t body_limit_bytes;     /* 0: WS_BODY_DEFAULT; above it the library answers 413 */
	size_t stream_limit_bytes;   /* 0: WS_STREAM_DEFAULT */
	uint32_t request_timeout_ms; /* 0: WS_REQUEST_TIMEOUT_MS; the library answers 504, then on_gone.  Streams are
					exempt */
	uint32_t idle_timeout_ms;    /* 0: WS_IDLE_TIMEOUT_MS */
	uint32_t connections_max;    /* 0: as many as descriptors allow */
	void *user;
	void (*on_request)(void *user, struct ws_request *request); /* the body is whole */
	void (*on_gone)(void *user, struct ws_request *request);
	void (*on_drained)(
	    void *user, struct ws_request *request); /* a stream takes more again, after ERR_FULL; may be NULL */
	void (*on_refused)(void *user, const struct ws_refused *refused);
};

struct ws_http;

ERR_CHECK enum err_code ws_http_new(
    struct ws_loop *loop, const struct ws_http_config *config, struct ws_http **ret, struct err *reterr);
void ws_http_free(struct ws_http *http);
uint16_t ws_http_port(const struct ws_http *http);
void ws_http_set_identity(struct ws_http *http, struct tls_identity *identity);
void ws_http_set_trust(struct ws_http *http, struct tls_trust *trust);
size_t ws_http_recheck(struct ws_http *http); /* as ws_listener_recheck */

enum ws_method ws_request_method(const struct ws_request *r);
/* The path, percent-decoded once, without the query, beginning with '/', otherwise as it was sent: "/../x" and "//"
 * stay what they are, so it must never be used as a file name.  A path with %00, an encoded slash, control bytes or
 * bytes that are no UTF-8 was refused. */
const char *ws_request_path(const struct ws_request *r);
/* A query parameter's value, percent-decoded; "" if it is there without one; NULL if it is not there. */
const char *ws_request_query(const struct ws_request *r, const char *name);
size_t ws_request_query_count(const struct ws_request *r);
const char *ws_request_query_at(const struct ws_request *r, size_t i); /* "name=value" */
enum ws_header {
	WS_CONTENT_TYPE,
	WS_AUTHORIZATION,
	WS_ACCEPT,
	WS_USER_AGENT,
	WS_IF_NONE_MATCH,
	WS_LAST_EVENT_ID,
	WS_ORIGIN,
	WS_IDEMPOTENCY_KEY,
	WS_HEADER_COUNT
};
const char *ws_request_header(const struct ws_request *r, enum ws_header header); /* NULL if it is not there */
struct bytes ws_request_body(const struct ws_request *r);
const struct tls_peer *ws_request_peer(
    const struct ws_request *r); /* NULL: anonymous (only under anonymous_prefixes) */
const char *ws_request_address(const struct ws_request *r);
void ws_request_set_user(struct ws_request *r, void *user);
void *ws_request_user(const struct ws_request *r);

struct ws_extra_header {
	const char *name; /* lower case with a colon: "retry-after:" */
	const char *value;
};

/* Answers and forgets the request.  Everything is copied; a HEAD's body is left out.  What fails on the way to the peer
 * is not reported: it is gone.  status 100 to 599; content_type NULL when there is no body; headers may be NULL. */
void ws_respond(struct ws_request *r, int status, const char *content_type, const struct ws_extra_header *headers,
    size_t header_count, const void *body, size_t body_size);

/* A chunked answer of unknown length (server-sent events): begin, write any number of times, end. */
void ws_stream_begin(struct ws_request *r, int status, const char *content_type, const struct ws_extra_header *headers,
    size_t header_count);
/* ERR_FULL: nothing was taken; wait for on_drained, or end it. */
ERR_CHECK enum err_code ws_stream_write(struct ws_request *r, const void *data, size_t size_bytes, struct err *reterr);
void ws_stream_end(struct ws_request *r); /* what is queued still goes out; the request is dead after it */

#endif
