#include "agent/bucket/s3.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/bucket/sigv4.h"
#include "shared/base/openssl.h"

#include <openssl/evp.h>

#include "shared/base/cleanup.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { HOST_MAX = 320, DATE_MAX = 24 };

struct s3 {
	struct s3_transport io;
	struct arena *arena;
	struct bucket_settings settings;
	struct secret *secret_key;
	char host[HOST_MAX];
	bool tls;
};

/* ---- settings ---- */

enum err_code s3_endpoint_parse(
    const char *endpoint, bool *ret_tls, char *ret_host, size_t host_size, struct err *reterr)
{
	bool tls = text_starts(endpoint, "https://");
	if (!tls && !text_starts(endpoint, "http://"))
		return err_set(reterr, ERR_INVALID, "endpoint: expected https://host, got \"%.200s\"", endpoint);
	const char *host = endpoint + (tls ? 8 : 7);
	size_t n = strcspn(host, "/?#@ ");
	if (n == 0 || (host[n] && strcmp(host + n, "/") != 0) || n >= host_size)
		return err_set(
		    reterr, ERR_INVALID, "endpoint: expected a scheme, a host and no path, got \"%.200s\"", endpoint);
	memcpy(ret_host, host, n);
	ret_host[n] = '\0';
	/* A port that goes without saying is not part of the name that is signed. */
	if (text_ends(ret_host, tls ? ":443" : ":80"))
		*strrchr(ret_host, ':') = '\0';
	*ret_tls = tls;
	return ERR_OK;
}

void s3_free(struct s3 *s)
{
	if (!s)
		return;
	secret_free(s->secret_key);
	arena_free(s->arena);
	free(s);
}
CLEANUP_DEFINE(struct s3, s3_cleanup, s3_free)

enum err_code s3_new(
    const struct bucket_settings *settings, const struct s3_transport *t, struct s3 **ret, struct err *reterr)
{
	CLEANUP(s3_cleanup) struct s3 *s = calloc(1, sizeof *s);
	struct bucket_settings open = *settings;
	if (!s || !(s->arena = arena_new(64 << 10)) ||
	    !(s->secret_key = secret_new(settings->secret_key, strlen(settings->secret_key) + 1)))
		return err_set(reterr, ERR_NOMEM, "out of memory for a store");
	s->io = *t;
	open.secret_key = "-"; /* the real one lives in memory that is wiped */
	enum err_code rc = record_copy(&bucket_settings_type, &open, s->arena, &s->settings, reterr);
	if (!rc)
		rc = s3_endpoint_parse(settings->endpoint, &s->tls, s->host, sizeof s->host, reterr);
	if (rc)
		return rc;
	s->settings.secret_key = (const char *)secret_data(s->secret_key);
	*ret = TAKE_PTR(s);
	return ERR_OK;
}

/* ---- what answers say ---- */

static void cut_text(const char *data, size_t size, const char *open, const char *close, char *out, size_t room)
{
	const char *begin = size == 0 ? NULL : memmem(data, size, open, strlen(open));
	out[0] = '\0';
	if (!begin)
		return;
	begin += strlen(open);
	const char *end = memmem(begin, size - (size_t)(begin - data), close, strlen(close));
	if (!end)
		return;
	size_t n = (size_t)(end - begin) < room - 1 ? (size_t)(end - begin) : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = begin[i] >= ' ' && begin[i] < 0x7f ? begin[i] : '?';
	out[n] = '\0';
}

bool s3_error_parse(const char *data, size_t size, struct s3_error *ret)
{
	struct s3_error e;
	cut_text(data, size, "<Code>", "</Code>", e.code, sizeof e.code);
	cut_text(data, size, "<Message>", "</Message>", e.message, sizeof e.message);
	*ret = e;
	return e.code[0] != '\0';
}

bool s3_length_parse(const char *line, size_t size, uint64_t *ret)
{
	static const char name[] = "content-length:";
	char number[24];
	if (size <= strlen(name) || strncasecmp(line, name, strlen(name)) != 0)
		return false;
	line += strlen(name);
	size -= strlen(name);
	while (size && (*line == ' ' || *line == '\t'))
		line++, size--;
	while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	if (size == 0 || size >= sizeof number)
		return false;
	memcpy(number, line, size);
	number[size] = '\0';
	return text_u64(number, ret, NULL) == ERR_OK;
}

/* ---- one exchange ---- */

struct exchange {
	size_t (*read_body)(void *ctx, uint64_t offset, char *out, size_t size);
	bucket_sink_fn *sink; /* takes what is behind status 200 */
	void *ctx;
	struct buf body;   /* what is behind any other */
	struct bytes sent; /* a body in memory */
	uint64_t length;
	bool has_length;
	long status;
};

static size_t on_read(void *ctx, uint64_t offset, char *out, size_t size)
{
	struct exchange *x = ctx;
	if (x->read_body)
		return x->read_body(x->ctx, offset, out, size);
	size_t left = offset < x->sent.size ? x->sent.size - (size_t)offset : 0, n = size < left ? size : left;
	if (n)
		memcpy(out, x->sent.data + offset, n);
	return n;
}

static void on_header(void *ctx, long status, const char *line, size_t size)
{
	struct exchange *x = ctx;
	uint64_t length;
	x->status = status;
	if (s3_length_parse(line, size, &length)) {
		x->length = length;
		x->has_length = true;
	}
}

static bool on_data(void *ctx, const char *data, size_t size)
{
	struct exchange *x = ctx;
	if (x->status == 200 && x->sink)
		return x->sink(x->ctx, data, size);
	if (x->body.size + size <= BUCKET_ERROR_BODY_MAX)
		buf_append(&x->body, data, size);
	return true;
}

struct headers { /* what a request carries, for signing and for sending */
	struct sigv4_pair pairs[S3_HEADERS_MAX];
	size_t count;
};
static void add(struct headers *h, const char *name, const char *value)
{
	if (h->count < S3_HEADERS_MAX)
		h->pairs[h->count++] = (struct sigv4_pair){name, value};
}

struct target { /* where a request goes */
	char host[HOST_MAX], path[BUCKET_URL_MAX];
	struct buf url;
};

static enum err_code aim(const struct s3 *s, const char *name, const struct sigv4_pair *query, size_t query_count,
    struct target *t, struct err *reterr)
{
	const struct bucket_settings *o = &s->settings;
	bool fits = o->host_style ? text_format(t->host, sizeof t->host, "%s.%s", o->bucket, s->host) &&
					text_format(t->path, sizeof t->path, "/%s", name)
				  : text_format(t->host, sizeof t->host, "%s", s->host) &&
					text_format(t->path, sizeof t->path, "/%s/%s", o->bucket, name);
	if (!fits)
		return err_set(reterr, ERR_LIMIT, "%.100s: the name of the object is too long", name);
	buf_printf(&t->url, "%s://%s", s->tls ? "https" : "http", t->host);
	sigv4_encode(&t->url, t->path, true);
	if (query_count)
		buf_text(&t->url, "?");
	enum err_code rc = query_count ? sigv4_query(query, query_count, &t->url, reterr) : ERR_OK;
	return rc == ERR_OK && t->url.failed ? err_set(reterr, ERR_NOMEM, "out of memory for a request") : rc;
}

static enum err_code lines_of(const struct headers *h, const char *authorization, struct arena *arena,
    const char *lines[S3_HEADERS_MAX + 2], struct err *reterr)
{
	size_t n = 0;
	for (; n < h->count; n++)
		if (!(lines[n] = arena_printf(arena, "%s: %s", h->pairs[n].name, h->pairs[n].value)))
			return err_set(reterr, ERR_NOMEM, "out of memory for a request");
	lines[n++] = arena_printf(arena, "authorization: %s", authorization);
	lines[n] = NULL;
	return lines[n - 1] ? ERR_OK : err_set(reterr, ERR_NOMEM, "out of memory for a request");
}

/* headers: those that this request has besides what every request has. */
static enum err_code exchange(struct s3 *s, const char *method, const char *name, const struct sigv4_pair *query,
    size_t query_count, const struct headers *extra, const char *sha256, uint64_t body_size, struct exchange *x,
    struct err *reterr)
{
	struct headers h = *extra;
	struct target t = {.url = {.limit = 3 * BUCKET_URL_MAX}};
	struct sigv4_signer signer = {s->settings.access_key, s->settings.secret_key, s->settings.region, "s3", ""};
	CLEANUP(arena_cleanup) struct arena *arena = arena_new(64 << 10);
	CLEANUP(buf_done) struct buf authorization = BUF_INIT;
	const char *lines[S3_HEADERS_MAX + 2];
	enum err_code rc = arena ? aim(s, name, query, query_count, &t, reterr)
				 : err_set(reterr, ERR_NOMEM, "out of memory for a request");
	sigv4_time(s->io.now_ms(s->io.ctx), signer.time);
	add(&h, "host", t.host);
	add(&h, "x-amz-date", signer.time);
	add(&h, "x-amz-content-sha256", sha256);
	if (s->settings.session_token)
		add(&h, "x-amz-security-token", s->settings.session_token);
	struct sigv4_request r = {method, t.path, query, query_count, h.pairs, h.count, sha256};
	if (!rc)
		rc = sigv4_authorize(&signer, &r, &authorization, reterr);
	if (!rc)
		rc = lines_of(&h, buf_str(&authorization), arena, lines, reterr);
	if (!rc) {
		struct s3_call call = {method, buf_str(&t.url), lines, x->read_body || x->sent.data ? on_read : NULL,
		    body_size, on_header, on_data, x};
		rc = s->io.ask(s->io.ctx, &call, reterr);
	}
	buf_done(&t.url);
	return rc;
}

/* ---- what an answer that is not the wanted one means ---- */

static const struct {
	const char *code;
	enum err_code rc;
	const char *advice;
} known[] = {
    {"InvalidAccessKeyId", ERR_DENIED, "the store does not know this access key: see credentials_file"},
    {"SignatureDoesNotMatch", ERR_DENIED, "the secret key is not the one of this access key: see credentials_file"},
    {"RequestTimeTooSkewed", ERR_DENIED, "this host's clock is more than 15 minutes from the store's"},
    {"ExpiredToken", ERR_DENIED, "the session token has expired: see credentials_file"},
    {"AccessDenied", ERR_DENIED, "the credential may not do this in that bucket"},
    {"NoSuchBucket", ERR_NOT_FOUND, "there is no such bucket: it is made by whoever runs the store"},
    {"BadDigest", ERR_CORRUPT, "other bytes arrived than were sent"},
    {"XAmzContentSHA256Mismatch", ERR_CORRUPT, "other bytes arrived than were sent"},
    {"NotImplemented", ERR_UNSUPPORTED, "the store cannot do this; it must know conditional puts"},
    {"InvalidRequest", ERR_UNSUPPORTED,
	"the store does not take this; with lock_days the bucket must have been made with object lock"},
    {"SlowDown", ERR_BUSY, "the store asks to be left alone for a while"},
    {"ServiceUnavailable", ERR_UNREACHABLE, "the store is out of order for now"},
    {"InternalError", ERR_UNREACHABLE, "the store is out of order for now"},
};

static enum err_code refusal(
    const struct s3 *s, const char *act, const char *name, const struct exchange *x, struct err *reterr)
{
	struct s3_error e = {"", ""};
	(void)s3_error_parse((const char *)x->body.data, x->body.size, &e);
	const char *where = s->settings.bucket;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(e.code, known[i].code) == 0)
			return err_set(reterr, known[i].rc, "%s %.80s in %s: %s (%s%s%.120s)", act, name, where,
			    known[i].advice, e.code, e.message[0] ? ": " : "", e.message);
	enum err_code rc = x->status == 401 || x->status == 403   ? ERR_DENIED
			   : x->status == 404                     ? ERR_NOT_FOUND
			   : x->status == 409 || x->status == 429 ? ERR_BUSY
			   : x->status >= 500                     ? ERR_UNREACHABLE
								  : ERR_IO;
	return err_set(reterr, rc, "%s %.80s in %s: the store answers %ld %s%s%.120s", act, name, where, x->status,
	    e.code, e.message[0] ? ": " : "", e.message);
}

/* Nothing there, as far as one may know: a GET or HEAD. */
static bool is_absent(const struct exchange *x, enum bucket_outcome *ret)
{
	struct s3_error e = {"", ""};
	bool coded = s3_error_parse((const char *)x->body.data, x->body.size, &e);
	if (x->status == 404 && strcmp(e.code, "NoSuchBucket") != 0)
		*ret = BUCKET_MISSING;
	else if (x->status == 403 && (!coded || strcmp(e.code, "AccessDenied") == 0))
		*ret = BUCKET_HIDDEN;
	else
		return false;
	return true;
}

/* ---- the requests ---- */

static char *lock_date(uint64_t unix_ms, char out[DATE_MAX])
{
	time_t seconds = (time_t)((unix_ms + 999) / 1000);
	struct tm t;
	gmtime_r(&seconds, &t);
	strftime(out, DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &t);
	return out;
}

static const char *lock_word(uint32_t lock)
{
	return lock == BUCKET_COMPLIANCE ? "COMPLIANCE" : "GOVERNANCE";
}

enum err_code s3_put(struct s3 *s, const struct bucket_object *o, const uint8_t md5[16],
    size_t (*read_body)(void *ctx, uint64_t offset, char *out, size_t size), void *ctx, enum bucket_outcome *ret,
    struct err *reterr)
{
	struct exchange x = {.read_body = read_body, .ctx = ctx};
	struct headers h = {.count = 0};
	CLEANUP(buf_done) struct buf md5_text = BUF_INIT;
	char sha256[65], date[DATE_MAX];
	add(&h, "if-none-match", "*");
	add(&h, "content-type", "application/octet-stream");
	if (o->lock != BUCKET_UNLOCKED) {
		text_base64(&md5_text, md5, 16);
		add(&h, "content-md5", buf_str(&md5_text));
		add(&h, "x-amz-object-lock-mode", lock_word(o->lock));
		add(&h, "x-amz-object-lock-retain-until-date", lock_date(o->lock_until_ms, date));
	}
	enum err_code rc =
	    exchange(s, "PUT", o->name, NULL, 0, &h, text_hex(o->sha256.b, 32, sha256), o->size_bytes, &x, reterr);
	if (!rc && x.status == 412)
		*ret = BUCKET_EXISTS;
	else if (!rc && (x.status == 200 || x.status == 201 || x.status == 204))
		*ret = BUCKET_DONE;
	else if (!rc)
		rc = refusal(s, "put", o->name, &x, reterr);
	buf_done(&x.body);
	return rc;
}

struct counting {
	bucket_sink_fn *sink;
	void *ctx;
	uint64_t bytes;
};

static bool count(void *ctx, const void *data, size_t size)
{
	struct counting *c = ctx;
	c->bytes += size;
	return c->sink(c->ctx, data, size);
}

enum err_code s3_get(
    struct s3 *s, const char *name, bucket_sink_fn *sink, void *ctx, enum bucket_outcome *ret, struct err *reterr)
{
	struct counting c = {sink, ctx, 0};
	struct exchange x = {.sink = count, .ctx = &c};
	struct headers h = {.count = 0};
	enum err_code rc = exchange(s, "GET", name, NULL, 0, &h, EMPTY_SHA256, 0, &x, reterr);
	if (!rc && x.status == 200 && x.has_length && x.length != c.bytes)
		rc = err_set(reterr, ERR_UNREACHABLE, "get %.80s: the connection ended after %llu of %llu bytes", name,
		    (unsigned long long)c.bytes, (unsigned long long)x.length);
	else if (!rc && x.status == 200)
		*ret = BUCKET_DONE;
	else if (!rc && !is_absent(&x, ret))
		rc = refusal(s, "get", name, &x, reterr);
	buf_done(&x.body);
	return rc;
}

static bool refuse_all(void *ctx, const void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return false;
}

/* An answer to HEAD has no body that would tell a wrong credential from an object that is hidden: a GET that is
 * refused, too, has one. */
static enum err_code why_hidden(struct s3 *s, const char *name, enum bucket_outcome *ret, struct err *reterr)
{
	enum err_code rc = s3_get(s, name, refuse_all, NULL, ret, reterr);
	return rc == ERR_CANCELLED
		   ? err_set(reterr, ERR_DENIED, "%.100s: the store gives it but does not tell its size", name)
		   : rc;
}

enum err_code s3_head(struct s3 *s, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr)
{
	struct exchange x = {.sink = NULL};
	struct headers h = {.count = 0};
	enum err_code rc = exchange(s, "HEAD", name, NULL, 0, &h, EMPTY_SHA256, 0, &x, reterr);
	if (!rc && x.status == 200 && x.has_length) {
		*ret = BUCKET_DONE;
		*ret_size = x.length;
	} else if (!rc && x.status == 403) {
		rc = why_hidden(s, name, ret, reterr);
	} else if (!rc && !is_absent(&x, ret)) {
		rc = refusal(s, "look at", name, &x, reterr);
	}
	buf_done(&x.body);
	return rc;
}

enum err_code s3_retain(struct s3 *s, const char *name, enum bucket_lock lock, uint64_t until_ms,
    enum bucket_outcome *ret, struct err *reterr)
{
	static const struct sigv4_pair query[] = {{"retention", ""}};
	CLEANUP(buf_done) struct buf body = BUF_INIT;
	CLEANUP(buf_done) struct buf md5_text = BUF_INIT;
	struct headers h = {.count = 0};
	char date[DATE_MAX], sha256[65];
	uint8_t digest[32], md5[16];
	buf_printf(&body,
	    "<Retention "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode><RetainUntilDate>%s</RetainUntilDate></"
	    "Retention>",
	    lock_word(lock), lock_date(until_ms, date));
	struct exchange x = {.sent = buf_bytes(&body)};
	if (body.failed || EVP_Digest(body.data, body.size, digest, NULL, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(body.data, body.size, md5, NULL, EVP_md5(), NULL) != 1)
		return err_set(reterr, ERR_NOMEM, "a request cannot be made");
	text_base64(&md5_text, md5, sizeof md5);
	add(&h, "content-md5", buf_str(&md5_text));
	add(&h, "content-type", "application/xml");
	enum err_code rc = exchange(s, "PUT", name, query, 1, &h, text_hex(digest, 32, sha256), body.size, &x, reterr);
	if (!rc && (x.status == 200 || x.status == 204))
		*ret = BUCKET_DONE;
	else if (!rc && x.status == 404)
		*ret = BUCKET_MISSING;
	else if (!rc)
		rc = refusal(s, "lock", name, &x, reterr);
	buf_done(&x.body);
	return rc;
}
