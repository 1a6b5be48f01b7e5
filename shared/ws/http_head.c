/* shared/ws/http_head.c: one pass over the bytes, line by line. */
#include "shared/ws/http_head.h"

#include <string.h>
#include <strings.h>

#include "shared/base/text.h"

struct span {
	const char *data;
	size_t size;
};

struct parse {
	struct http_head *head;
	int status; /* of the first fault, 0: none */
	unsigned hosts, lengths;
	bool coded; /* Transfer-Encoding */
};

static const char *const methods[WS_METHOD_COUNT] = {[WS_GET] = "GET",
    [WS_POST] = "POST",
    [WS_PUT] = "PUT",
    [WS_PATCH] = "PATCH",
    [WS_DELETE] = "DELETE",
    [WS_HEAD] = "HEAD",
    [WS_OPTIONS] = "OPTIONS"};

static const char *const wanted[WS_HEADER_COUNT] = {[WS_CONTENT_TYPE] = "content-type",
    [WS_AUTHORIZATION] = "authorization",
    [WS_ACCEPT] = "accept",
    [WS_USER_AGENT] = "user-agent",
    [WS_IF_NONE_MATCH] = "if-none-match",
    [WS_LAST_EVENT_ID] = "last-event-id",
    [WS_ORIGIN] = "origin",
    [WS_IDEMPOTENCY_KEY] = "idempotency-key"};

const char *ws_method_text(enum ws_method method)
{
	return (unsigned)method < WS_METHOD_COUNT ? methods[method] : "unknown";
}

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.size; i++) {
		if (!is_token_char(s.data[i]))
			return false;
	}
	return s.size > 0;
}

static bool is_word(struct span s, const char *word)
{
	return s.size == strlen(word) && strncasecmp(s.data, word, s.size) == 0;
}

static void bad(struct parse *p, int status)
{
	if (p->status == 0)
		p->status = status;
}

/* A NUL-terminated copy in the head's room, which holds as much as the head itself has bytes. */
static char *keep(struct parse *p, struct span s)
{
	struct http_head *h = p->head;
	if (s.size + 1 > sizeof(h->room) - h->room_used) {
		bad(p, 431);
		return NULL;
	}
	char *at = h->room + h->room_used;
	if (s.size > 0)
		memcpy(at, s.data, s.size);
	at[s.size] = '\0';
	h->room_used += s.size + 1;
	return at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoding in place, once.  forbidden: bytes that may not come out of a %XX.  NUL never may. */
static bool decode(char *s, bool plus_is_space, const char *forbidden)
{
	char *out = s;
	for (const char *in = s; *in; in++) {
		char c = *in;
		if (c == '+' && plus_is_space)
			c = ' ';
		if (c == '%') {
			int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			if (c == '\0' || strchr(forbidden, c))
				return false;
			in += 2;
		}
		*out++ = c;
	}
	*out = '\0';
	return text_utf8_valid(s, (size_t)(out - s));
}

static bool has_controls(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	}
	return false;
}

/* "name=value", each decoded by itself, so that an encoded '&' or '=' in a value stays what it is. */
static void parse_parameter(struct parse *p, struct span s)
{
	struct http_head *h = p->head;
	if (s.size == 0)
		return;
	char *text = h->query_count < WS_QUERY_MAX ? keep(p, s) : NULL;
	char *equals = text ? strchr(text, '=') : NULL;
	if (!text) {
		bad(p, 400);
		return;
	}
	char *value = equals ? equals + 1 : NULL;
	if (equals)
		*equals = '\0';
	if (!decode(text, true, "=") || (value && !decode(value, true, ""))) {
		bad(p, 400);
		return;
	}
	if (value) { /* decoding made both shorter: bring them together again */
		char *end = text + strlen(text);
		*end = '=';
		memmove(end + 1, value, strlen(value) + 1);
	}
	h->query[h->query_count++] = text;
}

static void parse_target(struct parse *p, struct span s)
{
	if (s.size == 0 || s.data[0] != '/') {
		bad(p, 400);
		return;
	}
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f || s.data[i] == '#') {
			bad(p, 400);
			return;
		}
	}
	const char *mark = memchr(s.data, '?', s.size);
	struct span path = {s.data, mark ? (size_t)(mark - s.data) : s.size};
	char *kept = keep(p, path);
	/* An encoded slash would make one segment into two. */
	if (!kept || !decode(kept, false, "/") || has_controls(kept))
		bad(p, 400);
	p->head->path = kept;
	const char *end = s.data + s.size;
	for (const char *at = mark ? mark + 1 : end; at < end && p->status == 0;) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		next = next ? next : end;
		parse_parameter(p, (struct span){at, (size_t)(next - at)});
		at = next + 1;
	}
}

static void parse_method(struct parse *p, struct span s)
{
	if (!is_token(s)) {
		bad(p, 400);
		return;
	}
	for (unsigned i = 0; i < WS_METHOD_COUNT; i++) {
		if (s.size == strlen(methods[i]) && memcmp(s.data, methods[i], s.size) == 0) {
			p->head->method = (enum ws_method)i;
			return;
		}
	}
	bad(p, 501);
}

static void parse_version(struct parse *p, struct span s)
{
	if (s.size != 8 || memcmp(s.data, "HTTP/", 5) != 0) {
		bad(p, 400);
	} else if (memcmp(s.data, "HTTP/1.1", 8) == 0 || memcmp(s.data, "HTTP/1.0", 8) == 0) {
		p->head->http10 = s.data[7] == '0';
		p->head->keep_alive = !p->head->http10;
	} else {
		bad(p, 505);
	}
}

static void parse_request_line(struct parse *p, struct span line)
{
	const char *end = line.data + line.size, *one = memchr(line.data, ' ', line.size);
	const char *two = one ? memchr(one + 1, ' ', (size_t)(end - one - 1)) : NULL;
	if (!two) {
		bad(p, 400);
		return;
	}
	struct span method = {line.data, (size_t)(one - line.data)};
	struct span target = {one + 1, (size_t)(two - one - 1)};
	struct span version = {two + 1, (size_t)(end - two - 1)};
	parse_version(p, version);
	parse_method(p, method);
	parse_target(p, target);
}

static void parse_length(struct parse *p, struct span s)
{
	char digits[20];
	uint64_t n;
	if (p->lengths++ > 0 || s.size == 0 || s.size >= sizeof(digits)) {
		bad(p, 400);
		return;
	}
	memcpy(digits, s.data, s.size);
	digits[s.size] = '\0';
	if (strspn(digits, "0123456789") != s.size || text_u64(digits, &n, NULL) != ERR_OK)
		bad(p, 400);
	else
		p->head->content_length = n;
}

static void parse_connection(struct parse *p, struct span s)
{
	const char *end = s.data + s.size;
	for (const char *at = s.data; at < end;) {
		const char *next = memchr(at, ',', (size_t)(end - at));
		next = next ? next : end;
		struct span one = {at, (size_t)(next - at)};
		while (one.size > 0 && (*one.data == ' ' || *one.data == '\t'))
			one = (struct span){one.data + 1, one.size - 1};
		while (one.size > 0 && (one.data[one.size - 1] == ' ' || one.data[one.size - 1] == '\t'))
			one.size--;
		if (is_word(one, "close"))
			p->head->keep_alive = false;
		else if (is_word(one, "keep-alive") && p->head->http10)
			p->head->keep_alive = true;
		at = next + 1;
	}
}

static void parse_wanted(struct parse *p, struct span name, struct span value)
{
	for (unsigned i = 0; i < WS_HEADER_COUNT; i++) {
		if (!is_word(name, wanted[i]))
			continue;
		if (p->head->header[i])
			bad(p, 400); /* which of the two would be meant? */
		else
			p->head->header[i] = keep(p, value);
	}
}

static void parse_field(struct parse *p, struct span name, struct span value)
{
	if (is_word(name, "host")) {
		p->hosts++;
	} else if (is_word(name, "content-length")) {
		parse_length(p, value);
	} else if (is_word(name, "transfer-encoding")) {
		p->coded = true;
	} else if (is_word(name, "connection")) {
		parse_connection(p, value);
	} else if (is_word(name, "expect")) {
		p->head->expects_continue = is_word(value, "100-continue");
		if (!p->head->expects_continue)
			bad(p, 417);
	} else {
		parse_wanted(p, name, value);
	}
}

static void parse_header_line(struct parse *p, struct span line)
{
	const char *colon = memchr(line.data, ':', line.size);
	struct span name = {line.data, colon ? (size_t)(colon - line.data) : 0};
	if (!colon || !is_token(name)) { /* a folded line begins with a space, which is no token either */
		bad(p, 400);
		return;
	}
	struct span value = {colon + 1, line.size - name.size - 1};
	while (value.size > 0 && (*value.data == ' ' || *value.data == '\t'))
		value = (struct span){value.data + 1, value.size - 1};
	while (value.size > 0 && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
		value.size--;
	for (size_t i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < ' ' && c != '\t') || c == 0x7f) {
			bad(p, 400);
			return;
		}
	}
	parse_field(p, name, value);
}

static void check_whole(struct parse *p)
{
	if (p->hosts > 1 || (p->hosts == 0 && !p->head->http10))
		bad(p, 400);
	if (p->coded)
		bad(p, p->lengths > 0 ? 400 : 411);
}

/* The next line without its CRLF; false: it is not whole yet.  A line feed alone ends no line. */
static bool next_line(struct span *rest, struct span *line, bool *ret_bare)
{
	const char *lf = memchr(rest->data, '\n', rest->size);
	if (!lf)
		return false;
	size_t n = (size_t)(lf - rest->data);
	*ret_bare = n == 0 || rest->data[n - 1] != '\r';
	*line = (struct span){rest->data, n > 0 ? n - 1 : 0};
	*rest = (struct span){lf + 1, rest->size - n - 1};
	return true;
}

enum http_result http_head_parse(
    const void *data, size_t size, struct http_head *ret, size_t *ret_used, int *ret_status)
{
	struct parse p = {.head = ret};
	struct span rest = {data, size < WS_HEAD_MAX ? size : WS_HEAD_MAX}, line;
	unsigned lines = 0;
	bool bare;
	memset(ret, 0, offsetof(struct http_head, room));
	if (rest.size > 0 && !is_token_char(*rest.data)) { /* no need to wait for a line of it */
		*ret_status = 400;
		return HTTP_BAD;
	}
	while (next_line(&rest, &line, &bare)) {
		if (bare || memchr(line.data, '\r', line.size)) {
			bad(&p, 400);
		} else if (lines == 0) {
			parse_request_line(&p, line);
		} else if (line.size > 0) {
			parse_header_line(&p, line);
		} else {
			check_whole(&p);
			*ret_used = (size_t)(rest.data - (const char *)data);
			*ret_status = p.status;
			return p.status ? HTTP_BAD : HTTP_READY;
		}
		if (++lines > WS_HEADER_LINES_MAX + 1)
			bad(&p, 431);
		if (p.status) {
			*ret_status = p.status;
			return HTTP_BAD;
		}
	}
	if (size < WS_HEAD_MAX)
		return HTTP_INCOMPLETE;
	*ret_status = lines == 0 ? 414 : 431;
	return HTTP_BAD;
}

static bool has_dot_segment(const char *path)
{
	for (const char *at = path; (at = strchr(at, '/')); at++) {
		size_t n = strcspn(at + 1, "/");
		if ((n == 1 && at[1] == '.') || (n == 2 && at[1] == '.' && at[2] == '.'))
			return true;
	}
	return false;
}

bool http_path_under(const char *path, const char *const *prefixes)
{
	for (; prefixes && *prefixes; prefixes++) {
		size_t n = strlen(*prefixes);
		if (n == 0 || strncmp(path, *prefixes, n) != 0)
			continue;
		if (path[n] == '\0' || path[n] == '/' || (*prefixes)[n - 1] == '/')
			return !has_dot_segment(path);
	}
	return false;
}
