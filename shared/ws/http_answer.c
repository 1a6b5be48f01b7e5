/* shared/ws/http_answer.c: answers: their heads, whole bodies, chunks. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/text.h"
#include "shared/ws/http_internal.h"

/* What every answer carries unless the program says otherwise under the same name. */
static const struct ws_extra_header standing[] = {
    {"strict-transport-security:", "max-age=31536000"},
    {"x-content-type-options:", "nosniff"},
    {"x-frame-options:", "DENY"},
    {"referrer-policy:", "no-referrer"},
    {"cross-origin-resource-policy:", "same-origin"},
    {"content-security-policy:", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"cache-control:", "no-store"},
};

static const char *phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} phrases[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {304, "Not Modified"},
	    {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"},
	    {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
	    {415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {422, "Unprocessable Content"},
	    {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
	    {501, "Not Implemented"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"}};
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].text;
	}
	return "";
}

/* A line break in a value would begin a header, or the body, of somebody else's choosing. */
static bool header_ok(const struct ws_extra_header *h)
{
	size_t n = h->name ? strlen(h->name) : 0;
	if (n < 2 || h->name[n - 1] != ':' || strcspn(h->name, " \t\r\n:") != n - 1 || !h->value)
		return false;
	for (const char *p = h->value; *p; p++) {
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
			return false;
	}
	return true;
}

static bool given(const char *name, const struct ws_extra_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (headers[i].name && strcasecmp(headers[i].name, name) == 0)
			return true;
	}
	return false;
}

static void put_date(struct buf *out)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;
	char text[64];
	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		buf_printf(out, "date: %s\r\n", text);
}

struct answer {
	int status;
	const char *content_type;
	const struct ws_extra_header *headers;
	size_t header_count;
	size_t size; /* of the body */
	bool chunked;
};

/* The head, without the blank line's successor: the body comes right after. */
static void put_head(struct http_conn *conn, const struct answer *a)
{
	struct buf *out = &conn->out;
	bool bodiless = a->status == 204 || a->status == 304 || a->status < 200;
	buf_printf(out, "HTTP/1.1 %d %s\r\n", a->status, phrase(a->status));
	put_date(out);
	for (size_t i = 0; i < sizeof(standing) / sizeof(standing[0]); i++) {
		if (!given(standing[i].name, a->headers, a->header_count))
			buf_printf(out, "%s %s\r\n", standing[i].name, standing[i].value);
	}
	struct ws_extra_header type = {"content-type:", a->content_type};
	if (a->content_type && header_ok(&type))
		buf_printf(out, "%s %s\r\n", type.name, type.value);
	for (size_t i = 0; i < a->header_count && i < WS_RESPONSE_HEADERS_MAX; i++) {
		if (header_ok(&a->headers[i]))
			buf_printf(out, "%s %s\r\n", a->headers[i].name, a->headers[i].value);
		else
			log_error("ws", "a header of an answer is malformed and left out");
	}
	if (a->chunked)
		buf_text(out, "transfer-encoding: chunked\r\n");
	else if (!bodiless && a->size != SIZE_MAX)
		buf_printf(out, "content-length: %zu\r\n", a->size);
	if (conn->close_after)
		buf_text(out, "connection: close\r\n");
	else if (conn->request && conn->request->head.http10)
		buf_text(out, "connection: keep-alive\r\n");
	buf_text(out, "\r\n");
}

/* The request is over for the program: the answer is all that remains of it. */
static void forget(struct http_conn *conn)
{
	struct ws_request *r = conn->request;
	conn->request = NULL;
	conn->state = HTTP_ANSWER;
	conn->deadline_ms = ws_now_ms() + WS_STREAM_STALL_MS;
	if (conn->out.failed)
		conn->close_after = true; /* half an answer: the peer sees that by the missing rest */
	if (r) {
		buf_done(&r->body);
		free(r);
	}
	http_conn_flush_soon(conn);
}

void http_answer_plain(struct http_conn *conn, int status, const char *text, bool close)
{
	struct answer a = {.status = status, .content_type = "text/plain; charset=utf-8", .size = strlen(text)};
	bool head_only = conn->request && conn->request->head.method == WS_HEAD;
	conn->close_after |= close;
	put_head(conn, &a);
	if (!head_only)
		buf_text(&conn->out, text);
	forget(conn);
}

void http_answer_file(struct http_conn *conn, const struct ws_file *file)
{
	static const struct ws_extra_header headers[] = {{"cache-control:", "no-cache"}};
	struct answer a = {.status = 200,
	    .content_type = file->content_type,
	    .headers = headers,
	    .header_count = 1,
	    .size = file->content.size};
	put_head(conn, &a);
	if (conn->request->head.method != WS_HEAD)
		conn->tail = file->content;
	forget(conn);
}

void ws_respond(struct ws_request *r, int status, const char *content_type, const struct ws_extra_header *headers,
    size_t header_count, const void *body, size_t body_size)
{
	struct http_conn *conn = r->conn;
	bool sane = status >= 200 && status <= 599;
	struct answer a = {.status = sane ? status : 500,
	    .content_type = content_type,
	    .headers = headers,
	    .header_count = header_count,
	    .size = body_size};
	if (r->streaming) { /* it has an answer already, which can only be ended */
		ws_stream_end(r);
		return;
	}
	put_head(conn, &a);
	if (r->head.method != WS_HEAD && status != 204 && status != 304)
		buf_append(&conn->out, body, body_size);
	forget(conn);
}

void ws_stream_begin(struct ws_request *r, int status, const char *content_type, const struct ws_extra_header *headers,
    size_t header_count)
{
	struct http_conn *conn = r->conn;
	if (r->streaming)
		return;
	/* HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer. */
	conn->close_after |= r->head.http10;
	struct answer a = {.status = status,
	    .content_type = content_type,
	    .headers = headers,
	    .header_count = header_count,
	    .size = SIZE_MAX,
	    .chunked = !r->head.http10};
	r->streaming = true;
	conn->deadline_ms = 0;
	put_head(conn, &a);
	http_conn_flush_soon(conn);
}

enum err_code ws_stream_write(struct ws_request *r, const void *data, size_t size_bytes, struct err *reterr)
{
	struct http_conn *conn = r->conn;
	size_t waiting = http_conn_waiting(conn);
	if (!r->streaming)
		return err_set(reterr, ERR_STATE, "the stream has not begun");
	if (size_bytes == 0 || r->head.method == WS_HEAD)
		return ERR_OK; /* an empty chunk would be the last */
	if (waiting > 0 && waiting + size_bytes > conn->http->config.stream_limit_bytes) {
		r->full = true;
		return err_set(reterr, ERR_FULL, "%zu bytes wait for %s already", waiting, conn->address);
	}
	if (!r->head.http10)
		buf_printf(&conn->out, "%zx\r\n", size_bytes);
	buf_append(&conn->out, data, size_bytes);
	if (!r->head.http10)
		buf_text(&conn->out, "\r\n");
	if (conn->out.failed)
		return err_set(reterr, ERR_NOMEM, "out of memory for a stream");
	if (conn->deadline_ms == 0)
		conn->deadline_ms = ws_now_ms() + WS_STREAM_STALL_MS;
	http_conn_flush_soon(conn);
	return ERR_OK;
}

void ws_stream_end(struct ws_request *r)
{
	struct http_conn *conn = r->conn;
	if (!r->streaming) {
		ws_respond(r, 204, NULL, NULL, 0, NULL, 0);
		return;
	}
	if (!r->head.http10 && r->head.method != WS_HEAD)
		buf_text(&conn->out, "0\r\n\r\n");
	forget(conn);
}
