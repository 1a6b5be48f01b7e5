/* shared/ws/http_head.h: a request's line and headers (RFC 9112), strictly.  Pure.
 *
 * What is ambiguous is refused, because an ambiguity is what request smuggling needs: bare line feeds, folded lines,
 * two lengths, a transfer coding, a space before a colon, a second Host. */
#ifndef KEDGE_SHARED_WS_HTTP_HEAD_H
#define KEDGE_SHARED_WS_HTTP_HEAD_H

#include "shared/ws/http.h"

enum http_result { HTTP_INCOMPLETE, HTTP_READY, HTTP_BAD };

struct http_head {
	enum ws_method method;
	const char *path; /* all strings point into room */
	unsigned query_count;
	const char *query[WS_QUERY_MAX];
	const char *header[WS_HEADER_COUNT];
	uint64_t content_length; /* 0 if there is none */
	bool http10, keep_alive, expects_continue;
	size_t room_used;
	char room[WS_HEAD_MAX];
};

/* HTTP_READY: ret is filled and *ret_used bytes of data belong to it.  HTTP_BAD: *ret_status is the answer, and nothing
 * after it can be believed.  HTTP_INCOMPLETE: come again with more. */
enum http_result http_head_parse(
    const void *data, size_t size, struct http_head *ret, size_t *ret_used, int *ret_status);

/* Does the path lie under one of the prefixes (NULL-terminated, may be NULL)?  "/a" covers "/a" and "/a/b" but not
 * "/ab"; a path with a
 * "." or ".." segment lies under none. */
bool http_path_under(const char *path, const char *const *prefixes);

#endif
