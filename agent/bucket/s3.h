/* agent/bucket/s3.h: requests to an S3 store and what its answers mean.
 *
 * Pure but for the calls that go out through struct s3_transport and the clock that comes in.  One thread.  Every
 * request is signed (sigv4.h) with the digest of its body; what is put is put with If-None-Match: *, so that nothing
 * that is there is ever replaced. Source: Amazon S3 API reference (PutObject, GetObject, HeadObject,
 * PutObjectRetention, Error Responses). */
#ifndef KEDGE_AGENT_BUCKET_S3_H
#define KEDGE_AGENT_BUCKET_S3_H

#include "agent/bucket/bucket.h"

enum { S3_HEADERS_MAX = 16 };

struct s3_call { /* one exchange; the callbacks as in shared/http/http.h */
	const char *method, *url;
	const char *const *headers;                                              /* "name: value", NULL-ended */
	size_t (*read_body)(void *ctx, uint64_t offset, char *out, size_t size); /* NULL: no body */
	uint64_t body_size;
	void (*on_header)(void *ctx, long status, const char *line, size_t size);
	bool (*on_data)(void *ctx, const char *data, size_t size);
	void *ctx;
};
struct s3_transport { /* borrowed */
	void *ctx;
	/* Any status is ERR_OK; ERR_CANCELLED: on_data said so. */
	enum err_code (*ask)(void *ctx, const struct s3_call *call, struct err *reterr);
	uint64_t (*now_ms)(void *ctx);
};

struct s3;
/* Copies the settings.  ERR_INVALID, ERR_NOMEM. */
ERR_CHECK enum err_code s3_new(
    const struct bucket_settings *s, const struct s3_transport *t, struct s3 **ret, struct err *reterr);
void s3_free(struct s3 *s);

/* As struct bucket_io says.  read_body gives any of o->size_bytes bytes; md5: of the body, asked for with a lock (S3
 * wants it then). */
ERR_CHECK enum err_code s3_put(struct s3 *s, const struct bucket_object *o, const uint8_t md5[16],
    size_t (*read_body)(void *ctx, uint64_t offset, char *out, size_t size), void *ctx, enum bucket_outcome *ret,
    struct err *reterr);
ERR_CHECK enum err_code s3_get(
    struct s3 *s, const char *name, bucket_sink_fn *sink, void *ctx, enum bucket_outcome *ret, struct err *reterr);
ERR_CHECK enum err_code s3_head(
    struct s3 *s, const char *name, enum bucket_outcome *ret, uint64_t *ret_size, struct err *reterr);
ERR_CHECK enum err_code s3_retain(struct s3 *s, const char *name, enum bucket_lock lock, uint64_t until_ms,
    enum bucket_outcome *ret, struct err *reterr);

/* What an <Error> document says: the text of its first <Code> and <Message>, printable, cut; "" where there is none.
 * Pure: a bounded search and no parser of XML.  False: there is no <Code>. */
struct s3_error {
	char code[64], message[BUCKET_TEXT_MAX];
};
bool s3_error_parse(const char *data, size_t size, struct s3_error *ret);
/* The value of "content-length: 12"; false: another header, or no number. */
bool s3_length_parse(const char *line, size_t size, uint64_t *ret);
/* "http://127.0.0.1:8000": scheme, authority, nothing behind.  ERR_INVALID. */
ERR_CHECK enum err_code s3_endpoint_parse(
    const char *endpoint, bool *ret_tls, char *ret_host, size_t host_size, struct err *reterr);

#endif
