/* agent/probe/http.h: as much HTTP/1.1 as a health check needs (RFC 9112).
 * Pure: bytes in, state out; bounded by PROBE_HEAD_MAX and PROBE_BODY_MAX.  Fuzzed. */
#ifndef KEDGE_AGENT_PROBE_HTTP_H
#define KEDGE_AGENT_PROBE_HTTP_H

#include <stdbool.h>

#include "agent/probe/limits.h"
#include "shared/base/buf.h"
#include "shared/base/err.h"

enum { HTTP_HOST_MAX = 256, HTTP_PATH_MAX = 2048 };

struct http_url {
	bool tls;
	char host[HTTP_HOST_MAX]; /* without brackets */
	char port[8];
	char path[HTTP_PATH_MAX];           /* with query, begins with / */
	char authority[HTTP_HOST_MAX + 16]; /* for the Host field */
};
/* http:// and https:// only; user names are refused.  ERR_INVALID says why. */
ERR_CHECK enum err_code http_url_parse(const char *url, struct http_url *ret, struct err *reterr);
/* "host:port", "[v6]:port" into two; ERR_INVALID. */
ERR_CHECK enum err_code http_address_parse(
    const char *address, char host[HTTP_HOST_MAX], char port[8], struct err *reterr);
/* GET, Connection: close.  host_header NULL: the URL's. */
void http_request(const struct http_url *url, const char *host_header, struct buf *out);

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_DONE, HTTP_BAD };
struct http_response {
	enum http_state state;
	unsigned status;
	struct buf head, body;
	bool chunked, cut; /* cut: the body was longer than PROBE_BODY_MAX; the rest was not wanted */
	bool has_length;
	uint64_t left; /* of the body, or of this chunk */
	int chunk_step;
	char problem[64]; /* HTTP_BAD: why */
};
void http_response_init(struct http_response *r);
void http_response_done(struct http_response *r);
enum http_state http_response_feed(struct http_response *r, const void *data, size_t size);
enum http_state http_response_end(struct http_response *r); /* the peer closed */

#endif
