#include "agent/database/resp.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"

enum { HOST_MAX = 256, PORT_MAX = 8, READ_AT_ONCE = 16 << 10, SAID_MAX = 200 };

/* ---- one answer ---- */

/* Where the line that begins at 1 ends, without its CR LF; 0: not yet. */
static size_t line_end(const uint8_t *data, size_t size)
{
	const uint8_t *end = memmem(data, size, "\r\n", 2);
	return end ? (size_t)(end - data) : 0;
}

enum resp_result resp_parse(const uint8_t *data, size_t size, struct buf *text, size_t *ret_used)
{
	char digits[24];
	int64_t n;
	size_t end = size ? line_end(data, size) : 0;
	if (!end)
		return size < RESP_ANSWER_MAX ? RESP_MORE : RESP_BAD;
	switch (data[0]) {
	case '+':
	case ':':
	case '-':
		buf_append(text, data + 1, end - 1);
		*ret_used = end + 2;
		return data[0] == '-' ? RESP_ERROR : RESP_TEXT;
	case '$':
		if (!text_format(digits, sizeof digits, "%.*s", (int)(end - 1), (const char *)data + 1) ||
		    text_i64(digits, &n, NULL) != ERR_OK || n < -1 || n > RESP_ANSWER_MAX)
			return RESP_BAD;
		if (n == -1) {
			*ret_used = end + 2;
			return RESP_TEXT;
		}
		if (size < end + 2 + (size_t)n + 2)
			return RESP_MORE;
		buf_append(text, data + end + 2, (size_t)n);
		*ret_used = end + 2 + (size_t)n + 2;
		return memcmp(data + *ret_used - 2, "\r\n", 2) == 0 ? RESP_TEXT : RESP_BAD;
	default:
		return RESP_BAD;
	}
}

/* ---- the connection ---- */

struct resp {
	int fd;
	struct buf heard;
};

void resp_close(struct resp *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	buf_done(&r->heard);
	free(r);
}

static bool await(int fd, short events, uint64_t until_ms)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd p = {.fd = fd, .events = events};
		if (now >= until_ms)
			return false;
		int n = poll(&p, 1, until_ms - now > 60000 ? 60000 : (int)(until_ms - now));
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
}

static bool begin(int fd, const struct sockaddr *a, socklen_t size, uint64_t until_ms)
{
	int error = 0;
	socklen_t n = sizeof error;
	if (connect(fd, a, size) == 0)
		return true;
	if (errno != EINPROGRESS && errno != EAGAIN)
		return false;
	if (!await(fd, POLLOUT, until_ms)) {
		errno = ETIMEDOUT;
		return false;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0)
		errno = error;
	return error == 0;
}

static int connect_unix(const char *path, uint64_t until_ms)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!text_format(a.sun_path, sizeof a.sun_path, "%s", path))
		errno = ENAMETOOLONG;
	else if (fd >= 0 && begin(fd, (const struct sockaddr *)&a, sizeof a, until_ms))
		return TAKE_FD(fd);
	return -1;
}

static int connect_tcp(const char *address, uint64_t until_ms)
{
	char host[HOST_MAX];
	const char *colon = strrchr(address, ':');
	bool bracket = *address == '[';
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	size_t n = colon ? (size_t)(colon - address) : 0;
	errno = EINVAL;
	if (n <= 2u * bracket || n >= sizeof host)
		return -1;
	(void)text_format(host, sizeof host, "%.*s", (int)(n - 2u * bracket), address + bracket);
	if (getaddrinfo(host, colon + 1, &hints, &all) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	int got = -1;
	for (struct addrinfo *a = all; a && got < 0; a = a->ai_next) {
		CLEANUP(cleanup_fd) int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0 && begin(fd, a->ai_addr, a->ai_addrlen, until_ms))
			got = TAKE_FD(fd);
	}
	freeaddrinfo(all);
	return got;
}

enum err_code resp_connect(const char *address, uint64_t timeout_ms, struct resp **ret, struct err *reterr)
{
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	int fd = text_starts(address, "unix:") ? connect_unix(address + 5, until_ms) : connect_tcp(address, until_ms);
	if (fd < 0)
		return err_set(
		    reterr, ERR_UNREACHABLE, "the server at %s does not answer: %s", address, strerrordesc_np(errno));
	struct resp *r = calloc(1, sizeof *r);
	if (!r) {
		close(fd);
		return err_set(reterr, ERR_NOMEM, "out of memory");
	}
	r->fd = fd;
	r->heard.limit = 2 * RESP_ANSWER_MAX;
	*ret = r;
	return ERR_OK;
}

static enum err_code say(struct resp *r, const struct buf *out, uint64_t until_ms, struct err *reterr)
{
	for (size_t at = 0; at < out->size;) {
		ssize_t n = send(r->fd, out->data + at, out->size - at, MSG_NOSIGNAL);
		if (n > 0)
			at += (size_t)n;
		else if (n < 0 && errno == EAGAIN && !await(r->fd, POLLOUT, until_ms))
			return err_set(reterr, ERR_TIMEOUT, "the server does not listen");
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(reterr, errno, "the server went away");
	}
	return ERR_OK;
}

static enum err_code hear(struct resp *r, uint64_t until_ms, struct err *reterr)
{
	if (!await(r->fd, POLLIN, until_ms))
		return err_set(reterr, ERR_TIMEOUT, "the server does not answer");
	uint8_t *room = buf_reserve(&r->heard, READ_AT_ONCE);
	if (!room)
		return err_set(reterr, ERR_LIMIT, "the server's answer is larger than %d bytes", RESP_ANSWER_MAX);
	ssize_t n = recv(r->fd, room, READ_AT_ONCE, 0);
	if (n > 0)
		r->heard.size += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return err_set(reterr, ERR_UNREACHABLE, "the server closed the connection");
	return ERR_OK;
}

enum err_code resp_ask(
    struct resp *r, const char *const *words, uint64_t timeout_ms, struct buf *text, struct err *reterr)
{
	struct buf out = BUF_INIT;
	size_t count = 0, used = 0;
	uint64_t until_ms = clock_mono_ms() + timeout_ms;
	while (words[count])
		count++;
	buf_printf(&out, "*%zu\r\n", count);
	for (size_t i = 0; i < count; i++)
		buf_printf(&out, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
	enum err_code rc = out.failed ? err_set(reterr, ERR_NOMEM, "out of memory") : say(r, &out, until_ms, reterr);
	buf_done(&out);
	enum resp_result got = RESP_MORE;
	while (rc == ERR_OK && got == RESP_MORE) {
		buf_clear(text);
		got = resp_parse(r->heard.data, r->heard.size, text, &used);
		if (got == RESP_MORE)
			rc = hear(r, until_ms, reterr);
	}
	if (rc != ERR_OK)
		return rc;
	if (got == RESP_BAD || text->failed)
		return err_set(reterr, ERR_UNSUPPORTED, "the server's answer is not understood");
	buf_consume(&r->heard, used);
	return got == RESP_TEXT ? ERR_OK : err_set(reterr, ERR_STATE, "the server says: %.*s", SAID_MAX, buf_str(text));
}
