/* shared/http/http.c: libcurl, held to what Kedge needs. */
#include "shared/http/http.h"

#include "shared/base/openssl.h"

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

struct http_client {
	CURL *curl;
	char *authority, *certificate, *key, *peer_uri;
	uint32_t timeout_ms;
	char error[CURL_ERROR_SIZE];
};

static void curl_once(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err_code http_client_new(const struct http_options *o, struct http_client **ret, struct err *reterr)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, curl_once);
	struct http_client *c = calloc(1, sizeof *c);
	if (!c || !(c->curl = curl_easy_init())) {
		free(c);
		return err_set(reterr, ERR_NOMEM, "out of memory for an HTTP client");
	}
	c->authority = o->authority ? strdup(o->authority) : NULL;
	c->certificate = o->certificate ? strdup(o->certificate) : NULL;
	c->key = o->key ? strdup(o->key) : NULL;
	c->peer_uri = o->peer_uri ? strdup(o->peer_uri) : NULL;
	c->timeout_ms = o->timeout_ms ? o->timeout_ms : HTTP_TIMEOUT_MS;
	*ret = c;
	return ERR_OK;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	free(c->authority);
	free(c->certificate);
	free(c->key);
	free(c->peer_uri);
	free(c);
}

/* ---- the server is who we want: its certificate carries exactly this URI ---- */

static bool carries_uri(X509 *leaf, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	size_t want = strlen(uri);
	int uris = 0, hits = 0;
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		if (n->type != GEN_URI)
			continue;
		uris++;
		hits += (size_t)ASN1_STRING_length(n->d.uniformResourceIdentifier) == want &&
			memcmp(ASN1_STRING_get0_data(n->d.uniformResourceIdentifier), uri, want) == 0;
	}
	GENERAL_NAMES_free(names);
	return uris == 1 && hits == 1;
}

static int verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct http_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	if (ok && X509_STORE_CTX_get_error_depth(store) == 0 &&
	    !carries_uri(X509_STORE_CTX_get_current_cert(store), c->peer_uri)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	return ok;
}

static CURLcode prepare_tls(CURL *curl, void *ssl_ctx, void *user)
{
	(void)curl;
	SSL_CTX_set_app_data((SSL_CTX *)ssl_ctx, user);
	SSL_CTX_set_verify((SSL_CTX *)ssl_ctx, SSL_VERIFY_PEER, verify);
	return CURLE_OK;
}

/* Under TLS 1.3 a server that does not take our certificate says so after our side of the handshake is done.  If it
 * also ends the connection while we send, the sending fails and nobody reads why (and libcurl keeps only the first
 * error's text).  So we connect once more, send nothing, and listen for a moment: a server that then hangs up has
 * nothing against us but the certificate. */
static bool is_refused(struct http_client *c)
{
	curl_socket_t fd;
	char byte;
	size_t n = 1;
	if (!c->certificate)
		return false;
	curl_easy_setopt(c->curl, CURLOPT_CONNECT_ONLY, 1L);
	if (curl_easy_perform(c->curl) != CURLE_OK ||
	    curl_easy_getinfo(c->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
		return false;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, HTTP_ALERT_MS) <= 0)
		return false;
	CURLcode rc = curl_easy_recv(c->curl, &byte, 1, &n);
	if (rc == CURLE_AGAIN || (rc == CURLE_OK && n > 0))
		return false;
	if (!strstr(c->error, " alert "))
		text_format(
		    c->error, sizeof c->error, "the server ends the connection once it has seen our certificate");
	return true;
}

static CURLcode perform(struct http_client *c)
{
	char why[CURL_ERROR_SIZE];
	CURLcode rc = curl_easy_perform(c->curl);
	if (rc != CURLE_SEND_ERROR && (rc != CURLE_RECV_ERROR || strstr(c->error, " alert ")))
		return rc;
	text_copy(why, sizeof why, c->error);
	if (is_refused(c))
		return CURLE_SSL_CERTPROBLEM;
	text_copy(c->error, sizeof c->error, why);
	return rc;
}

/* ---- one transfer ---- */

struct transfer {
	CURL *curl;
	const struct http_request *request;
	struct buf *body;
	uint64_t sent; /* of a body that is read as it is sent */
	bool cancelled, stopped;
	const struct buf *upload;
	size_t uploaded;
};

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t n = size * count;
	if (t->request->on_data) {
		t->cancelled = !t->request->on_data(t->request->ctx, data, n);
		return t->cancelled ? 0 : n;
	}
	buf_append(t->body, data, n);
	return t->body->failed ? 0 : n;
}

/* Called about once a second even when nothing moves. */
static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct transfer *t = user;
	(void)a, (void)b, (void)c, (void)d;
	t->stopped = atomic_load(t->request->stop);
	return t->stopped;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t n = size * count, length = n;
	long status = 0;
	while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
		length--;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	t->request->on_header(t->request->ctx, status, line, length);
	return n;
}

static size_t on_read(char *out, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	uint64_t left = t->request->body_size - t->sent;
	size_t room = size * count < left ? size * count : (size_t)left;
	size_t n = room ? t->request->read_body(t->request->ctx, t->sent, out, room) : 0;
	if (room && (n == 0 || n > room))
		return CURL_READFUNC_ABORT;
	t->sent += n;
	return n;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
	struct transfer *t = user;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > t->request->body_size)
		return CURL_SEEKFUNC_FAIL;
	t->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t on_upload(char *out, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t left = t->upload->size - t->uploaded, n = size * count < left ? size * count : left;
	memcpy(out, t->upload->data + t->uploaded, n);
	t->uploaded += n;
	return n;
}

static void set_common(struct http_client *c, const char *url, const char *protocols)
{
	CURL *curl = c->curl;
	curl_easy_reset(curl);
	c->error[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (c->authority)
		curl_easy_setopt(curl, CURLOPT_CAINFO, c->authority);
	if (c->authority)
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	if (c->certificate)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, c->certificate);
	if (c->key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, c->key);
	if (c->peer_uri) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, prepare_tls);
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, c);
	}
}

static enum err_code failure(struct http_client *c, CURLcode rc, const char *url, struct err *reterr)
{
	const char *why = c->error[0] ? c->error : curl_easy_strerror(rc);
	switch (rc) {
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(reterr, ERR_TIMEOUT, "%s: %s", url, why);
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
		return err_set(reterr, ERR_UNREACHABLE, "%s: %s", url, why);
	case CURLE_RECV_ERROR: /* under TLS 1.3 a refused client certificate shows only now, by its alert; without one
				  the connection broke */
		return err_set(reterr, strstr(why, " alert ") ? ERR_DENIED : ERR_UNREACHABLE, "%s: %s", url, why);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_LOGIN_DENIED:
		return err_set(reterr, ERR_DENIED, "%s: %s", url, why);
	case CURLE_OUT_OF_MEMORY:
		return err_set(reterr, ERR_NOMEM, "%s: %s", url, why);
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(reterr, ERR_IO, "%s: what was to be sent cannot be read", url);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return err_set(reterr, ERR_INVALID, "%s: %s", url, why);
	default:
		return err_set(reterr, ERR_IO, "%s: %s", url, why);
	}
}

enum err_code http_ask(struct http_client *c, const struct http_request *r, struct http_answer *ret, struct err *reterr)
{
	struct buf body = {.limit = r->answer_max ? r->answer_max : HTTP_ANSWER_MAX};
	struct transfer t = {.curl = c->curl, .request = r, .body = &body};
	struct curl_slist *headers = NULL;
	set_common(c, r->url, "http,https");
	for (size_t i = 0; r->headers && r->headers[i] && i < HTTP_HEADERS_MAX; i++) {
		struct curl_slist *more = curl_slist_append(headers, r->headers[i]);
		headers = more ? more : headers;
	}
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &t);
	if (strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(c->curl, CURLOPT_NOBODY, 1L);
	if (r->on_header) {
		curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header);
		curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &t);
	}
	if (r->read_body) {
		curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c->curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)HTTP_UPLOAD_PIECE);
		curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c->curl, CURLOPT_READDATA, &t);
		curl_easy_setopt(c->curl, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c->curl, CURLOPT_SEEKDATA, &t);
		curl_easy_setopt(c->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_size);
	} else if (r->body || strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, r->body ? r->body : "");
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
	}
	if (r->on_data || r->read_body) { /* silence for so long ends a stream */
		curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(
		    c->curl, CURLOPT_LOW_SPEED_TIME, (long)(c->timeout_ms / 1000 ? c->timeout_ms / 1000 : 1));
	} else {
		curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	}
	if (r->stop) {
		curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &t);
	}
	CURLcode rc = perform(c);
	long status = 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	if (rc == CURLE_OK || (status && t.cancelled)) {
		if (t.cancelled) {
			buf_done(&body);
			return err_set(reterr, ERR_CANCELLED, "%s: ended by the reader", r->url);
		}
		*ret = (struct http_answer){status, body};
		return ERR_OK;
	}
	bool over = body.failed;
	size_t limit = body.limit;
	buf_done(&body);
	if (over)
		return err_set(reterr, ERR_LIMIT, "%s: the answer is larger than %zu KiB", r->url, limit >> 10);
	if (t.stopped)
		return err_set(reterr, ERR_CANCELLED, "%s: no longer wanted", r->url);
	return failure(c, rc, r->url, reterr);
}

enum err_code http_mail(struct http_client *c, const struct mail *m, struct err *reterr)
{
	static const struct http_request none = {0};
	struct buf sink = {.limit = TEXT_PAGE_MAX};
	struct transfer t = {.request = &none, .body = &sink, .upload = m->message};
	struct curl_slist *to = curl_slist_append(NULL, m->to);
	if (!to)
		return err_set(reterr, ERR_NOMEM, "out of memory for a mail");
	set_common(c, m->url, "smtp,smtps");
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
	curl_easy_setopt(c->curl, CURLOPT_MAIL_FROM, m->from);
	curl_easy_setopt(c->curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(c->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(c->curl, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(c->curl, CURLOPT_READDATA, &t);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &t);
	if (m->user) {
		curl_easy_setopt(c->curl, CURLOPT_USERNAME, m->user);
		curl_easy_setopt(c->curl, CURLOPT_PASSWORD, m->password ? m->password : "");
		curl_easy_setopt(c->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL); /* never a password in the clear */
	}
	CURLcode rc = curl_easy_perform(c->curl);
	curl_slist_free_all(to);
	buf_done(&sink);
	return rc == CURLE_OK ? ERR_OK : failure(c, rc, m->url, reterr);
}
