#include "agent/bucket/sigv4.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/openssl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "shared/base/cleanup.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

enum { MAC_SIZE = 32, SCOPE_MAX = 256 };

char *sigv4_time(uint64_t unix_ms, char out[SIGV4_TIME_MAX])
{
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm t;
	gmtime_r(&seconds, &t);
	strftime(out, SIGV4_TIME_MAX, "%Y%m%dT%H%M%SZ", &t);
	return out;
}

void sigv4_encode(struct buf *out, const char *text, bool keep_slashes)
{
	static const char digits[] = "0123456789ABCDEF";
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			     strchr("-._~", c) || (c == '/' && keep_slashes);
		if (plain) {
			buf_byte(out, c);
		} else {
			buf_byte(out, '%');
			buf_byte(out, (uint8_t)digits[c >> 4]);
			buf_byte(out, (uint8_t)digits[c & 15]);
		}
	}
}

/* ---- the query ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by encoded name, then by encoded value.  '=' would sort behind '-', '.' and digits, so a byte that sorts
 * before all stands for it until the end. */
enum err_code sigv4_query(const struct sigv4_pair *query, size_t count, struct buf *out, struct err *reterr)
{
	char *parts[SIGV4_PAIRS_MAX];
	size_t made = 0;
	bool failed = false;
	if (count > SIGV4_PAIRS_MAX)
		return err_set(reterr, ERR_LIMIT, "a request has at most %d parameters", SIGV4_PAIRS_MAX);
	for (; made < count && !failed; made++) {
		struct buf part = BUF_INIT;
		sigv4_encode(&part, query[made].name, false);
		buf_byte(&part, 1);
		sigv4_encode(&part, query[made].value, false);
		parts[made] = strdup(buf_str(&part));
		failed = part.failed || !parts[made];
		buf_done(&part);
	}
	if (!failed && count > 1)
		qsort(parts, count, sizeof *parts, by_text);
	for (size_t i = 0; i < made; i++) {
		char *mark = !failed && parts[i] ? strchr(parts[i], 1) : NULL;
		if (mark) {
			*mark = '=';
			buf_text(out, i ? "&" : "");
			buf_text(out, parts[i]);
		}
		free(parts[i]);
	}
	return failed || out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a request") : ERR_OK;
}

/* ---- headers ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct sigv4_pair *const *)a)->name, (*(struct sigv4_pair *const *)b)->name);
}

static enum err_code sort_headers(
    const struct sigv4_request *r, const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX], struct err *reterr)
{
	if (r->header_count == 0 || r->header_count > SIGV4_PAIRS_MAX)
		return err_set(reterr, ERR_LIMIT, "a request has 1 to %d signed headers", SIGV4_PAIRS_MAX);
	for (size_t i = 0; i < r->header_count; i++)
		sorted[i] = &r->headers[i];
	qsort(sorted, r->header_count, sizeof *sorted, by_name);
	for (size_t i = 1; i < r->header_count; i++)
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
			return err_set(reterr, ERR_INVALID, "header %s stands there twice", sorted[i]->name);
	return ERR_OK;
}

/* Without blanks around it, and with one for each run of them inside. */
static void append_value(struct buf *out, const char *value)
{
	bool blank = false, any = false;
	for (const char *p = value; *p; p++) {
		if (*p == ' ' || *p == '\t') {
			blank = any;
			continue;
		}
		if (blank)
			buf_byte(out, ' ');
		buf_byte(out, (uint8_t)*p);
		blank = false;
		any = true;
	}
}

static void append_names(struct buf *out, const struct sigv4_pair *const *sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_text(out, i ? ";" : "");
		buf_text(out, sorted[i]->name);
	}
}

enum err_code sigv4_canonical(const struct sigv4_request *r, struct buf *out, struct err *reterr)
{
	const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX];
	enum err_code rc = sort_headers(r, sorted, reterr);
	if (rc)
		return rc;
	buf_text(out, r->method);
	buf_text(out, "\n");
	sigv4_encode(out, r->path, true);
	buf_text(out, "\n");
	rc = sigv4_query(r->query, r->query_count, out, reterr);
	if (rc)
		return rc;
	buf_text(out, "\n");
	for (size_t i = 0; i < r->header_count; i++) {
		buf_text(out, sorted[i]->name);
		buf_text(out, ":");
		append_value(out, sorted[i]->value);
		buf_text(out, "\n");
	}
	buf_text(out, "\n");
	append_names(out, sorted, r->header_count);
	buf_text(out, "\n");
	buf_text(out, r->payload_sha256);
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a request") : ERR_OK;
}

/* ---- the signature ---- */

static bool mac(const void *key, size_t key_size, const void *data, size_t size, uint8_t out[MAC_SIZE])
{
	unsigned n = MAC_SIZE;
	return HMAC(EVP_sha256(), key, (int)key_size, data, size, out, &n) && n == MAC_SIZE;
}

static bool mac_text(uint8_t key[MAC_SIZE], const char *text)
{
	return mac(key, MAC_SIZE, text, strlen(text), key);
}

/* HMAC of date, region, service and "aws4_request", each under the one before. */
static bool derive(const struct sigv4_signer *s, uint8_t out[MAC_SIZE])
{
	struct buf first = BUF_INIT;
	char date[9];
	memcpy(date, s->time, 8);
	date[8] = '\0';
	buf_printf(&first, "AWS4%s", s->secret_key);
	bool ok = !first.failed && mac(first.data, first.size, date, 8, out) && mac_text(out, s->region) &&
		  mac_text(out, s->service) && mac_text(out, "aws4_request");
	if (first.data)
		secret_wipe(first.data, first.capacity);
	buf_done(&first);
	return ok;
}

static bool sign(
    const struct sigv4_signer *s, const char *scope, const struct buf *canonical, char signature[2 * MAC_SIZE + 1])
{
	struct buf text = BUF_INIT;
	uint8_t digest[MAC_SIZE], key[MAC_SIZE], out[MAC_SIZE];
	char hex[2 * MAC_SIZE + 1];
	unsigned n = sizeof digest;
	bool ok = EVP_Digest(canonical->data, canonical->size, digest, &n, EVP_sha256(), NULL) == 1;
	buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", s->time, scope, text_hex(digest, sizeof digest, hex));
	ok = ok && !text.failed && derive(s, key) && mac(key, sizeof key, text.data, text.size, out);
	if (ok)
		text_hex(out, sizeof out, signature);
	secret_wipe(key, sizeof key);
	buf_done(&text);
	return ok;
}

enum err_code sigv4_authorize(
    const struct sigv4_signer *s, const struct sigv4_request *r, struct buf *out, struct err *reterr)
{
	const struct sigv4_pair *sorted[SIGV4_PAIRS_MAX];
	CLEANUP(buf_done) struct buf canonical = BUF_INIT;
	char scope[SCOPE_MAX], signature[2 * MAC_SIZE + 1];
	enum err_code rc = sort_headers(r, sorted, reterr);
	if (!rc)
		rc = sigv4_canonical(r, &canonical, reterr);
	if (rc)
		return rc;
	if (!text_format(scope, sizeof scope, "%.8s/%s/%s/aws4_request", s->time, s->region, s->service))
		return err_set(reterr, ERR_LIMIT, "the region's name is too long");
	if (!sign(s, scope, &canonical, signature))
		return err_set(reterr, ERR_NOMEM, "a request cannot be signed");
	buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=", s->access_key, scope);
	append_names(out, sorted, r->header_count);
	buf_printf(out, ",Signature=%s", signature);
	return out->failed ? err_set(reterr, ERR_NOMEM, "out of memory for a request") : ERR_OK;
}
