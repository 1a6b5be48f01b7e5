/* tests/lib/wsrig/rough.c: a TLS client that believes everything, shows what it is told to, and sends any bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/openssl.h"
#include <openssl/ssl.h>

#include "tests/lib/wsrig/rig.h"

enum { PATIENCE_MS = 10000 };

struct rough {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: plain TCP */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct rough *rough_tcp(uint16_t port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	struct rough *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		rough_free(c);
		return NULL;
	}
	return c;
}

void rough_free(struct rough *c)
{
	if (!c)
		return;
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	free(c);
}

static void show(SSL_CTX *ctx, const struct pki_authority *issuer, const struct pki_spec *spec)
{
	struct pki_leaf leaf;
	X509 *chain[TLS_CHAIN_MAX];
	size_t count;
	pki_issue(issuer, spec, &leaf);
	if (tls_certificates_from_pem(leaf.chain_pem.data, leaf.chain_pem.size, chain, &count, NULL) != ERR_OK ||
	    SSL_CTX_use_certificate(ctx, chain[0]) != 1 || SSL_CTX_use_PrivateKey(ctx, leaf.key) != 1)
		abort();
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			SSL_CTX_add1_chain_cert(ctx, chain[i]);
		X509_free(chain[i]);
	}
	pki_leaf_done(&leaf);
}

struct rough *rough_connect(
    uint16_t port, const struct pki_authority *issuer, const struct pki_spec *spec, int max_version)
{
	struct rough *c = rough_tcp(port);
	if (!c)
		return NULL;
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);
	if (max_version)
		SSL_CTX_set_max_proto_version(c->ctx, max_version);
	if (issuer)
		show(c->ctx, issuer, spec);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	ERR_clear_error();
	if (SSL_connect(c->ssl) != 1) {
		ERR_clear_error();
		rough_free(c);
		return NULL;
	}
	return c;
}

bool rough_write(struct rough *c, const void *data, size_t size)
{
	const char *p = data;
	while (size > 0) {
		int piece = size < 16384 ? (int)size : 16384;
		ERR_clear_error();
		int n = c->ssl ? SSL_write(c->ssl, p, piece) : (int)send(c->fd, p, (size_t)piece, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

bool rough_say(struct rough *c, const char *text)
{
	return rough_write(c, text, strlen(text));
}

int rough_read(struct rough *c, void *out, size_t size, int wait_ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	if (!(c->ssl && SSL_pending(c->ssl) > 0) && poll(&p, 1, wait_ms) <= 0)
		return -1;
	ERR_clear_error();
	int n = c->ssl ? SSL_read(c->ssl, out, (int)size) : (int)recv(c->fd, out, size, 0);
	return n > 0 ? n : 0;
}

bool rough_until(struct rough *c, const char *text, char *out, size_t size)
{
	size_t got = 0;
	int64_t until = now_ms() + PATIENCE_MS;
	out[0] = '\0';
	while (got + 1 < size && now_ms() < until) {
		int n = rough_read(c, out + got, size - 1 - got, PATIENCE_MS);
		if (n < 0)
			return false;
		if (n == 0)
			return text == NULL;
		got += (size_t)n;
		out[got] = '\0';
		if (text && memmem(out, got, text, strlen(text)))
			return true;
	}
	return false;
}

bool rough_ended(struct rough *c, int wait_ms)
{
	char waste[4096];
	int64_t until = now_ms() + wait_ms;
	for (;;) {
		int64_t left = until - now_ms();
		int n = rough_read(c, waste, sizeof(waste), left > 0 ? (int)left : 0);
		if (n == 0)
			return true;
		if (n < 0 && left <= 0)
			return false;
	}
}

int rough_fd(const struct rough *c)
{
	return c->fd;
}

SSL *rough_ssl(const struct rough *c)
{
	return c->ssl;
}

bool rough_upgrade(struct rough *c, const char *subprotocol)
{
	char request[512], answer[2048];
	char line[128] = "";
	if (subprotocol)
		snprintf(line, sizeof(line), "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
	snprintf(request, sizeof(request),
	    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
	    line);
	return rough_say(c, request) && rough_until(c, "\r\n\r\n", answer, sizeof(answer)) &&
	       strncmp(answer, "HTTP/1.1 101", 12) == 0;
}

bool rough_frame(struct rough *c, uint8_t first, const void *data, size_t size)
{
	uint8_t head[14] = {first};
	size_t n = 2;
	if (size < 126) {
		head[1] = (uint8_t)(0x80 | size);
	} else if (size < 65536) {
		head[1] = 0x80 | 126;
		head[2] = (uint8_t)(size >> 8);
		head[3] = (uint8_t)size;
		n = 4;
	} else {
		head[1] = 0x80 | 127;
		for (int i = 0; i < 8; i++)
			head[2 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
		n = 10;
	}
	n += 4; /* a mask of zeros changes nothing */
	uint8_t *all = malloc(n + size);
	if (!all)
		abort();
	memcpy(all, head, n);
	if (size > 0)
		memcpy(all + n, data, size);
	bool ok = rough_write(c, all, n + size);
	free(all);
	return ok;
}
