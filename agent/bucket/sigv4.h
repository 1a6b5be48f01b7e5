/* agent/bucket/sigv4.h: the signature of a request to an AWS-like service ("Signature Version 4", header form).
 *
 * Source: Amazon's "Create a signed AWS API request" and, for S3, "Authenticating Requests: Using the Authorization
 * Header"; their published examples are the unit tests.  As S3 wants it: the path is encoded once and not normalised,
 * and the digest of the payload is a header (x-amz-content-sha256) that the caller sets and that is signed with the
 * others. Pure; any thread.  Intermediate keys are wiped. */
#ifndef KEDGE_AGENT_BUCKET_SIGV4_H
#define KEDGE_AGENT_BUCKET_SIGV4_H

#include "shared/base/buf.h"
#include "shared/base/err.h"

enum { SIGV4_PAIRS_MAX = 24, SIGV4_TIME_MAX = 17 };

struct sigv4_pair {
	const char *name, *value;
};
struct sigv4_request {
	const char *method;             /* "PUT" */
	const char *path;               /* "/bucket/a b", not yet encoded */
	const struct sigv4_pair *query; /* not yet encoded; any order */
	size_t query_count;
	const struct sigv4_pair
	    *headers; /* all of them are signed: names in lower case, host among them; any order, none twice */
	size_t header_count;
	const char *payload_sha256; /* 64 hex digits */
};
struct sigv4_signer {
	const char *access_key, *secret_key, *region, *service;
	char time[SIGV4_TIME_MAX]; /* "20130524T000000Z" */
};

char *sigv4_time(uint64_t unix_ms, char out[SIGV4_TIME_MAX]);
/* Unreserved bytes (RFC 3986 §2.3) stay, others become %XX; slashes stay if keep_slashes. */
void sigv4_encode(struct buf *out, const char *text, bool keep_slashes);
/* "a=1&b=", encoded and sorted as it is signed and may be sent.  ERR_LIMIT. */
ERR_CHECK enum err_code sigv4_query(const struct sigv4_pair *query, size_t count, struct buf *out, struct err *reterr);
/* What is digested; for tests and for finding out what a server disagrees with.  No secret is in it.  ERR_LIMIT,
 * ERR_INVALID, ERR_NOMEM. */
ERR_CHECK enum err_code sigv4_canonical(const struct sigv4_request *r, struct buf *out, struct err *reterr);
/* The value of the header "authorization". */
ERR_CHECK enum err_code sigv4_authorize(
    const struct sigv4_signer *s, const struct sigv4_request *r, struct buf *out, struct err *reterr);

#endif
