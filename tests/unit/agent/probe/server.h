/* A small server on loopback, one thread, one behaviour; for the tests of this folder. */
#ifndef KEDGE_TEST_PROBE_SERVER_H
#define KEDGE_TEST_PROBE_SERVER_H

#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	const char *answer;   /* sent after the request, then closed; NULL: never answers */
	size_t answer_repeat; /* how often the last 1,000 bytes are sent again */
	unsigned delay_ms;    /* before answering */
	bool close_at_once;
	SSL_CTX *tls;
	atomic_bool stop;
	atomic_int served;
	char seen[2048]; /* the last request */
};

static void server_write(SSL *ssl, int fd, const char *data, size_t size)
{
	if (ssl)
		(void)SSL_write(ssl, data, (int)size);
	else if (send(fd, data, size, MSG_NOSIGNAL) < 0)
		return;
}

static void server_serve(struct server *s, int fd)
{
	SSL *ssl = NULL;
	char request[2048];
	ssize_t n = 0;
	if (s->close_at_once)
		return;
	if (s->tls) {
		ssl = SSL_new(s->tls);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			n = SSL_read(ssl, request, sizeof request - 1);
	} else {
		n = recv(fd, request, sizeof request - 1, 0);
	}
	if (n > 0) {
		request[n] = '\0';
		memcpy(s->seen, request, (size_t)n + 1);
	}
	for (unsigned i = 0; i < s->delay_ms / 10 && !s->stop; i++)
		usleep(10000);
	if (s->answer && n > 0) {
		server_write(ssl, fd, s->answer, strlen(s->answer));
		char filler[1000];
		memset(filler, 'x', sizeof filler);
		for (size_t i = 0; i < s->answer_repeat && !s->stop; i++)
			server_write(ssl, fd, filler, sizeof filler);
	}
	while (!s->answer && !s->stop)
		usleep(10000);
	if (ssl) {
		(void)SSL_shutdown(ssl);
		SSL_free(ssl);
	}
}

static void *server_run(void *arg)
{
	struct server *s = arg;
	sigset_t pipe_signal; /* blocked in this thread alone: the prober must not raise it either */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
	while (!s->stop) {
		int fd = accept(s->fd, NULL, NULL);
		if (fd < 0)
			break;
		struct timeval limit = {.tv_sec = 2};
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
		server_serve(s, fd);
		atomic_fetch_add(&s->served, 1);
		close(fd);
	}
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->fd, 8), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &size), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_stop(struct server *s)
{
	s->stop = true;
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	SSL_CTX_free(s->tls);
}

/* A self-signed certificate for localhost and 127.0.0.1, valid from days_from to days_to from now; also written to
 * pem_path. */
static SSL_CTX *server_tls(int days_from, int days_to, const char *pem_path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), days_from * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(x), days_to * 86400L);
	X509_NAME_add_entry_by_txt(
	    X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	if (pem_path) {
		FILE *f = fopen(pem_path, "we");
		assert_non_null(f);
		PEM_write_X509(f, x);
		fclose(f);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

#endif
