#include "agent/probe/http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/base/text.h"

/* ---- addresses ---- */

static bool port_valid(const char *port)
{
	uint64_t v;
	struct err err;
	return strlen(port) < 6 && text_u64(port, &v, &err) == ERR_OK && v >= 1 && v <= 65535;
}

enum err_code http_address_parse(const char *address, char host[HTTP_HOST_MAX], char port[8], struct err *reterr)
{
	const char *start = address, *end, *colon = strrchr(address, ':');
	if (address[0] == '[') {
		start++;
		end = strchr(start, ']');
		colon = end && end[1] == ':' ? end + 1 : NULL;
	} else {
		end = colon;
	}
	if (!colon || !end || end == start || (size_t)(end - start) >= HTTP_HOST_MAX || !port_valid(colon + 1))
		return err_set(
		    reterr, ERR_INVALID, "\"%s\" is not an address: expected host:port or [v6]:port", address);
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return ERR_OK;
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 127)
			return false;
	return true;
}

enum err_code http_url_parse(const char *url, struct http_url *ret, struct err *reterr)
{
	struct http_url u = {0};
	char address[HTTP_HOST_MAX + 16];
	const char *rest = text_starts(url, "https://") ? url + 8 : text_starts(url, "http://") ? url + 7 : NULL;
	if (!rest || !printable(url))
		return err_set(reterr, ERR_INVALID, "\"%s\" is not a http:// or https:// address", url);
	u.tls = url[4] == 's';
	size_t n = strcspn(rest, "/?#");
	if (memchr(rest, '@', n))
		return err_set(reterr, ERR_INVALID, "a probe's address holds a user name; use a path that needs none");
	if (!text_format(u.authority, sizeof u.authority, "%.*s",
		(int)(n < sizeof u.authority ? n : sizeof u.authority), rest) ||
	    n >= HTTP_HOST_MAX ||
	    !text_format(u.path, sizeof u.path, "%s%s", rest[n] == '/' ? "" : "/", rest[n] == '#' ? "" : rest + n))
		return err_set(reterr, ERR_INVALID, "a probe's address is too long");
	u.path[strcspn(u.path, "#")] = '\0';
	const char *bracket = strchr(u.authority, ']');
	bool has_port = strchr(bracket ? bracket : u.authority, ':') != NULL;
	if (!text_format(address, sizeof address, "%s%s", u.authority, has_port ? "" : u.tls ? ":443" : ":80"))
		return err_set(reterr, ERR_INVALID, "a probe's address is too long");
	enum err_code rc = http_address_parse(address, u.host, u.port, reterr);
	if (rc == ERR_OK)
		*ret = u;
	return rc;
}

void http_request(const struct http_url *url, const char *host_header, struct buf *out)
{
	buf_printf(out,
	    "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kedge-probe/" KEDGE_VERSION
	    "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	    url->path, host_header ? host_header : url->authority);
}

/* ---- answers ---- */

enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_AFTER, CHUNK_TRAILER };

void http_response_init(struct http_response *r)
{
	*r = (struct http_response){.state = HTTP_HEAD};
}

void http_response_done(struct http_response *r)
{
	buf_done(&r->head);
	buf_done(&r->body);
}

static enum http_state bad(struct http_response *r, const char *problem)
{
	text_copy(r->problem, sizeof r->problem, problem);
	return r->state = HTTP_BAD;
}

static bool field_is(const char *line, size_t size, const char *name, const char **ret_value)
{
	size_t n = strlen(name);
	if (size <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return false;
	*ret_value = line + n + 1;
	while (**ret_value == ' ' || **ret_value == '\t')
		++*ret_value;
	return true;
}

static bool read_length(const char *value, uint64_t *ret)
{
	char text[24];
	size_t n = strspn(value, "0123456789");
	struct err err;
	return n > 0 && n < 20 && text_format(text, sizeof text, "%.*s", (int)n, value) &&
	       text_u64(text, ret, &err) == ERR_OK;
}

/* The head is complete and ends with a NUL.  Line by line; a bare LF ends a line too. */
static enum http_state read_head(struct http_response *r)
{
	const char *line = buf_str(&r->head), *value;
	unsigned status;
	if (sscanf(line, "HTTP/1.%*1[01] %3u", &status) != 1 || status < 100 || status > 599)
		return bad(r, "no HTTP/1 status line");
	r->status = status;
	while ((line = strchr(line, '\n')) != NULL) {
		size_t size = strcspn(++line, "\r\n");
		if (field_is(line, size, "content-length", &value)) {
			if (!read_length(value, &r->left))
				return bad(r, "a content-length that is no number");
			r->has_length = true;
		} else if (field_is(line, size, "transfer-encoding", &value)) {
			r->chunked = strncasecmp(value, "chunked", 7) == 0;
		}
	}
	if (status / 100 == 1) { /* interim: the real answer follows */
		buf_clear(&r->head);
		r->has_length = r->chunked = false;
		return r->state = HTTP_HEAD;
	}
	if (r->chunked) {
		r->has_length = false;
		r->left = 0;
	}
	bool empty = status == 204 || status == 304 || (r->has_length && r->left == 0);
	return r->state = empty ? HTTP_DONE : HTTP_BODY;
}

/* Takes bytes up to and with the empty line; how many. */
static size_t feed_head(struct http_response *r, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (r->head.size >= PROBE_HEAD_MAX || data[i] == 0) {
			bad(r, data[i] ? "an endless head" : "a NUL byte in the head");
			return size;
		}
		if (r->head.size == 0 && data[i] != 'H') {
			bad(r, "not HTTP");
			return size;
		}
		buf_byte(&r->head, data[i]);
		const uint8_t *h = r->head.data;
		size_t n = r->head.size;
		if (r->head.failed) {
			bad(r, "no memory");
			return size;
		}
		if (data[i] == '\n' &&
		    ((n >= 2 && h[n - 2] == '\n') || (n >= 4 && memcmp(h + n - 4, "\r\n\r\n", 4) == 0))) {
			read_head(r);
			return i + 1;
		}
	}
	return size;
}

static void keep(struct http_response *r, const uint8_t *data, size_t size)
{
	size_t room = PROBE_BODY_MAX - r->body.size;
	if (size >= room) {
		size = room;
		r->cut = true;
		r->state = HTTP_DONE;
	}
	buf_append(&r->body, data, size);
	if (r->body.failed)
		bad(r, "no memory");
}

static int hex_value(uint8_t c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? (c | 32) - 'a' + 10 : -1;
}

/* One byte of chunk framing (RFC 9112 §7.1). */
static void chunk_byte(struct http_response *r, uint8_t c)
{
	switch (r->chunk_step) {
	case CHUNK_SIZE:
		if (hex_value(c) >= 0 && r->left < 1u << 28)
			r->left = r->left * 16 + (uint64_t)hex_value(c);
		else if (c == ';' || c == '\r' || c == ' ')
			r->chunk_step = CHUNK_EXTENSION;
		else if (c == '\n')
			r->chunk_step = r->left ? CHUNK_DATA : CHUNK_TRAILER;
		else
			bad(r, "a broken chunk size");
		break;
	case CHUNK_EXTENSION:
		if (c == '\n')
			r->chunk_step = r->left ? CHUNK_DATA : CHUNK_TRAILER;
		break;
	case CHUNK_AFTER:
		if (c == '\n')
			r->chunk_step = CHUNK_SIZE;
		else if (c != '\r')
			bad(r, "a chunk that is longer than its size");
		break;
	default: /* CHUNK_TRAILER: nothing in it is of interest */
		r->state = HTTP_DONE;
		break;
	}
}

static size_t feed_chunked(struct http_response *r, const uint8_t *data, size_t size)
{
	size_t i = 0;
	while (i < size && r->state == HTTP_BODY) {
		if (r->chunk_step != CHUNK_DATA) {
			chunk_byte(r, data[i++]);
			continue;
		}
		size_t n = size - i < r->left ? size - i : (size_t)r->left;
		keep(r, data + i, n);
		i += n;
		r->left -= n;
		if (r->left == 0)
			r->chunk_step = CHUNK_AFTER;
	}
	return size;
}

static size_t feed_body(struct http_response *r, const uint8_t *data, size_t size)
{
	if (r->chunked)
		return feed_chunked(r, data, size);
	if (r->has_length && size > r->left)
		size = (size_t)r->left;
	keep(r, data, size);
	if (r->has_length && (r->left -= size) == 0 && r->state == HTTP_BODY)
		r->state = HTTP_DONE;
	return SIZE_MAX;
}

enum http_state http_response_feed(struct http_response *r, const void *data, size_t size)
{
	const uint8_t *p = data;
	while (size > 0 && r->state == HTTP_HEAD) {
		size_t n = feed_head(r, p, size);
		p += n;
		size -= n;
	}
	if (size > 0 && r->state == HTTP_BODY)
		(void)feed_body(r, p, size);
	return r->state;
}

enum http_state http_response_end(struct http_response *r)
{
	if (r->state == HTTP_HEAD)
		return bad(r, r->head.size ? "the head was not finished" : "closed without an answer");
	if (r->state == HTTP_BODY)
		return r->has_length || r->chunked ? bad(r, "the body was not finished") : (r->state = HTTP_DONE);
	return r->state;
}
